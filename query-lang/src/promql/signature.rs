//! Types of values and what functions take and give.

use super::ast::{Ast, ExprId, ExprKind, Function, ValueType};

impl ValueType {
    /// Returns upstream's internal name: `vector`, `matrix`, `scalar` or `string`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
        }
    }

    /// Returns the name that documentation uses: `instant vector` and `range vector`.
    pub fn documented(self) -> &'static str {
        match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

/// What a function takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Types of the arguments; with `variadic`, the last one is that of the optional ones.
    pub args: &'static [ValueType],
    /// 0: all arguments are needed. Above: as many of the last kind may be given, also none.
    /// -1: any number of the last kind.
    pub variadic: i8,
    /// Type of the result.
    pub returns: ValueType,
    /// Upstream hides the function behind a feature flag.
    pub experimental: bool,
}

impl Signature {
    /// Returns the type of argument `index`, `None` where no argument is allowed.
    pub fn arg(&self, index: usize) -> Option<ValueType> {
        match self.args.get(index) {
            Some(kind) => Some(*kind),
            None if self.variadic == 0 => None,
            None => self.args.last().copied(),
        }
    }

    /// Returns the smallest number of arguments.
    pub fn min_args(&self) -> usize {
        self.args.len() - usize::from(self.variadic != 0)
    }

    /// Returns the largest number of arguments, `None` when there is no limit.
    pub fn max_args(&self) -> Option<usize> {
        usize::try_from(self.variadic)
            .ok()
            .map(|variadic| self.min_args() + variadic)
    }
}

const S: ValueType = ValueType::Scalar;
const T: ValueType = ValueType::String;
const V: ValueType = ValueType::Vector;
const M: ValueType = ValueType::Matrix;

impl Function {
    /// Returns what the function takes and gives.
    pub fn signature(self) -> Signature {
        let (args, variadic) = self.arguments();
        Signature {
            args,
            variadic,
            returns: self.returns(),
            experimental: self.is_experimental(),
        }
    }

    fn arguments(self) -> (&'static [ValueType], i8) {
        match self {
            Self::End | Self::Pi | Self::Range | Self::Start | Self::Step | Self::Time => (&[], 0),
            Self::Abs
            | Self::Absent
            | Self::Acos
            | Self::Acosh
            | Self::Asin
            | Self::Asinh
            | Self::Atan
            | Self::Atanh
            | Self::Ceil
            | Self::Cos
            | Self::Cosh
            | Self::Deg
            | Self::Exp
            | Self::Floor
            | Self::HistogramAvg
            | Self::HistogramCount
            | Self::HistogramStddev
            | Self::HistogramStdvar
            | Self::HistogramSum
            | Self::Ln
            | Self::Log10
            | Self::Log2
            | Self::Rad
            | Self::Scalar
            | Self::Sgn
            | Self::Sin
            | Self::Sinh
            | Self::Sort
            | Self::SortDesc
            | Self::Sqrt
            | Self::StartTimestamp
            | Self::Tan
            | Self::Tanh
            | Self::Timestamp => (&[V], 0),
            Self::DayOfMonth
            | Self::DayOfWeek
            | Self::DayOfYear
            | Self::DaysInMonth
            | Self::Hour
            | Self::Minute
            | Self::Month
            | Self::Year => (&[V], 1),
            Self::AbsentOverTime
            | Self::AvgOverTime
            | Self::Changes
            | Self::CountOverTime
            | Self::Delta
            | Self::Deriv
            | Self::FirstOverTime
            | Self::Idelta
            | Self::Increase
            | Self::Irate
            | Self::LastOverTime
            | Self::MadOverTime
            | Self::MaxOverTime
            | Self::MinOverTime
            | Self::PresentOverTime
            | Self::Rate
            | Self::Resets
            | Self::StddevOverTime
            | Self::StdvarOverTime
            | Self::SumOverTime
            | Self::TsOfFirstOverTime
            | Self::TsOfLastOverTime
            | Self::TsOfMaxOverTime
            | Self::TsOfMinOverTime => (&[M], 0),
            Self::Clamp => (&[V, S, S], 0),
            Self::ClampMax | Self::ClampMin => (&[V, S], 0),
            Self::DoubleExponentialSmoothing => (&[M, S, S], 0),
            Self::HistogramFraction => (&[S, S, V], 0),
            Self::HistogramQuantile => (&[S, V], 0),
            Self::HistogramQuantiles => (&[V, T, S, S], 9),
            Self::Info => (&[V, V], 1),
            Self::LabelJoin => (&[V, T, T, T], -1),
            Self::LabelReplace => (&[V, T, T, T, T], 0),
            Self::MaxOf | Self::MinOf => (&[S, S], 0),
            Self::PredictLinear => (&[M, S], 0),
            Self::QuantileOverTime => (&[S, M], 0),
            Self::Round => (&[V, S], 1),
            Self::SortByLabel | Self::SortByLabelDesc => (&[V, T], -1),
            Self::Vector => (&[S], 0),
        }
    }

    fn returns(self) -> ValueType {
        match self {
            Self::End
            | Self::MaxOf
            | Self::MinOf
            | Self::Pi
            | Self::Range
            | Self::Scalar
            | Self::Start
            | Self::Step
            | Self::Time => S,
            _ => V,
        }
    }

    fn is_experimental(self) -> bool {
        matches!(
            self,
            Self::DoubleExponentialSmoothing
                | Self::End
                | Self::HistogramQuantiles
                | Self::Info
                | Self::MadOverTime
                | Self::MaxOf
                | Self::MinOf
                | Self::Range
                | Self::SortByLabel
                | Self::SortByLabelDesc
                | Self::Start
                | Self::StartTimestamp
                | Self::Step
                | Self::TsOfFirstOverTime
                | Self::TsOfLastOverTime
                | Self::TsOfMaxOverTime
                | Self::TsOfMinOverTime
        )
    }
}

impl Ast {
    /// Returns the type of every node's value, by [`ExprId`]. O(n).
    pub fn value_types(&self) -> Vec<ValueType> {
        let mut types: Vec<ValueType> = Vec::with_capacity(self.len());
        for (_, expr) in self.iter() {
            let of = |id: &ExprId| types[id.index()];
            let kind = match &expr.kind {
                ExprKind::Number { .. } | ExprKind::Duration { .. } => S,
                ExprKind::String(_) => T,
                ExprKind::Vector(_) | ExprKind::Aggregate { .. } => V,
                ExprKind::Matrix { .. } | ExprKind::Subquery { .. } => M,
                ExprKind::Call { function, .. } => function.returns(),
                ExprKind::Binary { lhs, rhs, .. } => match (of(lhs), of(rhs)) {
                    (S, S) => S,
                    _ => V,
                },
                ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => of(expr),
            };
            types.push(kind);
        }
        types
    }

    /// Returns the type of one node's value. O(1) but for chains of signs and parentheses and of
    /// operators between scalars; to ask for many nodes, use [`Ast::value_types`].
    pub fn value_type(&self, id: ExprId) -> ValueType {
        let mut pending = vec![id];
        let mut below_operator = false;
        while let Some(id) = pending.pop() {
            let kind = match &self.get(id).kind {
                ExprKind::Number { .. } | ExprKind::Duration { .. } => S,
                ExprKind::String(_) => T,
                ExprKind::Vector(_) | ExprKind::Aggregate { .. } => V,
                ExprKind::Matrix { .. } | ExprKind::Subquery { .. } => M,
                ExprKind::Call { function, .. } => function.returns(),
                ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => {
                    pending.push(*expr);
                    continue;
                }
                ExprKind::Binary { lhs, rhs, .. } => {
                    below_operator = true;
                    pending.extend([*lhs, *rhs]);
                    continue;
                }
            };
            if kind != S {
                return if below_operator { V } else { kind };
            }
        }
        S
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parse;

    #[test]
    fn every_function_has_a_consistent_signature() {
        for function in Function::ALL {
            let signature = function.signature();
            assert!(signature.min_args() <= signature.args.len(), "{function}");
            assert_eq!(Function::from_name(function.as_str()), Some(*function));
            if let Some(max) = signature.max_args() {
                assert!(max >= signature.min_args(), "{function}");
            }
        }
        assert_eq!(Function::Round.signature().max_args(), Some(2));
        assert_eq!(
            Function::HistogramQuantiles.signature().max_args(),
            Some(12)
        );
        assert_eq!(Function::LabelJoin.signature().max_args(), None);
        assert_eq!(Function::Clamp.signature().arg(3), None);
    }

    #[test]
    fn types_follow_from_operands() {
        let cases = [
            ("1", S),
            ("-1 + 2 * pi()", S),
            ("1 + (x)", V),
            ("(x)[5m:]", M),
            ("((x[5m]))", M),
            ("-x", V),
            ("\"a\"", T),
            ("sum(x)", V),
            ("scalar(x) ^ 2", S),
            ("vector(1)", V),
        ];
        for (text, expected) in cases {
            let ast = parse(text).into_result().unwrap();
            assert_eq!(ast.value_type(ast.root()), expected, "{text}");
            assert_eq!(ast.value_types().last(), Some(&expected), "{text}");
        }
    }
}
