//! What is written: hosts of 100 series each, every value a function of seed, series and round.

use obsq_model::Labels;

use crate::demo::{noise_bits, noise_unit};

/// Series of one host.
pub(super) const SERIES_PER_HOST: usize = 100;
/// Different metric names among them.
pub(super) const NAMES: usize = 14;
/// The metric of one series that tells a later `obsq bench query` what was written.
pub(super) const MARKER: &str = "bench_run_written_seconds";

pub(super) const MODES: [&str; 8] = [
    "idle", "user", "system", "iowait", "irq", "nice", "softirq", "steal",
];
/// Upper bounds of the buckets but the last, `+Inf`.
pub(super) const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const SERVICES: [&str; 10] = [
    "cart",
    "checkout",
    "payments",
    "search",
    "user",
    "inventory",
    "gateway",
    "email",
    "recommend",
    "shipping",
];
/// Route, code and share of a host's requests.
const REQUESTS: [(&str, &str, f64); 4] = [
    ("/api/v1/cart", "200", 600.0),
    ("/api/v2/search", "500", 22.0),
    ("/login", "200", 300.0),
    ("/healthz", "404", 45.0),
];

/// How much is written, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fleet {
    /// Value of the label `bench_run` of every series.
    pub(super) run: String,
    pub(super) seed: u64,
    pub(super) hosts: usize,
    /// Samples of each series.
    pub(super) samples: usize,
    /// Time of the first sample.
    pub(super) start_ms: i64,
    pub(super) interval_ms: i64,
}

/// What a series' values look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Constant(f64),
    /// Around a level, with two digits behind the point.
    Gauge {
        level: f64,
        swing: f64,
    },
    /// Rises by about `slope` a round, rounded to a multiple of 1 / `per_unit`.
    Counter {
        base: f64,
        slope: f64,
        per_unit: f64,
    },
    /// A share of the requests that track `track` counts.
    Share {
        track: u64,
        slope: f64,
        share: f64,
    },
}

/// One series.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Labels besides `bench_run`, in no order; the name is `__name__`.
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) shape: Shape,
    /// Its place in the randomness.
    place: u64,
}

impl Series {
    /// Forgets the labels, which whoever has [`Fleet::labels`] does not need.
    pub(super) fn unlabelled(mut self) -> Self {
        self.labels = Vec::new();
        self
    }

    /// Returns the value of a label; empty without.
    pub(super) fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl Fleet {
    /// Returns the time of round `round`.
    pub(super) fn ts_ms(&self, round: usize) -> i64 {
        self.start_ms + round as i64 * self.interval_ms
    }

    /// Returns the time of the last round.
    pub(super) fn end_ms(&self) -> i64 {
        self.ts_ms(self.samples.saturating_sub(1))
    }

    pub(super) fn series(&self) -> usize {
        self.hosts * SERIES_PER_HOST
    }

    /// Returns the labels as they are written.
    pub(super) fn labels(&self, series: &Series) -> Labels {
        let mut pairs: Vec<(&str, &str)> = vec![("bench_run", &self.run)];
        let own = series.labels.iter();
        pairs.extend(own.map(|(name, value)| (*name, value.as_str())));
        Labels::from_pairs(&pairs)
    }

    /// Returns the value of a series in a round.
    pub(super) fn value(&self, series: &Series, round: usize) -> f64 {
        let noise = |place: u64| noise_unit(self.seed, place, round as u64);
        let at = round as f64;
        match series.shape {
            Shape::Constant(value) => value,
            Shape::Gauge { level, swing } => {
                ((level + swing * noise(series.place)) * 100.0).round() / 100.0
            }
            Shape::Counter {
                base,
                slope,
                per_unit,
            } => {
                // Less than a round's slope, so that a counter never falls.
                let value = base + slope * (at + 0.1 * noise(series.place));
                (value * per_unit).round() / per_unit
            }
            Shape::Share {
                track,
                slope,
                share,
            } => {
                let requests = (slope * (2_000.0 + at + 0.1 * noise(track))).floor();
                (requests * share).floor()
            }
        }
    }
}

/// Returns the label `instance` of a host.
pub(super) fn instance(host: usize) -> String {
    format!("host-{host:06}")
}

/// Returns the label `service` of a host's requests.
pub(super) fn service(host: usize) -> &'static str {
    SERVICES[host % SERVICES.len()]
}

/// Returns how many services `hosts` hosts have.
pub(super) fn services(hosts: usize) -> usize {
    hosts.min(SERVICES.len())
}

/// Returns the series of a host.
pub(super) fn host_series(seed: u64, host: usize) -> Vec<Series> {
    let mut made = Making {
        seed,
        host: host as u64,
        instance: instance(host),
        series: Vec::with_capacity(SERIES_PER_HOST),
    };
    made.machine();
    for (at, (route, code, slope)) in REQUESTS.into_iter().enumerate() {
        let labels = [
            ("service", service(host).to_owned()),
            ("route", route.to_owned()),
            ("code", code.to_owned()),
        ];
        made.requests(at as u64, &labels, slope);
    }
    made.series
}

/// A host's series under way.
struct Making {
    seed: u64,
    host: u64,
    instance: String,
    series: Vec<Series>,
}

impl Making {
    fn place(&self) -> u64 {
        self.host << 8 | self.series.len() as u64
    }

    /// Returns a number in 0..1 that belongs to the next series.
    fn own(&self) -> f64 {
        noise_unit(!self.seed, self.place(), 0)
    }

    fn add(&mut self, name: &str, labels: &[(&'static str, String)], shape: Shape) {
        let place = self.place();
        let mut all = vec![
            ("__name__", name.to_owned()),
            ("instance", self.instance.clone()),
        ];
        all.extend_from_slice(labels);
        self.series.push(Series {
            labels: all,
            shape,
            place,
        });
    }

    fn counter(&mut self, name: &str, labels: &[(&'static str, String)], slope: f64) {
        let slope = slope * (0.5 + self.own());
        let shape = Shape::Counter {
            base: (slope * (2_000.0 + 1e4 * self.own())).round(),
            slope,
            per_unit: if slope < 100.0 { 100.0 } else { 1.0 },
        };
        self.add(name, labels, shape);
    }

    fn gauge(&mut self, name: &str, level: f64, swing: f64) {
        let level = level * (0.5 + self.own());
        self.add(name, &[], Shape::Gauge { level, swing });
    }

    fn machine(&mut self) {
        for cpu in 0..4 {
            for (at, mode) in MODES.into_iter().enumerate() {
                let labels = [("cpu", cpu.to_string()), ("mode", mode.to_owned())];
                let slope = 12.0 / f64::from(1_u32 << at);
                self.counter("bench_cpu_seconds_total", &labels, slope);
            }
        }
        let sizes = noise_bits(self.seed, self.host, 0) % 4;
        let total = (8_u64 << (30 + sizes)) as f64;
        self.add("bench_memory_total_bytes", &[], Shape::Constant(total));
        self.gauge("bench_memory_available_bytes", total / 2.0, total / 20.0);
        self.gauge("bench_load1", 2.0, 1.5);
        for device in ["eth0", "eth1"] {
            let labels = [("device", device.to_owned())];
            self.counter("bench_network_receive_bytes_total", &labels, 8e5);
            self.counter("bench_network_transmit_bytes_total", &labels, 6e5);
        }
        let labels = [("device", "sda".to_owned())];
        self.counter("bench_disk_written_bytes_total", &labels, 9e5);
        self.counter("bench_context_switches_total", &[], 6e4);
        self.gauge("bench_processes", 300.0, 20.0);
        self.add("bench_up", &[], Shape::Constant(1.0));
        let booted = 1.7e9 + (self.own() * 1e7).round();
        self.add("bench_boot_time_seconds", &[], Shape::Constant(booted));
    }

    /// Adds a histogram: buckets follow one count, so that they stay cumulative.
    fn requests(&mut self, at: u64, labels: &[(&'static str, String)], slope: f64) {
        let slope = slope * (0.5 + self.own());
        let track = u64::MAX - (self.host << 8 | at);
        let peak = (2 + noise_bits(self.seed, self.host, at + 1) % 5) as f64;
        let name = "bench_request_duration_seconds";
        let share_of = |share| Shape::Share {
            track,
            slope,
            share,
        };
        for (index, bound) in BOUNDS.iter().enumerate() {
            let share = 1.0 / (1.0 + (-(index as f64 - peak) * 1.3).exp());
            let mut labels = labels.to_vec();
            labels.push(("le", bound.to_string()));
            self.add(&format!("{name}_bucket"), &labels, share_of(share));
        }
        let mut last = labels.to_vec();
        last.push(("le", "+Inf".to_owned()));
        self.add(&format!("{name}_bucket"), &last, share_of(1.0));
        self.add(&format!("{name}_sum"), labels, share_of(0.08));
        self.add(&format!("{name}_count"), labels, share_of(1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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
    fn a_host_has_a_hundred_different_series_of_fourteen_names() {
        let fleet = fleet(2, 10);
        let all: Vec<Labels> = (0..2)
            .flat_map(|host| host_series(1, host))
            .map(|series| fleet.labels(&series))
            .collect();
        assert_eq!(all.len(), 2 * SERIES_PER_HOST);
        let different: BTreeSet<&Labels> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        let names: BTreeSet<&str> = all.iter().map(Labels::metric_name).collect();
        assert_eq!(names.len(), NAMES);
        assert!(all.iter().all(|labels| labels.value("bench_run") == "r"));
    }

    #[test]
    fn counters_and_buckets_never_fall_and_buckets_are_cumulative() {
        let fleet = fleet(1, 200);
        for series in host_series(1, 0) {
            let values: Vec<f64> = (0..200).map(|k| fleet.value(&series, k)).collect();
            if matches!(series.shape, Shape::Counter { .. } | Shape::Share { .. }) {
                assert!(
                    values.is_sorted() && values[0] >= 0.0,
                    "{:?}",
                    series.labels
                );
            }
            if matches!(series.shape, Shape::Counter { .. }) {
                assert!(values[199] > values[0], "{:?}", series.labels);
            }
        }
        let buckets = &host_series(1, 0)[44..56];
        for round in 0..200 {
            let counts: Vec<f64> = buckets.iter().map(|b| fleet.value(b, round)).collect();
            assert!(counts.is_sorted(), "{counts:?}");
        }
    }

    #[test]
    fn values_depend_on_the_seed_and_on_nothing_else() {
        let (one, mut two) = (fleet(1, 10), fleet(1, 10));
        two.seed = 2;
        let sums = |fleet: &Fleet| -> f64 {
            let series = host_series(fleet.seed, 0);
            series.iter().map(|series| fleet.value(series, 3)).sum()
        };
        assert_eq!(sums(&one), sums(&fleet(7, 99)));
        assert_ne!(sums(&one), sums(&two));
    }
}
