//! Warnings and infos that come with an answer.
//!
//! An annotation is a text and the place in the query that it speaks of. The same text is kept
//! once, whatever the number of series, steps or places it came from; the place shown is the one
//! reported last. Source of the texts: Prometheus 3.x, package `util/annotations`.

mod kind;
mod notes;

use std::collections::hash_map::Entry;

use obsq_query_lang::Span;
use rustc_hash::FxHashMap;

pub(crate) use kind::{Annotation, HistogramOperation, MonotonicityFix};
pub(crate) use notes::{RangeNote, RangeNotes};

/// Most warnings, and most infos, that an answer holds.
pub(crate) const MAX_PER_SEVERITY: usize = 10;

/// How serious an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The result is likely not what was meant.
    Warning,
    /// Something worth knowing.
    Info,
}

/// What is known of one text besides the text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Detail {
    None,
    /// Classic buckets that had to be made monotonic, over `samples` samples.
    Monotonicity {
        fix: MonotonicityFix,
        first_ms: i64,
        last_ms: i64,
        samples: u64,
    },
    /// How often start timestamps overlapped.
    Overlaps(u64),
}

#[derive(Debug, Clone, PartialEq)]
struct Noted {
    severity: Severity,
    text: String,
    /// `None` for a warning of a source, which has no place in the query.
    span: Option<Span>,
    detail: Detail,
}

/// A set of annotations, each text once, in the order in which the texts first came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Annotations {
    noted: Vec<Noted>,
    by_text: FxHashMap<String, usize>,
}

impl Annotations {
    /// Adds what `annotation` says about the expression at `span`.
    pub(crate) fn add(&mut self, annotation: &Annotation<'_>, span: Span) {
        let detail = match annotation {
            Annotation::ForcedMonotonicity { fix, ts_ms, .. } => Detail::Monotonicity {
                fix: *fix,
                first_ms: *ts_ms,
                last_ms: *ts_ms,
                samples: 1,
            },
            Annotation::StartTimeOverlap { occurrences, .. } => Detail::Overlaps(*occurrences),
            _ => Detail::None,
        };
        self.put(Noted {
            severity: annotation.severity(),
            text: annotation.to_string(),
            span: Some(span),
            detail,
        });
    }

    /// Adds a warning that a source gave, shown as it is.
    pub(crate) fn add_source_warning(&mut self, text: impl Into<String>) {
        self.put(Noted {
            severity: Severity::Warning,
            text: text.into(),
            span: None,
            detail: Detail::None,
        });
    }

    /// Adds what range kernels noted about the series of `metric`, the argument at `span` being
    /// the one that upstream points at.
    pub(crate) fn add_range_notes(&mut self, notes: &RangeNotes, metric: &str, span: Span) {
        notes.for_each(metric, |annotation| self.add(&annotation, span));
    }

    /// Adds everything in `other`, whose places win over those of the same texts here.
    pub(crate) fn merge(&mut self, other: Self) {
        for noted in other.noted {
            self.put(noted);
        }
    }

    /// Returns warnings and infos as an answer shows them: with line and column in `query`, at
    /// most `limit` of each (0 for all) and then a line that counts the others.
    pub(crate) fn render(&self, query: &str, limit: usize) -> (Vec<String>, Vec<String>) {
        (
            self.render_severity(Severity::Warning, query, limit),
            self.render_severity(Severity::Info, query, limit),
        )
    }

    fn render_severity(&self, severity: Severity, query: &str, limit: usize) -> Vec<String> {
        let of_severity = || self.noted.iter().filter(|noted| noted.severity == severity);
        let total = of_severity().count();
        let shown = if limit == 0 { total } else { limit.min(total) };
        let mut lines: Vec<String> = of_severity()
            .take(shown)
            .map(|noted| noted.render(query))
            .collect();
        if total > shown {
            let kind = match severity {
                Severity::Warning => "warning",
                Severity::Info => "info",
            };
            lines.push(format!("{} more {kind} annotations omitted", total - shown));
        }
        lines
    }

    fn put(&mut self, noted: Noted) {
        match self.by_text.entry(noted.text.clone()) {
            Entry::Occupied(entry) => {
                let before = &mut self.noted[*entry.get()];
                before.detail = before.detail.merge(noted.detail);
                before.span = noted.span;
            }
            Entry::Vacant(entry) => {
                entry.insert(self.noted.len());
                self.noted.push(noted);
            }
        }
    }
}

impl Detail {
    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Monotonicity {
                    fix,
                    first_ms,
                    last_ms,
                    samples,
                },
                Self::Monotonicity {
                    fix: other_fix,
                    first_ms: other_first_ms,
                    last_ms: other_last_ms,
                    samples: other_samples,
                },
            ) => Self::Monotonicity {
                fix: fix.merge(other_fix),
                first_ms: first_ms.min(other_first_ms),
                last_ms: last_ms.max(other_last_ms),
                samples: samples + other_samples,
            },
            (Self::Overlaps(a), Self::Overlaps(b)) => Self::Overlaps(a + b),
            (_, other) => other,
        }
    }
}

impl Noted {
    fn render(&self, query: &str) -> String {
        let Some(span) = self.span else {
            return self.text.clone();
        };
        let (line, column) = span.line_column(query);
        let detail = match self.detail {
            Detail::None => String::new(),
            Detail::Monotonicity {
                fix,
                first_ms,
                last_ms,
                samples,
            } => fix.describe(first_ms, last_ms, samples),
            Detail::Overlaps(occurrences) if occurrences > 1 => {
                format!(" ({occurrences} occurrences)")
            }
            Detail::Overlaps(_) => String::new(),
        };
        format!("{}{detail} ({line}:{column})", self.text)
    }
}

#[cfg(test)]
mod tests;
