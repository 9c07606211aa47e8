//! Calls of functions.

use super::Grammar;
use crate::differential::expression::{Expression, Kind};

const OVER_RANGE: [&str; 16] = [
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "present_over_time",
    "absent_over_time",
    "changes",
    "resets",
    "delta",
    "idelta",
    "deriv",
    "irate",
];
const OF_FLOATS: [&str; 14] = [
    "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "atan", "tanh", "deg",
    "rad", "asinh",
];
const OF_TIMES: [&str; 8] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
];

impl Grammar {
    /// Returns a function of a range vector.
    pub(super) fn over_range(&mut self, depth: u32) -> Expression {
        if self.random.chance(35) {
            let function = self.random.pick(&["rate", "increase"]);
            let counters = self.counters();
            return Expression::of(Kind::Vector, &format!("{function}(@#)"), vec![counters]);
        }
        if self.random.chance(10) {
            return self.over_range_with_scalar(depth);
        }
        let matrix = self.matrix(depth - 1);
        if self.random.chance(5) {
            let factors = ["0.1", "0.5", "0.9"];
            let (smooth, trend) = (self.random.pick(&factors), self.random.pick(&factors));
            let pattern = format!("double_exponential_smoothing(@#, {smooth}, {trend})");
            return Expression::of(Kind::Vector, &pattern, vec![matrix]);
        }
        let function = self.random.pick(&OVER_RANGE);
        Expression::of(Kind::Vector, &format!("{function}(@#)"), vec![matrix])
    }

    /// Returns a function of a range vector and a scalar. Where the scalar moves and the range does not, 2.42 loses
    /// samples of the range from the second step on, so there is no `@`.
    fn over_range_with_scalar(&mut self, depth: u32) -> Expression {
        self.moving = true;
        let matrix = self.matrix(depth - 1);
        self.moving = false;
        let scalar = self.scalar(1);
        if self.random.chance(50) {
            let inner = vec![scalar, matrix];
            Expression::of(Kind::Vector, "quantile_over_time(@#, @#)", inner)
        } else {
            let inner = vec![matrix, scalar];
            Expression::of(Kind::Vector, "predict_linear(@#, @#)", inner)
        }
    }

    /// Returns a function of an instant vector or a scalar.
    pub(super) fn call(&mut self, depth: u32) -> Expression {
        let inner = self.vector(depth - 1);
        let (pattern, inner) = match self.random.below(12) {
            // The sine of a large value makes its last digit a large difference.
            0 if self.random.chance(30) => {
                let function = self.random.pick(&["sin", "cos"]);
                (format!("{function}(@#)"), vec![self.selector()])
            }
            0..4 => (format!("{}(@#)", self.random.pick(&OF_FLOATS)), vec![inner]),
            4 => (format!("{}(@#)", self.random.pick(&OF_TIMES)), vec![inner]),
            5 => {
                let function = self.random.pick(&["clamp_min", "clamp_max", "round"]);
                (format!("{function}(@#, @#)"), vec![inner, self.scalar(1)])
            }
            6 => {
                let bounds = [self.scalar(0), self.scalar(0)];
                let inner = [&[inner][..], &bounds].concat();
                ("clamp(@#, @#, @#)".to_owned(), inner)
            }
            7 => (self.label_replace(), vec![inner]),
            8 => {
                let labels = self
                    .random
                    .pick(&["\"job\"", "\"job\", \"instance\"", "\"none\""]);
                let target = self.random.pick(&["joined", "job", "odd"]);
                (
                    format!("label_join(@#, \"{target}\", \"-\", {labels})"),
                    vec![inner],
                )
            }
            9 => ("absent(@#)".to_owned(), vec![inner]),
            10 => ("vector(@#)".to_owned(), vec![self.scalar(depth - 1)]),
            _ => ("timestamp(@#)".to_owned(), vec![inner]),
        };
        Expression::of(Kind::Vector, &pattern, inner)
    }

    fn label_replace(&mut self) -> String {
        let target = self.random.pick(&["copy", "job", "instance", "odd"]);
        let source = self.random.pick(&["job", "instance", "odd", "none"]);
        let replacement = self
            .random
            .pick(&["$1", "x-$1-y", "${1}z", "", "fixed", "$2"]);
        let pattern =
            self.random
                .pick(&["(?s)(.*)", "(?s)([a-z]).*", "i([0-9])", "", "(?s)(a)(.*)"]);
        format!("label_replace(@#, \"{target}\", \"{replacement}\", \"{source}\", \"{pattern}\")")
    }

    /// Returns `histogram_quantile` over classic buckets, with the labels it needs.
    pub(super) fn quantile_of_buckets(&mut self) -> Expression {
        let quantile = self
            .random
            .pick(&["0", "0.5", "0.9", "0.99", "1", "-1", "1.5"]);
        let buckets = match self.random.below(3) {
            0 => "latency_bucket".to_owned(),
            1 => format!("rate(latency_bucket[{}m])", self.random.between(1, 20)),
            _ => {
                let by = self.random.pick(&["le", "le, job", "le, instance"]);
                format!(
                    "sum by ({by}) (rate(latency_bucket[{}m]))",
                    self.random.between(1, 20)
                )
            }
        };
        let buckets = Expression::leaf(Kind::Vector, buckets);
        Expression::of(
            Kind::Vector,
            &format!("histogram_quantile({quantile}, @#)"),
            vec![buckets],
        )
    }
}
