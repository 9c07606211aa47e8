//! The legend: letter, name, and what the line's values were.

use unicode_width::UnicodeWidthStr as _;

use crate::chart::axis::format_value;
use crate::chart::{Line, letter};
use crate::console::{Paint, clean};

/// Returns one line per series under a header; nothing when there is no series.
pub(crate) fn draw(lines: &[Line], paint: Paint) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let names: Vec<String> = lines
        .iter()
        .map(|line| clean(&line.name).into_owned())
        .collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let header = format!(
        "   {} {:>9}{:>9}{:>9}{:>9}",
        " ".repeat(widest),
        "min",
        "avg",
        "max",
        "last"
    );
    let mut text = format!("\n{}\n", paint.dim(&header));
    for (index, (line, name)) in lines.iter().zip(&names).enumerate() {
        let mark = paint.series(index, &letter(index).to_string());
        let fill = " ".repeat(widest - name.width());
        let [low, mean, high, last] = summary(line).map(format_value_or_dash);
        let row = format!(
            "{mark}  {name}{fill} {low:>9}{mean:>9}{high:>9}{last:>9}
"
        );
        text.push_str(&row);
    }
    text
}

fn format_value_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), format_value)
}

/// Returns minimum, mean, maximum and last of the finite values.
fn summary(line: &Line) -> [Option<f64>; 4] {
    let finite = || {
        line.points
            .iter()
            .map(|point| point.1)
            .filter(|value| value.is_finite())
    };
    let count = finite().count();
    if count == 0 {
        return [None; 4];
    }
    let mean = finite().map(|value| value / count as f64).sum();
    [
        finite().reduce(f64::min),
        Some(mean),
        finite().reduce(f64::max),
        finite().next_back(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_sums_up_finite_values_only() {
        let line = Line {
            name: "a\u{1b}b".into(),
            points: vec![(0, 1.0), (1, f64::NAN), (2, 3.0)],
        };
        let none = Line {
            name: "x".into(),
            points: vec![(0, f64::NAN)],
        };
        let text = draw(&[line, none], Paint(false));
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(rows[0], "a  a\\u{1b}b         1        2        3        3");
        assert_eq!(rows[1], "b  x                -        -        -        -");
    }
}
