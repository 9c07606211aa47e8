//! Results of queries as rows, lines and charts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use jiff::tz::TimeZone;

use crate::api::{Point, QueryAnswer, SeriesAnswer};
use crate::chart::Line;
use crate::render::Sheet;
use crate::times::{format_seconds, format_time};

/// Returns a result as rows: labels and the value, with the time where there is more than one. With
/// `short` histograms go without their buckets.
pub(crate) fn query_sheet(answer: &QueryAnswer<'_>, zone: &TimeZone, short: bool) -> Sheet {
    match answer {
        QueryAnswer::Scalar(point) | QueryAnswer::Text(point) => {
            let mut sheet = Sheet::new(&["value"]);
            sheet.rows.push(vec![point.value.to_string()]);
            sheet
        }
        QueryAnswer::Vector(series) => series_sheet(series, None, short),
        QueryAnswer::Matrix(series) => series_sheet(series, Some(zone), short),
    }
}

fn series_sheet(series: &[SeriesAnswer<'_>], zone: Option<&TimeZone>, short: bool) -> Sheet {
    let names: BTreeSet<&str> = series
        .iter()
        .flat_map(|series| series.labels.keys().map(String::as_str))
        .collect();
    let mut columns: Vec<String> = Vec::new();
    if zone.is_some() {
        columns.push(own_column("time", &names));
    }
    columns.extend(names.iter().map(|name| (*name).to_owned()));
    columns.push(own_column("value", &names));
    let mut sheet = Sheet {
        columns,
        rows: Vec::new(),
    };
    for one in series {
        let label = |name: &&str| one.labels.get(*name).cloned().unwrap_or_default();
        let labels: Vec<String> = names.iter().map(label).collect();
        for point in &one.points {
            let time = zone.map(|zone| format_time(point.ts_ms, zone));
            let value = if short {
                point.value.short()
            } else {
                point.value.to_string()
            };
            let row = time
                .into_iter()
                .chain(labels.iter().cloned())
                .chain([value]);
            sheet.rows.push(row.collect());
        }
    }
    sheet
}

/// Returns the name of a column of ours; a label of the same name keeps it.
fn own_column(name: &str, labels: &BTreeSet<&str>) -> String {
    if labels.contains(name) {
        format!("_{name}")
    } else {
        name.to_owned()
    }
}

/// Writes each series as the JSON object that it came as.
pub(crate) fn query_jsonl(answer: &QueryAnswer<'_>, out: &mut dyn Write) -> io::Result<()> {
    match answer {
        QueryAnswer::Scalar(point) | QueryAnswer::Text(point) => {
            let value = serde_json::Value::from(point.value.to_string());
            let seconds = format_seconds(point.ts_ms);
            writeln!(out, "{{\"value\":[{seconds},{value}]}}")
        }
        QueryAnswer::Vector(series) | QueryAnswer::Matrix(series) => {
            for one in series {
                writeln!(out, "{}", one.raw.get())?;
            }
            Ok(())
        }
    }
}

/// Writes values alone, one per line.
pub(crate) fn query_raw(answer: &QueryAnswer<'_>, out: &mut dyn Write) -> io::Result<()> {
    match answer {
        QueryAnswer::Scalar(point) | QueryAnswer::Text(point) => writeln!(out, "{}", point.value),
        QueryAnswer::Vector(series) | QueryAnswer::Matrix(series) => {
            for point in series.iter().flat_map(|one| &one.points) {
                writeln!(out, "{}", point.value)?;
            }
            Ok(())
        }
    }
}

/// Writes what promtool prints, for scripts that read it.
pub(crate) fn query_promql(answer: &QueryAnswer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let at = |point: &Point| format_seconds(point.ts_ms);
    match answer {
        QueryAnswer::Scalar(point) => writeln!(out, "scalar: {} @[{}]", point.value, at(point)),
        QueryAnswer::Text(point) => writeln!(out, "{}", point.value),
        QueryAnswer::Vector(series) => {
            for one in series {
                let name = labels_text(&one.labels);
                for point in &one.points {
                    writeln!(out, "{name} => {} @[{}]", point.value, at(point))?;
                }
            }
            Ok(())
        }
        QueryAnswer::Matrix(series) => {
            for one in series {
                writeln!(out, "{} =>", labels_text(&one.labels))?;
                for point in &one.points {
                    writeln!(out, "{} @[{}]", point.value, at(point))?;
                }
            }
            Ok(())
        }
    }
}

/// Returns a label set as it is written in PromQL: `up{job="a"}`.
pub(crate) fn labels_text(labels: &BTreeMap<String, String>) -> String {
    let name = labels
        .get("__name__")
        .map(String::as_str)
        .unwrap_or_default();
    let plain = is_plain(name, true);
    let pairs: Vec<String> = labels
        .iter()
        .filter(|(label, _)| *label != "__name__" || !plain)
        .map(|(label, value)| match label.as_str() {
            "__name__" if !name.is_empty() => format!("{value:?}"),
            label if is_plain(label, false) => format!("{label}={value:?}"),
            label => format!("{label:?}={value:?}"),
        })
        .collect();
    match (plain, pairs.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{name}{{{}}}", pairs.join(", ")),
        (false, _) => format!("{{{}}}", pairs.join(", ")),
    }
}

/// Says whether a name needs no quotes; `colons` for the name of a metric.
pub(crate) fn is_plain(name: &str, colons: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colons && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Returns the floats of a result as lines of a chart, and how many points are histograms, which
/// a line cannot show.
pub(crate) fn chart_lines(answer: &QueryAnswer<'_>) -> (Vec<Line>, usize) {
    let mut histograms = 0;
    let mut line = |name: String, points: &[Point]| {
        let mut floats = Vec::with_capacity(points.len());
        for point in points {
            match point.value {
                crate::api::Value::Text(_) => floats.push((point.ts_ms, point.value.float())),
                crate::api::Value::Histogram(_) => histograms += 1,
            }
        }
        Line {
            name,
            points: floats,
        }
    };
    let lines = match answer {
        QueryAnswer::Scalar(point) | QueryAnswer::Text(point) => {
            vec![line("scalar".into(), std::slice::from_ref(point))]
        }
        QueryAnswer::Vector(series) | QueryAnswer::Matrix(series) => series
            .iter()
            .map(|one| line(labels_text(&one.labels), &one.points))
            .collect(),
    };
    (lines, histograms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Answer, Reply};

    const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","value":"x"},"values":[[1,"1"],[2,"0.5"]]},{"metric":{"a b":"c\"d"},"values":[[1,"NaN"]],"histograms":[[2,{"count":"1","sum":"2"}]]}]}}"#;
    const SCALAR: &str =
        r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"42"]}}"#;

    fn with<T>(body: &str, work: impl FnOnce(&QueryAnswer<'_>) -> T) -> T {
        let reply = Reply {
            status: 200,
            body: body.as_bytes().to_vec(),
            written: None,
        };
        let answer = Answer::read(&reply, "test").unwrap();
        work(&answer.query().unwrap())
    }

    fn text(
        body: &str,
        write: impl Fn(&QueryAnswer<'_>, &mut dyn Write) -> io::Result<()>,
    ) -> String {
        let mut out = Vec::new();
        with(body, |answer| write(answer, &mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_label_keeps_its_name_and_our_column_gives_way() {
        let sheet = with(MATRIX, |answer| query_sheet(answer, &TimeZone::UTC, true));
        assert_eq!(
            sheet.columns,
            ["time", "__name__", "a b", "value", "_value"]
        );
        assert_eq!(
            sheet.rows[1],
            ["1970-01-01T00:00:02Z", "up", "", "x", "0.5"]
        );
        assert_eq!(sheet.rows.len(), 4);
    }

    #[test]
    fn json_lines_are_the_elements_as_they_came() {
        let lines = text(MATRIX, query_jsonl);
        assert!(lines.starts_with(r#"{"metric":{"__name__":"up","value":"x"},"values":[[1,"1"]"#));
        assert_eq!(lines.lines().count(), 2);
        assert_eq!(text(SCALAR, query_jsonl), "{\"value\":[1.5,\"42\"]}\n");
    }

    #[test]
    fn raw_is_values_alone() {
        assert_eq!(text(SCALAR, query_raw), "42\n");
        assert_eq!(text(MATRIX, query_raw), "1\n0.5\nNaN\n{count:1, sum:2}\n");
    }

    #[test]
    fn the_promtool_form_is_that_of_promtool() {
        assert_eq!(text(SCALAR, query_promql), "scalar: 42 @[1.5]\n");
        let lines = text(MATRIX, query_promql);
        assert!(
            lines.starts_with("up{value=\"x\"} =>\n1 @[1]\n0.5 @[2]\n{\"a b\"=\"c\\\"d\"} =>\n")
        );
    }

    #[test]
    fn label_sets_are_written_as_selectors() {
        let set = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            labels_text(&owned.collect())
        };
        assert_eq!(set(&[]), "{}");
        assert_eq!(set(&[("__name__", "a:b")]), "a:b");
        assert_eq!(set(&[("__name__", "a.b"), ("c", "d")]), r#"{"a.b", c="d"}"#);
    }

    #[test]
    fn histograms_are_counted_not_drawn() {
        let (lines, histograms) = with(MATRIX, chart_lines);
        assert_eq!(
            (lines[0].points.len(), lines[1].points.len(), histograms),
            (2, 1, 1)
        );
    }
}
