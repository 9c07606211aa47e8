//! Merging the chunks of one series.

use std::vec;

use obsq_encoding::{ChunkBuilder, DecodeError, EncodedChunk, decode_samples};
use obsq_model::Sample;

/// A chunk and the number of the source that it comes from.
type Sourced = (usize, EncodedChunk);

/// Returns the chunks of several sources as one sequence that does not overlap. Of samples at the same
/// time that of the first source stays.
///
/// Chunks that share no time with those of another source are passed on as they are.
pub(super) fn merge_chunks(
    sources: Vec<Vec<EncodedChunk>>,
) -> Result<Vec<EncodedChunk>, DecodeError> {
    if sources.len() <= 1 {
        return Ok(sources.into_iter().next().unwrap_or_default());
    }
    let numbered = (0..).zip(sources);
    let mut chunks: Vec<Sourced> = numbered
        .flat_map(|(source, chunks)| chunks.into_iter().map(move |chunk| (source, chunk)))
        .collect();
    chunks.sort_by_key(|(source, chunk)| (chunk.min_ts_ms, *source));
    let mut merged: Vec<EncodedChunk> = Vec::new();
    let mut last_source = None;
    let mut chunks = chunks.into_iter().peekable();
    while let Some(first) = chunks.next() {
        let mut end = first.1.max_ts_ms;
        let mut group = vec![first];
        while let Some(next) = chunks.next_if(|(_, chunk)| chunk.min_ts_ms <= end) {
            end = end.max(next.1.max_ts_ms);
            group.push(next);
        }
        match <[Sourced; 1]>::try_from(group) {
            Ok([(source, mut chunk)]) => {
                if last_source != Some(source) {
                    // What the chunk says lies before it lay there in its own source.
                    chunk.forget_reset();
                }
                merged.push(chunk);
                last_source = Some(source);
            }
            Err(group) => {
                merge_group(group, &mut merged)?;
                last_source = None;
            }
        }
    }
    Ok(merged)
}

/// Decodes chunks that overlap, one per source at a time, and encodes their samples anew.
fn merge_group(group: Vec<Sourced>, merged: &mut Vec<EncodedChunk>) -> Result<(), DecodeError> {
    let number = group
        .iter()
        .map(|(source, _)| source + 1)
        .max()
        .unwrap_or(0);
    let mut by_source = vec![Vec::new(); number];
    for (source, chunk) in group {
        by_source[source].push(chunk);
    }
    let mut streams = Vec::with_capacity(number);
    for chunks in by_source {
        streams.push(SampleStream::start(chunks)?);
    }
    let mut builder = ChunkBuilder::default();
    while let Some(ts_ms) = streams.iter().filter_map(SampleStream::time).min() {
        let mut winner = None;
        for stream in &mut streams {
            if stream.time() == Some(ts_ms) {
                let sample = stream.advance()?;
                winner = winner.or(sample);
            }
        }
        if let Some(sample) = winner {
            merged.extend(builder.push(&sample));
        }
    }
    merged.extend(builder.take());
    Ok(())
}

/// The samples of one source, decoded chunk by chunk.
struct SampleStream {
    chunks: vec::IntoIter<EncodedChunk>,
    samples: vec::IntoIter<Sample>,
    next: Option<Sample>,
}

impl SampleStream {
    fn start(chunks: Vec<EncodedChunk>) -> Result<Self, DecodeError> {
        let mut stream = Self {
            chunks: chunks.into_iter(),
            samples: Vec::new().into_iter(),
            next: None,
        };
        stream.advance()?;
        Ok(stream)
    }

    fn time(&self) -> Option<i64> {
        self.next.as_ref().map(|sample| sample.ts_ms)
    }

    /// Returns the next sample and moves on.
    fn advance(&mut self) -> Result<Option<Sample>, DecodeError> {
        let mut following = self.samples.next();
        while following.is_none()
            && let Some(chunk) = self.chunks.next()
        {
            self.samples = decode_samples(chunk.encoding, &chunk.bytes)?.into_iter();
            following = self.samples.next();
        }
        Ok(std::mem::replace(&mut self.next, following))
    }
}
