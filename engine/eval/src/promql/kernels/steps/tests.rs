use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram, SampleColumns};
use proptest::prelude::*;

use super::super::testing::{custom, gauge, histogram};
use super::*;

const FUNCTIONS: [Function; 24] = [
    Function::Rate,
    Function::Increase,
    Function::Delta,
    Function::Irate,
    Function::Idelta,
    Function::Resets,
    Function::Changes,
    Function::SumOverTime,
    Function::AvgOverTime,
    Function::CountOverTime,
    Function::PresentOverTime,
    Function::FirstOverTime,
    Function::LastOverTime,
    Function::TsOfFirstOverTime,
    Function::TsOfLastOverTime,
    Function::MinOverTime,
    Function::MaxOverTime,
    Function::TsOfMinOverTime,
    Function::TsOfMaxOverTime,
    Function::QuantileOverTime,
    Function::MadOverTime,
    Function::StddevOverTime,
    Function::Deriv,
    Function::PredictLinear,
];

fn params(step: usize) -> RangeParams {
    RangeParams {
        first: step as f64 / 10.0,
        second: 0.5,
    }
}

/// Values of the steps, floats by their bits, so that NaN can be compared.
type Values = Vec<(usize, (u64, Option<Value>))>;

fn bits(value: Value) -> (u64, Option<Value>) {
    match value {
        Value::Float(value) if value.is_nan() => (f64::NAN.to_bits(), None),
        Value::Float(value) => (value.to_bits(), None),
        histogram @ Value::Histogram(_) => (0, Some(histogram)),
    }
}

/// Evaluates every step by itself, searching its samples anew.
fn one_by_one(
    function: Function,
    samples: &Samples<'_>,
    windows: &WindowSteps,
) -> (Values, RangeNotes) {
    let mut notes = RangeNotes::default();
    let mut found = Vec::new();
    let (back, ahead) = match windows.edges {
        Edges::Plain => (0, 0),
        Edges::Anchored => (windows.lookback_ms, 0),
        Edges::Smoothed => (windows.lookback_ms, windows.lookback_ms),
    };
    for step in 0..windows.steps {
        let (start_ms, end_ms, step_ms) = windows.window(step);
        let within = |ts: &[i64]| {
            let low = ts.partition_point(|at| *at <= start_ms - back);
            let high = ts.partition_point(|at| *at <= end_ms + ahead);
            low..high.max(low)
        };
        let window = Window {
            samples: samples.cut(&within(samples.float_ts), &within(samples.histogram_ts)),
            start_ms,
            end_ms,
            step_ms,
            edges: windows.edges,
        };
        if let Some(value) = evaluate(function, &window, params(step), &mut notes).unwrap() {
            found.push((step, bits(value)));
        }
    }
    (found, notes)
}

fn at_once(
    function: Function,
    samples: &Samples<'_>,
    windows: &WindowSteps,
) -> (Values, RangeNotes) {
    let mut notes = RangeNotes::default();
    let mut found = Vec::new();
    let emit = |step, value| found.push((step, bits(value)));
    evaluate_steps(function, samples, windows, params, &mut notes, emit).unwrap();
    (found, notes)
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (0_u32..6).prop_map(f64::from),
        2 => 0.0..1e3,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-0.0),
    ]
}

fn any_times(most: usize) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(1_i64..40, 0..most).prop_map(|gaps| {
        gaps.into_iter()
            .scan(0, |ts, gap| {
                *ts += gap;
                Some(*ts)
            })
            .collect()
    })
}

fn any_histogram() -> impl Strategy<Value = FloatHistogram> {
    let counts = prop::collection::vec((0_u8..4).prop_map(f64::from), 1..4);
    (counts, 0_u8..12).prop_map(|(counts, kind)| match kind {
        0 => gauge(&counts),
        1 => custom(&[1.0, 2.0], &counts),
        2 => FloatHistogram {
            schema: 1,
            ..histogram(&counts)
        },
        3 => FloatHistogram {
            counter_reset_hint: CounterResetHint::Reset,
            ..histogram(&counts)
        },
        _ => histogram(&counts),
    })
}

/// Times, and a start timestamp before each; without the latter when the flag says so.
fn starts(ts: &[i64], back: &[i64], known: bool) -> Vec<i64> {
    if !known {
        return Vec::new();
    }
    ts.iter()
        .zip(back)
        .map(|(ts, back)| (ts - back).max(0))
        .collect()
}

prop_compose! {
    /// Floats, histograms or both; no time occurs twice.
    fn any_columns()(ts in any_times(60), kind in 0_u8..5, known in any::<bool>())
        (
            floats in prop::collection::vec(any_float(), ts.len()),
            histograms in prop::collection::vec(any_histogram().prop_map(Arc::new), ts.len()),
            back in prop::collection::vec(0_i64..60, ts.len()),
            ts in Just(ts),
            kind in Just(kind),
            known in Just(known),
        ) -> SampleColumns {
        let split = match kind {
            0 | 1 => ts.len(),
            2 | 3 => 0,
            _ => ts.len() / 2,
        };
        SampleColumns {
            float_start_ts: starts(&ts[..split], &back, known),
            floats: floats[..split].to_vec(),
            float_ts: ts[..split].to_vec(),
            histogram_start_ts: starts(&ts[split..], &back, known),
            histograms: histograms[split..].to_vec(),
            histogram_ts: ts[split..].to_vec(),
        }
    }
}

prop_compose! {
    fn any_windows()(
        steps in 0_usize..12,
        first_end_ms in -50_i64..200,
        end_step_ms in 0_i64..60,
        range_ms in 1_i64..150,
        lookback_ms in 1_i64..100,
        edges in prop_oneof![4 => Just(Edges::Plain), 1 => Just(Edges::Anchored), 1 => Just(Edges::Smoothed)],
    ) -> WindowSteps {
        WindowSteps {
            steps,
            first_end_ms,
            end_step_ms,
            first_step_ms: first_end_ms + 7,
            step_ms: end_step_ms.max(1),
            range_ms,
            lookback_ms,
            edges,
        }
    }
}

proptest! {
    #[test]
    fn all_windows_at_once_give_what_each_gives_alone(columns in any_columns(), windows in any_windows()) {
        let samples = Samples::new(&columns);
        for function in FUNCTIONS {
            let expected = one_by_one(function, &samples, &windows);
            prop_assert_eq!(at_once(function, &samples, &windows), expected, "{}", function);
        }
    }
}

#[test]
fn windows_are_open_on_the_left_and_closed_on_the_right() {
    let columns = super::super::testing::floats(10, &[1.0, 2.0, 3.0, 4.0]);
    let windows = WindowSteps {
        steps: 3,
        first_end_ms: 20,
        end_step_ms: 10,
        first_step_ms: 20,
        step_ms: 10,
        range_ms: 10,
        lookback_ms: 0,
        edges: Edges::Plain,
    };
    let (found, _) = at_once(Function::SumOverTime, &Samples::new(&columns), &windows);
    let expected = [(0, 2.0), (1, 3.0), (2, 4.0)];
    let found: Vec<_> = found
        .iter()
        .map(|(step, (bits, _))| (*step, f64::from_bits(*bits)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn times_far_apart_are_found_by_bisection() {
    let ts: Vec<i64> = (0..1000).collect();
    for limit in [-1, 0, 3, 7, 8, 9, 500, 998, 999, 5000] {
        assert_eq!(
            count_up_to(&ts, limit),
            ts.partition_point(|at| *at <= limit)
        );
    }
}
