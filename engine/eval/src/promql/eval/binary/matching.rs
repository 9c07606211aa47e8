//! Which series of two vectors belong together.

use obsq_model::{Labels, METRIC_NAME};
use obsq_query_lang::promql::{MatchCardinality, VectorMatching};

use crate::promql::eval::aggregate::{KeyBuffer, Numbering};
use crate::promql::plan::Binary;
use crate::promql::series::StepSeries;

use super::element::labels_after;

/// The match groups of two vectors: series with the same number belong together.
#[derive(Debug)]
pub(super) struct Signatures {
    /// The group of each series on the left.
    pub(super) left: Vec<u32>,
    /// The group of each series on the right.
    pub(super) right: Vec<u32>,
    /// Number of groups.
    pub(super) count: usize,
}

impl Signatures {
    pub(super) fn of(matching: &VectorMatching, left: &[StepSeries], right: &[StepSeries]) -> Self {
        let (mut numbering, mut buffer) = (Numbering::default(), KeyBuffer::default());
        let mut number = |series: &[StepSeries]| -> Vec<u32> {
            let numbers = series.iter().map(|one| {
                let key = buffer.key(&one.labels, |name| matches_by(matching, name));
                numbering.number(key).0
            });
            numbers.collect()
        };
        let (left, right) = (number(left), number(right));
        Self {
            left,
            right,
            count: numbering.len(),
        }
    }
}

/// Says whether series are matched by a label.
fn matches_by(matching: &VectorMatching, name: &str) -> bool {
    let listed = matching.labels.iter().any(|label| label == name);
    if matching.on {
        listed
    } else {
        !listed && name != METRIC_NAME
    }
}

/// Returns the labels that a series is matched by.
pub(super) fn match_labels(matching: &VectorMatching, labels: &Labels) -> Labels {
    labels.only(|name| matches_by(matching, name))
}

/// Returns the labels of a result from those of the 'many' side (the left one of one-to-one) and
/// of the 'one' side.
pub(super) fn result_labels(
    binary: &Binary,
    matching: &VectorMatching,
    drop_at_once: bool,
    many: &Labels,
    one: &Labels,
) -> Labels {
    let kept = labels_after(many, drop_at_once || binary.changes_meaning());
    let kept = if matching.cardinality == MatchCardinality::OneToOne {
        kept.only(|name| {
            let listed = matching.labels.iter().any(|label| label == name);
            listed == matching.on
        })
    } else {
        kept
    };
    if matching.include.is_empty() {
        return kept;
    }
    let mut builder = kept.to_builder();
    for name in &matching.include {
        builder.set(name, one.value(name));
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::plan::NodeId;
    use obsq_query_lang::promql::BinaryOp;

    fn binary(op: BinaryOp) -> Binary {
        Binary {
            op,
            lhs: NodeId(0),
            rhs: NodeId(1),
            matching: None,
            return_bool: false,
        }
    }

    fn matching(cardinality: MatchCardinality, on: bool, include: &[&str]) -> VectorMatching {
        VectorMatching {
            cardinality,
            on,
            labels: vec!["a".into()],
            include: include.iter().map(|name| (*name).to_owned()).collect(),
            ..VectorMatching::default()
        }
    }

    #[test]
    fn labels_of_a_result_come_from_the_many_side() {
        let many = Labels::from_pairs(&[("__name__", "m"), ("a", "1"), ("b", "2"), ("c", "3")]);
        let one = Labels::from_pairs(&[("__name__", "n"), ("a", "1"), ("c", "4")]);
        let text = |op, matching: &VectorMatching| {
            result_labels(&binary(op), matching, false, &many, &one).to_string()
        };
        let on = matching(MatchCardinality::OneToOne, true, &[]);
        assert_eq!(text(BinaryOp::Add, &on), r#"{a="1"}"#);
        let ignoring = matching(MatchCardinality::OneToOne, false, &[]);
        assert_eq!(text(BinaryOp::Add, &ignoring), r#"{b="2", c="3"}"#);
        assert_eq!(
            text(BinaryOp::Less, &ignoring),
            r#"{__name__="m", b="2", c="3"}"#
        );
        let group = matching(MatchCardinality::ManyToOne, true, &["b", "c"]);
        assert_eq!(text(BinaryOp::Add, &group), r#"{a="1", c="4"}"#);
    }
}
