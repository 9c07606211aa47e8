//! Work over many series, in parts that do not depend on the number of cores.

use std::ops::Range;

use rayon::prelude::*;

use crate::promql::error::QueryError;

/// Parts that are worked on before the first of them is merged, per thread.
const PARTS_PER_THREAD: usize = 4;

/// Calls `work` on consecutive parts of `0..len` of at least `smallest`, several at a time, and
/// `merge` on the results in order. The parts do not depend on the machine, so neither does what
/// they are merged to.
pub(crate) fn in_parts<P: Send>(
    len: usize,
    smallest: usize,
    work: impl Fn(Range<usize>) -> Result<P, QueryError> + Sync,
    mut merge: impl FnMut(P) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let size = (len / 64).clamp(smallest, 1_024);
    let parts = len.div_ceil(size);
    let part = |index: usize| index * size..((index + 1) * size).min(len);
    let wave = rayon::current_num_threads() * PARTS_PER_THREAD;
    for first in (0..parts).step_by(wave) {
        let upto = (first + wave).min(parts);
        if upto - first == 1 {
            merge(work(part(first))?)?;
            continue;
        }
        let done: Vec<Result<P, QueryError>> = (first..upto)
            .into_par_iter()
            .map(|index| work(part(index)))
            .collect();
        for result in done {
            merge(result?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_is_seen_once_and_in_order() {
        for len in [0, 1, 31, 32, 33, 1_000, 50_000] {
            let mut seen = Vec::new();
            let merge = |part: Vec<usize>| {
                seen.extend(part);
                Ok(())
            };
            in_parts(len, 8, |part| Ok(part.collect()), merge).unwrap();
            assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }
}
