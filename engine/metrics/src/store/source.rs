//! Reading from the store.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use obsq_model::{Labels, Matcher, Tenant, TimeRange};
use obsq_source::{
    Error, ExemplarSeries, LabelRequest, MetricMetadataEntry, MetricSource, QueryContext,
    SelectRequest, SeriesSet,
};

use super::MetricStore;
use crate::block::{Block, BlockSeries};
use crate::selected::{Rank, SelectedChunk, SelectedSeries, Selection, Source};

impl MetricSource for MetricStore {
    fn select(
        &self,
        tenant: &Tenant,
        request: &SelectRequest,
        context: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, Error> {
        context.check()?;
        let budget = Arc::clone(&context.memory);
        let (mut found, mut warnings) = (Vec::new(), Vec::new());
        if let Some(tenant) = self.shared.tenant(tenant) {
            // The head first: what a seal moves meanwhile is then seen twice, never missed.
            found = tenant.head.select(&request.matchers, request.range);
            context.check()?;
            warnings.extend(tenant.blocks.warnings(request.range));
            for (index, block) in tenant.blocks.snapshot().iter().enumerate() {
                context.check()?;
                match block.select(&request.matchers, request.range) {
                    Ok(series) => found.extend(from_block(block, index, series)),
                    Err(error) => warnings.push(warning(block, &error)),
                }
            }
        }
        if !self.is_ready() {
            warnings.push("the log is being replayed: recent samples may be missing".to_owned());
        }
        let selection = Selection::new(found, request.range, warnings, budget)?;
        let limit = context.limits.max_series;
        if selection.len() > limit {
            return Err(Error::SeriesLimit { limit });
        }
        Ok(Box::new(selection))
    }

    fn label_names(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        let mut names = BTreeSet::new();
        self.visit(tenant, request, context, true, &mut |visited| {
            match visited {
                Visited::Block(block) => {
                    names.extend(block.label_names(&[], request.range)?);
                }
                Visited::Series(labels) => {
                    for label in labels {
                        if !names.contains(label.name) {
                            names.insert(label.name.to_owned());
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(limited(names, request.limit))
    }

    fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        let mut values = BTreeSet::new();
        self.visit(tenant, request, context, true, &mut |visited| {
            match visited {
                Visited::Block(block) => {
                    values.extend(block.label_values(name, &[], request.range)?);
                }
                Visited::Series(labels) => {
                    if let Some(value) = labels.get(name)
                        && !values.contains(value)
                    {
                        values.insert(value.to_owned());
                    }
                }
            }
            Ok(())
        })?;
        Ok(limited(values, request.limit))
    }

    fn series(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<Labels>, Error> {
        let mut series = BTreeSet::new();
        self.visit(tenant, request, context, false, &mut |visited| {
            if let Visited::Series(labels) = visited
                && !series.contains(labels)
            {
                series.insert(labels.clone());
            }
            Ok(())
        })?;
        Ok(limited(series, request.limit))
    }

    fn exemplars(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<ExemplarSeries>, Error> {
        context.check()?;
        let Some(tenant) = self.shared.tenant(tenant) else {
            return Ok(Vec::new());
        };
        let mut found = tenant
            .exemplars
            .lock()
            .select(&request.selectors, request.range);
        if request.limit > 0 {
            found.truncate(request.limit);
        }
        Ok(found)
    }

    fn metadata(
        &self,
        tenant: &Tenant,
        metric: Option<&str>,
    ) -> Result<Vec<MetricMetadataEntry>, Error> {
        let tenant = self.shared.tenant(tenant);
        Ok(tenant.map_or_else(Vec::new, |tenant| tenant.metadata.lock().entries(metric)))
    }
}

/// What a look for labels comes upon.
enum Visited<'a> {
    /// A series; perhaps not for the first time.
    Series(&'a Labels),
    /// A block of which every series is asked for, so that its index alone can answer.
    Block(&'a Block),
}

impl MetricStore {
    /// Calls `visit` with the label sets that any selector matches and that have samples in the
    /// range, some of them more than once. Where all series of a block are asked for it is given the
    /// block instead, when it takes `whole_blocks`. What it cannot read of a block is left out.
    fn visit(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
        whole_blocks: bool,
        visit: &mut dyn FnMut(Visited<'_>) -> Result<(), crate::Error>,
    ) -> Result<(), Error> {
        context.check()?;
        let Some(tenant) = self.shared.tenant(tenant) else {
            return Ok(());
        };
        let every_series = [Vec::new()];
        let selectors = match request.selectors.as_slice() {
            [] => &every_series,
            selectors => selectors,
        };
        for matchers in selectors {
            for series in tenant.head.series(matchers, request.range) {
                visit(Visited::Series(&series.labels))?;
            }
            for block in tenant.blocks.snapshot().iter() {
                context.check()?;
                let whole = whole_blocks && matchers.is_empty() && is_whole(block, request.range);
                let visited = if whole {
                    visit(Visited::Block(block))
                } else {
                    visit_block(block, matchers, request.range, visit)
                };
                if let Err(error) = visited {
                    tracing::warn!(block = %block.meta().ulid, %error, "cannot look into a block");
                }
            }
        }
        Ok(())
    }
}

/// Says whether all that is in the block's index is in `range` and not deleted.
fn is_whole(block: &Block, range: TimeRange) -> bool {
    let within = block.range();
    range.contains(within.start_ms) && range.contains(within.end_ms) && !block.has_tombstones()
}

fn visit_block(
    block: &Block,
    matchers: &[Matcher],
    range: TimeRange,
    visit: &mut dyn FnMut(Visited<'_>) -> Result<(), crate::Error>,
) -> Result<(), crate::Error> {
    let mut done = Ok(());
    block.visit_series(matchers, range, &mut |series| {
        done = visit(Visited::Series(&series.labels));
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    done
}

pub(crate) fn from_block(
    block: &Arc<Block>,
    index: usize,
    series: Vec<BlockSeries>,
) -> impl Iterator<Item = SelectedSeries> + use<'_> {
    series.into_iter().filter_map(move |series| {
        let labels = series.labels.clone();
        let chunk = SelectedChunk {
            min_ts_ms: series.chunks.first()?.min_ts_ms,
            max_ts_ms: series.chunks.last()?.max_ts_ms,
            rank: Rank::block(index),
            source: Source::Block {
                block: Arc::clone(block),
                series,
            },
        };
        Some(SelectedSeries {
            labels,
            chunks: [chunk].into(),
        })
    })
}

fn warning(block: &Block, error: &crate::Error) -> String {
    format!("block {} cannot be read: {error}", block.meta().ulid)
}

fn limited<T>(all: BTreeSet<T>, limit: usize) -> Vec<T> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    all.into_iter().take(limit).collect()
}
