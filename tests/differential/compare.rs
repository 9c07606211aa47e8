//! Whether two answers are the same.

use serde_json::Value;

/// What two answers may differ in.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a freedom of its own"
)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// How far floats may be apart, as a share of the larger one.
    pub(super) share: f64,
    /// How far floats may be apart whatever their size.
    pub(super) distance: f64,
    /// The order of elements of an instant vector.
    pub(super) order: bool,
    /// The name of the metric.
    pub(super) name: bool,
    /// All labels.
    pub(super) labels: bool,
    /// An infinite value where they have NaN.
    pub(super) infinite_for_nan: bool,
    /// The beginning of an error that only the new rules have.
    pub(super) only_our_error: Option<&'static str>,
    /// Brings the text of an error to what must be equal.
    pub(super) error: fn(&str) -> String,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            share: 1e-12,
            distance: 0.0,
            order: true,
            name: false,
            labels: false,
            infinite_for_nan: false,
            only_our_error: None,
            error: str::to_owned,
        }
    }
}

/// Says whether two bodies are the same answer.
pub(super) fn same(ours: &Value, theirs: &Value, allowance: &Allowance) -> bool {
    if let (Some(text), Some(error)) = (allowance.only_our_error, ours["error"].as_str())
        && error.starts_with(text)
    {
        return true;
    }
    if ours["status"] != theirs["status"] {
        return false;
    }
    if ours["status"] == "error" {
        let text = |answer: &Value| (allowance.error)(answer["error"].as_str().unwrap_or_default());
        return ours["errorType"] == theirs["errorType"] && text(ours) == text(theirs);
    }
    let (ours, theirs) = (&ours["data"], &theirs["data"]);
    let kind = &ours["resultType"];
    let (ours, theirs) = (&ours["result"], &theirs["result"]);
    match kind.as_str() {
        _ if *kind != theirs_kind(theirs, kind) => false,
        Some("scalar") => same_point(ours, theirs, allowance),
        Some("vector" | "matrix") => same_series(ours, theirs, allowance),
        _ => ours == theirs,
    }
}

/// Returns `kind` where the shape of the result fits it.
fn theirs_kind(result: &Value, kind: &Value) -> Value {
    let key = |name: &str| result[0].get(name).is_some();
    match kind.as_str() {
        Some("vector") if key("values") => Value::from("matrix"),
        Some("matrix") if key("value") => Value::from("vector"),
        _ => kind.clone(),
    }
}

fn same_series(ours: &Value, theirs: &Value, allowance: &Allowance) -> bool {
    let (Some(ours), Some(theirs)) = (ours.as_array(), theirs.as_array()) else {
        return false;
    };
    if allowance.labels {
        let (ours, theirs) = (points(ours), points(theirs));
        return ours.len() == theirs.len()
            && ours
                .iter()
                .zip(&theirs)
                .all(|(ours, theirs)| same_point(ours, theirs, allowance));
    }
    let (ours, theirs) = (sorted(ours, allowance), sorted(theirs, allowance));
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(&theirs)
            .all(|((our_key, ours), (their_key, theirs))| {
                our_key == their_key
                    && match (ours.get("values"), theirs.get("values")) {
                        (Some(ours), Some(theirs)) => same_points(ours, theirs, allowance),
                        _ => same_point(&ours["value"], &theirs["value"], allowance),
                    }
            })
}

/// Returns the elements with what they are told apart by, in the order in which they are compared.
fn sorted<'a>(elements: &'a [Value], allowance: &Allowance) -> Vec<(String, &'a Value)> {
    let mut keyed: Vec<(String, &Value)> = elements
        .iter()
        .map(|element| (labels(element, allowance), element))
        .collect();
    if allowance.order {
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    keyed
}

/// Returns the points of all elements, by time and value.
fn points(elements: &[Value]) -> Vec<&Value> {
    fn of_one(element: &Value) -> Vec<&Value> {
        match element["values"].as_array() {
            Some(points) => points.iter().collect(),
            None => vec![&element["value"]],
        }
    }
    let mut points: Vec<&Value> = elements.iter().flat_map(of_one).collect();
    let key = |point: &Value| (point[0].as_f64().unwrap_or_default(), number(&point[1]));
    points.sort_by(|a, b| {
        let ((a_time, a), (b_time, b)) = (key(a), key(b));
        a_time.total_cmp(&b_time).then(a.total_cmp(&b))
    });
    points
}

fn labels(element: &Value, allowance: &Allowance) -> String {
    let mut metric = element["metric"].clone();
    if let (true, Some(labels)) = (allowance.name, metric.as_object_mut()) {
        labels.remove("__name__");
    }
    metric.to_string()
}

fn same_points(ours: &Value, theirs: &Value, allowance: &Allowance) -> bool {
    let (Some(ours), Some(theirs)) = (ours.as_array(), theirs.as_array()) else {
        return false;
    };
    let mut pairs = ours.iter().zip(theirs);
    ours.len() == theirs.len() && pairs.all(|(ours, theirs)| same_point(ours, theirs, allowance))
}

fn same_point(ours: &Value, theirs: &Value, allowance: &Allowance) -> bool {
    ours[0].as_f64() == theirs[0].as_f64() && {
        let (ours, theirs) = (number(&ours[1]), number(&theirs[1]));
        let larger = ours.abs().max(theirs.abs());
        let apart = (ours - theirs).abs();
        ours == theirs
            || theirs.is_nan()
                && (ours.is_nan() || ours.is_infinite() && allowance.infinite_for_nan)
            || larger.is_finite() && apart <= (larger * allowance.share).max(allowance.distance)
    }
}

/// Returns a value as answers write it.
fn number(text: &Value) -> f64 {
    let text = text.as_str().unwrap_or_default();
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vector(elements: &[(&str, &str)]) -> Value {
        let element =
            |(job, value): &(&str, &str)| json!({"metric": {"job": job}, "value": [7, value]});
        let elements: Vec<Value> = elements.iter().map(element).collect();
        json!({"status": "success", "data": {"resultType": "vector", "result": elements}})
    }

    #[test]
    fn a_wrong_digit_label_or_element_is_seen() {
        let strict = Allowance::default();
        let right = vector(&[("a", "1"), ("b", "NaN")]);
        assert!(same(
            &right,
            &vector(&[("b", "NaN"), ("a", "1.0000000000001")]),
            &strict
        ));
        for wrong in [
            vector(&[("a", "1.00000000001"), ("b", "NaN")]),
            vector(&[("a", "1"), ("c", "NaN")]),
            vector(&[("a", "1")]),
            vector(&[("a", "+Inf"), ("b", "NaN")]),
            json!({"status": "error", "errorType": "execution", "error": "no"}),
        ] {
            assert!(!same(&right, &wrong, &strict), "{wrong}");
        }
        let ordered = Allowance {
            order: false,
            ..strict
        };
        assert!(!same(
            &right,
            &vector(&[("b", "NaN"), ("a", "1")]),
            &ordered
        ));
    }
}
