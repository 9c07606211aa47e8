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

/// Values of the steps, floats by their bits, so that NaN can be compared.
type Values = Vec<(usize, (u64, Option<Value>))>;

fn bits(value: Value) -> (u64, Option<Value>) {
    match value {
        Value::Float(value) if value.is_nan() => (f64::NAN.to_bits(), None),
        Value::Float(value) => (value.to_bits(), None),
        histogram @ Value::Histogram(_) => (0, Some(histogram)),
    }
}

/// Where windows lie: their number, the first right end, the distance, the width.
#[derive(Debug, Clone, Copy)]
struct Shape {
    steps: usize,
    first_end_ms: i64,
    distance_ms: i64,
    range_ms: i64,
    edges: Edges,
}

fn cut(columns: &SampleColumns, shape: Shape, step: usize) -> Window<'_> {
    let end_ms = shape.first_end_ms + shape.distance_ms * step as i64;
    let start_ms = end_ms - shape.range_ms;
    let lookback_ms = 30;
    let (back_ms, ahead_ms) = match shape.edges {
        Edges::Plain => (0, 0),
        Edges::Anchored => (lookback_ms, 0),
        Edges::Smoothed => (lookback_ms, lookback_ms),
    };
    let within = |ts: &[i64]| {
        let low = ts.partition_point(|at| *at <= start_ms - back_ms);
        low..ts.partition_point(|at| *at <= end_ms + ahead_ms).max(low)
    };
    let floats = within(&columns.float_ts);
    let histograms = within(&columns.histogram_ts);
    let starts = &columns.float_start_ts;
    Window {
        float_ts: &columns.float_ts[floats.clone()],
        floats: &columns.floats[floats.clone()],
        float_start_ts: if starts.is_empty() {
            &[]
        } else {
            &starts[floats]
        },
        histogram_ts: &columns.histogram_ts[histograms.clone()],
        histograms: &columns.histograms[histograms],
        histogram_start_ts: &[],
        start_ms,
        end_ms,
        step_ms: end_ms + 7,
        edges: shape.edges,
    }
}

fn values_of(
    columns: &SampleColumns,
    shape: Shape,
    mut evaluate: impl FnMut(&Window<'_>, &[f64; 2], &mut RangeNotes) -> Option<Value>,
) -> (Values, RangeNotes) {
    let mut notes = RangeNotes::default();
    let mut values = Vec::new();
    for step in 0..shape.steps {
        let params = [step as f64 / 10.0, 0.5];
        let value = evaluate(&cut(columns, shape, step), &params, &mut notes);
        values.extend(value.map(|value| (step, bits(value))));
    }
    (values, notes)
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
            histogram_ts: if alone { Vec::new() } else { histogram_ts },
            histograms: if alone { Vec::new() } else { histograms },
            histogram_start_ts: Vec::new(),
        }
    }
}

prop_compose! {
    fn any_shape()(
        steps in 0_usize..12,
        first_end_ms in -50_i64..200,
        distance_ms in -20_i64..60,
        range_ms in 1_i64..150,
        edges in prop_oneof![
            4 => Just(Edges::Plain),
            1 => Just(Edges::Anchored),
            1 => Just(Edges::Smoothed),
        ],
    ) -> Shape {
        Shape { steps, first_end_ms, distance_ms, range_ms, edges }
    }
}

proptest! {
    #[test]
    fn sliding_gives_what_each_window_gives_alone(columns in any_columns(), shape in any_shape()) {
        let mut columns = columns;
        // No time occurs in both columns.
        let (ts, histograms) = columns
            .histogram_ts
            .iter()
            .zip(&columns.histograms)
            .filter(|(ts, _)| !columns.float_ts.contains(ts))
            .map(|(ts, histogram)| (*ts, Arc::clone(histogram)))
            .unzip();
        (columns.histogram_ts, columns.histograms) = (ts, histograms);
        for function in FUNCTIONS {
            let alone = values_of(&columns, shape, |window, params, notes| {
                evaluate(function, window, params, notes)
            });
            let mut kernel = RangeKernel::new(function);
            let sliding = values_of(&columns, shape, |window, params, notes| {
                kernel.evaluate(window, params, notes)
            });
            prop_assert_eq!(sliding, alone, "{}", function);
        }
    }
}

#[test]
fn windows_that_share_no_sample_have_no_memory_of_each_other() {
    let columns = super::super::testing::floats(10, &[9.0, 1.0, 8.0, 2.0, 7.0, 3.0]);
    let shape = Shape {
        steps: 3,
        first_end_ms: 20,
        distance_ms: 20,
        range_ms: 20,
        edges: Edges::Plain,
    };
    let mut kernel = RangeKernel::new(Function::Resets);
    let (values, _) = values_of(&columns, shape, |window, params, notes| {
        kernel.evaluate(window, params, notes)
    });
    let one_each = (0..3).map(|step| (step, (1_f64.to_bits(), None)));
    assert_eq!(values, one_each.collect::<Values>());
}
