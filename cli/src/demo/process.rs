//! One process of the shop, from a deployment to the next.

use jiff::Timestamp;

use crate::demo::TICK_MS;
use crate::demo::cell::{Amount, Cell, Moment, Rule};
use crate::demo::family;
use crate::demo::noise::{bits, smooth};
use crate::demo::shop::{Metric, ROLES, Role};
use crate::demo::world::World;

const HOUR_MS: i64 = 3_600_000;
/// Processes of one service are deployed one after the other.
const ROLLING_MS: i64 = 90_000;
const HOSTS: [&str; 4] = ["web-1", "web-2", "batch-1", "db-1"];

/// Which process it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// What kind of process.
    pub(crate) role: &'static Role,
    /// Number of the role in the shop.
    role_index: u64,
    /// Number among its kind, from 0.
    pub(crate) index: u64,
}

impl Place {
    /// Returns every place in the shop.
    pub(crate) fn all() -> Vec<Self> {
        let of_role = |(role_index, role): (usize, &'static Role)| {
            (0..role.instances).map(move |index| Self {
                role,
                role_index: role_index as u64,
                index,
            })
        };
        ROLES.iter().enumerate().flat_map(of_role).collect()
    }

    /// Returns the machine that it runs on.
    pub(crate) fn host(self) -> &'static str {
        let at = match self.role.service {
            "db" => 3,
            "worker" => 2,
            _ => self.index,
        };
        HOSTS[at as usize % HOSTS.len()]
    }

    /// Returns the value of its label `instance`.
    pub(crate) fn instance(self) -> String {
        let Role { service, port, .. } = self.role;
        match *service {
            "node" => format!("{}:{port}", self.host()),
            _ => format!("{service}-{}:{port}", self.index),
        }
    }

    /// Returns when the process that runs at `ts_ms` was deployed, on a tick.
    pub(crate) fn deployed_ms(self, ts_ms: i64, world: World) -> i64 {
        let every_ms = self.role.deployed_every_h * HOUR_MS;
        let spread = bits(world.seed, self.role_index ^ 0xDE, 0) % every_ms as u64;
        let phase = spread as i64 / TICK_MS * TICK_MS + self.index as i64 * ROLLING_MS;
        (ts_ms - phase).div_euclid(every_ms) * every_ms + phase
    }

    /// Returns when the process that was deployed at `deployed_ms` is replaced.
    pub(crate) fn replaced_ms(self, deployed_ms: i64) -> i64 {
        deployed_ms + self.role.deployed_every_h * HOUR_MS
    }

    /// Returns a number that no metric of another process has.
    fn noise_place(self, metric: usize) -> u64 {
        (self.role_index + 1) * 1_000_000 + self.index * 1_000 + metric as u64
    }
}

/// A running process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Which one.
    pub(crate) place: Place,
    /// When it was deployed.
    pub(crate) deployed_ms: i64,
    /// The tick that its values are of.
    pub(crate) ts_ms: i64,
    /// What it measures.
    pub(crate) metrics: Vec<Metric>,
    world: World,
}

impl Process {
    /// Starts the process that was deployed at `deployed_ms`: all counters at zero.
    pub(crate) fn start(place: Place, deployed_ms: i64, world: World) -> Self {
        let mut process = Self {
            place,
            deployed_ms,
            ts_ms: deployed_ms,
            metrics: place.role.metrics(place.index),
            world,
        };
        let always = Amount {
            of: |_| 1.0,
            times: 1.0,
        };
        process.metrics.push(Metric {
            family: &family::BUILD_INFO,
            labels: vec![
                ("service", place.role.service.to_owned()),
                ("version", process.version()),
            ],
            rule: Rule::Level(always),
            cell: Cell::Number(1.0),
        });
        process.set_levels();
        process
    }

    /// Returns the process that runs at `ts_ms`, as it is then.
    pub(crate) fn at(place: Place, ts_ms: i64, world: World) -> Self {
        let mut process = Self::start(place, place.deployed_ms(ts_ms, world), world);
        while process.ts_ms + TICK_MS <= ts_ms {
            process.tick();
        }
        process
    }

    /// Lives through one tick.
    pub(crate) fn tick(&mut self) {
        self.ts_ms += TICK_MS;
        let moment = self.moment();
        for (index, metric) in self.metrics.iter_mut().enumerate() {
            let place = self.place.noise_place(index);
            metric
                .cell
                .advance(metric.rule, &moment, self.world.seed, place);
        }
    }

    /// Goes on to `ts_ms`; a deployment on the way starts anew.
    pub(crate) fn advance_to(&mut self, ts_ms: i64) {
        if ts_ms >= self.place.replaced_ms(self.deployed_ms) {
            *self = Self::at(self.place, ts_ms, self.world);
        }
        while self.ts_ms + TICK_MS <= ts_ms {
            self.tick();
        }
    }

    /// Returns the version that runs: the hour of its deployment.
    pub(crate) fn version(&self) -> String {
        let at = Timestamp::from_millisecond(self.deployed_ms).unwrap_or_default();
        at.strftime("%y.%-m.%-d-%H").to_string()
    }

    /// Gauges have a value from the start on.
    fn set_levels(&mut self) {
        let moment = self.moment();
        for metric in &mut self.metrics {
            if let Rule::Level(_) = metric.rule {
                metric
                    .cell
                    .advance(metric.rule, &moment, self.world.seed, 0);
            }
        }
    }

    fn moment(&self) -> Moment {
        let (role, ts_ms) = (self.place.role, self.ts_ms);
        let fault = self.world.fault(ts_ms);
        let place = self.place.noise_place(999);
        Moment {
            ts_ms,
            traffic: self.world.traffic(ts_ms),
            errors: (0.0015 + role.fault_errors * fault).min(0.9),
            slowness: 1.0 + role.fault_slowness * fault,
            wobble: smooth(self.world.seed, place, ts_ms, 150_000),
            uptime_s: (ts_ms - self.deployed_ms) as f64 / 1e3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: World = World { seed: 1 };
    const NOW: i64 = 1_795_172_400_000;

    #[test]
    fn a_process_is_the_same_however_it_is_reached() {
        for place in Place::all() {
            let mut walked = Process::at(place, NOW - 600_000, WORLD);
            walked.advance_to(NOW);
            let made = Process::at(place, NOW, WORLD);
            assert_eq!(walked.ts_ms, made.ts_ms);
            let cells = |process: &Process| -> Vec<Cell> {
                process
                    .metrics
                    .iter()
                    .map(|metric| metric.cell.clone())
                    .collect()
            };
            assert_eq!(cells(&walked), cells(&made), "{}", place.instance());
        }
    }

    #[test]
    fn deployments_follow_each_other_without_gap() {
        for place in Place::all() {
            let deployed = place.deployed_ms(NOW, WORLD);
            assert!(deployed <= NOW && NOW < place.replaced_ms(deployed));
            assert_eq!(deployed % TICK_MS, 0);
            let next = place.replaced_ms(deployed);
            assert_eq!(place.deployed_ms(next, WORLD), next);
            assert_eq!(
                place.deployed_ms(deployed - 1, WORLD),
                deployed - (next - deployed)
            );
        }
    }

    #[test]
    fn a_deployment_resets_counters_and_changes_the_version() {
        let place = Place::all()[0];
        let mut process = Process::at(place, NOW, WORLD);
        let next = place.replaced_ms(process.deployed_ms);
        let before = process.version();
        process.advance_to(next);
        assert_eq!((process.ts_ms, process.deployed_ms), (next, next));
        assert_ne!(process.version(), before);
        assert_eq!(process.metrics[0].cell, Cell::Number(0.0));
    }

    #[test]
    fn payments_fail_in_a_fault_and_the_catalog_does_not() {
        let hour = (0..240).map(|tick| NOW + tick * TICK_MS);
        let worst = hour
            .max_by(|a, b| WORLD.fault(*a).total_cmp(&WORLD.fault(*b)))
            .unwrap();
        let errors = |service: &str| {
            let place = Place::all()
                .into_iter()
                .find(|place| place.role.service == service);
            Process::at(place.unwrap(), worst, WORLD).moment().errors
        };
        assert!(errors("payments") > 0.15);
        assert!(errors("catalog") < 0.01);
    }
}
