//! A stream that knows whether its peer gets on, and whose own errors have a body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::prom::ApiError;

/// Bytes after which the protocol of a connection is known: the length of the HTTP/2 preface.
const PREFACE_BYTES: usize = 24;

/// How long a peer may take nothing of what is written to it.
const WRITE_PATIENCE: Duration = Duration::from_mins(2);

/// Most bytes that are read first on a connection.
const FIRST_READ_BYTES: usize = 4 << 10;

/// How far the peer of a connection has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// Returns once `limit` has passed without as many bytes as it takes to know the protocol;
    /// never when they came.
    pub(super) async fn stalled(&self, limit: Duration) {
        sleep(limit).await;
        if self.0.load(Ordering::Relaxed) >= PREFACE_BYTES {
            std::future::pending::<()>().await;
        }
    }
}

/// Ends writes to a peer that takes nothing any more.
#[derive(Debug, Default)]
struct WriteWatch {
    waiting: Option<Pin<Box<Sleep>>>,
}

impl WriteWatch {
    /// Returns what a write came to, or an error once writes have been waiting for too long.
    fn note<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(sleep(WRITE_PATIENCE)));
        waiting.as_mut().poll(context).map(|()| {
            let message = "the client takes nothing of its answer";
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        })
    }
}

/// A stream that counts what it reads and gives the HTTP library's own errors a body.
///
/// Requests that never reach a handler, such as one whose header is no header, are answered by the
/// library with a status alone. Clients of the APIs expect every error to have a JSON body, so
/// this stream adds one. Such an answer is recognised by its head: no handler answers 4xx without
/// a body.
#[derive(Debug)]
pub(super) struct WatchedStream<S> {
    stream: S,
    progress: Progress,
    /// What is left to write in the place of a library error.
    replacement: Vec<u8>,
    /// What was read first on the connection and is not handed on yet.
    unread: Vec<u8>,
    write_watch: WriteWatch,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WatchedStream<S> {
    pub(super) fn new(stream: S, progress: Progress) -> Self {
        Self {
            stream,
            progress,
            replacement: Vec::new(),
            unread: Vec::new(),
            write_watch: WriteWatch::default(),
        }
    }

    /// Reads what comes first on the connection, as a whole: the library itself begins with a few
    /// bytes, to tell the protocols apart.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut first = vec![0; FIRST_READ_BYTES];
        let mut buffer = ReadBuf::new(&mut first);
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        self.progress.0.fetch_add(count, Ordering::Relaxed);
        first.truncate(count);
        self.unread = with_encoded_url(&first).unwrap_or(first);
        polled
    }

    fn poll_replace(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.replacement);
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => drop(self.replacement.drain(..count)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the same answer with a body when `bytes` are a library error, else nothing.
fn with_body(bytes: &[u8]) -> Option<Vec<u8>> {
    const NO_BODY: &str = "\r\ncontent-length: 0\r\n";
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?;
    if status.first() != Some(&b'4') || bytes.len() > 1024 {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?;
    let (before, after) = head.split_once(NO_BODY)?;
    let mut reason = before.lines().next()?.get(13..)?.to_ascii_lowercase();
    if reason == "bad request" {
        // Most often a URL typed by hand, such as `...?query=up{job="a"}`.
        reason.push_str(
            ": malformed header or URL; `\"`, `<`, `>` and spaces in a URL must be percent-encoded, \
             as `curl --data-urlencode` does",
        );
    }
    let body = ApiError::bad_data(reason).to_json();
    let length = body.len();
    let mut out = format!(
        "{before}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{after}"
    )
    .into_bytes();
    out.extend_from_slice(&body);
    Some(out)
}

/// Returns the first bytes of a connection with `"`, `<` and `>` of the request's URL percent-encoded;
/// nothing when there are none. People type such URLs, `...?query=up{job="a"}`, other servers take
/// them, and the HTTP library does not. Only a connection's first request is looked at: what follows
/// on it comes from a program, and could as well be part of a body.
fn with_encoded_url(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    let (line, rest) = bytes.split_at(end);
    let is_raw = |byte: &u8| matches!(byte, b'"' | b'<' | b'>');
    if !line.ends_with(b" HTTP/1.1") || !line.iter().any(is_raw) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() + 64);
    for byte in line {
        match byte {
            b'"' => out.extend_from_slice(b"%22"),
            b'<' => out.extend_from_slice(b"%3C"),
            b'>' => out.extend_from_slice(b"%3E"),
            other => out.push(*other),
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.unread.is_empty() && stream.progress.0.load(Ordering::Relaxed) == 0 {
            match stream.poll_first(context) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        if !stream.unread.is_empty() {
            let fits = stream.unread.len().min(buffer.remaining());
            buffer.put_slice(&stream.unread[..fits]);
            stream.unread.drain(..fits);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut stream.stream).poll_read(context, buffer);
        let count = buffer.filled().len() - before;
        stream.progress.0.fetch_add(count, Ordering::Relaxed);
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.replacement.is_empty() {
            let Some(replacement) = with_body(bytes) else {
                let written = Pin::new(&mut stream.stream).poll_write(context, bytes);
                return stream.write_watch.note(written, context);
            };
            stream.replacement = replacement;
        }
        let replaced = stream.poll_replace(context);
        let replaced = stream.write_watch.note(replaced, context);
        replaced.map(|result| result.map(|()| bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = buffers.first().map_or(&[][..], |buffer| buffer);
        if !self.replacement.is_empty() || first.starts_with(b"HTTP/1.1 4") {
            return self.poll_write(context, first);
        }
        let stream = self.get_mut();
        let written = Pin::new(&mut stream.stream).poll_write_vectored(context, buffers);
        stream.write_watch.note(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let mut watch = WriteWatch::default();
        let write = std::future::poll_fn(|context| watch.note::<()>(Poll::Pending, context));
        let started = tokio::time::Instant::now();
        let error = write.await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), WRITE_PATIENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_kept() {
        let mut watch = WriteWatch::default();
        for _ in 0..3 {
            let write = std::future::poll_fn(|context| watch.note::<()>(Poll::Pending, context));
            let short = WRITE_PATIENCE / 2;
            assert!(tokio::time::timeout(short, write).await.is_err());
            let took = std::future::poll_fn(|context| watch.note(Poll::Ready(Ok(1)), context));
            assert_eq!(took.await.unwrap(), 1);
        }
    }

    #[test]
    fn a_url_typed_by_hand_is_encoded() {
        let typed = b"GET /api/v1/query?query=up{a=\"<b>\"} HTTP/1.1\r\nx: \"y\"\r\n\r\n";
        let encoded = with_encoded_url(typed).unwrap();
        let expected = "GET /api/v1/query?query=up{a=%22%3Cb%3E%22} HTTP/1.1\r\nx: \"y\"\r\n\r\n";
        assert_eq!(String::from_utf8(encoded).unwrap(), expected);
        for other in [
            "GET / HTTP/1.1\r\nx: \"\r\n",
            "PRI * HTTP/2.0\r\n\"",
            "no line \"",
            "\"\r\n",
        ] {
            assert_eq!(with_encoded_url(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn an_error_of_the_library_gets_a_body_and_nothing_else_does() {
        let bare = b"HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let out = String::from_utf8(with_body(bare).unwrap()).unwrap();
        let (head, body) = out.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            body,
            r#"{"status":"error","errorType":"bad_data","error":"uri too long"}"#
        );
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(head.contains("connection: close"));
        let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let out = String::from_utf8(with_body(bare).unwrap()).unwrap();
        assert!(out.contains("must be percent-encoded"), "{out}");
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\n",
            "{}",
        ] {
            assert_eq!(with_body(other.as_bytes()), None);
        }
    }
}
