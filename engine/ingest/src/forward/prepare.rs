//! From batches of the log to what is sent of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use obsq_model::{Labels, Sample, SampleValue, Tenant};
use obsq_source::{LogBatch, MetricSource, SeriesBatch};
use rustc_hash::FxHashMap;

use super::counters::{Counters, add};
use super::metadata::KnownMetadata;
use super::part::{Part, weight};
use super::tracker::Ticket;
use crate::config::{RemoteWriteConfig, WriteVersion, WrittenTenants};
use crate::relabel;

/// Label sets of which it is remembered what the rules make of them.
const MAX_REMEMBERED: usize = 200_000;

/// Labels, relabels and shares out.
#[derive(Debug)]
pub(super) struct Preparer {
    config: Arc<RemoteWriteConfig>,
    external_labels: Labels,
    counters: Arc<Counters>,
    pub(super) metadata: KnownMetadata,
    /// What labels become, `None` when a rule drops them.
    remembered: FxHashMap<Labels, Option<Labels>>,
}

/// A part and the lane that it goes to; its ticket comes later.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) lane: usize,
    tenant: Tenant,
    series: Vec<SeriesBatch>,
    metadata: Vec<(String, obsq_model::MetricMetadata)>,
    pub(super) weight: usize,
}

impl Share {
    pub(super) fn into_part(self, ticket: Ticket) -> Part {
        Part {
            tenant: self.tenant,
            series: self.series,
            metadata: self.metadata,
            ticket,
        }
    }
}

impl Preparer {
    pub(super) fn new(
        config: Arc<RemoteWriteConfig>,
        external_labels: Labels,
        counters: Arc<Counters>,
        source: Arc<dyn MetricSource>,
    ) -> Self {
        Self {
            config,
            external_labels,
            counters,
            metadata: KnownMetadata::new(source),
            remembered: FxHashMap::default(),
        }
    }

    /// Returns what of a batch is to be sent, shared out to `lanes` by series, no share larger than
    /// a request.
    pub(super) fn prepare(&mut self, read: LogBatch, lanes: usize, now_ms: i64) -> Vec<Share> {
        let LogBatch { tenant, batch, .. } = read;
        if let WrittenTenants::One(wanted) = &self.config.tenants
            && *wanted != tenant
        {
            return Vec::new();
        }
        self.metadata.learn(&tenant, &batch.metadata);
        let mut by_lane: Vec<Vec<SeriesBatch>> = vec![Vec::new(); lanes];
        for series in batch.series {
            let Some(series) = self.series(series, now_ms) else {
                continue;
            };
            let lane = series.labels.hash64() % lanes as u64;
            by_lane[lane as usize].push(series);
        }
        let limit = self.config.queue.max_samples_per_send;
        let numbered = by_lane.into_iter().enumerate();
        let pieces = numbered.flat_map(|(lane, series)| {
            let pieces = cut(series, limit).into_iter();
            pieces.map(move |series| (lane, series))
        });
        pieces
            .map(|(lane, series)| self.share(lane, &tenant, series))
            .collect()
    }

    fn share(&mut self, lane: usize, tenant: &Tenant, series: Vec<SeriesBatch>) -> Share {
        let mut metadata = Vec::new();
        if self.config.version == WriteVersion::V2 {
            let names: BTreeSet<&str> = series
                .iter()
                .map(|series| series.labels.metric_name())
                .collect();
            for name in names {
                if let Some(known) = self.metadata.of_series(tenant, name) {
                    metadata.push((name.to_owned(), known));
                }
            }
        }
        Share {
            lane,
            tenant: tenant.clone(),
            weight: series.iter().map(weight).sum(),
            series,
            metadata,
        }
    }

    /// Returns what is sent of a series, if anything.
    fn series(&mut self, mut series: SeriesBatch, now_ms: i64) -> Option<SeriesBatch> {
        if let Some(newest) = series.samples.iter().map(|sample| sample.ts_ms).max() {
            let newest_read_ms = &self.counters.newest_read_ms;
            newest_read_ms.fetch_max(newest, Ordering::Relaxed);
        }
        if !self.config.send_exemplars {
            series.exemplars.clear();
        }
        if self.config.version == WriteVersion::V2 && series.samples.is_empty() {
            // The specification wants a sample in every series.
            series.exemplars.clear();
        }
        if self.config.version == WriteVersion::V1 && !self.config.send_native_histograms {
            let before = series.samples.len();
            let is_float = |sample: &mut Sample| matches!(sample.value, SampleValue::Float(_));
            series.samples.retain(is_float);
            add(&self.counters.not_sendable, before - series.samples.len());
        }
        let age_limit_ms = self.config.queue.sample_age_limit_ms;
        let dropped = drop_old(&mut series, age_limit_ms, now_ms);
        add(&self.counters.too_old, dropped);
        let weight = weight(&series);
        if weight == 0 {
            return None;
        }
        match self.labels(&series.labels) {
            None => {
                add(&self.counters.relabelled_away, weight);
                None
            }
            Some(labels) => Some(SeriesBatch { labels, ..series }),
        }
    }

    /// Returns what labels become: those of this server join where there are none of that name,
    /// then the rules apply.
    fn labels(&mut self, labels: &Labels) -> Option<Labels> {
        let rules = &self.config.relabel_configs;
        if self.external_labels.is_empty() && rules.is_empty() {
            return Some(labels.clone());
        }
        if let Some(known) = self.remembered.get(labels) {
            return known.clone();
        }
        let mut builder = labels.to_builder();
        for label in &self.external_labels {
            if builder.get(label.name).is_empty() {
                builder.set(label.name, label.value);
            }
        }
        let made = relabel::apply(&builder.build(), rules).filter(|labels| !labels.is_empty());
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(labels.clone(), made.clone());
        made
    }
}

/// Removes samples above an age, if there is one, and returns how many.
pub(super) fn drop_old(series: &mut SeriesBatch, age_limit_ms: i64, now_ms: i64) -> usize {
    if age_limit_ms <= 0 {
        return 0;
    }
    let oldest_ms = now_ms.saturating_sub(age_limit_ms);
    let before = weight(series);
    series.samples.retain(|sample| sample.ts_ms >= oldest_ms);
    series
        .exemplars
        .retain(|exemplar| exemplar.ts_ms >= oldest_ms);
    before - weight(series)
}

/// Cuts a list into pieces of about `limit` samples and exemplars, in order.
fn cut(list: Vec<SeriesBatch>, limit: usize) -> Vec<Vec<SeriesBatch>> {
    let mut pieces: Vec<Vec<SeriesBatch>> = Vec::new();
    let mut room = 0;
    for mut series in list {
        loop {
            if room == 0 {
                pieces.push(Vec::new());
                room = limit;
            }
            let rest = split_off(&mut series, room);
            room = room.saturating_sub(weight(&series));
            if let Some(piece) = pieces.last_mut() {
                piece.push(series);
            }
            match rest {
                None => break,
                Some(rest) => series = rest,
            }
        }
    }
    pieces
}

/// Cuts off what is more than `limit` samples. Exemplars stay with the first ones: the
/// specification of version 2 wants a sample in every series.
fn split_off(series: &mut SeriesBatch, limit: usize) -> Option<SeriesBatch> {
    if series.samples.len() <= limit {
        return None;
    }
    Some(SeriesBatch {
        labels: series.labels.clone(),
        samples: series.samples.drain(limit..).collect(),
        exemplars: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
