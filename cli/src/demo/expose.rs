//! A process as OpenMetrics text, for scraping.

use std::fmt::Write as _;

use crate::demo::cell::{BOUNDS, Cell, Sighting};
use crate::demo::family::{Family, Kind};
use crate::demo::history::trace_id;
use crate::demo::process::Process;
use crate::demo::shop::Metric;

/// Content type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns the text. Native histograms have no place in it.
pub(crate) fn openmetrics(process: &Process) -> String {
    let mut text = String::new();
    let mut done: Vec<&'static str> = Vec::new();
    for metric in &process.metrics {
        let family = metric.family;
        if done.contains(&family.name) || family.kind == Kind::Native {
            continue;
        }
        done.push(family.name);
        head(&mut text, family);
        for one in process.metrics.iter().filter(|one| one.family == family) {
            samples(&mut text, one);
        }
    }
    text.push_str("# EOF\n");
    text
}

fn head(text: &mut String, family: &Family) {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram | Kind::Native => "histogram",
    };
    let name = family.name;
    put(
        text,
        format_args!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help),
    );
    if !family.unit.is_empty() {
        put(text, format_args!("# UNIT {name} {}\n", family.unit));
    }
}

fn samples(text: &mut String, metric: &Metric) {
    let pairs: Vec<String> = metric
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    let labels = pairs.join(",");
    match &metric.cell {
        Cell::Number(value) => {
            put(
                text,
                format_args!("{}{{{labels}}} {value}\n", metric.family.sample_name()),
            );
        }
        Cell::Classic {
            counts,
            sum,
            exemplar,
        } => {
            let name = metric.family.name;
            let bounds = BOUNDS
                .iter()
                .map(ToString::to_string)
                .chain(["+Inf".to_owned()]);
            let mut total = 0;
            let mut exemplar = *exemplar;
            for (count, le) in counts.iter().zip(bounds) {
                total += count;
                let bound = le.parse().unwrap_or(f64::INFINITY);
                let here = exemplar.take_if(|seen| seen.value <= bound);
                let tail = here.map(exemplar_text).unwrap_or_default();
                put(
                    text,
                    format_args!("{name}_bucket{{{labels},le=\"{le}\"}} {total}{tail}\n"),
                );
            }
            put(text, format_args!("{name}_sum{{{labels}}} {sum}\n"));
            put(text, format_args!("{name}_count{{{labels}}} {total}\n"));
        }
        Cell::Native { .. } => {}
    }
}

fn exemplar_text(seen: Sighting) -> String {
    let (id, seconds) = (trace_id(seen.trace), seen.ts_ms as f64 / 1e3);
    format!(" # {{trace_id=\"{id}\"}} {} {seconds}", seen.value)
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _infallible = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::history::all_labels;
    use crate::demo::process::Place;
    use crate::demo::shop::Way;
    use crate::demo::world::World;
    use obsq_ingest::exposition::{Format, ParseOptions, parse};
    use std::collections::BTreeSet;

    /// What is scraped and what history holds must be the same series.
    #[test]
    fn the_text_is_openmetrics_and_has_the_series_of_history() {
        for place in Place::all() {
            if place.role.way != Way::Scraped {
                continue;
            }
            let process = Process::at(place, 1_795_172_400_000, World { seed: 1 });
            let text = openmetrics(&process);
            let parsed = parse(text.as_bytes(), ParseOptions::new(Format::OpenMetrics)).unwrap();
            let scraped: BTreeSet<String> = parsed
                .samples
                .iter()
                .map(|sample| {
                    let mut builder = sample.labels.to_builder();
                    builder
                        .set("job", place.role.service)
                        .set("instance", &place.instance());
                    builder.build().to_string()
                })
                .collect();
            let history: BTreeSet<String> = all_labels(&process)
                .iter()
                .filter(|labels| labels.metric_name() != "up")
                .map(ToString::to_string)
                .collect();
            assert_eq!(scraped, history, "{}", place.instance());
        }
    }
}
