//! `and`, `or`, `unless`.

use obsq_query_lang::promql::BinaryOp;

use super::matching::Signatures;
use crate::promql::bits::Bits;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::output::{Output, SeriesList};
use crate::promql::plan::{Binary, Node};
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    pub(super) fn set_operation(
        &mut self,
        node: &Node,
        binary: &Binary,
        left: SeriesList,
        right: SeriesList,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let gathered = super::stepwise::gathered(&left, &right, steps);
        let samples = left.samples + right.samples;
        let matching = binary.matching.clone().unwrap_or_default();
        let signatures = Signatures::of(&matching, &left.series, &right.series);
        let distinct = left.distinct && binary.op != BinaryOp::Or;
        let series = match binary.op {
            BinaryOp::Or => {
                let taken = presence(&left.series, &signatures.left, signatures.count, steps);
                let rest = masked(right.series, &signatures.right, &taken, false);
                left.series.into_iter().chain(rest).collect()
            }
            op => {
                let found = presence(&right.series, &signatures.right, signatures.count, steps);
                masked(left.series, &signatures.left, &found, op == BinaryOp::And).collect()
            }
        };
        self.finish(node, samples, &gathered, series, distinct)
    }
}

/// Returns for each group the steps at which any of its series has a value.
fn presence(
    series: &[StepSeries],
    groups: &[u32],
    count: usize,
    steps: usize,
) -> Vec<Option<Bits>> {
    let mut present: Vec<Option<Bits>> = vec![None; count];
    for (one, group) in series.iter().zip(groups) {
        let steps = present[*group as usize].get_or_insert_with(|| Bits::zeros(steps));
        one.mark(steps);
    }
    present
}

/// Returns the series with only the values whose step is among those of their group, or is not.
fn masked<'a>(
    series: Vec<StepSeries>,
    groups: &'a [u32],
    steps: &'a [Option<Bits>],
    member: bool,
) -> impl Iterator<Item = StepSeries> + 'a {
    series
        .into_iter()
        .zip(groups)
        .filter_map(move |(one, group)| match &steps[*group as usize] {
            Some(mask) => Some(one.masked(mask, member)),
            None => (!member).then_some(one),
        })
}
