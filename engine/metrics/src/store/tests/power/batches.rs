//! What the script writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use obsq_model::{
    BucketSpan, Exemplar, FloatHistogram, HistogramValue, IntHistogram, Labels, Matcher,
    MetricMetadata, MetricType, Sample, SampleValue, TimeRange, stale_nan,
};
use obsq_source::{MetricBatch, SeriesBatch};
use obsq_wal::SimRng;

/// Who writes.
pub(super) const TENANTS: [&str; 3] = ["anonymous", "a", "b"];
/// Series of a tenant: floats, then integer histograms, then float histograms.
const SERIES: u64 = 9;

/// What one tenant sends at once.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) tenant: &'static str,
    pub(super) batch: MetricBatch,
}

pub(super) fn labels(series: u64) -> Labels {
    let number = series.to_string();
    Labels::from_pairs(&[
        ("__name__", "m"),
        ("job", "torture"),
        ("n", number.as_str()),
    ])
}

/// What is deleted at once.
#[derive(Debug, Clone)]
pub(super) struct Deleted {
    pub(super) tenant: &'static str,
    /// One series, or all.
    pub(super) series: Option<u64>,
    pub(super) range: TimeRange,
}

impl Deleted {
    /// Returns some hours of the last day of one series or all, or all there is.
    pub(super) fn next(now_ms: i64, rng: &mut SimRng) -> Self {
        const HOUR_MS: u64 = 3_600_000;
        let tenant = TENANTS[rng.below(TENANTS.len() as u64) as usize];
        if rng.one_in(6) {
            let range = TimeRange::ALL;
            return Self {
                tenant,
                series: None,
                range,
            };
        }
        let start_ms = now_ms - rng.below(24 * HOUR_MS) as i64;
        Self {
            tenant,
            series: (!rng.one_in(4)).then(|| rng.below(SERIES)),
            range: TimeRange::new(start_ms, start_ms + rng.below(4 * HOUR_MS) as i64),
        }
    }

    /// Returns what selects the series.
    pub(super) fn matchers(&self) -> Vec<Matcher> {
        match self.series {
            Some(series) => vec![Matcher::equal("n", &series.to_string())],
            None => vec![Matcher::equal("job", "torture")],
        }
    }

    /// Says whether the series is concerned.
    pub(super) fn concerns(&self, series: &Labels) -> bool {
        self.series.is_none_or(|number| labels(number) == *series)
    }
}

/// Makes batches, most of them a little ahead of those before.
#[derive(Debug)]
pub(super) struct Batches {
    sent: Vec<Sent>,
    /// Behind the newest sample of each series.
    ends: BTreeMap<(&'static str, u64), i64>,
    unique: u64,
}

impl Batches {
    pub(super) fn new() -> Self {
        Self {
            sent: Vec::new(),
            ends: BTreeMap::new(),
            unique: 0,
        }
    }

    /// Returns the next batch by the time `now_ms`: new samples, some of them late, or ones that were
    /// sent before, as they were or with other values.
    pub(super) fn next(&mut self, now_ms: i64, rng: &mut SimRng) -> Sent {
        let again = rng.below(12);
        if again < 2 && !self.sent.is_empty() {
            let which = rng.below(self.sent.len() as u64) as usize;
            let mut sent = self.sent[which].clone();
            if again == 0 {
                self.change_values(&mut sent, rng);
            }
            return sent;
        }
        let tenant = TENANTS[rng.below(TENANTS.len() as u64) as usize];
        let numbers: BTreeSet<u64> = (0..=rng.below(4)).map(|_nth| rng.below(SERIES)).collect();
        let series = numbers.into_iter();
        let mut batch = MetricBatch {
            series: series
                .map(|number| self.series((tenant, number), now_ms, rng))
                .collect(),
            metadata: Vec::new(),
        };
        if rng.one_in(15) {
            batch.metadata.push(metadata(rng));
        }
        let sent = Sent { tenant, batch };
        if self.sent.len() < 64 {
            self.sent.push(sent.clone());
        } else {
            self.sent[rng.below(64) as usize] = sent.clone();
        }
        sent
    }

    fn change_values(&mut self, sent: &mut Sent, rng: &mut SimRng) {
        for series in &mut sent.batch.series {
            series.samples.truncate(2);
            for sample in &mut series.samples {
                let number = if matches!(sample.value, SampleValue::Float(_)) {
                    0
                } else {
                    7
                };
                sample.value = self.value(number, rng);
            }
        }
    }

    fn series(
        &mut self,
        (tenant, number): (&'static str, u64),
        now_ms: i64,
        rng: &mut SimRng,
    ) -> SeriesBatch {
        const MINUTE_MS: i64 = 60_000;
        let ago = |minutes: i64, rng: &mut SimRng| rng.below((minutes * MINUTE_MS) as u64) as i64;
        let end_ms = self.ends.entry((tenant, number)).or_insert(now_ms);
        *end_ms = (*end_ms).max(now_ms - 10 * MINUTE_MS);
        let first_ms = match rng.below(20) {
            0 => now_ms - ago(60 * 24 * 60, rng),
            1 => now_ms - ago(20 * 60, rng),
            2 | 3 => now_ms - ago(30, rng),
            _ => *end_ms,
        };
        let count = if rng.one_in(40) {
            150
        } else {
            1 + rng.below(8) as i64
        };
        let room_ms = (now_ms + 9 * MINUTE_MS - first_ms).max(0);
        let step_ms = (1 + rng.below(20_000) as i64).min(room_ms / count).max(1);
        *end_ms = (*end_ms).max(first_ms + count * step_ms);
        let started = rng.one_in(6);
        let samples = (0..count).map(|nth| Sample {
            ts_ms: first_ms + nth * step_ms,
            start_ts_ms: if started { first_ms - 1000 } else { 0 },
            value: self.value(number, rng),
        });
        let samples = samples.collect();
        let exemplar = |rng: &mut SimRng| Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "x")]),
            value: rng.below(1000) as f64,
            ts_ms: first_ms,
        };
        let exemplars = rng.one_in(25).then(|| exemplar(rng));
        SeriesBatch {
            labels: labels(number),
            samples,
            exemplars: exemplars.into_iter().collect(),
        }
    }

    /// Returns a value that no other sample has, most times.
    fn value(&mut self, series: u64, rng: &mut SimRng) -> SampleValue {
        self.unique += 1;
        let count = self.unique;
        match series {
            0..=5 if rng.one_in(40) => SampleValue::Float(stale_nan()),
            0..=5 => SampleValue::Float(count as f64 / 4.0),
            6 | 7 => SampleValue::Histogram(Arc::new(HistogramValue::Int(IntHistogram {
                count: count * 3,
                sum: count as f64,
                positive_spans: spans(),
                positive_deltas: vec![count as i64, count as i64],
                ..IntHistogram::default()
            }))),
            _ => SampleValue::Histogram(Arc::new(HistogramValue::Float(FloatHistogram {
                count: count as f64 * 3.0,
                sum: count as f64,
                positive_spans: spans(),
                positive_buckets: vec![count as f64, count as f64 * 2.0],
                ..FloatHistogram::default()
            }))),
        }
    }
}

fn spans() -> Vec<BucketSpan> {
    vec![BucketSpan {
        offset: 0,
        length: 2,
    }]
}

fn metadata(rng: &mut SimRng) -> (String, MetricMetadata) {
    let help = format!("help {}", rng.below(4));
    let metadata = MetricMetadata {
        metric_type: MetricType::Gauge,
        unit: "s".into(),
        help,
    };
    (format!("m{}", rng.below(3)), metadata)
}
