//! Attribute values as text.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns a value as it stands in a label: plain text for scalars, base64 for bytes, JSON for
/// lists and maps. An absent value is the empty text.
pub(super) fn as_text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => float_text(*value),
        Some(Value::BytesValue(bytes)) => base64(bytes),
        Some(composite @ (Value::ArrayValue(_) | Value::KvlistValue(_))) => {
            let mut json = String::new();
            push_json(&mut json, Some(composite));
            json
        }
    }
}

/// Writes a float as JSON does in Go: without an exponent between 1e-6 and 1e21.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "json: unsupported value: NaN".to_owned();
    }
    if value.is_infinite() {
        let sign = if value > 0.0 { '+' } else { '-' };
        return format!("json: unsupported value: {sign}Inf");
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                format!("{mantissa}e+{exponent}")
            }
            _ => text,
        };
    }
    value.to_string()
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * at) & 63) as usize];
            out.push(if at > chunk.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    out
}

fn push_json(out: &mut String, value: Option<&Value>) {
    match value {
        None | Some(Value::StringValueStrindex(_)) => out.push_str("null"),
        Some(Value::StringValue(text)) => push_json_text(out, text),
        Some(Value::BoolValue(value)) => {
            let _infallible = write!(out, "{value}");
        }
        Some(Value::IntValue(value)) => {
            let _infallible = write!(out, "{value}");
        }
        Some(Value::DoubleValue(value)) => out.push_str(&float_text(*value)),
        Some(Value::BytesValue(bytes)) => push_json_text(out, &base64(bytes)),
        Some(Value::ArrayValue(list)) => {
            out.push('[');
            for (index, value) in list.values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_json(out, value.value.as_ref());
            }
            out.push(']');
        }
        Some(Value::KvlistValue(list)) => {
            let mut pairs: Vec<_> = list.values.iter().collect();
            pairs.sort_by(|a, b| a.key.cmp(&b.key));
            out.push('{');
            for (index, pair) in pairs.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_json_text(out, &pair.key);
                out.push(':');
                push_json(out, pair.value.as_ref().and_then(|v| v.value.as_ref()));
            }
            out.push('}');
        }
    }
}

/// Writes a JSON string as Go does, which escapes what could end a script in HTML.
fn push_json_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue, KeyValueList};

    fn text(value: Value) -> String {
        as_text(Some(&AnyValue { value: Some(value) }))
    }

    #[test]
    fn scalars_are_plain_text() {
        let cases = [
            (Value::StringValue("x".to_owned()), "x"),
            (Value::BoolValue(true), "true"),
            (Value::IntValue(-5), "-5"),
            (Value::DoubleValue(1.0), "1"),
            (Value::DoubleValue(0.000_001), "0.000001"),
            (Value::DoubleValue(1.5e-7), "1.5e-7"),
            (Value::DoubleValue(1e21), "1e+21"),
            (Value::DoubleValue(f64::NAN), "json: unsupported value: NaN"),
            (Value::BytesValue(vec![1, 2, 3, 4]), "AQIDBA=="),
            (Value::BytesValue(vec![255, 254]), "//4="),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
        assert_eq!(as_text(None), "");
    }

    #[test]
    fn lists_and_maps_are_json_with_sorted_keys() {
        let pair = |key: &str, value: Value| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        };
        let list = ArrayValue {
            values: vec![
                AnyValue {
                    value: Some(Value::StringValue("<\"\n".to_owned())),
                },
                AnyValue { value: None },
            ],
        };
        let map = KeyValueList {
            values: vec![
                pair("b", Value::ArrayValue(list)),
                pair("a", Value::DoubleValue(0.5)),
            ],
        };
        assert_eq!(
            text(Value::KvlistValue(map)),
            r#"{"a":0.5,"b":["\u003c\"\n",null]}"#
        );
    }
}
