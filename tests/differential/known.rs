//! What Prometheus changed after 2.42, and what is not laid down at all. Whatever differs besides is a fault.
//!
//! Some changes are kept out by the choice of data and queries: windows and the lookback are open on the left since 3.0
//! (no sample and no step of a subquery lies on an edge), `offset 0s` is new, and `.` in a regular expression matches a
//! line break since 3.0 (queries say `(?s)` where the answer would depend on it). Names are removed at the end of a query
//! only where that is switched on. The grammar says where it keeps out faults of 2.42.

use serde_json::Value;

use super::compare::{Allowance, same};

/// A reason for which answers may differ.
#[derive(Debug)]
pub(super) struct Reason {
    /// The reason in a few words.
    pub(super) name: &'static str,
    /// Says whether the query can be affected.
    applies: fn(&str) -> bool,
    /// What may differ then.
    allows: fn(&mut Allowance),
}

/// All reasons, by the order in which they are tried.
pub(super) const REASONS: &[Reason] = &[
    Reason {
        // Which elements of a match group are found twice first, and which two are named, follows the order in which
        // series are read. That ranges name the parameter which is wrong is new.
        name: "text of an error",
        applies: |_| true,
        allows: |allowance| allowance.error = essence,
    },
    Reason {
        // `sort` by itself lays no order down among equals.
        name: "order among equals",
        applies: |query| query.starts_with("sort"),
        allows: |allowance| allowance.order = true,
    },
    Reason {
        // Which of several equal elements is kept follows the order in which series are read.
        name: "topk among equals",
        applies: |query| query.starts_with("topk") || query.starts_with("bottomk"),
        allows: |allowance| allowance.labels = true,
    },
    Reason {
        // 2.42 keeps the name of the metric, as no other arithmetic operator does, so that results which are equal but for
        // the name do not collide.
        name: "name after atan2",
        applies: |query| query.contains("atan2"),
        allows: |allowance| {
            allowance.name = true;
            allowance.only_our_error = Some("multiple matches for labels: grouping labels");
        },
    },
    Reason {
        // 2.42 sums the elements of a group without compensation; 3 compensates. 2.42 moves a mean by each sample, which
        // is off by a share of the samples and not of the mean; 3 divides a sum.
        name: "sums and means",
        applies: |query| {
            ["sum", "avg", "std"]
                .iter()
                .any(|word| query.contains(word))
        },
        allows: |allowance| (allowance.share, allowance.distance) = (1e-9, 1e-9),
    },
    Reason {
        // The last digit of a logarithm or an angle follows the mathematics library; a difference of two makes it weigh.
        name: "differences of inexact values",
        applies: |query| {
            let inexact = [
                "ln(", "log2(", "log10(", "exp(", "sin(", "cos(", "tan", "sinh(", "^",
            ];
            let differences = [
                "irate(",
                "idelta(",
                "delta(",
                "deriv(",
                "predict_linear(",
                " + ",
                " - ",
            ];
            let any = |words: &[&str]| words.iter().any(|word| query.contains(word));
            any(&inexact) && any(&differences)
        },
        allows: |allowance| (allowance.share, allowance.distance) = (1e-9, 1e-9),
    },
    Reason {
        // Since 3 also those matches count that the comparison drops afterwards; 2.42 goes on to the next step.
        name: "matches that are filtered",
        applies: |query| ["==", "!=", "<", ">"].iter().any(|op| query.contains(op)),
        allows: |allowance| allowance.only_our_error = Some("multiple matches for labels:"),
    },
    Reason {
        // The compensated sums of 2.42 become NaN where they overflow, those of 3 infinite.
        name: "overflow",
        applies: |query| query.contains("_over_time"),
        allows: |allowance| allowance.infinite_for_nan = true,
    },
];

/// Returns what two texts of the same error have in common.
fn essence(error: &str) -> String {
    let error = error
        .strip_prefix("invalid parameter \"query\": ")
        .unwrap_or(error);
    let end = error.find("for the match group {").unwrap_or(error.len());
    error.get(..end).unwrap_or(error).to_owned()
}

/// Returns the query in the words of 2.42, everything at the same place.
pub(super) fn in_old_words(query: &str) -> String {
    query.replace(
        "double_exponential_smoothing",
        "holt_winters                ",
    )
}

/// Returns why two answers differ, if that is known.
pub(super) fn explanation(query: &str, ours: &Value, theirs: &Value) -> Option<&'static str> {
    let mut allowance = strict(query);
    REASONS
        .iter()
        .filter(|reason| (reason.applies)(query))
        .find_map(|reason| {
            (reason.allows)(&mut allowance);
            same(ours, theirs, &allowance).then_some(reason.name)
        })
}

/// Returns what may differ in the answers to any query.
pub(super) fn strict(query: &str) -> Allowance {
    Allowance {
        order: !query.starts_with("sort"),
        ..Allowance::default()
    }
}
