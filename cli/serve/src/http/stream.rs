//! Large answers, sent while they are being written.
//!
//! A thread that may block writes the answer and hands over parts of it. While the client keeps up
//! the thread is never more than a little ahead, so that a large answer is not in memory as a whole
//! beside the values it is made of. A client that does not keep up must not hold the thread, of which
//! there are not many: what is left is written at once and waits in memory, within a budget that all
//! such answers share. Only beyond the budget threads wait too, and only a few of them; the answer
//! of one more slow client breaks off.

mod queue;

use std::io::{self, Write as _};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, stream};
use parking_lot::Mutex;

use super::pool::panicked;
use super::respond::{MIN_COMPRESSED_BYTES, encoded};
use crate::prom::{Answer, ApiError, JsonWriter, ToJson};
use queue::{Part, Receiver, Sender, queue};

pub(crate) use queue::Backlog;

/// Where an answer goes to, part by part.
#[derive(Debug)]
pub(crate) struct PartSender {
    sender: Sender,
    accepts_gzip: bool,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl PartSender {
    /// Sends the whole of an answer.
    pub(crate) fn answer<T: ToJson>(self, answer: &Answer<T>) {
        let shared = Arc::new(Mutex::new(self));
        let sink = Arc::clone(&shared);
        let mut json = JsonWriter::streaming(Box::new(move |part| sink.lock().send(part)));
        answer.write(&mut json);
        let rest = json.into_bytes();
        if let Some(sender) = Arc::into_inner(shared) {
            sender.into_inner().finish(rest);
        }
    }

    /// Sends an error in the place of an answer.
    pub(crate) fn fail(self, error: ApiError) {
        self.sender.send(Err(error));
    }

    /// Sends a part that others follow; says whether the client still listens.
    fn send(&mut self, bytes: Vec<u8>) -> bool {
        if self.accepts_gzip && self.encoder.is_none() {
            self.encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
        }
        match self.compress(bytes) {
            Ok(bytes) => self.sender.send(Ok(self.part(bytes, false))),
            Err(_impossible) => false,
        }
    }

    /// Sends the last part, which may be the only one.
    fn finish(mut self, bytes: Vec<u8>) {
        if self.accepts_gzip && self.encoder.is_none() && bytes.len() >= MIN_COMPRESSED_BYTES {
            self.encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
        }
        let Ok(mut bytes) = self.compress(bytes) else {
            return;
        };
        let mut part = self.part(Vec::new(), true);
        match self.encoder.take().map(GzEncoder::finish) {
            None => {}
            Some(Ok(rest)) => bytes.extend(rest),
            Some(Err(_impossible)) => return,
        }
        part.bytes = bytes;
        self.sender.send(Ok(part));
    }

    fn part(&self, bytes: Vec<u8>, last: bool) -> Part {
        Part {
            bytes,
            gzip: self.encoder.is_some(),
            last,
        }
    }

    fn compress(&mut self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(bytes);
        };
        encoder.write_all(&bytes)?;
        Ok(std::mem::take(encoder.get_mut()))
    }
}

/// Runs `write` on a thread that may block and answers with what it sends. Returns once the first
/// part, or an error, is known.
pub(crate) async fn respond(
    content_type: &'static str,
    accepts_gzip: bool,
    backlog: Arc<Backlog>,
    write: impl FnOnce(PartSender) + Send + 'static,
) -> Result<Response<Body>, ApiError> {
    let (sender, mut receiver) = queue(backlog);
    let parts = PartSender {
        sender,
        accepts_gzip,
        encoder: None,
    };
    let span = tracing::Span::current();
    let writing = tokio::task::spawn_blocking(move || span.in_scope(|| write(parts)));
    match receiver.next().await {
        None => Err(panicked(writing.await.err())),
        Some(Err(error)) => Err(error),
        Some(Ok(first)) => {
            let gzip = first.gzip;
            let body = if first.last {
                Body::from(first.bytes)
            } else {
                Body::from_stream(parts_of(first, receiver))
            };
            Ok(encoded(content_type, body, gzip))
        }
    }
}

/// Returns the parts as they come. A stream that ends before the last part ends with an error, so
/// that the client does not take it for complete.
fn parts_of(first: Part, receiver: Receiver) -> impl Stream<Item = Result<Vec<u8>, ApiError>> {
    let state = (Some(first), Some(receiver));
    stream::unfold(state, |(first, receiver)| async {
        let mut receiver = receiver?;
        let next = match first {
            Some(first) => Some(Ok(first)),
            None => receiver.next().await,
        };
        Some(match next {
            Some(Ok(part)) => (Ok(part.bytes), (None, (!part.last).then_some(receiver))),
            Some(Err(error)) => (Err(error), (None, None)),
            None => (Err(panicked(None)), (None, None)),
        })
    })
}

#[cfg(test)]
mod tests;
