//! Reading series and making one value per step of each.
//!
//! A scan is the leaf of a plan at work: the latest sample, or a function over a window of
//! samples, for each series and step. Its series are read in parts, several at a time; whoever
//! uses the scan takes them one by one and need not hold them all.

mod latest;
mod smoothed;
mod stats;
mod window;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use obsq_model::{Labels, SampleColumns, TimeRange};
use obsq_query_lang::Span;
use obsq_query_lang::promql::Function;
use obsq_source::{QueryContext, SelectRequest, SeriesSet};

use super::Evaluation;
use super::partition::in_parts;
use crate::promql::annotations::{Annotation, Annotations};
use crate::promql::budget::Reservation;
use crate::promql::error::QueryError;
use crate::promql::grid::Grid;
use crate::promql::kernels::{Edges, RangeNotes, has_counter_suffix};
use crate::promql::meter::FrameCounts;
use crate::promql::output::{Output, Scalar, SeriesList, Uniqueness, unify};
use crate::promql::plan::{Node, NodeId, Op, RangeCall, RangeInput, Selector, WindowSpec};
use crate::promql::series::StepSeries;

/// Series that are worth a part of their own: with windows of many samples, few are.
pub(crate) const SMALLEST_PART: usize = 4;

/// A leaf of a plan, its series known and none read yet.
#[derive(Debug)]
pub(crate) struct Scan {
    input: Input,
    task: Task,
    window: WindowSpec,
    grid: Grid,
    reach: TimeRange,
    histogram_stats: bool,
    delayed_name_removal: bool,
    context: QueryContext,
    /// Where annotations about a series point at.
    span: Span,
}

/// Where the samples of a scan come from.
#[derive(Debug)]
enum Input {
    /// A source.
    Stored(Box<dyn SeriesSet>),
    /// A subquery: its values, and the grid they lie on.
    Computed(SeriesList, Grid),
}

/// What a scan makes of each series.
#[derive(Debug)]
enum Task {
    /// The latest sample.
    Latest,
    /// The time of the latest sample, or its start time.
    Times { start: bool },
    /// The value between two samples.
    Smoothed,
    /// A function over a window.
    Call {
        function: Function,
        scalars: Vec<Scalar>,
        start_timestamps: bool,
        type_labels: bool,
    },
}

/// Columns and counts that are used again for each series of a part.
#[derive(Debug)]
pub(crate) struct Scratch {
    columns: SampleColumns,
    notes: RangeNotes,
    /// What was looked at and read.
    pub(crate) counts: FrameCounts,
    /// Warnings and infos.
    pub(crate) annotations: Annotations,
}

impl Scratch {
    /// Returns what one part of a scan works with.
    pub(crate) fn new(counts: FrameCounts) -> Self {
        Self {
            columns: SampleColumns::default(),
            notes: RangeNotes::default(),
            counts,
            annotations: Annotations::default(),
        }
    }
}

/// How many samples one series takes while it is worked on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Samples of the result.
    pub(crate) result: usize,
    /// Most samples in a window.
    pub(crate) widest_window: usize,
    /// Samples in the last window.
    pub(crate) last_window: usize,
}

impl Scan {
    /// Returns the number of series.
    pub(crate) fn len(&self) -> usize {
        match &self.input {
            Input::Stored(set) => set.len(),
            Input::Computed(list, _) => list.series.len(),
        }
    }

    /// Returns the labels of series `index` as they are stored.
    pub(crate) fn stored_labels(&self, index: usize) -> &Labels {
        match &self.input {
            Input::Stored(set) => set.labels(index),
            Input::Computed(list, _) => &list.series[index].labels,
        }
    }

    /// Says whether the name of series `index` goes.
    pub(crate) fn drops_name(&self, index: usize) -> bool {
        let by_task = match &self.task {
            Task::Latest | Task::Smoothed => false,
            Task::Times { .. } => true,
            Task::Call { function, .. } => {
                !matches!(function, Function::LastOverTime | Function::FirstOverTime)
            }
        };
        by_task
            || match &self.input {
                Input::Stored(_) => false,
                Input::Computed(list, _) => list.series[index].drop_name,
            }
    }

    /// Returns the labels of series `index` in the result.
    pub(crate) fn labels(&self, index: usize) -> Labels {
        let labels = self.stored_labels(index);
        if self.drops_name(index) && !self.delayed_name_removal {
            labels.without_metadata()
        } else {
            labels.clone()
        }
    }

    /// Makes the values of series `index` of the result, in the place of those in `out`.
    pub(crate) fn fill(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut StepSeries,
    ) -> Result<Cost, QueryError> {
        self.read(index, &mut scratch.columns)?;
        out.clear();
        // A series that exists only for a while takes no room for all steps.
        if !scratch.columns.float_ts.is_empty() {
            out.floats.reserve(self.busy_steps(&scratch.columns).len());
        }
        let mut cost = Cost::default();
        match &self.task {
            Task::Latest => self.latest(&mut scratch.columns, &mut scratch.counts, out),
            Task::Times { start } => self.times(*start, scratch, out),
            Task::Smoothed => self.smoothed(scratch, out),
            Task::Call {
                function, scalars, ..
            } => cost = self.call(*function, scalars, scratch, out)?,
        }
        cost.result = out.samples();
        self.annotate(index, out, scratch);
        Ok(cost)
    }

    /// Fills `columns` with the samples of series `index`.
    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), QueryError> {
        match &self.input {
            Input::Stored(set) => set.read(index, self.reach, columns)?,
            Input::Computed(list, grid) => window::columns_of(&list.series[index], *grid, columns),
        }
        Ok(())
    }

    fn annotate(&self, index: usize, out: &StepSeries, scratch: &mut Scratch) {
        let labels = self.stored_labels(index);
        if !scratch.notes.is_empty() {
            let notes = std::mem::take(&mut scratch.notes);
            let metric = labels.metric_name();
            scratch
                .annotations
                .add_range_notes(&notes, metric, self.span);
        }
        let Task::Call {
            function: Function::Rate | Function::Increase,
            type_labels,
            ..
        } = &self.task
        else {
            return;
        };
        let metric = labels.metric_name();
        if metric.is_empty() || out.floats.is_empty() {
            return;
        }
        if *type_labels {
            let type_label = labels.value(obsq_model::TYPE_LABEL);
            if !matches!(type_label, "counter" | "histogram") {
                let annotation = Annotation::PossibleNonCounterType { metric, type_label };
                scratch.annotations.add(&annotation, self.span);
            }
        } else if !has_counter_suffix(metric) {
            let annotation = Annotation::PossibleNonCounter { metric };
            scratch.annotations.add(&annotation, self.span);
        }
    }
}

impl Task {
    fn wants_start_timestamps(&self) -> bool {
        matches!(
            self,
            Self::Call {
                start_timestamps: true,
                ..
            }
        )
    }
}

/// One part of a scan whose series are all kept.
struct Part {
    series: Vec<StepSeries>,
    costs: Vec<Cost>,
    counts: FrameCounts,
    annotations: Annotations,
    memory: Reservation,
}

impl Evaluation<'_> {
    /// Opens the scan of a node that selects or calls a range function.
    pub(crate) fn open_scan(&mut self, node: &Node) -> Result<Scan, QueryError> {
        match &node.op {
            Op::Select(selector) => {
                let task = match selector.window.edges {
                    Edges::Smoothed => Task::Smoothed,
                    _ => Task::Latest,
                };
                self.open_selector(node, selector, task)
            }
            Op::RangeCall(call) => self.open_call(node, call),
            _ => Err(QueryError::internal("a node that reads no series")),
        }
    }

    fn open_selector(
        &mut self,
        node: &Node,
        selector: &Selector,
        task: Task,
    ) -> Result<Scan, QueryError> {
        let grid = self.plan.grid(node);
        let reach = selector.window.reach(grid);
        let request = SelectRequest {
            range: reach,
            matchers: selector.matchers.clone(),
        };
        let set = self.source.select(self.tenant, &request, self.context)?;
        Ok(Scan {
            input: Input::Stored(set),
            task,
            window: selector.window,
            grid,
            reach,
            histogram_stats: selector.histogram_stats,
            delayed_name_removal: self.options.delayed_name_removal,
            context: self.context.clone(),
            span: node.span,
        })
    }

    fn open_call(&mut self, node: &Node, call: &RangeCall) -> Result<Scan, QueryError> {
        let mut scalars = Vec::new();
        for scalar in &call.scalars {
            scalars.push(self.take_scalar(*scalar)?);
        }
        let task = Task::Call {
            function: call.function,
            scalars,
            start_timestamps: self.options.start_timestamps
                && matches!(
                    call.function,
                    Function::Rate | Function::Irate | Function::Increase | Function::Resets
                ),
            type_labels: self.options.type_and_unit_labels,
        };
        let mut scan = match &call.input {
            RangeInput::Selector(selector) => self.open_selector(node, selector, task)?,
            RangeInput::Subquery { inner, window } => {
                self.open_subquery(node, *inner, *window, task)?
            }
        };
        scan.span = call.arg_span;
        Ok(scan)
    }

    fn open_subquery(
        &mut self,
        node: &Node,
        inner: NodeId,
        window: WindowSpec,
        task: Task,
    ) -> Result<Scan, QueryError> {
        let grid = self.plan.grid(node);
        let frame = self.plan.node(inner).frame;
        let inner_grid = self.plan.grid(self.plan.node(inner));
        self.meter.absorb_subquery(
            (frame, inner_grid),
            (node.frame, grid),
            Some((window.offset_ms, window.range_ms)),
        );
        Ok(Scan {
            input: Input::Computed(self.take_vector(inner)?, inner_grid),
            task,
            window,
            grid,
            reach: window.reach(grid),
            histogram_stats: false,
            delayed_name_removal: self.options.delayed_name_removal,
            context: self.context.clone(),
            span: node.span,
        })
    }

    /// Evaluates a scan and keeps all its series.
    pub(super) fn scan_all(&mut self, node: &Node) -> Result<Output, QueryError> {
        let scan = self.open_scan(node)?;
        let mut list = self.collect(node, &scan)?;
        self.note_warnings(&scan);
        if let Input::Computed(inner, _) = &scan.input {
            self.meter.release(inner.samples);
        }
        if let Op::RangeCall(call) = &node.op {
            if call.function == Function::AbsentOverTime {
                return self.absent_over_time(node, call, &list);
            }
            if !self.options.delayed_name_removal {
                list.series = unify(list.series, scan.grid, Uniqueness::Distinct)?;
            }
        }
        Ok(Output::Vector(list))
    }

    /// Adds what a scan could not read, which is known once it has been read.
    pub(crate) fn note_warnings(&mut self, scan: &Scan) {
        if let Input::Stored(set) = &scan.input {
            for warning in set.warnings() {
                self.notes.add_source_warning(warning);
            }
        }
    }

    /// Makes all series of a scan and holds their samples.
    fn collect(&mut self, node: &Node, scan: &Scan) -> Result<SeriesList, QueryError> {
        let (context, limit) = (self.context, self.meter.limit());
        let template = self.meter.frame(node.frame).empty_like();
        let held = AtomicUsize::new(self.meter.held());
        let work = |range: Range<usize>| {
            let mut scratch = Scratch::new(template.empty_like());
            let mut part = Part {
                series: Vec::with_capacity(range.len()),
                costs: Vec::with_capacity(range.len()),
                counts: FrameCounts::default(),
                annotations: Annotations::default(),
                memory: Reservation::empty(context),
            };
            for index in range {
                context.check()?;
                let mut series = StepSeries::default();
                let cost = scan.fill(index, &mut scratch, &mut series)?;
                part.costs.push(cost);
                if series.is_empty() {
                    continue;
                }
                series.labels = scan.labels(index);
                series.drop_name = scan.drops_name(index);
                if held.fetch_add(cost.result, Ordering::Relaxed) + cost.result > limit {
                    return Err(QueryError::TooManySamples { limit });
                }
                part.memory.grow(series.size_bytes())?;
                part.series.push(series);
            }
            part.counts = scratch.counts;
            part.annotations = scratch.annotations;
            Ok(part)
        };
        let mut list = self.empty();
        list.distinct = match &scan.input {
            Input::Stored(_) => self.options.delayed_name_removal,
            Input::Computed(inner, _) => inner.distinct,
        };
        in_parts(scan.len(), SMALLEST_PART, work, |part| {
            for cost in &part.costs {
                // Times are counted step by step, when the list is finished.
                if !matches!(scan.task, Task::Times { .. }) {
                    self.pay(*cost)?;
                }
                list.samples += cost.result;
            }
            self.meter.frame(node.frame).merge(&part.counts);
            self.notes.merge(part.annotations);
            list.memory.absorb(part.memory);
            list.series.extend(part.series);
            Ok(())
        })?;
        Ok(list)
    }

    /// Counts one more series of a scan.
    pub(crate) fn pay(&mut self, cost: Cost) -> Result<(), QueryError> {
        self.meter.touch(cost.widest_window)?;
        self.meter.hold(cost.result)?;
        self.meter.touch(cost.last_window)
    }

    /// Evaluates `timestamp` and `start_timestamp` of a selector.
    pub(super) fn select_times(
        &mut self,
        node: &Node,
        selector: &Selector,
        start: bool,
    ) -> Result<Output, QueryError> {
        if start && !self.options.start_timestamps {
            return Ok(Output::Vector(self.empty()));
        }
        let mut scan = self.open_selector(node, selector, Task::Times { start })?;
        // As upstream has it, an offset beside `@` moves what is read but not what is looked at.
        if scan.window.at_ms.is_some() {
            scan.window.offset_ms = 0;
        }
        let list = self.collect(node, &scan)?;
        self.note_warnings(&scan);
        let gathered = list.counts_by_step(scan.grid.steps);
        self.finish(node, 0, &gathered, list.series, true)
    }
}
