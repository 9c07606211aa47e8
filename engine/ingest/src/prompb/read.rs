//! Remote read requests.

use obsq_model::TimeRange;
use obsq_query_lang::promql::{LabelMatcher, MatcherOp};

use crate::error::DecodeError;
use crate::limits::{Budget, IngestLimits};
use crate::wire::{Reader, Value, Writer};

/// How a client accepts the answer to a read request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseType {
    /// One `ReadResponse` with all samples.
    Samples,
    /// A stream of `ChunkedReadResponse` frames with encoded chunks.
    StreamedXorChunks,
}

/// A `prometheus.ReadRequest`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadRequest {
    /// Queries; the answer has one result for each, in their order.
    pub queries: Vec<ReadQuery>,
    /// Response types the client accepts, the first that the server knows wins; types that are not
    /// known are left out. Empty means [`ResponseType::Samples`].
    pub accepted: Vec<ResponseType>,
}

/// One query of a read request.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadQuery {
    /// Times asked for, both ends inclusive.
    pub range: TimeRange,
    /// Conditions, all of which must hold.
    pub matchers: Vec<LabelMatcher>,
    /// What the samples are for, if the client says so.
    pub hints: Option<ReadHints>,
}

/// What a client is going to do with the samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadHints {
    /// Step of the query in ms.
    pub step_ms: i64,
    /// Surrounding function or aggregation.
    pub func: String,
    /// First time of interest in ms.
    pub start_ms: i64,
    /// Last time of interest in ms.
    pub end_ms: i64,
    /// Labels of the surrounding aggregation.
    pub grouping: Vec<String>,
    /// Whether the aggregation is `by` these labels and not `without`.
    pub by: bool,
    /// Range of the range vector selector in ms.
    pub range_ms: i64,
}

/// Decodes a decompressed `prometheus.ReadRequest`.
pub fn decode_read_request(body: &[u8], limits: &IngestLimits) -> Result<ReadRequest, DecodeError> {
    let fault = DecodeError::proto("ReadRequest");
    let mut budget = Budget::new(limits.max_expanded_bytes);
    let mut request = ReadRequest::default();
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => {
                let bytes = value.bytes(field).map_err(&fault)?;
                request.queries.push(read_query(bytes, &mut budget)?);
            }
            2 => {
                budget.charge(value.max_elements(1))?;
                let accepted = &mut request.accepted;
                value
                    .each_varint(field, |kind| accepted.extend(response_type(kind)))
                    .map_err(&fault)?;
            }
            _ => {}
        }
    }
    Ok(request)
}

fn response_type(number: u64) -> Option<ResponseType> {
    match number {
        0 => Some(ResponseType::Samples),
        1 => Some(ResponseType::StreamedXorChunks),
        _ => None,
    }
}

fn read_query(bytes: &[u8], budget: &mut Budget) -> Result<ReadQuery, DecodeError> {
    let fault = DecodeError::proto("Query");
    budget.charge(size_of::<ReadQuery>())?;
    let (mut range, mut matchers, mut hints) = (TimeRange::new(0, 0), Vec::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => range.start_ms = value.int(field).map_err(&fault)?,
            2 => range.end_ms = value.int(field).map_err(&fault)?,
            3 => {
                let bytes = value.bytes(field).map_err(&fault)?;
                budget.charge(size_of::<LabelMatcher>() + bytes.len())?;
                matchers.push(read_matcher(bytes)?);
            }
            4 => {
                let bytes = value.bytes(field).map_err(&fault)?;
                budget.charge(size_of::<ReadHints>() + bytes.len() * 16)?;
                hints = Some(read_hints(bytes)?);
            }
            _ => {}
        }
    }
    Ok(ReadQuery {
        range,
        matchers,
        hints,
    })
}

fn read_matcher(bytes: &[u8]) -> Result<LabelMatcher, DecodeError> {
    let fault = DecodeError::proto("LabelMatcher");
    let mut op = MatcherOp::Equal;
    let (mut name, mut text) = (String::new(), String::new());
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => op = matcher_op(value.varint(field).map_err(&fault)?)?,
            2 => name = read_text(field, value)?,
            3 => text = read_text(field, value)?,
            _ => {}
        }
    }
    Ok(LabelMatcher {
        name,
        op,
        value: text,
    })
}

fn matcher_op(number: u64) -> Result<MatcherOp, DecodeError> {
    match number {
        0 => Ok(MatcherOp::Equal),
        1 => Ok(MatcherOp::NotEqual),
        2 => Ok(MatcherOp::Regex),
        3 => Ok(MatcherOp::NotRegex),
        number => Err(DecodeError::MatcherType { number }),
    }
}

fn read_text(field: u32, value: Value<'_>) -> Result<String, DecodeError> {
    let bytes = value
        .bytes(field)
        .map_err(DecodeError::proto("LabelMatcher"))?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(source) => Err(DecodeError::Utf8 {
            message: "LabelMatcher",
            source,
        }),
    }
}

fn read_hints(bytes: &[u8]) -> Result<ReadHints, DecodeError> {
    let fault = DecodeError::proto("ReadHints");
    let mut hints = ReadHints::default();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => hints.step_ms = value.int(field).map_err(&fault)?,
            2 => hints.func = read_text(field, value)?,
            3 => hints.start_ms = value.int(field).map_err(&fault)?,
            4 => hints.end_ms = value.int(field).map_err(&fault)?,
            5 => hints.grouping.push(read_text(field, value)?),
            6 => hints.by = value.varint(field).map_err(&fault)? != 0,
            7 => hints.range_ms = value.int(field).map_err(&fault)?,
            _ => {}
        }
    }
    Ok(hints)
}

/// Returns a `prometheus.ReadRequest`, not compressed.
pub fn read_request(request: &ReadRequest) -> Vec<u8> {
    let mut writer = Writer::default();
    for query in &request.queries {
        writer.message(1, |w| write_query(w, query));
    }
    let accepted = request.accepted.iter().map(|kind| match kind {
        ResponseType::Samples => 0,
        ResponseType::StreamedXorChunks => 1,
    });
    writer.packed(2, accepted);
    writer.into_bytes()
}

fn write_query(writer: &mut Writer, query: &ReadQuery) {
    writer
        .int(1, query.range.start_ms)
        .int(2, query.range.end_ms);
    for matcher in &query.matchers {
        let op = match matcher.op {
            MatcherOp::Equal => 0,
            MatcherOp::NotEqual => 1,
            MatcherOp::Regex => 2,
            MatcherOp::NotRegex => 3,
        };
        writer.message(3, |w| {
            w.varint(1, op)
                .bytes(2, matcher.name.as_bytes())
                .bytes(3, matcher.value.as_bytes());
        });
    }
    if let Some(hints) = &query.hints {
        writer.message(4, |w| write_hints(w, hints));
    }
}

fn write_hints(writer: &mut Writer, hints: &ReadHints) {
    writer
        .int(1, hints.step_ms)
        .bytes(2, hints.func.as_bytes())
        .int(3, hints.start_ms)
        .int(4, hints.end_ms);
    for label in &hints.grouping {
        writer.present_bytes(5, label.as_bytes());
    }
    writer.varint(6, u64::from(hints.by)).int(7, hints.range_ms);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_comes_back_from_its_bytes() {
        let matcher = |op, value: &str| LabelMatcher {
            name: "__name__".to_owned(),
            op,
            value: value.to_owned(),
        };
        let request = ReadRequest {
            queries: vec![ReadQuery {
                range: TimeRange::new(-5, 1_700_000_000_000),
                matchers: vec![
                    matcher(MatcherOp::Equal, "up"),
                    matcher(MatcherOp::NotRegex, "a.*"),
                ],
                hints: Some(ReadHints {
                    step_ms: 15_000,
                    func: "rate".to_owned(),
                    start_ms: 1,
                    end_ms: 2,
                    grouping: vec!["job".to_owned()],
                    by: true,
                    range_ms: 300_000,
                }),
            }],
            accepted: vec![ResponseType::StreamedXorChunks, ResponseType::Samples],
        };
        let bytes = read_request(&request);
        let back = decode_read_request(&bytes, &IngestLimits::default()).unwrap();
        assert_eq!(back, request);
    }

    #[test]
    fn unknown_matcher_types_are_refused() {
        let mut writer = Writer::default();
        writer.message(1, |w| {
            w.message(3, |w| {
                w.varint(1, 8).bytes(2, b"a");
            });
        });
        let error = decode_read_request(&writer.into_bytes(), &IngestLimits::default());
        assert_eq!(error.unwrap_err().to_string(), "unknown matcher type 8");
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _unused = decode_read_request(&bytes, &IngestLimits::default());
        }
    }
}
