//! `label_replace` and `label_join`: series keep their values and change their labels.

use obsq_model::METRIC_NAME;
use obsq_query_lang::{Regex, has_stray_bytes, without_stray_bytes};

use crate::promql::error::{ParameterError, QueryError};
use crate::promql::eval::Evaluation;
use crate::promql::output::{Output, SeriesList, Uniqueness, unify};
use crate::promql::plan::{Arg, Node};
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    pub(super) fn label_replace(
        &mut self,
        node: &Node,
        args: &[Arg],
        texts: &[String],
    ) -> Result<Output, QueryError> {
        let [target, template, source, pattern] = texts else {
            return Err(QueryError::internal("four strings are expected"));
        };
        let Ok(regex) = Regex::anchored(pattern) else {
            let error = ParameterError::LabelReplaceRegex(pattern.clone());
            return Err(QueryError::Parameter(error));
        };
        check_target("label_replace", target)?;
        let mut list = self.only_vector(args)?;
        for one in &mut list.series {
            let value = regex.expand(one.labels.value(source), template);
            if let Some(value) = value {
                set_label(one, target, &value);
            }
        }
        self.relabelled(node, list)
    }

    pub(super) fn label_join(
        &mut self,
        node: &Node,
        args: &[Arg],
        texts: &[String],
    ) -> Result<Output, QueryError> {
        let [target, separator, sources @ ..] = texts else {
            return Err(QueryError::internal("two strings are expected"));
        };
        if let Some(source) = sources.iter().find(|source| !is_label_name(source)) {
            let error = ParameterError::JoinSource(source.clone());
            return Err(QueryError::Parameter(error));
        }
        check_target("label_join", target)?;
        let mut list = self.only_vector(args)?;
        for one in &mut list.series {
            let values: Vec<&str> = sources.iter().map(|name| one.labels.value(name)).collect();
            let value = values.join(separator);
            set_label(one, target, &value);
        }
        self.relabelled(node, list)
    }

    fn only_vector(&mut self, args: &[Arg]) -> Result<SeriesList, QueryError> {
        match args.first() {
            Some(arg) => self.take_vector(arg.node),
            None => Err(QueryError::internal("a vector is expected")),
        }
    }

    fn relabelled(&mut self, node: &Node, mut list: SeriesList) -> Result<Output, QueryError> {
        list.series = unify(list.series, self.plan.grid(node), Uniqueness::Merge)?;
        list.distinct = true;
        Ok(Output::Vector(list))
    }
}

/// Says whether a label may have that name: any text that is UTF-8 and not empty.
fn is_label_name(name: &str) -> bool {
    !name.is_empty() && !has_stray_bytes(name)
}

fn check_target(function: &'static str, name: &str) -> Result<(), QueryError> {
    if is_label_name(name) {
        return Ok(());
    }
    let name = name.to_owned();
    let error = ParameterError::Destination { function, name };
    Err(QueryError::Parameter(error))
}

fn set_label(one: &mut StepSeries, name: &str, value: &str) {
    let value = without_stray_bytes(value);
    one.labels = one.labels.to_builder().set(name, &value).build();
    if name == METRIC_NAME {
        // A name that was just given is not one to be dropped.
        one.drop_name = false;
    }
}
