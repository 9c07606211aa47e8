//! The offers for a place.

use super::place::{Before, Place};
use super::{Completion, CompletionKind, CompletionSource};
use crate::go;
use crate::promql::ast::{AggregateOp, BinaryOp, Function};
use crate::promql::lex::{TokenKind, lex};
use crate::promql::print::label_name;

/// How many offers are made at most.
const MAX_ITEMS: usize = 1_000;

/// What an offer depends on.
pub(super) struct Offer<'a> {
    /// The word in front of the cursor.
    pub(super) word: &'a str,
    /// What follows the word.
    pub(super) behind: &'a str,
    pub(super) source: &'a dyn CompletionSource,
}

/// Modifiers of an operand.
const OPERAND_MODIFIERS: [&str; 4] = ["anchored", "offset", "smoothed", "@"];
const WORD_OPERATORS: [BinaryOp; 4] = [
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Unless,
    BinaryOp::Atan2,
];
const DURATION_FUNCTIONS: [&str; 4] = ["max_of(", "min_of(", "range()", "step()"];
const COMMON_DURATIONS: [&str; 9] = ["1m", "5m", "10m", "15m", "30m", "1h", "6h", "1d", "7d"];
const UNITS: [&str; 7] = ["ms", "s", "m", "h", "d", "w", "y"];

impl Offer<'_> {
    /// Returns the offers for a place.
    pub(super) fn at(&self, place: &Place) -> Vec<Completion> {
        let mut items = Vec::new();
        match place {
            Place::Operand(before) => {
                self.modifiers_of_operator(*before, &mut items);
                if !self.word.starts_with(|c: char| c.is_ascii_digit()) {
                    self.operands(&mut items);
                }
            }
            Place::Operator { groupable } => self.operators(*groupable, &mut items),
            Place::AggregationName => self.keywords(&["by", "without"], &mut items),
            Place::Duration => self.durations(&mut items),
            Place::At => self.keywords(&["end()", "start()"], &mut items),
            Place::ListedLabel { metric } => {
                let named = metric.clone().or_else(|| self.metric_behind());
                self.labels(named.as_deref(), &mut items);
            }
            Place::Label { metric } => self.labels(metric.as_deref(), &mut items),
            Place::QuotedMetric => self.metrics(&mut items),
            Place::MatcherOp => self.keywords(&["=", "!=", "=~", "!~"], &mut items),
            Place::LabelValue {
                metric,
                label,
                quoted,
            } => self.label_values(metric.as_deref(), label, *quoted, &mut items),
            Place::Nothing => {}
        }
        items.truncate(MAX_ITEMS);
        items
    }

    fn push(&self, text: &str, kind: CompletionKind, detail: &str, items: &mut Vec<Completion>) {
        let lower = self.word.to_ascii_lowercase();
        if text.to_ascii_lowercase().starts_with(&lower) && text != self.word {
            items.push(Completion {
                text: text.to_owned(),
                kind,
                detail: detail.to_owned(),
            });
        }
    }

    fn keywords(&self, words: &[&str], items: &mut Vec<Completion>) {
        for word in words {
            self.push(word, CompletionKind::Keyword, "", items);
        }
    }

    fn metrics(&self, items: &mut Vec<Completion>) {
        let mut names = self.source.metric_names(self.word);
        names.sort_unstable();
        names.truncate(MAX_ITEMS);
        items.extend(names.into_iter().map(|text| Completion {
            text,
            kind: CompletionKind::Metric,
            detail: String::new(),
        }));
    }

    fn operands(&self, items: &mut Vec<Completion>) {
        self.metrics(items);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        for item in &mut *items {
            if item.kind == CompletionKind::Metric && !item.text.chars().all(plain) {
                item.text = format!("{{{}}}", go::quote(&item.text));
            }
        }
        let called = self.behind.starts_with('(');
        for function in Function::ALL {
            let text = match (called, function.signature().args) {
                (true, _) => function.as_str().to_owned(),
                (false, []) => format!("{function}()"),
                (false, _) => format!("{function}("),
            };
            self.push(&text, CompletionKind::Function, &usage(*function), items);
        }
        for op in AggregateOp::ALL {
            self.push(
                op.as_str(),
                CompletionKind::Aggregation,
                "aggregation",
                items,
            );
        }
    }

    fn operators(&self, groupable: bool, items: &mut Vec<Completion>) {
        if groupable {
            self.keywords(&["by", "without"], items);
        }
        self.keywords(&WORD_OPERATORS.map(BinaryOp::as_str), items);
        self.keywords(&OPERAND_MODIFIERS, items);
        if self.word.is_empty() {
            let symbols = BinaryOp::ALL
                .iter()
                .filter(|op| !WORD_OPERATORS.contains(op));
            let symbols: Vec<_> = symbols.map(|op| op.as_str()).collect();
            self.keywords(&symbols, items);
        }
    }

    fn modifiers_of_operator(&self, before: Before, items: &mut Vec<Completion>) {
        let words: &[&str] = match before {
            Before::Nothing => &[],
            Before::Operator(op) if op.is_comparison() => &["bool", "ignoring", "on"],
            Before::Operator(_) | Before::Bool => &["ignoring", "on"],
            Before::Matching => &[
                "group_left",
                "group_right",
                "fill(",
                "fill_left(",
                "fill_right(",
            ],
            Before::Group => &["fill(", "fill_left(", "fill_right("],
        };
        self.keywords(words, items);
    }

    fn durations(&self, items: &mut Vec<Completion>) {
        let kind = CompletionKind::Duration;
        if self.word.is_empty() {
            for text in COMMON_DURATIONS {
                self.push(text, kind, "", items);
            }
        }
        if !self.word.is_empty() && self.word.bytes().all(|byte| byte.is_ascii_digit()) {
            for unit in UNITS {
                self.push(&format!("{}{unit}", self.word), kind, "", items);
            }
        }
        for text in DURATION_FUNCTIONS {
            self.push(text, CompletionKind::Function, "", items);
        }
    }

    fn labels(&self, metric: Option<&str>, items: &mut Vec<Completion>) {
        let mut names = self.source.label_names(metric);
        names.sort_unstable();
        for name in &names {
            self.push(&label_name(name), CompletionKind::Label, "", items);
        }
    }

    fn label_values(
        &self,
        metric: Option<&str>,
        label: &str,
        quoted: bool,
        items: &mut Vec<Completion>,
    ) {
        let mut values = self.source.label_values(metric, label, self.word);
        values.sort_unstable();
        values.truncate(MAX_ITEMS);
        for value in values {
            let text = go::quote(&value);
            let inner = text.get(1..text.len() - 1).unwrap_or_default();
            items.push(Completion {
                text: if quoted {
                    inner.to_owned()
                } else {
                    text.clone()
                },
                kind: CompletionKind::LabelValue,
                detail: String::new(),
            });
        }
    }

    /// Returns the metric that is aggregated behind the list of labels in which the cursor is.
    fn metric_behind(&self) -> Option<String> {
        let (_, behind) = self.behind.split_once(')')?;
        let tokens = lex(behind).tokens;
        let name = tokens.windows(2).find(|pair| {
            matches!(
                pair[0].kind,
                TokenKind::Identifier | TokenKind::MetricIdentifier
            ) && pair[1].kind != TokenKind::LeftParen
        })?;
        let range = name[0].span.lo as usize..name[0].span.hi as usize;
        behind.get(range).map(str::to_owned)
    }
}

/// Describes a function's arguments and result.
fn usage(function: Function) -> String {
    let signature = function.signature();
    let args: Vec<_> = signature
        .args
        .iter()
        .map(|kind| kind.documented())
        .collect();
    let more = if signature.variadic == 0 { "" } else { ", ..." };
    format!(
        "({}{more}) {}",
        args.join(", "),
        signature.returns.documented()
    )
}
