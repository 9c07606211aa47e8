//! What every call of the API starts and ends with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use obsq_model::Tenant;
use obsq_source::QueryContext;

use crate::app::App;
use crate::http::body::{discard, read_body};
use crate::http::gate::Slot;
use crate::http::pool::{CancelOnDrop, compute};
use crate::http::respond::{accepts_gzip, api_error, whole};
use crate::http::stream;
use crate::http::tenancy::tenant_of;
use crate::prom::{Answer, ApiError, ErrorType, Form, ToJson};

/// The most bytes of a form body.
const MAX_FORM_BYTES: usize = 10 << 20;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        api_error(&self)
    }
}

/// A call with its parameters.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) tenant: Tenant,
    pub(crate) form: Form,
    gzip: bool,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let has_form = matches!(parts.method, Method::POST | Method::PUT);
        let is_form = has_form && is_form(&parts.headers);
        let body = if is_form {
            read_body(body, MAX_FORM_BYTES, &app.bodies).await?.take()
        } else {
            discard(body).await;
            Vec::new()
        };
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            tenant: tenant_of(&parts.headers)?,
            form: Form::parse(&body, query.as_bytes())?,
            gzip: accepts_gzip(&parts.headers),
        })
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What a call that waited for its turn knows.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) app: Arc<App>,
    pub(crate) tenant: Tenant,
    pub(crate) context: QueryContext,
    pub(crate) queued: Duration,
}

impl Call {
    /// Runs `work` on the CPU pool once there is a free slot and answers with what it returns.
    /// The work is cancelled when `timeout` is over or the client goes away.
    pub(crate) async fn run<T: ToJson>(
        self,
        app: Arc<App>,
        timeout: Option<Duration>,
        work: impl FnOnce(&Turn) -> Result<Answer<T>, ApiError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let gzip = self.gzip;
        let backlog = Arc::clone(&app.backlog);
        let (turn, slot, _cancel) = self.turn(app, timeout).await?;
        let response = stream::respond("application/json", gzip, backlog, move |parts| {
            let answer = work(&turn);
            // Sending may take as long as the client likes; others can compute meanwhile.
            drop(slot);
            match answer {
                Ok(answer) => parts.answer(&answer),
                Err(error) => parts.fail(error),
            }
        });
        response.await
    }

    /// Like [`Self::run`], for work that makes something else than a JSON answer.
    pub(crate) async fn run_raw<T: Send + 'static>(
        self,
        app: Arc<App>,
        timeout: Option<Duration>,
        work: impl FnOnce(&Turn) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (turn, slot, _cancel) = self.turn(app, timeout).await?;
        let working = compute(move || {
            let _slot = slot;
            work(&turn)
        });
        working.await
    }

    /// Waits for a free slot. Dropping the last part of what is returned cancels the work.
    async fn turn(
        self,
        app: Arc<App>,
        timeout: Option<Duration>,
    ) -> Result<(Turn, Slot, CancelOnDrop), ApiError> {
        let timeout = app.limits.timeout(&self.tenant, timeout);
        let mut context = app.prom.context(timeout);
        app.limits.restrict(&self.tenant, &mut context);
        let cancel = CancelOnDrop(context.cancel.clone());
        let slot = app.enter_queries(&self.tenant).await;
        let slot = slot
            .ok_or_else(|| ApiError::new(ErrorType::Timeout, "query timed out in query queue"))?;
        let turn = Turn {
            tenant: self.tenant,
            context,
            queued: slot.waited,
            app,
        };
        Ok((turn, slot, cancel))
    }

    /// Answers with `answer`, which was cheap to get.
    pub(crate) fn answer<T: ToJson>(self, answer: &Answer<T>) -> Response {
        whole("application/json", answer.to_json(), self.gzip)
    }
}
