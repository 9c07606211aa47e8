//! Functions of each float by itself; histograms are left out.

use obsq_model::{Civil, Labels};
use obsq_query_lang::promql::Function;
use rayon::prelude::*;

use super::Arguments;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::float;
use crate::promql::outcome::Value;
use crate::promql::output::{Output, Scalar};
use crate::promql::plan::Node;
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    /// Evaluates a function that turns each float into another one.
    pub(super) fn float_call(
        &mut self,
        node: &Node,
        function: Function,
        mut arguments: Arguments,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let Some(list) = arguments.vector.take() else {
            return self.date_of_step(node, function, &arguments);
        };
        let parameter = |index: usize, step: usize| {
            let scalar: Option<&Scalar> = arguments.scalars.get(index);
            scalar.map(|scalar| scalar.get(step))
        };
        let context = self.context;
        let this: &Self = self;
        let compute = |one: StepSeries| {
            context.check()?;
            let mut result = this.renamed(&one);
            match fixed(function) {
                Some(change) => {
                    result.floats = one.floats;
                    result.floats.map(change);
                }
                None => {
                    result.floats = one.floats.filter_map(|step, value| {
                        with_parameters(function, value, parameter(0, step), parameter(1, step))
                    });
                }
            }
            Ok(result)
        };
        let series = list
            .series
            .into_par_iter()
            .with_min_len(16)
            .map(compute)
            .collect::<Result<Vec<_>, QueryError>>()?;
        debug_assert_eq!(arguments.gathered.len(), grid.steps);
        self.finish(
            node,
            arguments.samples,
            &arguments.gathered,
            series,
            arguments.distinct,
        )
    }

    /// Evaluates a calendar function without argument, which is about the evaluation time.
    fn date_of_step(
        &mut self,
        node: &Node,
        function: Function,
        arguments: &Arguments,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let mut one = StepSeries::new(Labels::empty(), false);
        for step in 0..grid.steps {
            let civil = Civil::of(grid.time(step) / 1000);
            if let Some(value) = calendar(function, &civil) {
                one.push(step, Value::Float(value as f64));
            }
        }
        self.finish(
            node,
            arguments.samples,
            &arguments.gathered,
            vec![one],
            true,
        )
    }

    /// `timestamp` of what is not a selector: the evaluation time.
    pub(super) fn time_of_step(
        &mut self,
        node: &Node,
        arguments: &Arguments,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let mut series = Vec::new();
        for one in arguments.vector.iter().flat_map(|list| &list.series) {
            let mut result = self.renamed(one);
            for step in one.presence(grid.steps).iter() {
                let seconds = grid.time(step) as f64 / 1000.0;
                result.push(step, Value::Float(seconds));
            }
            series.push(result);
        }
        self.finish(
            node,
            arguments.samples,
            &arguments.gathered,
            series,
            arguments.distinct,
        )
    }
}

/// Returns what a function without parameters does.
fn fixed(function: Function) -> Option<fn(f64) -> f64> {
    Some(match function {
        Function::Abs => f64::abs,
        Function::Ceil => f64::ceil,
        Function::Floor => f64::floor,
        Function::Exp => f64::exp,
        Function::Sqrt => f64::sqrt,
        Function::Ln => f64::ln,
        Function::Log2 => f64::log2,
        Function::Log10 => f64::log10,
        Function::Sin => f64::sin,
        Function::Cos => f64::cos,
        Function::Tan => f64::tan,
        Function::Asin => f64::asin,
        Function::Acos => f64::acos,
        Function::Atan => f64::atan,
        Function::Sinh => f64::sinh,
        Function::Cosh => f64::cosh,
        Function::Tanh => f64::tanh,
        Function::Asinh => f64::asinh,
        Function::Acosh => f64::acosh,
        Function::Atanh => f64::atanh,
        Function::Rad => |degrees| degrees * std::f64::consts::PI / 180.0,
        Function::Deg => |radians| radians * 180.0 / std::f64::consts::PI,
        Function::Sgn => sign,
        _ => return None,
    })
}

fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// Applies a function that may have parameters; `None` leaves the value out.
fn with_parameters(
    function: Function,
    value: f64,
    first: Option<f64>,
    second: Option<f64>,
) -> Option<f64> {
    match function {
        Function::Round => {
            // The inverse loses less than dividing by what is rounded to.
            let inverse = 1.0 / first.unwrap_or(1.0);
            Some((value * inverse + 0.5).floor() / inverse)
        }
        Function::Clamp => clamp(value, first?, second?),
        Function::ClampMin => clamp(value, first?, f64::INFINITY),
        Function::ClampMax => clamp(value, f64::NEG_INFINITY, first?),
        _ => {
            let civil = Civil::of(float::to_integer(value));
            calendar(function, &civil).map(|value| value as f64)
        }
    }
}

fn clamp(value: f64, min: f64, max: f64) -> Option<f64> {
    let empty = max < min;
    (!empty).then(|| float::max(min, float::min(max, value)))
}

fn calendar(function: Function, civil: &Civil) -> Option<i64> {
    Some(match function {
        Function::DaysInMonth => civil.days_in_month(),
        Function::DayOfMonth => civil.day,
        Function::DayOfWeek => civil.weekday,
        Function::DayOfYear => civil.day_of_year,
        Function::Hour => civil.hour,
        Function::Minute => civil.minute,
        Function::Month => civil.month,
        Function::Year => civil.year,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_takes_halves_up() {
        let round = |value, to| with_parameters(Function::Round, value, to, None);
        assert_eq!(round(2.5, None), Some(3.0));
        assert_eq!(round(-2.5, None), Some(-2.0));
        assert_eq!(round(5.25, Some(0.5)), Some(5.5));
    }

    #[test]
    fn clamping_to_an_empty_range_leaves_nothing() {
        assert_eq!(clamp(5.0, 2.0, 1.0), None);
        assert_eq!(clamp(5.0, 1.0, 2.0), Some(2.0));
        assert!(clamp(f64::NAN, 1.0, 2.0).is_some_and(f64::is_nan));
        assert!(clamp(1.0, f64::NAN, 2.0).is_some_and(f64::is_nan));
    }

    #[test]
    fn the_sign_of_zero_and_nan_is_themselves() {
        assert_eq!((sign(-3.0), sign(3.0), sign(0.0)), (-1.0, 1.0, 0.0));
        assert!(sign(f64::NAN).is_nan());
    }
}
