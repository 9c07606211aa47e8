//! Collecting and checking the labels of one series as they come from outside.

use obsq_model::{Labels, METRIC_NAME};

use crate::limits::IngestLimits;

/// Most labels of a refused series that are kept for the message.
const KEPT: usize = 8;

/// Labels of one series, borrowed from a request; used again for the next series.
#[derive(Debug, Default)]
pub(crate) struct LabelScratch<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    fault: Option<String>,
}

impl<'a> LabelScratch<'a> {
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
        self.fault = None;
    }

    /// Says whether no label was pushed and none was at fault.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.fault.is_none()
    }

    #[inline]
    pub(crate) fn push(&mut self, name: &'a str, value: &'a str) {
        self.pairs.push((name, value));
    }

    /// Takes a pair that may not be text; the fault comes out of [`Self::finish`].
    #[inline]
    pub(crate) fn push_bytes(&mut self, name: &'a [u8], value: &'a [u8]) {
        match (std::str::from_utf8(name), std::str::from_utf8(value)) {
            (Ok(name), Ok(value)) => self.push(name, value),
            (Ok(name), Err(_invalid)) => {
                self.fail(|| format!("value of label {name:?} is not valid UTF-8"));
            }
            (Err(_invalid), _) => self.fail(|| "label name is not valid UTF-8".to_owned()),
        }
    }

    /// Notes why the label set cannot be accepted; the first reason stays.
    pub(crate) fn fail(&mut self, reason: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(reason());
        }
    }

    /// Returns the label set of a series, sorted and without empty values, or why it is refused.
    pub(crate) fn finish(&mut self, limits: &IngestLimits) -> Result<Labels, String> {
        let labels = self.finish_nameless(limits)?;
        if labels.metric_name().is_empty() {
            return Err(format!("series has no label {METRIC_NAME:?}"));
        }
        Ok(labels)
    }

    /// Like [`Self::finish`] for label sets that need no metric name, such as those of exemplars.
    pub(crate) fn finish_nameless(&mut self, limits: &IngestLimits) -> Result<Labels, String> {
        if let Some(reason) = &self.fault {
            return Err(reason.clone());
        }
        check_sizes(&self.pairs, limits)?;
        if !self.pairs.is_sorted_by(|a, b| a.0 < b.0) {
            self.pairs.sort_unstable_by_key(|pair| pair.0);
            if let Some(twice) = self.pairs.windows(2).find(|w| w[0].0 == w[1].0) {
                return Err(format!("duplicate label {:?}", twice[0].0));
            }
        }
        // A length takes one byte, or two from 128 on.
        let sizes = self.pairs.iter().map(|(n, v)| n.len() + v.len() + 3);
        let present = self.pairs.iter().filter(|(_, value)| !value.is_empty());
        Ok(Labels::from_sorted_sized(sizes.sum(), present.copied()))
    }

    /// Returns some of the labels, to say which series was refused.
    pub(crate) fn excerpt(&self, limits: &IngestLimits) -> Labels {
        let fits = |(name, value): &&(&str, &str)| {
            name.len() <= limits.max_label_name_bytes && value.len() <= limits.max_label_value_bytes
        };
        let shown: Vec<_> = self.pairs.iter().filter(fits).take(KEPT).collect();
        let shown: Vec<_> = shown
            .into_iter()
            .filter(|(n, _)| !n.is_empty())
            .copied()
            .collect();
        Labels::from_pairs(&shown)
    }
}

fn check_sizes(pairs: &[(&str, &str)], limits: &IngestLimits) -> Result<(), String> {
    if pairs.len() > limits.max_label_names {
        let (actual, limit) = (pairs.len(), limits.max_label_names);
        return Err(format!("series has {actual} labels: the limit is {limit}"));
    }
    for (name, value) in pairs {
        let (actual, limit) = (name.len(), limits.max_label_name_bytes);
        if actual == 0 {
            return Err("label name is empty".to_owned());
        }
        if actual > limit {
            return Err(format!(
                "label name has {actual} bytes: the limit is {limit}"
            ));
        }
        let (actual, limit) = (value.len(), limits.max_label_value_bytes);
        if actual > limit {
            return Err(format!(
                "value of label {name:?} has {actual} bytes: the limit is {limit}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(pairs: &[(&str, &str)]) -> Result<String, String> {
        let mut scratch = LabelScratch::default();
        for (name, value) in pairs {
            scratch.push(name, value);
        }
        let limits = IngestLimits {
            max_label_names: 3,
            max_label_name_bytes: 8,
            max_label_value_bytes: 4,
            ..IngestLimits::default()
        };
        scratch.finish(&limits).map(|labels| labels.to_string())
    }

    #[test]
    fn labels_are_sorted_and_empty_values_left_out() {
        assert_eq!(
            finish(&[("b", "1"), ("__name__", "m"), ("a", "")]).unwrap(),
            r#"{__name__="m", b="1"}"#
        );
    }

    #[test]
    fn each_rule_has_its_words() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], r#"series has no label "__name__""#),
            (&[("__name__", "")], r#"series has no label "__name__""#),
            (&[("", "x")], "label name is empty"),
            (
                &[("a", "1"), ("b", "1"), ("a", "2")],
                r#"duplicate label "a""#,
            ),
            (&[("a", "1"), ("a", "")], r#"duplicate label "a""#),
            (
                &[("nine_long", "")],
                "label name has 9 bytes: the limit is 8",
            ),
            (
                &[("a", "fives")],
                r#"value of label "a" has 5 bytes: the limit is 4"#,
            ),
            (
                &[("a", ""), ("b", ""), ("c", ""), ("d", "")],
                "series has 4 labels: the limit is 3",
            ),
        ];
        for (pairs, expected) in cases {
            assert_eq!(finish(pairs).unwrap_err(), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut scratch = LabelScratch::default();
        scratch.push("__name__", "m");
        scratch.push_bytes(b"a", b"\xff");
        let limits = IngestLimits::default();
        assert_eq!(
            scratch.finish(&limits).unwrap_err(),
            r#"value of label "a" is not valid UTF-8"#
        );
        assert_eq!(scratch.excerpt(&limits).to_string(), r#"{__name__="m"}"#);
    }
}
