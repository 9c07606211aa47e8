//! The queries asked: a fixed mix over what was written, or a file of the user's own.

use obsq_model::TimeRange;

use crate::api::{Call, QueryParameters};
use crate::commands::bench::fleet::{Fleet, MODES, NAMES, instance, services};
use crate::commands::bench::truth::{Truth, Want, Windows};

/// Hosts that the queries over the whole time look at.
pub(super) const LONG_HOSTS: usize = 8;

/// A query and what its answer must be.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) id: String,
    /// What it asks, in words; the query itself for those of a file.
    pub(super) what: String,
    pub(super) query: String,
    pub(super) when: When,
    pub(super) want: Option<Want>,
}

/// The time of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    At(i64),
    Over {
        range: TimeRange,
        step_ms: i64,
    },
    /// The values of the label `instance` in a range, instead of a query.
    Instances(TimeRange),
}

impl Question {
    /// Returns the call that asks this `shift_ms` earlier.
    pub(super) fn call(&self, shift_ms: i64) -> Call {
        let parameters = QueryParameters {
            query: self.query.clone(),
            ..QueryParameters::default()
        };
        let earlier =
            |range: TimeRange| TimeRange::new(range.start_ms - shift_ms, range.end_ms - shift_ms);
        match self.when {
            When::At(time_ms) => Call::Query {
                parameters,
                time_ms: time_ms - shift_ms,
            },
            When::Over { range, step_ms } => Call::QueryRange {
                parameters,
                range: earlier(range),
                step_ms,
            },
            When::Instances(range) => Call::LabelValues {
                name: "instance".into(),
                selectors: vec![self.query.clone()],
                range: Some(earlier(range)),
                limit: 0,
            },
        }
    }
}

/// Returns the queries of a file: one a line, empty lines and lines that start with `#` left out.
pub(super) fn from_file(text: &str, when: When) -> Vec<Question> {
    let lines = text.lines().map(str::trim);
    let queries = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let question = |(at, query): (usize, &str)| Question {
        id: format!("Q{:02}", at + 1),
        what: query.to_owned(),
        query: query.to_owned(),
        when,
        want: None,
    };
    queries.enumerate().map(question).collect()
}

/// Names of the queries of [`mix`].
pub(super) fn mix_ids() -> Vec<String> {
    (1..=13).map(|number| format!("M{number:02}")).collect()
}

/// Returns the fixed mix, with answers that the generator knows. A fleet has at least 5 rounds.
pub(super) fn mix(fleet: &Fleet) -> Vec<Question> {
    let asking = Asking::new(fleet);
    let windows = asking.windows;
    let truth = Truth::of(fleet, windows);
    let mut all = asking.over_all_series(&truth);
    all.extend(asking.over_all_time(&truth));
    let values = When::Instances(asking.recent().0);
    let steps = windows.recent().count();
    all.push(asking.question(
        12,
        "values of a label for one metric",
        asking.of("bench_load1", ""),
        values,
        Want::count(fleet.hosts, fleet.hosts),
    ));
    all.push(asking.question(
        13,
        "raw values of one metric, all hosts, at every sample of 5m",
        asking.of("bench_load1", ""),
        asking.over_recent(),
        Want::exact(fleet.hosts, fleet.hosts * steps, truth.load_recent),
    ));
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// Makes questions about one fleet.
struct Asking<'a> {
    fleet: &'a Fleet,
    windows: Windows,
    /// The range selector's length.
    window: String,
}

impl<'a> Asking<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        let windows = Windows::of(fleet.samples);
        Self {
            fleet,
            windows,
            window: duration(windows.width as i64 * fleet.interval_ms),
        }
    }

    fn question(
        &self,
        number: usize,
        what: &str,
        query: String,
        when: When,
        want: Want,
    ) -> Question {
        debug_assert!(self.windows.width > 1, "a rate needs two samples");
        Question {
            id: format!("M{number:02}"),
            what: what.to_owned(),
            query,
            when,
            want: Some(want),
        }
    }

    /// Returns a selector of the run's series of one name.
    fn of(&self, name: &str, matchers: &str) -> String {
        let comma = if matchers.is_empty() { "" } else { "," };
        format!(
            "{name}{{bench_run=\"{}\"{comma}{matchers}}}",
            self.fleet.run
        )
    }

    fn rate(&self, name: &str, matchers: &str) -> String {
        format!("rate({}[{}])", self.of(name, matchers), self.window)
    }

    fn recent(&self) -> (TimeRange, usize) {
        let rounds = self.windows.recent();
        let start_ms = self.fleet.ts_ms(*rounds.start());
        (
            TimeRange::new(start_ms, self.fleet.end_ms()),
            rounds.count(),
        )
    }

    fn over_recent(&self) -> When {
        When::Over {
            range: self.recent().0,
            step_ms: self.fleet.interval_ms,
        }
    }

    fn over_all(&self, first: usize, stride: usize) -> When {
        When::Over {
            range: TimeRange::new(self.fleet.ts_ms(first), self.fleet.end_ms()),
            step_ms: self.fleet.interval_ms * stride as i64,
        }
    }

    /// Queries over all hosts and the last minutes.
    fn over_all_series(&self, truth: &Truth) -> Vec<Question> {
        let (fleet, end) = (self.fleet, When::At(self.fleet.end_ms()));
        let (_, steps) = self.recent();
        let services = services(fleet.hosts);
        let first = format!("instance=\"{}\"", instance(0));
        let by_mode = self.rate("bench_cpu_seconds_total", "");
        let by_host = self.rate("bench_network_receive_bytes_total", "");
        let buckets = self.rate("bench_request_duration_seconds_bucket", "");
        let failed = "route=~\"/api/v[12]/.*\",code!~\"2..\"";
        let requests = self.rate("bench_request_duration_seconds_count", failed);
        let top = fleet.hosts.min(10);
        vec![
            self.question(
                1,
                "one series, now",
                self.of("bench_load1", &first),
                end,
                Want::exact(1, 1, truth.first_load),
            ),
            self.question(
                2,
                "sum by (mode)(rate) over 32 series a host, 5m range",
                format!("sum by (mode) ({by_mode})"),
                self.over_recent(),
                Want::near(MODES.len(), MODES.len() * steps, truth.cpu_recent),
            ),
            self.question(
                3,
                "topk(10, sum by (instance)(rate)), now",
                format!("topk(10, sum by (instance) ({by_host}))"),
                end,
                Want::near(top, top, truth.busiest(10)),
            ),
            self.question(
                4,
                "histogram_quantile by service, all buckets, 5m range",
                format!("histogram_quantile(0.99, sum by (le, service) ({buckets}))"),
                self.over_recent(),
                Want::near(services, services * steps, truth.quantiles()),
            ),
            self.question(
                6,
                "count by (__name__) over every series",
                format!("count by (__name__) ({})", self.of("", "")),
                end,
                Want::exact(NAMES, NAMES, fleet.series() as f64),
            ),
            self.question(
                7,
                "regex matchers, sum by service, 5m range",
                format!("sum by (service) ({requests})"),
                self.over_recent(),
                Want::near(services, services * steps, truth.failed_recent),
            ),
        ]
    }

    /// Queries over few hosts and all the time there is.
    fn over_all_time(&self, truth: &Truth) -> Vec<Question> {
        let hosts = self.fleet.hosts.min(LONG_HOSTS);
        let few = format!("instance=~\"host-00000[0-{}]\"", LONG_HOSTS - 1);
        let one = format!(
            "instance=\"{}\",cpu=\"2\",mode=\"idle\"",
            instance(hosts - 1)
        );
        let available = self.of("bench_memory_available_bytes", &few);
        let total = self.of("bench_memory_total_bytes", &few);
        let written = self.rate("bench_disk_written_bytes_total", &few);
        let step = duration(self.fleet.interval_ms);
        let busy = self.rate("bench_cpu_seconds_total", &format!("{few},mode!=\"idle\""));
        let load = self.of("bench_load1", &few);
        let [every, sparse, rare] = self.windows.strides;
        let first = self.windows.width;
        let points = |first, stride| self.windows.long(first, stride).count();
        let near = |first, stride, sum| Want::near(hosts, hosts * points(first, stride), sum);
        vec![
            self.question(
                5,
                "rate of one series, all the time",
                self.rate("bench_cpu_seconds_total", &one),
                self.over_all(first, every),
                Want::near(1, points(first, every), truth.idle_long),
            ),
            self.question(
                8,
                "vector match a/b of 8 hosts, all the time",
                format!("{available} / {total}"),
                self.over_all(first, sparse),
                Want::exact(hosts, hosts * points(first, sparse), truth.memory_long),
            ),
            self.question(
                9,
                "subquery max_over_time(sum by (rate)) of 8 hosts, all the time",
                format!(
                    "max_over_time(sum by (instance) ({written})[{}:{step}])",
                    self.window
                ),
                self.over_all(2 * first, rare),
                near(2 * first, rare, truth.disk_long),
            ),
            self.question(
                10,
                "sum by (instance)(rate(mode!=idle)) of 8 hosts, all the time",
                format!("sum by (instance) ({busy})"),
                self.over_all(first, sparse),
                near(first, sparse, truth.busy_long),
            ),
            self.question(
                11,
                "quantile_over_time of 8 hosts, all the time",
                format!("quantile_over_time(0.95, {load}[{}])", self.window),
                self.over_all(first, rare),
                near(first, rare, truth.load_long),
            ),
        ]
    }
}

fn duration(ms: i64) -> String {
    if ms % 1000 == 0 {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(hosts: usize, samples: usize) -> Fleet {
        Fleet {
            run: "r".into(),
            seed: 1,
            hosts,
            samples,
            start_ms: 1_795_172_400_000,
            interval_ms: 15_000,
        }
    }

    #[test]
    fn the_mix_is_complete_and_every_query_parses() {
        for (hosts, samples) in [(1, 5), (12, 40), (9, 300)] {
            let questions = mix(&fleet(hosts, samples));
            let ids: Vec<String> = questions.iter().map(|one| one.id.clone()).collect();
            assert_eq!(ids, mix_ids());
            for one in questions {
                let parsed = obsq_query_lang::promql::parse(&one.query).into_result();
                assert!(parsed.is_ok(), "{}", one.query);
                let want = one.want.unwrap();
                assert!(want.points >= want.series, "{}: {want:?}", one.id);
                assert!(want.sum.is_none_or(f64::is_finite), "{}: {want:?}", one.id);
            }
        }
    }

    #[test]
    fn a_file_holds_a_query_a_line() {
        let questions = from_file("# mine\nup\n\n  sum(up)  \n", When::At(5));
        let shown: Vec<_> = questions
            .iter()
            .map(|one| (one.id.as_str(), one.query.as_str()))
            .collect();
        assert_eq!(shown, [("Q01", "up"), ("Q02", "sum(up)")]);
        let call = questions[0].call(2);
        assert!(matches!(call, Call::Query { time_ms: 3, .. }), "{call:?}");
    }
}
