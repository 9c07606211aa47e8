//! The syntax tree.
//!
//! Nodes lie in one vector in post order: every child has a smaller [`ExprId`] than its parent and
//! the root is last. So a walk from front to back sees children first, and dropping, checking,
//! planning and evaluating need no recursion, whatever the length of an operator chain.

use crate::span::Span;

/// Index of a node in its [`Ast`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(pub u32);

impl ExprId {
    /// Returns the index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct Ast {
    pub(crate) nodes: Vec<Expr>,
}

impl Ast {
    /// Returns the node that stands for the whole query.
    pub fn root(&self) -> ExprId {
        ExprId((self.nodes.len().max(1) - 1) as u32)
    }

    /// Returns node `id`.
    pub fn get(&self, id: ExprId) -> &Expr {
        &self.nodes[id.index()]
    }

    pub(crate) fn get_mut(&mut self, id: ExprId) -> &mut Expr {
        &mut self.nodes[id.index()]
    }

    /// Returns all nodes, children before parents.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (ExprId, &Expr)> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, expr)| (ExprId(index as u32), expr))
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Says whether there is no node, which only an empty query text gives.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// A node: what it is and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, modifiers included.
    pub span: Span,
}

/// The type of an expression's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One float per step.
    Scalar,
    /// A string.
    String,
    /// An instant vector: at most one sample per series and step.
    Vector,
    /// A range vector: a window of samples per series and step.
    Matrix,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number, or a duration used as a number of seconds.
    Number {
        /// The value; seconds when it was written as a duration.
        value: f64,
        /// Written as a duration, such as `5m`.
        is_duration: bool,
    },
    /// A string, unquoted.
    String(String),
    /// `metric{label="value"} offset 5m @ 0`
    Vector(VectorSelector),
    /// A vector selector with a range; offset and `@` are those of the selector.
    Matrix {
        /// The node of the vector selector.
        selector: ExprId,
        /// Width of the window.
        range: Duration,
    },
    /// `expr[range:step] offset .. @ ..`
    Subquery {
        /// The inner expression.
        expr: ExprId,
        /// Width of the window.
        range: Duration,
        /// Distance of the inner evaluations; `None` for the default.
        step: Option<Duration>,
        /// The offset, if one was written.
        offset: Option<Duration>,
        /// The `@` modifier, if one was written.
        at: Option<At>,
    },
    /// `function(args)`
    Call {
        /// Which function.
        function: Function,
        /// The arguments.
        args: Vec<ExprId>,
    },
    /// `sum by (a) (expr)`
    Aggregate {
        /// Which aggregation.
        op: AggregateOp,
        /// What is aggregated.
        expr: ExprId,
        /// The parameter of `topk`, `quantile` and others.
        param: Option<ExprId>,
        /// By which labels.
        grouping: Grouping,
    },
    /// `lhs op rhs`
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The left side.
        lhs: ExprId,
        /// The right side.
        rhs: ExprId,
        /// How vectors are matched; `None` unless both sides are vectors.
        matching: Option<VectorMatching>,
        /// `bool` after a comparison.
        return_bool: bool,
    },
    /// `-expr` or `+expr`
    Unary {
        /// The operator.
        op: UnaryOp,
        /// The operand.
        expr: ExprId,
    },
    /// `(expr)`
    Paren(ExprId),
    /// Part of a duration expression, such as the `5m * 2` of `x[5m * 2]`. Its value is a number
    /// of seconds.
    Duration {
        /// The operator or function.
        op: DurationOp,
        /// The left operand; `None` for unary operators, `step()` and `range()`.
        lhs: Option<ExprId>,
        /// The right or only operand; `None` for `step()` and `range()`.
        rhs: Option<ExprId>,
        /// Written in parentheses.
        wrapped: bool,
    },
}

/// A duration as part of a selector or subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duration {
    /// Known from the text, in milliseconds; negative only for offsets.
    Millis(i64),
    /// A duration expression whose value depends on the query's step or range: a
    /// [`ExprKind::Duration`] node (or a number below it).
    Expr(ExprId),
}

/// The `@` modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// A fixed time in milliseconds since the Unix epoch.
    Millis(i64),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatcherOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// A condition on one label, as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelMatcher {
    /// The label's name; `__name__` for a quoted metric name in braces.
    pub name: String,
    /// How it compares.
    pub op: MatcherOp,
    /// The value or the regular expression.
    pub value: String,
}

/// An instant vector selector.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorSelector {
    /// The metric's name as written before the braces; `None` when there is none there. A name
    /// quoted within the braces is only a matcher.
    pub name: Option<String>,
    /// All matchers in the order written; a name before the braces is the last one,
    /// `__name__ = name`.
    pub matchers: Vec<LabelMatcher>,
    /// The offset, if one was written.
    pub offset: Option<Duration>,
    /// The `@` modifier, if one was written.
    pub at: Option<At>,
    /// `anchored`
    pub anchored: bool,
    /// `smoothed`
    pub smoothed: bool,
}

/// `by` or `without` of an aggregation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Grouping {
    /// `without` rather than `by`.
    pub without: bool,
    /// The labels; empty and not `without` means one group.
    pub labels: Vec<String>,
}

/// How many series of each side belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MatchCardinality {
    /// One on each side.
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// Set operators.
    ManyToMany,
}

/// Values for a missing side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FillValues {
    /// For a missing left side.
    pub left: Option<f64>,
    /// For a missing right side.
    pub right: Option<f64>,
}

/// How the series of two vectors are matched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorMatching {
    /// How many belong together.
    pub cardinality: MatchCardinality,
    /// `on` rather than `ignoring`.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Labels of the 'one' side to copy, from `group_left(..)` or `group_right(..)`.
    pub include: Vec<String>,
    /// `fill`, `fill_left`, `fill_right`.
    pub fill: FillValues,
}

/// Declares an enum whose variants have names in the language.
macro_rules! named {
    ($(#[$meta:meta])* $vis:vis $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name {
            $(
                #[doc = concat!("`", $text, "`")]
                $(#[$vmeta])*
                $variant,
            )+
        }

        impl $name {
            /// Every variant, in order of declaration.
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns how it is written.
            $vis fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Returns the variant written `text`, lower case; `None` when there is none.
            $vis fn from_name(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// A unary operator.
    pub UnaryOp {
        Plus = "+",
        Minus = "-",
    }
}

named! {
    /// A binary operator.
    pub BinaryOp {
        Add = "+",
        Sub = "-",
        Mul = "*",
        Div = "/",
        Mod = "%",
        Pow = "^",
        Atan2 = "atan2",
        Equal = "==",
        NotEqual = "!=",
        Less = "<",
        LessEqual = "<=",
        Greater = ">",
        GreaterEqual = ">=",
        And = "and",
        Or = "or",
        Unless = "unless",
        TrimUpper = "</",
        TrimLower = ">/",
    }
}

impl BinaryOp {
    /// Says whether the operator compares.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessEqual
                | Self::Greater
                | Self::GreaterEqual
        )
    }

    /// Says whether the operator is `and`, `or` or `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

named! {
    /// An operator or function within a duration expression.
    pub DurationOp {
        Add = "+",
        Sub = "-",
        Mul = "*",
        Div = "/",
        Mod = "%",
        Pow = "^",
        Step = "step",
        Range = "range",
        MinOf = "min_of",
        MaxOf = "max_of",
    }
}

named! {
    /// An aggregation.
    pub AggregateOp {
        Sum = "sum",
        Avg = "avg",
        Count = "count",
        Min = "min",
        Max = "max",
        Group = "group",
        Stddev = "stddev",
        Stdvar = "stdvar",
        Topk = "topk",
        Bottomk = "bottomk",
        CountValues = "count_values",
        Quantile = "quantile",
        Limitk = "limitk",
        LimitRatio = "limit_ratio",
    }
}

impl AggregateOp {
    /// Says whether the aggregation takes a parameter.
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk
                | Self::Bottomk
                | Self::CountValues
                | Self::Quantile
                | Self::Limitk
                | Self::LimitRatio
        )
    }
}

named! {
    /// A function.
    pub Function {
        Abs = "abs",
        Absent = "absent",
        AbsentOverTime = "absent_over_time",
        Acos = "acos",
        Acosh = "acosh",
        Asin = "asin",
        Asinh = "asinh",
        Atan = "atan",
        Atanh = "atanh",
        AvgOverTime = "avg_over_time",
        Ceil = "ceil",
        Changes = "changes",
        Clamp = "clamp",
        ClampMax = "clamp_max",
        ClampMin = "clamp_min",
        Cos = "cos",
        Cosh = "cosh",
        CountOverTime = "count_over_time",
        DayOfMonth = "day_of_month",
        DayOfWeek = "day_of_week",
        DayOfYear = "day_of_year",
        DaysInMonth = "days_in_month",
        Deg = "deg",
        Delta = "delta",
        Deriv = "deriv",
        DoubleExponentialSmoothing = "double_exponential_smoothing",
        End = "end",
        Exp = "exp",
        FirstOverTime = "first_over_time",
        Floor = "floor",
        HistogramAvg = "histogram_avg",
        HistogramCount = "histogram_count",
        HistogramFraction = "histogram_fraction",
        HistogramQuantile = "histogram_quantile",
        HistogramQuantiles = "histogram_quantiles",
        HistogramStddev = "histogram_stddev",
        HistogramStdvar = "histogram_stdvar",
        HistogramSum = "histogram_sum",
        Hour = "hour",
        Idelta = "idelta",
        Increase = "increase",
        Info = "info",
        Irate = "irate",
        LabelJoin = "label_join",
        LabelReplace = "label_replace",
        LastOverTime = "last_over_time",
        Ln = "ln",
        Log10 = "log10",
        Log2 = "log2",
        MadOverTime = "mad_over_time",
        MaxOf = "max_of",
        MaxOverTime = "max_over_time",
        MinOf = "min_of",
        MinOverTime = "min_over_time",
        Minute = "minute",
        Month = "month",
        Pi = "pi",
        PredictLinear = "predict_linear",
        PresentOverTime = "present_over_time",
        QuantileOverTime = "quantile_over_time",
        Rad = "rad",
        Range = "range",
        Rate = "rate",
        Resets = "resets",
        Round = "round",
        Scalar = "scalar",
        Sgn = "sgn",
        Sin = "sin",
        Sinh = "sinh",
        Sort = "sort",
        SortByLabel = "sort_by_label",
        SortByLabelDesc = "sort_by_label_desc",
        SortDesc = "sort_desc",
        Sqrt = "sqrt",
        Start = "start",
        StartTimestamp = "start_timestamp",
        StddevOverTime = "stddev_over_time",
        StdvarOverTime = "stdvar_over_time",
        Step = "step",
        SumOverTime = "sum_over_time",
        Tan = "tan",
        Tanh = "tanh",
        Time = "time",
        Timestamp = "timestamp",
        TsOfFirstOverTime = "ts_of_first_over_time",
        TsOfLastOverTime = "ts_of_last_over_time",
        TsOfMaxOverTime = "ts_of_max_over_time",
        TsOfMinOverTime = "ts_of_min_over_time",
        Vector = "vector",
        Year = "year",
    }
}
