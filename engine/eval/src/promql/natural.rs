//! The order of `sort_by_label`: runs of digits compare as numbers.
//!
//! This is no strict order: of two texts that begin alike the one that ends comes first, equal
//! texts come before each other, and the empty text before none. Answers show it, so it is kept.
//! Source of the meaning: facette/natsort of 2018, which Prometheus 3.x uses.

/// Says whether `a` comes before `b`.
pub(crate) fn natural_less(a: &str, b: &str) -> bool {
    let (mut left, mut right) = (Chunks(a), Chunks(b));
    while let Some(x) = left.next() {
        let Some(y) = right.next() else {
            return false;
        };
        let numbers = (number(x), number(y));
        let (equal, less) = match numbers {
            (Some(x), Some(y)) => (x == y, x < y),
            _ => (x == y, x < y),
        };
        if !equal {
            return less;
        }
        if left.0.is_empty() {
            return true;
        }
        if right.0.is_empty() {
            return false;
        }
    }
    false
}

/// Returns the number that a run of digits stands for, when it fits 64 bits.
fn number(chunk: &str) -> Option<i64> {
    let digits = chunk.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| chunk.parse().ok()).flatten()
}

/// The rest of a text, given out in runs of digits and of anything else.
struct Chunks<'a>(&'a str);

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let is_digit = |character: char| character.is_ascii_digit();
        let first = self.0.chars().next().map(is_digit)?;
        let end = self.0.find(|character| is_digit(character) != first);
        let (chunk, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_compare_as_numbers() {
        for (less, more) in [("a2", "a10"), ("2", "10"), ("a2b3", "a2b20"), ("a", "ab1")] {
            assert!(natural_less(less, more), "{less} < {more}");
            assert!(!natural_less(more, less), "{more} > {less}");
        }
    }

    #[test]
    fn what_is_no_order_stays_as_it_is() {
        assert!(natural_less("1", "1"));
        assert!(natural_less("01", "1") && natural_less("1", "01"));
        assert!(!natural_less("", "a") && !natural_less("a", ""));
        let large = "99999999999999999999";
        assert!(!natural_less(large, "1"));
        assert!(natural_less("1", large));
    }
}
