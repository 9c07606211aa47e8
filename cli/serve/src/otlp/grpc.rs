//! OTLP over gRPC.
//!
//! The message is decoded by the same code as over HTTP, which looks at a message's shape before
//! it takes memory for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use bytes::Buf as _;
use obsq_ingest::IngestLimits;
use obsq_ingest::otlp::collector::ExportMetricsServiceResponse;
use obsq_ingest::otlp::decode_protobuf;
use prost::Message as _;
use tonic::codec::{
    Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder,
};
use tonic::server::{Grpc, UnaryService};

use super::status::grpc_code;
use crate::app::App;
use crate::http::tenancy::tenant_of;
use crate::prom::ApiError;

/// The path of the one call.
pub(super) const METRICS_EXPORT: &str =
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Serves the call.
pub(super) async fn export(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let mut accepted = EnabledCompressionEncodings::default();
    accepted.enable(CompressionEncoding::Gzip);
    accepted.enable(CompressionEncoding::Zstd);
    let limits = IngestLimits::default();
    let mut grpc = Grpc::new(ExportCodec)
        .apply_compression_config(accepted, EnabledCompressionEncodings::default())
        .apply_max_message_size_config(Some(limits.max_decoded_bytes), None);
    let response = grpc.unary(Export(app), request).await;
    response.map(Body::new)
}

/// The messages of the call: the request as bytes, the answer as a message.
#[derive(Debug, Clone, Copy)]
struct ExportCodec;

impl Codec for ExportCodec {
    type Encode = ExportMetricsServiceResponse;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for ExportCodec {
    type Item = ExportMetricsServiceResponse;
    type Error = tonic::Status;

    fn encode(
        &mut self,
        response: ExportMetricsServiceResponse,
        out: &mut EncodeBuf<'_>,
    ) -> Result<(), tonic::Status> {
        let encoded = response.encode(out);
        encoded.map_err(|error| tonic::Status::internal(error.to_string()))
    }
}

impl Decoder for ExportCodec {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, tonic::Status> {
        let mut bytes = vec![0; message.remaining()];
        message.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

struct Export(Arc<App>);

impl UnaryService<Vec<u8>> for Export {
    type Response = ExportMetricsServiceResponse;
    type Future = Pin<
        Box<dyn Future<Output = Result<tonic::Response<Self::Response>, tonic::Status>> + Send>,
    >;

    fn call(&mut self, request: tonic::Request<Vec<u8>>) -> Self::Future {
        let app = Arc::clone(&self.0);
        Box::pin(async move {
            let exported = export_metrics(app, request).await;
            exported
                .map(tonic::Response::new)
                .map_err(|error| tonic::Status::new(grpc_code(&error), error.message))
        })
    }
}

async fn export_metrics(
    app: Arc<App>,
    request: tonic::Request<Vec<u8>>,
) -> Result<ExportMetricsServiceResponse, ApiError> {
    let (metadata, _, message) = request.into_parts();
    let tenant = tenant_of(metadata.as_ref())?;
    let decode = move || decode_protobuf(&message, &IngestLimits::default());
    super::store(app, tenant, decode).await
}
