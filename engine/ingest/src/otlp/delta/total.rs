//! What is summed up: numbers and the two kinds of histogram.

/// Most buckets of one side of an exponential histogram; more are halved in number.
const MAX_BUCKETS: usize = 160;

/// A value that further data points are added to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::otlp) enum Total {
    Number(f64),
    Explicit(ExplicitTotal),
    Exponential(ExponentialTotal),
}

/// A histogram with explicit bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::otlp) struct ExplicitTotal {
    pub(in crate::otlp) count: u64,
    pub(in crate::otlp) sum: Option<f64>,
    pub(in crate::otlp) bounds: Vec<f64>,
    /// Counts of single buckets, one more than bounds, or none.
    pub(in crate::otlp) buckets: Vec<u64>,
}

/// A histogram with exponential buckets.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::otlp) struct ExponentialTotal {
    pub(in crate::otlp) scale: i32,
    pub(in crate::otlp) count: u64,
    pub(in crate::otlp) sum: f64,
    pub(in crate::otlp) zero_count: u64,
    pub(in crate::otlp) positive: DenseBuckets,
    pub(in crate::otlp) negative: DenseBuckets,
}

/// Consecutive buckets from an index on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::otlp) struct DenseBuckets {
    pub(in crate::otlp) offset: i32,
    pub(in crate::otlp) counts: Vec<u64>,
}

/// The two values are not of the same kind or have other bounds.
#[derive(Debug)]
pub(super) struct Incompatible;

impl Total {
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Incompatible> {
        match (self, other) {
            (Self::Number(total), Self::Number(value)) => *total += value,
            (Self::Explicit(total), Self::Explicit(value)) => return total.add(value),
            (Self::Exponential(total), Self::Exponential(value)) => total.add(value),
            _ => return Err(Incompatible),
        }
        Ok(())
    }
}

impl ExplicitTotal {
    fn add(&mut self, other: &Self) -> Result<(), Incompatible> {
        if self.bounds != other.bounds || self.buckets.len() != other.buckets.len() {
            return Err(Incompatible);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.zip(other.sum).map(|(a, b)| a + b);
        for (total, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *total = total.saturating_add(*count);
        }
        Ok(())
    }
}

impl ExponentialTotal {
    fn add(&mut self, other: &Self) {
        let mut other = other.clone();
        let scale = self.scale.min(other.scale);
        self.reduce_to(scale);
        other.reduce_to(scale);
        while self.positive.width_with(&other.positive) > MAX_BUCKETS
            || self.negative.width_with(&other.negative) > MAX_BUCKETS
        {
            let scale = self.scale - 1;
            self.reduce_to(scale);
            other.reduce_to(scale);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.zero_count = self.zero_count.saturating_add(other.zero_count);
        self.positive.add(&other.positive);
        self.negative.add(&other.negative);
    }

    /// Merges neighbouring buckets until the scale is `scale`, which must not be larger than it is.
    pub(in crate::otlp) fn reduce_to(&mut self, scale: i32) {
        let by = self.scale.saturating_sub(scale).clamp(0, 31) as u32;
        if by > 0 {
            self.positive.halve(by);
            self.negative.halve(by);
            self.scale = scale;
        }
    }
}

impl DenseBuckets {
    fn end(&self) -> i64 {
        i64::from(self.offset) + self.counts.len() as i64
    }

    /// Returns the number of buckets from the first to the last of both.
    fn width_with(&self, other: &Self) -> usize {
        match (self.counts.is_empty(), other.counts.is_empty()) {
            (true, _) => other.counts.len(),
            (_, true) => self.counts.len(),
            _ => {
                let first = i64::from(self.offset.min(other.offset));
                (self.end().max(other.end()) - first) as usize
            }
        }
    }

    fn add(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        let offset = self.offset.min(other.offset);
        let mut counts = vec![0_u64; self.width_with(other)];
        for buckets in [&*self, other] {
            let shift = (i64::from(buckets.offset) - i64::from(offset)) as usize;
            for (total, count) in counts.iter_mut().skip(shift).zip(&buckets.counts) {
                *total = total.saturating_add(*count);
            }
        }
        *self = Self { offset, counts };
    }

    /// Halves the resolution `by` times.
    fn halve(&mut self, by: u32) {
        let Some(last) = self.counts.len().checked_sub(1) else {
            return;
        };
        let index = |at: usize| (i64::from(self.offset) + at as i64) >> by;
        let first = index(0);
        let mut counts = vec![0_u64; (index(last) - first + 1) as usize];
        for (at, count) in self.counts.iter().enumerate() {
            let total = &mut counts[(index(at) - first) as usize];
            *total = total.saturating_add(*count);
        }
        self.offset = first as i32;
        self.counts = counts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dense(offset: i32, counts: &[u64]) -> DenseBuckets {
        DenseBuckets {
            offset,
            counts: counts.to_vec(),
        }
    }

    #[test]
    fn halving_merges_pairs_of_even_and_odd_indices() {
        let mut buckets = dense(-3, &[1, 2, 3, 4, 5]);
        buckets.halve(1);
        assert_eq!(buckets, dense(-2, &[1, 5, 9]));
        buckets.halve(2);
        assert_eq!(buckets, dense(-1, &[6, 9]));
    }

    #[test]
    fn sums_of_distant_buckets_lose_resolution_not_counts() {
        let mut total = ExponentialTotal {
            scale: 8,
            positive: dense(0, &[7]),
            ..ExponentialTotal::default()
        };
        total.add(&ExponentialTotal {
            scale: 10,
            positive: dense(100_000, &[1, 1]),
            ..ExponentialTotal::default()
        });
        assert!(total.positive.counts.len() <= MAX_BUCKETS && total.scale < 8);
        assert_eq!(total.positive.counts.iter().sum::<u64>(), 9);
    }

    #[test]
    fn other_bounds_cannot_be_added() {
        let explicit = |bounds: &[f64]| ExplicitTotal {
            bounds: bounds.to_vec(),
            buckets: vec![1; bounds.len() + 1],
            ..ExplicitTotal::default()
        };
        let mut total = explicit(&[1.0, 2.0]);
        assert!(total.add(&explicit(&[1.0, 2.5])).is_err());
        assert!(total.add(&explicit(&[1.0, 2.0])).is_ok());
        assert_eq!(total.buckets, [2, 2, 2]);
    }

    proptest! {
        #[test]
        fn halving_keeps_the_number_of_observations(
            offset: i32,
            counts in proptest::collection::vec(0_u64..100, 0..50),
            by in 1_u32..31,
        ) {
            let mut buckets = dense(offset, &counts);
            buckets.halve(by);
            prop_assert_eq!(buckets.counts.iter().sum::<u64>(), counts.iter().sum::<u64>());
        }
    }
}
