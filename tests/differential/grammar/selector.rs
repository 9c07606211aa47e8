//! Selectors, ranges and subqueries.

use super::Grammar;
use crate::differential::data::{BASE_S, LENGTH_S};
use crate::differential::expression::{Expression, Kind};

/// Metrics by how often they are asked for.
const METRICS: [&str; 14] = [
    "requests_total",
    "requests_total",
    "errors_total",
    "temperature",
    "temperature",
    "sparse",
    "flapping",
    "flapping",
    "build_info",
    "labelled",
    "special",
    "latency_bucket",
    "latency_sum",
    "absent_metric",
];
/// Metrics with a sample at each scrape that only grow.
const COUNTERS: [&str; 5] = [
    "requests_total",
    "requests_total",
    "errors_total",
    "latency_bucket",
    "latency_count",
];
const MATCHERS: [&str; 12] = [
    "job=\"api\"",
    "job!=\"api\"",
    "job=~\"api|web\"",
    "job!~\"a.*\"",
    "job=~\".+\"",
    "job=\"\"",
    "instance=\"i1\"",
    "instance=~\"i[01]\"",
    "instance!~\"i2|\"",
    "none=\"\"",
    "none!=\"x\"",
    "none=~\"x?\"",
];

/// Returns matchers of the labels that only this metric has.
fn own_matchers(metric: &str) -> &'static [&'static str] {
    match metric {
        "requests_total" => &["code=\"500\"", "code=~\"4..|5..\"", "code!=\"200\""],
        "labelled" => &[
            "odd=\"with space\"",
            "odd=\"line\\nbreak\"",
            "odd=\"q\\\"uote\"",
            "odd='gr\\u00f6\\u00dfe'",
            "odd=~`a\\.b\\*c`",
            "odd=~\"[a-z ]+\"",
            "odd!~\"(?i)PLAIN\"",
            "odd=~\".*\\\\\\\\.*\"",
        ],
        "special" => &["kind=~\"nan|inf\"", "kind!=\"mixed\"", "kind=\"zero\""],
        "build_info" => &["version=~\"1.*\"", "version!=\"2.0\""],
        "latency_bucket" => &["le=~\"1|10|\\\\+Inf\"", "le=\"+Inf\"", "le!=\"0.5\""],
        _ => &["job!=\"\""],
    }
}

impl Grammar {
    /// Returns an instant selector.
    pub(super) fn selector(&mut self) -> Expression {
        let metric = self.random.pick(&METRICS);
        let text = format!("{}{}", self.series_of(metric), self.shift());
        Expression::leaf(Kind::Vector, text)
    }

    fn series_of(&mut self, metric: &str) -> String {
        let count = [0, 0, 1, 1, 2][self.random.below(5) as usize];
        let mut matchers: Vec<String> = (0..count)
            .map(|_| {
                let own = self.random.chance(40);
                let matchers = if own { own_matchers(metric) } else { &MATCHERS };
                self.random.pick(matchers).to_owned()
            })
            .collect();
        match self.random.below(20) {
            0 => {
                matchers.push(format!("__name__=~\"{metric}|build_info\""));
                format!("{{{}}}", matchers.join(","))
            }
            1 => {
                matchers.push(format!("__name__=\"{metric}\""));
                format!("{{{}}}", matchers.join(","))
            }
            _ if matchers.is_empty() => metric.to_owned(),
            _ => format!("{metric}{{{}}}", matchers.join(",")),
        }
    }

    /// Returns `offset` and `@`, most often none.
    fn shift(&mut self) -> String {
        let offset = match self.random.between(-60, 120) * 10 {
            0 => 10,
            offset => offset,
        };
        let at = BASE_S + self.random.between(-30, LENGTH_S / 10 + 30) * 10 + 7;
        match self.random.below(20) {
            0 | 1 => format!(" offset {}", duration(offset)),
            _ if self.moving => String::new(),
            2 => format!(" @ {at}"),
            3 => format!(" @ {at}.000 offset {}", duration(offset)),
            4 => format!(" {}", self.random.pick(&["@ start()", "@ end()"])),
            _ => String::new(),
        }
    }

    /// Returns a range vector.
    pub(super) fn matrix(&mut self, depth: u32) -> Expression {
        if depth > 0 && self.subqueries < 2 && self.random.chance(25) {
            return self.subquery(depth);
        }
        let metric = self.random.pick(&METRICS);
        let range = duration(self.range());
        let text = format!("{}[{range}]{}", self.series_of(metric), self.shift());
        Expression::leaf(Kind::Matrix, text)
    }

    /// Returns a range vector of counters.
    pub(super) fn counters(&mut self) -> Expression {
        let metric = self.random.pick(&COUNTERS);
        let range = duration(self.range());
        let text = format!("{}[{range}]{}", self.series_of(metric), self.shift());
        Expression::leaf(Kind::Matrix, text)
    }

    fn range(&mut self) -> i64 {
        let ranges = [10, 30, 60, 120, 300, 300, 600, 1_800, 3_600];
        ranges[self.random.below(ranges.len() as u64) as usize]
    }

    fn subquery(&mut self, depth: u32) -> Expression {
        self.subqueries += 1;
        let inner = self.vector(depth - 1);
        self.subqueries -= 1;
        let range = duration(self.range());
        let step = self.random.pick(&["", "10s", "30s", "1m", "130s"]);
        let shift = if self.subqueries > 0 {
            format!(" offset {}s", self.random.between(0, 60) * 10 + 3)
        } else {
            self.shift()
        };
        let pattern = format!("(@#)[{range}:{step}]{shift}");
        Expression::of(Kind::Matrix, &pattern, vec![inner])
    }
}

/// Returns seconds as a duration, in minutes where that is exact.
pub(super) fn duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    match seconds.unsigned_abs() {
        whole if whole.is_multiple_of(60) && whole > 0 => format!("{sign}{}m", whole / 60),
        rest if rest > 60 => format!("{sign}{}m{}s", rest / 60, rest % 60),
        rest => format!("{sign}{rest}s"),
    }
}
