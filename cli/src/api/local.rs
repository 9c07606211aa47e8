//! obsq's own engine in this process, over a data directory or text.

use std::sync::Arc;
use std::time::Duration;

use obsq_eval::promql::{Engine, EngineOptions};
use obsq_model::{Clock, Tenant};
use obsq_serve::QueryOptions;
use obsq_serve::prom::{
    ApiError, ErrorType, Form, InstantRequest, PromService, RangeRequest, SeriesRequest,
};
use obsq_source::{CancelToken, MetricSource, QueryContext};

use crate::api::{Api, Asking, Call, Reply};
use crate::exit::Failure;

/// Answers from a source in this process.
#[derive(Debug)]
pub(crate) struct LocalApi {
    service: Arc<PromService>,
    tenant: Tenant,
    name: String,
}

impl LocalApi {
    /// Prepares to answer from `source`, which messages call `name`.
    pub(crate) fn new(
        source: Arc<dyn MetricSource>,
        tenant: Tenant,
        name: String,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let engine = Engine::new(EngineOptions::default())
            .map_err(|error| Failure::failed("cannot start the engine").because(&error))?;
        let options = QueryOptions {
            timeout,
            ..QueryOptions::default()
        };
        let service = PromService::new(source, engine, clock, options);
        Ok(Self {
            service: Arc::new(service),
            tenant,
            name,
        })
    }
}

impl Api for LocalApi {
    fn ask<'a>(&'a self, call: &'a Call) -> Asking<'a> {
        Box::pin(async move {
            let (service, tenant) = (Arc::clone(&self.service), self.tenant.clone());
            let (call, context) = (call.clone(), service.context(None));
            let _canceled_when_dropped = CancelOnDrop(context.cancel.clone());
            let working =
                tokio::task::spawn_blocking(move || answer(&service, &tenant, &call, &context));
            let done = working.await.map_err(|error| {
                Failure::failed("the query ended in a panic, which is a bug of obsq")
                    .because(&error)
            })?;
            Ok(done.unwrap_or_else(|error| Reply {
                status: error.error_type.status(),
                body: error.to_json(),
                written: None,
            }))
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// Ends the work when the question is dropped, as Ctrl-C does.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Answers as the server does, from the same parameters.
fn answer(
    service: &PromService,
    tenant: &Tenant,
    call: &Call,
    context: &QueryContext,
) -> Result<Reply, ApiError> {
    let form = Form::from_pairs(call.parameters());
    let now = Duration::ZERO;
    let body = match call {
        Call::Query { .. } => {
            let request = InstantRequest::from_form(&form, service.now_ms())?;
            service.query(tenant, &request, now, context)?.to_json()
        }
        Call::QueryRange { .. } => {
            let request = RangeRequest::from_form(&form)?;
            service
                .query_range(tenant, &request, now, context)?
                .to_json()
        }
        Call::Labels { .. } => {
            let request = SeriesRequest::from_form(&form)?;
            service.labels(tenant, &request, context)?.to_json()
        }
        Call::LabelValues { name, .. } => {
            let request = SeriesRequest::from_form(&form)?;
            service
                .label_values(tenant, name, &request, context)?
                .to_json()
        }
        // There is no head: whoever asks counts series.
        Call::TsdbStatus { .. } => {
            let text = "a directory has no head";
            return Err(ApiError::new(ErrorType::NotFound, text));
        }
        Call::Series { .. } => {
            let request = SeriesRequest::from_form(&form)?;
            service.series(tenant, &request, context)?.to_json()
        }
    };
    if context.cancel.is_canceled() {
        return Err(ApiError::new(ErrorType::Canceled, "query was canceled"));
    }
    Ok(Reply {
        status: 200,
        body,
        written: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::QueryParameters;
    use obsq_metrics::BlockSet;
    use obsq_model::{Labels, ManualClock, Sample};
    use obsq_source::{MetricBatch, SeriesBatch};

    fn api() -> LocalApi {
        let mut set = BlockSet::default();
        set.add_samples(MetricBatch {
            series: vec![SeriesBatch {
                labels: Labels::from_pairs(&[("__name__", "up"), ("job", "a")]),
                samples: [Sample::float(1_000, 3.0)].into(),
                exemplars: Vec::new(),
            }],
            metadata: Vec::new(),
        });
        let clock = Arc::new(ManualClock::at(2_000));
        let timeout = Duration::from_secs(5);
        LocalApi::new(
            Arc::new(set),
            Tenant::anonymous(),
            "test".into(),
            clock,
            timeout,
        )
        .unwrap()
    }

    async fn ask(call: Call) -> (u16, String) {
        let reply = api().ask(&call).await.unwrap();
        (reply.status, String::from_utf8(reply.body).unwrap())
    }

    fn query(text: &str) -> Call {
        Call::Query {
            parameters: QueryParameters {
                query: text.into(),
                ..QueryParameters::default()
            },
            time_ms: 2_000,
        }
    }

    #[tokio::test]
    async fn answers_are_the_bodies_of_the_server() {
        let (status, body) = ask(query("up * 2")).await;
        let expected = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[2,"6"]}]}}"#;
        assert_eq!((status, body.as_str()), (200, expected));
        let names = Call::Labels {
            selectors: Vec::new(),
            range: None,
            limit: 0,
        };
        let (_, body) = ask(names).await;
        assert_eq!(body, r#"{"status":"success","data":["__name__","job"]}"#);
    }

    #[tokio::test]
    async fn refusals_are_the_bodies_of_the_server() {
        let (status, body) = ask(query("sum(")).await;
        assert_eq!(status, 400);
        assert!(
            body.contains("parse error: unclosed left parenthesis"),
            "{body}"
        );
    }
}
