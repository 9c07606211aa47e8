//! Who works in the shop: services, hosts, and what each of them measures.

use std::collections::BTreeMap;

use crate::demo::cell::{Amount, BOUNDS, Cell, Course, Rule};
use crate::demo::family::{self, Family, Kind};

/// How a process hands out its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is scraped.
    Scraped,
    /// It pushes OTLP.
    Otlp,
}

/// A kind of process.
#[derive(Debug)]
pub(crate) struct Role {
    /// Name of the service; also the job.
    pub(crate) service: &'static str,
    /// How many processes there are.
    pub(crate) instances: u64,
    /// Port in the instance's name.
    pub(crate) port: u16,
    /// How its metrics travel.
    pub(crate) way: Way,
    /// Hours between deployments.
    pub(crate) deployed_every_h: i64,
    /// Share of requests that fail at the height of a fault.
    pub(crate) fault_errors: f64,
    /// By how much answers are slower at the height of a fault.
    pub(crate) fault_slowness: f64,
    /// What is measured.
    metrics: fn(&mut Sheet),
}

/// One metric of a process.
#[derive(Debug, Clone)]
pub(crate) struct Metric {
    /// What is common to its series.
    pub(crate) family: &'static Family,
    /// Labels beyond those of the process.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// How it moves.
    pub(crate) rule: Rule,
    /// Its value.
    pub(crate) cell: Cell,
}

/// Collects the metrics of a process.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// Which process of its role it is, from 0.
    pub(crate) index: u64,
    /// The metrics so far.
    pub(crate) metrics: Vec<Metric>,
}

impl Role {
    /// Returns the metrics of process `index`, all at zero.
    pub(crate) fn metrics(&self, index: u64) -> Vec<Metric> {
        let mut sheet = Sheet {
            index,
            metrics: Vec::new(),
        };
        (self.metrics)(&mut sheet);
        sheet.metrics
    }
}

/// Everyone in the shop.
pub(crate) static ROLES: [Role; 7] = [
    Role {
        service: "frontend",
        instances: 3,
        port: 8080,
        way: Way::Scraped,
        deployed_every_h: 8,
        fault_errors: 0.03,
        fault_slowness: 1.2,
        metrics: frontend,
    },
    Role {
        service: "checkout",
        instances: 2,
        port: 8081,
        way: Way::Otlp,
        deployed_every_h: 12,
        fault_errors: 0.22,
        fault_slowness: 5.0,
        metrics: checkout,
    },
    Role {
        service: "payments",
        instances: 2,
        port: 8082,
        way: Way::Otlp,
        deployed_every_h: 6,
        fault_errors: 0.35,
        fault_slowness: 9.0,
        metrics: payments,
    },
    Role {
        service: "catalog",
        instances: 2,
        port: 8083,
        way: Way::Scraped,
        deployed_every_h: 12,
        fault_errors: 0.0,
        fault_slowness: 0.0,
        metrics: catalog,
    },
    Role {
        service: "worker",
        instances: 2,
        port: 8084,
        way: Way::Otlp,
        deployed_every_h: 12,
        fault_errors: 0.08,
        fault_slowness: 2.0,
        metrics: worker,
    },
    Role {
        service: "db",
        instances: 2,
        port: 9187,
        way: Way::Scraped,
        deployed_every_h: 12,
        fault_errors: 0.02,
        fault_slowness: 1.5,
        metrics: database,
    },
    Role {
        service: "node",
        instances: 4,
        port: 9100,
        way: Way::Scraped,
        deployed_every_h: 12,
        fault_errors: 0.0,
        fault_slowness: 0.6,
        metrics: host,
    },
];

impl Sheet {
    fn add(&mut self, family: &'static Family, labels: &[(&'static str, &str)], rule: Rule) {
        let cell = match family.kind {
            Kind::Counter | Kind::Gauge => Cell::Number(0.0),
            Kind::Histogram => Cell::Classic {
                counts: [0; BOUNDS.len() + 1],
                sum: 0.0,
                exemplar: None,
            },
            Kind::Native => Cell::Native {
                counts: BTreeMap::new(),
                sum: 0.0,
                exemplar: None,
            },
        };
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        self.metrics.push(Metric {
            family,
            labels: labels.collect(),
            rule,
            cell,
        });
    }

    /// A route: requests by status code, and their durations.
    fn route(&mut self, service: &str, method: &str, route: &str, rps: f64, median: f64) {
        let codes: [(&str, Course); 3] = [
            ("200", |m| m.traffic * (1.0 - m.errors) * 0.985),
            ("404", |m| m.traffic * (1.0 - m.errors) * 0.015),
            ("500", |m| m.traffic * m.errors),
        ];
        for (code, of) in codes {
            let labels = [
                ("service", service),
                ("method", method),
                ("route", route),
                ("code", code),
            ];
            self.add(
                &family::HTTP_REQUESTS,
                &labels,
                Rule::Events(Amount { of, times: rps }),
            );
        }
        let labels = [("service", service), ("method", method), ("route", route)];
        self.add(&family::HTTP_DURATION, &labels, timing(rps, median));
    }

    /// What every process says about itself.
    fn process(&mut self, cpu: f64, memory: f64) {
        let busy: Course = |m| 0.05 + m.traffic * (0.8 + 0.1 * m.slowness);
        self.add(
            &family::CPU,
            &[],
            Rule::Flow(Amount {
                of: busy,
                times: cpu,
            }),
        );
        // Grows until the next deployment: a small leak to be found.
        let held: Course = |m| 1.0 + m.uptime_s / 200_000.0 + 0.04 * m.wobble;
        let level = Amount {
            of: held,
            times: memory * 1_048_576.0,
        };
        self.add(&family::MEMORY, &[], Rule::Level(level));
        let start: Course = |m| m.ts_ms as f64 / 1e3 - m.uptime_s;
        self.add(
            &family::START_TIME,
            &[],
            Rule::Level(Amount {
                of: start,
                times: 1.0,
            }),
        );
    }
}

fn timing(rps: f64, median: f64) -> Rule {
    Rule::Timing {
        events: Amount {
            of: |m| m.traffic,
            times: rps,
        },
        median: Amount {
            of: |m| m.slowness * (1.0 + 0.12 * m.wobble),
            times: median,
        },
    }
}

/// A level that stays near 1.
fn steady(times: f64) -> Rule {
    Rule::Level(Amount {
        of: |m| 1.0 + 0.05 * m.wobble,
        times,
    })
}

/// A rate that follows the customers.
fn with_traffic(times: f64) -> Amount {
    Amount {
        of: |m| m.traffic,
        times,
    }
}

fn frontend(sheet: &mut Sheet) {
    sheet.route("frontend", "GET", "/", 42.0, 0.018);
    sheet.route("frontend", "GET", "/cart", 11.0, 0.031);
    sheet.route("frontend", "POST", "/checkout", 3.2, 0.190);
    let carts = Amount {
        of: |m| (m.traffic * (1.0 + 0.1 * m.wobble)).round_ties_even() * 30.0 + 8.0 * m.wobble,
        times: 1.0,
    };
    sheet.add(&family::CART_VALUE, &[], Rule::Level(carts));
    sheet.process(0.32, 220.0);
}

fn checkout(sheet: &mut Sheet) {
    sheet.route("checkout", "POST", "/orders", 4.8, 0.140);
    sheet.route("checkout", "GET", "/orders/:id", 7.5, 0.024);
    sheet.process(0.21, 310.0);
}

fn payments(sheet: &mut Sheet) {
    sheet.route("payments", "POST", "/charge", 4.7, 0.095);
    sheet.route("payments", "POST", "/refund", 0.25, 0.110);
    for (method, share) in [("card", 3.4), ("transfer", 0.9), ("voucher", 0.4)] {
        let paid = Amount {
            of: |m| m.traffic * (1.0 - m.errors),
            times: share,
        };
        let declined = Amount {
            of: |m| m.traffic * (0.02 + m.errors),
            times: share,
        };
        let labels = |result| [("method", method), ("result", result)];
        sheet.add(&family::PAYMENTS, &labels("paid"), Rule::Events(paid));
        sheet.add(
            &family::PAYMENTS,
            &labels("declined"),
            Rule::Events(declined),
        );
        sheet.add(
            &family::PAYMENT_DURATION,
            &[("method", method)],
            timing(share, 0.080),
        );
    }
    sheet.process(0.18, 270.0);
}

fn catalog(sheet: &mut Sheet) {
    sheet.route("catalog", "GET", "/products", 28.0, 0.012);
    sheet.route("catalog", "GET", "/search", 9.0, 0.055);
    for cache in ["product", "price"] {
        let labels = [("cache", cache)];
        sheet.add(
            &family::CACHE_HITS,
            &labels,
            Rule::Events(with_traffic(55.0)),
        );
        sheet.add(
            &family::CACHE_MISSES,
            &labels,
            Rule::Events(with_traffic(6.0)),
        );
    }
    sheet.process(0.27, 480.0);
}

fn worker(sheet: &mut Sheet) {
    for (kind, rate, median) in [
        ("mail", 3.0, 0.21),
        ("invoice", 1.4, 0.65),
        ("stock", 0.8, 0.09),
    ] {
        let done = Amount {
            of: |m| m.traffic * (1.0 - m.errors),
            times: rate,
        };
        let failed = Amount {
            of: |m| m.traffic * m.errors,
            times: rate,
        };
        let labels = |result| [("kind", kind), ("result", result)];
        sheet.add(&family::JOBS, &labels("ok"), Rule::Events(done));
        sheet.add(&family::JOBS, &labels("failed"), Rule::Events(failed));
        sheet.add(
            &family::JOB_DURATION,
            &[("kind", kind)],
            timing(rate, median),
        );
        let waiting = Amount {
            of: |m| {
                (m.traffic * 4.0 + (m.slowness - 1.0) * 45.0 + 2.0 * m.wobble)
                    .max(0.0)
                    .round()
            },
            times: 1.0,
        };
        sheet.add(
            &family::QUEUE_DEPTH,
            &[("queue", kind)],
            Rule::Level(waiting),
        );
    }
    sheet.process(0.35, 190.0);
}

fn database(sheet: &mut Sheet) {
    let role = if sheet.index == 0 {
        "primary"
    } else {
        "replica"
    };
    for (state, of) in [
        (
            "active",
            (|m| (6.0 * m.traffic * m.slowness).round()) as Course,
        ),
        ("idle", |m| {
            (40.0 - 6.0 * m.traffic * m.slowness).max(2.0).round()
        }),
        ("idle_in_transaction", |m| {
            (1.5 * m.slowness + m.wobble).max(0.0).round()
        }),
    ] {
        let labels = [("role", role), ("state", state)];
        sheet.add(
            &family::DB_CONNECTIONS,
            &labels,
            Rule::Level(Amount { of, times: 1.0 }),
        );
    }
    for (outcome, rate) in [("commit", 95.0), ("rollback", 1.1)] {
        let labels = [("role", role), ("outcome", outcome)];
        sheet.add(
            &family::DB_TRANSACTIONS,
            &labels,
            Rule::Events(with_traffic(rate)),
        );
    }
    for (operation, rate) in [("fetched", 5_200.0), ("inserted", 38.0), ("updated", 71.0)] {
        let labels = [("role", role), ("operation", operation)];
        sheet.add(&family::DB_ROWS, &labels, Rule::Events(with_traffic(rate)));
    }
    let size = Amount {
        of: |m| 1.0 + (m.ts_ms as f64 / 1e3 - 1.7e9) / 3e8,
        times: 38.0 * 1_073_741_824.0,
    };
    sheet.add(&family::DB_SIZE, &[("role", role)], Rule::Level(size));
    if role == "replica" {
        let lag = Amount {
            of: |m| (0.08 + 0.05 * m.wobble + (m.slowness - 1.0) * 0.9).max(0.0),
            times: 1.0,
        };
        sheet.add(&family::DB_LAG, &[], Rule::Level(lag));
    }
    sheet.process(0.55, 2_100.0);
}

fn host(sheet: &mut Sheet) {
    let modes: [(&str, Course); 4] = [
        ("user", |m| 0.22 * m.traffic),
        ("system", |m| 0.07 * m.traffic),
        ("iowait", |m| 0.01 + 0.03 * (m.slowness - 1.0).max(0.0)),
        ("idle", |m| (0.98 - 0.29 * m.traffic).max(0.05)),
    ];
    for cpu in ["0", "1"] {
        for (mode, of) in modes {
            let labels = [("cpu", cpu), ("mode", mode)];
            sheet.add(
                &family::NODE_CPU,
                &labels,
                Rule::Flow(Amount { of, times: 1.0 }),
            );
        }
    }
    let load: Course = |m| 0.7 * m.traffic * m.slowness + 0.1 * m.wobble;
    sheet.add(
        &family::NODE_LOAD,
        &[],
        Rule::Level(Amount {
            of: load,
            times: 1.0,
        }),
    );
    let gibibyte = 1_073_741_824.0;
    let constant = |times| Rule::Level(Amount { of: |_| 1.0, times });
    sheet.add(&family::NODE_MEMORY_TOTAL, &[], constant(16.0 * gibibyte));
    sheet.add(&family::NODE_MEMORY_FREE, &[], steady(7.5 * gibibyte));
    for (mount, size) in [("/", 40.0), ("/var", 200.0)] {
        let labels = [("mountpoint", mount), ("device", "/dev/vda")];
        sheet.add(&family::NODE_DISK_SIZE, &labels, constant(size * gibibyte));
        // Fills up from one deployment to the next, as logs do.
        let free = Amount {
            of: |m| 0.62 - m.uptime_s / 400_000.0,
            times: size * gibibyte,
        };
        sheet.add(&family::NODE_DISK_FREE, &labels, Rule::Level(free));
    }
    let device = [("device", "eth0")];
    sheet.add(
        &family::NODE_RECEIVED,
        &device,
        Rule::Events(with_traffic(820_000.0)),
    );
    sheet.add(
        &family::NODE_SENT,
        &device,
        Rule::Events(with_traffic(1_450_000.0)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_process_has_two_metrics_with_the_same_labels() {
        for role in &ROLES {
            for index in 0..role.instances {
                let metrics = role.metrics(index);
                let distinct: BTreeSet<String> = metrics
                    .iter()
                    .map(|metric| format!("{} {:?}", metric.family.name, metric.labels))
                    .collect();
                assert_eq!(distinct.len(), metrics.len(), "{}", role.service);
            }
        }
    }

    #[test]
    fn the_shop_has_several_hundred_series_so_that_a_week_fits_into_a_minute() {
        let series = |metric: &Metric| match metric.family.kind {
            Kind::Histogram => BOUNDS.len() + 3,
            _ => 1,
        };
        let all: usize = ROLES
            .iter()
            .flat_map(|role| (0..role.instances).flat_map(|index| role.metrics(index)))
            .map(|metric| series(&metric))
            .sum();
        assert!((450..750).contains(&all), "{all}");
    }
}
