//! A store that lives through a script, and power cuts beside it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use obsq_model::{Clock as _, ManualClock, Tenant};
use obsq_source::{Error, MetricAppender as _};
use obsq_wal::{FaultKind, PlannedFault, SimImage, SimRng, SimVfs};

use super::super::bench::NOW_MS;
use super::batches::{Batches, Deleted, Sent, TENANTS};
use super::model::Model;
use crate::blocks::names::count_ulids;
use crate::{MetricStore, StoreOptions};

/// What a store does next.
#[derive(Debug, Clone)]
enum Step {
    Append(Sent),
    Delete(Deleted),
    CleanTombstones(&'static str),
    Tick,
    Flush,
    Checkpoint,
    /// Closed in order and opened again.
    Restart,
    /// The process ends and starts again.
    Kill,
}

impl Step {
    fn next(batches: &mut Batches, clock: &ManualClock, rng: &mut SimRng) -> Self {
        match rng.below(100) {
            0..=13 => {
                clock.advance_ms(rng.below(40 * 60_000) as i64);
                Self::Tick
            }
            14 | 15 => Self::Flush,
            16..=18 => Self::Checkpoint,
            19 | 20 => Self::Restart,
            21..=23 => Self::Kill,
            24..=26 => Self::Delete(Deleted::next(clock.now_ms(), rng)),
            27 => Self::CleanTombstones(TENANTS[rng.below(TENANTS.len() as u64) as usize]),
            _ => {
                clock.advance_ms(rng.below(20_000) as i64);
                Self::Append(batches.next(clock.now_ms(), rng))
            }
        }
    }
}

/// A store on a simulated disk, and what it must hold.
pub(super) struct Script {
    seed: u64,
    rng: SimRng,
    vfs: SimVfs,
    clock: Arc<ManualClock>,
    store: Option<MetricStore>,
    batches: Batches,
    pub(super) model: Model,
    /// Cuts made beside the script.
    pub(super) cuts: u64,
    /// Whether calls fail now and then.
    faults: bool,
    /// Steps that failed.
    pub(super) failures: u64,
}

pub(super) fn open(vfs: &SimVfs, clock: &Arc<ManualClock>) -> MetricStore {
    try_open(vfs, clock).unwrap()
}

pub(super) fn try_open(vfs: &SimVfs, clock: &Arc<ManualClock>) -> Result<MetricStore, Error> {
    let clock = Arc::clone(clock);
    let mut options = StoreOptions::new(PathBuf::from("/data"), clock);
    options.vfs = Arc::new(vfs.clone());
    options.maintenance = false;
    options.block_cache_bytes = 1 << 20;
    options.tune_log = |log| {
        log.threaded = false;
        log.segment_bytes = 8 << 10;
        log.preallocated_bytes = 2 << 10;
    };
    MetricStore::open(options)
}

type Rejections = Vec<obsq_source::Rejection>;

/// Writes and waits for the disk; returns what was refused.
pub(super) fn write(store: &MetricStore, sent: &Sent) -> Result<Rejections, Error> {
    let tenant = Tenant::parse(sent.tenant).unwrap();
    let appended = store.append(&tenant, sent.batch.clone())?;
    appended.durable.wait_blocking()?;
    assert_eq!(
        appended.rejected,
        appended.rejections.len(),
        "all are listed"
    );
    Ok(appended.rejections)
}

impl Script {
    pub(super) fn new(seed: u64, faults: bool) -> Self {
        let vfs = SimVfs::new(seed);
        let clock = Arc::new(ManualClock::at(NOW_MS));
        count_ulids(Some(u128::from(seed) << 64));
        let store = open(&vfs, &clock);
        vfs.watch();
        Self {
            seed,
            rng: SimRng::new(seed),
            vfs,
            clock,
            store: Some(store),
            batches: Batches::new(),
            model: Model::default(),
            cuts: 0,
            faults,
            failures: 0,
        }
    }

    /// Returns the number of calls to the file system so far.
    pub(super) fn calls(&self) -> u64 {
        self.vfs.calls()
    }

    /// Does the next step, and cuts the power before those of its calls that `is_chosen` chooses.
    pub(super) fn step(&mut self, is_chosen: &dyn Fn(u64) -> bool) {
        let step = Step::next(&mut self.batches, &self.clock, &mut self.rng);
        match &step {
            Step::Append(sent) => self.model.send(sent),
            Step::Delete(deleted) => self.model.begin_delete(deleted),
            _ => {}
        }
        let faulty = self.faults && self.rng.one_in(4);
        if faulty {
            self.plan_faults();
        }
        let done = self.carry_out(&step);
        let images = self.vfs.take_images();
        for image in images.iter().filter(|image| is_chosen(image.calls)) {
            self.cuts += 1;
            self.cut(image, &step);
        }
        if self.rng.one_in(30)
            && let Some(image) = images.get(self.rng.below(images.len() as u64) as usize)
        {
            return self.go_on_from(image);
        }
        match (&step, done) {
            (_, Err(error)) if !faulty => panic!("seed {}: {step:?}: {error}", self.seed),
            (_, Err(_failed)) => self.failures += 1,
            (Step::Append(sent), Ok(rejections)) => self.model.acknowledge(sent, &rejections),
            (Step::Delete(deleted), Ok(_)) => self.model.end_delete(deleted),
            _ => {}
        }
        if faulty {
            // Reads have gone on, and see no less than what is acknowledged.
            self.check(
                self.store.as_ref().unwrap(),
                &self.model,
                &self.vfs.image(),
                "failing",
            );
            self.vfs.plan_faults(Vec::new());
        }
    }

    /// Lets some of the next calls fail.
    fn plan_faults(&mut self) {
        const KINDS: [FaultKind; 6] = [
            FaultKind::Write,
            FaultKind::Create,
            FaultKind::Sync,
            FaultKind::SyncDirectory,
            FaultKind::Rename,
            FaultKind::Remove,
        ];
        let kind = KINDS.get(self.rng.below(8) as usize).copied();
        let full = self.rng.one_in(2);
        let from_call = self.vfs.calls() + 1 + self.rng.below(20) * self.rng.below(3);
        self.vfs.plan_faults(vec![PlannedFault {
            kind,
            from_call,
            through_call: from_call + self.rng.below(4) * self.rng.below(20),
            error: if full {
                ErrorKind::StorageFull
            } else {
                ErrorKind::Other
            },
        }]);
    }

    fn carry_out(&mut self, step: &Step) -> Result<Rejections, Error> {
        let store = self.store.take().unwrap();
        let done = match step {
            Step::Append(sent) => write(&store, sent),
            Step::Delete(deleted) => {
                let tenant = Tenant::parse(deleted.tenant).unwrap();
                let selectors = vec![deleted.matchers()];
                let deleted = store.delete_series(&tenant, selectors, deleted.range);
                deleted.map(|()| Vec::new())
            }
            Step::CleanTombstones(tenant) => {
                let cleaned = store.clean_tombstones(&Tenant::parse(tenant).unwrap());
                cleaned.map(|_blocks| Vec::new())
            }
            Step::Tick => store.tick().map(|()| Vec::new()),
            Step::Flush => store.flush().map(|()| Vec::new()),
            Step::Checkpoint => store.shared.checkpoint().map(|()| Vec::new()),
            Step::Restart => {
                store.close();
                Ok(Vec::new())
            }
            Step::Kill => Ok(Vec::new()),
        };
        if !matches!(step, Step::Restart | Step::Kill) {
            self.store = Some(store);
            return done;
        }
        drop(store);
        let opened = try_open(&self.vfs, &self.clock);
        self.store = Some(opened.or_else(|error| {
            assert!(self.faults, "seed {}: {step:?}: {error}", self.seed);
            self.vfs.plan_faults(Vec::new());
            try_open(&self.vfs, &self.clock)
        })?);
        done
    }

    /// Lets the power go at `image`, for the store itself.
    fn go_on_from(&mut self, image: &SimImage) {
        self.store = None;
        self.vfs = image.after_power_cut(self.seed);
        self.store = Some(open(&self.vfs, &self.clock));
        self.vfs.watch();
        self.check(
            self.store.as_ref().unwrap(),
            &self.model,
            image,
            "the script's own cut",
        );
    }

    fn check(&self, store: &MetricStore, model: &Model, image: &SimImage, when: &str) {
        if let Err(wrong) = model.compare(store) {
            panic!(
                "seed {}, cut before call {} ({when}): {wrong}",
                self.seed,
                image.calls + 1
            );
        }
    }

    /// Lets the power go at `image`, looks at what is left, goes on, and does so once more.
    fn cut(&self, image: &SimImage, step: &Step) {
        let names = count_ulids(Some(u128::from(image.calls) << 32));
        let mut rng = SimRng::new(self.seed ^ image.calls);
        let clock = Arc::new(ManualClock::at(self.clock.now_ms()));
        let vfs = image.after_power_cut(self.seed);
        let store = open(&vfs, &clock);
        self.check(&store, &self.model, image, &format!("{step:?}"));
        if rng.one_in(3) {
            let again = self.go_on(&vfs, &store, &clock, step, &mut rng);
            drop(store);
            let (vfs, model) = again;
            let store = open(&vfs, &clock);
            self.check(&store, &model, image, &format!("{step:?}, and again"));
        }
        count_ulids(names);
    }

    /// Sends again what was on its way, writes on, and returns the disk after another power cut with
    /// what it must hold.
    fn go_on(
        &self,
        vfs: &SimVfs,
        store: &MetricStore,
        clock: &ManualClock,
        step: &Step,
        rng: &mut SimRng,
    ) -> (SimVfs, Model) {
        let mut model = self.model.clone();
        let mut batches = Batches::new();
        clock.advance_ms(1000);
        let more = batches.next(clock.now_ms(), rng);
        let on_its_way = match step {
            Step::Append(sent) => Some(sent.clone()),
            _ => None,
        };
        for sent in on_its_way.into_iter().chain([more]) {
            model.send(&sent);
            let rejections = write(store, &sent).unwrap();
            model.acknowledge(&sent, &rejections);
        }
        vfs.watch();
        match rng.below(5) {
            0 => store.flush().unwrap(),
            1 => store.checkpoint_now(),
            2 => store.close(),
            3 => {
                clock.advance_ms(3 * 3_600_000);
                store.tick().unwrap();
            }
            _ => {}
        }
        let mut images = vfs.take_images();
        images.push(vfs.image());
        let image = &images[rng.below(images.len() as u64) as usize];
        (image.after_power_cut(rng.any()), model)
    }
}
