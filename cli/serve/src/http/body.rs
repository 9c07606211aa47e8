//! Reading request bodies, never more than allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use http_body_util::BodyExt as _;

use crate::prom::{ApiError, ErrorType};

/// Bytes of request bodies that are held at once, over all connections.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    limit: usize,
    held: AtomicUsize,
}

impl BodyBudget {
    /// Returns a budget of `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: AtomicUsize::new(0),
        })
    }

    /// Returns the bytes held at present.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// A body that was read; its bytes count against the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldBody {
    bytes: Vec<u8>,
    counted: usize,
    budget: Arc<BodyBudget>,
}

impl HeldBody {
    /// Returns the bytes, leaving none; they stay counted.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), ApiError> {
        let held = self.budget.held.fetch_add(part.len(), Ordering::Relaxed);
        self.counted += part.len();
        if held + part.len() > self.budget.limit {
            let message = "too many request bodies are being read; try again soon";
            return Err(ApiError::new(ErrorType::Unavailable, message));
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// How long a client may pause within a body.
const PAUSE: Duration = Duration::from_secs(30);
/// How much of a refused body is read and thrown away, so that the client gets to see the answer.
const DISCARD_BYTES: usize = 64 << 20;
/// How long throwing away may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Returns the whole body, or an error once it proves larger than `limit` bytes, pauses too long
/// or breaks off. What is left of a refused body is discarded.
pub(crate) async fn read_body(
    mut body: Body,
    limit: usize,
    budget: &Arc<BodyBudget>,
) -> Result<HeldBody, ApiError> {
    let read = read_limited(&mut body, limit, budget).await;
    if read.is_err() {
        discard(body).await;
    }
    read
}

async fn read_limited(
    body: &mut Body,
    limit: usize,
    budget: &Arc<BodyBudget>,
) -> Result<HeldBody, ApiError> {
    // A length that was declared is judged before anything is read.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut held = HeldBody {
        bytes: Vec::new(),
        counted: 0,
        budget: Arc::clone(budget),
    };
    loop {
        let frame = tokio::time::timeout(PAUSE, body.frame()).await;
        let frame = frame.map_err(|_elapsed| {
            ApiError::bad_data(format!(
                "no byte of the body came for {} s",
                PAUSE.as_secs()
            ))
        })?;
        let Some(frame) = frame else {
            return Ok(held);
        };
        let frame = frame.map_err(|error| {
            ApiError::bad_data(format!("cannot read the request body: {error}"))
        })?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if held.bytes.len() + part.len() > limit {
            return Err(too_large(limit));
        }
        held.extend(&part)?;
    }
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("request body is larger than {limit} bytes");
    ApiError::new(ErrorType::TooLarge, message)
}

/// Reads on for a while without keeping anything.
pub(crate) async fn discard(mut body: Body) {
    let reading = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(part) = frame.data_ref() {
                left = left.saturating_sub(part.len());
            }
            if left == 0 {
                break;
            }
        }
    };
    drop(tokio::time::timeout(DISCARD_TIME, reading).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_and_given_back() {
        let budget = BodyBudget::new(1000);
        let mut held = read_body(Body::from("x".repeat(10)), 10, &budget)
            .await
            .unwrap();
        assert_eq!(held.take().len(), 10);
        assert_eq!(budget.held_bytes(), 10);
        drop(held);
        assert_eq!(budget.held_bytes(), 0);
        let error = read_body(Body::from("x".repeat(11)), 10, &budget)
            .await
            .unwrap_err();
        assert_eq!(error.error_type.status(), 413);
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_limit() {
        let budget = BodyBudget::new(15);
        let first = read_body(Body::from("x".repeat(10)), 10, &budget)
            .await
            .unwrap();
        let error = read_body(Body::from("x".repeat(10)), 10, &budget)
            .await
            .unwrap_err();
        assert_eq!(error.error_type.status(), 503);
        drop(first);
        assert_eq!(budget.held_bytes(), 0);
    }
}
