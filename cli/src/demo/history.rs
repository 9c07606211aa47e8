//! A deployment of a process as samples to write.

use std::collections::BTreeMap;
use std::sync::Arc;

use obsq_model::{
    BucketSpan, Exemplar, HistogramValue, IntHistogram, Labels, Sample, SampleValue, stale_nan,
};
use obsq_source::SeriesBatch;

use crate::demo::TICK_MS;
use crate::demo::cell::{BOUNDS, Cell, SCHEMA, Sighting};
use crate::demo::family::Kind;
use crate::demo::process::{Place, Process};
use crate::demo::shop::{Metric, Way};
use crate::demo::world::World;

/// History is written in windows of this length.
pub(crate) const WINDOW_MS: i64 = 2 * 3_600_000;

/// Which part of history to make, all times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// The first time wanted.
    pub(crate) start: i64,
    /// The last time wanted.
    pub(crate) end: i64,
    /// From here on every second tick has a sample, before it every fourth.
    pub(crate) recent: i64,
    /// From here on samples have exemplars.
    pub(crate) exemplars: i64,
}

/// Samples of one process by start of their window.
pub(crate) type Windows = BTreeMap<i64, Vec<SeriesBatch>>;

/// Makes the samples of the process that was deployed at `deployed_ms`.
pub(crate) fn deployment(place: Place, deployed_ms: i64, world: World, extent: Extent) -> Windows {
    let mut process = Process::start(place, deployed_ms, world);
    let labels = all_labels(&process);
    let mut windows = Windows::new();
    let replaced_ms = place.replaced_ms(deployed_ms);
    while process.ts_ms + TICK_MS < replaced_ms && process.ts_ms + TICK_MS <= extent.end {
        process.tick();
        let ticks = if process.ts_ms >= extent.recent { 2 } else { 4 };
        if process.ts_ms < extent.start || process.ts_ms % (ticks * TICK_MS) != 0 {
            continue;
        }
        write(&process, &labels, &mut windows, extent);
    }
    if replaced_ms <= extent.end && replaced_ms >= extent.start {
        retire(&process, &labels, replaced_ms, &mut windows);
    }
    windows
}

fn window<'a>(windows: &'a mut Windows, ts_ms: i64, labels: &[Labels]) -> &'a mut [SeriesBatch] {
    let start = ts_ms.div_euclid(WINDOW_MS) * WINDOW_MS;
    windows.entry(start).or_insert_with(|| {
        let empty = |labels: &Labels| SeriesBatch {
            labels: labels.clone(),
            ..SeriesBatch::default()
        };
        labels.iter().map(empty).collect()
    })
}

fn write(process: &Process, labels: &[Labels], windows: &mut Windows, extent: Extent) {
    let ts_ms = process.ts_ms;
    let series = window(windows, ts_ms, labels);
    let mut at = 0;
    for metric in &process.metrics {
        let start_ts_ms = start_ts_ms(metric, process);
        for value in values(metric) {
            let sample = Sample {
                ts_ms,
                start_ts_ms,
                value,
            };
            series[at].samples.push(sample);
            at += 1;
        }
        if ts_ms >= extent.exemplars
            && let Some((back, exemplar)) = fresh_exemplar(metric, ts_ms)
        {
            series[at - back].exemplars.push(exemplar);
        }
    }
    for up in &mut series[at..] {
        up.samples.push(Sample::float(ts_ms, 1.0));
    }
}

/// OTLP says since when a counter counts; OpenMetrics could, but the shop's does not. History must
/// say the same as the live shop, else a counter would seem to begin anew where the two meet.
fn start_ts_ms(metric: &Metric, process: &Process) -> i64 {
    match (process.place.role.way, metric.family.kind) {
        (Way::Otlp, Kind::Counter | Kind::Histogram | Kind::Native) => process.deployed_ms,
        _ => 0,
    }
}

/// Ends the series that name the version: the next process has others.
fn retire(process: &Process, labels: &[Labels], ts_ms: i64, windows: &mut Windows) {
    let series = window(windows, ts_ms, labels);
    let version = process.version();
    for batch in series {
        if batch.labels.iter().any(|label| label.value == version) {
            batch.samples.push(Sample::float(ts_ms, stale_nan()));
        }
    }
}

/// Returns the labels of all series of a process, in the order of [`values`], and at the end the
/// series that the way in adds.
pub(crate) fn all_labels(process: &Process) -> Vec<Labels> {
    let mut all: Vec<Labels> = process
        .metrics
        .iter()
        .flat_map(|metric| metric_labels(metric, process))
        .collect();
    let job = process.place.role.service;
    let instance = process.place.instance();
    let own = [("job", job), ("instance", instance.as_str())];
    all.push(match process.place.role.way {
        Way::Scraped => Labels::from_pairs(&[own.as_slice(), &[("__name__", "up")]].concat()),
        Way::Otlp => {
            let version = process.version();
            let resource = [
                ("__name__", "target_info"),
                ("deployment_environment", "demo"),
                ("host_name", process.place.host()),
                ("service_version", version.as_str()),
            ];
            Labels::from_pairs(&[own.as_slice(), &resource].concat())
        }
    });
    all
}

fn metric_labels(metric: &Metric, process: &Process) -> Vec<Labels> {
    let instance = process.place.instance();
    let build = |suffix: &str, le: Option<String>| {
        let name = match metric.family.kind {
            Kind::Histogram => format!("{}{suffix}", metric.family.name),
            _ => metric.family.sample_name(),
        };
        let mut pairs = vec![
            ("__name__", name),
            ("job", process.place.role.service.to_owned()),
            ("instance", instance.clone()),
        ];
        pairs.extend(metric.labels.iter().cloned());
        pairs.extend(le.map(|le| ("le", le)));
        Labels::from_pairs(&pairs)
    };
    if metric.family.kind != Kind::Histogram {
        return vec![build("", None)];
    }
    let bounds = BOUNDS.iter().map(ToString::to_string);
    let bounds = bounds.chain(["+Inf".to_owned()]);
    let buckets = bounds.map(|le| build("_bucket", Some(le)));
    buckets
        .chain([build("_sum", None), build("_count", None)])
        .collect()
}

/// Returns the values of a metric's series: of a classic histogram the buckets, sum and count.
fn values(metric: &Metric) -> Vec<SampleValue> {
    match &metric.cell {
        Cell::Number(value) => vec![SampleValue::Float(*value)],
        Cell::Classic { counts, sum, .. } => {
            let mut total = 0;
            let mut values: Vec<SampleValue> = counts
                .iter()
                .map(|count| {
                    total += count;
                    SampleValue::Float(total as f64)
                })
                .collect();
            values.extend([SampleValue::Float(*sum), SampleValue::Float(total as f64)]);
            values
        }
        Cell::Native { counts, sum, .. } => {
            let histogram = HistogramValue::Int(native(counts, *sum));
            vec![SampleValue::Histogram(Arc::new(histogram))]
        }
    }
}

/// Returns the histogram as translation from OTLP makes it: one span over all buckets.
fn native(counts: &BTreeMap<i32, u64>, sum: f64) -> IntHistogram {
    let mut histogram = IntHistogram {
        schema: SCHEMA,
        zero_threshold: 1e-128,
        count: counts.values().sum(),
        sum,
        ..IntHistogram::default()
    };
    if let (Some((first, _)), Some((last, _))) = (counts.first_key_value(), counts.last_key_value())
    {
        histogram.positive_spans.push(BucketSpan {
            offset: *first,
            length: (last - first + 1) as u32,
        });
        let mut before = 0;
        for index in *first..=*last {
            let count = counts.get(&index).copied().unwrap_or(0) as i64;
            histogram.positive_deltas.push(count - before);
            before = count;
        }
    }
    histogram
}

/// Returns the exemplar seen since the last tick, and how far back from the end of the metric's
/// series the one lies that it belongs to.
fn fresh_exemplar(metric: &Metric, ts_ms: i64) -> Option<(usize, Exemplar)> {
    let (sighting, back) = match &metric.cell {
        Cell::Number(_) => return None,
        Cell::Classic { exemplar, .. } => {
            let sighting = (*exemplar)?;
            let bucket = BOUNDS.iter().position(|bound| sighting.value <= *bound);
            (sighting, BOUNDS.len() + 3 - bucket.unwrap_or(BOUNDS.len()))
        }
        Cell::Native { exemplar, .. } => ((*exemplar)?, 1),
    };
    (sighting.ts_ms == ts_ms).then(|| (back, as_exemplar(sighting)))
}

fn as_exemplar(sighting: Sighting) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs(&[("trace_id", trace_id(sighting.trace))]),
        value: sighting.value,
        ts_ms: sighting.ts_ms,
    }
}

/// Returns a trace's id of 32 hexadecimal digits.
pub(crate) fn trace_id(trace: u64) -> String {
    format!("{:016x}{trace:016x}", trace.rotate_left(17) ^ 0x5_0B5A)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: World = World { seed: 1 };
    const NOW: i64 = 1_795_172_400_000;

    fn extent(start_ms: i64) -> Extent {
        Extent {
            start: start_ms,
            end: NOW,
            recent: NOW - 86_400_000,
            exemplars: NOW - 3_600_000,
        }
    }

    fn place(service: &str) -> Place {
        let all = Place::all();
        all.into_iter()
            .find(|place| place.role.service == service)
            .unwrap()
    }

    #[test]
    fn counters_rise_within_a_deployment_and_samples_are_in_order() {
        let place = place("payments");
        let deployed = place.deployed_ms(NOW, WORLD);
        let windows = deployment(place, deployed, WORLD, extent(NOW - 86_400_000));
        let mut last: BTreeMap<String, (i64, f64)> = BTreeMap::new();
        for batch in windows.values().flatten() {
            for sample in &batch.samples {
                let SampleValue::Float(value) = sample.value else {
                    continue;
                };
                let name = batch.labels.to_string();
                let counter = name.contains("_total\"") || name.contains("_bucket\"");
                if let Some((ts_ms, before)) = last.insert(name.clone(), (sample.ts_ms, value)) {
                    assert!(sample.ts_ms > ts_ms, "{name}");
                    assert!(!counter || value >= before, "{name}");
                }
            }
        }
        assert!(last.len() > 40);
    }

    #[test]
    fn a_window_is_the_same_whatever_else_is_made() {
        let place = place("frontend");
        let deployed = place.deployed_ms(NOW, WORLD);
        let day = deployment(place, deployed, WORLD, extent(NOW - 86_400_000));
        let hours = deployment(place, deployed, WORLD, extent(NOW - 2 * WINDOW_MS));
        let (start, last) = hours.last_key_value().unwrap();
        for (a, b) in last.iter().zip(&day[start]) {
            assert_eq!((&a.labels, &a.samples), (&b.labels, &b.samples));
        }
    }

    #[test]
    fn exemplars_lie_in_the_bucket_that_holds_them() {
        let place = place("payments");
        let deployed = place.deployed_ms(NOW, WORLD);
        let windows = deployment(place, deployed, WORLD, extent(NOW - WINDOW_MS));
        let mut seen = 0;
        for batch in windows.values().flatten() {
            for exemplar in &batch.exemplars {
                seen += 1;
                let Some(le) = batch.labels.get("le") else {
                    assert_eq!(batch.labels.metric_name(), "payment_duration_seconds");
                    continue;
                };
                let bound = le.parse::<f64>().unwrap_or(f64::INFINITY);
                assert!(exemplar.value <= bound, "{exemplar:?} {le}");
            }
        }
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn a_replaced_process_ends_the_series_of_its_version() {
        let place = place("catalog");
        let deployed = place.deployed_ms(NOW - 86_400_000, WORLD);
        let windows = deployment(place, deployed, WORLD, extent(NOW - 2 * 86_400_000));
        let stale: Vec<&SeriesBatch> = windows
            .values()
            .flatten()
            .filter(|batch| batch.samples.iter().any(Sample::is_stale))
            .collect();
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].labels.metric_name(), "build_info");
    }
}
