//! Requests to delete, as they are logged.
//!
//! ```text
//! version byte (2)
//! tenant uvarint, tenant name text
//! start varint, end varint (both inclusive)
//! selectors: count, then per selector: matcher count, then per matcher: operator byte
//! (0 =, 1 !=, 2 =~, 3 !~), name text, value text
//! ```
//!
//! A deletion covers the samples of records with lower numbers, and no others. It is in the log before
//! it is applied, and answered when it is applied to all blocks: replay has to repeat it for what the
//! head held, but never for blocks.

use obsq_model::{Labels, MatchOp, Matcher, TimeRange};
use obsq_source::compile_matcher;

use crate::bytes::{Bytes, put_text, put_uvarint, put_varint};

/// First byte of such a record.
pub(crate) const VERSION: u8 = 2;

const OPERATORS: [MatchOp; 4] = [
    MatchOp::Equal,
    MatchOp::NotEqual,
    MatchOp::Regex,
    MatchOp::NotRegex,
];

/// Which samples to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    /// Series that any of these selects.
    pub(crate) selectors: Vec<Vec<Matcher>>,
    /// Their samples within these times.
    pub(crate) range: TimeRange,
}

impl Deletion {
    /// Says whether samples of a series with these labels are concerned.
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        let all = |matchers: &Vec<Matcher>| {
            let mut matchers = matchers.iter();
            matchers.all(|matcher| matcher.matches(labels.value(matcher.name())))
        };
        self.selectors.iter().any(all)
    }

    /// Appends the payload of the log record.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, tenant: u32, tenant_name: &str) {
        out.push(VERSION);
        put_uvarint(out, u64::from(tenant));
        put_text(out, tenant_name);
        put_varint(out, self.range.start_ms);
        put_varint(out, self.range.end_ms);
        put_uvarint(out, self.selectors.len() as u64);
        for matchers in &self.selectors {
            put_uvarint(out, matchers.len() as u64);
            for matcher in matchers {
                let operator = OPERATORS.iter().position(|known| *known == matcher.op());
                out.push(operator.unwrap_or(0) as u8);
                put_text(out, matcher.name());
                put_text(out, matcher.value());
            }
        }
    }
}

/// A decoded record.
#[derive(Debug, PartialEq)]
pub(crate) struct DeletionRecord<'a> {
    pub(crate) tenant: u32,
    pub(crate) tenant_name: &'a str,
    pub(crate) deletion: Deletion,
}

impl<'a> DeletionRecord<'a> {
    /// Returns the record, or `None` when the payload is none.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes::new(payload);
        if bytes.byte()? != VERSION {
            return None;
        }
        let (tenant, tenant_name) = (bytes.u32()?, bytes.text()?);
        let range = TimeRange::new(bytes.varint()?, bytes.varint()?);
        let mut selectors = Vec::new();
        for _index in 0..bytes.count()? {
            let count = bytes.count()?;
            let matchers = (0..count).map(|_index| take_matcher(&mut bytes));
            selectors.push(matchers.collect::<Option<_>>()?);
        }
        Some(Self {
            tenant,
            tenant_name,
            deletion: Deletion { selectors, range },
        })
    }
}

fn take_matcher(bytes: &mut Bytes<'_>) -> Option<Matcher> {
    let operator = *OPERATORS.get(usize::from(bytes.byte()?))?;
    compile_matcher(bytes.text()?, operator, bytes.text()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn deletion() -> Deletion {
        let matcher = |name, op, value| compile_matcher(name, op, value).unwrap();
        Deletion {
            selectors: vec![
                vec![
                    matcher("__name__", MatchOp::Regex, "a.*|b"),
                    matcher("x", MatchOp::NotRegex, "y+"),
                ],
                vec![
                    matcher("job", MatchOp::Equal, "api"),
                    matcher("zone", MatchOp::NotEqual, ""),
                ],
            ],
            range: TimeRange::new(-5, i64::MAX),
        }
    }

    #[test]
    fn a_deletion_round_trips_and_still_matches() {
        let mut payload = Vec::new();
        deletion().encode(&mut payload, 7, "team");
        let record = DeletionRecord::decode(&payload).unwrap();
        assert_eq!((record.tenant, record.tenant_name), (7, "team"));
        assert_eq!(record.deletion, deletion());
        let matches = |pairs: &[(&str, &str)]| {
            let labels = Labels::from_pairs(pairs);
            record.deletion.matches(&labels)
        };
        assert!(matches(&[("__name__", "abc")]));
        assert!(!matches(&[("__name__", "abc"), ("x", "yy")]));
        assert!(matches(&[("job", "api"), ("zone", "1")]));
        assert!(!matches(&[("job", "api")]));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(
            mut payload in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            if let Some(first) = payload.first_mut() {
                *first = VERSION;
            }
            drop(DeletionRecord::decode(&payload));
        }
    }
}
