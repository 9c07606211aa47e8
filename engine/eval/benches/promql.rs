//! Whole queries over series in memory: what the engine itself costs.
//!
//! `wide` is many series with few samples, as a dashboard sees a fleet; `long` is few series with
//! many samples, as a graph over hours sees them.

use std::sync::{Arc, LazyLock};

use divan::Bencher;
use obsq_eval::promql::{Engine, EngineOptions, QueryOutcome, QueryRequest, StatsLevel};
use obsq_model::{Labels, Sample, SampleColumns, SystemClock, Tenant, TimeRange};
use obsq_source::{
    Error, ExemplarSeries, LabelRequest, MemoryBudget, MetricMetadataEntry, MetricSource,
    QueryContext, RawChunk, SelectRequest, SeriesSet,
};

fn main() {
    divan::main();
}

/// Distance of samples.
const SCRAPE_MS: i64 = 15_000;

type Shared = Arc<Vec<(Labels, SampleColumns)>>;

#[derive(Debug)]
struct Source(Shared);

impl Source {
    /// Counters `m{group, instance}` with a reset now and then.
    fn counters(series: usize, samples: usize) -> Self {
        let make = |index: usize| {
            let (group, instance) = (format!("g{}", index % 20), format!("i{index:06}"));
            let pairs = [
                ("__name__", "m_total"),
                ("group", group.as_str()),
                ("instance", instance.as_str()),
            ];
            let mut columns = SampleColumns::default();
            let mut value = 0.0;
            for sample in 0..samples {
                value += ((sample * 7 + index) % 13) as f64;
                if (sample + index) % 997 == 996 {
                    value = 0.0;
                }
                columns.float_ts.push(sample as i64 * SCRAPE_MS);
                columns.floats.push(value);
            }
            (Labels::from_pairs(&pairs), columns)
        };
        let mut all: Vec<_> = (0..series).map(make).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Self(Arc::new(all))
    }
}

#[derive(Debug)]
struct Set(Shared, Vec<usize>);

impl SeriesSet for Set {
    fn len(&self) -> usize {
        self.1.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[self.1[index]].0
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut SampleColumns) -> Result<(), Error> {
        out.clear();
        let all = &self.0[self.1[index]].1;
        let start = all.float_ts.partition_point(|time| *time < range.start_ms);
        let end = all.float_ts.partition_point(|time| *time <= range.end_ms);
        out.float_ts.extend_from_slice(&all.float_ts[start..end]);
        out.floats.extend_from_slice(&all.floats[start..end]);
        Ok(())
    }

    fn read_exact(&self, _: usize, _: TimeRange, _: &mut Vec<Sample>) -> Result<(), Error> {
        Ok(())
    }

    fn chunks(&self, _: usize) -> Result<Vec<RawChunk>, Error> {
        Ok(Vec::new())
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl MetricSource for Source {
    fn select(
        &self,
        _: &Tenant,
        request: &SelectRequest,
        _: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, Error> {
        let matches = |index: &usize| {
            let labels = &self.0[*index].0;
            let mut matchers = request.matchers.iter();
            matchers.all(|matcher| matcher.matches(labels.value(matcher.name())))
        };
        let selected = (0..self.0.len()).filter(matches).collect();
        Ok(Box::new(Set(Arc::clone(&self.0), selected)))
    }

    fn label_names(
        &self,
        _: &Tenant,
        _: &LabelRequest,
        _: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn label_values(
        &self,
        _: &Tenant,
        _: &str,
        _: &LabelRequest,
        _: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn series(&self, _: &Tenant, _: &LabelRequest, _: &QueryContext) -> Result<Vec<Labels>, Error> {
        Ok(Vec::new())
    }

    fn exemplars(
        &self,
        _: &Tenant,
        _: &LabelRequest,
        _: &QueryContext,
    ) -> Result<Vec<ExemplarSeries>, Error> {
        Ok(Vec::new())
    }

    fn metadata(&self, _: &Tenant, _: Option<&str>) -> Result<Vec<MetricMetadataEntry>, Error> {
        Ok(Vec::new())
    }
}

static WIDE: LazyLock<Source> = LazyLock::new(|| Source::counters(10_000, 40));
static WIDEST: LazyLock<Source> = LazyLock::new(|| Source::counters(100_000, 1));
static LONG: LazyLock<Source> = LazyLock::new(|| Source::counters(100, 1_440));

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let options = EngineOptions {
        threads: 1,
        ..EngineOptions::default()
    };
    Engine::new(options).expect("the threads of a bench start")
});

fn run(source: &Source, query: &str, range: Option<(i64, i64, i64)>) -> QueryOutcome {
    let tenant = Tenant::anonymous();
    let request = QueryRequest {
        text: query,
        ast: None,
        tenant: &tenant,
        lookback_ms: None,
        stats: StatsLevel::Totals,
    };
    let clock = Arc::new(SystemClock::default());
    let context = QueryContext::new(clock, None, MemoryBudget::new(4 << 30));
    let outcome = match range {
        Some((start, end, step)) => ENGINE.range(&request, start, end, step, source, &context),
        None => ENGINE.instant(&request, 0, source, &context),
    };
    outcome.expect("the query of a bench is answered")
}

/// The last five minutes of the wide series, in steps of 15 s.
const FIVE_MINUTES: (i64, i64, i64) = (300_000, 585_000, 15_000);
/// Six hours of the long series, in steps of 15 s.
const SIX_HOURS: (i64, i64, i64) = (0, 21_600_000, 15_000);

#[divan::bench(args = [
    "sum by (group) (rate(m_total[5m]))",
    "sum(m_total)",
    "m_total",
    "topk(10, rate(m_total[5m]))",
    "m_total * on (instance) m_total",
    "m_total / on (group) group_left sum by (group) (m_total)",
    "quantile by (group) (0.9, m_total)",
    "m_total > 100",
])]
fn wide(bencher: Bencher<'_, '_>, query: &str) {
    LazyLock::force(&WIDE);
    bencher.bench(|| run(&WIDE, query, Some(FIVE_MINUTES)));
}

#[divan::bench(args = [
    "count(m_total)",
    "count by (instance) (m_total)",
    "m_total",
    "topk(10, m_total)",
    "label_replace(m_total, \"x\", \"$1\", \"instance\", \"i(.*)\")",
    "{instance=~\"i0000.*\"}",
])]
fn instant(bencher: Bencher<'_, '_>, query: &str) {
    LazyLock::force(&WIDEST);
    bencher.bench(|| run(&WIDEST, query, None));
}

#[divan::bench(args = [
    "sum by (group) (rate(m_total[5m]))",
    "rate(m_total[5m])",
    "avg_over_time(m_total[30m])",
    "quantile_over_time(0.9, m_total[30m])",
    "max_over_time(m_total[1h])",
    "max_over_time(sum by (group) (rate(m_total[5m]))[30m:1m])",
    "deriv(m_total[30m])",
    "m_total + m_total * 2 > 5",
])]
fn long(bencher: Bencher<'_, '_>, query: &str) {
    LazyLock::force(&LONG);
    bencher.bench(|| run(&LONG, query, Some(SIX_HOURS)));
}
