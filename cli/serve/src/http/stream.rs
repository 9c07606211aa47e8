//! Large answers, sent while they are being written.
//!
//! A thread that may block writes the answer and hands over parts of it; it never is more than a
//! few parts ahead of the client, so that a large answer is not in memory as a whole beside the
//! values it is made of.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, stream};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::pool::panicked;
use super::respond::{MIN_COMPRESSED_BYTES, encoded};
use crate::prom::{Answer, ApiError, JsonWriter, ToJson};

/// Parts that are written ahead of the client.
const PARTS_AHEAD: usize = 2;
/// How long a client may take for one part.
const PATIENCE: Duration = Duration::from_secs(30);

/// A part of an answer.
#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    /// Compressed; all parts of an answer are, or none.
    gzip: bool,
    last: bool,
}

/// Where an answer goes to, part by part.
#[derive(Debug)]
pub(crate) struct PartSender {
    sender: mpsc::Sender<Result<Part, ApiError>>,
    runtime: Handle,
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
        self.wait(Err(error));
    }

    /// Sends a part that others follow; says whether the client still listens.
    fn send(&mut self, bytes: Vec<u8>) -> bool {
        if self.accepts_gzip && self.encoder.is_none() {
            self.encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
        }
        match self.compress(bytes) {
            Ok(bytes) => self.wait(Ok(self.part(bytes, false))),
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
        self.wait(Ok(part));
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

    fn wait(&self, part: Result<Part, ApiError>) -> bool {
        let sending = tokio::time::timeout(PATIENCE, self.sender.send(part));
        matches!(self.runtime.block_on(sending), Ok(Ok(())))
    }
}

/// Runs `write` on a thread that may block and answers with what it sends. Returns once the first
/// part, or an error, is known.
pub(crate) async fn respond(
    content_type: &'static str,
    accepts_gzip: bool,
    write: impl FnOnce(PartSender) + Send + 'static,
) -> Result<Response<Body>, ApiError> {
    let (sender, mut receiver) = mpsc::channel(PARTS_AHEAD);
    let parts = PartSender {
        sender,
        runtime: Handle::current(),
        accepts_gzip,
        encoder: None,
    };
    let span = tracing::Span::current();
    let writing = tokio::task::spawn_blocking(move || span.in_scope(|| write(parts)));
    match receiver.recv().await {
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
fn parts_of(
    first: Part,
    receiver: mpsc::Receiver<Result<Part, ApiError>>,
) -> impl Stream<Item = Result<Vec<u8>, ApiError>> {
    let state = (Some(first), Some(receiver));
    stream::unfold(state, |(first, receiver)| async {
        let mut receiver = receiver?;
        let next = match first {
            Some(first) => Some(Ok(first)),
            None => receiver.recv().await,
        };
        Some(match next {
            Some(Ok(part)) => (Ok(part.bytes), (None, (!part.last).then_some(receiver))),
            Some(Err(error)) => (Err(error), (None, None)),
            None => (Err(panicked(None)), (None, None)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::CONTENT_ENCODING;
    use http_body_util::BodyExt as _;
    use std::io::Read as _;

    async fn answered(count: usize, gzip: bool) -> (bool, Vec<u8>) {
        let answer = Answer::plain(vec!["label".to_owned(); count]);
        let response = respond("application/json", gzip, move |parts| parts.answer(&answer));
        let response = response.await.unwrap();
        let compressed = response.headers().contains_key(CONTENT_ENCODING);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        if !compressed {
            return (false, body.to_vec());
        }
        let mut plain = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&body[..]);
        decoder.read_to_end(&mut plain).unwrap();
        (true, plain)
    }

    #[tokio::test]
    async fn small_and_large_answers_arrive_whole() {
        for count in [0, 1, 1_000, 200_000] {
            let expected = Answer::plain(vec!["label".to_owned(); count]).to_json();
            for gzip in [false, true] {
                let (compressed, body) = answered(count, gzip).await;
                assert!(body == expected, "{count} {gzip}");
                assert_eq!(compressed, gzip && count > 1);
            }
        }
    }

    #[tokio::test]
    async fn errors_and_panics_before_the_first_part_are_errors() {
        let refused = respond("application/json", false, |parts| {
            parts.fail(ApiError::bad_data("no"));
        });
        assert_eq!(refused.await.unwrap_err().message, "no");
        let ended = respond("application/json", false, |_parts| panic!("on purpose"));
        assert_eq!(ended.await.unwrap_err().error_type.status(), 500);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_not_taken_for_complete() {
        let broken = respond("application/json", false, |mut parts| {
            parts.send(b"[1,".to_vec());
        });
        let body = broken.await.unwrap().into_body().collect().await;
        assert!(body.is_err());
    }
}
