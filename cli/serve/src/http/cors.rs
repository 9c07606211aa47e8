//! Calls from browsers of other origins.

use axum::http::HeaderMap;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, ORIGIN, VARY,
};
use obsq_query_lang::{Regex, RegexError};

/// Which origins may call.
#[derive(Debug)]
pub(crate) enum CorsOrigin {
    Any,
    Matching(Regex),
}

impl CorsOrigin {
    /// Returns the origins that the anchored expression `pattern` matches.
    pub(crate) fn parse(pattern: &str) -> Result<Self, RegexError> {
        if pattern == ".*" {
            return Ok(Self::Any);
        }
        Regex::anchored(pattern).map(Self::Matching)
    }

    /// Adds the headers that let the browser of `request`'s origin read the answer.
    pub(crate) fn set_headers(&self, request: &HeaderMap, response: &mut HeaderMap) {
        response.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(ORIGIN) else {
            return;
        };
        let fixed = [
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "Accept, Authorization, Content-Type, Origin",
            ),
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ];
        for (name, value) in fixed {
            response.insert(name, HeaderValue::from_static(value));
        }
        let allowed = match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Matching(regex) => {
                let matches = |origin: &str| regex.is_match(origin);
                origin.to_str().is_ok_and(matches).then(|| origin.clone())
            }
        };
        if let Some(allowed) = allowed {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(pattern: &str, origin: Option<&str>) -> Option<String> {
        let (mut request, mut response) = (HeaderMap::new(), HeaderMap::new());
        if let Some(origin) = origin {
            request.insert(ORIGIN, origin.parse().unwrap());
        }
        let cors = CorsOrigin::parse(pattern).unwrap();
        cors.set_headers(&request, &mut response);
        let value = response.get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_origins_that_match_are_allowed() {
        let origin = Some("https://grafana.example");
        assert_eq!(allowed(".*", origin).as_deref(), Some("*"));
        assert_eq!(allowed(".*", None), None);
        assert_eq!(allowed("https://.*[.]example", origin).as_deref(), origin);
        assert_eq!(allowed("https://other", origin), None);
    }
}
