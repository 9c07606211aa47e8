//! Bodies and headers of remote write.

use obsq_ingest::prompb::{write_request, write_request_v2};
use obsq_source::MetricBatch;

/// The protocol's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum WriteVersion {
    /// Remote write 1.0, which every receiver understands
    #[default]
    #[value(name = "1.0")]
    First,
    /// Remote write 2.0
    #[value(name = "2.0")]
    Second,
}

impl WriteVersion {
    /// Returns the body, not compressed.
    pub(crate) fn encode(self, batch: &MetricBatch) -> Vec<u8> {
        match self {
            Self::First => write_request(batch),
            Self::Second => write_request_v2(batch),
        }
    }

    /// Returns the headers of a request whose body is snappy.
    pub(crate) fn headers(self) -> [(&'static str, &'static str); 3] {
        let (content_type, version) = match self {
            Self::First => ("application/x-protobuf", "0.1.0"),
            Self::Second => {
                let kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
                (kind, "2.0.0")
            }
        };
        [
            ("content-type", content_type),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-write-version", version),
        ]
    }
}
