//! `info`: labels of info series that describe the same target.
//!
//! Source of the meaning: Prometheus 3.x, `promql/info.go`. Info series are matched by `instance`
//! and `job`; among several of one metric the one with the latest sample counts.

mod enrich;

use obsq_model::{LabelPattern, METRIC_NAME, MatchOp, Matcher, SampleColumns, TimeRange};
use obsq_source::SelectRequest;
use std::sync::Arc;

use self::enrich::{Enrichment, InfoSeries};
use crate::promql::error::{InfoError, QueryError};
use crate::promql::eval::Evaluation;
use crate::promql::output::{Output, SeriesList};
use crate::promql::plan::{InfoSelector, Node, NodeId};

/// The labels that info series are matched by.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

impl Evaluation<'_> {
    pub(in crate::promql::eval) fn info(
        &mut self,
        node: &Node,
        inner: NodeId,
        info: &InfoSelector,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let list = self.take_vector(inner)?;
        let (names, data): (Vec<Matcher>, Vec<Matcher>) = info
            .matchers
            .iter()
            .cloned()
            .partition(|matcher| matcher.name() == METRIC_NAME);
        let names = with_positive_name(names);
        let is_info = |name: &str| names.iter().all(|matcher| matcher.matches(name));
        let ignored: Vec<bool> = list
            .series
            .iter()
            .map(|one| is_info(one.labels.metric_name()))
            .collect();
        let infos = self.info_series(node, &list, &ignored, &names, &data, info)?;
        let gathered = list.counts_by_step(grid.steps);
        let samples = list.samples;
        let enrichment = Enrichment {
            grid,
            data: &data,
            infos: &infos,
        };
        let series = enrichment.apply(&list, &ignored)?;
        self.finish(node, samples, &gathered, series, false)
    }

    /// Returns the info series that any of the series may be enriched with.
    fn info_series(
        &mut self,
        node: &Node,
        list: &SeriesList,
        ignored: &[bool],
        names: &[Matcher],
        data: &[Matcher],
        info: &InfoSelector,
    ) -> Result<Vec<InfoSeries>, QueryError> {
        let (grid, frame) = (self.plan.grid(node), node.frame);
        let mut matchers: Vec<Matcher> = names.iter().chain(data).cloned().collect();
        let mut identified = false;
        for label in IDENTIFYING {
            let enriched = list.series.iter().zip(ignored);
            let mut values: Vec<String> = enriched
                .filter(|(_, ignored)| !**ignored)
                .map(|(one, _)| one.labels.value(label).to_owned())
                .filter(|value| !value.is_empty())
                .collect();
            values.sort_unstable();
            values.dedup();
            if !values.is_empty() {
                identified = true;
                matchers.push(one_of(label, values));
            }
        }
        if !identified {
            return Ok(Vec::new());
        }
        let end_of = |time_ms: i64| {
            let reference = info.at_ms.unwrap_or(time_ms);
            reference.saturating_sub(info.offset_ms)
        };
        let lookback_ms = self.lookback_ms;
        let start_ms = end_of(grid.start_ms).saturating_sub(lookback_ms - 1);
        let range = TimeRange::new(start_ms, end_of(grid.last_ms()));
        let request = SelectRequest { range, matchers };
        let set = self.source.select(self.tenant, &request, self.context)?;
        let (mut infos, mut held) = (Vec::new(), 0);
        let mut columns = SampleColumns::default();
        for index in 0..set.len() {
            self.context.check()?;
            set.read(index, range, &mut columns)?;
            let labels = set.labels(index).clone();
            if !columns.histograms.is_empty() {
                return Err(QueryError::Info(InfoError::Histogram(labels)));
            }
            let one = InfoSeries::new(labels, &columns, grid, end_of, lookback_ms);
            let mut samples = 0;
            for step in one.steps() {
                self.meter.frame(frame).add(step, 1, 1);
                samples += 1;
            }
            held += samples;
            self.meter.hold(samples)?;
            infos.push(one);
        }
        for warning in set.warnings() {
            self.notes.add_source_warning(warning);
        }
        self.meter.release(held);
        Ok(infos)
    }
}

/// Returns the matchers of the metric's name, of which at least one says what the name is.
fn with_positive_name(names: Vec<Matcher>) -> Vec<Matcher> {
    let positive = |matcher: &Matcher| !matcher.op().is_negative();
    if names.iter().any(positive) {
        return names;
    }
    if names.is_empty() {
        return vec![Matcher::equal(METRIC_NAME, "target_info")];
    }
    let suffix: Arc<dyn LabelPattern> = Arc::new(InfoSuffix);
    let mut with_positive = vec![Matcher::regex(METRIC_NAME, ".+_info", false, suffix)];
    with_positive.extend(names);
    with_positive
}

/// Any text before `_info`.
#[derive(Debug)]
struct InfoSuffix;

impl LabelPattern for InfoSuffix {
    fn is_match(&self, value: &str) -> bool {
        value.len() > "_info".len() && value.ends_with("_info")
    }

    fn literals(&self) -> Option<&[String]> {
        None
    }

    fn prefix(&self) -> &'static str {
        ""
    }
}

/// One of some texts.
#[derive(Debug)]
struct OneOf(Vec<String>);

impl LabelPattern for OneOf {
    fn is_match(&self, value: &str) -> bool {
        let found = self.0.binary_search_by(|known| known.as_str().cmp(value));
        found.is_ok()
    }

    fn literals(&self) -> Option<&[String]> {
        Some(&self.0)
    }

    fn prefix(&self) -> &'static str {
        ""
    }
}

/// Returns the matcher for one of `values`, which are sorted.
fn one_of(label: &str, values: Vec<String>) -> Matcher {
    if let [value] = &values[..] {
        return Matcher::equal(label, value);
    }
    let text = values.join("|");
    let matcher = Matcher::regex(label, &text, false, Arc::new(OneOf(values)));
    debug_assert_eq!(matcher.op(), MatchOp::Regex);
    matcher
}
