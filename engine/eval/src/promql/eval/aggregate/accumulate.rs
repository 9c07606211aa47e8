//! `sum`, `avg`, `count`, `min`, `max`, `group`, `stddev`, `stdvar`.
//!
//! The series of the input are added to the cells of their groups as they come, part by part; when
//! the input is a selector or a range function it is never held as a whole. Histograms are put
//! aside and aggregated in the end, in the order of their series.

use std::ops::Range;
use std::sync::Arc;

use obsq_model::FloatHistogram;
use obsq_query_lang::promql::AggregateOp;
use obsq_source::QueryContext;
use rustc_hash::FxHashMap;

use super::cells::CellRow;
use super::groups::Groups;
use crate::promql::annotations::{Annotation, Annotations};
use crate::promql::budget::Reservation;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::eval::partition::in_parts;
use crate::promql::eval::scan::{Cost, Scan, Scratch};
use crate::promql::meter::FrameCounts;
use crate::promql::output::{Output, SeriesList};
use crate::promql::plan::{Aggregate, Node};
use crate::promql::series::StepSeries;

/// The series that are aggregated.
#[derive(Debug)]
enum Feed {
    /// A leaf whose series are made one by one.
    Streamed(Box<Scan>),
    /// A result.
    Held(SeriesList),
}

/// Series that are worth a part of their own: the results of parts have to be merged.
const SMALLEST_PART: usize = 16;

/// A histogram put aside.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    pub(super) step: usize,
    pub(super) histogram: Arc<FloatHistogram>,
    /// Number of its series.
    pub(super) series: usize,
}

/// What is known of one group.
#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) cells: CellRow,
    pub(super) histograms: Vec<Aside>,
    drop_name: bool,
}

impl GroupState {
    fn merge(&mut self, later: Self) {
        self.cells.merge(&later.cells);
        self.histograms.extend(later.histograms);
        self.drop_name |= later.drop_name;
    }
}

/// The groups that one part of the input has to do with.
#[derive(Debug)]
struct Part {
    groups: Vec<(u32, GroupState)>,
    costs: Vec<Cost>,
    counts: FrameCounts,
    annotations: Annotations,
    memory: Reservation,
}

impl Evaluation<'_> {
    pub(super) fn accumulate(
        &mut self,
        node: &Node,
        aggregate: &Aggregate,
    ) -> Result<Output, QueryError> {
        let input = self.plan.node(aggregate.expr);
        let (feed, groups) = if input.streamed {
            let scan = self.open_scan(input)?;
            let labels = (0..scan.len()).map(|index| scan.stored_labels(index));
            let groups = Groups::of(aggregate, labels);
            (Feed::Streamed(Box::new(scan)), groups)
        } else {
            let list = self.take_vector(aggregate.expr)?;
            let labels = list.series.iter().map(|one| &one.labels);
            let groups = Groups::of(aggregate, labels);
            (Feed::Held(list), groups)
        };
        let (states, _memory, held) = self.states(node, aggregate, &feed, &groups)?;
        if let Feed::Streamed(scan) = &feed {
            self.note_warnings(scan);
        }
        let name_of = |series: usize| match &feed {
            Feed::Streamed(scan) => scan.labels(series),
            Feed::Held(list) => list.series[series].labels.clone(),
        };
        let steps = self.plan.grid(node).steps;
        let mut series = Vec::with_capacity(states.len());
        for (state, labels) in states.into_iter().zip(groups.labels) {
            let Some(state) = state else { continue };
            let mut one = StepSeries::new(labels, state.drop_name);
            self.finish_group(aggregate, &state, steps, &name_of, &mut one);
            series.push(one);
        }
        let mut result = self.list(series)?;
        result.distinct = true;
        self.finish_aggregate(held, result)
    }

    /// Adds all series to their groups. Also returns the memory that this takes and the number of
    /// samples held for the input.
    fn states(
        &mut self,
        node: &Node,
        aggregate: &Aggregate,
        feed: &Feed,
        groups: &Groups,
    ) -> Result<(Vec<Option<GroupState>>, Reservation, usize), QueryError> {
        let mut states: Vec<Option<GroupState>> = Vec::new();
        states.resize_with(groups.len(), || None);
        let (mut held, len) = match feed {
            Feed::Streamed(scan) => (0, scan.len()),
            Feed::Held(list) => (list.samples, list.series.len()),
        };
        let (steps, context) = (self.plan.grid(node).steps, self.context);
        let counts = self.meter.frame(node.frame).empty_like();
        let work = |range| {
            let memory = Reservation::empty(context);
            let adder = Adder::new(aggregate, groups, steps, memory);
            add_part(adder, feed, range, counts.empty_like(), context)
        };
        let mut memory = Reservation::empty(self.context);
        in_parts(len, SMALLEST_PART, work, |part| {
            for cost in &part.costs {
                self.pay(*cost)?;
                held += cost.result;
            }
            self.meter.frame(node.frame).merge(&part.counts);
            self.notes.merge(part.annotations);
            memory.absorb(part.memory);
            for (group, state) in part.groups {
                match &mut states[group as usize] {
                    Some(known) => known.merge(state),
                    unknown => *unknown = Some(state),
                }
            }
            Ok(())
        })?;
        Ok((states, memory, held))
    }
}

/// Adds the series of one part of the input to the groups they belong to.
fn add_part(
    mut adder: Adder<'_>,
    feed: &Feed,
    range: Range<usize>,
    counts: FrameCounts,
    context: &QueryContext,
) -> Result<Part, QueryError> {
    match feed {
        Feed::Held(list) => {
            for index in range {
                context.check()?;
                adder.add(index, &list.series[index])?;
            }
            Ok(adder.part(Vec::new(), counts))
        }
        Feed::Streamed(scan) => {
            let mut scratch = Scratch::new(counts);
            let mut costs = Vec::with_capacity(range.len());
            let mut one = StepSeries::default();
            for index in range {
                context.check()?;
                costs.push(scan.fill(index, &mut scratch, &mut one)?);
                one.drop_name = scan.drops_name(index);
                adder.add(index, &one)?;
            }
            adder.annotations.merge(scratch.annotations);
            Ok(adder.part(costs, scratch.counts))
        }
    }
}

/// Adds series to groups.
struct Adder<'a> {
    aggregate: &'a Aggregate,
    of_series: &'a [u32],
    steps: usize,
    positions: FxHashMap<u32, usize>,
    groups: Vec<(u32, GroupState)>,
    annotations: Annotations,
    memory: Reservation,
}

impl<'a> Adder<'a> {
    fn new(
        aggregate: &'a Aggregate,
        groups: &'a Groups,
        steps: usize,
        memory: Reservation,
    ) -> Self {
        Self {
            aggregate,
            of_series: &groups.of_series,
            steps,
            positions: FxHashMap::default(),
            groups: Vec::new(),
            annotations: Annotations::default(),
            memory,
        }
    }

    fn part(self, costs: Vec<Cost>, counts: FrameCounts) -> Part {
        Part {
            groups: self.groups,
            costs,
            counts,
            annotations: self.annotations,
            memory: self.memory,
        }
    }

    fn add(&mut self, index: usize, one: &StepSeries) -> Result<(), QueryError> {
        if one.is_empty() {
            return Ok(());
        }
        let position = self.position(self.of_series[index])?;
        let op = self.aggregate.op;
        let state = &mut self.groups[position].1;
        state.drop_name |= one.drop_name;
        state.cells.add(&one.floats);
        if one.histograms.is_empty() {
            return Ok(());
        }
        match op {
            AggregateOp::Sum | AggregateOp::Avg => {
                self.memory.grow(one.size_bytes())?;
                let state = &mut self.groups[position].1;
                let asides = one.histograms.iter().map(|(step, histogram)| Aside {
                    step: *step,
                    histogram: Arc::clone(histogram),
                    series: index,
                });
                state.histograms.extend(asides);
            }
            AggregateOp::Count | AggregateOp::Group => {
                let state = &mut self.groups[position].1;
                for (step, _) in &one.histograms {
                    state.cells.count_histogram(*step);
                }
            }
            _ => {
                let aggregation = op.as_str();
                let annotation = Annotation::IgnoredInAggregation { aggregation };
                self.annotations.add(&annotation, self.aggregate.expr_span);
            }
        }
        Ok(())
    }

    fn position(&mut self, group: u32) -> Result<usize, QueryError> {
        if let Some(position) = self.positions.get(&group) {
            return Ok(*position);
        }
        self.memory.grow(CellRow::size_bytes(self.steps))?;
        let position = self.groups.len();
        self.positions.insert(group, position);
        let state = GroupState {
            cells: CellRow::new(self.aggregate.op, self.steps),
            histograms: Vec::new(),
            drop_name: false,
        };
        self.groups.push((group, state));
        Ok(position)
    }
}
