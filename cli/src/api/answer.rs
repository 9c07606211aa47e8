//! Reading the bodies of answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::Reply;
use crate::exit::{Exit, Failure};

/// An answer that says yes, its data still as text.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The data, undecoded.
    pub(crate) data: &'a RawValue,
    /// What the user should know.
    pub(crate) warnings: Vec<String>,
    /// What the user may want to know.
    pub(crate) infos: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    infos: Option<Vec<String>>,
}

/// The warning of servers that cut an answer at `limit`.
const TRUNCATED: &str = "results truncated due to limit";

impl<'a> Answer<'a> {
    /// Reads a body. An answer that says no becomes a failure with the fitting exit code.
    pub(crate) fn read(reply: &'a Reply, who: &str) -> Result<Self, Failure> {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(&reply.body) else {
            return Err(not_prometheus(reply, who));
        };
        match (envelope.status.as_str(), envelope.data) {
            ("success", Some(data)) => Ok(Self {
                data,
                warnings: envelope.warnings.unwrap_or_default(),
                infos: envelope.infos.unwrap_or_default(),
            }),
            _ => Err(refused(reply.status, &envelope)),
        }
    }

    /// Says whether the server left something out because of `limit`.
    pub(crate) fn is_truncated(&self) -> bool {
        self.warnings.iter().any(|text| text.contains(TRUNCATED))
    }

    /// Returns the warnings but for the one that [`Self::is_truncated`] is about.
    pub(crate) fn remarks(&self) -> impl Iterator<Item = &String> {
        self.warnings
            .iter()
            .filter(|text| !text.contains(TRUNCATED))
    }

    /// Says whether a part of the data was missing when the server answered. PromQL's own remarks
    /// on a query do not count.
    pub(crate) fn is_partial(&self) -> bool {
        !self.remarks().all(|text| text.starts_with("PromQL "))
    }

    /// Decodes the data of a query.
    pub(crate) fn query(&self) -> Result<QueryAnswer<'a>, Failure> {
        let data: QueryData<'a> = decode(self.data)?;
        let result = data.result;
        Ok(match data.result_type.as_str() {
            "scalar" => QueryAnswer::Scalar(decode::<RawPoint>(result)?.point()),
            "string" => QueryAnswer::Text(decode::<RawPoint>(result)?.point()),
            "vector" => QueryAnswer::Vector(series(result)?),
            "matrix" => QueryAnswer::Matrix(series(result)?),
            other => return Err(Failure::failed(format!("unknown result type `{other}`"))),
        })
    }

    /// Returns the statistics that a query was asked for.
    pub(crate) fn stats(&self) -> Option<serde_json::Value> {
        #[derive(Deserialize)]
        struct WithStats {
            stats: Option<serde_json::Value>,
        }
        decode::<WithStats>(self.data).ok()?.stats
    }

    /// Decodes a list of names or values.
    pub(crate) fn names(&self) -> Result<Vec<String>, Failure> {
        decode(self.data)
    }

    /// Decodes a list of label sets.
    pub(crate) fn label_sets(&self) -> Result<Vec<BTreeMap<String, String>>, Failure> {
        decode(self.data)
    }
}

/// A query's result.
#[derive(Debug)]
pub(crate) enum QueryAnswer<'a> {
    /// One value.
    Scalar(Point),
    /// A string.
    Text(Point),
    /// One point per series.
    Vector(Vec<SeriesAnswer<'a>>),
    /// Points per series.
    Matrix(Vec<SeriesAnswer<'a>>),
}

/// A series of a result.
#[derive(Debug)]
pub(crate) struct SeriesAnswer<'a> {
    /// Labels by name.
    pub(crate) labels: BTreeMap<String, String>,
    /// Points in order of time, floats and histograms mixed.
    pub(crate) points: Vec<Point>,
    /// The element as it came.
    pub(crate) raw: &'a RawValue,
}

/// A value at a time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// When.
    pub(crate) ts_ms: i64,
    /// What.
    pub(crate) value: Value,
}

/// A value as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A float or string, as text.
    Text(String),
    /// A native histogram.
    Histogram(HistogramAnswer),
}

impl Value {
    /// Returns the value for people: a histogram without its buckets.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Histogram(histogram) => histogram.short(),
        }
    }

    /// Returns the float; NaN when it is none.
    pub(crate) fn float(&self) -> f64 {
        match self {
            Self::Text(text) => text.parse().unwrap_or(f64::NAN),
            Self::Histogram(_) => f64::NAN,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Histogram(histogram) => histogram.fmt(f),
        }
    }
}

/// A native histogram of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct HistogramAnswer {
    count: String,
    sum: String,
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

impl HistogramAnswer {
    /// Returns count, sum and mean without the buckets, `{count:5, sum:18.4, avg:3.68, 4 buckets}`.
    fn short(&self) -> String {
        let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        let mean = number(&self.sum) / number(&self.count);
        let mean = if mean.is_finite() {
            format!(", avg:{mean:.4}")
        } else {
            String::new()
        };
        let buckets = self.buckets.len();
        let plural = if buckets == 1 { "" } else { "s" };
        let (count, sum) = (&self.count, &self.sum);
        format!("{{count:{count}, sum:{sum}{mean}, {buckets} bucket{plural}}}")
    }
}

/// Prints `{count:5, sum:18.4, (0.5,1]:2}`.
impl std::fmt::Display for HistogramAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{count:{}, sum:{}", self.count, self.sum)?;
        for (bounds, lower, upper, count) in &self.buckets {
            let open = if matches!(bounds, 1 | 3) { '[' } else { '(' };
            let close = if matches!(bounds, 0 | 3) { ']' } else { ')' };
            write!(f, ", {open}{lower},{upper}{close}:{count}")?;
        }
        f.write_str("}")
    }
}

#[derive(Deserialize)]
struct QueryData<'a> {
    #[serde(rename = "resultType")]
    result_type: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct RawPoint(f64, String);

impl RawPoint {
    fn point(self) -> Point {
        Point {
            ts_ms: milliseconds(self.0),
            value: Value::Text(self.1),
        }
    }
}

#[derive(Deserialize)]
struct RawSeries {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<RawPoint>,
    #[serde(default)]
    values: Vec<RawPoint>,
    histogram: Option<(f64, HistogramAnswer)>,
    #[serde(default)]
    histograms: Vec<(f64, HistogramAnswer)>,
}

fn series(result: &RawValue) -> Result<Vec<SeriesAnswer<'_>>, Failure> {
    let elements: Vec<&RawValue> = decode(result)?;
    elements.into_iter().map(one_series).collect()
}

fn one_series(raw: &RawValue) -> Result<SeriesAnswer<'_>, Failure> {
    let decoded: RawSeries = decode(raw)?;
    let floats = decoded.value.into_iter().chain(decoded.values);
    let mut points: Vec<Point> = floats.map(RawPoint::point).collect();
    let histograms = decoded.histogram.into_iter().chain(decoded.histograms);
    points.extend(histograms.map(|(seconds, histogram)| Point {
        ts_ms: milliseconds(seconds),
        value: Value::Histogram(histogram),
    }));
    points.sort_by_key(|point| point.ts_ms);
    let labels = decoded.metric;
    Ok(SeriesAnswer {
        labels,
        points,
        raw,
    })
}

fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

fn decode<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Failure> {
    serde_json::from_str(raw.get()).map_err(|error| {
        Failure::failed("the answer does not have the shape of the Prometheus API").because(&error)
    })
}

fn not_prometheus(reply: &Reply, who: &str) -> Failure {
    let status = reply.status;
    match status {
        401 | 403 => Failure::new(
            Exit::Denied,
            format!("{who} does not let us in: status {status}"),
        )
        .hint("see `--bearer-token-file`, `--username` and `--http-config`"),
        502..=504 => Failure::new(
            Exit::Unreachable,
            format!("{who} answers with status {status}"),
        ),
        _ => {
            let start: String = String::from_utf8_lossy(&reply.body)
                .chars()
                .take(200)
                .collect();
            let text = format!("{who} answers with status {status}: {}", start.trim());
            Failure::failed(text).hint("is this the URL of a server with the Prometheus API?")
        }
    }
}

fn refused(status: u16, envelope: &Envelope<'_>) -> Failure {
    let kind = envelope.error_type.as_deref().unwrap_or_default();
    let text = envelope
        .error
        .clone()
        .unwrap_or_else(|| format!("status {status}"));
    let exit = match (kind, status) {
        (_, 401 | 403) => Exit::Denied,
        ("timeout", _) => Exit::Unreachable,
        _ => Exit::Failed,
    };
    Failure::new(exit, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Report;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.as_bytes().to_vec(),
            written: None,
        }
    }

    #[test]
    fn floats_and_histograms_of_a_series_are_brought_into_order() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"1"],[3.5,"NaN"]],"histograms":[[2,{"count":"3","sum":"4","buckets":[[3,"-0.1","0.1","1"],[0,"1","2","2"]]}]]}]}}"#;
        let reply = reply(200, body);
        let answer = Answer::read(&reply, "x").unwrap();
        let QueryAnswer::Matrix(series) = answer.query().unwrap() else {
            panic!("a matrix");
        };
        let shown: Vec<_> = series[0]
            .points
            .iter()
            .map(|point| format!("{} {}", point.ts_ms, point.value))
            .collect();
        let expected = [
            "1000 1",
            "2000 {count:3, sum:4, [-0.1,0.1]:1, (1,2]:2}",
            "3500 NaN",
        ];
        assert_eq!(shown, expected);
        assert!(series[0].raw.get().starts_with(r#"{"metric":{"a""#));
    }

    #[test]
    fn a_refusal_has_the_exit_code_of_its_kind() {
        let table = [
            (
                400,
                r#"{"status":"error","errorType":"bad_data","error":"x"}"#,
                Exit::Failed,
            ),
            (
                503,
                r#"{"status":"error","errorType":"timeout","error":"x"}"#,
                Exit::Unreachable,
            ),
            (401, "unauthorized", Exit::Denied),
            (
                403,
                r#"{"status":"error","errorType":"x","error":"x"}"#,
                Exit::Denied,
            ),
            (502, "<html>", Exit::Unreachable),
            (404, "404 page not found", Exit::Failed),
        ];
        for (status, body, exit) in table {
            let failure = Answer::read(&reply(status, body), "x").unwrap_err();
            assert_eq!(failure.exit, exit, "{status} {body}");
        }
    }

    #[test]
    fn remarks_on_a_query_do_not_make_its_answer_partial() {
        let read = |warning: &str| {
            let body = format!(r#"{{"status":"success","data":[],"warnings":["{warning}"]}}"#);
            let reply = reply(200, &body);
            let answer = Answer::read(&reply, "x").unwrap();
            (answer.is_partial(), answer.is_truncated())
        };
        assert_eq!(read("PromQL warning: bucket label"), (false, false));
        assert_eq!(read("results truncated due to limit"), (false, true));
        assert_eq!(read("store b is down"), (true, false));
    }

    #[test]
    fn what_is_not_the_prometheus_api_is_told_with_its_start() {
        let failure = Answer::read(&reply(200, "<html>hello"), "the server").unwrap_err();
        let Report::Message { text, hint, .. } = failure.report else {
            panic!("a message");
        };
        assert_eq!(text, "the server answers with status 200: <html>hello");
        assert!(hint.is_some());
    }
}
