//! Sizing up a message before generated code decodes it.
//!
//! Generated types allocate per nested message, so that two bytes of input can take a hundred of
//! memory. Walking the bytes first along the known nesting costs little and bounds both.

use crate::error::DecodeError;
use crate::limits::Budget;
use crate::wire::{Reader, Value};

const MESSAGE: &str = "ExportMetricsServiceRequest";
/// Deepest nesting of messages.
const MAX_DEPTH: usize = 64;

/// A message type, as far as nesting goes.
struct Shape {
    /// Bytes that its decoded form takes.
    size_bytes: usize,
    /// Fields that hold messages.
    nested: &'static [(u32, &'static Self)],
}

static REQUEST: Shape = Shape {
    size_bytes: 24,
    nested: &[(1, &RESOURCE_METRICS)],
};
static RESOURCE_METRICS: Shape = Shape {
    size_bytes: 128,
    nested: &[(1, &RESOURCE), (2, &SCOPE_METRICS)],
};
static RESOURCE: Shape = Shape {
    size_bytes: 0,
    nested: &[(1, &KEY_VALUE), (3, &LEAF)],
};
static SCOPE_METRICS: Shape = Shape {
    size_bytes: 160,
    nested: &[(1, &SCOPE), (2, &METRIC)],
};
static SCOPE: Shape = Shape {
    size_bytes: 0,
    nested: &[(3, &KEY_VALUE)],
};
static METRIC: Shape = Shape {
    size_bytes: 160,
    nested: &[
        (5, &POINTS_OF_NUMBERS),
        (7, &POINTS_OF_NUMBERS),
        (9, &POINTS_OF_HISTOGRAMS),
        (10, &POINTS_OF_EXPONENTIALS),
        (11, &POINTS_OF_SUMMARIES),
        (12, &KEY_VALUE),
    ],
};
static POINTS_OF_NUMBERS: Shape = Shape {
    size_bytes: 0,
    nested: &[(1, &NUMBER)],
};
static POINTS_OF_HISTOGRAMS: Shape = Shape {
    size_bytes: 0,
    nested: &[(1, &HISTOGRAM)],
};
static POINTS_OF_EXPONENTIALS: Shape = Shape {
    size_bytes: 0,
    nested: &[(1, &EXPONENTIAL)],
};
static POINTS_OF_SUMMARIES: Shape = Shape {
    size_bytes: 0,
    nested: &[(1, &SUMMARY)],
};
static NUMBER: Shape = Shape {
    size_bytes: 96,
    nested: &[(5, &EXEMPLAR), (7, &KEY_VALUE)],
};
static HISTOGRAM: Shape = Shape {
    size_bytes: 192,
    nested: &[(8, &EXEMPLAR), (9, &KEY_VALUE)],
};
static EXPONENTIAL: Shape = Shape {
    size_bytes: 224,
    nested: &[(1, &KEY_VALUE), (8, &COUNTS), (9, &COUNTS), (11, &EXEMPLAR)],
};
static SUMMARY: Shape = Shape {
    size_bytes: 96,
    nested: &[(6, &LEAF), (7, &KEY_VALUE)],
};
/// Buckets of an exponential histogram: varints, of which each may take eight bytes.
static COUNTS: Shape = Shape {
    size_bytes: 32,
    nested: &[(2, &PACKED)],
};
static PACKED: Shape = Shape {
    size_bytes: 0,
    nested: &[],
};
static EXEMPLAR: Shape = Shape {
    size_bytes: 104,
    nested: &[(7, &KEY_VALUE)],
};
static KEY_VALUE: Shape = Shape {
    size_bytes: 64,
    nested: &[(2, &ANY_VALUE)],
};
static ANY_VALUE: Shape = Shape {
    size_bytes: 32,
    nested: &[(5, &LIST), (6, &MAP)],
};
static LIST: Shape = Shape {
    size_bytes: 24,
    nested: &[(1, &ANY_VALUE)],
};
static MAP: Shape = Shape {
    size_bytes: 24,
    nested: &[(1, &KEY_VALUE)],
};
static LEAF: Shape = Shape {
    size_bytes: 32,
    nested: &[],
};

/// Checks that decoding `body` takes no more than `limit_bytes` and nests no deeper than allowed.
pub(super) fn check(body: &[u8], limit_bytes: usize) -> Result<(), DecodeError> {
    let mut budget = Budget::new(limit_bytes);
    budget.charge(body.len())?;
    walk(body, &REQUEST, MAX_DEPTH, &mut budget)
}

fn walk(
    message: &[u8],
    shape: &'static Shape,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    if depth == 0 {
        return Err(DecodeError::Nesting {
            message: MESSAGE,
            limit: MAX_DEPTH,
        });
    }
    budget.charge(shape.size_bytes)?;
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next().map_err(DecodeError::proto(MESSAGE))? {
        let nested = shape.nested.iter().find(|(number, _)| *number == field);
        let (Some((_, nested)), Value::Bytes(bytes)) = (nested, value) else {
            continue;
        };
        if std::ptr::eq(*nested, &raw const PACKED) {
            budget.charge(bytes.len() * 8)?;
        } else {
            walk(bytes, nested, depth - 1, budget)?;
        }
    }
    Ok(())
}
