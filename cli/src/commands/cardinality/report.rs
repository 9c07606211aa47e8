//! What has the most series.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::console::Paint;
use crate::exit::Failure;
use crate::render::Sheet;

/// A name and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Count {
    name: String,
    #[serde(rename = "value")]
    count: usize,
}

/// Names by what they cost, the dearest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// All series.
    pub(super) series: usize,
    metrics: Vec<Count>,
    labels: Vec<Count>,
    pairs: Vec<Count>,
}

/// What a server tells about its head.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    head_stats: Option<HeadStats>,
    series_count_by_metric_name: Vec<Count>,
    label_value_count_by_label_name: Vec<Count>,
    series_count_by_label_value_pair: Vec<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadStats {
    num_series: usize,
}

impl Report {
    /// Reads what a server says.
    pub(super) fn of_status(data: &RawValue) -> Result<Self, Failure> {
        let status: Status = serde_json::from_str(data.get()).map_err(|error| {
            Failure::failed("cannot understand the status of the store").because(&error)
        })?;
        Ok(Self {
            series: status.head_stats.map_or(0, |stats| stats.num_series),
            metrics: status.series_count_by_metric_name,
            labels: status.label_value_count_by_label_name,
            pairs: status.series_count_by_label_value_pair,
        })
    }

    /// Counts series.
    pub(super) fn of_series(sets: &[BTreeMap<String, String>]) -> Self {
        let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (name, value) in sets.iter().flatten() {
            if name == "__name__" {
                *metrics.entry(value).or_default() += 1;
            }
            values.entry(name).or_default().insert(value);
            *pairs.entry((name, value)).or_default() += 1;
        }
        let values = values.into_iter().map(|(name, all)| (name, all.len()));
        let pairs = pairs
            .into_iter()
            .map(|((name, value), count)| (format!("{name}={value}"), count));
        Self {
            series: sets.len(),
            metrics: ranked(metrics.into_iter()),
            labels: ranked(values),
            pairs: ranked(pairs),
        }
    }

    /// Returns the kinds with what each counts.
    fn kinds(&self) -> [(&'static str, &'static str, &[Count]); 3] {
        [
            ("metric", "series", &self.metrics),
            ("label", "values", &self.labels),
            ("pair", "series", &self.pairs),
        ]
    }

    /// Returns one row for each of the `top` names of every kind.
    pub(super) fn sheet(&self, top: usize) -> Sheet {
        let mut sheet = Sheet::new(&["kind", "name", "count", "of"]);
        for (kind, of, counts) in self.kinds() {
            let row = |one: &Count| {
                vec![
                    kind.into(),
                    one.name.clone(),
                    one.count.to_string(),
                    of.into(),
                ]
            };
            sheet.rows.extend(counts.iter().take(top).map(row));
        }
        sheet
    }

    /// Returns a table for each kind.
    pub(super) fn text(&self, top: usize, paint: Paint) -> String {
        let mut out = format!("{} series\n", self.series).into_bytes();
        let titles = ["metric name", "label name", "label pair"];
        for (title, (_kind, of, counts)) in titles.iter().zip(self.kinds()) {
            let mut sheet = Sheet::new(&[of, title]);
            let row = |one: &Count| vec![one.count.to_string(), one.name.clone()];
            sheet.rows.extend(counts.iter().take(top).map(row));
            if !sheet.rows.is_empty() {
                out.push(b'\n');
            }
            // Writing into memory does not fail.
            drop(sheet.table(&mut out, paint));
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Returns everything as one object.
    pub(super) fn json(&self, top: usize) -> serde_json::Value {
        let list = |counts: &[Count]| -> serde_json::Value {
            let one = |count: &Count| json!({ "name": count.name, "count": count.count });
            counts.iter().take(top).map(one).collect()
        };
        json!({
            "series": self.series,
            "seriesByMetric": list(&self.metrics),
            "valuesByLabel": list(&self.labels),
            "seriesByPair": list(&self.pairs),
        })
    }
}

/// Sorts by count, the largest first, then by name.
fn ranked(counts: impl Iterator<Item = (impl Into<String>, usize)>) -> Vec<Count> {
    let mut ranked: Vec<Count> = counts
        .map(|(name, count)| Count {
            name: name.into(),
            count,
        })
        .collect();
    ranked.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets() -> Vec<BTreeMap<String, String>> {
        let set = |pairs: &[(&str, &str)]| {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(own).collect()
        };
        vec![
            set(&[("__name__", "up"), ("job", "a")]),
            set(&[("__name__", "up"), ("job", "b")]),
            set(&[("__name__", "load"), ("job", "a"), ("cpu", "1")]),
        ]
    }

    #[test]
    fn the_dearest_come_first_and_ties_go_by_name() {
        let report = Report::of_series(&sets());
        assert_eq!(report.series, 3);
        let rows: Vec<String> = report
            .sheet(2)
            .rows
            .iter()
            .map(|row| row.join(" "))
            .collect();
        let expected = [
            "metric up 2 series",
            "metric load 1 series",
            "label __name__ 2 values",
            "label job 2 values",
            "pair __name__=up 2 series",
            "pair job=a 2 series",
        ];
        assert_eq!(rows, expected);
        assert_eq!(report.json(1)["valuesByLabel"][0]["count"], 2);
    }

    #[test]
    fn a_server_tells_of_its_head() {
        let text = r#"{"headStats":{"numSeries":7,"chunkCount":9},"seriesCountByMetricName":[{"name":"up","value":5}],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[{"name":"job=a","value":4}]}"#;
        let data: Box<RawValue> = serde_json::from_str(text).unwrap();
        let report = Report::of_status(&data).unwrap();
        assert_eq!((report.series, report.metrics[0].count), (7, 5));
        assert!(
            report
                .text(10, Paint(false))
                .starts_with("7 series\n\nseries  metric name\n")
        );
    }
}
