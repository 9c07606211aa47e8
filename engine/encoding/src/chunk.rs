//! Chunks: what they are called and what they hold.

use std::ops::Range;
use std::sync::Arc;

use obsq_model::{FloatHistogram, HistogramValue, IntHistogram};
use obsq_model::{Sample, SampleColumns, SampleValue, TimeRange};

use crate::DecodeError;
use crate::histogram::{Kind, ResetHeader, decode_histograms};
use crate::xor::decode_xor;
use crate::xor2::decode_xor2;

/// How a chunk's data is written; the numbers are those on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Floats.
    Xor = 1,
    /// Histograms with integer counts.
    Histogram = 2,
    /// Histograms with float counts.
    FloatHistogram = 3,
    /// Floats, with start timestamps.
    Xor2 = 4,
    /// Histograms with integer counts, with start timestamps.
    HistogramStart = 5,
    /// Histograms with float counts, with start timestamps.
    FloatHistogramStart = 6,
    /// Five chunks of aggregates, as Thanos downsampling writes them.
    Aggr = 0xff,
}

impl Encoding {
    /// Returns the encoding that `byte` stands for.
    pub fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            1 => Self::Xor,
            2 => Self::Histogram,
            3 => Self::FloatHistogram,
            4 => Self::Xor2,
            5 => Self::HistogramStart,
            6 => Self::FloatHistogramStart,
            0xff => Self::Aggr,
            _ => return Err(DecodeError::UnknownEncoding(byte)),
        })
    }

    /// Returns the byte that stands for the encoding.
    pub fn to_byte(self) -> u8 {
        self as u8
    }

    /// Says whether chunks of this encoding hold start timestamps.
    pub fn has_start_timestamps(self) -> bool {
        matches!(
            self,
            Self::Xor2 | Self::HistogramStart | Self::FloatHistogramStart
        )
    }

    /// Says whether chunks of this encoding hold histograms.
    pub fn is_histogram(self) -> bool {
        matches!(
            self,
            Self::Histogram
                | Self::FloatHistogram
                | Self::HistogramStart
                | Self::FloatHistogramStart
        )
    }
}

/// A chunk that will not grow any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedChunk {
    /// How `bytes` are written.
    pub encoding: Encoding,
    /// Time of the first sample.
    pub min_ts_ms: i64,
    /// Time of the last sample.
    pub max_ts_ms: i64,
    /// Number of samples.
    pub samples: u16,
    /// The data, without length, encoding byte and CRC.
    pub bytes: Vec<u8>,
}

impl EncodedChunk {
    /// Makes a histogram chunk say that it is unknown whether a counter reset lies before it, as must
    /// be when it gets another neighbour. Gauges and floats have no such claim.
    pub fn forget_reset(&mut self) {
        let at = match self.encoding {
            Encoding::Histogram | Encoding::FloatHistogram => 2,
            Encoding::HistogramStart | Encoding::FloatHistogramStart => 0,
            Encoding::Xor | Encoding::Xor2 | Encoding::Aggr => return,
        };
        if let Some(flags) = self.bytes.get_mut(at)
            && ResetHeader::from_byte(*flags) != ResetHeader::Gauge
        {
            *flags &= !ResetHeader::MASK;
        }
    }
}

/// Returns the number of samples that a chunk's data says it holds; 0 for [`Encoding::Aggr`].
pub fn sample_count(encoding: Encoding, bytes: &[u8]) -> Result<u16, DecodeError> {
    let head = bytes.first_chunk::<2>().ok_or(DecodeError::UnexpectedEnd)?;
    let count = u16::from_be_bytes(*head);
    Ok(match encoding {
        Encoding::Aggr => 0,
        Encoding::HistogramStart | Encoding::FloatHistogramStart => count & 0x3fff,
        _ => count,
    })
}

/// Appends the samples of a chunk whose time lies in `range` to `columns`.
///
/// The samples must be later than those already in the columns, or the caller sorts. Of histograms
/// the first one of a chunk has an unknown counter reset hint (what lies before is not known here),
/// the others are known to be without reset, and gauge histograms are marked. On an error the
/// columns are as before. An [`Encoding::Aggr`] chunk has no samples of its own: see
/// [`crate::AggrChunk`].
pub fn decode(
    encoding: Encoding,
    bytes: &[u8],
    range: TimeRange,
    columns: &mut SampleColumns,
) -> Result<(), DecodeError> {
    match encoding {
        Encoding::Xor | Encoding::Xor2 => decode_float_columns(encoding, bytes, range, columns),
        Encoding::Histogram | Encoding::HistogramStart => {
            decode_histogram_columns::<IntHistogram>(encoding, bytes, range, columns)
        }
        Encoding::FloatHistogram | Encoding::FloatHistogramStart => {
            decode_histogram_columns::<FloatHistogram>(encoding, bytes, range, columns)
        }
        Encoding::Aggr => Err(DecodeError::UnknownEncoding(encoding.to_byte())),
    }
}

fn decode_float_columns(
    encoding: Encoding,
    bytes: &[u8],
    range: TimeRange,
    columns: &mut SampleColumns,
) -> Result<(), DecodeError> {
    let before = columns.float_ts.len();
    let mut starts = Vec::new();
    let (times, values) = (&mut columns.float_ts, &mut columns.floats);
    let result = if encoding == Encoding::Xor {
        decode_xor(bytes, times, values)
    } else {
        decode_xor2(bytes, times, values, &mut starts)
    };
    let result = result.and_then(|()| check_order(&times[before..]));
    if result.is_err() {
        times.truncate(before);
        values.truncate(before);
        return result;
    }
    if !columns.float_start_ts.is_empty() {
        starts.resize(times.len() - before, 0);
    }
    let keep = cut_of(&times[before..], range);
    let starts = starts.get(keep.clone()).unwrap_or_default();
    append_starts(&mut columns.float_start_ts, before, starts);
    cut(times, before, &keep);
    cut(values, before, &keep);
    Ok(())
}

fn decode_histogram_columns<H: Kind>(
    encoding: Encoding,
    bytes: &[u8],
    range: TimeRange,
    columns: &mut SampleColumns,
) -> Result<(), DecodeError> {
    let before = columns.histogram_ts.len();
    let mut starts = Vec::new();
    let mut last: Option<i64> = None;
    let mut rises = true;
    let result = decode_histograms::<H>(encoding, bytes, &mut |ts_ms, start_ms, histogram| {
        rises &= last.is_none_or(|last| last < ts_ms);
        last = Some(ts_ms);
        if range.contains(ts_ms) {
            columns.histogram_ts.push(ts_ms);
            columns.histograms.push(Arc::new(histogram.to_float()));
            starts.push(start_ms);
        }
    })
    .and(if rises {
        Ok(())
    } else {
        Err(DecodeError::TimeOrder)
    });
    if result.is_err() {
        columns.histogram_ts.truncate(before);
        columns.histograms.truncate(before);
        return result;
    }
    append_starts(&mut columns.histogram_start_ts, before, &starts);
    Ok(())
}

/// Appends to a start column, which stays empty as long as there is no start timestamp.
fn append_starts(column: &mut Vec<i64>, before: usize, starts: &[i64]) {
    if column.is_empty() && starts.iter().all(|start_ms| *start_ms == 0) {
        return;
    }
    column.resize(before, 0);
    column.extend_from_slice(starts);
}

fn check_order(times: &[i64]) -> Result<(), DecodeError> {
    if times.windows(2).all(|pair| pair[0] < pair[1]) {
        Ok(())
    } else {
        Err(DecodeError::TimeOrder)
    }
}

/// Returns which of `times`, which rise, lie in `range`.
fn cut_of(times: &[i64], range: TimeRange) -> Range<usize> {
    let start = times.partition_point(|ts_ms| *ts_ms < range.start_ms);
    let end = times.partition_point(|ts_ms| *ts_ms <= range.end_ms);
    start..end.max(start)
}

/// Keeps of the values from `before` on only those at `keep`.
fn cut<T>(column: &mut Vec<T>, before: usize, keep: &Range<usize>) {
    column.truncate(before + keep.end);
    if keep.start > 0 {
        column.drain(before..before + keep.start);
    }
}

/// Returns all samples of a chunk as they were stored: integer histograms stay integer.
///
/// Counter reset hints are as for [`decode`].
pub fn decode_samples(encoding: Encoding, bytes: &[u8]) -> Result<Vec<Sample>, DecodeError> {
    let samples = match encoding {
        Encoding::Xor | Encoding::Xor2 => decode_float_samples(encoding, bytes)?,
        Encoding::Histogram | Encoding::HistogramStart => {
            decode_histogram_samples(encoding, bytes, HistogramValue::Int)?
        }
        Encoding::FloatHistogram | Encoding::FloatHistogramStart => {
            decode_histogram_samples(encoding, bytes, HistogramValue::Float)?
        }
        Encoding::Aggr => return Err(DecodeError::UnknownEncoding(encoding.to_byte())),
    };
    let rises = samples.windows(2).all(|pair| pair[0].ts_ms < pair[1].ts_ms);
    if rises {
        Ok(samples)
    } else {
        Err(DecodeError::TimeOrder)
    }
}

fn decode_float_samples(encoding: Encoding, bytes: &[u8]) -> Result<Vec<Sample>, DecodeError> {
    let (mut times, mut values, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    if encoding == Encoding::Xor {
        decode_xor(bytes, &mut times, &mut values)?;
        starts.resize(times.len(), 0);
    } else {
        decode_xor2(bytes, &mut times, &mut values, &mut starts)?;
    }
    let columns = times.into_iter().zip(starts).zip(values);
    Ok(columns
        .map(|((ts_ms, start_ts_ms), value)| Sample {
            ts_ms,
            start_ts_ms,
            value: SampleValue::Float(value),
        })
        .collect())
}

fn decode_histogram_samples<H: Kind>(
    encoding: Encoding,
    bytes: &[u8],
    wrap: fn(H) -> HistogramValue,
) -> Result<Vec<Sample>, DecodeError> {
    let mut samples = Vec::new();
    decode_histograms::<H>(encoding, bytes, &mut |ts_ms, start_ts_ms, histogram| {
        samples.push(Sample {
            ts_ms,
            start_ts_ms,
            value: SampleValue::Histogram(Arc::new(wrap(histogram.to_histogram()))),
        });
    })?;
    Ok(samples)
}
