//! Query languages as text: lexing, parsing, checking, printing, completing.
//!
//! Parsing never fails and never panics: it returns what could be understood together with
//! [`Diagnostic`]s. This crate does no I/O, knows no clock and no other obsq crate.

pub mod promql;

mod diag;
mod go;
mod regex;
mod span;

pub use diag::{Diagnostic, Label as DiagnosticLabel, Severity};
pub use go::{has_stray_bytes, quote, without_stray_bytes};
pub use regex::{Regex, RegexError};
pub use span::Span;
