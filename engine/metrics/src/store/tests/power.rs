//! Power cuts before calls to the file system: nothing acknowledged is lost, doubled or wrong.
//!
//! A script of writes, ticks, flushes, checkpoints, restarts and kills runs on a simulated disk. Beside
//! it, the power is cut before its calls: the disk as it is then found is opened, compared with what
//! must be there, written to, and cut again. `OBSQ_TORTURE=full` asks for all calls of three scripts
//! and 2,000 calls each of 47 others; without it a few are tried. A failure names its seed:
//! `OBSQ_TORTURE_SEED=<seed>` repeats that script alone, with all its cuts.

mod batches;
mod model;
mod script;

use std::sync::atomic::{AtomicUsize, Ordering};

use obsq_wal::SimRng;

use self::script::Script;

/// Part of a torture.
#[derive(Debug, Clone, Copy)]
struct Job {
    seed: u64,
    steps: u64,
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
}

fn run(job: Job) -> Done {
    let chosen: Box<dyn Fn(u64) -> bool> = match job.cuts {
        Cuts::Every { divisor, rest } => Box::new(move |call| call % divisor == rest),
        Cuts::Random(number) => {
            let mut rehearsal = Script::new(job.seed);
            for _step in 0..job.steps {
                rehearsal.step(&|_call| false);
            }
            let (calls, mut rng) = (rehearsal.calls(), SimRng::new(!job.seed));
            let chosen: std::collections::BTreeSet<u64> =
                (0..number).map(|_nth| rng.below(calls)).collect();
            Box::new(move |call| chosen.contains(&call))
        }
    };
    let mut script = Script::new(job.seed);
    for _step in 0..job.steps {
        script.step(&chosen);
    }
    Done {
        calls: script.calls(),
        cuts: script.cuts,
        samples: script.model.samples as u64,
    }
}

fn jobs() -> Vec<Job> {
    const SHARDS: u64 = 8;
    let every = |seed, steps| {
        let shard = move |rest| Job {
            seed,
            steps,
            cuts: Cuts::Every {
                divisor: SHARDS,
                rest,
            },
        };
        (0..SHARDS).map(shard)
    };
    if let Ok(seed) = std::env::var("OBSQ_TORTURE_SEED") {
        return every(seed.parse().unwrap(), 2000).collect();
    }
    if std::env::var("OBSQ_TORTURE").is_ok_and(|how| how == "full") {
        let random = |seed| Job {
            seed,
            steps: 2000,
            cuts: Cuts::Random(2000),
        };
        let all = (1..=3).flat_map(|seed| every(seed, 2000));
        return all.chain((4..=50).map(random)).collect();
    }
    let thin = |seed| Job {
        seed,
        steps: 100,
        cuts: Cuts::Random(40),
    };
    (1..=2).map(thin).collect()
}

#[test]
fn a_power_cut_before_any_call_loses_nothing_acknowledged() {
    let jobs = jobs();
    let (next, threads) = (AtomicUsize::new(0), 2);
    let done: Vec<Done> = std::thread::scope(|scope| {
        let work = || {
            let mut all = Vec::new();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                all.push(run(*job));
                println!("{job:?}: {:?}", all.last());
            }
            all
        };
        let started: Vec<_> = (0..threads).map(|_nth| scope.spawn(work)).collect();
        started
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let sum = |of: fn(&Done) -> u64| done.iter().map(of).sum::<u64>();
    let (cuts, calls, samples) = (sum(|d| d.cuts), sum(|d| d.calls), sum(|d| d.samples));
    println!("{cuts} power cuts in {calls} calls, none of {samples} samples lost");
    assert!(cuts > 0);
}
