//! OpenTelemetry metrics over OTLP, translated as Prometheus 3 translates them.
//!
//! A request body goes through [`decode_protobuf`] or [`decode_json`] (gRPC brings the message
//! decoded), then through [`translate`]. Resource attributes become `job`, `instance` and
//! `target_info`, names get their units and `_total`, delta temporality is summed up to cumulative
//! in [`DeltaStates`]. Data points that cannot be translated are counted with a reason, which is
//! OTLP's partial success; the rest is kept.
//!
//! Source: OpenTelemetry "Prometheus and OpenMetrics compatibility", Prometheus 3
//! `storage/remote/otlptranslator` and `otlp` configuration section.

mod any_value;
mod attributes;
mod decode;
mod delta;
mod exemplars;
mod exponential;
mod histogram;
mod json;
mod names;
mod number;
mod options;
mod prescan;
mod summary;
mod target_info;
mod translate;

pub use decode::{decode_json, decode_protobuf};
pub use delta::{DeltaLimits, DeltaStates};
pub use opentelemetry_proto::tonic::collector::metrics::v1 as collector;
pub use options::{OtlpOptions, PromotedAttributes, TranslationStrategy};
pub use translate::{Translated, translate};

#[cfg(test)]
mod tests;
