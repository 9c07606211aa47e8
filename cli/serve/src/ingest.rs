//! From decoded requests to the store.

use std::sync::Arc;

use obsq_ingest::Refused;
use obsq_model::Tenant;
use obsq_source::{Appended, Durable, Error, MetricAppender, MetricBatch, RejectReason, Rejection};

use crate::app::App;
use crate::prom::{ApiError, ErrorType, with_causes};
use crate::telemetry::{Protocol, Telemetry};

/// What became of a request that writes.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) samples: usize,
    pub(crate) histograms: usize,
    pub(crate) exemplars: usize,
    /// Samples and exemplars refused by a rule of the protocol or of the store.
    pub(crate) refused: usize,
    pub(crate) first: Option<Rejection>,
}

/// A request whose accepted part is in the store and on its way to the disk.
#[derive(Debug)]
pub(crate) struct Appending {
    written: Written,
    durable: Durable,
}

/// Appends what is scraped and counts it.
#[derive(Debug)]
pub(crate) struct CountedAppender {
    inner: Arc<dyn MetricAppender>,
    telemetry: Arc<Telemetry>,
}

impl CountedAppender {
    pub(crate) fn new(inner: Arc<dyn MetricAppender>, telemetry: Arc<Telemetry>) -> Self {
        Self { inner, telemetry }
    }
}

impl MetricAppender for CountedAppender {
    fn append(&self, tenant: &Tenant, batch: MetricBatch) -> Result<Appended, Error> {
        let appended = self.inner.append(tenant, batch)?;
        self.telemetry.received(
            Protocol::Scrape,
            appended.samples,
            appended.histograms,
            appended.exemplars,
            appended.rejected,
        );
        Ok(appended)
    }
}

/// Appends `batch`; what was `refused` before is added to what the store refuses.
pub(crate) fn append(
    app: &App,
    protocol: Protocol,
    tenant: &Tenant,
    batch: MetricBatch,
    refused: Refused,
) -> Result<Appending, ApiError> {
    let appended = app
        .appender
        .append(tenant, batch)
        .map_err(|error| write_error(&error))?;
    let written = Written {
        samples: appended.samples,
        histograms: appended.histograms,
        exemplars: appended.exemplars,
        refused: appended.rejected + refused.count,
        first: refused.first.into_iter().chain(appended.rejections).next(),
    };
    app.telemetry.received(
        protocol,
        written.samples,
        written.histograms,
        written.exemplars,
        written.refused,
    );
    Ok(Appending {
        written,
        durable: appended.durable,
    })
}

impl Appending {
    /// Waits until the accepted part is on disk.
    pub(crate) async fn durable(self) -> Result<Written, ApiError> {
        self.durable
            .wait()
            .await
            .map_err(|error| write_error(&error))?;
        Ok(self.written)
    }
}

impl Written {
    /// Returns the error that tells what was refused, or `None` when all was accepted. The rest is
    /// stored all the same.
    pub(crate) fn refusal(&self) -> Option<ApiError> {
        if self.refused == 0 {
            return None;
        }
        let total = self.refused + self.samples + self.histograms + self.exemplars;
        let message = format!("{} of {total} samples and exemplars refused", self.refused);
        let Some(first) = &self.first else {
            return Some(ApiError::bad_data(message));
        };
        let Rejection {
            labels,
            ts_ms,
            reason,
        } = first;
        let error_type = match reason {
            RejectReason::TooManySeries { .. } => ErrorType::TooManyRequests,
            _ => ErrorType::BadData,
        };
        let message =
            format!("{message}, the first one: {reason} (series {labels}, time {ts_ms} ms)");
        Some(ApiError::new(error_type, message))
    }
}

/// Returns the error of a request that waited for its turn in vain.
pub(crate) fn busy() -> ApiError {
    let message = "too many requests are being written; try again soon";
    ApiError::new(ErrorType::Unavailable, message)
}

/// Returns the error of a request that could not be written at all.
fn write_error(error: &Error) -> ApiError {
    let error_type = match error {
        Error::DiskFull { .. } => ErrorType::InsufficientStorage,
        Error::RateLimited { .. } => ErrorType::TooManyRequests,
        Error::Unavailable { .. } => ErrorType::Unavailable,
        _ => return ApiError::from_kind(error.kind(), with_causes(error)),
    };
    ApiError::new(error_type, with_causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::Labels;

    fn written(reason: RejectReason) -> Written {
        Written {
            samples: 9,
            refused: 1,
            first: Some(Rejection {
                labels: Labels::from_pairs(&[("__name__", "up")]),
                ts_ms: 5,
                reason,
            }),
            ..Written::default()
        }
    }

    #[test]
    fn a_refusal_tells_count_and_first_reason() {
        assert_eq!(Written::default().refusal(), None);
        let error = written(RejectReason::DuplicateSample).refusal().unwrap();
        assert_eq!(
            error.message,
            "1 of 10 samples and exemplars refused, the first one: duplicate sample for timestamp \
             (series {__name__=\"up\"}, time 5 ms)"
        );
        assert_eq!(error.error_type.status(), 400);
        let error = written(RejectReason::TooManySeries { limit: 1 }).refusal();
        assert_eq!(error.unwrap().error_type.status(), 429);
    }

    #[test]
    fn what_is_wrong_with_the_disk_has_a_status_of_its_own() {
        let full = Error::DiskFull {
            free_bytes: 1,
            needed_bytes: 2,
        };
        assert_eq!(write_error(&full).error_type.status(), 507);
        let gone = Error::Unavailable {
            what: "x".into(),
            source: None,
        };
        assert_eq!(write_error(&gone).error_type.status(), 503);
    }
}
