//! Which message a request holds, told by its headers.

use crate::error::DecodeError;

/// The two message types of remote write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `prometheus.WriteRequest` of remote write 1.0.
    V1,
    /// `io.prometheus.write.v2.Request` of remote write 2.0.
    V2,
}

const ACCEPTED: &str = "`application/x-protobuf`, its `proto` parameter `prometheus.WriteRequest` \
                        or `io.prometheus.write.v2.Request`";

impl Message {
    /// Returns the message type that the headers announce.
    ///
    /// No content type and one without a `proto` parameter mean 1.0. The body must be snappy; no
    /// content encoding means so too.
    pub fn from_headers(
        content_type: Option<&str>,
        content_encoding: Option<&str>,
    ) -> Result<Self, DecodeError> {
        let encoding = content_encoding.unwrap_or_default().trim();
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("snappy") {
            return Err(DecodeError::ContentEncoding {
                given: encoding.to_owned(),
                accepted: "`snappy`",
            });
        }
        let given = content_type.unwrap_or_default();
        Self::from_content_type(given).ok_or_else(|| DecodeError::ContentType {
            given: given.to_owned(),
            accepted: ACCEPTED,
        })
    }

    fn from_content_type(given: &str) -> Option<Self> {
        let mut parts = given.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        if !media_type.is_empty() && !media_type.eq_ignore_ascii_case("application/x-protobuf") {
            return None;
        }
        for part in parts {
            let Some((name, value)) = part.split_once('=') else {
                continue;
            };
            if name.trim().eq_ignore_ascii_case("proto") {
                return match value.trim().trim_matches('"') {
                    "prometheus.WriteRequest" => Some(Self::V1),
                    "io.prometheus.write.v2.Request" => Some(Self::V2),
                    _ => None,
                };
            }
        }
        Some(Self::V1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_tell_the_version() {
        let cases = [
            ("", Some(Message::V1)),
            ("application/x-protobuf", Some(Message::V1)),
            (
                "application/x-protobuf;proto=prometheus.WriteRequest",
                Some(Message::V1),
            ),
            (
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                Some(Message::V2),
            ),
            (
                "Application/X-Protobuf; charset=x; Proto=\"io.prometheus.write.v2.Request\"",
                Some(Message::V2),
            ),
            ("application/x-protobuf;proto=other.Message", None),
            ("application/json", None),
        ];
        for (given, expected) in cases {
            let message = Message::from_headers(Some(given), Some("snappy"));
            assert_eq!(message.ok(), expected, "{given:?}");
        }
        let error = Message::from_headers(None, Some("zstd")).unwrap_err();
        assert_eq!(error.status(), 415);
    }
}
