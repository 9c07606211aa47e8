//! Writing histogram chunks.

use obsq_model::{BucketSpan, CounterResetHint, is_stale_nan};

use super::kind::{Fields, Kind};
use super::layout::Layout;
use super::spans::unite;
use super::{HEADER_BYTES, ResetHeader, START_COUNT_MASK, decode_histograms};
use crate::start::StartEncoder;
use crate::varbit::put_varbit_int;
use crate::{BitWriter, DecodeError, Encoding};

/// Whether a histogram can go into an open chunk.
#[derive(Debug, PartialEq)]
pub(crate) enum Fit {
    /// As it is.
    Same,
    /// After the chunk, the histogram or both got more buckets.
    Widened {
        positive: Vec<BucketSpan>,
        negative: Vec<BucketSpan>,
        chunk_grows: bool,
    },
    /// It cannot; a new chunk has to start, with this header.
    Cut(ResetHeader),
}

/// Appends histograms of one kind to a chunk's data.
#[derive(Debug, Clone)]
pub(crate) struct HistogramEncoder<H: Kind> {
    out: BitWriter,
    header: ResetHeader,
    samples: u16,
    ts_ms: i64,
    delta: i64,
    layout: Layout,
    fields: H::Fields,
    starts: Option<StartEncoder>,
}

impl<H: Kind> HistogramEncoder<H> {
    /// Starts a chunk. It can hold start timestamps if the first sample has one.
    pub(crate) fn start(ts_ms: i64, start_ms: i64, histogram: &H, header: ResetHeader) -> Self {
        Self::start_with((ts_ms, start_ms), start_ms != 0, histogram, header)
    }

    fn start_with(
        (ts_ms, start_ms): (i64, i64),
        with_starts: bool,
        histogram: &H,
        header: ResetHeader,
    ) -> Self {
        let stale;
        let histogram = if histogram.is_stale() {
            stale = H::stale();
            &stale
        } else {
            histogram
        };
        let mut out = BitWriter::after(vec![0; HEADER_BYTES]);
        let layout = Layout::from(histogram.layout());
        layout.put(&mut out);
        put_varbit_int(&mut out, ts_ms);
        let fields = H::Fields::put_first(&mut out, histogram);
        let mut starts = with_starts.then(StartEncoder::default);
        if let Some(starts) = &mut starts {
            starts.push(&mut out, 0, (ts_ms, 0), start_ms);
        }
        let mut encoder = Self {
            out,
            header,
            samples: 1,
            ts_ms,
            delta: 0,
            layout,
            fields,
            starts,
        };
        encoder.write_header();
        encoder
    }

    /// Goes on with a chunk that was written before.
    pub(crate) fn resume(encoding: Encoding, bytes: &[u8]) -> Result<Self, DecodeError> {
        let flags = bytes.get(if encoding.has_start_timestamps() {
            0
        } else {
            2
        });
        let header = ResetHeader::from_byte(*flags.ok_or(DecodeError::UnexpectedEnd)?);
        let mut encoder: Option<Self> = None;
        let with_starts = encoding.has_start_timestamps();
        decode_histograms::<H>(encoding, bytes, &mut |ts_ms, start_ms, decoded| {
            let histogram = decoded.to_histogram();
            match &mut encoder {
                None => {
                    encoder = Some(Self::start_with(
                        (ts_ms, start_ms),
                        with_starts,
                        &histogram,
                        header,
                    ));
                }
                Some(encoder) => encoder.append(ts_ms, start_ms, &histogram),
            }
        })?;
        encoder.ok_or(DecodeError::UnexpectedEnd)
    }

    /// Says how `histogram` fits behind the last one.
    pub(crate) fn fit(&self, histogram: &H) -> Fit {
        if histogram.is_stale() {
            return Fit::Same;
        }
        if histogram.hint() != CounterResetHint::Gauge {
            return match self.reset_before(histogram) {
                ResetHeader::NotReset => self.fit_of_buckets(histogram),
                header => Fit::Cut(header),
            };
        }
        let layout = histogram.layout();
        let joins = self.header == ResetHeader::Gauge
            && !is_stale_nan(self.fields.sum())
            && self.layout.same_resolution(layout)
            && self.layout.same_bounds(layout);
        if joins {
            self.fit_of_buckets(histogram)
        } else {
            Fit::Cut(ResetHeader::Gauge)
        }
    }

    /// Returns the header of a chunk that starts with `histogram` because this one is full.
    pub(crate) fn next_header(&self, histogram: &H) -> ResetHeader {
        if histogram.hint() == CounterResetHint::Gauge {
            ResetHeader::Gauge
        } else if histogram.is_stale() {
            ResetHeader::Unknown
        } else {
            self.reset_before(histogram)
        }
    }

    /// Says what is known of a counter reset between the last histogram and `histogram`, which
    /// is no gauge.
    fn reset_before(&self, histogram: &H) -> ResetHeader {
        let layout = histogram.layout();
        if histogram.hint() == CounterResetHint::Reset {
            return ResetHeader::Reset;
        }
        if self.header == ResetHeader::Gauge || is_stale_nan(self.fields.sum()) {
            return ResetHeader::Unknown;
        }
        if self.fields.count_falls(histogram) {
            return ResetHeader::Reset;
        }
        if !self.layout.same_resolution(layout) {
            return ResetHeader::Unknown;
        }
        if !self.layout.same_bounds(layout) || self.fields.bucket_falls(&self.layout, histogram) {
            return ResetHeader::Reset;
        }
        ResetHeader::NotReset
    }

    fn fit_of_buckets(&self, histogram: &H) -> Fit {
        let layout = histogram.layout();
        if self.layout.same_spans(layout) {
            return Fit::Same;
        }
        let positive = unite(&self.layout.positive_spans, layout.positive_spans);
        let negative = unite(&self.layout.negative_spans, layout.negative_spans);
        Fit::Widened {
            chunk_grows: positive.first_grows || negative.first_grows,
            positive: positive.spans,
            negative: negative.spans,
        }
    }

    /// Appends a histogram that [`HistogramEncoder::fit`] allows; the caller keeps to the limit of
    /// samples.
    pub(crate) fn push(&mut self, ts_ms: i64, start_ms: i64, histogram: &H, fit: &Fit) {
        let Fit::Widened {
            positive,
            negative,
            chunk_grows,
        } = fit
        else {
            self.append(ts_ms, start_ms, histogram);
            return;
        };
        if *chunk_grows {
            self.widen(positive, negative);
        }
        self.append(ts_ms, start_ms, &histogram.widened(positive, negative));
    }

    /// Writes the chunk anew with more buckets.
    fn widen(&mut self, positive: &[BucketSpan], negative: &[BucketSpan]) {
        let mut wider: Option<Self> = None;
        let (header, with_starts) = (self.header, self.starts.is_some());
        let encoding = self.encoding();
        let decoded = decode_histograms::<H>(
            encoding,
            self.out.as_bytes(),
            &mut |ts_ms, start_ms, decoded| {
                let histogram = decoded.to_histogram();
                let histogram = if histogram.is_stale() {
                    histogram
                } else {
                    histogram.widened(positive, negative)
                };
                match &mut wider {
                    Some(wider) => wider.append(ts_ms, start_ms, &histogram),
                    None => {
                        wider = Some(Self::start_with(
                            (ts_ms, start_ms),
                            with_starts,
                            &histogram,
                            header,
                        ));
                    }
                }
            },
        );
        debug_assert_eq!(decoded, Ok(()), "own bytes decode");
        if let Some(wider) = wider {
            *self = wider;
        }
    }

    fn append(&mut self, ts_ms: i64, start_ms: i64, histogram: &H) {
        let delta = ts_ms.wrapping_sub(self.ts_ms);
        put_varbit_int(&mut self.out, delta.wrapping_sub(self.delta));
        if histogram.is_stale() {
            self.fields.put_next(&mut self.out, &H::stale());
        } else {
            self.fields.put_next(&mut self.out, histogram);
        }
        if let Some(starts) = &mut self.starts {
            let times = (ts_ms, self.ts_ms);
            starts.push(&mut self.out, self.samples, times, start_ms);
        }
        self.ts_ms = ts_ms;
        self.delta = delta;
        self.samples += 1;
        self.write_header();
    }

    fn write_header(&mut self) {
        let flags = self.header as u8;
        let bytes = self.out.as_bytes_mut();
        if self.starts.is_some() {
            let count = self.samples & START_COUNT_MASK | u16::from(flags) << 8;
            bytes[..2].copy_from_slice(&count.to_be_bytes());
        } else {
            bytes[..2].copy_from_slice(&self.samples.to_be_bytes());
            bytes[2] = flags;
        }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        H::ENCODINGS[usize::from(self.starts.is_some())]
    }

    pub(crate) fn out(&self) -> &BitWriter {
        &self.out
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    /// Returns the memory that the state takes beside the bytes, roughly.
    pub(crate) fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.layout.size_bytes() + self.fields.size_bytes()
    }
}
