//! The HTTP API of Prometheus.
//!
//! [`PromService`] and the request and answer types know no transport, so that the command line
//! answers the same calls from a data directory without a server.

mod answer;
mod error;
mod federate;
mod form;
mod global_url;
mod handlers;
mod histogram;
mod json;
mod label_name;
mod number;
mod parse_query;
mod read;
mod request;
mod selectors;
mod service;
mod time;
mod write;

pub use answer::{Answer, QueryData, RawJson, ToJson};
pub use error::{ApiError, ErrorType};
pub use form::Form;
pub use json::JsonWriter;
pub use request::{
    ExemplarRequest, InstantRequest, MetadataRequest, QueryCommon, RangeRequest, SeriesRequest,
    StatsRequest,
};
pub use service::PromService;

pub(crate) use error::with_causes;
pub(crate) use federate::routes as federate_routes;
pub(crate) use global_url::GlobalUrl;
pub(crate) use handlers::router;
pub(crate) use number::float_text;
pub(crate) use selectors::parse_one_selector;
