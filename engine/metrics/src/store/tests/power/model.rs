//! What a store must hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use obsq_model::{Exemplar, Labels, Matcher, MetricMetadata, Sample, Tenant, TimeRange};
use obsq_source::{
    MemoryBudget, MetricSource as _, QueryContext, Rejection, SelectRequest, SeriesBatch,
};

use super::super::bench::everything;
use super::batches::{Deleted, Sent};
use crate::MetricStore;

/// What may be read at one time of a series.
#[derive(Debug, Clone, Default)]
struct Cell {
    /// The value acknowledged first.
    acknowledged: Option<Sample>,
    /// Values that were sent before one was acknowledged. One of them may have won.
    perhaps: Vec<Sample>,
    /// Values that were sent afterwards, and lose.
    losers: Vec<Sample>,
    /// Whether it may be deleted by now.
    deleting: bool,
}

/// Times and what may be read there, in order.
type Series = Vec<(i64, Cell)>;

/// What was found on a damaged disk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Survey {
    /// Whether the store says that something is damaged.
    pub(super) noticed: bool,
    /// Samples, exemplars and metadata that should be there and are not.
    pub(super) missing: usize,
    /// Samples that show a value that had lost.
    pub(super) losers: usize,
}

/// What was acknowledged, and what may be there besides.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    tenants: BTreeMap<String, BTreeMap<Labels, Arc<Series>>>,
    exemplars: Vec<(String, Labels, Exemplar)>,
    metadata: Vec<(String, String, MetricMetadata)>,
    /// Samples acknowledged.
    pub(super) samples: usize,
}

fn same(a: &Sample, b: &Sample) -> bool {
    a.ts_ms == b.ts_ms && a.same_value(b)
}

impl Cell {
    fn allows(&self, found: Option<&Sample>) -> bool {
        match found {
            None => self.acknowledged.is_none() || self.deleting,
            Some(found) => {
                let mut allowed = self.acknowledged.iter().chain(&self.perhaps);
                allowed.any(|allowed| same(allowed, found))
            }
        }
    }
}

impl Model {
    fn cell(&mut self, tenant: &str, labels: &Labels, ts_ms: i64) -> &mut Cell {
        let tenant = self.tenants.entry(tenant.to_owned()).or_default();
        let series = tenant.entry(labels.clone()).or_default();
        let series = Arc::make_mut(series);
        let at = match series.binary_search_by_key(&ts_ms, |(known, _cell)| *known) {
            Ok(at) => at,
            Err(at) => {
                series.insert(at, (ts_ms, Cell::default()));
                at
            }
        };
        &mut series[at].1
    }

    /// Notes that samples are on their way: they may be there or not.
    pub(super) fn send(&mut self, sent: &Sent) {
        for SeriesBatch {
            labels, samples, ..
        } in &sent.batch.series
        {
            for sample in samples {
                let cell = self.cell(sent.tenant, labels, sample.ts_ms);
                let others = match &cell.acknowledged {
                    Some(known) if same(known, sample) => continue,
                    Some(_other) => &mut cell.losers,
                    None => &mut cell.perhaps,
                };
                if !others.iter().any(|known| same(known, sample)) {
                    others.push(sample.clone());
                }
            }
        }
    }

    /// Notes that what was sent is acknowledged, but for what was refused.
    pub(super) fn acknowledge(&mut self, sent: &Sent, rejections: &[Rejection]) {
        for series in &sent.batch.series {
            for sample in &series.samples {
                let refused = |rejection: &Rejection| {
                    rejection.labels == series.labels && rejection.ts_ms == sample.ts_ms
                };
                if rejections.iter().any(refused) {
                    continue;
                }
                let cell = self.cell(sent.tenant, &series.labels, sample.ts_ms);
                if std::mem::take(&mut cell.deleting) {
                    cell.perhaps.extend(cell.acknowledged.take());
                }
                if cell.acknowledged.is_none() {
                    cell.perhaps.retain(|other| !same(other, sample));
                    cell.acknowledged = Some(sample.clone());
                    self.samples += 1;
                }
            }
            for exemplar in &series.exemplars {
                let labels = series.labels.clone();
                let of = (sent.tenant.to_owned(), labels, exemplar.clone());
                if !self.exemplars.contains(&of) {
                    self.exemplars.push(of);
                }
            }
        }
        for (family, metadata) in sent.batch.metadata.clone() {
            let of = (sent.tenant.to_owned(), family, metadata);
            if !self.metadata.contains(&of) {
                self.metadata.push(of);
            }
        }
    }

    fn concerned(&mut self, deleted: &Deleted) -> impl Iterator<Item = &mut Series> {
        let series = self.tenants.get_mut(deleted.tenant).into_iter().flatten();
        let series = series.filter(|(labels, _cells)| deleted.concerns(labels));
        series.map(|(_labels, cells)| Arc::make_mut(cells))
    }

    /// Notes that a deletion is on its way: what it concerns may be there or not.
    pub(super) fn begin_delete(&mut self, deleted: &Deleted) {
        let range = deleted.range;
        for cells in self.concerned(deleted) {
            for (ts_ms, cell) in cells {
                cell.deleting |= range.contains(*ts_ms);
            }
        }
        self.exemplars.retain(|(tenant, labels, exemplar)| {
            let within = tenant == deleted.tenant && range.contains(exemplar.ts_ms);
            !within || !deleted.concerns(labels)
        });
    }

    /// Notes that a deletion is acknowledged.
    pub(super) fn end_delete(&mut self, deleted: &Deleted) {
        for cells in self.concerned(deleted) {
            cells.retain(|(ts_ms, _cell)| !deleted.range.contains(*ts_ms));
        }
    }

    /// Counts what is missing and what the store says about it; an error names what is wrong.
    pub(super) fn survey(&self, store: &MetricStore) -> Result<Survey, String> {
        let stats = store.stats();
        let mut survey = Survey {
            noticed: stats.broken_blocks
                + stats.corruptions
                + stats.missing_records
                + stats.lost_chunks
                > 0,
            missing: 0,
            losers: 0,
        };
        for (name, series) in &self.tenants {
            survey_tenant(store, name, series, &mut survey)?;
            let tenant = Tenant::parse(name).unwrap();
            let found = store.exemplars(&tenant, &everything(), &context()).unwrap();
            let mut companions = 0;
            for found in found {
                for exemplar in found.exemplars {
                    let of = (name.clone(), found.labels.clone(), exemplar);
                    if !self.exemplars.contains(&of) {
                        return Err(format!("nobody sent {of:?}"));
                    }
                    companions += 1;
                }
            }
            for entry in store.metadata(&tenant, None).unwrap() {
                let of = (name.clone(), entry.metric, entry.metadata);
                if !self.metadata.contains(&of) {
                    return Err(format!("nobody sent {of:?}"));
                }
                companions += 1;
            }
            let exemplars = self.exemplars.iter().filter(|of| of.0 == *name).count();
            let metadata = self.metadata.iter().filter(|of| of.0 == *name).count();
            survey.missing += (exemplars + metadata).saturating_sub(companions);
        }
        Ok(survey)
    }

    /// Compares with what the store shows and returns what is wrong first.
    pub(super) fn compare(&self, store: &MetricStore) -> Result<(), String> {
        let stats = store.stats();
        if stats.broken_blocks > 0 {
            return Err(format!("{} blocks cannot be opened", stats.broken_blocks));
        }
        for (name, series) in &self.tenants {
            compare_tenant(store, name, series)?;
        }
        self.compare_companions(store)
    }

    fn compare_companions(&self, store: &MetricStore) -> Result<(), String> {
        for name in self.tenants.keys() {
            let tenant = Tenant::parse(name).unwrap();
            let found = store.exemplars(&tenant, &everything(), &context());
            let found = found.map_err(|error| error.to_string())?;
            for (_name, labels, exemplar) in self.exemplars.iter().filter(|of| of.0 == *name) {
                let series = found.iter().find(|series| series.labels == *labels);
                if series.is_none_or(|series| !series.exemplars.contains(exemplar)) {
                    return Err(format!("tenant {name}: {labels} has lost {exemplar:?}"));
                }
            }
            let found = store.metadata(&tenant, None);
            let found = found.map_err(|error| error.to_string())?;
            for (_name, family, metadata) in self.metadata.iter().filter(|of| of.0 == *name) {
                let same = |entry: &&obsq_source::MetricMetadataEntry| {
                    entry.metric == *family && entry.metadata == *metadata
                };
                if found.iter().find(same).is_none() {
                    return Err(format!("tenant {name}: {family} has lost {metadata:?}"));
                }
            }
        }
        Ok(())
    }
}

fn context() -> QueryContext {
    let clock = Arc::new(obsq_model::ManualClock::at(0));
    QueryContext::new(clock, None, MemoryBudget::new(1 << 30))
}

fn compare_tenant(
    store: &MetricStore,
    name: &str,
    series: &BTreeMap<Labels, Arc<Series>>,
) -> Result<(), String> {
    let tenant = Tenant::parse(name).unwrap();
    let request = SelectRequest {
        range: TimeRange::ALL,
        matchers: Vec::<Matcher>::new(),
    };
    let failed = |error: obsq_source::Error| format!("tenant {name}: {error}");
    let set = store
        .select(&tenant, &request, &context())
        .map_err(failed)?;
    if let Some(warning) = set.warnings().first() {
        return Err(format!("tenant {name}: {warning}"));
    }
    let mut found = BTreeMap::new();
    for index in 0..set.len() {
        let mut samples = Vec::new();
        set.read_exact(index, TimeRange::ALL, &mut samples)
            .map_err(failed)?;
        found.insert(set.labels(index).clone(), samples);
    }
    if let Some(warning) = set.warnings().first() {
        return Err(format!("tenant {name}: {warning}"));
    }
    for labels in found.keys() {
        if !series.contains_key(labels) {
            return Err(format!("tenant {name}: nobody wrote {labels}"));
        }
    }
    for (labels, cells) in series {
        let samples = found.get(labels).map_or(&[][..], Vec::as_slice);
        compare_series(cells, samples)
            .map_err(|wrong| format!("tenant {name}: {labels}: {wrong}"))?;
    }
    Ok(())
}

fn survey_tenant(
    store: &MetricStore,
    name: &str,
    series: &BTreeMap<Labels, Arc<Series>>,
    survey: &mut Survey,
) -> Result<(), String> {
    let tenant = Tenant::parse(name).unwrap();
    let request = SelectRequest {
        range: TimeRange::ALL,
        matchers: Vec::<Matcher>::new(),
    };
    let Ok(set) = store.select(&tenant, &request, &context()) else {
        survey.noticed = true;
        return Ok(());
    };
    survey.noticed |= !set.warnings().is_empty();
    let mut seen = 0;
    for index in 0..set.len() {
        let labels = set.labels(index);
        let mut samples = Vec::new();
        if set.read_exact(index, TimeRange::ALL, &mut samples).is_err() {
            survey.noticed = true;
            continue;
        }
        let cells = series
            .get(labels)
            .ok_or_else(|| format!("nobody wrote {labels}"))?;
        let mut last_ms = None;
        for sample in &samples {
            let at = cells.binary_search_by_key(&sample.ts_ms, |(known, _cell)| *known);
            let cell = at.ok().map(|at| &cells[at].1);
            // Where the value that had won is damaged, one that had lost may show.
            let had_lost = |cell: &Cell| cell.losers.iter().any(|loser| same(loser, sample));
            let is_known = cell.is_some_and(|cell| cell.allows(Some(sample)) || had_lost(cell));
            if !is_known || last_ms >= Some(sample.ts_ms) {
                return Err(format!("tenant {name}: {labels}: nobody wrote {sample:?}"));
            }
            last_ms = Some(sample.ts_ms);
            survey.losers += usize::from(!cell.is_some_and(|cell| cell.allows(Some(sample))));
        }
        seen += samples.len();
    }
    survey.noticed |= !set.warnings().is_empty();
    let acknowledged = |cells: &Arc<Series>| {
        let cells = cells.iter();
        cells
            .filter(|(_ts_ms, cell)| cell.acknowledged.is_some())
            .count()
    };
    let expected = series.values().map(acknowledged).sum::<usize>();
    survey.missing += expected.saturating_sub(seen);
    survey_parts(store, &tenant, series, seen, survey)
}

/// Reads the samples of a tenant, which are `seen`, in parts: they must be as many.
fn survey_parts(
    store: &MetricStore,
    tenant: &Tenant,
    series: &BTreeMap<Labels, Arc<Series>>,
    seen: usize,
    survey: &mut Survey,
) -> Result<(), String> {
    const PARTS: usize = 8;
    let mut times: Vec<i64> = series
        .values()
        .flat_map(|cells| cells.iter().map(|(ts_ms, _cell)| *ts_ms))
        .collect();
    times.sort_unstable();
    let mut starts: Vec<i64> = times
        .chunks(times.len() / PARTS + 1)
        .map(|part| part[0])
        .collect();
    starts[0] = i64::MIN;
    starts.push(i64::MAX);
    let mut in_parts = 0;
    for part in starts.windows(2) {
        let range = TimeRange::new(part[0], part[1] - 1);
        let matchers = Vec::<Matcher>::new();
        let request = SelectRequest { range, matchers };
        let Ok(set) = store.select(tenant, &request, &context()) else {
            survey.noticed = true;
            return Ok(());
        };
        survey.noticed |= !set.warnings().is_empty();
        for index in 0..set.len() {
            let mut samples = Vec::new();
            survey.noticed |= set.read_exact(index, range, &mut samples).is_err();
            in_parts += samples.len();
        }
        survey.noticed |= !set.warnings().is_empty();
    }
    if in_parts != seen && !survey.noticed {
        return Err(format!("{seen} samples are {in_parts} when read in parts"));
    }
    Ok(())
}

fn compare_series(cells: &Series, samples: &[Sample]) -> Result<(), String> {
    if let Some(pair) = samples
        .windows(2)
        .find(|pair| pair[0].ts_ms >= pair[1].ts_ms)
    {
        return Err(format!("not in order of time: {pair:?}"));
    }
    let mut samples = samples.iter().peekable();
    for (ts_ms, cell) in cells {
        if let Some(early) = samples.next_if(|sample| sample.ts_ms < *ts_ms) {
            return Err(format!("nobody wrote {early:?}"));
        }
        let found = samples.next_if(|sample| sample.ts_ms == *ts_ms);
        if !cell.allows(found) {
            return Err(format!("{found:?} at {ts_ms}, but {cell:?}"));
        }
    }
    match samples.next() {
        Some(late) => Err(format!("nobody wrote {late:?}")),
        None => Ok(()),
    }
}
