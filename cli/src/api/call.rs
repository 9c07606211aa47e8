//! Questions of the Prometheus API.

use std::fmt::Write as _;

use obsq_model::TimeRange;

use crate::times::format_seconds;

/// What both kinds of query share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct QueryParameters {
    /// The query's text.
    pub(crate) query: String,
    /// How far back an instant selector looks.
    pub(crate) lookback_delta: Option<String>,
    /// Most series to return; 0 for all.
    pub(crate) limit: usize,
    /// Ask for statistics.
    pub(crate) stats: bool,
    /// Most milliseconds that evaluation may take.
    pub(crate) timeout_ms: Option<u64>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// A query at one time.
    Query {
        /// What is asked.
        parameters: QueryParameters,
        /// The time.
        time_ms: i64,
    },
    /// A query at every step of a range.
    QueryRange {
        /// What is asked.
        parameters: QueryParameters,
        /// First and last step.
        range: TimeRange,
        /// Distance of the steps.
        step_ms: i64,
    },
    /// The names of labels.
    Labels {
        /// Selectors.
        selectors: Vec<String>,
        /// When; `None` leaves it to the server.
        range: Option<TimeRange>,
        /// Most names to return; 0 for all.
        limit: usize,
    },
    /// The values of a label.
    LabelValues {
        /// The label's name.
        name: String,
        /// Selectors.
        selectors: Vec<String>,
        /// When; `None` leaves it to the server.
        range: Option<TimeRange>,
        /// Most values to return; 0 for all.
        limit: usize,
    },
    /// What the server's head holds most of.
    TsdbStatus {
        /// Names of each kind to return.
        limit: usize,
    },
    /// Label sets.
    Series {
        /// Selectors, at least one.
        selectors: Vec<String>,
        /// When; `None` leaves it to the server.
        range: Option<TimeRange>,
        /// Most series to return; 0 for all.
        limit: usize,
    },
}

impl Call {
    /// Returns the path below the server's URL.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Query { .. } => "/api/v1/query".into(),
            Self::QueryRange { .. } => "/api/v1/query_range".into(),
            Self::Labels { .. } => "/api/v1/labels".into(),
            Self::LabelValues { name, .. } => {
                format!("/api/v1/label/{}/values", path_segment(name))
            }
            Self::TsdbStatus { .. } => "/api/v1/status/tsdb".into(),
            Self::Series { .. } => "/api/v1/series".into(),
        }
    }

    /// Says whether the parameters may go in the body of a POST, where long queries fit.
    pub(crate) fn is_form(&self) -> bool {
        !matches!(self, Self::LabelValues { .. } | Self::TsdbStatus { .. })
    }

    /// Returns the parameters.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        match self {
            Self::Query {
                parameters,
                time_ms,
            } => {
                add_query(&mut pairs, parameters);
                pairs.push(("time", format_seconds(*time_ms)));
            }
            Self::QueryRange {
                parameters,
                range,
                step_ms,
            } => {
                add_query(&mut pairs, parameters);
                add_range(&mut pairs, Some(*range));
                pairs.push(("step", format_seconds(*step_ms)));
            }
            Self::TsdbStatus { limit } => add_limit(&mut pairs, *limit),
            Self::Labels {
                selectors,
                range,
                limit,
            }
            | Self::LabelValues {
                selectors,
                range,
                limit,
                ..
            }
            | Self::Series {
                selectors,
                range,
                limit,
            } => {
                pairs.extend(selectors.iter().map(|text| ("match[]", text.clone())));
                add_range(&mut pairs, *range);
                add_limit(&mut pairs, *limit);
            }
        }
        pairs
    }
}

fn add_query(pairs: &mut Vec<(&'static str, String)>, parameters: &QueryParameters) {
    pairs.push(("query", parameters.query.clone()));
    let lookback = parameters.lookback_delta.clone();
    pairs.extend(lookback.map(|text| ("lookback_delta", text)));
    add_limit(pairs, parameters.limit);
    if parameters.stats {
        pairs.push(("stats", "all".into()));
    }
    let timeout = parameters.timeout_ms.map(|ms| format!("{ms}ms"));
    pairs.extend(timeout.map(|text| ("timeout", text)));
}

fn add_limit(pairs: &mut Vec<(&'static str, String)>, limit: usize) {
    if limit > 0 {
        pairs.push(("limit", limit.to_string()));
    }
}

fn add_range(pairs: &mut Vec<(&'static str, String)>, range: Option<TimeRange>) {
    if let Some(range) = range {
        pairs.push(("start", format_seconds(range.start_ms)));
        pairs.push(("end", format_seconds(range.end_ms)));
    }
}

/// Returns a label's name as a part of a path: `U__` form where it is not a plain name, as
/// Prometheus reads it.
fn path_segment(name: &str) -> String {
    let plain = |(index, c): (usize, char)| {
        c.is_ascii_alphabetic() || c == '_' || (index > 0 && c.is_ascii_digit())
    };
    if !name.is_empty() && name.char_indices().all(plain) {
        return name.to_owned();
    }
    let mut escaped = String::from("U__");
    for (index, c) in name.char_indices() {
        match c {
            '_' => escaped.push_str("__"),
            c if plain((index, c)) => escaped.push(c),
            c => write!(escaped, "_{:x}_", u32::from(c)).unwrap_or_default(),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_query_has_seconds_and_only_what_was_asked() {
        let call = Call::QueryRange {
            parameters: QueryParameters {
                query: "up".into(),
                limit: 5,
                ..QueryParameters::default()
            },
            range: TimeRange::new(1_500, 61_500),
            step_ms: 15_000,
        };
        assert_eq!(call.path(), "/api/v1/query_range");
        let pairs = call.parameters();
        let expected = [
            ("query", "up"),
            ("limit", "5"),
            ("start", "1.5"),
            ("end", "61.5"),
            ("step", "15"),
        ];
        let got: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_name_that_is_not_plain_is_escaped_in_the_path() {
        assert_eq!(path_segment("job"), "job");
        assert_eq!(path_segment("room.name_x"), "U__room_2e_name__x");
        assert_eq!(path_segment("1a/b"), "U___31_a_2f_b");
    }
}
