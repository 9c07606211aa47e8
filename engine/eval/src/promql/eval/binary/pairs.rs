//! Operators between vectors, pair of series by pair of series.
//!
//! Where each match group has one series on the side that must be unique (and, one to one, on the
//! other side too), the pairs are the same at every step, and whole columns are combined.

use obsq_query_lang::promql::{BinaryOp, MatchCardinality};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::Findings;
use super::element::{floats, truth};
use super::matching::Signatures;
use super::stepwise::{self, Sides, gathered};
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::output::{Output, SeriesList};
use crate::promql::plan::{Binary, Node};
use crate::promql::series::{FloatColumn, StepSeries};

impl Evaluation<'_> {
    pub(super) fn vector_vector(
        &mut self,
        node: &Node,
        binary: &Binary,
        left: &SeriesList,
        right: &SeriesList,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let matching = binary.matching.clone().unwrap_or_default();
        let signatures = Signatures::of(&matching, &left.series, &right.series);
        let swapped = matching.cardinality == MatchCardinality::OneToMany;
        let (many, one) = if swapped {
            (&right.series, &left.series)
        } else {
            (&left.series, &right.series)
        };
        let sides = Sides {
            binary,
            matching: &matching,
            signatures: &signatures,
            many,
            one,
            swapped,
            drop_at_once: !self.options.delayed_name_removal,
        };
        let context = self.context;
        let check = || context.check().map_err(QueryError::from);
        let (series, findings) = match pairs(&sides) {
            Some(pairs) => combine_pairs(&sides, pairs, check)?,
            None => stepwise::evaluate(sides, steps, check)?,
        };
        self.note_findings(node, binary, &findings);
        let gathered = gathered(left, right, steps);
        self.finish(node, left.samples + right.samples, &gathered, series, false)
    }
}

/// Returns the pairs that match, with their empty results; `None` when the pairs are not the same
/// at every step.
fn pairs(sides: &Sides<'_>) -> Option<Vec<(usize, usize, StepSeries)>> {
    let fill = sides.matching.fill;
    if fill.left.is_some() || fill.right.is_some() {
        return None;
    }
    let mut partner: Vec<Option<usize>> = vec![None; sides.signatures.count];
    for (index, group) in sides.one_groups().iter().enumerate() {
        if partner[*group as usize].replace(index).is_some() {
            return None;
        }
    }
    let one_to_one = sides.matching.cardinality == MatchCardinality::OneToOne;
    let mut taken = vec![false; sides.signatures.count];
    let mut labels = FxHashSet::default();
    let mut pairs = Vec::new();
    for (many, group) in sides.many_groups().iter().enumerate() {
        let Some(one) = partner[*group as usize] else {
            continue;
        };
        if one_to_one && std::mem::replace(&mut taken[*group as usize], true) {
            return None;
        }
        let (left, right) = (&sides.many[many], &sides.one[one]);
        let result = sides.result(&left.labels, &right.labels, left.drop_name);
        if !one_to_one && !labels.insert(result.labels.clone()) {
            return None;
        }
        pairs.push((many, one, result));
    }
    Some(pairs)
}

fn combine_pairs(
    sides: &Sides<'_>,
    pairs: Vec<(usize, usize, StepSeries)>,
    check: impl Fn() -> Result<(), QueryError> + Sync,
) -> Result<(Vec<StepSeries>, Findings), QueryError> {
    let done: Vec<(StepSeries, Findings)> = pairs
        .into_par_iter()
        .with_min_len(16)
        .map(|(many, one, mut result)| {
            check()?;
            let mut findings = Findings::default();
            let (many, one) = (&sides.many[many], &sides.one[one]);
            if many.histograms.is_empty() && one.histograms.is_empty() && !is_trim(sides.binary.op)
            {
                result.floats = combine_floats(sides, &many.floats, &one.floats);
            } else {
                combine_values(sides, many, one, &mut result, &mut findings);
            }
            Ok((result, findings))
        })
        .collect::<Result<_, QueryError>>()?;
    let mut findings = Findings::default();
    let mut series = Vec::with_capacity(done.len());
    for (one, found) in done {
        findings.merge(found);
        series.push(one);
    }
    Ok((series, findings))
}

fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper)
}

fn combine_floats(sides: &Sides<'_>, many: &FloatColumn, one: &FloatColumn) -> FloatColumn {
    let (op, return_bool) = (sides.binary.op, sides.binary.return_bool);
    let combine = |many: f64, one: f64| {
        let (value, keep) = if sides.swapped {
            floats(op, one, many)
        } else {
            floats(op, many, one)
        };
        if return_bool {
            Some(truth(keep))
        } else {
            keep.then_some(value)
        }
    };
    many.filter_map(|step, value| combine(value, one.get(step)?))
}

fn combine_values(
    sides: &Sides<'_>,
    many: &StepSeries,
    one: &StepSeries,
    result: &mut StepSeries,
    findings: &mut Findings,
) {
    let last = |series: &StepSeries| {
        let float = series.floats.end_step();
        let histogram = series.histograms.last().map_or(0, |(step, _)| step + 1);
        float.max(histogram)
    };
    for step in 0..last(many).min(last(one)) {
        if let (Some(left), Some(right)) = (many.get(step), one.get(step))
            && let Some((value, true)) = sides.apply(step, &left, &right, findings)
        {
            result.push(step, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use obsq_model::{FloatHistogram, Labels};
    use obsq_query_lang::promql::VectorMatching;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::promql::outcome::Value;
    use crate::promql::plan::NodeId;

    const STEPS: usize = 12;

    /// Returns series `m{a, b}` with values at some steps, a few of them histograms.
    fn side(name: &'static str) -> impl Strategy<Value = Vec<StepSeries>> {
        let steps = vec(proptest::option::weighted(0.7, 0..6_u8), STEPS);
        vec((0..3_u8, 0..2_u8, steps), 0..5).prop_map(move |all| {
            let mut series: Vec<StepSeries> = Vec::new();
            for (a, b, steps) in all {
                let pairs = [
                    ("__name__", name.to_owned()),
                    ("a", a.to_string()),
                    ("b", b.to_string()),
                ];
                let mut one = StepSeries::new(Labels::from_pairs(&pairs), false);
                for (step, value) in steps.iter().enumerate() {
                    match value {
                        Some(5) => one.push(step, histogram()),
                        Some(value) => one.push(step, Value::Float(f64::from(*value))),
                        None => {}
                    }
                }
                if !series.iter().any(|known| known.labels == one.labels) {
                    series.push(one);
                }
            }
            series
        })
    }

    fn histogram() -> Value {
        Value::Histogram(Arc::new(FloatHistogram {
            count: 3.0,
            zero_count: 3.0,
            ..FloatHistogram::default()
        }))
    }

    fn text(series: &[StepSeries]) -> Vec<String> {
        let shown = series.iter().filter(|one| !one.is_empty());
        let mut lines: Vec<String> = shown
            .map(|one| {
                let values = (0..STEPS).map(|step| format!("{:?}", one.get(step)));
                let values: Vec<String> = values.collect();
                format!("{} {} {}", one.labels, one.drop_name, values.join(" "))
            })
            .collect();
        lines.sort();
        lines
    }

    fn operators() -> impl Strategy<Value = (BinaryOp, bool)> {
        let operator = proptest::sample::select(vec![
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Less,
            BinaryOp::Equal,
            BinaryOp::TrimLower,
        ]);
        let with_bool = |op: BinaryOp| {
            (
                Just(op),
                any::<bool>().prop_map(move |b| b && op.is_comparison()),
            )
        };
        operator.prop_flat_map(with_bool)
    }

    fn matchings() -> impl Strategy<Value = VectorMatching> {
        let cardinality = proptest::sample::select(vec![
            MatchCardinality::OneToOne,
            MatchCardinality::ManyToOne,
            MatchCardinality::OneToMany,
        ]);
        let labels = proptest::sample::subsequence(vec!["a".to_owned(), "b".to_owned()], 0..=2);
        (cardinality, any::<bool>(), labels).prop_map(|(cardinality, on, labels)| VectorMatching {
            cardinality,
            on,
            labels,
            ..VectorMatching::default()
        })
    }

    proptest! {
        #[test]
        fn pairs_give_what_going_step_by_step_gives(
            left in side("l"),
            right in side("r"),
            (op, return_bool) in operators(),
            matching in matchings(),
        ) {
            let binary = Binary { op, lhs: NodeId(0), rhs: NodeId(1), matching: None, return_bool };
            let signatures = Signatures::of(&matching, &left, &right);
            let swapped = matching.cardinality == MatchCardinality::OneToMany;
            let (many, one) = if swapped { (&right, &left) } else { (&left, &right) };
            let sides = Sides {
                binary: &binary,
                matching: &matching,
                signatures: &signatures,
                many,
                one,
                swapped,
                drop_at_once: false,
            };
            let Some(pairs) = pairs(&sides) else {
                return Ok(());
            };
            let (fast, fast_findings) = combine_pairs(&sides, pairs, || Ok(())).unwrap();
            let (slow, slow_findings) = stepwise::evaluate(sides, STEPS, || Ok(())).unwrap();
            prop_assert_eq!(text(&fast), text(&slow));
            let found = |findings: &Findings| {
                let steps = findings.of_step.iter().enumerate();
                steps.filter_map(|(step, finding)| Some((step, (*finding)?))).collect::<Vec<_>>()
            };
            prop_assert_eq!(found(&fast_findings), found(&slow_findings));
        }
    }
}
