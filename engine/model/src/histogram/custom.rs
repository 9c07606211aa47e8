//! Bringing histograms with different custom bounds together.

use std::sync::Arc;

use super::layout::{Cell, Side, build};
use crate::kahan::KahanSum;

/// Returns the bounds that are in both lists, which are sorted.
pub(super) fn intersect_bounds(a: &[f64], b: &[f64]) -> Arc<[f64]> {
    let mut others = b.iter().peekable();
    a.iter()
        .copied()
        .filter(|bound| {
            while others.next_if(|other| **other < *bound).is_some() {}
            others.next_if(|other| **other == *bound).is_some()
        })
        .collect()
}

/// Adds two bucket lists, each with its bounds, in the layout of `bounds`, which must be in both.
/// Empty buckets are left out.
pub(super) fn map_to_bounds(
    (a, a_bounds): (impl Iterator<Item = Cell>, &[f64]),
    (b, b_bounds): (impl Iterator<Item = Cell>, &[f64]),
    bounds: &[f64],
    compensated: bool,
) -> Side {
    let mut target = vec![KahanSum::default(); bounds.len() + 1];
    collect(a, a_bounds, bounds, &mut target);
    collect(b, b_bounds, bounds, &mut target);
    let filled = target
        .into_iter()
        .enumerate()
        .filter(|(_, count)| count.sum != 0.0 || count.compensation != 0.0)
        .map(|(index, count)| Cell {
            index: index as i32,
            count,
        });
    build(filled, compensated)
}

fn collect(cells: impl Iterator<Item = Cell>, from: &[f64], to: &[f64], target: &mut [KahanSum]) {
    let mut at = 0;
    for cell in cells {
        let upper = usize::try_from(cell.index)
            .ok()
            .and_then(|index| from.get(index));
        let index = match upper {
            None => to.len(),
            Some(upper) => {
                while to.get(at).is_some_and(|bound| bound < upper) {
                    at += 1;
                }
                at
            }
        };
        target[index].add(cell.count.sum);
        target[index].add(cell.count.compensation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intersection_keeps_the_order() {
        let cases: [(&[f64], &[f64], &[f64]); 5] = [
            (&[1.0, 2.0, 3.0], &[0.0, 2.0, 3.0, 9.0], &[2.0, 3.0]),
            (&[1.0], &[2.0], &[]),
            (&[], &[2.0], &[]),
            (&[1.0, 5.0], &[1.0, 5.0], &[1.0, 5.0]),
            (
                &[f64::NEG_INFINITY, 0.0],
                &[f64::NEG_INFINITY],
                &[f64::NEG_INFINITY],
            ),
        ];
        for (a, b, both) in cases {
            assert_eq!(*intersect_bounds(a, b), *both);
            assert_eq!(*intersect_bounds(b, a), *both);
        }
    }

    #[test]
    fn buckets_go_to_the_next_bound_above_or_to_infinity() {
        let cells = |counts: &'static [f64]| {
            counts
                .iter()
                .enumerate()
                .map(|(index, count)| Cell::new(index as i32, *count, 0.0))
        };
        let side = map_to_bounds(
            (cells(&[1.0, 2.0, 4.0, 8.0]), &[1.0, 2.0, 3.0]),
            (cells(&[0.0, 0.0, 0.0]), &[2.0, 5.0]),
            &[2.0],
            true,
        );
        assert_eq!(side.counts, [3.0, 12.0]);
        assert_eq!(side.compensations, [0.0, 0.0]);
    }
}
