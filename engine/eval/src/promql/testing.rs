//! A source in memory, and shorthand for queries, for the tests of this crate.

use std::sync::Arc;

use obsq_model::{
    FloatHistogram, Labels, ManualClock, Sample, SampleColumns, Tenant, TimeRange, stale_nan,
};
use obsq_query_lang::promql::parse_selector;
use obsq_source::{
    Error, ExemplarSeries, LabelRequest, MemoryBudget, MetricMetadataEntry, MetricSource,
    QueryContext, RawChunk, SelectRequest, SeriesSet,
};

use super::{
    Engine, EngineOptions, QueryError, QueryOutcome, QueryRequest, QueryValue, StatsLevel, Value,
};

/// Series in memory, sorted by labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestSource {
    series: Vec<(Labels, SampleColumns)>,
    warnings: Vec<String>,
}

impl TestSource {
    /// Returns the series written line by line: a selector and then one value per `step_ms` from
    /// time 0. `_` is no sample, `stale` marks the end, `1+2x3` stands for 1, 3, 5, 7, `h5` for a
    /// histogram with 5 observations in its zero bucket, `h5+2x3` for a run of those.
    pub(crate) fn load(step_ms: i64, text: &str) -> Self {
        let mut source = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let end = line
                .find('}')
                .map_or_else(|| line.find(' '), |at| Some(at + 1));
            let (selector, values) = line.split_at(end.unwrap_or(line.len()));
            let matchers = parse_selector(selector).unwrap();
            let pairs: Vec<_> = matchers.iter().map(|m| (&m.name, &m.value)).collect();
            let mut columns = SampleColumns::default();
            let items = values.split_whitespace().flat_map(expand);
            for (index, item) in items.enumerate() {
                push(&mut columns, index as i64 * step_ms, &item);
            }
            source.series.push((Labels::from_pairs(&pairs), columns));
        }
        source.series.sort_by(|a, b| a.0.cmp(&b.0));
        source
    }

    /// Adds a series.
    pub(crate) fn with(mut self, labels: Labels, columns: SampleColumns) -> Self {
        self.series.push((labels, columns));
        self.series.sort_by(|a, b| a.0.cmp(&b.0));
        self
    }

    /// Lets every selection come with a warning.
    pub(crate) fn warning(mut self, text: &str) -> Self {
        self.warnings.push(text.to_owned());
        self
    }

    /// Asks at one time, in ms.
    pub(crate) fn instant(&self, query: &str, time_ms: i64) -> Result<QueryOutcome, QueryError> {
        let (engine, tenant) = (engine(EngineOptions::default()), Tenant::anonymous());
        engine.instant(&request(query, &tenant), time_ms, self, &context())
    }

    /// Asks over a range, in ms.
    pub(crate) fn range(
        &self,
        query: &str,
        (start_ms, end_ms, step_ms): (i64, i64, i64),
    ) -> Result<QueryOutcome, QueryError> {
        let (engine, tenant) = (engine(EngineOptions::default()), Tenant::anonymous());
        let request = request(query, &tenant);
        engine.range(&request, start_ms, end_ms, step_ms, self, &context())
    }

    /// Asks at one time and returns the answer as text, one element per line.
    pub(crate) fn ask(&self, query: &str, time_ms: i64) -> String {
        match self.instant(query, time_ms) {
            Ok(outcome) => show(&outcome),
            Err(error) => format!("error: {error}"),
        }
    }
}

/// Returns an engine with one thread, unless the options say otherwise.
pub(crate) fn engine(mut options: EngineOptions) -> Engine {
    options.threads = options.threads.max(1);
    Engine::new(options).unwrap()
}

/// Returns the request of a query text.
pub(crate) fn request<'a>(text: &'a str, tenant: &'a Tenant) -> QueryRequest<'a> {
    QueryRequest {
        text,
        ast: None,
        tenant,
        lookback_ms: None,
        stats: StatsLevel::PerStep,
    }
}

/// Returns a context without limits that a test could reach.
pub(crate) fn context() -> QueryContext {
    let memory = MemoryBudget::new(1 << 30);
    QueryContext::new(Arc::new(ManualClock::default()), None, memory)
}

/// Returns an answer as text: elements or series, then warnings and infos.
pub(crate) fn show(outcome: &QueryOutcome) -> String {
    let mut lines = match &outcome.value {
        QueryValue::Scalar { value, .. } => vec![format!("scalar {value}")],
        QueryValue::String { value, .. } => vec![format!("string {value:?}")],
        QueryValue::Vector { samples, .. } => samples
            .iter()
            .map(|sample| format!("{} {}", sample.labels, show_value(&sample.value)))
            .collect(),
        QueryValue::Matrix(series) => series
            .iter()
            .map(|one| {
                let floats = one.floats.iter().map(|(at, value)| format!("{value}@{at}"));
                let histograms = one.histograms.iter();
                let histograms = histograms.map(|(at, value)| format!("{value}@{at}"));
                let points: Vec<String> = floats.chain(histograms).collect();
                format!("{} {}", one.labels, points.join(" "))
            })
            .collect(),
    };
    lines.extend(outcome.warnings.iter().chain(&outcome.infos).cloned());
    lines.join("\n")
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Float(value) => value.to_string(),
        Value::Histogram(histogram) => histogram.to_string(),
    }
}

/// Writes out `1+2x3` as its values.
fn expand(item: &str) -> Vec<String> {
    let Some((run, times)) = item.rsplit_once('x') else {
        return vec![item.to_owned()];
    };
    let times: i32 = times.parse().unwrap();
    let (kind, run) = run.strip_prefix('h').map_or(("", run), |run| ("h", run));
    let (first, by) = match run.split_once('+') {
        Some((first, by)) => (first.parse::<f64>().unwrap(), by.parse::<f64>().unwrap()),
        None => match run.parse::<f64>() {
            Ok(value) => (value, 0.0),
            Err(_) => return vec![run.to_owned(); times as usize],
        },
    };
    (0..=times)
        .map(|index| format!("{kind}{}", first + by * f64::from(index)))
        .collect()
}

fn push(columns: &mut SampleColumns, ts_ms: i64, item: &str) {
    if let Some(count) = item.strip_prefix('h') {
        let count: f64 = count.parse().unwrap();
        columns.histogram_ts.push(ts_ms);
        columns.histograms.push(Arc::new(FloatHistogram {
            count,
            zero_count: count,
            zero_threshold: 0.001,
            ..FloatHistogram::default()
        }));
        return;
    }
    let value = match item {
        "_" => return,
        "stale" => stale_nan(),
        number => number.parse().unwrap(),
    };
    columns.float_ts.push(ts_ms);
    columns.floats.push(value);
}

#[derive(Debug)]
struct TestSet {
    series: Vec<(Labels, SampleColumns)>,
    warnings: Vec<String>,
}

impl SeriesSet for TestSet {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.series[index].0
    }

    fn read(
        &self,
        index: usize,
        range: TimeRange,
        columns: &mut SampleColumns,
    ) -> Result<(), Error> {
        columns.clear();
        let all = &self.series[index].1;
        let cut = |times: &[i64]| {
            let start = times.partition_point(|time| *time < range.start_ms);
            start
                ..times
                    .partition_point(|time| *time <= range.end_ms)
                    .max(start)
        };
        let floats = cut(&all.float_ts);
        columns.float_ts.extend(&all.float_ts[floats.clone()]);
        columns.floats.extend(&all.floats[floats.clone()]);
        if !all.float_start_ts.is_empty() {
            columns.float_start_ts.extend(&all.float_start_ts[floats]);
        }
        let histograms = cut(&all.histogram_ts);
        let cut_out = all.histograms[histograms.clone()].iter().cloned();
        columns.histograms.extend(cut_out);
        columns.histogram_ts.extend(&all.histogram_ts[histograms]);
        Ok(())
    }

    fn read_exact(&self, _: usize, _: TimeRange, _: &mut Vec<Sample>) -> Result<(), Error> {
        Ok(())
    }

    fn chunks(&self, _: usize) -> Result<Vec<RawChunk>, Error> {
        Ok(Vec::new())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

impl MetricSource for TestSource {
    fn select(
        &self,
        _tenant: &Tenant,
        request: &SelectRequest,
        _context: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, Error> {
        let selected = self.series.iter().filter(|(labels, _)| {
            let mut matchers = request.matchers.iter();
            matchers.all(|matcher| matcher.matches(labels.value(matcher.name())))
        });
        Ok(Box::new(TestSet {
            series: selected.cloned().collect(),
            warnings: self.warnings.clone(),
        }))
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
