//! Reading without a store: blocks wherever they lie, and samples in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use obsq_model::{Labels, Matcher, Sample, Tenant, TimeRange};
use obsq_source::{
    Error as SourceError, ExemplarSeries, LabelRequest, MetricBatch, MetricMetadataEntry,
    MetricSource, QueryContext, SelectRequest, SeriesSet,
};
use obsq_wal::DiskVfs;

use crate::Error;
use crate::block::{Block, BlockCache};
use crate::prometheus_log::PrometheusLog;
use crate::selected::{Rank, SelectedChunk, SelectedSeries, Selection, Source};
use crate::store::from_block;

/// Bytes of index that reading may keep in memory.
const CACHE_BYTES: u64 = 64 << 20;

/// Blocks and loose samples as a source. Nothing is written, locked or changed, so the blocks may
/// be those of a running Prometheus. It knows one tenant, whatever the name.
///
/// Where samples of several parts have the same time, the first block's stays, in the order of
/// [`BlockSet::add_block`], then that of the log, and loose samples come last.
#[derive(Debug)]
pub struct BlockSet {
    cache: Arc<BlockCache>,
    blocks: Vec<Arc<Block>>,
    samples: BTreeMap<Labels, Arc<[Sample]>>,
    exemplars: Vec<ExemplarSeries>,
    metadata: Vec<MetricMetadataEntry>,
    log: Option<Arc<PrometheusLog>>,
}

impl Default for BlockSet {
    fn default() -> Self {
        Self {
            cache: Arc::new(BlockCache::new(CACHE_BYTES)),
            blocks: Vec::new(),
            samples: BTreeMap::new(),
            exemplars: Vec::new(),
            metadata: Vec::new(),
            log: None,
        }
    }
}

impl BlockSet {
    /// Adds the block in `directory`.
    pub fn add_block(&mut self, directory: &Path) -> Result<(), Error> {
        let vfs: Arc<dyn obsq_wal::Vfs> = Arc::new(DiskVfs);
        let block = Block::open(&vfs, directory, &self.cache)?;
        self.blocks.push(Arc::new(block));
        Ok(())
    }

    /// Adds samples in any order; of two with the same time the first one stays.
    pub fn add_samples(&mut self, batch: MetricBatch) {
        let mut all: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
        for (labels, samples) in std::mem::take(&mut self.samples) {
            all.insert(labels, samples.to_vec());
        }
        for series in batch.series {
            let samples = all.entry(series.labels.clone()).or_default();
            samples.extend(series.samples);
            if !series.exemplars.is_empty() {
                self.exemplars.push(ExemplarSeries {
                    labels: series.labels,
                    exemplars: series.exemplars,
                });
            }
        }
        all.retain(|_, samples| !samples.is_empty());
        self.samples = all
            .into_iter()
            .map(|(labels, mut samples)| {
                samples.sort_by_key(|sample| sample.ts_ms);
                samples.dedup_by_key(|sample| sample.ts_ms);
                (labels, Arc::from(samples))
            })
            .collect();
        let entries = batch
            .metadata
            .into_iter()
            .map(|(metric, metadata)| MetricMetadataEntry { metric, metadata });
        self.metadata.extend(entries);
        self.metadata.sort_by(|a, b| a.metric.cmp(&b.metric));
        self.metadata.dedup();
        self.exemplars.sort_by(|a, b| a.labels.cmp(&b.labels));
    }

    /// Adds what the log of a Prometheus data directory holds, instead of one added before.
    pub fn set_log(&mut self, log: Arc<PrometheusLog>) {
        self.log = Some(log);
    }

    /// Returns the blocks, in the order they were added.
    pub fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// Returns the first and last time that there may be samples for; `None` when there are none.
    pub fn range(&self) -> Option<TimeRange> {
        let blocks = self.blocks.iter().map(|block| block.range());
        let loose = self.samples.values().filter_map(|samples| {
            Some(TimeRange::new(
                samples.first()?.ts_ms,
                samples.last()?.ts_ms,
            ))
        });
        blocks
            .chain(loose)
            .chain(self.log.iter().filter_map(|log| log.range()))
            .reduce(|a, b| TimeRange::new(a.start_ms.min(b.start_ms), a.end_ms.max(b.end_ms)))
    }

    /// Returns loose series that fulfil all matchers and have samples in `range`.
    fn loose<'a>(
        &'a self,
        matchers: &'a [Matcher],
        range: TimeRange,
    ) -> impl Iterator<Item = (&'a Labels, &'a Arc<[Sample]>)> {
        self.samples.iter().filter(move |(labels, samples)| {
            let matches = |matcher: &Matcher| matcher.matches(labels.value(matcher.name()));
            let first_after = samples.partition_point(|sample| sample.ts_ms < range.start_ms);
            let within = samples
                .get(first_after)
                .is_some_and(|at| at.ts_ms <= range.end_ms);
            within && matchers.iter().all(matches)
        })
    }

    fn matching(
        &self,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<BTreeSet<Labels>, SourceError> {
        let everything = [Vec::new()];
        let selectors = if request.selectors.is_empty() {
            everything.as_slice()
        } else {
            &request.selectors
        };
        let mut found = BTreeSet::new();
        for matchers in selectors {
            let loose = self.loose(matchers, request.range);
            found.extend(loose.map(|(labels, _)| labels.clone()));
            if let Some(log) = &self.log {
                let series = log.head.series(matchers, request.range);
                found.extend(series.iter().map(|series| series.labels.clone()));
            }
            for block in &self.blocks {
                context.check()?;
                block.visit_series(matchers, request.range, &mut |series| {
                    found.insert(series.labels);
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(found)
    }
}

impl MetricSource for BlockSet {
    fn select(
        &self,
        _tenant: &Tenant,
        request: &SelectRequest,
        context: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, SourceError> {
        let mut found: Vec<SelectedSeries> = Vec::new();
        let mut warnings = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            context.check()?;
            match block.select(&request.matchers, request.range) {
                Ok(series) => found.extend(from_block(block, index, series)),
                Err(error) => {
                    let directory = block.directory().display();
                    warnings.push(format!("block {directory} cannot be read: {error}"));
                }
            }
        }
        if let Some(log) = &self.log {
            found.extend(log.head.select(&request.matchers, request.range));
        }
        let loose = self.loose(&request.matchers, request.range);
        found.extend(loose.filter_map(|(labels, samples)| from_samples(labels, samples)));
        let budget = Arc::clone(&context.memory);
        let selection = Selection::new(found, request.range, warnings, budget)?;
        let limit = context.limits.max_series;
        if selection.len() > limit {
            return Err(SourceError::SeriesLimit { limit });
        }
        Ok(Box::new(selection))
    }

    fn label_names(
        &self,
        _tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, SourceError> {
        let found = self.matching(request, context)?;
        let names: BTreeSet<&str> = found
            .iter()
            .flat_map(|labels| labels.iter().map(|label| label.name))
            .collect();
        Ok(limited(names.into_iter().map(str::to_owned), request.limit))
    }

    fn label_values(
        &self,
        _tenant: &Tenant,
        name: &str,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, SourceError> {
        let found = self.matching(request, context)?;
        let values: BTreeSet<&str> = found.iter().filter_map(|labels| labels.get(name)).collect();
        Ok(limited(
            values.into_iter().map(str::to_owned),
            request.limit,
        ))
    }

    fn series(
        &self,
        _tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<Labels>, SourceError> {
        Ok(limited(
            self.matching(request, context)?.into_iter(),
            request.limit,
        ))
    }

    fn exemplars(
        &self,
        _tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<ExemplarSeries>, SourceError> {
        context.check()?;
        let wanted = |labels: &Labels| {
            let all = |matchers: &Vec<Matcher>| {
                matchers
                    .iter()
                    .all(|matcher| matcher.matches(labels.value(matcher.name())))
            };
            request.selectors.is_empty() || request.selectors.iter().any(all)
        };
        let within = |series: &ExemplarSeries| {
            let mut series = series.clone();
            series
                .exemplars
                .retain(|exemplar| request.range.contains(exemplar.ts_ms));
            (!series.exemplars.is_empty()).then_some(series)
        };
        let matching = self
            .exemplars
            .iter()
            .filter(|series| wanted(&series.labels));
        let mut found: Vec<ExemplarSeries> = matching.filter_map(within).collect();
        if let Some(log) = &self.log {
            found.extend(log.exemplars.select(&request.selectors, request.range));
            found.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        Ok(limited(found.into_iter(), request.limit))
    }

    fn metadata(
        &self,
        _tenant: &Tenant,
        metric: Option<&str>,
    ) -> Result<Vec<MetricMetadataEntry>, SourceError> {
        let wanted = |entry: &&MetricMetadataEntry| metric.is_none_or(|name| entry.metric == name);
        let mut found: Vec<_> = self.metadata.iter().filter(wanted).cloned().collect();
        if let Some(log) = &self.log {
            found.extend(log.metadata.entries(metric));
            found.sort_by(|a, b| a.metric.cmp(&b.metric));
            found.dedup();
        }
        Ok(found)
    }
}

fn from_samples(labels: &Labels, samples: &Arc<[Sample]>) -> Option<SelectedSeries> {
    let chunk = SelectedChunk {
        min_ts_ms: samples.first()?.ts_ms,
        max_ts_ms: samples.last()?.ts_ms,
        rank: Rank::NEWEST,
        source: Source::Samples(Arc::clone(samples)),
    };
    Some(SelectedSeries {
        labels: labels.clone(),
        chunks: [chunk].into(),
    })
}

fn limited<T>(all: impl Iterator<Item = T>, limit: usize) -> Vec<T> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    all.take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::{Model, floats, labels, spec, write};
    use obsq_model::{ManualClock, MetricMetadata};
    use obsq_source::{MemoryBudget, SeriesBatch};

    fn context() -> QueryContext {
        QueryContext::new(
            Arc::new(ManualClock::at(0)),
            None,
            MemoryBudget::new(1 << 30),
        )
    }

    fn loose(pairs: &[(&str, &str)], times: &[i64]) -> SeriesBatch {
        SeriesBatch {
            labels: labels(pairs),
            samples: times.iter().map(|ts| Sample::float(*ts, 1.0)).collect(),
            exemplars: Vec::new(),
        }
    }

    /// A block with `a` at 0..100 and `b`, and loose samples of `a` and `c`.
    fn set(folder: &Path) -> BlockSet {
        let model: Model = [
            (labels(&[("__name__", "a")]), floats(0..100, 10)),
            (labels(&[("__name__", "b"), ("x", "y")]), floats(0..50, 10)),
        ]
        .into();
        let meta = write(folder, &model, spec(1));
        let mut set = BlockSet::default();
        set.add_block(&folder.join(meta.ulid.to_string())).unwrap();
        let mut batch = MetricBatch::default();
        batch
            .series
            .push(loose(&[("__name__", "a")], &[200, 90, 110]));
        batch.series.push(loose(&[("__name__", "c")], &[300]));
        batch.metadata.push(("a".into(), MetricMetadata::default()));
        set.add_samples(batch);
        set
    }

    #[test]
    fn blocks_and_loose_samples_are_one_series_and_the_block_wins() {
        let folder = tempfile::tempdir().unwrap();
        let set = set(folder.path());
        let request = SelectRequest {
            range: TimeRange::new(80, 500),
            matchers: vec![Matcher::equal("__name__", "a")],
        };
        let selected = set
            .select(&Tenant::anonymous(), &request, &context())
            .unwrap();
        assert_eq!(selected.len(), 1);
        let mut samples = Vec::new();
        selected.read_exact(0, request.range, &mut samples).unwrap();
        let expected = [(80, 10.0), (90, 11.25), (110, 1.0), (200, 1.0)];
        assert_eq!(
            samples,
            expected.map(|(ts, value)| Sample::float(ts, value))
        );
        assert!(!selected.chunks(0).unwrap().is_empty());
        assert_eq!(set.range(), Some(TimeRange::new(0, 300)));
    }

    #[test]
    fn names_values_and_series_respect_range_and_limit() {
        let folder = tempfile::tempdir().unwrap();
        let set = set(folder.path());
        let tenant = Tenant::anonymous();
        let ask = |start_ms, end_ms, limit| LabelRequest {
            range: TimeRange::new(start_ms, end_ms),
            selectors: Vec::new(),
            limit,
        };
        let names = |request: &LabelRequest| set.label_names(&tenant, request, &context()).unwrap();
        assert_eq!(names(&ask(0, 999, 0)), ["__name__", "x"]);
        assert_eq!(names(&ask(0, 999, 1)), ["__name__"]);
        assert_eq!(names(&ask(100, 999, 0)), ["__name__"]);
        let values = set
            .label_values(&tenant, "__name__", &ask(150, 999, 0), &context())
            .unwrap();
        assert_eq!(values, ["a", "c"]);
        let series = set.series(&tenant, &ask(0, 999, 2), &context()).unwrap();
        assert_eq!(series.len(), 2);
        assert_eq!(set.metadata(&tenant, Some("a")).unwrap().len(), 1);
        assert_eq!(set.metadata(&tenant, Some("b")).unwrap(), []);
    }

    #[test]
    fn what_is_no_block_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(BlockSet::default().add_block(folder.path()).is_err());
        assert_eq!(BlockSet::default().range(), None);
    }
}
