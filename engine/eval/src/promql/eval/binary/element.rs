//! An operator between two single values.

use std::sync::Arc;

use obsq_model::histogram::{Combined, Trim};
use obsq_model::{FloatHistogram, Labels};
use obsq_query_lang::promql::BinaryOp;

use crate::promql::annotations::HistogramOperation;
use crate::promql::outcome::Value;

/// What an operation between two values has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The operator is not defined for these types of operands.
    Types(&'static str, &'static str),
    /// The bucket layouts do not go together.
    Layout,
    /// The counter resets contradict each other.
    Collision(HistogramOperation),
    /// The custom bounds had to be brought together.
    Reconciled(HistogramOperation),
}

/// A result of an operation between two values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Element {
    /// The value.
    pub(super) value: Value,
    /// The comparison holds; always so for other operators.
    pub(super) keep: bool,
}

/// Returns the result of an operator between two floats, and whether the comparison holds.
#[inline]
pub(super) fn floats(op: BinaryOp, left: f64, right: f64) -> (f64, bool) {
    match op {
        BinaryOp::Add => (left + right, true),
        BinaryOp::Sub => (left - right, true),
        BinaryOp::Mul => (left * right, true),
        BinaryOp::Div => (left / right, true),
        BinaryOp::Mod => (left % right, true),
        BinaryOp::Pow => (left.powf(right), true),
        BinaryOp::Atan2 => (left.atan2(right), true),
        BinaryOp::Equal => (left, left == right),
        BinaryOp::NotEqual => (left, left != right),
        BinaryOp::Less => (left, left < right),
        BinaryOp::LessEqual => (left, left <= right),
        BinaryOp::Greater => (left, left > right),
        BinaryOp::GreaterEqual => (left, left >= right),
        BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Unless
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => (f64::NAN, false),
    }
}

/// Applies an operator. Returns no element when the operands do not go together; `finding` then
/// says why, and may also say something of a result.
pub(super) fn apply(
    op: BinaryOp,
    left: &Value,
    right: &Value,
    finding: &mut Option<Finding>,
) -> Option<Element> {
    match (left, right) {
        (Value::Float(_), Value::Float(_)) if is_trim(op) => {
            *finding = Some(Finding::Types("float", "float"));
            None
        }
        (Value::Float(left), Value::Float(right)) => {
            let (value, keep) = floats(op, *left, *right);
            Some(Element {
                value: Value::Float(value),
                keep,
            })
        }
        (Value::Float(left), Value::Histogram(right)) => {
            if op == BinaryOp::Mul {
                return Some(changed(right, |histogram| {
                    histogram.mul(*left);
                    histogram.compact();
                }));
            }
            *finding = Some(Finding::Types("float", "histogram"));
            None
        }
        (Value::Histogram(left), Value::Float(right)) => histogram_float(op, left, *right, finding),
        (Value::Histogram(left), Value::Histogram(right)) => histograms(op, left, right, finding),
    }
}

fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

fn changed(histogram: &FloatHistogram, change: impl FnOnce(&mut FloatHistogram)) -> Element {
    let mut changed = histogram.clone();
    change(&mut changed);
    Element {
        value: Value::Histogram(Arc::new(changed)),
        keep: true,
    }
}

fn histogram_float(
    op: BinaryOp,
    left: &FloatHistogram,
    right: f64,
    finding: &mut Option<Finding>,
) -> Option<Element> {
    Some(match op {
        BinaryOp::Mul => changed(left, |histogram| {
            histogram.mul(right);
            histogram.compact();
        }),
        BinaryOp::Div => changed(left, |histogram| {
            histogram.div(right);
            histogram.compact();
        }),
        BinaryOp::TrimUpper => changed(left, |histogram| histogram.trim(right, Trim::KeepBelow)),
        BinaryOp::TrimLower => changed(left, |histogram| histogram.trim(right, Trim::KeepAbove)),
        _ => {
            *finding = Some(Finding::Types("histogram", "float"));
            return None;
        }
    })
}

fn histograms(
    op: BinaryOp,
    left: &Arc<FloatHistogram>,
    right: &FloatHistogram,
    finding: &mut Option<Finding>,
) -> Option<Element> {
    let compared = |keep| {
        Some(Element {
            value: Value::Histogram(Arc::clone(left)),
            keep,
        })
    };
    match op {
        BinaryOp::Equal => compared(left.equals(right)),
        BinaryOp::NotEqual => compared(!left.equals(right)),
        BinaryOp::Add | BinaryOp::Sub => {
            let mut sum = FloatHistogram::clone(left);
            let (combined, operation) = if op == BinaryOp::Add {
                (sum.add(right), HistogramOperation::Addition)
            } else {
                (sum.sub(right), HistogramOperation::Subtraction)
            };
            let Ok(Combined {
                reset_collision,
                bounds_reconciled,
            }) = combined
            else {
                *finding = Some(Finding::Layout);
                return None;
            };
            // As upstream has it, contradicting resets leave no result.
            if reset_collision {
                *finding = Some(Finding::Collision(operation));
                return None;
            }
            if bounds_reconciled {
                *finding = Some(Finding::Reconciled(operation));
            }
            if op == BinaryOp::Sub {
                sum.counter_reset_hint = obsq_model::CounterResetHint::Gauge;
            }
            sum.compact();
            Some(Element {
                value: Value::Histogram(Arc::new(sum)),
                keep: true,
            })
        }
        _ => {
            *finding = Some(Finding::Types("histogram", "histogram"));
            None
        }
    }
}

/// Returns 1 for true and 0 for false.
pub(super) fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Returns labels without those of metric name, type and unit where `changed` is set.
pub(super) fn labels_after(labels: &Labels, changed: bool) -> Labels {
    if changed {
        labels.without_metadata()
    } else {
        labels.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(count: f64) -> Value {
        Value::Histogram(Arc::new(FloatHistogram {
            count,
            zero_count: count,
            ..FloatHistogram::default()
        }))
    }

    fn kinds(op: BinaryOp) -> String {
        let (float, histogram) = (Value::Float(2.0), histogram(4.0));
        let operands = [&float, &histogram];
        let mut text = String::new();
        for left in operands {
            for right in operands {
                let mut finding = None;
                let element = apply(op, left, right, &mut finding);
                text.push(match element.map(|element| element.value) {
                    Some(Value::Float(_)) => 'f',
                    Some(Value::Histogram(_)) => 'h',
                    None => '-',
                });
                assert_eq!(finding.is_some(), text.ends_with('-'));
            }
        }
        text
    }

    #[test]
    fn operators_are_defined_for_some_types_only() {
        let table = [
            ("f--h", "+ - == !="),
            ("fhh-", "*"),
            ("f-h-", "/"),
            ("--h-", "</ >/"),
            ("f---", "% ^ atan2 < <= > >="),
        ];
        for (expected, operators) in table {
            for op in operators.split(' ') {
                let op = BinaryOp::from_name(op).unwrap();
                assert_eq!(kinds(op), expected, "{op}");
            }
        }
    }

    #[test]
    fn comparisons_give_the_left_value() {
        assert_eq!(floats(BinaryOp::Greater, 2.0, 1.0), (2.0, true));
        assert_eq!(floats(BinaryOp::Greater, 1.0, 2.0), (1.0, false));
        let (value, keep) = floats(BinaryOp::Equal, f64::NAN, f64::NAN);
        assert!(value.is_nan() && !keep);
        assert_eq!(floats(BinaryOp::Pow, 1.0, f64::NAN).0, 1.0);
        assert_eq!(floats(BinaryOp::Mod, -7.0, 3.0).0, -1.0);
    }
}
