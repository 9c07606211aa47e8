//! Where the cursor stands.

use crate::promql::ast::BinaryOp;
use crate::promql::lex::{Keyword, Token, TokenKind};
use crate::promql::text::unquote;

/// What is expected at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// An operand, at the start or behind an operator.
    Operand(Before),
    /// Operators and modifiers behind an operand; `groupable` when it is an aggregation whose
    /// grouping may still follow.
    Operator { groupable: bool },
    /// Behind the name of an aggregation.
    AggregationName,
    /// A duration.
    Duration,
    /// Behind `@`.
    At,
    /// A label's name in a list; with the metric in front, if there is one.
    ListedLabel { metric: Option<String> },
    /// A label's name in braces; with the metric in front of them.
    Label { metric: Option<String> },
    /// The name of a metric in braces, behind a quote.
    QuotedMetric,
    /// An operator of a matcher.
    MatcherOp,
    /// The value of a matcher.
    LabelValue {
        metric: Option<String>,
        label: String,
        /// The quote is written already.
        quoted: bool,
    },
    /// Nothing can be said.
    Nothing,
}

/// What stands before an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Operator(BinaryOp),
    Bool,
    Matching,
    Group,
}

/// A bracket that is open, or will be with the next parenthesis.
#[derive(Debug)]
enum Open {
    Paren,
    /// The arguments of an aggregation.
    Aggregation {
        /// Its grouping is written already.
        grouped: bool,
    },
    /// Labels by which to group, in front of an aggregation's arguments or behind them.
    Grouping {
        in_front: bool,
    },
    /// Labels of `on` and `ignoring`, or of `group_left` and `group_right`.
    Matching(Before),
    /// The value of `fill`.
    Fill,
    /// Parentheses in a duration.
    Duration,
    /// `start()` and `end()` behind `@`.
    At,
    Braces,
    Bracket,
}

const OPERATOR: Place = Place::Operator { groupable: false };
const OPERAND: Place = Place::Operand(Before::Nothing);

struct Walk<'a> {
    text: &'a str,
    open: Vec<Open>,
    place: Place,
    /// What the next parenthesis belongs to.
    pending: Option<Open>,
    /// The last metric named.
    metric: Option<String>,
    /// The label of the matcher that is being written.
    label: String,
}

impl Place {
    /// Returns the place behind `tokens` of `text`; `in_string` when a quote was opened there.
    pub(super) fn of(text: &str, tokens: &[Token], in_string: bool) -> Self {
        let mut walk = Walk {
            text,
            open: Vec::new(),
            place: OPERAND,
            pending: None,
            metric: None,
            label: String::new(),
        };
        for (index, token) in tokens.iter().enumerate() {
            let next = tokens.get(index + 1).map(|token| token.kind);
            walk.step(*token, next == Some(TokenKind::LeftParen));
        }
        match walk.place {
            Self::LabelValue { metric, label, .. } => Self::LabelValue {
                metric,
                label,
                quoted: in_string,
            },
            Self::Label { .. } if in_string => Self::QuotedMetric,
            place @ Self::ListedLabel { .. } => place,
            _ if in_string => Self::Nothing,
            place => place,
        }
    }
}

impl Walk<'_> {
    fn slice(&self, token: Token) -> &str {
        let range = token.span.lo as usize..token.span.hi as usize;
        self.text.get(range).unwrap_or_default()
    }

    fn step(&mut self, token: Token, before_paren: bool) {
        let closing = token.kind == TokenKind::RightParen;
        match self.open.last() {
            Some(Open::Braces) => self.step_in_braces(token),
            Some(Open::Bracket) if token.kind == TokenKind::RightBracket => {
                self.open.pop();
                self.place = OPERATOR;
            }
            Some(Open::Bracket) => {}
            Some(Open::Grouping { .. } | Open::Matching(_)) if !closing => {}
            _ => self.step_outside(token, before_paren),
        }
    }

    fn step_in_braces(&mut self, token: Token) {
        let metric = self.metric.clone();
        match (token.kind, &self.place) {
            (TokenKind::RightBrace, _) => {
                self.open.pop();
                self.place = OPERATOR;
            }
            (TokenKind::Comma, _) => self.place = Place::Label { metric },
            (TokenKind::Identifier | TokenKind::String, Place::Label { .. }) => {
                self.label = match token.kind {
                    TokenKind::String => unquote(self.slice(token)),
                    _ => self.slice(token).to_owned(),
                };
                self.place = Place::MatcherOp;
            }
            (_, Place::MatcherOp) => {
                self.place = Place::LabelValue {
                    metric,
                    label: std::mem::take(&mut self.label),
                    quoted: false,
                };
            }
            _ => self.place = Place::Nothing,
        }
    }

    fn step_outside(&mut self, token: Token, before_paren: bool) {
        let pending = self.pending.take();
        let in_operand = matches!(self.place, Place::Operand(_));
        let in_time = matches!(self.place, Place::Duration | Place::At);
        self.place = match token.kind {
            TokenKind::LeftParen => return self.open_paren(pending),
            TokenKind::RightParen => return self.close_paren(),
            TokenKind::LeftBrace => {
                if in_operand {
                    self.metric = None;
                }
                self.open.push(Open::Braces);
                let metric = self.metric.clone();
                Place::Label { metric }
            }
            TokenKind::LeftBracket => {
                self.open.push(Open::Bracket);
                Place::Duration
            }
            TokenKind::Comma if in_time => return,
            TokenKind::Comma => OPERAND,
            TokenKind::At => Place::At,
            TokenKind::Op(BinaryOp::Add | BinaryOp::Sub) if in_operand || in_time => return,
            TokenKind::Op(op) if !in_operand => Place::Operand(Before::Operator(op)),
            TokenKind::Keyword(word) if !in_operand || is_modifier(word) => {
                return self.keyword(word);
            }
            TokenKind::Aggregate(_) if in_operand => {
                self.pending = Some(Open::Aggregation { grouped: false });
                Place::AggregationName
            }
            TokenKind::Preprocessor(_) if in_time => return,
            TokenKind::Number | TokenKind::Duration | TokenKind::String => OPERATOR,
            _ => {
                if !before_paren {
                    self.metric = Some(self.slice(token).to_owned());
                }
                OPERATOR
            }
        };
    }

    fn open_paren(&mut self, pending: Option<Open>) {
        let open = pending.unwrap_or(match self.place {
            Place::Duration => Open::Duration,
            Place::At => Open::At,
            _ => Open::Paren,
        });
        let metric = self.metric.clone();
        self.place = match open {
            Open::Grouping { in_front: true } => Place::ListedLabel { metric: None },
            Open::Grouping { .. } | Open::Matching(_) => Place::ListedLabel { metric },
            Open::Fill | Open::At => Place::Nothing,
            Open::Duration => Place::Duration,
            _ => OPERAND,
        };
        self.open.push(open);
    }

    fn close_paren(&mut self) {
        self.place = match self.open.pop() {
            Some(Open::Aggregation { grouped }) => Place::Operator {
                groupable: !grouped,
            },
            Some(Open::Grouping { in_front: true }) => {
                self.pending = Some(Open::Aggregation { grouped: true });
                Place::Nothing
            }
            Some(Open::Matching(before)) => Place::Operand(before),
            Some(Open::Fill) => Place::Operand(Before::Group),
            _ => OPERATOR,
        };
    }

    fn keyword(&mut self, word: Keyword) {
        let in_front = self.place == Place::AggregationName;
        let (pending, place) = match word {
            Keyword::By | Keyword::Without => (Some(Open::Grouping { in_front }), Place::Nothing),
            Keyword::On | Keyword::Ignoring => {
                (Some(Open::Matching(Before::Matching)), Place::Nothing)
            }
            // The list may be left out.
            Keyword::GroupLeft | Keyword::GroupRight => {
                let before = Before::Group;
                (Some(Open::Matching(before)), Place::Operand(before))
            }
            Keyword::Fill | Keyword::FillLeft | Keyword::FillRight => {
                (Some(Open::Fill), Place::Nothing)
            }
            Keyword::Bool => (None, Place::Operand(Before::Bool)),
            Keyword::Offset => (None, Place::Duration),
            Keyword::Anchored | Keyword::Smoothed => (None, OPERATOR),
        };
        self.pending = pending;
        self.place = place;
    }
}

/// Says whether a word behind a binary operator modifies it and is no metric's name.
fn is_modifier(word: Keyword) -> bool {
    matches!(
        word,
        Keyword::Bool
            | Keyword::On
            | Keyword::Ignoring
            | Keyword::GroupLeft
            | Keyword::GroupRight
            | Keyword::Fill
            | Keyword::FillLeft
            | Keyword::FillRight
    )
}
