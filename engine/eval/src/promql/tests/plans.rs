//! Plans, as they are written.

use std::fmt::Write as _;

use obsq_query_lang::promql::parse;

use crate::promql::plan::{Op, Plan, PlanInput, RangeInput, build};

fn plan(query: &str) -> Plan {
    let ast = parse(query).into_result().unwrap();
    build(PlanInput {
        ast: &ast.resolve_durations(60_000, 600_000).unwrap(),
        start_ms: 0,
        end_ms: 600_000,
        step_ms: Some(60_000),
        lookback_ms: 300_000,
        default_subquery_step_ms: 60_000,
        delayed_name_removal: true,
    })
    .unwrap()
}

/// Returns a plan as text: one node per line with its frame and what it uses.
fn outline(query: &str) -> String {
    let plan = plan(query);
    let mut text = format!("{query}\n");
    for (index, frame) in plan.frames.iter().enumerate() {
        let grid = frame.grid;
        let (start, step, steps) = (grid.start_ms, grid.step_ms, grid.steps);
        writeln!(
            text,
            "  frame {index}: {:?}, {steps} steps of {step} from {start}",
            frame.origin
        )
        .unwrap();
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        let frame = node.frame.0;
        let streamed = if node.streamed { ", streamed" } else { "" };
        writeln!(
            text,
            "  {index}: {} (frame {frame}{streamed})",
            describe(&node.op)
        )
        .unwrap();
    }
    text
}

fn describe(op: &Op) -> String {
    match op {
        Op::Number(value) => format!("number {value}"),
        Op::Text(value) => format!("text {value:?}"),
        Op::Select(selector) => format!("select {:?}", selector.window),
        Op::SelectTimes { .. } => "select times".to_owned(),
        Op::SelectWindow(selector) => format!("select window {:?}", selector.window),
        Op::RangeCall(call) => match &call.input {
            RangeInput::Selector(selector) => {
                format!("{} over {:?}", call.function, selector.window)
            }
            RangeInput::Subquery { inner, .. } => {
                format!("{} over subquery {}", call.function, inner.0)
            }
        },
        Op::Subquery { inner } => format!("subquery {}", inner.0),
        Op::Broadcast(inner) => format!("broadcast {}", inner.0),
        Op::Call { function, args, .. } => {
            let args: Vec<u32> = args.iter().map(|arg| arg.node.0).collect();
            format!("{function} {args:?}")
        }
        Op::Absent { inner, labels } => format!("absent {} {labels}", inner.0),
        Op::Info { inner, .. } => format!("info {}", inner.0),
        Op::Negate(inner) => format!("negate {}", inner.0),
        Op::Aggregate(aggregate) => format!("{} {}", aggregate.op, aggregate.expr.0),
        Op::Binary(binary) => format!("{} {} {}", binary.op, binary.lhs.0, binary.rhs.0),
    }
}

#[test]
fn plans_of_typical_queries() {
    let _room = obsq_snapshots::bind("engine/eval");
    let queries = [
        "sum by (job) (rate(http_requests_total[5m]))",
        "topk(3, x @ 100) + y offset 1m",
        "max_over_time(rate(x[5m])[30m:1m] offset 1h)",
        "-x @ start() * (1 + 2)",
        "histogram_count(rate(h[5m])) / step()",
        "absent(x{a=\"1\", b=~\"2\", c=\"3\", c=\"4\"})",
        "predict_linear(x[5m] @ 60, 3600)",
        "timestamp(x @ 60) - timestamp(abs(x @ 60))",
        "x[5m:]",
    ];
    let plans: Vec<String> = queries.iter().map(|query| outline(query)).collect();
    insta::assert_snapshot!("plans_of_typical_queries", plans.join("\n"));
}

#[test]
fn only_count_and_sum_of_histograms_are_kept_where_nothing_needs_more() {
    let reduced = |query: &str| {
        let plan = plan(query);
        plan.nodes.iter().any(|node| match &node.op {
            Op::Select(selector) => selector.histogram_stats,
            Op::RangeCall(call) => match &call.input {
                RangeInput::Selector(selector) => selector.histogram_stats,
                RangeInput::Subquery { .. } => false,
            },
            _ => false,
        })
    };
    assert!(reduced("histogram_count(h)"));
    assert!(reduced("histogram_sum(sum(rate(h[5m])))"));
    assert!(!reduced("histogram_count(rate(h[5m:1m]))"));
    assert!(!reduced("histogram_quantile(0.9, h)"));
    assert!(!reduced("histogram_count(h </ 3)"));
    assert!(!reduced("sum(h)"));
}
