//! From samples to chunks, one sample at a time.
//!
//! A chunk ends when the next sample cannot go into it or should not:
//!
//! - it holds [`MAX_SAMPLES`] samples or about 1 KiB (a histogram chunk at least 10 samples);
//! - floats, integer histograms and float histograms alternate;
//! - the sample has a start timestamp and the chunk cannot hold any;
//! - for histograms: gauge and counter alternate, schema, zero threshold or custom bounds change, a
//!   bucket in use disappears, a count falls, or a stale marker is followed by a value.
//!
//! New buckets do not end a chunk, it is written anew with them.

use obsq_model::{CounterResetHint, HistogramValue, Sample, SampleValue};
use obsq_model::{FloatHistogram, IntHistogram};

use crate::chunk::{EncodedChunk, Encoding};
use crate::histogram::{Fit, HistogramEncoder, Kind, ResetHeader};
use crate::xor::XorEncoder;
use crate::xor2::Xor2Encoder;
use crate::{BitWriter, DecodeError, decode_samples};

/// The most samples of one chunk. An XOR2 chunk cannot name the start of later changes than 127.
pub const MAX_SAMPLES: u16 = 120;
/// A chunk that has reached this size gets no more samples.
const FULL_BYTES: usize = 1024 - LARGEST_FLOAT_BYTES;
/// Time, value and start timestamp of a float sample in the worst case.
const LARGEST_FLOAT_BYTES: usize = 28;
/// Fewer histograms than these do not make a chunk full.
const MIN_HISTOGRAMS: u16 = 10;

/// Builds the chunks of one series from samples that come in order of time.
///
/// Holds at most one open chunk. An empty builder takes 16 bytes of memory beside itself; an open
/// XOR chunk its bytes and about 80 more.
#[derive(Debug, Clone, Default)]
pub struct ChunkBuilder {
    open: Option<Box<OpenChunk>>,
}

#[derive(Debug, Clone)]
struct OpenChunk {
    min_ts_ms: i64,
    max_ts_ms: i64,
    samples: u16,
    encoder: Encoder,
}

#[derive(Debug, Clone)]
enum Encoder {
    Xor(XorEncoder),
    Xor2(Xor2Encoder),
    Int(Box<HistogramEncoder<IntHistogram>>),
    Float(Box<HistogramEncoder<FloatHistogram>>),
}

impl ChunkBuilder {
    /// Goes on with a chunk that a builder made, at most [`MAX_SAMPLES`] long.
    pub fn resume(chunk: &EncodedChunk) -> Result<Self, DecodeError> {
        let encoder = match chunk.encoding {
            Encoding::Histogram | Encoding::HistogramStart => Encoder::Int(Box::new(
                HistogramEncoder::resume(chunk.encoding, &chunk.bytes)?,
            )),
            Encoding::FloatHistogram | Encoding::FloatHistogramStart => Encoder::Float(Box::new(
                HistogramEncoder::resume(chunk.encoding, &chunk.bytes)?,
            )),
            Encoding::Xor | Encoding::Xor2 => resume_floats(chunk)?,
            Encoding::Aggr => return Err(DecodeError::UnknownEncoding(Encoding::Aggr.to_byte())),
        };
        Ok(Self {
            open: Some(Box::new(OpenChunk {
                min_ts_ms: chunk.min_ts_ms,
                max_ts_ms: chunk.max_ts_ms,
                samples: chunk.samples,
                encoder,
            })),
        })
    }

    /// Appends a sample, which must be later than the last one (checked in debug builds). Returns
    /// the open chunk as it was if it is finished and the sample started a new one.
    ///
    /// A histogram must have as many buckets as its spans say.
    pub fn push(&mut self, sample: &Sample) -> Option<EncodedChunk> {
        let Some(open) = &mut self.open else {
            self.open = Some(Box::new(OpenChunk::start(sample, None)));
            return None;
        };
        debug_assert!(
            sample.ts_ms > open.max_ts_ms,
            "sample at {} after {}",
            sample.ts_ms,
            open.max_ts_ms
        );
        if open.try_push(sample) {
            return None;
        }
        let next = OpenChunk::start(sample, Some(&open.encoder));
        let finished = std::mem::replace(open.as_mut(), next);
        Some(finished.finish())
    }

    /// Ends the open chunk and returns it; `None` when there is none.
    ///
    /// The next sample starts a chunk that does not know what lay before it.
    pub fn take(&mut self) -> Option<EncodedChunk> {
        self.open.take().map(|open| open.finish())
    }

    /// Returns a copy of the open chunk as it is now.
    pub fn snapshot(&self) -> Option<EncodedChunk> {
        self.open.as_ref().map(|open| EncodedChunk {
            encoding: open.encoder.encoding(),
            min_ts_ms: open.min_ts_ms,
            max_ts_ms: open.max_ts_ms,
            samples: open.samples,
            bytes: open.encoder.out().as_bytes().to_vec(),
        })
    }

    /// Returns encoding and data of the open chunk.
    pub fn open_bytes(&self) -> Option<(Encoding, &[u8])> {
        let open = self.open.as_ref()?;
        Some((open.encoder.encoding(), open.encoder.out().as_bytes()))
    }

    /// Says whether there is no open chunk.
    pub fn is_empty(&self) -> bool {
        self.open.is_none()
    }

    /// Returns the number of samples in the open chunk.
    pub fn len(&self) -> u16 {
        self.open.as_ref().map_or(0, |open| open.samples)
    }

    /// Returns the time of the open chunk's first sample.
    pub fn min_ts_ms(&self) -> Option<i64> {
        self.open.as_ref().map(|open| open.min_ts_ms)
    }

    /// Returns the time of the open chunk's last sample.
    pub fn max_ts_ms(&self) -> Option<i64> {
        self.open.as_ref().map(|open| open.max_ts_ms)
    }

    /// Returns the memory that the open chunk takes, roughly.
    pub fn size_bytes(&self) -> usize {
        let Some(open) = &self.open else { return 0 };
        let state = match &open.encoder {
            Encoder::Xor(_) | Encoder::Xor2(_) => 0,
            Encoder::Int(encoder) => encoder.state_bytes(),
            Encoder::Float(encoder) => encoder.state_bytes(),
        };
        size_of::<OpenChunk>() + open.encoder.out().capacity_bytes() + state
    }
}

impl OpenChunk {
    fn start(sample: &Sample, previous: Option<&Encoder>) -> Self {
        Self {
            min_ts_ms: sample.ts_ms,
            max_ts_ms: sample.ts_ms,
            samples: 1,
            encoder: Encoder::start(sample, previous),
        }
    }

    /// Says whether the sample went into this chunk.
    fn try_push(&mut self, sample: &Sample) -> bool {
        if self.is_full() || !self.encoder.try_push(sample) {
            return false;
        }
        self.max_ts_ms = sample.ts_ms;
        self.samples += 1;
        true
    }

    fn is_full(&self) -> bool {
        let is_large = self.encoder.out().as_bytes().len() >= FULL_BYTES;
        let may_be_large = match self.encoder {
            Encoder::Xor(_) | Encoder::Xor2(_) => false,
            Encoder::Int(_) | Encoder::Float(_) => self.samples < MIN_HISTOGRAMS,
        };
        self.samples >= MAX_SAMPLES || (is_large && !may_be_large)
    }

    fn finish(self) -> EncodedChunk {
        let encoding = self.encoder.encoding();
        let mut bytes = self.encoder.into_bytes();
        bytes.shrink_to_fit();
        EncodedChunk {
            encoding,
            min_ts_ms: self.min_ts_ms,
            max_ts_ms: self.max_ts_ms,
            samples: self.samples,
            bytes,
        }
    }
}

impl Encoder {
    fn start(sample: &Sample, previous: Option<&Self>) -> Self {
        let (ts_ms, start_ms) = (sample.ts_ms, sample.start_ts_ms);
        match &sample.value {
            SampleValue::Float(value) if start_ms == 0 => {
                Self::Xor(XorEncoder::start(ts_ms, *value))
            }
            SampleValue::Float(value) => Self::Xor2(Xor2Encoder::start(ts_ms, start_ms, *value)),
            SampleValue::Histogram(histogram) => match histogram.as_ref() {
                HistogramValue::Int(histogram) => {
                    let header = match previous {
                        Some(Self::Int(previous)) => previous.next_header(histogram),
                        _ => first_header(histogram),
                    };
                    let encoder = HistogramEncoder::start(ts_ms, start_ms, histogram, header);
                    Self::Int(Box::new(encoder))
                }
                HistogramValue::Float(histogram) => {
                    let header = match previous {
                        Some(Self::Float(previous)) => previous.next_header(histogram),
                        _ => first_header(histogram),
                    };
                    let encoder = HistogramEncoder::start(ts_ms, start_ms, histogram, header);
                    Self::Float(Box::new(encoder))
                }
            },
        }
    }

    fn try_push(&mut self, sample: &Sample) -> bool {
        let (ts_ms, start_ms) = (sample.ts_ms, sample.start_ts_ms);
        if start_ms != 0 && !self.encoding().has_start_timestamps() {
            return false;
        }
        match (self, &sample.value) {
            (Self::Xor(encoder), SampleValue::Float(value)) => encoder.push(ts_ms, *value),
            (Self::Xor2(encoder), SampleValue::Float(value)) => {
                encoder.push(ts_ms, start_ms, *value);
            }
            (Self::Int(encoder), SampleValue::Histogram(histogram)) => match histogram.as_ref() {
                HistogramValue::Int(histogram) => {
                    return push_histogram(encoder, ts_ms, start_ms, histogram);
                }
                HistogramValue::Float(_) => return false,
            },
            (Self::Float(encoder), SampleValue::Histogram(histogram)) => match histogram.as_ref() {
                HistogramValue::Float(histogram) => {
                    return push_histogram(encoder, ts_ms, start_ms, histogram);
                }
                HistogramValue::Int(_) => return false,
            },
            _ => return false,
        }
        true
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Xor(_) => Encoding::Xor,
            Self::Xor2(_) => Encoding::Xor2,
            Self::Int(encoder) => encoder.encoding(),
            Self::Float(encoder) => encoder.encoding(),
        }
    }

    fn out(&self) -> &BitWriter {
        match self {
            Self::Xor(encoder) => encoder.out(),
            Self::Xor2(encoder) => encoder.out(),
            Self::Int(encoder) => encoder.out(),
            Self::Float(encoder) => encoder.out(),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Xor(encoder) => encoder.into_bytes(),
            Self::Xor2(encoder) => encoder.into_bytes(),
            Self::Int(encoder) => encoder.into_bytes(),
            Self::Float(encoder) => encoder.into_bytes(),
        }
    }
}

fn push_histogram<H: Kind>(
    encoder: &mut HistogramEncoder<H>,
    ts_ms: i64,
    start_ms: i64,
    histogram: &H,
) -> bool {
    let fit = encoder.fit(histogram);
    if let Fit::Cut(_) = fit {
        return false;
    }
    encoder.push(ts_ms, start_ms, histogram, &fit);
    true
}

/// Returns the header of a chunk that starts with `histogram`, with nothing known of what is
/// before.
fn first_header<H: Kind>(histogram: &H) -> ResetHeader {
    match histogram.hint() {
        CounterResetHint::Gauge => ResetHeader::Gauge,
        CounterResetHint::Reset => ResetHeader::Reset,
        CounterResetHint::Unknown | CounterResetHint::NotReset => ResetHeader::Unknown,
    }
}

fn resume_floats(chunk: &EncodedChunk) -> Result<Encoder, DecodeError> {
    let samples = decode_samples(chunk.encoding, &chunk.bytes)?;
    let mut floats = samples.iter().filter_map(|sample| match &sample.value {
        SampleValue::Float(value) => Some((sample.ts_ms, sample.start_ts_ms, *value)),
        SampleValue::Histogram(_) => None,
    });
    let (ts_ms, start_ms, value) = floats.next().ok_or(DecodeError::UnexpectedEnd)?;
    if chunk.encoding == Encoding::Xor {
        let mut encoder = XorEncoder::start(ts_ms, value);
        floats.for_each(|(ts_ms, _, value)| encoder.push(ts_ms, value));
        return Ok(Encoder::Xor(encoder));
    }
    let mut encoder = Xor2Encoder::start(ts_ms, start_ms, value);
    floats.for_each(|(ts_ms, start_ms, value)| encoder.push(ts_ms, start_ms, value));
    Ok(Encoder::Xor2(encoder))
}

/// Returns the chunks that hold `samples`, which must rise strictly in time.
pub fn encode_chunks(samples: &[Sample]) -> Vec<EncodedChunk> {
    let mut builder = ChunkBuilder::default();
    let mut chunks: Vec<_> = samples
        .iter()
        .filter_map(|sample| builder.push(sample))
        .collect();
    chunks.extend(builder.take());
    chunks
}

#[cfg(test)]
mod tests;
