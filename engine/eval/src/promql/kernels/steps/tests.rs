use std::sync::Arc;

use obsq_model::SampleColumns;
use proptest::prelude::*;

use super::super::testing::histogram;
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

prop_compose! {
    fn any_columns()(float_ts in any_times(60), histogram_ts in any_times(4), starts in any::<bool>(), alone in any::<bool>())
        (
            floats in prop::collection::vec(any_float(), float_ts.len()),
            back in prop::collection::vec(0_i64..60, float_ts.len()),
            counts in prop::collection::vec(0_u8..5, histogram_ts.len()),
            float_ts in Just(float_ts),
            histogram_ts in Just(histogram_ts),
            starts in Just(starts),
            alone in Just(alone),
        ) -> SampleColumns {
        let float_start_ts = float_ts.iter().zip(back).map(|(ts, back)| (ts - back).max(0)).collect();
        let histograms: Vec<_> = counts.into_iter().map(|count| Arc::new(histogram(&[f64::from(count)]))).collect();
        SampleColumns {
            float_start_ts: if starts { float_start_ts } else { Vec::new() },
            float_ts,
            floats,
            // Where a float has the same time, the histogram is half a step off.
            histogram_ts: if alone { Vec::new() } else { histogram_ts },
            histograms: if alone { Vec::new() } else { histograms },
            histogram_start_ts: Vec::new(),
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
        let mut columns = columns;
        // No time occurs in both columns.
        let float_ts = columns.float_ts.clone();
        let keep: Vec<bool> = columns.histogram_ts.iter().map(|ts| !float_ts.contains(ts)).collect();
        let mut flags = keep.iter();
        columns.histogram_ts.retain(|_| *flags.next().unwrap());
        let mut flags = keep.iter();
        columns.histograms.retain(|_| *flags.next().unwrap());
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
