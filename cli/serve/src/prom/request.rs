//! What can be asked, as structs that know no transport.

use std::time::Duration;

use obsq_eval::promql::StatsLevel;
use obsq_model::TimeRange;

use super::error::ApiError;
use super::form::Form;
use super::time::{MAX_TIME, MIN_TIME, parse_duration_ns};

/// The most steps of a range query.
const MAX_STEPS: i128 = 11_000;

/// Whether and how a query's cost is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatsRequest {
    /// Tell it.
    pub wanted: bool,
    /// How much is counted.
    pub level: StatsLevel,
    /// What was asked for in place of `true` and `all`, which is deprecated.
    pub deprecated: Option<String>,
}

impl StatsRequest {
    fn from_form(form: &Form) -> Self {
        let text = form.get("stats");
        let known = matches!(text, "" | "true" | "all");
        Self {
            wanted: !text.is_empty(),
            level: StatsLevel::Totals,
            deprecated: (!known).then(|| text.to_owned()),
        }
    }

    /// Returns the warning that a deprecated value earns.
    pub(crate) fn warning(&self) -> Option<String> {
        let text = self.deprecated.as_ref()?;
        Some(format!(
            "value {text:?} for parameter \"stats\" is deprecated and will be rejected in the \
             next major release, use \"true\" or \"all\""
        ))
    }
}

/// What instant and range queries have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryCommon {
    /// The query's text.
    pub query: String,
    /// Most series in the answer; 0 for all.
    pub limit: usize,
    /// The time the caller allows; `None` for the server's.
    pub timeout: Option<Duration>,
    /// Lookback of this query in milliseconds; `None` for the server's.
    pub lookback_ms: Option<i64>,
    /// Whether the cost is told.
    pub stats: StatsRequest,
}

impl QueryCommon {
    /// Reads everything but `limit`, whose errors come before those of times.
    fn from_form(form: &Form, limit: usize) -> Result<Self, ApiError> {
        let timeout_ns = form.duration_ns("timeout")?;
        let timeout = timeout_ns.map(|ns| Duration::from_nanos(u64::try_from(ns).unwrap_or(0)));
        let lookback_ms = match form.get("lookback_delta") {
            "" => None,
            text => {
                let nanos = parse_duration_ns(text).map_err(|problem| {
                    let context = "error parsing lookback delta duration";
                    ApiError::bad_data(format!("{context}: {problem}"))
                })?;
                (nanos > 0).then_some(nanos / 1_000_000)
            }
        };
        Ok(Self {
            query: form.get("query").to_owned(),
            limit,
            timeout,
            lookback_ms,
            stats: StatsRequest::from_form(form),
        })
    }
}

/// `/api/v1/query`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstantRequest {
    /// Query, limit, time-out, lookback, statistics.
    pub common: QueryCommon,
    /// The evaluation time in milliseconds since the epoch.
    pub time_ms: i64,
}

impl InstantRequest {
    /// Reads the parameters of a call made at `now_ms`.
    pub fn from_form(form: &Form, now_ms: i64) -> Result<Self, ApiError> {
        let limit = form.limit()?;
        let time_ms = form.time_or("time", now_ms)?;
        let common = QueryCommon::from_form(form, limit)?;
        Ok(Self { common, time_ms })
    }
}

/// `/api/v1/query_range`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RangeRequest {
    /// Query, limit, time-out, lookback, statistics.
    pub common: QueryCommon,
    /// First evaluation time in milliseconds.
    pub start_ms: i64,
    /// No evaluation lies after this time, in milliseconds.
    pub end_ms: i64,
    /// Distance of the evaluations in milliseconds, positive.
    pub step_ms: i64,
}

impl RangeRequest {
    /// Reads the parameters. The range is valid and has at most 11,000 steps.
    pub fn from_form(form: &Form) -> Result<Self, ApiError> {
        let limit = form.limit()?;
        let (start_ms, end_ms) = (form.time("start")?, form.time("end")?);
        if end_ms < start_ms {
            let problem = "end timestamp must not be before start time";
            return Err(ApiError::parameter("end", problem));
        }
        let step = parse_duration_ns(form.get("step"));
        let step_ns = step.map_err(|problem| ApiError::parameter("step", problem))?;
        let too_many = (i128::from(end_ms) - i128::from(start_ms)) * 1_000_000
            > MAX_STEPS
                .saturating_mul(i128::from(step_ns))
                .saturating_add(i128::from(step_ns) - 1);
        let step_ms = step_ns / 1_000_000;
        if step_ns > 0 && too_many {
            return Err(ApiError::bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the \
                 query resolution (?step=XX)",
            ));
        }
        if step_ms <= 0 {
            let problem = "zero or negative query resolution step widths are not accepted. Try a \
                           positive integer";
            return Err(ApiError::parameter("step", problem));
        }
        let common = QueryCommon::from_form(form, limit)?;
        Ok(Self {
            common,
            start_ms,
            end_ms,
            step_ms,
        })
    }
}

/// `/api/v1/labels`, `/api/v1/label/{name}/values` and `/api/v1/series`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRequest {
    /// Selectors as written, united.
    pub matchers: Vec<String>,
    /// Times of interest, both ends inclusive.
    pub range: TimeRange,
    /// Most entries in the answer; 0 for all.
    pub limit: usize,
}

impl SeriesRequest {
    /// Reads the parameters.
    pub fn from_form(form: &Form) -> Result<Self, ApiError> {
        let limit = form.limit()?;
        let (start_ms, end_ms) = optional_range(form)?;
        Ok(Self {
            matchers: form.all("match[]").into_iter().map(str::to_owned).collect(),
            range: TimeRange::new(start_ms, end_ms),
            limit,
        })
    }
}

/// `/api/v1/query_exemplars`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemplarRequest {
    /// The query whose selectors choose the series.
    pub query: String,
    /// Times of the exemplars, both ends inclusive.
    pub range: TimeRange,
}

impl ExemplarRequest {
    /// Reads the parameters.
    pub fn from_form(form: &Form) -> Result<Self, ApiError> {
        let (start_ms, end_ms) = optional_range(form)?;
        if end_ms < start_ms {
            let problem = "end timestamp must not be before start timestamp";
            return Err(ApiError::bad_data(problem));
        }
        Ok(Self {
            query: form.get("query").to_owned(),
            range: TimeRange::new(start_ms, end_ms),
        })
    }
}

fn optional_range(form: &Form) -> Result<(i64, i64), ApiError> {
    let start_ms = form.time_or("start", MIN_TIME.0)?;
    Ok((start_ms, form.time_or("end", MAX_TIME.0)?))
}

/// `/api/v1/metadata`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataRequest {
    /// One metric; `None` for all.
    pub metric: Option<String>,
    /// Most metrics in the answer; `None` for all.
    pub limit: Option<usize>,
    /// Most entries per metric; `None` for all.
    pub limit_per_metric: Option<usize>,
}

impl MetadataRequest {
    /// Reads the parameters. A negative limit is none.
    pub fn from_form(form: &Form) -> Result<Self, ApiError> {
        let number = |name: &str| match form.get(name) {
            "" => Ok(None),
            text => match text.parse::<i64>() {
                Ok(limit) => Ok(usize::try_from(limit).ok()),
                Err(_) => Err(ApiError::bad_data(format!("{name} must be a number"))),
            },
        };
        let (limit, per_metric) = (number("limit")?, number("limit_per_metric")?);
        let metric = form.get("metric");
        Ok(Self {
            metric: (!metric.is_empty()).then(|| metric.to_owned()),
            limit,
            limit_per_metric: per_metric.filter(|limit| *limit > 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form::from_pairs(pairs.iter().copied())
    }

    fn range(start: &str, end: &str, step: &str) -> Result<RangeRequest, String> {
        let pairs = [
            ("query", "up"),
            ("start", start),
            ("end", end),
            ("step", step),
        ];
        RangeRequest::from_form(&form(&pairs)).map_err(|error| error.message)
    }

    #[test]
    fn an_instant_query_has_defaults_for_all_but_the_query() {
        let request = InstantRequest::from_form(&form(&[("query", "up")]), 5_000).unwrap();
        assert_eq!(request.time_ms, 5_000);
        assert_eq!(request.common.query, "up");
        assert_eq!(
            request.common,
            QueryCommon {
                query: "up".into(),
                ..Default::default()
            }
        );
        let pairs = [
            ("time", "1.5"),
            ("timeout", "2m"),
            ("lookback_delta", "30"),
            ("limit", "7"),
            ("stats", "yes"),
        ];
        let request = InstantRequest::from_form(&form(&pairs), 0).unwrap();
        assert_eq!(request.time_ms, 1_500);
        assert_eq!(request.common.timeout, Some(Duration::from_mins(2)));
        assert_eq!(request.common.lookback_ms, Some(30_000));
        assert_eq!(request.common.limit, 7);
        assert!(request.common.stats.wanted && request.common.stats.warning().is_some());
    }

    #[test]
    fn bad_parameters_are_refused_in_the_words_of_prometheus() {
        let message = |pairs: &[(&str, &str)]| {
            InstantRequest::from_form(&form(pairs), 0)
                .unwrap_err()
                .message
        };
        assert_eq!(
            message(&[("timeout", "zz")]),
            r#"invalid parameter "timeout": cannot parse "zz" to a valid duration"#
        );
        assert_eq!(
            message(&[("lookback_delta", "x")]),
            r#"error parsing lookback delta duration: cannot parse "x" to a valid duration"#
        );
    }

    #[test]
    fn the_range_has_to_make_sense() {
        let steps = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing \
                     the query resolution (?step=XX)";
        let width = "invalid parameter \"step\": zero or negative query resolution step widths \
                     are not accepted. Try a positive integer";
        let backwards = "invalid parameter \"end\": end timestamp must not be before start time";
        for (start, end, step, problem) in [
            ("100", "0", "1", backwards),
            ("0", "100", "0", width),
            ("0", "100", "-5", width),
            ("0", "100", "NaN", width),
            ("0", "0", "0.0000001", width),
            ("0", "11001", "1", steps),
            ("0", "1", "1e-9", steps),
            ("0", "1000000", "1", steps),
        ] {
            assert_eq!(
                range(start, end, step),
                Err(problem.to_owned()),
                "{start} {end} {step}"
            );
        }
        assert!(
            range("0", "", "1")
                .unwrap_err()
                .starts_with("invalid parameter \"end\": cannot")
        );
        assert!(
            range("0", "100", "")
                .unwrap_err()
                .contains("cannot parse \"\"")
        );
        let request = range("0.5", "11000.9", "1").unwrap();
        assert_eq!(
            (request.start_ms, request.end_ms, request.step_ms),
            (500, 11_000_900, 1_000)
        );
    }

    #[test]
    fn limits_of_metadata_are_numbers() {
        let parse = |pairs: &[(&str, &str)]| MetadataRequest::from_form(&form(pairs));
        assert_eq!(
            parse(&[("limit", "x")]).unwrap_err().message,
            "limit must be a number"
        );
        let request = parse(&[("limit", "-1"), ("limit_per_metric", "2"), ("metric", "up")]);
        let expected = MetadataRequest {
            metric: Some("up".into()),
            limit: None,
            limit_per_metric: Some(2),
        };
        assert_eq!(request, Ok(expected));
    }
}
