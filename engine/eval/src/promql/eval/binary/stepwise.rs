//! Operators between vectors, step by step.
//!
//! This is the general way, for `fill` and for series that are not unique in their match group:
//! what belongs together, and what is an error, can differ from step to step.

use obsq_model::Labels;
use obsq_query_lang::promql::{MatchCardinality, VectorMatching};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Findings;
use super::element::{apply, truth};
use super::matching::{Signatures, match_labels, result_labels};
use crate::promql::error::QueryError;
use crate::promql::outcome::Value;
use crate::promql::output::SeriesList;
use crate::promql::plan::Binary;
use crate::promql::series::StepSeries;

/// Returns the number of values that two vectors have together at each step.
pub(super) fn gathered(left: &SeriesList, right: &SeriesList, steps: usize) -> Vec<u32> {
    let mut counts = left.counts_by_step(steps);
    for (count, more) in counts.iter_mut().zip(right.counts_by_step(steps)) {
        *count += more;
    }
    counts
}

/// An operator between vectors, its 'many' side first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) binary: &'a Binary,
    pub(super) matching: &'a VectorMatching,
    pub(super) signatures: &'a Signatures,
    pub(super) many: &'a [StepSeries],
    pub(super) one: &'a [StepSeries],
    /// The 'many' side is the right one.
    pub(super) swapped: bool,
    /// Names are dropped at once rather than at the end.
    pub(super) drop_at_once: bool,
}

impl<'a> Sides<'a> {
    /// Returns the match groups of the 'many' side.
    pub(super) fn many_groups(&self) -> &'a [u32] {
        if self.swapped {
            &self.signatures.right
        } else {
            &self.signatures.left
        }
    }

    /// Returns the match groups of the 'one' side.
    pub(super) fn one_groups(&self) -> &'a [u32] {
        if self.swapped {
            &self.signatures.left
        } else {
            &self.signatures.right
        }
    }

    /// Returns the empty series of a result.
    pub(super) fn result(&self, many: &Labels, one: &Labels, many_drops: bool) -> StepSeries {
        let return_bool = self.binary.return_bool;
        let drop_at_once = self.drop_at_once && return_bool;
        let labels = result_labels(self.binary, self.matching, drop_at_once, many, one);
        // A name that is to go stays marked, unless the operator has taken it off already.
        let marked = many_drops && !self.binary.changes_meaning();
        StepSeries::new(labels, return_bool || marked)
    }

    /// Applies the operator to two values; `None` when they do not go together. The flag says
    /// whether the result is kept.
    pub(super) fn apply(
        &self,
        step: usize,
        many: &Value,
        one: &Value,
        findings: &mut Findings,
    ) -> Option<(Value, bool)> {
        let (left, right) = if self.swapped {
            (one, many)
        } else {
            (many, one)
        };
        let mut finding = None;
        let element = apply(self.binary.op, left, right, &mut finding);
        if let Some(finding) = finding {
            findings.add(step, finding);
        }
        let element = element?;
        if self.binary.return_bool {
            return Some((Value::Float(truth(element.keep)), true));
        }
        Some((element.value, element.keep))
    }
}

/// What is known of one match group at one step.
#[derive(Debug, Clone, Default)]
struct GroupState {
    /// The series of the 'one' side.
    one: Option<usize>,
    /// Results of the group so far.
    matched: FxHashSet<usize>,
}

/// A run over all steps.
struct Run<'a> {
    sides: Sides<'a>,
    results: Vec<StepSeries>,
    by_operands: FxHashMap<(Option<usize>, Option<usize>), usize>,
    by_labels: FxHashMap<Labels, usize>,
    groups: Vec<GroupState>,
    findings: Findings,
}

/// Evaluates an operator step by step.
pub(super) fn evaluate(
    sides: Sides<'_>,
    steps: usize,
    mut check: impl FnMut() -> Result<(), QueryError>,
) -> Result<(Vec<StepSeries>, Findings), QueryError> {
    let mut run = Run {
        sides,
        results: Vec::new(),
        by_operands: FxHashMap::default(),
        by_labels: FxHashMap::default(),
        groups: vec![GroupState::default(); sides.signatures.count],
        findings: Findings::default(),
    };
    for step in 0..steps {
        check()?;
        run.step(step)?;
    }
    Ok((run.results, run.findings))
}

impl Run<'_> {
    fn step(&mut self, step: usize) -> Result<(), QueryError> {
        let fill = self.sides.matching.fill;
        let values = |series: &[StepSeries]| -> Vec<(usize, Value)> {
            let at = series.iter().enumerate();
            at.filter_map(|(index, one)| Some((index, one.get(step)?)))
                .collect()
        };
        let (many, one) = (values(self.sides.many), values(self.sides.one));
        let fills = fill.left.is_some() || fill.right.is_some();
        if (many.is_empty() || one.is_empty()) && !fills {
            return Ok(());
        }
        for state in &mut self.groups {
            state.one = None;
            state.matched.clear();
        }
        self.place_one_side(&one)?;
        let one_at: FxHashMap<usize, &Value> =
            one.iter().map(|(index, value)| (*index, value)).collect();
        for (index, value) in &many {
            let group = self.sides.many_groups()[*index] as usize;
            let partner = self.groups[group].one;
            let filled = fill.right.map(Value::Float);
            let other = match partner {
                Some(partner) => one_at.get(&partner).copied(),
                None => filled.as_ref(),
            };
            if let Some(other) = other {
                self.combine(step, group, (Some(*index), value), (partner, other))?;
            }
        }
        let Some(filled) = fill.left.map(Value::Float) else {
            return Ok(());
        };
        for (index, value) in &one {
            let group = self.sides.one_groups()[*index] as usize;
            if self.groups[group].matched.is_empty() {
                self.combine(step, group, (None, &filled), (Some(*index), value))?;
            }
        }
        Ok(())
    }

    /// Notes which series of the 'one' side each group has, which must be one.
    fn place_one_side(&mut self, one: &[(usize, Value)]) -> Result<(), QueryError> {
        for (index, _) in one {
            let group = self.sides.one_groups()[*index] as usize;
            if let Some(other) = self.groups[group].one.replace(*index) {
                return Err(self.duplicate(*index, other));
            }
        }
        Ok(())
    }

    fn duplicate(&self, index: usize, other: usize) -> QueryError {
        let labels = &self.sides.one[index].labels;
        let mut shown = [labels.to_string(), self.sides.one[other].labels.to_string()];
        shown.sort();
        let [first, second] = shown;
        QueryError::ManyToMany {
            group: match_labels(self.sides.matching, labels),
            side: if self.sides.swapped { "left" } else { "right" },
            first,
            second,
        }
    }

    /// Applies the operator to two values; `None` stands for a filled side.
    fn combine(
        &mut self,
        step: usize,
        group: usize,
        many: (Option<usize>, &Value),
        one: (Option<usize>, &Value),
    ) -> Result<(), QueryError> {
        let applied = self.sides.apply(step, many.1, one.1, &mut self.findings);
        let Some((value, keep)) = applied else {
            return Ok(());
        };
        let slot = self.slot(many.0, one.0);
        let state = &mut self.groups[group];
        if self.sides.matching.cardinality == MatchCardinality::OneToOne {
            if !state.matched.is_empty() {
                return Err(QueryError::ManyToOne);
            }
            state.matched.insert(slot);
        } else if !state.matched.insert(slot) {
            return Err(QueryError::GroupingNotUnique);
        }
        if !keep {
            return Ok(());
        }
        if self.results[slot].has(step) {
            return Err(QueryError::SameLabelSet);
        }
        self.results[slot].push(step, value);
        Ok(())
    }

    /// Returns the position of the result of two series, the same for equal labels.
    fn slot(&mut self, many: Option<usize>, one: Option<usize>) -> usize {
        if let Some(slot) = self.by_operands.get(&(many, one)) {
            return *slot;
        }
        let sides = self.sides;
        let filled = |series: &[StepSeries], index: Option<usize>| {
            let one = index.map(|index| &series[index].labels);
            match_labels(sides.matching, one.unwrap_or(&Labels::empty()))
        };
        let (many_labels, many_drops) = match many {
            Some(index) => {
                let one = &sides.many[index];
                (one.labels.clone(), one.drop_name)
            }
            None => (filled(sides.one, one), false),
        };
        let one_labels = match one {
            Some(index) => sides.one[index].labels.clone(),
            None => filled(sides.many, many),
        };
        let result = sides.result(&many_labels, &one_labels, many_drops);
        let results = &mut self.results;
        let slot = *self
            .by_labels
            .entry(result.labels.clone())
            .or_insert_with(|| {
                results.push(result);
                results.len() - 1
            });
        self.by_operands.insert((many, one), slot);
        slot
    }
}
