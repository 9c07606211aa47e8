//! Random queries with right types, over what both servers know.
//!
//! All durations are multiples of 10 s and all times of evaluation end in 7 s, so that no edge of a window falls on a
//! step of a subquery. Subqueries below a subquery are evaluated at multiples of 10 s; their offset ends in 3 s for that
//! reason.

mod call;
mod selector;

use super::expression::{Expression, Kind};
use super::random::Random;

/// Makes queries.
#[derive(Debug)]
pub(super) struct Grammar {
    pub(super) random: Random,
    /// Subqueries around what is being made.
    subqueries: u32,
    /// Leaves `@` out of the range vector that is being made.
    moving: bool,
}

impl Grammar {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            subqueries: 0,
            moving: false,
        }
    }

    /// Returns a whole query, a scalar or an instant vector.
    pub(super) fn query(&mut self) -> Expression {
        let depth = self.random.between(1, 4) as u32;
        match self.random.below(20) {
            0 => self.scalar(depth),
            1 => {
                let vector = self.vector(depth - 1);
                let function = self.random.pick(&["sort", "sort_desc"]);
                Expression::of(Kind::Vector, &format!("{function}(@#)"), vec![vector])
            }
            2 => self.pick_some(depth),
            _ => self.vector(depth),
        }
    }

    /// Returns `topk` and its like, which only whole queries are: which of equals they take is not laid down.
    fn pick_some(&mut self, depth: u32) -> Expression {
        let vector = self.vector(depth - 1);
        let operator = self.random.pick(&["topk", "bottomk"]);
        let (grouping, count) = (self.grouping(), self.random.between(0, 6));
        let pattern = format!("{operator}{grouping} ({count}, @#)");
        Expression::of(Kind::Vector, &pattern, vec![vector])
    }

    fn scalar(&mut self, depth: u32) -> Expression {
        if depth == 0 || self.random.chance(40) {
            let leaf = match self.random.below(12) {
                0 => "time()".to_owned(),
                1 => "pi()".to_owned(),
                2 => self.random.pick(&["NaN", "Inf", "-Inf"]).to_owned(),
                3 => self.random.pick(&["0x1F", "1e3", ".5", "-0"]).to_owned(),
                _ => format!("{}", self.random.between(-40, 160) as f64 / 4.0),
            };
            return Expression::leaf(Kind::Scalar, leaf);
        }
        match self.random.below(4) {
            0 => {
                let vector = self.vector(depth - 1);
                Expression::of(Kind::Scalar, "scalar(@#)", vec![vector])
            }
            1 => {
                let inner = self.scalar(depth - 1);
                let pattern = self.random.pick(&["(@#)", "-(@#)", "+(@#)"]);
                Expression::of(Kind::Scalar, pattern, vec![inner])
            }
            _ => {
                let operands = vec![self.scalar(depth - 1), self.scalar(depth - 1)];
                let operator = self.operator(true);
                Expression::of(Kind::Scalar, &format!("(@# {operator} @#)"), operands)
            }
        }
    }

    /// Returns an operator; comparisons between scalars need `bool`. Never `%`: with a small divisor it makes the last
    /// digit of a sine a large difference.
    fn operator(&mut self, scalars: bool) -> String {
        if self.random.chance(60) {
            let arithmetic = ["+", "-", "*", "/", "^", "atan2"];
            return self.random.pick(&arithmetic).to_owned();
        }
        let comparison = self.random.pick(&["==", "!=", "<", "<=", ">", ">="]);
        let bool = scalars || self.random.chance(40);
        format!("{comparison}{}", if bool { " bool" } else { "" })
    }

    fn vector(&mut self, depth: u32) -> Expression {
        if depth == 0 {
            return self.selector();
        }
        match self.random.below(100) {
            0..10 => self.selector(),
            10..35 => self.over_range(depth),
            35..50 => self.call(depth),
            50..68 => self.aggregation(depth),
            68..78 => self.with_scalar(depth),
            78..92 => self.with_vector(depth),
            92..95 => self.quantile_of_buckets(),
            _ => {
                let inner = self.vector(depth - 1);
                let pattern = self.random.pick(&["(@#)", "-(@#)", "+@#"]);
                Expression::of(Kind::Vector, pattern, vec![inner])
            }
        }
    }

    fn aggregation(&mut self, depth: u32) -> Expression {
        let inner = self.vector(depth - 1);
        let grouping = self.grouping();
        match self.random.below(12) {
            // 2.42 takes the parameter of the first step for all of them, so it is a constant.
            0 => {
                let quantile = self
                    .random
                    .pick(&["0", "0.25", "0.9", "1", "-1", "2", "NaN"]);
                let pattern = format!("quantile{grouping} ({quantile}, @#)");
                Expression::of(Kind::Vector, &pattern, vec![inner])
            }
            // Values become labels, so they must be equal to the last digit.
            1 => {
                let selector = self.selector();
                // 2.42 loses the labels of `by` that sort after this one.
                let pattern = format!("count_values{grouping} (\"z\", @#)");
                Expression::of(Kind::Vector, &pattern, vec![selector])
            }
            // In 2.42 one element alone has no deviation, also where it is NaN or infinite.
            2 => {
                let operator = self.random.pick(&["stddev", "stdvar"]);
                let pattern = format!("{operator}{grouping} (@# < 1e9 > -1e9)");
                Expression::of(Kind::Vector, &pattern, vec![inner])
            }
            _ => {
                let operators = ["sum", "avg", "min", "max", "count", "group"];
                let operator = self.random.pick(&operators);
                Expression::of(
                    Kind::Vector,
                    &format!("{operator}{grouping} (@#)"),
                    vec![inner],
                )
            }
        }
    }

    fn grouping(&mut self) -> String {
        let labels = self.labels();
        match self.random.below(3) {
            0 => String::new(),
            1 => format!(" without ({labels})"),
            _ => format!(" by ({labels})"),
        }
    }

    /// Returns a list of label names, without the name of the metric.
    fn labels(&mut self) -> String {
        let all = [
            "job", "instance", "code", "le", "odd", "kind", "version", "none",
        ];
        let chosen: Vec<&str> = all
            .into_iter()
            .enumerate()
            .filter(|(index, _)| self.random.chance(if *index < 3 { 50 } else { 10 }))
            .map(|(_, name)| name)
            .collect();
        chosen.join(", ")
    }

    fn with_scalar(&mut self, depth: u32) -> Expression {
        if self.random.chance(10) {
            let divisor = self.random.pick(&["0.25", "10", "-3", "0", "Inf"]);
            let selector = self.selector();
            return Expression::of(Kind::Vector, &format!("(@# % {divisor})"), vec![selector]);
        }
        let (vector, scalar) = (self.vector(depth - 1), self.scalar(depth.min(2) - 1));
        let operator = self.operator(false);
        let operands = if self.random.chance(50) {
            vec![vector, scalar]
        } else {
            vec![scalar, vector]
        };
        Expression::of(Kind::Vector, &format!("(@# {operator} @#)"), operands)
    }

    fn with_vector(&mut self, depth: u32) -> Expression {
        let left = self.vector(depth - 1);
        // Twice the same side has a counterpart for each of its elements. No comparison then: 2.42 may sum the two sides
        // in different orders.
        let twice = self.random.chance(30);
        let right = if twice {
            left.clone()
        } else {
            self.vector(depth - 1)
        };
        let pattern = match self.random.below(10) {
            0..3 => {
                let operator = self.random.pick(&["and", "or", "unless"]);
                format!("(@# {operator}{} @#)", self.matching())
            }
            3..6 => return self.many_to_one(left),
            _ if twice => format!("(@# +{} @#)", self.matching()),
            _ => format!("(@# {}{} @#)", self.operator(false), self.matching()),
        };
        Expression::of(Kind::Vector, &pattern, vec![left, right])
    }

    fn matching(&mut self) -> String {
        let labels = self.labels();
        match self.random.below(3) {
            0 => String::new(),
            1 => format!(" ignoring ({labels})"),
            _ => format!(" on ({labels})"),
        }
    }

    /// Returns an operator whose one side is brought to one element per job and instance.
    fn many_to_one(&mut self, many: Expression) -> Expression {
        let grouping = self
            .random
            .pick(&["job", "job, instance", "job, instance, version"]);
        let operator = self.random.pick(&["sum", "max", "count"]);
        let metric = self
            .random
            .pick(&["build_info", "errors_total", "temperature"]);
        let one = format!("{operator} by ({grouping}) ({metric})");
        let one = Expression::leaf(Kind::Vector, one);
        let include = self.random.pick(&["", "version", "job", "none"]);
        let on = self.random.pick(&["job, instance", "job", "instance"]);
        let operator = self.operator(false);
        if self.random.chance(50) {
            let pattern = format!("(@# {operator} on ({on}) group_left ({include}) @#)");
            Expression::of(Kind::Vector, &pattern, vec![many, one])
        } else {
            let pattern = format!("(@# {operator} on ({on}) group_right ({include}) @#)");
            Expression::of(Kind::Vector, &pattern, vec![one, many])
        }
    }
}
