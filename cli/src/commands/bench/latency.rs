//! How long requests took, in little memory.

use std::time::Duration;

/// Parts of each power of two: what is told is at most 1/64 too much.
const PARTS: usize = 64;

/// Counts of durations in buckets that grow with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    counts: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Latencies {
    pub(super) fn add(&mut self, took: Duration) {
        let bucket = bucket(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(took);
    }

    pub(super) fn max(&self) -> Duration {
        self.max
    }

    /// Returns the duration that a share of all stay at or below; zero without any.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let rank = ((share * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper(bucket)).min(self.max);
            }
        }
        self.max
    }
}

/// Returns the bucket of a number of microseconds.
fn bucket(micros: u64) -> usize {
    let power = (64 - micros.leading_zeros() as usize).saturating_sub(7);
    power * PARTS + (micros >> power) as usize
}

/// Returns the largest number of microseconds in a bucket.
fn upper(bucket: usize) -> u64 {
    let power = (bucket / PARTS).saturating_sub(1);
    let first = (bucket - power * PARTS) as u64;
    (first << power) + ((1 << power) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_everything_without_gap_and_are_narrow() {
        let mut last = 0;
        for micros in (0..5_000).chain((5_000..10_000_000).step_by(997)) {
            let bucket = bucket(micros);
            assert!(bucket >= last, "{micros}");
            last = bucket;
            let upper = upper(bucket);
            assert!(upper >= micros, "{micros} {upper}");
            assert!(
                (upper - micros) as f64 <= micros as f64 / 64.0,
                "{micros} {upper}"
            );
        }
        assert!(bucket(u64::MAX) < 64 * PARTS);
    }

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut all = Latencies::default();
        assert_eq!(all.quantile(0.5), Duration::ZERO);
        for ms in 1..=100 {
            all.add(Duration::from_millis(ms));
        }
        let ms = |share| all.quantile(share).as_secs_f64() * 1e3;
        assert!((50.0..51.0).contains(&ms(0.5)), "{}", ms(0.5));
        assert!((99.0..=100.0).contains(&ms(0.99)), "{}", ms(0.99));
        assert_eq!(all.quantile(1.0), all.max());
    }
}
