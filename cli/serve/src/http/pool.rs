//! From async handlers to the threads that compute.

use obsq_source::CancelToken;

use crate::prom::{ApiError, ErrorType};

/// Cancels a query when dropped, which is what happens to a handler whose client goes away.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` on a thread that may block and returns what it returns; a panic becomes an error.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(result) => result,
        Err(error) => Err(panicked(Some(error))),
    }
}

/// Returns the error of a call that did not come to its end.
pub(crate) fn panicked(error: Option<tokio::task::JoinError>) -> ApiError {
    let error = error.map_or_else(String::new, |error| error.to_string());
    tracing::error!(error, "a call ended in a panic");
    let message = "internal error; the server's log has the details";
    ApiError::new(ErrorType::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let result = compute::<()>(|| panic!("on purpose")).await;
        assert_eq!(result.unwrap_err().error_type, ErrorType::Internal);
        assert_eq!(compute(|| Ok(1)).await, Ok(1));
    }

    #[test]
    fn a_dropped_handler_cancels_its_query() {
        let token = CancelToken::default();
        drop(CancelOnDrop(token.clone()));
        assert!(token.is_canceled());
    }
}
