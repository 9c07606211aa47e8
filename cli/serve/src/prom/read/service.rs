//! What a read request answers, without any transport.

use std::sync::Arc;

use obsq_ingest::prompb::{ChunkedSeries, ReadQuery, ReadRequest, chunked_frame, read_response};
use obsq_model::{Labels, MatchOp, Matcher, Tenant};
use obsq_source::{
    MetricSource, QueryContext, SelectRequest, SeriesBatch, SeriesSet, compile_matchers,
};

use crate::prom::ApiError;

/// A frame is cut once it holds this many bytes of chunks.
const FRAME_BYTES: usize = 1 << 20;
/// Bytes that one sample costs in memory, about.
const SAMPLE_BYTES: usize = 64;

/// A read request with everything it takes to answer it.
#[derive(Debug)]
pub(super) struct ReadCall {
    pub(super) source: Arc<dyn MetricSource>,
    pub(super) external_labels: Labels,
    pub(super) tenant: Tenant,
    pub(super) request: ReadRequest,
    pub(super) context: QueryContext,
}

impl ReadCall {
    /// Returns the answer with all samples as one message, not compressed.
    pub(super) fn samples(&self) -> Result<Vec<u8>, ApiError> {
        let mut results = Vec::with_capacity(self.request.queries.len());
        for query in &self.request.queries {
            let set = self.select(query)?;
            let warned = set.warnings().len();
            let mut result = Vec::with_capacity(set.len());
            for index in 0..set.len() {
                self.context.check()?;
                let mut samples = Vec::new();
                set.read_exact(index, query.range, &mut samples)?;
                self.context.memory.take(samples.len() * SAMPLE_BYTES)?;
                if samples.is_empty() {
                    continue;
                }
                result.push(SeriesBatch {
                    labels: merge(set.labels(index), &self.external_labels),
                    samples: samples.into(),
                    exemplars: Vec::new(),
                });
            }
            set.check_whole(warned)?;
            results.push(result);
        }
        Ok(read_response(&results))
    }

    /// Hands the frames of the streamed answer to `send` until it returns `false`.
    pub(super) fn chunks(&self, mut send: impl FnMut(Vec<u8>) -> bool) -> Result<(), ApiError> {
        for (query_index, query) in self.request.queries.iter().enumerate() {
            let set = self.select(query)?;
            let warned = set.warnings().len();
            for index in 0..set.len() {
                self.context.check()?;
                let labels = merge(set.labels(index), &self.external_labels);
                let chunks = set.chunks(index)?;
                set.check_whole(warned)?;
                let (mut from, mut bytes) = (0, 0);
                for (at, chunk) in chunks.iter().enumerate() {
                    bytes += chunk.bytes.len();
                    if bytes < FRAME_BYTES && at + 1 < chunks.len() {
                        continue;
                    }
                    let series = ChunkedSeries {
                        labels: &labels,
                        chunks: &chunks[from..=at],
                    };
                    if !send(chunked_frame(query_index, &[series])) {
                        return Ok(());
                    }
                    (from, bytes) = (at + 1, 0);
                }
            }
        }
        Ok(())
    }

    fn select(&self, query: &ReadQuery) -> Result<Box<dyn SeriesSet>, ApiError> {
        let matchers = compile_matchers(&query.matchers)
            .map_err(|error| ApiError::bad_data(crate::prom::with_causes(&error)))?;
        let matchers = matchers
            .into_iter()
            .map(|matcher| without_external(matcher, &self.external_labels))
            .collect();
        let request = SelectRequest {
            range: query.range,
            matchers,
        };
        Ok(self.source.select(&self.tenant, &request, &self.context)?)
    }
}

/// A matcher that asks for an external label of this server holds for all series that do not have
/// the label, which is how they are stored.
fn without_external(matcher: Matcher, external: &Labels) -> Matcher {
    let asked = matcher.op() == MatchOp::Equal
        && !matcher.value().is_empty()
        && external.get(matcher.name()) == Some(matcher.value());
    if asked {
        return Matcher::equal(matcher.name(), "");
    }
    matcher
}

/// Adds the external labels that the series does not have itself.
fn merge(labels: &Labels, external: &Labels) -> Labels {
    if external.is_empty() {
        return labels.clone();
    }
    let mut builder = external.to_builder();
    for label in labels {
        builder.set(label.name, label.value);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_labels_are_added_and_taken_out_of_matchers() {
        let external = Labels::from_pairs(&[("cluster", "a"), ("job", "x")]);
        let labels = Labels::from_pairs(&[("__name__", "up"), ("job", "y")]);
        assert_eq!(
            merge(&labels, &external),
            Labels::from_pairs(&[("__name__", "up"), ("cluster", "a"), ("job", "y")])
        );
        let matcher = |value| without_external(Matcher::equal("cluster", value), &external);
        assert_eq!(matcher("a"), Matcher::equal("cluster", ""));
        assert_eq!(matcher("b"), Matcher::equal("cluster", "b"));
    }
}
