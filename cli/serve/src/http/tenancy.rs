//! Which tenant a call belongs to.

use axum::http::HeaderMap;
use obsq_model::Tenant;

use crate::prom::ApiError;

/// The header, and the gRPC metadata key, that names the tenant.
pub(crate) const TENANT_HEADER: &str = "x-scope-orgid";

/// Returns the tenant that the headers name, the anonymous one when they name none.
pub(crate) fn tenant_of(headers: &HeaderMap) -> Result<Tenant, ApiError> {
    let Some(value) = headers.get(TENANT_HEADER) else {
        return Ok(Tenant::anonymous());
    };
    let name = value
        .to_str()
        .map_err(|_not_ascii| ApiError::bad_data("X-Scope-OrgID holds unsupported characters"))?;
    if name.is_empty() {
        return Ok(Tenant::anonymous());
    }
    Tenant::parse(name).map_err(|error| ApiError::bad_data(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_or_empty_header_is_the_anonymous_tenant() {
        let mut headers = HeaderMap::new();
        assert_eq!(tenant_of(&headers).unwrap().as_str(), "anonymous");
        headers.insert(TENANT_HEADER, "".parse().unwrap());
        assert_eq!(tenant_of(&headers).unwrap().as_str(), "anonymous");
        headers.insert(TENANT_HEADER, "team-a".parse().unwrap());
        assert_eq!(tenant_of(&headers).unwrap().as_str(), "team-a");
    }

    #[test]
    fn a_name_that_leaves_its_directory_is_refused() {
        for name in ["../../etc", "a/b", "a|b"] {
            let mut headers = HeaderMap::new();
            headers.insert(TENANT_HEADER, name.parse().unwrap());
            assert_eq!(tenant_of(&headers).unwrap_err().error_type.status(), 400);
        }
    }
}
