//! Reading histogram chunks.

use obsq_model::{CounterResetHint, FloatHistogram, is_stale_nan};

use super::kind::{Fields, Kind};
use super::layout::Layout;
use super::{HEADER_BYTES, ResetHeader};
use crate::chunk::sample_count;
use crate::start::StartDecoder;
use crate::varbit::varbit_int;
use crate::{BitReader, DecodeError, Encoding};

/// The finest resolution that is computed with. The format has room for finer ones.
const FINEST_SCHEMA: i32 = 8;

/// One histogram of a chunk, before it takes a shape of its own.
#[derive(Debug)]
pub(crate) struct DecodedHistogram<'a, H: Kind> {
    layout: &'a Layout,
    fields: &'a H::Fields,
    hint: CounterResetHint,
}

impl<H: Kind> DecodedHistogram<'_, H> {
    /// Returns the histogram as it was stored, at most as fine as can be computed with.
    pub(crate) fn to_histogram(&self) -> H {
        if is_stale_nan(self.fields.sum()) {
            return H::stale();
        }
        let mut histogram = self.fields.to_histogram(self.layout, self.hint);
        if self.layout.schema > FINEST_SCHEMA {
            histogram.reduce(FINEST_SCHEMA);
        }
        histogram
    }

    /// Returns the histogram with float counts, at most as fine as can be computed with.
    pub(crate) fn to_float(&self) -> FloatHistogram {
        if is_stale_nan(self.fields.sum()) {
            return FloatHistogram::stale();
        }
        let mut histogram = self.fields.to_float(self.layout, self.hint);
        if self.layout.schema > FINEST_SCHEMA {
            histogram.reduce(FINEST_SCHEMA);
        }
        histogram
    }
}

/// Calls `visit` with time, start timestamp and histogram of each sample, in order.
pub(crate) fn decode_histograms<H: Kind>(
    encoding: Encoding,
    bytes: &[u8],
    visit: &mut dyn FnMut(i64, i64, &DecodedHistogram<'_, H>),
) -> Result<(), DecodeError> {
    let samples = sample_count(encoding, bytes)?;
    let (head, body) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(DecodeError::UnexpectedEnd)?;
    // A sample takes at least four bits.
    if usize::from(samples) > bytes.len() * 2 {
        return Err(DecodeError::UnexpectedEnd);
    }
    if samples == 0 {
        return Ok(());
    }
    let (flags, start_header) = if encoding.has_start_timestamps() {
        (head[0], head[2])
    } else {
        (head[2], 0)
    };
    let header = ResetHeader::from_byte(flags);
    let mut starts = StartDecoder::new(start_header);
    let mut reader = BitReader::new(body);
    let layout = Layout::read(&mut reader)?;
    let mut ts_ms = varbit_int(&mut reader);
    let mut delta = 0_i64;
    let mut fields = H::Fields::read_first(&mut reader, &layout)?;
    for index in 0..samples {
        let previous = ts_ms;
        if index > 0 {
            delta = delta.wrapping_add(varbit_int(&mut reader));
            ts_ms = ts_ms.wrapping_add(delta);
            fields.read_next(&mut reader)?;
        }
        let start_ms = starts.read(&mut reader, index, (ts_ms, previous))?;
        reader.check()?;
        let histogram = DecodedHistogram {
            layout: &layout,
            fields: &fields,
            hint: hint_of(header, index),
        };
        visit(ts_ms, start_ms, &histogram);
    }
    Ok(())
}

/// Before a chunk's first histogram lies another chunk, which may have been deleted or come late,
/// so that the header's claim about it cannot be passed on.
fn hint_of(header: ResetHeader, index: u16) -> CounterResetHint {
    match (header, index) {
        (ResetHeader::Gauge, _) => CounterResetHint::Gauge,
        (_, 0) => CounterResetHint::Unknown,
        _ => CounterResetHint::NotReset,
    }
}
