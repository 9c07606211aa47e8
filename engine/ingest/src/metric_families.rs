//! Metadata of metric families, each kept once per request.

use obsq_model::{MetricMetadata, MetricType};
use rustc_hash::FxHashMap;

use crate::limits::{Budget, Spent};

/// Metadata of a request by family; the last word on a family stays.
#[derive(Debug, Default)]
pub(crate) struct Families {
    entries: Vec<(String, MetricMetadata)>,
    places: FxHashMap<String, usize>,
}

impl Families {
    /// Notes what is known of `family`. Its memory is charged to `budget`.
    pub(crate) fn set(
        &mut self,
        family: &str,
        metric_type: MetricType,
        [help, unit]: [&str; 2],
        budget: &mut Budget,
    ) -> Result<(), Spent> {
        if let Some(place) = self.places.get(family) {
            let known = &mut self.entries[*place].1;
            if (known.metric_type, known.help.as_str(), known.unit.as_str())
                == (metric_type, help, unit)
            {
                return Ok(());
            }
            budget.charge(help.len() + unit.len())?;
            *known = metadata(metric_type, help, unit);
            return Ok(());
        }
        budget.charge(2 * family.len() + help.len() + unit.len() + 128)?;
        self.places.insert(family.to_owned(), self.entries.len());
        let entry = (family.to_owned(), metadata(metric_type, help, unit));
        self.entries.push(entry);
        Ok(())
    }

    pub(crate) fn into_entries(self) -> Vec<(String, MetricMetadata)> {
        self.entries
    }
}

fn metadata(metric_type: MetricType, help: &str, unit: &str) -> MetricMetadata {
    MetricMetadata {
        metric_type,
        unit: unit.to_owned(),
        help: help.to_owned(),
    }
}

/// Returns the type with that number; both versions count alike.
pub(crate) fn metric_type(number: u64) -> MetricType {
    match number {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Unknown,
    }
}

/// Returns the family that a series of that name and type belongs to: the name without the suffix
/// of the type's parts.
pub(crate) fn family_of(series_name: &str, metric_type: MetricType) -> &str {
    let suffixes: &[&str] = match metric_type {
        MetricType::Histogram => &["_bucket", "_count", "_sum"],
        MetricType::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
        MetricType::Summary => &["_count", "_sum"],
        _ => &[],
    };
    suffixes
        .iter()
        .find_map(|suffix| series_name.strip_suffix(suffix))
        .filter(|family| !family.is_empty())
        .unwrap_or(series_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_histogram_belong_to_its_family() {
        let cases = [
            ("a_bucket", MetricType::Histogram, "a"),
            ("a_count", MetricType::Summary, "a"),
            ("a_count", MetricType::Counter, "a_count"),
            ("a_gsum", MetricType::GaugeHistogram, "a"),
            ("_sum", MetricType::Histogram, "_sum"),
            ("a", MetricType::Histogram, "a"),
        ];
        for (name, metric_type, expected) in cases {
            assert_eq!(family_of(name, metric_type), expected);
        }
    }

    #[test]
    fn the_last_word_on_a_family_stays() {
        let mut families = Families::default();
        let mut budget = Budget::new(1000);
        for help in ["x", "x", "y"] {
            families
                .set("m", MetricType::Gauge, [help, ""], &mut budget)
                .unwrap();
        }
        let entries = families.into_entries();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].1.help, "y");
    }
}
