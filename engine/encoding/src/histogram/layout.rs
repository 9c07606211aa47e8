//! The part of a histogram that all samples of a chunk share.
//!
//! ```text
//! zero threshold   u8: 0 = 0; 1..=254 = 2^(n - 244); 255 = an f64 follows
//! schema           varbit int
//! positive spans, negative spans   number varbit uint, then each length varbit uint, offset varbit int
//! custom values    only for schema -53: number varbit uint, then each bound
//!
//! bound            1000 × bound + 1 as varbit uint if that is a whole number up to 33,554,431,
//!                  else a 0 bit and the f64
//! ```

use std::ops::RangeInclusive;
use std::sync::Arc;

use obsq_model::BucketSpan;
use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;

use super::kind::LayoutRef;
use super::spans::{bucket_count, without_empty_spans};
use crate::varbit::{put_varbit_int, put_varbit_uint, varbit_int, varbit_uint};
use crate::{BitReader, BitWriter, DecodeError};

/// Resolutions that the format has room for.
const SCHEMAS: RangeInclusive<i32> = -9..=52;

/// Schema, thresholds and spans of a chunk's histograms.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) positive_spans: Vec<BucketSpan>,
    pub(crate) negative_spans: Vec<BucketSpan>,
    pub(crate) custom_values: Arc<[f64]>,
}

impl From<LayoutRef<'_>> for Layout {
    fn from(layout: LayoutRef<'_>) -> Self {
        Self {
            schema: layout.schema,
            zero_threshold: layout.zero_threshold,
            positive_spans: layout.positive_spans.to_vec(),
            negative_spans: layout.negative_spans.to_vec(),
            custom_values: Arc::clone(layout.custom_values),
        }
    }
}

impl Layout {
    /// Says whether `other` has the same schema and zero threshold.
    pub(crate) fn same_resolution(&self, other: LayoutRef<'_>) -> bool {
        self.schema == other.schema && self.zero_threshold == other.zero_threshold
    }

    /// Says whether `other`, of the same schema, has the same custom bounds, if any count.
    pub(crate) fn same_bounds(&self, other: LayoutRef<'_>) -> bool {
        self.schema != CUSTOM_BUCKETS_SCHEMA || self.custom_values == *other.custom_values
    }

    /// Says whether `other` has literally the same spans.
    pub(crate) fn same_spans(&self, other: LayoutRef<'_>) -> bool {
        self.positive_spans == other.positive_spans && self.negative_spans == other.negative_spans
    }

    /// Returns the memory behind the struct itself, shared bounds not counted.
    pub(crate) fn size_bytes(&self) -> usize {
        (self.positive_spans.len() + self.negative_spans.len()) * size_of::<BucketSpan>()
    }

    pub(crate) fn put(&self, out: &mut BitWriter) {
        put_zero_threshold(out, self.zero_threshold);
        put_varbit_int(out, i64::from(self.schema));
        for spans in [&self.positive_spans, &self.negative_spans] {
            put_varbit_uint(out, spans.len() as u64);
            for span in spans {
                put_varbit_uint(out, u64::from(span.length));
                put_varbit_int(out, i64::from(span.offset));
            }
        }
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            put_varbit_uint(out, self.custom_values.len() as u64);
            for bound in self.custom_values.iter() {
                put_bound(out, *bound);
            }
        }
    }

    /// Reads a layout. It never announces more buckets than there are bits left, and its size is
    /// in proportion to the bytes.
    pub(crate) fn read(reader: &mut BitReader<'_>) -> Result<Self, DecodeError> {
        let zero_threshold = read_zero_threshold(reader);
        let number = varbit_int(reader);
        let schema = i32::try_from(number)
            .ok()
            .filter(|schema| SCHEMAS.contains(schema) || *schema == CUSTOM_BUCKETS_SCHEMA)
            .ok_or(DecodeError::UnknownSchema(number))?;
        let positive_spans = read_spans(reader)?;
        let negative_spans = read_spans(reader)?;
        let buckets = bucket_count(&positive_spans) + bucket_count(&negative_spans);
        if buckets > reader.remaining_bits() {
            return Err(DecodeError::TooManyBuckets);
        }
        let custom_values = if schema == CUSTOM_BUCKETS_SCHEMA {
            read_bounds(reader)?
        } else {
            Arc::default()
        };
        Ok(Self {
            schema,
            zero_threshold,
            positive_spans,
            negative_spans,
            custom_values,
        })
    }
}

fn read_spans(reader: &mut BitReader<'_>) -> Result<Vec<BucketSpan>, DecodeError> {
    let count = varbit_uint(reader);
    // A span takes at least two bits.
    if count > reader.remaining_bits() / 2 {
        return Err(DecodeError::TooManyBuckets);
    }
    let mut spans = Vec::new();
    for _ in 0..count {
        let length = varbit_uint(reader);
        let offset = varbit_int(reader);
        spans.push(BucketSpan {
            offset: i32::try_from(offset).map_err(|_range| DecodeError::TooManyBuckets)?,
            length: u32::try_from(length).map_err(|_range| DecodeError::TooManyBuckets)?,
        });
    }
    check_indices(&spans)?;
    // Every sample gets a copy of the spans, so their number has to be bounded by the buckets.
    if spans.len() as u64 > 2 * bucket_count(&spans) + 64 {
        spans = without_empty_spans(&spans);
    }
    Ok(spans)
}

/// Fails unless the buckets' indices rise and fit 32 bits, as arithmetic on histograms expects.
fn check_indices(spans: &[BucketSpan]) -> Result<(), DecodeError> {
    let mut next = 0_i64;
    for (index, span) in spans.iter().enumerate() {
        next += i64::from(span.offset) + i64::from(span.length);
        if (index > 0 && span.offset < 0) || i32::try_from(next).is_err() {
            return Err(DecodeError::Inconsistent("bucket indices out of range"));
        }
    }
    Ok(())
}

fn read_bounds(reader: &mut BitReader<'_>) -> Result<Arc<[f64]>, DecodeError> {
    let count = varbit_uint(reader);
    // A bound takes at least five bits.
    if count > reader.remaining_bits() / 5 {
        return Err(DecodeError::TooManyBuckets);
    }
    Ok((0..count).map(|_| read_bound(reader)).collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number up to 33,554,430"
)]
fn put_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    let rounded = thousandths.round();
    let is_short = (0.0..=33_554_430.0).contains(&thousandths) && rounded / 1000.0 == bound;
    if is_short {
        put_varbit_uint(out, rounded as u64 + 1);
    } else {
        out.bit(false);
        out.bits(bound.to_bits(), 64);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "written numbers are far below 2^53, others are damage"
)]
fn read_bound(reader: &mut BitReader<'_>) -> f64 {
    match varbit_uint(reader) {
        0 => reader.f64(),
        thousandths => (thousandths - 1) as f64 / 1000.0,
    }
}

/// Zero threshold 2^(n - 244) has its exponent field at n + 779.
const EXPONENT_SHIFT: u64 = 779;

fn put_zero_threshold(out: &mut BitWriter, threshold: f64) {
    let bits = threshold.to_bits();
    let exponent = bits >> 52;
    let is_power = bits << 12 == 0;
    if threshold == 0.0 {
        out.byte(0);
    } else if is_power && (1 + EXPONENT_SHIFT..=254 + EXPONENT_SHIFT).contains(&exponent) {
        out.bits(exponent - EXPONENT_SHIFT, 8);
    } else {
        out.byte(255);
        out.bits(bits, 64);
    }
}

fn read_zero_threshold(reader: &mut BitReader<'_>) -> f64 {
    match reader.bits(8) {
        0 => 0.0,
        255 => reader.f64(),
        byte => f64::from_bits((byte + EXPONENT_SHIFT) << 52),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn threshold_bytes(threshold: f64) -> Vec<u8> {
        let mut out = BitWriter::default();
        put_zero_threshold(&mut out, threshold);
        out.into_bytes()
    }

    #[test]
    fn zero_thresholds_that_are_powers_of_two_take_one_byte() {
        assert_eq!(threshold_bytes(0.0), [0]);
        assert_eq!(threshold_bytes(-0.0), [0]);
        assert_eq!(threshold_bytes(2_f64.powi(-128)), [116]);
        assert_eq!(threshold_bytes(2_f64.powi(-243)), [1]);
        assert_eq!(threshold_bytes(2_f64.powi(10)), [254]);
        for long in [2_f64.powi(-244), 2_f64.powi(11), 0.3, -1.0, f64::NAN] {
            let bytes = threshold_bytes(long);
            assert_eq!((bytes.len(), bytes[0]), (9, 255), "{long}");
        }
    }

    #[test]
    fn bounds_in_thousandths_are_short() {
        let bits = |bound: f64| {
            let mut out = BitWriter::default();
            put_bound(&mut out, bound);
            out.into_bytes().len()
        };
        assert_eq!(bits(0.005), 1);
        assert_eq!(bits(33_554.430), 4);
        assert_eq!(bits(33_554.431), 9);
        assert_eq!(bits(0.0005), 9);
        assert_eq!(bits(-1.0), 9);
    }

    proptest! {
        #[test]
        fn thresholds_and_bounds_round_trip(bits: u64, short in 0_u32..40_000_000) {
            let mut out = BitWriter::default();
            let bounds = [f64::from_bits(bits), f64::from(short) / 1000.0];
            for value in bounds {
                put_zero_threshold(&mut out, value);
                put_bound(&mut out, value);
            }
            let mut reader = BitReader::new(out.as_bytes());
            for value in bounds {
                let threshold = read_zero_threshold(&mut reader);
                prop_assert!(threshold.to_bits() == value.to_bits() || value == 0.0);
                let bound = read_bound(&mut reader);
                prop_assert!(bound.to_bits() == value.to_bits() || value == 0.0);
            }
        }
    }
}
