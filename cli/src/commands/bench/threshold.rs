//! `--fail-above` and `--fail-below`: limits that make a benchmark a check.

use std::collections::BTreeMap;

use crate::exit::Failure;

/// What a measure of the first server must not be above, or not below.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Threshold {
    pub(super) measure: String,
    pub(super) limit: f64,
    pub(super) side: Side,
}

/// The side of the limit that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

/// Measures of a write.
pub(super) const OF_WRITE: [&str; 5] = ["rate", "p50", "p99", "cpu", "peak"];
/// Measures of a query.
pub(super) const OF_QUERY: [&str; 4] = ["first", "p50", "p95", "cpu"];

/// Numbers by measure: times in milliseconds, `write.rate` in samples a second, `write.cpu` in
/// seconds for a million samples, `write.peak` in MiB.
pub(super) type Measures = BTreeMap<String, f64>;

impl Threshold {
    /// Reads `MEASURE=VALUE`. The measure is of what runs: `write.p99`, `M02.p95` or `query.p95`,
    /// the largest of all queries.
    pub(super) fn parse(
        text: &str,
        side: Side,
        writes: bool,
        queries: &[String],
    ) -> Result<Self, Failure> {
        let wrong =
            |hint: String| Err(Failure::usage(format!("`{text}` is not a threshold")).hint(hint));
        let Some((measure, value)) = text.split_once('=') else {
            return wrong("write `M02.p95=50ms` or `write.rate=100000`".to_owned());
        };
        let Some(limit) = value_of(value) else {
            return wrong(format!(
                "`{value}` is no number and no time: `50ms`, `1.5s`, `100000`"
            ));
        };
        let (of, what) = measure.split_once('.').unwrap_or((measure, ""));
        let is_of_query = of == "query" || queries.iter().any(|id| id == of);
        let known: &[&str] = match of {
            "write" if writes => &OF_WRITE,
            _ if is_of_query && !queries.is_empty() => &OF_QUERY,
            _ => {
                return wrong(format!("nothing that runs is called `{of}`"));
            }
        };
        if !known.contains(&what) {
            return wrong(format!("`{of}` has `{}`", known.join("`, `")));
        }
        Ok(Self {
            measure: measure.to_owned(),
            limit,
            side,
        })
    }

    /// Returns why the measure fails, if it does. What could not be measured fails.
    pub(super) fn violation(&self, measures: &Measures) -> Option<String> {
        let name = &self.measure;
        let Some(value) = measures.get(name).copied() else {
            return Some(format!("{name} could not be measured"));
        };
        let (limit, fails, side) = match self.side {
            Side::Above => (self.limit, value > self.limit, "above"),
            Side::Below => (self.limit, value < self.limit, "below"),
        };
        fails.then(|| format!("{name} is {value:.3}, {side} {limit}"))
    }
}

/// Returns a number, times in milliseconds.
fn value_of(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let unit = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1.0));
    let value: f64 = number.trim().parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Threshold, Failure> {
        Threshold::parse(text, Side::Above, true, &["M02".to_owned()])
    }

    #[test]
    fn times_have_units_and_other_numbers_do_not() {
        let limit = |text: &str| parse(text).unwrap().limit;
        assert_eq!(limit("M02.p95=50ms"), 50.0);
        assert_eq!(limit("M02.first=1.5s"), 1500.0);
        assert_eq!(limit("query.cpu=250us"), 0.25);
        assert_eq!(limit("write.rate=100000"), 100_000.0);
    }

    #[test]
    fn what_nobody_measures_is_refused() {
        for text in [
            "M02.p95",
            "M03.p95=1",
            "M02.p94=1",
            "M02=1",
            "write.p95=1",
            "M02.p95=x",
            "M02.p95=-1",
            "write.rate=inf",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(Threshold::parse("write.rate=1", Side::Below, false, &[]).is_err());
        assert!(Threshold::parse("query.p95=1", Side::Above, true, &[]).is_err());
    }

    #[test]
    fn the_limit_itself_passes_and_what_was_not_measured_fails() {
        let measures = Measures::from([("M02.p95".to_owned(), 50.0)]);
        let violation = |limit, side| {
            let measure = "M02.p95".to_owned();
            Threshold {
                measure,
                limit,
                side,
            }
            .violation(&measures)
        };
        assert_eq!(violation(50.0, Side::Above), None);
        assert_eq!(violation(50.0, Side::Below), None);
        assert!(violation(49.9, Side::Above).is_some());
        assert!(violation(50.1, Side::Below).is_some());
        let missing = parse("write.cpu=1").unwrap();
        assert!(missing.violation(&measures).is_some());
    }
}
