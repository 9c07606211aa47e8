//! What of the history was written already, so that the next start writes only the rest.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// Name of the file in the data directory. Its presence also says that the directory is a demo's
/// and may be removed by `--reset`.
pub(crate) const FILE: &str = "demo.json";

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Version of the simulated shop: another one tells another history.
    shop: u32,
    /// The seed of the history.
    pub(crate) seed: u64,
    /// Times that are written, first and last in milliseconds, in order and apart.
    filled: Vec<(i64, i64)>,
}

/// Changes whenever the same seed gives other samples.
const SHOP: u32 = 1;

impl Record {
    /// Returns the record of a directory without any history.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            shop: SHOP,
            seed,
            filled: Vec::new(),
        }
    }

    /// Reads the record in `folder`; `None` when there is none.
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let what = format!("cannot read `{}`", path.display());
                return Err(Failure::failed(what).because(&error));
            }
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Failure::failed(format!("cannot understand `{}`", path.display()))
                .because(&error)
                .hint("`obsq demo --reset` starts anew")
        })
    }

    /// Says whether the history is the one that this program would write for `seed`.
    pub(crate) fn is_of(&self, seed: u64) -> bool {
        (self.shop, self.seed) == (SHOP, seed)
    }

    /// Says whether some of the history is written.
    pub(crate) fn is_begun(&self) -> bool {
        !self.filled.is_empty()
    }

    /// Writes the record into `folder`, whole or not at all.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), Failure> {
        let cannot = |error: &dyn std::error::Error| {
            let path = folder.join(FILE);
            Failure::failed(format!("cannot write `{}`", path.display())).because(error)
        };
        let text = serde_json::to_vec(self).map_err(|error| cannot(&error))?;
        let fresh = folder.join("demo.json.tmp");
        std::fs::write(&fresh, text).map_err(|error| cannot(&error))?;
        std::fs::rename(&fresh, folder.join(FILE)).map_err(|error| cannot(&error))
    }

    /// Adds the times from `start_ms` to `end_ms`.
    pub(crate) fn add(&mut self, start_ms: i64, end_ms: i64) {
        self.filled.push((start_ms, end_ms));
        self.filled.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for &(start, end) in &self.filled {
            match merged.last_mut() {
                Some(last) if start <= last.1 + 1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        self.filled = merged;
    }

    /// Returns the times between `start_ms` and `end_ms` that are not written, newest first.
    pub(crate) fn missing(&self, start_ms: i64, end_ms: i64) -> Vec<(i64, i64)> {
        let mut gaps = Vec::new();
        let mut from = start_ms;
        for &(start, end) in &self.filled {
            if start > end_ms {
                break;
            }
            if start > from {
                gaps.push((from, start - 1));
            }
            from = from.max(end + 1);
        }
        if from <= end_ms {
            gaps.push((from, end_ms));
        }
        gaps.reverse();
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_merged_and_the_rest_is_missing_newest_first() {
        let mut record = Record::new(1);
        assert_eq!(record.missing(0, 99), [(0, 99)]);
        record.add(50, 59);
        record.add(20, 29);
        assert_eq!(record.missing(0, 99), [(60, 99), (30, 49), (0, 19)]);
        record.add(30, 49);
        assert_eq!(record.filled, [(20, 59)]);
        assert_eq!(record.missing(25, 40), []);
        assert_eq!(record.missing(25, 70), [(60, 70)]);
        assert_eq!(record.missing(0, 10), [(0, 10)]);
    }

    #[test]
    fn a_record_reads_back_and_knows_its_seed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(folder.path()).unwrap(), None);
        let mut record = Record::new(7);
        record.add(1, 2);
        record.save(folder.path()).unwrap();
        let back = Record::load(folder.path()).unwrap().unwrap();
        assert_eq!(back, record);
        assert!(back.is_of(7) && !back.is_of(8));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Record::load(folder.path()).is_err());
    }
}
