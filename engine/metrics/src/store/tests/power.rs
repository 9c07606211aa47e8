//! Power cuts before calls to the file system: nothing acknowledged is lost, doubled or wrong.
//!
//! A script of writes, ticks, flushes, checkpoints, restarts and kills runs on a simulated disk. Beside
//! it, the power is cut before its calls: the disk as it is then found is opened, compared with what
//! must be there, written to, and cut again. `OBSQ_TORTURE=full` asks for all calls of three scripts
//! and 2,000 calls each of 47 others; without it a few are tried. A failure names its seed:
//! `OBSQ_TORTURE_SEED=<seed>` repeats that script alone, with all its cuts.

mod batches;
mod flips;
mod model;
mod script;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use obsq_wal::SimRng;

use self::script::Script;

/// Part of a torture.
#[derive(Debug, Clone, Copy)]
struct Job {
    seed: u64,
    steps: u64,
    /// Whether calls fail now and then.
    faults: bool,
    cuts: Cuts,
}

/// Before which calls the power is cut.
#[derive(Debug, Clone, Copy)]
enum Cuts {
    /// Before each whose number leaves this rest.
    Every { divisor: u64, rest: u64 },
    /// Before this many.
    Random(u64),
}

/// What a job has done.
#[derive(Debug, Default)]
struct Done {
    calls: u64,
    cuts: u64,
    samples: u64,
    failures: u64,
}

fn run(job: Job) -> Done {
    let chosen: Box<dyn Fn(u64) -> bool> = match job.cuts {
        Cuts::Every { divisor, rest } => Box::new(move |call| call % divisor == rest),
        Cuts::Random(number) => {
            let mut rehearsal = Script::new(job.seed, job.faults);
            for _step in 0..job.steps {
                rehearsal.step(&|_call| false);
            }
            let (calls, mut rng) = (rehearsal.calls(), SimRng::new(!job.seed));
            let chosen: std::collections::BTreeSet<u64> =
                (0..number).map(|_nth| rng.below(calls)).collect();
            Box::new(move |call| chosen.contains(&call))
        }
    };
    let mut script = Script::new(job.seed, job.faults);
    for _step in 0..job.steps {
        script.step(&chosen);
    }
    Done {
        calls: script.calls(),
        cuts: script.cuts,
        samples: script.model.samples as u64,
        failures: script.failures,
    }
}

/// Returns the jobs for the scripts of `all` seeds with all cuts, of `some` with a part of them, and of
/// `thin`, short ones, for everyday use.
fn jobs(faults: bool, all: RangeInclusive<u64>, some: RangeInclusive<u64>, thin: u64) -> Vec<Job> {
    const SHARDS: u64 = 8;
    let job = |seed, steps, cuts| Job {
        seed,
        steps,
        faults,
        cuts,
    };
    let every = |seed| {
        let divisor = SHARDS;
        let shard = move |rest| job(seed, 2000, Cuts::Every { divisor, rest });
        (0..SHARDS).map(shard)
    };
    if let Ok(seed) = std::env::var("OBSQ_TORTURE_SEED") {
        return every(seed.parse().unwrap()).collect();
    }
    if is_full() {
        let some = some.map(|seed| job(seed, 2000, Cuts::Random(2000)));
        return all.flat_map(every).chain(some).collect();
    }
    (1..=thin)
        .map(|seed| job(seed, 100, Cuts::Random(40)))
        .collect()
}

fn is_full() -> bool {
    std::env::var("OBSQ_TORTURE").is_ok_and(|how| how == "full")
}

/// Does all the work on two threads.
fn in_parallel<J: Sync, D: Send>(jobs: &[J], work: impl Fn(&J) -> D + Sync) -> Vec<D> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let run = || {
            let mut done = Vec::new();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push(work(job));
            }
            done
        };
        let started: Vec<_> = (0..2).map(|_nth| scope.spawn(run)).collect();
        let joined = started
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        joined.collect()
    })
}

fn torture(jobs: &[Job]) {
    let done = in_parallel(jobs, |job| {
        let done = run(*job);
        println!("{job:?}: {done:?}");
        done
    });
    let sum = |of: fn(&Done) -> u64| done.iter().map(of).sum::<u64>();
    let (cuts, calls, samples) = (sum(|d| d.cuts), sum(|d| d.calls), sum(|d| d.samples));
    let failures = sum(|d| d.failures);
    println!(
        "{cuts} power cuts in {calls} calls, {failures} steps failed, none of {samples} samples lost"
    );
    assert!(cuts > 0);
}

#[test]
fn a_power_cut_before_any_call_loses_nothing_acknowledged() {
    torture(&jobs(false, 1..=3, 4..=50, 2));
}

#[test]
fn calls_that_fail_and_power_cuts_among_them_lose_nothing_acknowledged() {
    torture(&jobs(true, 101..=101, 102..=110, 2));
}
