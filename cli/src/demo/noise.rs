//! Randomness that is a function of its arguments.

/// Returns bits that depend on all three numbers (`SplitMix64` over their mixture).
pub(crate) fn bits(seed: u64, place: u64, time: u64) -> u64 {
    let mut state = seed
        .wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(time.wrapping_mul(0xD1B5_4A32_D192_ED03));
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// Returns a number in 0..1.
pub(crate) fn unit(seed: u64, place: u64, time: u64) -> f64 {
    (bits(seed, place, time) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns a number in -1..1 that changes smoothly and is new every `period_ms`.
pub(crate) fn smooth(seed: u64, place: u64, ts_ms: i64, period_ms: i64) -> f64 {
    let step = ts_ms.div_euclid(period_ms);
    let share = ts_ms.rem_euclid(period_ms) as f64 / period_ms as f64;
    let at = |step: i64| unit(seed, place, step as u64) * 2.0 - 1.0;
    let eased = share * share * (3.0 - 2.0 * share);
    at(step) * (1.0 - eased) + at(step + 1) * eased
}

/// Returns the share of a lognormal distribution that lies at or below `value`.
pub(crate) fn lognormal_share(value: f64, median: f64, spread: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let x = (value / median).ln() / spread;
    0.5 * (1.0 + error_function(x / std::f64::consts::SQRT_2))
}

/// The error function, to seven digits (Abramowitz and Stegun 7.1.26).
fn error_function(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let terms = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let polynomial = terms.iter().fold(0.0, |sum, term| (sum + term) * t);
    let value = 1.0 - polynomial * (-x * x).exp();
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_a_function_of_its_arguments_and_evenly_spread() {
        assert_eq!(bits(1, 2, 3), bits(1, 2, 3));
        assert_ne!(bits(1, 2, 3), bits(1, 3, 2));
        let mean = (0..10_000).map(|i| unit(7, 1, i)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }

    #[test]
    fn smooth_noise_has_no_jumps() {
        for ts_ms in (0..600_000).step_by(1_000) {
            let jump = smooth(1, 2, ts_ms + 1_000, 60_000) - smooth(1, 2, ts_ms, 60_000);
            assert!(jump.abs() < 0.06, "{ts_ms}: {jump}");
        }
    }

    #[test]
    fn half_of_a_lognormal_distribution_lies_below_its_median() {
        assert!((lognormal_share(0.2, 0.2, 0.6) - 0.5).abs() < 1e-6);
        assert!(lognormal_share(100.0, 0.2, 0.6) > 0.999_999);
        assert!(lognormal_share(0.2, 0.2, 0.6) < lognormal_share(0.3, 0.2, 0.6));
        assert_eq!(lognormal_share(0.0, 0.2, 0.6), 0.0);
    }
}
