//! Line charts for terminals: braille, or ASCII where there is no Unicode.
//!
//! Every sample is drawn, whatever the width, so a peak of one sample stays visible. Samples further
//! apart than one and a half steps are not joined: a gap stays a gap. Series are told apart by
//! colour and, without colour, by a letter in the legend and at the right end of the line.

mod axis;
mod canvas;
mod legend;
mod scale;

use jiff::tz::TimeZone;

use crate::chart::canvas::Canvas;
use crate::chart::scale::{TimeScale, ValueScale};
use crate::console::Paint;

/// Most series that one chart shows; more cannot be told apart.
pub(crate) const MAX_LINES: usize = 20;

/// Columns left of the plot: value labels and the axis.
const LEFT: usize = 10;
/// Columns right of the plot: the letters of the lines.
const RIGHT: usize = 4;

/// A named line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// What the legend says.
    pub(crate) name: String,
    /// Times in milliseconds, rising, and values.
    pub(crate) points: Vec<(i64, f64)>,
}

/// A chart to draw.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// The lines, at most [`MAX_LINES`].
    pub(crate) lines: Vec<Line>,
    /// Left edge in milliseconds.
    pub(crate) start_ms: i64,
    /// Right edge in milliseconds.
    pub(crate) end_ms: i64,
    /// Distance of samples in milliseconds.
    pub(crate) step_ms: i64,
    /// Columns of the whole chart.
    pub(crate) width: usize,
    /// Rows of the plot, without axis and legend.
    pub(crate) height: usize,
    /// Draw with braille.
    pub(crate) unicode: bool,
    /// The brush.
    pub(crate) paint: Paint,
    /// Zone of the time axis.
    pub(crate) zone: TimeZone,
}

impl Chart {
    /// Returns the chart as lines of text.
    pub(crate) fn draw(&self) -> String {
        let columns = self.width.saturating_sub(LEFT + RIGHT).max(10);
        let values = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().map(|point| point.1));
        let scale = ValueScale::of(values, self.height);
        let time = TimeScale {
            start_ms: self.start_ms,
            end_ms: self.end_ms.max(self.start_ms + 1),
        };
        let mut canvas = Canvas::new(columns, self.height, self.lines.len(), self.unicode);
        for (index, line) in self.lines.iter().enumerate() {
            self.draw_line(&mut canvas, index, line, &scale, time);
        }
        let mut text = String::new();
        for row in 0..self.height {
            let label = axis::value_label(&scale, row, self.height);
            let rule = axis::left_rule(self.unicode, !label.is_empty());
            let ends = self.line_ends(&scale, row);
            let plot = canvas.row(row, self.paint);
            let line = format!("{label:>8} {rule}{plot}{ends}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push_str(&axis::time_axis(self, columns));
        text.push_str(&legend::draw(&self.lines, self.paint));
        text
    }

    fn draw_line(
        &self,
        canvas: &mut Canvas,
        index: usize,
        line: &Line,
        scale: &ValueScale,
        time: TimeScale,
    ) {
        let (dots_wide, dots_high) = canvas.dots();
        let widest_step = self.step_ms + self.step_ms / 2;
        let mut last: Option<(i64, (usize, usize))> = None;
        for &(ts_ms, value) in &line.points {
            if !value.is_finite() {
                last = None;
                continue;
            }
            let dot = (time.column(ts_ms, dots_wide), scale.row(value, dots_high));
            let from = match last {
                Some((last_ms, from)) if ts_ms - last_ms <= widest_step => from,
                _ => dot,
            };
            canvas.line(index, from, dot);
            last = Some((ts_ms, dot));
        }
    }

    /// Returns the letters of the lines whose last value lies in `row`.
    fn line_ends(&self, scale: &ValueScale, row: usize) -> String {
        let mut ends = String::new();
        let mut shown = 0;
        for (index, line) in self.lines.iter().enumerate() {
            let last = line.points.iter().rev().find(|point| point.1.is_finite());
            let here = last.is_some_and(|point| scale.row(point.1, self.height) == row);
            if here && shown < RIGHT - 1 {
                if shown == 0 {
                    ends.push(' ');
                }
                ends.push_str(&self.paint.series(index, letter(index).to_string().as_str()));
                shown += 1;
            }
        }
        ends
    }
}

/// Returns the letter of line `index`.
fn letter(index: usize) -> char {
    char::from(b'a' + (index % 26) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(unicode: bool, colour: bool) -> Chart {
        let wave = |shift: f64| {
            (0..=60_i64)
                .map(|i| (i * 60_000, 50.0 + 40.0 * ((i as f64) / 8.0 + shift).sin()))
                .collect::<Vec<_>>()
        };
        let mut peak = wave(1.5);
        peak[40].1 = 140.0;
        peak.drain(10..20);
        Chart {
            lines: vec![
                Line {
                    name: r#"{job="api"}"#.into(),
                    points: wave(0.0),
                },
                Line {
                    name: r#"{job="db"}"#.into(),
                    points: peak,
                },
            ],
            start_ms: 0,
            end_ms: 3_600_000,
            step_ms: 60_000,
            width: 80,
            height: 10,
            unicode,
            paint: Paint(colour),
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn a_chart_has_axes_lines_gaps_peaks_and_a_legend() {
        let _bound = obsq_snapshots::bind("cli");
        insta::assert_snapshot!("chart_braille", chart(true, false).draw());
        insta::assert_snapshot!("chart_ascii", chart(false, false).draw());
    }

    #[test]
    fn colour_adds_escapes_and_nothing_else() {
        let plain = chart(true, false).draw();
        let coloured = chart(true, true).draw();
        assert!(!plain.contains('\u{1b}'));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').map_or("", |(_, tail)| tail);
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }

    #[test]
    fn nothing_and_nonsense_can_be_drawn() {
        let mut empty = chart(true, false);
        empty.lines.clear();
        assert!(empty.draw().lines().count() >= 10);
        let mut odd = chart(true, false);
        odd.lines[0].points = vec![
            (0, f64::NAN),
            (1, f64::INFINITY),
            (i64::MAX, 1e308),
            (i64::MAX, -1e308),
        ];
        odd.width = 0;
        odd.height = 1;
        odd.end_ms = odd.start_ms;
        assert!(!odd.draw().is_empty());
    }
}
