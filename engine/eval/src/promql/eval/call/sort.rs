//! `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`.

use std::cmp::Ordering;

use obsq_query_lang::promql::Function;

use super::Arguments;
use crate::promql::annotations::Annotation;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::eval::aggregate::sort_like_go;
use crate::promql::natural::natural_less;
use crate::promql::output::Output;
use crate::promql::plan::Node;
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    pub(super) fn sort(
        &mut self,
        node: &Node,
        function: Function,
        arguments: Arguments,
        names: &[String],
    ) -> Result<Output, QueryError> {
        let instant = self.plan.grid(node).instant;
        if !instant {
            self.notes.add(&Annotation::SortInRangeQuery, node.span);
        }
        let mut series = match arguments.vector {
            Some(list) => list.series,
            None => Vec::new(),
        };
        let by_value = matches!(function, Function::Sort | Function::SortDesc);
        if by_value {
            for one in &mut series {
                one.histograms.clear();
            }
        }
        series.retain(|one| !one.is_empty());
        if instant {
            match function {
                Function::Sort => sort_by_value(&mut series, |a, b| a > b),
                Function::SortDesc => sort_by_value(&mut series, |a, b| a < b),
                _ => {
                    let descending = function == Function::SortByLabelDesc;
                    sort_by_labels(&mut series, names, descending);
                }
            }
        }
        self.finish(
            node,
            arguments.samples,
            &arguments.gathered,
            series,
            arguments.distinct,
        )
    }
}

/// Sorts so that what is `behind` something comes after it, and NaN comes last.
fn sort_by_value(series: &mut [StepSeries], behind: impl Fn(f64, f64) -> bool) {
    let value = |one: &StepSeries| one.floats.get(0).unwrap_or(f64::NAN);
    let less = |a: &StepSeries, b: &StepSeries| {
        let (a, b) = (value(a), value(b));
        b.is_nan() || behind(b, a)
    };
    sort_like_go(series, &less);
}

fn sort_by_labels(series: &mut [StepSeries], names: &[String], descending: bool) {
    let less = |a: &StepSeries, b: &StepSeries| {
        for name in names {
            let (left, right) = (a.labels.value(name), b.labels.value(name));
            if left != right {
                return natural_less(left, right) != descending;
            }
        }
        let wanted = if descending {
            Ordering::Greater
        } else {
            Ordering::Less
        };
        a.labels.cmp(&b.labels) == wanted
    };
    sort_like_go(series, &less);
}
