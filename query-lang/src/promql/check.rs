//! Whether a parsed query makes sense: types, numbers of arguments, matchers.

use super::ast::{
    AggregateOp, Ast, BinaryOp, ExprId, ExprKind, Function, LabelMatcher, MatchCardinality,
    MatcherOp, ValueType, VectorMatching,
};
use super::parse::{MAX_DIAGNOSTICS, METRIC_NAME};
use crate::diag::Diagnostic;
use crate::go;
use crate::regex::Regex;
use crate::span::Span;

/// Checks a query that parsed, and settles the matching of its operators: none unless both sides
/// are instant vectors, many-to-many for set operators. Adds to `diagnostics` in upstream's order.
/// Iterative, O(n).
pub(super) fn check(ast: &mut Ast, text: &str, diagnostics: &mut Vec<Diagnostic>) {
    if ast.is_empty() {
        return;
    }
    let mut checker = Checker {
        types: ast.value_types(),
        text,
        diagnostics,
    };
    let mut pending = vec![Step::Enter(ast.root())];
    while let Some(step) = pending.pop() {
        match step {
            Step::Enter(id) => checker.enter(ast, id, &mut pending),
            Step::Leave(id) => checker.leave(ast, id),
            Step::Expect(id, wanted, place) => checker.expect(ast, id, wanted, &place),
        }
    }
}

/// What remains to be done, last first.
enum Step {
    Enter(ExprId),
    Leave(ExprId),
    /// The node must have this type in this place.
    Expect(ExprId, ValueType, String),
}

struct Checker<'a> {
    types: Vec<ValueType>,
    text: &'a str,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn kind(&self, id: ExprId) -> ValueType {
        self.types[id.index()]
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, span, message));
    }

    fn enter(&mut self, ast: &Ast, id: ExprId, pending: &mut Vec<Step>) {
        match &ast.get(id).kind {
            ExprKind::Number { .. } | ExprKind::String(_) | ExprKind::Duration { .. } => {}
            ExprKind::Vector(_) => pending.push(Step::Leave(id)),
            ExprKind::Matrix { selector, .. } => pending.push(Step::Enter(*selector)),
            ExprKind::Paren(expr) => pending.push(Step::Enter(*expr)),
            ExprKind::Unary { expr, .. } | ExprKind::Subquery { expr, .. } => {
                pending.extend([Step::Leave(id), Step::Enter(*expr)]);
            }
            ExprKind::Binary { lhs, rhs, .. } => {
                pending.extend([Step::Leave(id), Step::Enter(*rhs), Step::Enter(*lhs)]);
            }
            ExprKind::Aggregate {
                op, expr, param, ..
            } => {
                let wanted = match op {
                    AggregateOp::CountValues => ValueType::String,
                    _ => ValueType::Scalar,
                };
                if let Some(param) = param {
                    let place = "aggregation parameter".to_owned();
                    pending.push(Step::Expect(*param, wanted, place));
                    pending.push(Step::Enter(*param));
                }
                let place = "aggregation expression".to_owned();
                pending.push(Step::Expect(*expr, ValueType::Vector, place));
                pending.push(Step::Enter(*expr));
            }
            ExprKind::Call { function, args } => {
                self.check_call(ast, id, *function, args);
                push_arguments(ast, *function, args, pending);
            }
        }
    }

    fn leave(&mut self, ast: &mut Ast, id: ExprId) {
        let span = ast.get(id).span;
        match &ast.get(id).kind {
            ExprKind::Vector(_) => self.check_selector(ast, id),
            ExprKind::Unary { expr, .. } => {
                let kind = self.kind(*expr);
                if !is_arithmetic(kind) {
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant \
                         vector, got \"{}\"",
                        kind.documented()
                    );
                    self.error("promql::type", span, message);
                }
            }
            ExprKind::Subquery { expr, .. } => {
                let kind = self.kind(*expr);
                if kind != ValueType::Vector {
                    let message = format!(
                        "subquery is only allowed on instant vector, got {} instead",
                        kind.as_str()
                    );
                    self.error("promql::type", span, message);
                }
            }
            ExprKind::Binary { .. } => self.check_binary(ast, id),
            _ => {}
        }
    }

    fn expect(&mut self, ast: &Ast, id: ExprId, wanted: ValueType, place: &str) {
        let kind = self.kind(id);
        if kind == wanted {
            return;
        }
        let message = format!(
            "expected type {} in {place}, got {}",
            wanted.documented(),
            kind.documented()
        );
        let mut diagnostic = Diagnostic::error("promql::type", ast.get(id).span, message);
        diagnostic.help = type_hint(ast, id, wanted, kind);
        self.report(diagnostic);
    }

    fn check_call(&mut self, ast: &Ast, id: ExprId, function: Function, args: &[ExprId]) {
        let signature = function.signature();
        let (min, max) = (signature.min_args(), signature.max_args());
        let count = args.len();
        let expected = if signature.variadic == 0 && count != min {
            format!("{min}")
        } else if count < min {
            format!("at least {min}")
        } else if max.is_some_and(|max| count > max) {
            format!("at most {}", max.unwrap_or(min))
        } else {
            String::new()
        };
        let span = ast.get(id).span;
        if !expected.is_empty() {
            let message =
                format!("expected {expected} argument(s) in call to \"{function}\", got {count}");
            self.error("promql::arguments", span, message);
        }
        if let (Function::Info, Some(matchers)) = (function, args.get(1)) {
            self.check_info(ast, span, *matchers);
        }
    }

    /// Checks the second argument of `info`: matchers without a metric's name.
    fn check_info(&mut self, ast: &Ast, call: Span, id: ExprId) {
        let kind = self.kind(id);
        if kind != ValueType::Vector {
            let message = format!(
                "expected type instant vector in call to function \"info\", got {}",
                kind.documented()
            );
            self.error("promql::type", call, message);
        }
        let expr = ast.get(id);
        match &expr.kind {
            ExprKind::Vector(selector) if selector.name.is_none() => {}
            ExprKind::Vector(_) => self.error(
                "promql::info",
                expr.span,
                "expected label selectors only, got vector selector instead",
            ),
            _ => self.error("promql::info", expr.span, "expected label selectors only"),
        }
    }
}

fn is_arithmetic(kind: ValueType) -> bool {
    matches!(kind, ValueType::Scalar | ValueType::Vector)
}

/// Asks for the checks of a call's arguments, each followed by that of its type.
fn push_arguments(ast: &Ast, function: Function, args: &[ExprId], pending: &mut Vec<Step>) {
    let signature = function.signature();
    let first = pending.len();
    for (index, arg) in args.iter().enumerate() {
        // Arguments beyond the last allowed one are not looked at.
        let Some(wanted) = signature.arg(index) else {
            break;
        };
        // The matchers of `info` may match everything.
        let free = function == Function::Info
            && index == 1
            && matches!(&ast.get(*arg).kind, ExprKind::Vector(selector) if selector.name.is_none());
        if !free {
            pending.push(Step::Enter(*arg));
        }
        let place = format!("call to function \"{function}\"");
        pending.push(Step::Expect(*arg, wanted, place));
    }
    pending[first..].reverse();
}

impl Checker<'_> {
    fn check_selector(&mut self, ast: &Ast, id: ExprId) {
        let expr = ast.get(id);
        let ExprKind::Vector(selector) = &expr.kind else {
            return;
        };
        if let Some(name) = &selector.name {
            let others = selector
                .matchers
                .split_last()
                .map_or(&[][..], |(_, rest)| rest);
            for matcher in others.iter().filter(|matcher| matcher.name == METRIC_NAME) {
                let message = format!(
                    "metric name must not be set twice: {} or {}",
                    go::quote(name),
                    go::quote(&matcher.value)
                );
                self.error("promql::metric-name", expr.span, message);
            }
            return;
        }
        if selector.matchers.iter().all(matches_absent) {
            let message = "vector selector must contain at least one non-empty matcher";
            let mut diagnostic = Diagnostic::error("promql::empty-selector", expr.span, message);
            diagnostic.help = Some(
                "add a metric name, or a matcher that an absent label does not fulfil".to_owned(),
            );
            self.report(diagnostic);
        }
    }

    fn check_binary(&mut self, ast: &mut Ast, id: ExprId) {
        let span = ast.get(id).span;
        let ExprKind::Binary {
            op,
            lhs,
            rhs,
            matching,
            return_bool,
        } = &ast.get(id).kind
        else {
            return;
        };
        let (op, lhs, rhs, return_bool) = (*op, *lhs, *rhs, *return_bool);
        let mut matching = matching.clone().unwrap_or_default();
        let kinds = [self.kind(lhs), self.kind(rhs)];
        let [left, right] = [ast.get(lhs).span, ast.get(rhs).span];
        let operator = self.operator_span(left, right);
        self.check_comparison(op, return_bool, kinds, operator);
        if op.is_set() && matching.cardinality == MatchCardinality::OneToOne {
            matching.cardinality = MatchCardinality::ManyToMany;
        }
        self.check_labels(&matching, operator);
        for (kind, span) in kinds.into_iter().zip([left, right]) {
            if !is_arithmetic(kind) {
                let message = "binary expression must contain only scalar and instant vector types";
                self.error("promql::type", span, message);
            }
        }
        let both_vectors = kinds == [ValueType::Vector; 2];
        if !both_vectors {
            self.check_no_matching(&matching, span);
        } else if op.is_set() {
            self.check_set_matching(op, &matching, span);
        }
        if op.is_set() && kinds.contains(&ValueType::Scalar) {
            let message = format!("set operator \"{op}\" not allowed in binary scalar expression");
            self.error("promql::type", span, message);
        }
        if let ExprKind::Binary { matching: slot, .. } = &mut ast.get_mut(id).kind {
            *slot = both_vectors.then_some(matching);
        }
    }

    fn check_comparison(
        &mut self,
        op: BinaryOp,
        return_bool: bool,
        kinds: [ValueType; 2],
        operator: Span,
    ) {
        if return_bool && !op.is_comparison() {
            let message = "bool modifier can only be used on comparison operators";
            self.error("promql::bool", operator, message);
        }
        if op.is_comparison() && !return_bool && kinds == [ValueType::Scalar; 2] {
            let message = "comparisons between scalars must use BOOL modifier";
            let mut diagnostic = Diagnostic::error("promql::bool", operator, message);
            diagnostic.help = Some(format!("write `{op} bool`"));
            self.report(diagnostic);
        }
    }

    fn check_labels(&mut self, matching: &VectorMatching, operator: Span) {
        if !matching.on {
            return;
        }
        for label in &matching.labels {
            for _ in matching.include.iter().filter(|other| *other == label) {
                let message = format!(
                    "label {} must not occur in ON and GROUP clause at once",
                    go::quote(label)
                );
                self.error("promql::matching", operator, message);
            }
        }
    }

    /// Checks that nothing asks for matching where there are not two vectors.
    fn check_no_matching(&mut self, matching: &VectorMatching, span: Span) {
        if !matching.labels.is_empty() {
            let message = "vector matching only allowed between instant vectors";
            self.error("promql::matching", span, message);
        }
        if matching.fill.left.is_some() || matching.fill.right.is_some() {
            let message = "filling in missing series only allowed between instant vectors";
            self.error("promql::matching", span, message);
        }
    }

    fn check_set_matching(&mut self, op: BinaryOp, matching: &VectorMatching, span: Span) {
        if matching.cardinality != MatchCardinality::ManyToMany {
            let message = format!("no grouping allowed for \"{op}\" operation");
            self.error("promql::matching", span, message);
            let message = "set operations must always be many-to-many";
            self.error("promql::matching", span, message);
        }
        if matching.fill.left.is_some() || matching.fill.right.is_some() {
            let message = "filling in missing series not allowed for set operators";
            self.error("promql::matching", span, message);
        }
    }

    /// Returns what stands between the sides, without the white space around it.
    fn operator_span(&self, left: Span, right: Span) -> Span {
        let between = self.text.get(left.hi as usize..right.lo as usize);
        let between = between.unwrap_or_default();
        let is_space = |c| matches!(c, ' ' | '\t' | '\n' | '\r');
        let start = left.hi as usize + between.len() - between.trim_start_matches(is_space).len();
        let end = left.hi as usize + between.trim_end_matches(is_space).len();
        Span::new(start, end.max(start))
    }
}

/// Says whether series without the label fulfil the matcher.
fn matches_absent(matcher: &LabelMatcher) -> bool {
    let regex_matches = || match Regex::anchored(&matcher.value) {
        Ok(regex) => regex.is_match(""),
        Err(_) => false,
    };
    match matcher.op {
        MatcherOp::Equal => matcher.value.is_empty(),
        MatcherOp::NotEqual => !matcher.value.is_empty(),
        MatcherOp::Regex => regex_matches(),
        MatcherOp::NotRegex => !regex_matches(),
    }
}

/// Suggests how to turn what was given into what is wanted.
fn type_hint(ast: &Ast, id: ExprId, wanted: ValueType, got: ValueType) -> Option<String> {
    let is_selector = matches!(ast.get(id).kind, ExprKind::Vector(_));
    let hint = match (wanted, got) {
        (ValueType::Matrix, ValueType::Vector) if is_selector => "add a range such as `[5m]`",
        (ValueType::Matrix, ValueType::Vector) => "add a subquery range such as `[5m:]`",
        (ValueType::Vector, ValueType::Matrix) => {
            "apply a function such as `rate` or `avg_over_time`"
        }
        (ValueType::Vector, ValueType::Scalar) => "wrap it in `vector(..)`",
        (ValueType::Scalar, ValueType::Vector) => "wrap it in `scalar(..)`",
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests;
