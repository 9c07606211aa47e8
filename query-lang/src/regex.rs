//! Regular expressions of label matchers and label functions, with the meaning of RE2.
//!
//! The grammar, its limits and its messages are those of Go's `regexp/syntax` with Perl flags and
//! `.` matching line ends; matching is that of regex-automata, which agrees once the syntax is
//! translated. A pattern always has to match the whole value. Simple shapes (literals,
//! alternations of them, `prefix.*`, `.*part.*`) are answered without running an automaton.

mod class;
mod error;
mod expand;
mod parse;
mod shape;

pub use error::RegexError;

use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_syntax::hir::{Hir, Look};

use error::Code;
use parse::Parsed;
use shape::Shape;

/// What a compiled pattern may take: the automaton, and each thread's cache of it.
const MAX_PROGRAM_BYTES: usize = 16 << 20;
const MAX_CACHE_BYTES: usize = 1 << 20;

/// Patterns of at most this size compile within [`MAX_PROGRAM_BYTES`], whatever they consist of.
const SURELY_SMALL: usize = 2_000;

/// A compiled, fully anchored label pattern. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Regex(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hir: Hir,
    /// Names of the groups; index 0 is the whole match.
    names: Vec<Option<String>>,
    shape: Shape,
    /// Compiled at once for patterns that need it to match, else when groups are asked for.
    program: OnceLock<Option<meta::Regex>>,
}

impl Regex {
    /// Compiles `text`, anchored at both ends, `.` matching line ends too. O(n) but for counted
    /// repetitions, at most 16 MiB. The error is in Go's words.
    pub fn anchored(text: &str) -> Result<Self, RegexError> {
        let Parsed { hir, names, .. } = parse::parse(text)?;
        let shape = Shape::of(&hir);
        let inner = Inner {
            hir,
            names,
            shape,
            program: OnceLock::new(),
        };
        if inner.shape.needs_program() && inner.program().is_none() {
            return Err(RegexError::new(Code::Large, text));
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Says whether the whole of `value` matches.
    pub fn is_match(&self, value: &str) -> bool {
        match self.0.shape.matches(value) {
            Some(verdict) => verdict,
            None => self.0.program_matches(value),
        }
    }

    /// Returns all values that can match, sorted, when they are few or plainly listed, as in
    /// `a|b|c` or `web-[0-9]`.
    pub fn literals(&self) -> Option<&[String]> {
        self.0.shape.literals()
    }

    /// Returns the literal that every matching value starts with; may be empty.
    pub fn prefix(&self) -> &str {
        self.0.shape.prefix()
    }

    /// Replaces in Go's manner: when the whole of `value` matches, returns `template` with `$1`,
    /// `${name}` and `$$` expanded; else `None`. Groups that took no part, and unknown ones, are
    /// empty; a `$` that begins neither stays.
    pub fn expand(&self, value: &str, template: &str) -> Option<String> {
        if !self.is_match(value) {
            return None;
        }
        if !template.contains('$') {
            return Some(template.to_owned());
        }
        let program = self.0.program();
        let mut captures = program.map(meta::Regex::create_captures);
        if let (Some(program), Some(captures)) = (program, &mut captures) {
            program.captures(value, captures);
        }
        let group = |index: usize| match &captures {
            Some(captures) => captures
                .get_group(index)
                .and_then(|span| value.get(span.range())),
            None if index == 0 => Some(value),
            None => None,
        };
        Some(expand::expand(template, &self.0.names, group))
    }
}

impl Inner {
    /// Returns the automaton; `None` when it would be too large.
    fn program(&self) -> Option<&meta::Regex> {
        let program = self.program.get_or_init(|| {
            let looks = [Look::Start, Look::End].map(Hir::look);
            let [start, end] = looks;
            let config = meta::Config::new()
                .nfa_size_limit(Some(MAX_PROGRAM_BYTES))
                .onepass_size_limit(Some(MAX_CACHE_BYTES))
                .hybrid_cache_capacity(MAX_CACHE_BYTES)
                .utf8_empty(true);
            meta::Builder::new()
                .configure(config)
                .build_from_hir(&Hir::concat(vec![start, self.hir.clone(), end]))
                .ok()
        });
        program.as_ref()
    }

    fn program_matches(&self, value: &str) -> bool {
        self.program()
            .is_some_and(|program| program.is_match(value))
    }
}

/// Says whether `text` can be compiled, without compiling it unless its size is in doubt.
pub(crate) fn validate(text: &str) -> Result<(), RegexError> {
    if parse::parse(text)?.size <= SURELY_SMALL {
        return Ok(());
    }
    Regex::anchored(text).map(drop)
}

#[cfg(test)]
mod tests;
