//! Axes and their labels.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::chart::Chart;
use crate::chart::scale::{TimeScale, ValueScale};

/// Distances of time labels in seconds.
const NICE: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800,
];

/// Returns the label of `row`: the tick that lies nearest to the row's middle, if one does.
pub(crate) fn value_label(scale: &ValueScale, row: usize, rows: usize) -> String {
    let value = scale.value(row, rows);
    let tick = (value / scale.tick).round() * scale.tick;
    if tick.is_finite() && scale.row(tick, rows) == row && tick >= scale.low && tick <= scale.high {
        // A tick lies within one row only when rows are at least as dense as ticks.
        return format_value(tick);
    }
    String::new()
}

/// Returns a value in at most eight columns: `1.5k`, `250m`, `0`, `1e-9`.
pub(crate) fn format_value(value: f64) -> String {
    let size = value.abs();
    let (scaled, suffix) = match size {
        0.0 => return "0".into(),
        _ if !(1e-4..1e15).contains(&size) => return format!("{value:.2e}"),
        _ if size >= 1e12 => (value / 1e12, "T"),
        _ if size >= 1e9 => (value / 1e9, "G"),
        _ if size >= 1e6 => (value / 1e6, "M"),
        _ if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        large if large >= 100.0 => 1,
        middle if middle >= 1.0 => 2,
        _ => 5,
    };
    let text = format!("{scaled:.decimals$}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short}{suffix}")
}

/// Returns the character between label and plot.
pub(crate) fn left_rule(unicode: bool, labelled: bool) -> char {
    match (unicode, labelled) {
        (true, true) => '┤',
        (true, false) => '│',
        (false, true) => '+',
        (false, false) => '|',
    }
}

/// Returns the time axis: a rule with ticks, and the line of labels.
pub(crate) fn time_axis(chart: &Chart, columns: usize) -> String {
    let scale = TimeScale {
        start_ms: chart.start_ms,
        end_ms: chart.end_ms.max(chart.start_ms + 1),
    };
    let (corner, dash, mark) = if chart.unicode {
        ('└', '─', '┬')
    } else {
        ('+', '-', '+')
    };
    let mut rule: Vec<char> = vec![dash; columns];
    let mut labels = String::new();
    for (ts_ms, label) in time_ticks(scale, columns, &chart.zone) {
        let column = scale.column(ts_ms, columns);
        let start = column.saturating_sub(label.len() / 2);
        let used = labels.chars().count();
        if start < used + usize::from(used > 0) || start + label.len() > columns + 3 {
            continue;
        }
        rule[column] = mark;
        labels.push_str(&" ".repeat(start - used));
        labels.push_str(&label);
    }
    let rule: String = rule.into_iter().collect();
    format!("{:>8} {corner}{rule}\n{:>10}{labels}\n", "", "")
}

/// Returns round times of the zone with their labels, at most one per twelve columns.
fn time_ticks(scale: TimeScale, columns: usize, zone: &TimeZone) -> Vec<(i64, String)> {
    let span_s = (scale.end_ms.saturating_sub(scale.start_ms)) / 1_000;
    let most = (columns / 12).max(1) as i64;
    let fits = |step: &&i64| span_s / **step <= most;
    let step_s = NICE.iter().find(fits).copied();
    let step_s = step_s.unwrap_or_else(|| (span_s / most / 604_800 + 1) * 604_800);
    let Ok(start) = Timestamp::from_millisecond(scale.start_ms) else {
        return Vec::new();
    };
    // Midnights and full hours of the zone, not of UTC.
    let shift_s = i64::from(zone.to_offset(start).seconds());
    let first_s =
        (scale.start_ms.div_euclid(1_000) + shift_s).div_euclid(step_s) * step_s - shift_s;
    let pattern = match step_s {
        86_400.. => "%m-%d",
        60.. if span_s > 86_400 => "%m-%dT%H:%M",
        60.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    let count = most + 2;
    let ticks = (0..=count).map(|index| (first_s + index * step_s) * 1_000);
    ticks
        .filter(|ts_ms| (scale.start_ms..=scale.end_ms).contains(ts_ms))
        .filter_map(|ts_ms| {
            let at = Timestamp::from_millisecond(ts_ms).ok()?;
            let label = at.to_zoned(zone.clone()).strftime(pattern).to_string();
            Some((ts_ms, label))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_eight_columns() {
        let table = [
            (0.0, "0"),
            (1.0, "1"),
            (2.5, "2.5"),
            (0.25, "0.25"),
            (0.00025, "0.00025"),
            (1_500.0, "1500"),
            (15_000.0, "15k"),
            (2_500_000.0, "2.5M"),
            (-1e9, "-1G"),
            (1e-7, "1.00e-7"),
            (1e300, "1.00e300"),
        ];
        for (value, text) in table {
            assert_eq!(format_value(value), text);
            assert!(text.len() <= 8);
        }
    }

    #[test]
    fn time_labels_are_round_in_the_zone() {
        let labels = |start_ms, end_ms, zone: &TimeZone| -> Vec<String> {
            let scale = TimeScale { start_ms, end_ms };
            time_ticks(scale, 60, zone)
                .into_iter()
                .map(|(_, label)| label)
                .collect()
        };
        let hour = 3_600_000;
        assert_eq!(
            labels(0, hour, &TimeZone::UTC),
            ["00:00", "00:15", "00:30", "00:45", "01:00"]
        );
        let half = crate::times::parse_zone("+05:30").unwrap();
        assert_eq!(
            labels(0, 4 * hour, &half),
            ["06:00", "07:00", "08:00", "09:00"]
        );
        assert_eq!(
            labels(0, 4 * 86_400_000, &TimeZone::UTC),
            ["01-01", "01-02", "01-03", "01-04", "01-05"]
        );
        assert_eq!(labels(0, 20_000, &TimeZone::UTC)[1], "00:00:05");
    }
}
