//! The JSON Schema of `config.toml`.

use serde_json::{Value, json};

/// Returns the schema, for editors.
pub(crate) fn json_schema() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let context = json!({
        "type": "object",
        "additionalProperties": false,
        "oneOf": [{ "required": ["server"] }, { "required": ["data"] }],
        "properties": {
            "server": text("URL of an obsq server, or of any that answers the Prometheus API"),
            "data": text("data directory of obsq or Prometheus, read without a server"),
            "org_id": text("tenant, sent as X-Scope-OrgID"),
            "headers": {
                "type": "object",
                "description": "headers to send",
                "additionalProperties": { "type": "string" },
            },
            "username": text("user name for basic authentication"),
            "password_file": text("file that holds the password for basic authentication"),
            "bearer_token_file": text("file that holds a bearer token"),
            "http_config": text("file in the format of Prometheus' http_config"),
            "timeout": text("how long to wait for an answer, such as 30s"),
            "read_only": {
                "type": "boolean",
                "description": "refuse everything that changes the server",
            },
        },
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "obsq client configuration (config.toml)",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "current_context": text("name of the context that is used when none is named"),
            "defaults": {
                "type": "object",
                "description": "values of flags that are not given",
                "additionalProperties": false,
                "properties": {
                    "output": {
                        "enum": ["table", "json", "jsonl", "csv", "tsv", "raw", "graph", "markdown"],
                    },
                    "limit": { "type": "integer", "minimum": 0 },
                    "since": text("range where one is needed and none is given, such as 1h"),
                    "tz": text("UTC, local, an IANA name or an offset"),
                    "timeout": text("how long to wait for an answer, such as 30s"),
                },
            },
            "contexts": {
                "type": "object",
                "description": "named places to read from",
                "additionalProperties": context,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::parse;

    /// Every key of the schema is a key of the file: the parser refuses unknown ones.
    #[test]
    fn the_schema_names_exactly_the_keys_that_the_file_may_have() {
        let schema = json_schema();
        let contexts = &schema["properties"]["contexts"]["additionalProperties"]["properties"];
        let value = |schema: &Value| match schema["type"].as_str() {
            Some("boolean") => "true".to_owned(),
            Some("object") => "{}".to_owned(),
            Some("integer") => "1".to_owned(),
            _ => "\"5m\"".to_owned(),
        };
        for (group, keys) in [
            ("contexts.a", contexts),
            ("defaults", &schema["properties"]["defaults"]["properties"]),
        ] {
            for (key, about) in keys.as_object().unwrap() {
                let text = format!("[{group}]\n{key} = {}", value(about));
                let known = match parse(&text) {
                    Ok(_) => true,
                    Err(problems) => !problems[0].contains("unknown field"),
                };
                assert!(known, "{text}");
            }
        }
    }
}
