//! Where buckets begin and end.

use super::bounds_table::FRACTIONS;
use super::{CUSTOM_BUCKETS_SCHEMA, MAX_SCHEMA, MIN_SCHEMA};

/// Says whether `schema` has exponential buckets that can be computed with.
pub fn is_exponential_schema(schema: i32) -> bool {
    (MIN_SCHEMA..=MAX_SCHEMA).contains(&schema)
}

/// Says whether two lists of custom bounds are the same.
pub(super) fn custom_bounds_match(a: &[f64], b: &[f64]) -> bool {
    a == b
}

/// Returns the upper bound of bucket `index`, which is the lower bound of the next one.
///
/// With custom bounds, the bucket before the first reaches down to -Inf and the last one up to
/// +Inf; an index beyond is taken for the nearest of these.
pub(super) fn upper_bound(index: i32, schema: i32, custom_values: &[f64]) -> f64 {
    if schema != CUSTOM_BUCKETS_SCHEMA {
        return exponential_upper_bound(index, schema);
    }
    match usize::try_from(index) {
        Ok(index) => custom_values.get(index).copied().unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    }
}

/// Returns the upper bound of bucket `index` of an exponential schema.
///
/// The bucket that would end at 2^1024 ends at the largest float, so that the next one holds
/// nothing but infinity.
pub(super) fn exponential_upper_bound(index: i32, schema: i32) -> f64 {
    let schema = schema.clamp(MIN_SCHEMA, MAX_SCHEMA);
    let (fraction, exponent) = if schema <= 0 {
        (0.5, (i64::from(index) << -schema) + 1)
    } else {
        let within = (index & ((1 << schema) - 1)) as usize;
        let stride = FRACTIONS.len() >> schema;
        (FRACTIONS[within * stride], i64::from(index >> schema) + 1)
    };
    if fraction == 0.5 && exponent == 1025 {
        return f64::MAX;
    }
    scale(fraction, exponent)
}

/// Returns `fraction * 2^exponent`, rounded once.
fn scale(fraction: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-2000, 2000) as i32;
    let half = exponent / 2;
    fraction * power_of_two(half) * power_of_two(exponent - half)
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// Returns the bucket that holds bucket `index` once the schema is lowered by `steps`.
pub(super) fn coarser_index(index: i32, steps: u32) -> i32 {
    // Wrapping keeps nonsense indices from overflowing; they stay nonsense.
    (index.wrapping_sub(1) >> steps.min(31)).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_low_and_high_schemas() {
        let cases = [
            (0, 0, 1.0),
            (1, 0, 2.0),
            (-3, 0, 0.125),
            (1, -2, 16.0),
            (-1, -2, 0.0625),
            (1, 1, std::f64::consts::SQRT_2 - f64::EPSILON),
            (2, 1, 2.0),
            (256, 8, 2.0),
            (1024, 0, f64::MAX),
            (1025, 0, f64::INFINITY),
            (64, -4, f64::MAX),
            (65, -4, f64::INFINITY),
            (1024 * 256, 8, f64::MAX),
            (-1074, 0, 5e-324),
            (-1075, 0, 0.0),
            (i32::MAX, 8, f64::INFINITY),
            (i32::MIN, -4, 0.0),
        ];
        for (index, schema, bound) in cases {
            assert_eq!(
                exponential_upper_bound(index, schema),
                bound,
                "bucket {index} of schema {schema}"
            );
        }
    }

    #[test]
    fn each_schema_halves_the_buckets_of_the_one_below() {
        for schema in MIN_SCHEMA..MAX_SCHEMA {
            for index in -40..40 {
                assert_eq!(
                    exponential_upper_bound(index, schema),
                    exponential_upper_bound(index * 2, schema + 1)
                );
                assert_eq!(coarser_index(index * 2, 1), index);
                assert_eq!(coarser_index(index * 2 - 1, 1), index);
            }
        }
    }

    #[test]
    fn the_table_follows_its_rule() {
        for schema in 1..=8 {
            let stride = 256 >> schema;
            let factor = FRACTIONS[stride] * 2.0;
            for odd in (stride..256).step_by(2 * stride) {
                assert_eq!(FRACTIONS[odd], FRACTIONS[odd - stride] * factor);
            }
        }
    }

    #[test]
    fn custom_bounds_end_in_infinities() {
        let bounds = [1.0, 5.0];
        let at = |index| upper_bound(index, CUSTOM_BUCKETS_SCHEMA, &bounds);
        assert_eq!([at(-1), at(0), at(1)], [f64::NEG_INFINITY, 1.0, 5.0]);
        assert_eq!([at(2), at(9)], [f64::INFINITY; 2]);
    }
}
