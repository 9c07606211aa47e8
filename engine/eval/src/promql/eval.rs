//! Evaluating a plan.

mod aggregate;
mod binary;
mod call;
mod partition;
mod scan;
mod subquery;

use obsq_model::Tenant;
use obsq_query_lang::promql::ValueType;
use obsq_source::{MetricSource, QueryContext};

use super::annotations::Annotations;
use super::budget::Reservation;
use super::engine::EngineOptions;
use super::error::QueryError;
use super::grid::Grid;
use super::meter::Meter;
use super::output::{Output, Scalar, SeriesList, Uniqueness, unify};
use super::plan::{Node, NodeId, Op, Plan};
use super::series::StepSeries;

/// One evaluation of a plan. Runs on a thread of the engine's pool.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    /// What is done.
    pub(crate) plan: &'a Plan,
    /// The engine's settings.
    pub(crate) options: &'a EngineOptions,
    /// Where series come from.
    pub(crate) source: &'a dyn MetricSource,
    /// Whose series.
    pub(crate) tenant: &'a Tenant,
    /// How far back instant selectors look.
    pub(crate) lookback_ms: i64,
    /// Limits, deadline, cancellation.
    pub(crate) context: &'a QueryContext,
    /// Counts samples.
    pub(crate) meter: Meter,
    /// Warnings and infos.
    pub(crate) notes: Annotations,
    /// Values of the nodes that are evaluated and not yet consumed.
    pub(crate) outputs: Vec<Option<Output>>,
}

impl Evaluation<'_> {
    /// Evaluates all nodes and returns the value of the last one.
    pub(crate) fn run(&mut self) -> Result<Output, QueryError> {
        let plan = self.plan;
        self.outputs.resize_with(plan.nodes.len(), || None);
        for (index, node) in plan.nodes.iter().enumerate() {
            if node.streamed {
                continue;
            }
            self.context.check()?;
            let output = if plan.grid(node).steps == 0 {
                self.nothing(node)
            } else {
                self.node(node)?
            };
            self.outputs[index] = Some(output);
        }
        let last = NodeId(plan.nodes.len().saturating_sub(1) as u32);
        self.take(last)
    }

    /// Returns the value of a node that has no step to be evaluated at.
    fn nothing(&self, node: &Node) -> Output {
        match &node.op {
            Op::Number(value) => Output::Scalar(Scalar::Constant(*value)),
            Op::Text(text) => Output::Text(text.clone()),
            _ => Output::Vector(self.empty()),
        }
    }

    fn node(&mut self, node: &Node) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        match &node.op {
            Op::Number(value) => {
                self.meter.hold(grid.steps)?;
                Ok(Output::Scalar(Scalar::Constant(*value)))
            }
            Op::Text(text) => Ok(Output::Text(text.clone())),
            Op::Select(_) | Op::RangeCall(_) => self.scan_all(node),
            Op::SelectTimes { selector, start } => self.select_times(node, selector, *start),
            Op::SelectWindow(selector) => self.select_window(node, selector),
            Op::Subquery { inner } => self.subquery_result(node, *inner),
            Op::Broadcast(inner) => self.broadcast(node, *inner),
            Op::Call {
                function,
                args,
                texts,
            } => self.call(node, *function, args, texts),
            Op::Absent { inner, labels } => self.absent(node, *inner, labels),
            Op::Info { inner, info } => self.info(node, *inner, info),
            Op::Negate(inner) => self.negate(node, *inner),
            Op::Aggregate(aggregate) => self.aggregate(node, aggregate),
            Op::Binary(binary) => self.binary(node, binary),
        }
    }

    /// Returns and removes the value of a node.
    pub(crate) fn take(&mut self, id: NodeId) -> Result<Output, QueryError> {
        self.outputs
            .get_mut(id.0 as usize)
            .and_then(Option::take)
            .ok_or(QueryError::internal("a value is used twice or too early"))
    }

    /// Returns and removes the vector of a node.
    pub(crate) fn take_vector(&mut self, id: NodeId) -> Result<SeriesList, QueryError> {
        match self.take(id)? {
            Output::Vector(list) => Ok(list),
            _ => Err(QueryError::internal("an instant vector is expected")),
        }
    }

    /// Returns and removes the scalar of a node.
    pub(crate) fn take_scalar(&mut self, id: NodeId) -> Result<Scalar, QueryError> {
        match self.take(id)? {
            Output::Scalar(scalar) => Ok(scalar),
            Output::Vector(list) if list.series.is_empty() => Ok(Scalar::Constant(f64::NAN)),
            _ => Err(QueryError::internal("a scalar is expected")),
        }
    }

    /// Returns a list without series.
    pub(crate) fn empty(&self) -> SeriesList {
        SeriesList {
            series: Vec::new(),
            samples: 0,
            memory: Reservation::empty(self.context),
            distinct: true,
        }
    }

    /// Returns the list of `series` without the empty ones, with its memory reserved but its
    /// samples not yet held.
    pub(crate) fn list(&self, mut series: Vec<StepSeries>) -> Result<SeriesList, QueryError> {
        series.retain(|one| !one.is_empty());
        let bytes = series.iter().map(StepSeries::size_bytes).sum();
        Ok(SeriesList {
            samples: series.iter().map(StepSeries::samples).sum(),
            memory: Reservation::of(self.context, bytes)?,
            distinct: false,
            series,
        })
    }

    /// Finishes a node whose function was applied step by step to `inputs`: checks labels, and
    /// exchanges the samples held for the inputs by those of the result.
    ///
    /// `gathered` is the number of values that the inputs have at each step; `distinct` says that
    /// the labels of the result are those of an input that has no two series with equal labels.
    pub(crate) fn finish(
        &mut self,
        node: &Node,
        inputs: usize,
        gathered: &[u32],
        mut series: Vec<StepSeries>,
        distinct: bool,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        series.retain(|one| !one.is_empty());
        let unique = distinct && self.options.delayed_name_removal;
        let series = if unique || (grid.instant && self.options.delayed_name_removal) {
            series
        } else if grid.instant {
            unify(series, grid, Uniqueness::Distinct)?
        } else {
            unify(series, grid, Uniqueness::Merge)?
        };
        let mut list = self.list(series)?;
        list.distinct = unique || !grid.instant;
        self.touch_steps(gathered, &list)?;
        self.meter.release(inputs);
        self.meter.hold(list.samples)?;
        Ok(Output::Vector(list))
    }

    /// Notes what exists at one time while a function runs from step to step: the results of the
    /// steps before, and the inputs and results of the step itself.
    fn touch_steps(&mut self, gathered: &[u32], list: &SeriesList) -> Result<(), QueryError> {
        let results = list.counts_by_step(gathered.len());
        let mut before = 0;
        for (inputs, result) in gathered.iter().zip(results) {
            before += result as usize;
            self.meter.touch(before + *inputs as usize)?;
        }
        Ok(())
    }

    /// Returns a series of a result that no longer is the metric it was: the name goes at once or
    /// is marked to go at the end.
    pub(crate) fn renamed(&self, one: &StepSeries) -> StepSeries {
        let mut renamed = one.like();
        self.drop_name(&mut renamed);
        renamed
    }

    /// Drops the name of a series, at once or at the end.
    pub(crate) fn drop_name(&self, one: &mut StepSeries) {
        one.drop_name = true;
        if !self.options.delayed_name_removal {
            one.labels = one.labels.without_metadata();
        }
    }

    fn broadcast(&mut self, node: &Node, inner: NodeId) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let once = self.plan.node(inner).frame;
        self.meter.spread(once, node.frame, grid);
        match self.take(inner)? {
            Output::Scalar(scalar) => {
                self.meter.hold(grid.steps.saturating_sub(1))?;
                Ok(Output::Scalar(Scalar::Constant(scalar.get(0))))
            }
            Output::Vector(list) => {
                // All of it is checked before any of it is made.
                self.meter
                    .touch(list.samples.saturating_mul(grid.steps.saturating_sub(1)))?;
                let bytes: usize = list.series.iter().map(StepSeries::size_bytes).sum();
                let room = Reservation::of(self.context, bytes.saturating_mul(grid.steps))?;
                let spread = list.series.iter().map(|one| spread(one, grid)).collect();
                drop(room);
                let mut all = self.list(spread)?;
                all.distinct = list.distinct;
                self.meter.hold(all.samples - list.samples)?;
                Ok(Output::Vector(all))
            }
            other => Ok(other),
        }
    }

    fn negate(&mut self, node: &Node, inner: NodeId) -> Result<Output, QueryError> {
        let mut list = match self.take(inner)? {
            Output::Vector(list) => list,
            Output::Scalar(mut scalar) => {
                scalar.map(|value| -value);
                return Ok(Output::Scalar(scalar));
            }
            other => return Ok(other),
        };
        list.distinct &= self.options.delayed_name_removal;
        for one in &mut list.series {
            self.drop_name(one);
            one.floats.map(|value| -value);
            for (_, histogram) in &mut one.histograms {
                *histogram = binary::scaled(histogram, -1.0);
            }
        }
        if !self.options.delayed_name_removal {
            list.series = unify(list.series, self.plan.grid(node), Uniqueness::Merge)?;
        }
        Ok(Output::Vector(list))
    }

    /// Drops the names that are to go, and checks that the labels still tell the series apart.
    pub(crate) fn clean_up(&self, output: Output, grid: Grid) -> Result<Output, QueryError> {
        let Output::Vector(mut list) = output else {
            return Ok(output);
        };
        if self.options.delayed_name_removal && self.plan.value_type == ValueType::Vector {
            let mut dropped = false;
            for one in list.series.iter_mut().filter(|one| one.drop_name) {
                one.labels = one.labels.without_metadata();
                dropped = true;
            }
            if dropped || !list.distinct {
                list.series = unify(list.series, grid, Uniqueness::Merge)?;
            }
        }
        Ok(Output::Vector(list))
    }
}

fn spread(one: &StepSeries, grid: Grid) -> StepSeries {
    let mut all = one.like();
    if let Some(value) = one.floats.get(0) {
        all.floats = super::series::FloatColumn::constant(value, grid.steps);
    }
    if let Some(histogram) = one.histogram(0) {
        let copies = (0..grid.steps).map(|step| (step, std::sync::Arc::clone(histogram)));
        all.histograms = copies.collect();
    }
    all
}
