//! From matchers to series ids.

use std::ops::ControlFlow;
use std::sync::Arc;

use obsq_model::{LabelPattern, MatchOp, Matcher};

use super::index::{intersect, subtract, unite};
use super::reader::BlockView;
use crate::Error;

/// Returns the ids of the series that fulfil all matchers, rising.
///
/// A matcher that the absent label does not fulfil names the values that it wants. One that the
/// absent label fulfils takes away the series with values that it does not want.
pub(super) fn select_ids(block: &BlockView<'_>, matchers: &[Matcher]) -> Result<Vec<u32>, Error> {
    let mut wanted = Vec::new();
    let mut unwanted = Vec::new();
    for matcher in matchers {
        if matcher.matches_absent() {
            unwanted.push(values(block, matcher, false)?);
        } else {
            let ids = values(block, matcher, true)?;
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            wanted.push(ids);
        }
    }
    if wanted.is_empty() {
        wanted.push(block.all_series()?);
    }
    let mut ids = intersect(wanted);
    for list in unwanted {
        subtract(&mut ids, &list);
    }
    Ok(ids)
}

/// Returns the series with a value of the label for which the matcher says `verdict`.
fn values(block: &BlockView<'_>, matcher: &Matcher, verdict: bool) -> Result<Arc<[u32]>, Error> {
    let name = matcher.name();
    let positive = verdict != matcher.op().is_negative();
    let mut lists = Vec::new();
    match (matcher.op(), matcher.pattern()) {
        // The values sought are exactly the one named.
        (MatchOp::Equal | MatchOp::NotEqual, _) if positive && !matcher.value().is_empty() => {
            lists.extend(block.find(name, matcher.value())?);
        }
        (MatchOp::Regex | MatchOp::NotRegex, Some(pattern)) if positive => {
            return matching(block, name, pattern);
        }
        _ => {
            let mut offsets = Vec::new();
            block.visit_values(name, "", &mut |value, offset| {
                if matcher.matches(value) == verdict && !value.is_empty() {
                    offsets.push(offset);
                }
                ControlFlow::Continue(())
            })?;
            lists.extend(block.read_all(&offsets)?);
        }
    }
    Ok(unite(&lists))
}

/// Returns the series with a value that `pattern` matches: looked up one by one when it is a list of
/// literals, else all values with the pattern's prefix are tried.
fn matching(
    block: &BlockView<'_>,
    name: &str,
    pattern: &dyn LabelPattern,
) -> Result<Arc<[u32]>, Error> {
    let mut lists = Vec::new();
    if let Some(literals) = pattern.literals() {
        for literal in literals.iter().filter(|literal| !literal.is_empty()) {
            lists.extend(block.find(name, literal)?);
        }
        return Ok(unite(&lists));
    }
    let prefix = pattern.prefix();
    let mut offsets = Vec::new();
    block.visit_values(name, prefix, &mut |value, offset| {
        if !value.starts_with(prefix) {
            return ControlFlow::Break(());
        }
        if !value.is_empty() && pattern.is_match(value) {
            offsets.push(offset);
        }
        ControlFlow::Continue(())
    })?;
    lists.extend(block.read_all(&offsets)?);
    Ok(unite(&lists))
}
