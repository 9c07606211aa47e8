//! Random queries.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::promql::{AggregateOp, BinaryOp, Function, ValueType};

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "0", "1", "2.5", "1e3", "0x1F", "Inf", "NaN", "5m", "1h30m"
        ])
        .prop_map(String::from),
        any::<u32>().prop_map(|number| number.to_string()),
        (0.0..1e6_f64).prop_map(|number| number.to_string()),
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["\"\"", "'a'", "`b\\`", "\"\\xff\\n\"", "\"é😀\""]).prop_map(String::from),
        "[a-z]{1,5}".prop_map(|text| format!("\"{text}\"")),
    ]
}

fn labels() -> impl Strategy<Value = String> {
    let label = select(vec!["a", "job", "\"x y\"", "on", "sum", "by", "\"é\""]);
    vec(label, 0..3).prop_map(|labels| format!("({})", labels.join(", ")))
}

fn duration() -> impl Strategy<Value = String> {
    let leaf = select(vec!["5m", "1h", "300", "0.5", "step()", "range()"]).prop_map(String::from);
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                select(vec!["+", "-", "*", "/", "%", "^"]),
                inner.clone()
            )
                .prop_map(|(lhs, op, rhs)| format!("{lhs}{op}{rhs}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            (select(vec!["min_of", "max_of"]), inner.clone(), inner)
                .prop_map(|(name, lhs, rhs)| format!("{name}({lhs}, {rhs})")),
        ]
    })
}

fn modifiers() -> impl Strategy<Value = String> {
    let offset = prop_oneof![
        duration().prop_map(|duration| format!(" offset ({duration})")),
        select(vec![
            " offset 5m",
            " offset -1d",
            " offset step()",
            " offset -range()"
        ])
        .prop_map(String::from),
    ];
    let at = select(vec![" @ 1.5", " @ -3", " @ start()", " @ end()"]);
    (
        proptest::option::of(offset),
        proptest::option::of(at),
        any::<bool>(),
    )
        .prop_map(|(offset, at, swap)| {
            let (offset, at) = (offset.unwrap_or_default(), at.unwrap_or_default());
            if swap {
                format!("{at}{offset}")
            } else {
                format!("{offset}{at}")
            }
        })
}

fn selector() -> impl Strategy<Value = String> {
    let op = select(vec!["=", "!=", "=~", "!~"]);
    let label = select(vec!["a", "job", "\"x y\"", "sum"]);
    let matcher = (
        label,
        op,
        select(vec!["\"v\"", "''", "\"a|b.*\"", "`[a-c]+`"]),
    )
        .prop_map(|(label, op, value)| format!("{label}{op}{value}"));
    let name = select(vec!["up", "a:b", "sum", "offset", "start", "fill", "and"]);
    (name, vec(matcher, 0..3)).prop_map(|(name, matchers)| {
        if matchers.is_empty() {
            name.to_owned()
        } else {
            format!("{name}{{{}}}", matchers.join(","))
        }
    })
}

fn vector_leaf() -> impl Strategy<Value = String> {
    let extension = select(vec!["", "", " anchored", " smoothed"]);
    prop_oneof![
        (selector(), extension, modifiers()).prop_map(|(selector, extension, modifiers)| format!(
            "{selector}{extension}{modifiers}"
        )),
        select(vec!["{\"x.y\"}", "{__name__=~\"a.*\",b!=\"\"}"]).prop_map(String::from),
    ]
}

fn matrix(vector: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![
        (selector(), duration(), modifiers())
            .prop_map(|(selector, range, modifiers)| format!("{selector}[{range}]{modifiers}")),
        (
            vector,
            duration(),
            proptest::option::of(duration()),
            modifiers()
        )
            .prop_map(|(vector, range, step, modifiers)| {
                format!(
                    "({vector})[{range}:{}]{modifiers}",
                    step.unwrap_or_default()
                )
            }),
    ]
}

fn binary_modifiers() -> impl Strategy<Value = String> {
    let group = select(vec![
        "",
        "",
        " group_left",
        " group_right ()",
        " group_left (b)",
    ]);
    let fill = select(vec![
        "",
        "",
        " fill (1)",
        " fill_right (NaN) fill_left (-2e9)",
    ]);
    let matching = (select(vec![" on ", " ignoring "]), labels(), group)
        .prop_map(|(word, labels, group)| format!("{word}{labels}{group}"));
    (proptest::option::of(matching), fill)
        .prop_map(|(matching, fill)| format!("{}{fill}", matching.unwrap_or_default()))
}

fn call(vector: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let functions: Vec<_> = Function::ALL
        .iter()
        .copied()
        .filter(|function| {
            function.signature().returns == ValueType::Vector && *function != Function::Info
        })
        .collect();
    select(functions).prop_flat_map(move |function| {
        let args = function.signature().args.iter().map(|kind| match kind {
            ValueType::Scalar => number().boxed(),
            ValueType::String => string().boxed(),
            ValueType::Vector => vector.clone(),
            ValueType::Matrix => matrix(vector.clone()).boxed(),
        });
        let args: Vec<_> = args.collect();
        args.prop_map(move |args| format!("{function}({})", args.join(", ")))
    })
}

fn aggregation(vector: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let grouping = (select(vec!["by", "without"]), labels());
    let grouping = proptest::option::of(grouping);
    (select(AggregateOp::ALL), grouping, vector, any::<bool>()).prop_map(
        |(op, grouping, vector, in_front)| {
            let param = match op {
                AggregateOp::CountValues => "\"x\", ",
                op if op.has_param() => "2, ",
                _ => "",
            };
            let grouping = grouping.map(|(word, labels)| format!(" {word} {labels} "));
            let grouping = grouping.unwrap_or_default();
            if in_front {
                format!("{op}{grouping}({param}{vector})")
            } else {
                format!("{op}({param}{vector}){grouping}")
            }
        },
    )
}

/// Queries that are right in most cases.
pub(super) fn query() -> impl Strategy<Value = String> {
    vector_leaf().prop_recursive(4, 24, 3, |vector| {
        let vector = vector.boxed();
        let right = prop_oneof![3 => vector.clone(), 1 => number().boxed()];
        prop_oneof![
            call(vector.clone()),
            aggregation(vector.clone()),
            (
                vector.clone(),
                select(BinaryOp::ALL),
                binary_modifiers(),
                vector.clone()
            )
                .prop_map(|(lhs, op, modifiers, rhs)| format!("{lhs} {op}{modifiers} {rhs}")),
            (right, select(BinaryOp::ALL), vector.clone())
                .prop_map(|(lhs, op, rhs)| format!("{lhs} {op} {rhs}")),
            vector.clone().prop_map(|vector| format!("-{vector}")),
            vector.clone().prop_map(|vector| format!("+({vector})")),
            vector.prop_map(|vector| format!("({vector}) # why\n")),
        ]
    })
}

/// Queries with some characters taken out, doubled or replaced.
pub(super) fn mutated() -> impl Strategy<Value = String> {
    let change = (
        any::<Index>(),
        select(
            "()[]{},:=+-*/^@#\"'`~!<>aemsx019._ \n\\é\u{fffd}"
                .chars()
                .collect::<Vec<_>>(),
        ),
        0..3,
    );
    (query(), vec(change, 0..5)).prop_map(|(query, changes)| {
        let mut chars: Vec<_> = query.chars().collect();
        for (index, c, what) in changes {
            let at = index.index(chars.len() + 1);
            match what {
                0 => chars.insert(at, c),
                _ if at == chars.len() => {}
                1 => chars[at] = c,
                _ => drop(chars.remove(at)),
            }
        }
        chars.into_iter().collect()
    })
}
