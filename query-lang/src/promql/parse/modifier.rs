//! What stands between a binary operator and its right side, and label lists.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{opt, peek};
use nom::sequence::delimited;

use super::duration::literal;
use super::expression::sign_of;
use super::input::{Input, Parse, keyword, token, within};
use super::postfix::starts_expression;
use crate::go;
use crate::promql::ast::{BinaryOp, FillValues, MatchCardinality, UnaryOp, VectorMatching};
use crate::promql::lex::{Keyword, TokenKind};
use crate::promql::text::unquote;

/// The modifiers of a binary operator.
pub(super) struct Modifiers {
    pub(super) return_bool: bool,
    pub(super) matching: VectorMatching,
}

/// Parses `bool on (..) group_left (..) fill (..)`, each of them optional.
pub(super) fn binary_modifiers(input: Input<'_>) -> Parse<'_, Modifiers> {
    let (input, word) = opt(keyword(Keyword::Bool)).parse(input)?;
    let (input, mut matching) = vector_matching(input)?;
    let (input, fill) = fill_values(input)?;
    matching.fill = fill;
    let modifiers = Modifiers {
        return_bool: word.is_some(),
        matching,
    };
    Ok((input, modifiers))
}

/// Parses `on (..)` or `ignoring (..)` with an optional `group_left (..)` or `group_right (..)`.
fn vector_matching(input: Input<'_>) -> Parse<'_, VectorMatching> {
    let mut matching = VectorMatching::default();
    match input.kind() {
        TokenKind::Keyword(Keyword::On) => matching.on = true,
        TokenKind::Keyword(Keyword::Ignoring) => {}
        _ => return Ok((input, matching)),
    }
    let mut input = input.advanced();
    (input, matching.labels) = grouping_labels(input)?;
    matching.cardinality = match input.kind() {
        TokenKind::Keyword(Keyword::GroupLeft) => MatchCardinality::ManyToOne,
        TokenKind::Keyword(Keyword::GroupRight) => MatchCardinality::OneToMany,
        _ => return Ok((input, matching)),
    };
    input = input.advanced();
    // Without a list the right side follows, or `fill`; for anything else upstream asks for a list.
    let is_fill = matches!(
        input.kind(),
        TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)
    );
    if input.kind() == TokenKind::LeftParen || !(is_fill || starts_expression(input)) {
        (input, matching.include) = grouping_labels(input)?;
    }
    Ok((input, matching))
}

/// Parses `fill (..)`, or `fill_left (..)` and `fill_right (..)` in either order.
fn fill_values(mut input: Input<'_>) -> Parse<'_, FillValues> {
    let mut fill = FillValues::default();
    loop {
        let (left, right) = match input.kind() {
            TokenKind::Keyword(Keyword::Fill) => (true, true),
            TokenKind::Keyword(Keyword::FillLeft) => (true, false),
            TokenKind::Keyword(Keyword::FillRight) => (false, true),
            _ => return Ok((input, fill)),
        };
        if (left && fill.left.is_some()) || (right && fill.right.is_some()) {
            return Ok((input, fill));
        }
        let value;
        (input, value) = fill_value(input.advanced())?;
        if left {
            fill.left = Some(value);
        }
        if right {
            fill.right = Some(value);
        }
    }
}

/// Parses a number with an optional sign in parentheses.
fn fill_value(input: Input<'_>) -> Parse<'_, f64> {
    delimited(
        token(TokenKind::LeftParen),
        signed_number,
        token(TokenKind::RightParen),
    )
    .parse(input)
}

/// Parses a number or duration with an optional sign, and leaves no node in the tree.
pub(super) fn signed_number(input: Input<'_>) -> Parse<'_, f64> {
    let sign = sign_of(input.kind());
    let input = if sign.is_some() {
        input.advanced()
    } else {
        input
    };
    let (input, id) = literal(input)?;
    let value = input.cx().build(|builder| builder.pop_number(id));
    let value = value.unwrap_or_default();
    let signed = if sign == Some(UnaryOp::Minus) {
        -value
    } else {
        value
    };
    Ok((input, signed))
}

/// Parses label names in parentheses.
pub(super) fn grouping_labels(input: Input<'_>) -> Parse<'_, Vec<String>> {
    const PLACE: &str = "grouping opts";
    let mut labels = Vec::new();
    let (mut input, _) = within(PLACE, "\"(\"", token(TokenKind::LeftParen)).parse(input)?;
    loop {
        if input.kind() == TokenKind::RightParen {
            return Ok((input.advanced(), labels));
        }
        let label;
        (input, label) = within(PLACE, "label", grouping_label).parse(input)?;
        labels.push(label);
        let mut separator = alt((token(TokenKind::Comma), peek(token(TokenKind::RightParen))));
        (input, _) =
            within(PLACE, "\",\" or \")\"", |input| separator.parse(input)).parse(input)?;
    }
}

/// Parses a label's name; nearly every keyword is one here.
fn grouping_label(input: Input<'_>) -> Parse<'_, String> {
    let (next, token) = input.take();
    let text = input.text();
    let label = match token.kind {
        TokenKind::Identifier
        | TokenKind::MetricIdentifier
        | TokenKind::Aggregate(_)
        | TokenKind::Preprocessor(_)
        | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2) => {
            text.to_owned()
        }
        TokenKind::Keyword(word) if word != Keyword::Without => text.to_owned(),
        TokenKind::String => unquote(text),
        _ => return Err(input.unexpected()),
    };
    if label.is_empty() || go::has_stray_bytes(&label) {
        input.cx().error(
            "promql::label-name",
            token.span,
            format!("invalid label name for grouping: {}", go::quote(&label)),
        );
    }
    Ok((next, label))
}
