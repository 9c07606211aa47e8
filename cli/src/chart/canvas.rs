//! Dots that become characters.

use crate::chart::letter;
use crate::console::Paint;

/// Bit of each dot of a braille character, by column and row.
const BRAILLE: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// A grid of characters, each with the dots of every line.
#[derive(Debug)]
pub(crate) struct Canvas {
    columns: usize,
    rows: usize,
    unicode: bool,
    /// One grid of dot masks per line, so that a cell is coloured by the line with most dots in it.
    grids: Vec<Vec<u8>>,
}

impl Canvas {
    /// Returns an empty canvas for `lines` lines.
    pub(crate) fn new(columns: usize, rows: usize, lines: usize, unicode: bool) -> Self {
        Self {
            columns,
            rows,
            unicode,
            grids: vec![vec![0; columns * rows]; lines],
        }
    }

    /// Returns the number of dots across and down.
    pub(crate) fn dots(&self) -> (usize, usize) {
        if self.unicode {
            (self.columns * 2, self.rows * 4)
        } else {
            (self.columns, self.rows)
        }
    }

    /// Draws a straight line of dots between two dots, both included.
    pub(crate) fn line(&mut self, index: usize, from: (usize, usize), to: (usize, usize)) {
        let (x0, y0) = (from.0 as i64, from.1 as i64);
        let (dx, dy) = (to.0 as i64 - x0, to.1 as i64 - y0);
        let steps = dx.abs().max(dy.abs());
        for step in 0..=steps {
            let along = |delta: i64| {
                if steps == 0 {
                    0
                } else {
                    (delta * step * 2 + steps * delta.signum()) / (steps * 2)
                }
            };
            self.dot(index, (x0 + along(dx)) as usize, (y0 + along(dy)) as usize);
        }
    }

    fn dot(&mut self, index: usize, x: usize, y: usize) {
        let (column, row, bit) = if self.unicode {
            (x / 2, y / 4, BRAILLE[x % 2][y % 4])
        } else {
            (x, y, 1)
        };
        if column < self.columns && row < self.rows {
            self.grids[index][row * self.columns + column] |= bit;
        }
    }

    /// Returns one row of characters; neighbours of one colour share their escapes.
    pub(crate) fn row(&self, row: usize, paint: Paint) -> String {
        let mut text = String::new();
        let mut run = String::new();
        let mut run_owner = None;
        for column in 0..self.columns {
            let (owner, character) = self.cell(row * self.columns + column);
            if owner != run_owner {
                text.push_str(&finish(&run, run_owner, paint));
                run.clear();
                run_owner = owner;
            }
            run.push(character);
        }
        text.push_str(&finish(&run, run_owner, paint));
        text
    }

    fn cell(&self, at: usize) -> (Option<usize>, char) {
        let mut all = 0_u8;
        let mut best: Option<(u32, usize)> = None;
        for (index, grid) in self.grids.iter().enumerate() {
            let mask = grid[at];
            all |= mask;
            let count = mask.count_ones();
            if count > best.map_or(0, |(most, _)| most) {
                best = Some((count, index));
            }
        }
        let owner = best.map(|(_, index)| index);
        let character = match (owner, self.unicode) {
            (None, _) => ' ',
            (Some(_), true) => char::from_u32(0x2800 + u32::from(all)).unwrap_or(' '),
            (Some(index), false) => letter(index),
        };
        (owner, character)
    }
}

fn finish(run: &str, owner: Option<usize>, paint: Paint) -> String {
    match owner {
        Some(index) => paint.series(index, run),
        None => run.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_touches_both_ends_and_leaves_no_hole() {
        let mut canvas = Canvas::new(10, 10, 1, false);
        canvas.line(0, (0, 0), (9, 4));
        let filled: usize = canvas.grids[0].iter().map(|mask| usize::from(*mask)).sum();
        assert_eq!(filled, 10);
        assert_eq!(canvas.cell(0).1, 'a');
        assert_eq!(canvas.cell(4 * 10 + 9).1, 'a');
    }

    #[test]
    fn braille_packs_two_by_four_dots() {
        let mut canvas = Canvas::new(1, 1, 1, true);
        canvas.line(0, (0, 0), (0, 3));
        assert_eq!(canvas.cell(0).1, '⡇');
        canvas.line(0, (1, 0), (1, 3));
        assert_eq!(canvas.cell(0).1, '⣿');
    }

    #[test]
    fn the_line_with_most_dots_colours_a_cell() {
        let mut canvas = Canvas::new(1, 1, 2, true);
        canvas.line(0, (0, 0), (0, 0));
        canvas.line(1, (1, 0), (1, 3));
        assert_eq!(canvas.cell(0), (Some(1), '⢹'));
    }

    #[test]
    fn dots_outside_are_ignored() {
        let mut canvas = Canvas::new(2, 2, 1, true);
        canvas.line(0, (50, 50), (60, 60));
        assert!(canvas.grids[0].iter().all(|mask| *mask == 0));
    }
}
