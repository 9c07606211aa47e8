//! Single flipped bits: noticed or harmless, never a wrong value, a panic or a refused start.
//!
//! One disk is filled with everything that a store writes. Then, again and again, one bit of one file
//! of a copy is flipped and the copy opened, read, sealed and read again. `OBSQ_TORTURE=full` asks for
//! 10,000 bits; a failure names the number of its flip, which `OBSQ_TORTURE_FLIP` repeats.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use obsq_model::{Clock as _, ManualClock, Tenant, TimeRange};
use obsq_wal::{SimImage, SimRng, SimVfs};

use super::super::bench::NOW_MS;
use super::batches::{Batches, Deleted};
use super::model::{Model, Survey};
use super::script::{open, try_open, write};
use super::{in_parallel, is_full};
use crate::MetricStore;

/// A filled disk.
struct Filled {
    image: SimImage,
    now_ms: i64,
    model: Model,
    /// Files by kind, with their lengths.
    files: BTreeMap<&'static str, Vec<(String, u64)>>,
}

fn kind_of(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next()?;
    let kinds = [
        "checkpoint",
        "index",
        "meta.json",
        "tombstones",
        "exemplars",
        "metadata",
    ];
    let named = kinds.into_iter().find(|kind| *kind == name);
    let within = |part: &str| path.contains(part);
    named
        .or_else(|| within("/chunks/").then_some("chunks"))
        .or_else(|| within("/head/").then_some("head"))
        .or_else(|| within("/wal/").then_some("log"))
}

fn fill() -> Filled {
    let (vfs, clock) = (SimVfs::new(1), Arc::new(ManualClock::at(NOW_MS)));
    let (mut rng, mut batches, mut model) = (SimRng::new(7), Batches::new(), Model::default());
    let store = open(&vfs, &clock);
    let mut append = |number: usize, model: &mut Model| {
        for _nth in 0..number {
            clock.advance_ms(60_000);
            let sent = batches.next(clock.now_ms(), &mut rng);
            model.send(&sent);
            let rejections = write(&store, &sent).unwrap();
            model.acknowledge(&sent, &rejections);
        }
    };
    append(150, &mut model);
    store.tick().unwrap();
    append(150, &mut model);
    store.flush().unwrap();
    let deleted = Deleted {
        tenant: "a",
        series: Some(1),
        range: TimeRange::new(NOW_MS, NOW_MS + 3_600_000),
    };
    let tenant = Tenant::parse("a").unwrap();
    let selectors = vec![deleted.matchers()];
    store
        .delete_series(&tenant, selectors, deleted.range)
        .unwrap();
    model.begin_delete(&deleted);
    model.end_delete(&deleted);
    append(250, &mut model);
    store.checkpoint_now();
    append(30, &mut model);
    drop(store);
    let mut files: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (path, bytes) in vfs.files() {
        if let Some(kind) = kind_of(&path).filter(|_kind| !bytes.is_empty()) {
            let len = bytes.len() as u64;
            files.entry(kind).or_default().push((path, len));
        }
    }
    Filled {
        image: vfs.image(),
        now_ms: clock.now_ms(),
        model,
        files,
    }
}

/// Flips bit number `flip` and returns what it was and whether anything was noticed or missing.
fn flip(filled: &Filled, flip: u64) -> Result<(&'static str, Survey), String> {
    let mut rng = SimRng::new(flip);
    let kinds = filled.files.len() as u64;
    let of_kind = filled.files.iter().nth((flip % kinds) as usize);
    let (kind, files) = of_kind.ok_or("no files")?;
    let (path, len) = &files[rng.below(files.len() as u64) as usize];
    let bit = rng.below(len * 8);
    let vfs = filled.image.after_kill();
    vfs.flip_bit(Path::new(path), bit).unwrap();
    let what = |wrong: &str| format!("flip {flip}, bit {bit} of {path}: {wrong}");
    let looked = catch_unwind(AssertUnwindSafe(|| look(filled, &vfs)));
    match looked {
        Ok(Ok(survey)) => Ok((kind, survey)),
        Ok(Err(wrong)) => Err(what(&wrong)),
        Err(_panic) => Err(what("a panic")),
    }
}

fn look(filled: &Filled, vfs: &SimVfs) -> Result<Survey, String> {
    let clock = Arc::new(ManualClock::at(filled.now_ms));
    let refused = |error| format!("refused to start: {error}");
    let survey = |store: &MetricStore| {
        let survey = filled.model.survey(store)?;
        if survey.missing + survey.losers > 0 && !survey.noticed {
            let Survey {
                missing, losers, ..
            } = survey;
            return Err(format!(
                "{missing} missing, {losers} replaced without a word"
            ));
        }
        Ok(survey)
    };
    let store = try_open(vfs, &clock).map_err(refused)?;
    let found = survey(&store)?;
    // Whatever cannot be read must not spread. That it fails is fine.
    let failed = [store.flush(), store.tick(), store.shared.checkpoint()];
    let failed = failed.iter().any(Result::is_err);
    let after = filled.model.survey(&store)?;
    if after.missing > found.missing && !failed && !after.noticed && !found.noticed {
        return Err(format!("a seal has lost {} samples", after.missing));
    }
    let more = Batches::new().next(clock.now_ms(), &mut SimRng::new(1));
    write(&store, &more).map_err(|error| format!("takes nothing any more: {error}"))?;
    drop(store);
    drop(try_open(vfs, &clock).map_err(refused)?);
    Ok(found)
}

#[test]
fn a_flipped_bit_is_noticed_or_harmless() {
    let filled = fill();
    assert_eq!(filled.files.len(), 9, "{:?}", filled.files.keys());
    let untouched = try_open(
        &filled.image.after_kill(),
        &Arc::new(ManualClock::at(filled.now_ms)),
    );
    filled.model.compare(&untouched.unwrap()).unwrap();
    let flips: Vec<u64> = match std::env::var("OBSQ_TORTURE_FLIP") {
        Ok(only) => vec![only.parse().unwrap()],
        Err(_not_set) if is_full() => (0..10_000).collect(),
        Err(_not_set) => (0..45).collect(),
    };
    let number = flips.len();
    let looked = in_parallel(&flips, |number| flip(&filled, *number));
    let wrong: Vec<_> = looked
        .iter()
        .filter_map(|looked| looked.as_ref().err())
        .collect();
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (kind, survey) in looked.iter().flatten() {
        let count = counts.entry(kind).or_default();
        count[0] += 1;
        count[1] += usize::from(survey.noticed);
        count[2] += usize::from(survey.missing > 0);
    }
    println!("{number} bits, by kind: flipped, noticed, with samples missing: {counts:#?}");
    assert!(
        wrong.is_empty(),
        "{} are wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
}
