//! Parameters of a call, from the query string and a form body.

use super::error::ApiError;
use super::time::{parse_duration_ns, parse_time};

/// The most parameters of one call.
const MAX_PARAMETERS: usize = 10_000;
/// The most bytes of one parameter's value.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// The parameters of one call, in order; those of the body come before those of the URL, so that
/// they win where only one value counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Returns the form of the given pairs.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            pairs: pairs.collect(),
        }
    }

    /// Parses a form body and a query string, both percent-encoded.
    pub fn parse(body: &[u8], query: &[u8]) -> Result<Self, ApiError> {
        let mut form = Self::default();
        for encoded in [body, query] {
            for pair in encoded
                .split(|byte| *byte == b'&')
                .filter(|pair| !pair.is_empty())
            {
                form.push(pair)?;
            }
        }
        Ok(form)
    }

    fn push(&mut self, pair: &[u8]) -> Result<(), ApiError> {
        if self.pairs.len() == MAX_PARAMETERS {
            let limit = format!("error parsing form values: more than {MAX_PARAMETERS} parameters");
            return Err(ApiError::bad_data(limit));
        }
        let equals = pair
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(pair.len());
        let (name, value) = (&pair[..equals], pair.get(equals + 1..).unwrap_or_default());
        let name = decode(name)?;
        if value.len() > 3 * MAX_VALUE_BYTES {
            return Err(too_long(&name));
        }
        let value = decode(value)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(too_long(&name));
        }
        self.pairs.push((name, value));
        Ok(())
    }

    /// Returns the first value of `name`, or the empty string.
    pub fn get(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    /// Returns all values of `name` in order.
    pub fn all<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let values = self.pairs.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the time in `name`; it must be given.
    pub(crate) fn time(&self, name: &str) -> Result<i64, ApiError> {
        parse_time(self.get(name)).map_err(|problem| ApiError::parameter(name, problem))
    }

    /// Returns the time in `name`, or `default` when it is absent.
    pub(crate) fn time_or(&self, name: &str, default: i64) -> Result<i64, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(default);
        }
        parse_time(text).map_err(|problem| {
            ApiError::parameter(name, format!("invalid time value for '{name}': {problem}"))
        })
    }

    /// Returns the duration in `name` in nanoseconds, or `None` when it is absent.
    pub(crate) fn duration_ns(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let nanos = parse_duration_ns(text);
        nanos
            .map(Some)
            .map_err(|problem| ApiError::parameter(name, problem))
    }

    /// Returns `limit`, 0 when absent, which means none.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.integer("limit")?.unwrap_or(0);
        usize::try_from(limit)
            .map_err(|_negative| ApiError::parameter("limit", "limit must be non-negative"))
    }

    /// Returns the integer in `name`, or `None` when it is absent.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let problem = |what: &str| {
            ApiError::parameter(name, format!("strconv.Atoi: parsing {text:?}: {what}"))
        };
        let value = text.parse::<i64>().map_err(|error| match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                problem("value out of range")
            }
            _ => problem("invalid syntax"),
        })?;
        Ok(Some(value))
    }
}

fn too_long(name: &str) -> ApiError {
    ApiError::parameter(
        name,
        format!("longer than {MAX_VALUE_BYTES} bytes, the most that one value may have"),
    )
}

/// Decodes percent and plus signs; the result must be UTF-8.
pub(crate) fn decode(encoded: &[u8]) -> Result<String, ApiError> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
                let pair = (digit(encoded.get(at + 1)), digit(encoded.get(at + 2)));
                let (Some(high), Some(low)) = pair else {
                    let escape = &encoded[at..encoded.len().min(at + 3)];
                    let escape = String::from_utf8_lossy(escape);
                    let problem =
                        format!("error parsing form values: invalid URL escape {escape:?}");
                    return Err(ApiError::bad_data(problem));
                };
                out.push((high * 16 + low) as u8);
                bytes.nth(1);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).map_err(|_invalid| {
        ApiError::bad_data("error parsing form values: a value is not valid UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str, query: &str) -> Form {
        Form::parse(body.as_bytes(), query.as_bytes()).unwrap()
    }

    #[test]
    fn the_body_wins_over_the_url_and_repeats_are_kept() {
        let form = form("query=up&match[]=a", "query=down&match%5B%5D=b+c&x");
        assert_eq!(form.get("query"), "up");
        assert_eq!(form.all("match[]"), ["a", "b c"]);
        assert_eq!((form.get("x"), form.get("y")), ("", ""));
    }

    #[test]
    fn what_is_badly_encoded_is_refused() {
        for query in ["query=%zz", "query=%f", "a%=1", "query=%ff%fe", "a=%c0%af"] {
            let error = Form::parse(b"", query.as_bytes()).unwrap_err();
            assert_eq!(error.error_type.status(), 400, "{query}");
        }
    }

    #[test]
    fn too_many_or_too_long_parameters_are_refused() {
        assert!(Form::parse("a=b&".repeat(10_001).as_bytes(), b"").is_err());
        let long = format!("query={}", "x".repeat(MAX_VALUE_BYTES + 1));
        assert!(Form::parse(long.as_bytes(), b"").is_err());
        assert!(Form::parse(&long.as_bytes()[..long.len() - 1], b"").is_ok());
    }

    #[test]
    fn numbers_are_refused_in_the_words_of_prometheus() {
        let limit = |text: &str| form("", &format!("limit={text}")).limit();
        assert_eq!(limit("10"), Ok(10));
        assert_eq!(form("", "").limit(), Ok(0));
        let message = |text: &str| limit(text).unwrap_err().message;
        assert_eq!(
            message("-1"),
            r#"invalid parameter "limit": limit must be non-negative"#
        );
        assert_eq!(
            message("x"),
            r#"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#
        );
        assert_eq!(
            form("", "time=zz").time_or("time", 0).unwrap_err().message,
            r#"invalid parameter "time": invalid time value for 'time': cannot parse "zz" to a valid timestamp"#
        );
    }
}
