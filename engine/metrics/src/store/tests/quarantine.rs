//! A damaged checkpoint is kept for inspection before the next one replaces it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_model::{ManualClock, Tenant};
use obsq_source::{MetricAppender as _, MetricBatch};
use obsq_wal::{FaultKind, PlannedFault, SimVfs, Vfs as _};

use super::bench::{NOW_MS, floats};
use crate::{MetricStore, StoreOptions};

const CHECKPOINT: &str = "/data/wal/metrics/checkpoint";
const COPY: &str = "/data/wal/metrics/quarantine/checkpoint";

fn open(vfs: &SimVfs) -> MetricStore {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let mut options = StoreOptions::new(PathBuf::from("/data"), clock);
    options.vfs = Arc::new(vfs.clone());
    options.maintenance = false;
    options.tune_log = |log| log.threaded = false;
    MetricStore::open(options).unwrap()
}

fn write(store: &MetricStore, name: &str) {
    let batch = MetricBatch {
        series: vec![floats(name, &[(NOW_MS, 1.0)])],
        metadata: Vec::new(),
    };
    let appended = store.append(&Tenant::anonymous(), batch).unwrap();
    appended.durable.wait_blocking().unwrap();
}

fn content(vfs: &SimVfs, path: &str) -> Option<Vec<u8>> {
    let mut files = vfs.files().into_iter();
    files.find_map(|(name, bytes)| (name == path).then_some(bytes))
}

/// Returns a disk whose checkpoint is damaged, and that checkpoint.
fn damaged() -> (SimVfs, Vec<u8>) {
    let vfs = SimVfs::new(7);
    let store = open(&vfs);
    write(&store, "a");
    store.close();
    drop(store);
    let sound = content(&vfs, CHECKPOINT).unwrap();
    let name = sound.windows(8).position(|bytes| bytes == b"__name__");
    let bit = name.unwrap() as u64 * 8;
    vfs.flip_bit(Path::new(CHECKPOINT), bit).unwrap();
    let bytes = content(&vfs, CHECKPOINT).unwrap();
    (vfs, bytes)
}

#[test]
fn a_damaged_checkpoint_is_copied_before_the_next_one_replaces_it() {
    let (vfs, damaged) = damaged();
    let store = open(&vfs);
    assert!(store.stats().corruptions > 0);
    store.checkpoint_now();
    assert_eq!(content(&vfs, COPY).as_ref(), Some(&damaged));
    assert_ne!(content(&vfs, CHECKPOINT).as_ref(), Some(&damaged));
    let held = store.stats().wal.quarantined_bytes;
    assert_eq!(held, damaged.len() as u64);
    // The next checkpoint has nothing to keep.
    store.checkpoint_now();
    drop(store);
    assert_eq!(content(&vfs, COPY), Some(damaged));
    assert_eq!(open(&vfs).stats().corruptions, 0);
}

#[test]
fn whenever_the_power_goes_the_damaged_checkpoint_is_there_or_its_copy() {
    let (vfs, damaged) = damaged();
    let store = open(&vfs);
    vfs.watch();
    store.checkpoint_now();
    let images = vfs.take_images();
    assert!(images.len() > 5, "{}", images.len());
    for image in &images {
        for seed in 0..20 {
            let found = image.after_power_cut(seed);
            let is_damaged = |path| content(&found, path).as_ref() == Some(&damaged);
            assert!(is_damaged(CHECKPOINT) || is_damaged(COPY), "{seed}");
            let store = open(&found);
            write(&store, "b");
            store.checkpoint_now();
            assert_eq!(content(&found, COPY).as_ref(), Some(&damaged));
        }
    }
}

#[test]
fn a_copy_that_fails_keeps_nothing_from_going_on() {
    for kind in [FaultKind::Create, FaultKind::Write, FaultKind::Sync] {
        let (vfs, damaged) = damaged();
        let store = open(&vfs);
        let from_call = vfs.calls();
        let fault = PlannedFault {
            kind: Some(kind),
            from_call,
            through_call: from_call + 8,
            error: ErrorKind::StorageFull,
        };
        vfs.plan_faults(vec![fault]);
        let _first_may_fail = store.shared.checkpoint();
        vfs.plan_faults(Vec::new());
        write(&store, "b");
        store.checkpoint_now();
        assert_ne!(content(&vfs, CHECKPOINT).as_ref(), Some(&damaged));
        drop(store);
        assert_eq!(open(&vfs).stats().corruptions, 0, "{kind:?}");
    }
}

#[test]
fn a_disk_without_room_for_a_copy_gets_the_next_checkpoint_all_the_same() {
    let (vfs, damaged) = damaged();
    let filler = vfs.create(Path::new("/data/filler")).unwrap();
    filler.write_all_at(&vec![1; 1 << 20], 0).unwrap();
    let store = open(&vfs);
    let held: usize = vfs.files().iter().map(|(_, bytes)| bytes.len()).sum();
    vfs.set_capacity(Some(held as u64 + damaged.len() as u64 + 9_000));
    store.checkpoint_now();
    assert_eq!(content(&vfs, COPY), None);
    assert_ne!(content(&vfs, CHECKPOINT), Some(damaged));
}

#[test]
fn a_file_that_is_no_checkpoint_is_put_aside_and_refuses_no_start() {
    let directory = tempfile::tempdir().unwrap();
    let vfs = Arc::new(obsq_wal::DiskVfs);
    let data = directory.path().join("data");
    let open = || {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let mut options = StoreOptions::new(data.clone(), clock);
        options.vfs = Arc::clone(&vfs) as Arc<dyn obsq_wal::Vfs>;
        options.maintenance = false;
        MetricStore::open(options).unwrap()
    };
    let store = open();
    write(&store, "a");
    drop(store);
    let wal = data.join("wal/metrics");
    let foreign = obsq_wal::FileKind(77);
    let writer = obsq_wal::FramedWriter::create(vfs.as_ref(), &wal.join("checkpoint"), foreign);
    writer.unwrap().commit().unwrap();
    let store = open();
    assert_eq!(store.stats().corruptions, 1);
    assert_eq!(store.stats().replayed_records, 1);
    store.checkpoint_now();
    assert!(wal.join("quarantine/checkpoint").try_exists().unwrap());
}
