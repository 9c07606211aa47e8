//! `absent` and `absent_over_time`.

use obsq_model::Labels;

use crate::promql::bits::Bits;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::outcome::Value;
use crate::promql::output::{Output, SeriesList};
use crate::promql::plan::{Node, NodeId, RangeCall};
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    /// Returns 1 at each step at which the argument has no element.
    pub(in crate::promql::eval) fn absent(
        &mut self,
        node: &Node,
        inner: NodeId,
        labels: &Labels,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let list = self.take_vector(inner)?;
        let gathered = list.counts_by_step(steps);
        let one = missing(&list, steps, StepSeries::new(labels.clone(), false));
        self.finish(node, list.samples, &gathered, vec![one], true)
    }

    /// Returns 1 at each step at which no series had a sample in its window; `list` holds those
    /// that had.
    pub(in crate::promql::eval) fn absent_over_time(
        &mut self,
        node: &Node,
        call: &RangeCall,
        list: &SeriesList,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let empty = StepSeries::new(call.absent_labels.clone(), true);
        let result = self.list(vec![missing(list, steps, empty)])?;
        self.meter.release(list.samples);
        self.meter.hold(result.samples)?;
        Ok(Output::Vector(result))
    }
}

fn missing(list: &SeriesList, steps: usize, mut one: StepSeries) -> StepSeries {
    let mut present = Bits::zeros(steps);
    list.series.iter().for_each(|one| one.mark(&mut present));
    for step in (0..steps).filter(|step| !present.get(*step)) {
        one.push(step, Value::Float(1.0));
    }
    one
}
