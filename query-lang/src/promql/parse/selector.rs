//! Vector selectors.

use nom::Parser;

use super::input::{Input, Parse, within};
use super::postfix::is_metric_name;
use crate::promql::ast::{BinaryOp, ExprId, ExprKind, LabelMatcher, MatcherOp, VectorSelector};
use crate::promql::lex::TokenKind;
use crate::promql::text::unquote;
use crate::regex;
use crate::span::Span;

/// The label that holds a metric's name.
pub(crate) const METRIC_NAME: &str = "__name__";

/// Parses a metric's name, matchers in braces, or both.
pub(super) fn vector_selector(input: Input<'_>) -> Parse<'_, ExprId> {
    let cx = input.cx();
    let start = input.token().span;
    let (mut input, name) = metric_name(input)?;
    let mut matchers = Vec::new();
    if name.is_none() || input.kind() == TokenKind::LeftBrace {
        (input, matchers) = label_matchers(input)?;
    }
    if let Some(name) = &name {
        matchers.push(LabelMatcher {
            name: METRIC_NAME.to_owned(),
            op: MatcherOp::Equal,
            value: name.clone(),
        });
    }
    let span = Span {
        lo: start.lo,
        hi: input.last_end(),
    };
    let kind = ExprKind::Vector(VectorSelector {
        name,
        matchers,
        ..VectorSelector::default()
    });
    Ok((input, cx.build(|builder| builder.push(kind, span))))
}

/// Parses a metric's name if one is there; most keywords are one in this place.
fn metric_name(input: Input<'_>) -> Parse<'_, Option<String>> {
    let is_name = match input.kind() {
        TokenKind::LeftBrace => return Ok((input, None)),
        TokenKind::Identifier
        | TokenKind::MetricIdentifier
        | TokenKind::Aggregate(_)
        | TokenKind::Preprocessor(_)
        | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => true,
        TokenKind::Keyword(word) => is_metric_name(word),
        _ => false,
    };
    if !is_name {
        return Err(input.unexpected());
    }
    Ok((input.advanced(), Some(input.text().to_owned())))
}

/// Parses matchers in braces.
fn label_matchers(input: Input<'_>) -> Parse<'_, Vec<LabelMatcher>> {
    const PLACE: &str = "label matching";
    let mut input = input.advanced();
    let mut matchers = Vec::new();
    if input.kind() == TokenKind::RightBrace {
        return Ok((input.advanced(), matchers));
    }
    loop {
        let matcher;
        (input, matcher) = within(PLACE, "identifier or \"}\"", label_matcher).parse(input)?;
        matchers.push(matcher);
        if input.kind() == TokenKind::Comma {
            input = input.advanced();
        } else if input.kind() != TokenKind::RightBrace {
            return within(PLACE, "\",\" or \"}\"", fail).parse(input);
        }
        if input.kind() == TokenKind::RightBrace {
            return Ok((input.advanced(), matchers));
        }
    }
}

/// Fails because of the next token.
fn fail<T>(input: Input<'_>) -> Parse<'_, T> {
    Err(input.unexpected())
}

/// Parses `label = "value"`, or a quoted metric name.
fn label_matcher(input: Input<'_>) -> Parse<'_, LabelMatcher> {
    const PLACE: &str = "label matching";
    let (behind_name, first) = input.take();
    let name = match first.kind {
        TokenKind::Identifier => input.text().to_owned(),
        TokenKind::String => unquote(input.text()),
        _ => return Err(input.unexpected()),
    };
    let Some(op) = matcher_op(behind_name.kind()) else {
        if first.kind == TokenKind::String {
            let matcher = LabelMatcher {
                name: METRIC_NAME.to_owned(),
                op: MatcherOp::Equal,
                value: name,
            };
            return Ok((behind_name, matcher));
        }
        return within(PLACE, "label matching operator", fail).parse(behind_name);
    };
    let behind_op = behind_name.advanced();
    if behind_op.kind() != TokenKind::String {
        return within(PLACE, "string", fail).parse(behind_op);
    }
    let (rest, last) = behind_op.take();
    let value = unquote(behind_op.text());
    if matches!(op, MatcherOp::Regex | MatcherOp::NotRegex)
        && let Err(error) = regex::validate(&value)
    {
        let span = first.span.to(last.span);
        input.cx().error("promql::regex", span, error.message);
    }
    Ok((rest, LabelMatcher { name, op, value }))
}

fn matcher_op(kind: TokenKind) -> Option<MatcherOp> {
    Some(match kind {
        TokenKind::Assign => MatcherOp::Equal,
        TokenKind::Op(BinaryOp::NotEqual) => MatcherOp::NotEqual,
        TokenKind::RegexMatch => MatcherOp::Regex,
        TokenKind::RegexNotMatch => MatcherOp::NotRegex,
        _ => return None,
    })
}
