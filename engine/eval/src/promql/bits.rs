//! Sets of steps.

/// A set of the numbers below `len`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// Returns the empty set of numbers below `len`.
    pub(crate) fn zeros(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// Returns the set of all numbers below `len`.
    pub(crate) fn ones(len: usize) -> Self {
        let mut bits = Self::zeros(len);
        bits.set_range(0, len);
        bits
    }

    /// Says whether `index` is in the set; out of range is not.
    pub(crate) fn get(&self, index: usize) -> bool {
        self.words
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Adds `index`, which must be below `len`.
    pub(crate) fn set(&mut self, index: usize) {
        debug_assert!(index < self.len, "bit out of range");
        self.words[index / 64] |= 1 << (index % 64);
    }

    /// Adds all numbers from `start` to below `end`.
    pub(crate) fn set_range(&mut self, start: usize, end: usize) {
        let mut index = start;
        while index < end {
            let upto = end.min((index / 64 + 1) * 64);
            let width = upto - index;
            let ones = if width == 64 {
                u64::MAX
            } else {
                (1 << width) - 1
            };
            self.words[index / 64] |= ones << (index % 64);
            index = upto;
        }
    }

    /// Appends one number, in the set or not.
    pub(crate) fn push(&mut self, present: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        if present {
            self.set(self.len - 1);
        }
    }

    /// Returns the members in rising order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.wrapping_sub(1);
                (bit < 64).then_some(index * 64 + bit)
            })
        })
    }

    /// Returns the smallest number that is in both sets.
    pub(crate) fn first_common(&self, other: &Self) -> Option<usize> {
        let words = self.words.iter().zip(&other.words).enumerate();
        words
            .map(|(index, (a, b))| (index, a & b))
            .find(|(_, both)| *both != 0)
            .map(|(index, both)| index * 64 + both.trailing_zeros() as usize)
    }

    /// Adds the members of `other`, whose `len` must not be larger.
    pub(crate) fn union(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Says whether there is no member.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Returns the number of members.
    pub(crate) fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_behaves_like_a_list_of_flags(a in vec(any::<bool>(), 0..200), b in vec(any::<bool>(), 200)) {
            let build = |flags: &[bool]| {
                let mut bits = Bits::default();
                for flag in flags {
                    bits.push(*flag);
                }
                bits
            };
            let b = &b[..a.len()];
            let (left, right) = (build(&a), build(b));
            let ones: Vec<usize> = (0..a.len()).filter(|i| a[*i]).collect();
            prop_assert_eq!(left.iter().collect::<Vec<_>>(), ones.clone());
            prop_assert_eq!(left.count(), ones.len());
            prop_assert_eq!(left.first_common(&right), (0..a.len()).find(|i| a[*i] && b[*i]));
            let mut union = left;
            union.union(&right);
            for i in 0..a.len() {
                prop_assert_eq!(union.get(i), a[i] || b[i]);
            }
        }

        #[test]
        fn a_range_of_bits_is_set_without_its_neighbours(start in 0..150_usize, width in 0..150_usize) {
            let mut bits = Bits::zeros(300);
            bits.set_range(start, start + width);
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), (start..start + width).collect::<Vec<_>>());
        }
    }
}
