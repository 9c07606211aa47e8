//! One query from text to answer.

use std::borrow::Cow;

use obsq_query_lang::promql::{Ast, ValueType, parse};
use obsq_query_lang::without_stray_bytes;
use obsq_source::{MetricSource, QueryContext};

use super::annotations::{Annotations, MAX_PER_SEVERITY};
use super::budget::Reservation;
use super::engine::{EngineOptions, QueryRequest, StatsLevel};
use super::error::QueryError;
use super::eval::Evaluation;
use super::grid::Grid;
use super::meter::Meter;
use super::outcome::{InstantSample, QueryOutcome, QueryValue, RangeSeries};
use super::output::{Output, SeriesList};
use super::plan::{self, Frame, Plan, PlanInput};
use super::series::StepSeries;
use super::stats::{QueryStats, Timings};

/// The times that a query is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times {
    /// One time.
    Instant { time_ms: i64 },
    /// From start to end, in steps.
    Range {
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    },
}

impl Times {
    fn start_ms(self) -> i64 {
        match self {
            Self::Instant { time_ms } => time_ms,
            Self::Range { start_ms, .. } => start_ms,
        }
    }

    fn end_ms(self) -> i64 {
        match self {
            Self::Instant { time_ms } => time_ms,
            Self::Range { end_ms, .. } => end_ms,
        }
    }

    fn step_ms(self) -> Option<i64> {
        match self {
            Self::Instant { .. } => None,
            Self::Range { step_ms, .. } => Some(step_ms),
        }
    }
}

/// Evaluates a query.
#[tracing::instrument(level = "debug", skip_all, fields(lang = "promql", tenant = %request.tenant))]
pub(super) fn evaluate(
    options: &EngineOptions,
    request: &QueryRequest<'_>,
    times: Times,
    source: &dyn MetricSource,
    context: &QueryContext,
) -> Result<QueryOutcome, QueryError> {
    let clock = context.clock();
    let started = clock.monotonic();
    context.check()?;
    let lookback_ms = request
        .lookback_ms
        .filter(|lookback_ms| *lookback_ms > 0)
        .unwrap_or(options.lookback_ms);
    let plan = plan_of(options, request, times, lookback_ms)?;
    let prepared = clock.monotonic();
    let _memory = reserve_grids(&plan, context)?;
    let per_step = request.stats == StatsLevel::PerStep;
    let mut evaluation = Evaluation {
        plan: &plan,
        options,
        source,
        tenant: request.tenant,
        lookback_ms,
        context,
        meter: Meter::new(context.limits.max_samples, &plan.frames, per_step),
        notes: Annotations::default(),
        outputs: Vec::new(),
    };
    let output = evaluation.run()?;
    let grid = plan.frames.first().map_or(Grid::instant(0), Frame::grid);
    let output = evaluation.clean_up(output, grid)?;
    let evaluated = clock.monotonic();
    let mut value = value_of(&plan, output, grid, times);
    context.check()?;
    sort(&mut value);
    let finished = clock.monotonic();
    let (warnings, infos) = evaluation.notes.render(request.text, MAX_PER_SEVERITY);
    let timings = Timings {
        eval_total: finished.saturating_sub(started),
        result_sort: finished.saturating_sub(evaluated),
        query_preparation: prepared.saturating_sub(started),
        inner_eval: evaluated.saturating_sub(prepared),
        exec_queue: std::time::Duration::ZERO,
        exec_total: finished.saturating_sub(started),
    };
    let samples = evaluation.meter.statistics(grid);
    Ok(QueryOutcome {
        value,
        warnings,
        infos,
        stats: QueryStats { timings, samples },
    })
}

/// Parses and plans a query.
fn plan_of(
    options: &EngineOptions,
    request: &QueryRequest<'_>,
    times: Times,
    lookback_ms: i64,
) -> Result<Plan, QueryError> {
    let ast = syntax_tree(request, times)?;
    let plan = plan::build(PlanInput {
        ast: &ast,
        start_ms: times.start_ms(),
        end_ms: times.end_ms(),
        step_ms: times.step_ms(),
        lookback_ms,
        default_subquery_step_ms: options.default_subquery_step_ms,
        delayed_name_removal: options.delayed_name_removal,
    })?;
    if times.step_ms().is_some() {
        check_range_type(plan.value_type)?;
    }
    Ok(plan)
}

/// What is needed per step whatever the number of series: counts, sets of steps, scalars.
const BYTES_PER_STEP: usize = 32;

/// Refuses grids that no answer could be held for, such as that of `x[10y:1ms]`, and reserves what
/// every grid takes.
fn reserve_grids(plan: &Plan, context: &QueryContext) -> Result<Reservation, QueryError> {
    let limit = context.limits.max_samples;
    let mut memory = Reservation::empty(context);
    for frame in &plan.frames {
        if frame.grid.steps > limit {
            return Err(QueryError::TooManySamples { limit });
        }
        memory.grow(frame.grid.steps.saturating_mul(BYTES_PER_STEP))?;
    }
    Ok(memory)
}

/// Returns the tree of a query with all durations known.
fn syntax_tree(request: &QueryRequest<'_>, times: Times) -> Result<Ast, QueryError> {
    let ast = if let Some(ast) = request.ast {
        Cow::Borrowed(ast)
    } else {
        let parsed = parse(request.text).into_result();
        Cow::Owned(parsed.map_err(|diagnostics| QueryError::parse(request.text, diagnostics))?)
    };
    let range_ms = times.end_ms().saturating_sub(times.start_ms());
    ast.resolve_durations(times.step_ms().unwrap_or(0), range_ms)
        .map_err(|diagnostic| QueryError::Parse {
            message: diagnostic.upstream.clone(),
            diagnostics: vec![diagnostic],
        })
}

fn check_range_type(value_type: ValueType) -> Result<(), QueryError> {
    let documented_type = match value_type {
        ValueType::Scalar | ValueType::Vector => return Ok(()),
        ValueType::Matrix => "range vector",
        ValueType::String => "string",
    };
    Err(QueryError::NotForRange { documented_type })
}

fn value_of(plan: &Plan, output: Output, grid: Grid, times: Times) -> QueryValue {
    let ts_ms = times.start_ms();
    let instant = times.step_ms().is_none();
    match output {
        Output::Text(value) => QueryValue::String {
            ts_ms,
            value: without_stray_bytes(&value),
        },
        Output::Windows(series) => QueryValue::Matrix(series),
        Output::Scalar(scalar) if instant => QueryValue::Scalar {
            ts_ms,
            value: scalar.get(0),
        },
        Output::Scalar(scalar) => {
            let points = (0..grid.steps).map(|step| (grid.time(step), scalar.get(step)));
            let one = RangeSeries {
                floats: points.collect(),
                ..RangeSeries::default()
            };
            let steps = usize::from(grid.steps > 0);
            QueryValue::Matrix(std::iter::once(one).take(steps).collect())
        }
        Output::Vector(_) if plan.value_type == ValueType::Matrix => QueryValue::Matrix(Vec::new()),
        Output::Vector(list) if instant => QueryValue::Vector {
            ts_ms,
            samples: samples(list),
        },
        Output::Vector(list) => {
            let series = list.series.into_iter().map(|one| range_series(one, grid));
            QueryValue::Matrix(series.collect())
        }
    }
}

fn samples(list: SeriesList) -> Vec<InstantSample> {
    let series = list.series.into_iter();
    series
        .filter_map(|one| {
            Some(InstantSample {
                value: one.get(0)?,
                labels: one.labels,
            })
        })
        .collect()
}

fn range_series(one: StepSeries, grid: Grid) -> RangeSeries {
    let point = |(step, value)| (grid.time(step), value);
    let floats = if let Some((first, values)) = one.floats.dense() {
        // A known length saves growing the list.
        (first..).zip(values.iter().copied()).map(point).collect()
    } else {
        one.floats.iter().map(point).collect()
    };
    RangeSeries {
        floats,
        histograms: one
            .histograms
            .into_iter()
            .map(|(step, histogram)| (grid.time(step), histogram))
            .collect(),
        labels: one.labels,
    }
}

/// Sorts the series of a matrix by their labels.
fn sort(value: &mut QueryValue) {
    if let QueryValue::Matrix(series) = value {
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
    }
}
