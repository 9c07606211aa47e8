//! Rules and alerts. No rules can be given to this server yet, so the answers are those of a
//! server without rules; parameters are checked all the same.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::call::Call;
use crate::app::App;
use crate::prom::selectors::parse_selectors;
use crate::prom::{Answer, ApiError, Form};

type Result = std::result::Result<Response, ApiError>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/rules", get(rules))
        .route(
            "/alerts",
            get(|call: Call| async { empty(call, json!({"alerts": []})) }),
        )
        .route(
            "/alertmanagers",
            get(|call: Call| async {
                empty(
                    call,
                    json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}),
                )
            }),
        )
}

fn empty(call: Call, data: Value) -> Response {
    call.answer(&Answer::plain(data))
}

async fn rules(call: Call) -> Result {
    check_parameters(&call.form)?;
    Ok(empty(call, json!({"groups": []})))
}

fn check_parameters(form: &Form) -> std::result::Result<(), ApiError> {
    let matchers: Vec<String> = form.all("match[]").into_iter().map(str::to_owned).collect();
    parse_selectors(&matchers)?;
    let kind = form.get("type").to_lowercase();
    if !matches!(kind.as_str(), "" | "alert" | "record") {
        return Err(ApiError::parameter(
            "type",
            format!("not supported value {kind:?}"),
        ));
    }
    let exclude = form.get("exclude_alerts");
    let boolean = matches!(
        exclude.to_lowercase().as_str(),
        "" | "1" | "t" | "true" | "0" | "f" | "false"
    );
    if !boolean {
        let problem = "error converting exclude_alerts: strconv.ParseBool: parsing";
        let problem = format!("{problem} {exclude:?}: invalid syntax");
        return Err(ApiError::parameter("exclude_alerts", problem));
    }
    check_paging(form.get("group_limit"), form.get("group_next_token"))
}

fn check_paging(limit: &str, token: &str) -> std::result::Result<(), ApiError> {
    let refused = |name, problem: &str| ApiError::parameter(name, problem);
    if limit.is_empty() {
        let name = "group_next_token";
        let problem = "group_limit needs to be present in order to paginate over the groups";
        return if token.is_empty() {
            Ok(())
        } else {
            Err(refused(name, problem))
        };
    }
    match limit.parse::<i32>() {
        Err(_) => {
            let cause = format!("strconv.ParseInt: parsing {limit:?}: invalid syntax");
            let problem = format!("group_limit needs to be a valid number: {cause}");
            Err(refused("group_limit", &problem))
        }
        Ok(..=0) => Err(refused(
            "group_limit",
            "group_limit needs to be greater than 0",
        )),
        Ok(_) if token.is_empty() => Ok(()),
        Ok(_) => {
            let problem = format!("invalid group_next_token '{token}'. were rule groups changed?");
            Err(refused("group_next_token", &problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked_though_there_are_no_rules() {
        let check = |pairs: &[(&str, &str)]| check_parameters(&Form::from_pairs(pairs.to_vec()));
        let fine: [&[(&str, &str)]; 4] = [
            &[],
            &[("type", "Alert"), ("exclude_alerts", "true")],
            &[("group_limit", "5")],
            &[("rule_group[]", "x"), ("file[]", "y")],
        ];
        for pairs in fine {
            assert_eq!(check(pairs), Ok(()));
        }
        for pair in [
            ("type", "x"),
            ("exclude_alerts", "maybe"),
            ("group_limit", "0"),
            ("group_limit", "x"),
            ("group_next_token", "abc"),
        ] {
            assert_eq!(
                check(&[pair]).unwrap_err().error_type.status(),
                400,
                "{pair:?}"
            );
        }
    }
}
