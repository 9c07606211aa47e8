use std::sync::atomic::Ordering;
use std::sync::mpsc;

use obsq_model::ManualClock;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::vfs::{FaultVfs, Faults};

struct Bench {
    directory: TempDir,
    faults: Arc<Faults>,
}

impl Bench {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            faults: Arc::default(),
        }
    }

    fn options(&self, segment_bytes: u64) -> WalOptions {
        let vfs = Arc::new(FaultVfs::new(Arc::clone(&self.faults)));
        let clock = Arc::new(ManualClock::at(0));
        WalOptions {
            segment_bytes,
            ..WalOptions::new(vfs, clock, self.directory.path().join("wal"))
        }
    }

    fn records(&self) -> (Vec<(u64, Vec<u8>)>, Replayed) {
        let mut records = Vec::new();
        let options = self.options(1 << 20);
        let replayed = replay(&options, 0, |seq, bytes| {
            records.push((seq, bytes.to_vec()));
        });
        (records, replayed.unwrap())
    }

    fn open(&self, segment_bytes: u64) -> Wal {
        let options = self.options(segment_bytes);
        let replayed = replay(&options, 0, |_seq, _bytes| {}).unwrap();
        Wal::open(options, replayed).unwrap()
    }
}

fn record(payload: &[u8]) -> Record {
    let mut record = Record::default();
    record.buffer().extend_from_slice(payload);
    record
}

/// Submits and waits for the acknowledgement.
fn write(wal: &Wal, payload: &[u8]) -> Result<u64, Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let done = Box::new(move |outcome| sender.send(outcome).unwrap());
    let seq = wal.submit(record(payload), wal.epoch(), done).unwrap();
    receiver.recv().unwrap().map(|()| seq)
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash() {
    let bench = Bench::new();
    for round in 0..5_u8 {
        let wal = bench.open(1 << 20);
        for index in 0..20_u8 {
            let seq = write(&wal, &[round, index]).unwrap();
            assert_eq!(seq, u64::from(round) * 20 + u64::from(index) + 1);
        }
    }
    let (records, replayed) = bench.records();
    assert_eq!(records.len(), 100);
    assert_eq!(records[57], (58, vec![2, 17]));
    assert_eq!(replayed.damage, Damage::default());
}

#[test]
fn one_sync_takes_along_all_that_was_queued() {
    let bench = Bench::new();
    let wal = bench.open(1 << 20);
    let (sender, receiver) = mpsc::sync_channel(1000);
    for index in 0..1000_u32 {
        let sender = sender.clone();
        let done = Box::new(move |outcome: Result<(), Error>| sender.send(outcome).unwrap());
        let epoch = wal.epoch();
        wal.submit(record(&index.to_le_bytes()), epoch, done)
            .unwrap();
    }
    for _index in 0..1000 {
        receiver.recv().unwrap().unwrap();
    }
    let stats = wal.stats();
    assert_eq!(stats.records, 1000);
    assert!(stats.syncs < 1000, "{stats:?}");
}

#[test]
fn a_full_disk_fails_the_waiting_and_nothing_acknowledged_is_lost() {
    let bench = Bench::new();
    let wal = bench.open(1 << 20);
    write(&wal, b"before").unwrap();
    bench.faults.full.store(true, Ordering::SeqCst);
    for _attempt in 0..3 {
        let error = write(&wal, b"while full").unwrap_err();
        assert!(error.is_disk_full(), "{error:?}");
    }
    bench.faults.full.store(false, Ordering::SeqCst);
    write(&wal, b"after").unwrap();
    drop(wal);
    let (records, replayed) = bench.records();
    let payloads: Vec<_> = records.iter().map(|record| record.1.as_slice()).collect();
    assert_eq!(payloads, [b"before".as_slice(), b"after"]);
    assert_eq!(replayed.damage, Damage::default());
}

#[test]
fn a_failed_sync_is_never_repeated() {
    let bench = Bench::new();
    let wal = bench.open(1 << 20);
    write(&wal, b"one").unwrap();
    let epoch = wal.epoch();
    bench.faults.sync_fails.store(true, Ordering::SeqCst);
    let before = bench.faults.syncs.load(Ordering::SeqCst);
    write(&wal, b"two").unwrap_err();
    assert_eq!(bench.faults.syncs.load(Ordering::SeqCst), before + 1);
    bench.faults.sync_fails.store(false, Ordering::SeqCst);
    let refused = wal.submit(record(b"stale"), epoch, Box::new(|_outcome| {}));
    assert!(refused.unwrap_err().error.is_none());
    write(&wal, b"three").unwrap();
    drop(wal);
    let (records, _replayed) = bench.records();
    assert_eq!(records, [(1, b"one".to_vec()), (3, b"three".to_vec())]);
}

#[test]
fn segments_are_cut_by_size_and_go_when_a_checkpoint_holds_them() {
    let bench = Bench::new();
    let wal = bench.open(1000);
    for index in 0..50_u8 {
        write(&wal, &[index; 100]).unwrap();
    }
    assert!(wal.stats().segments >= 6, "{:?}", wal.stats());
    let through = wal.cut();
    assert_eq!(through, 50);
    write(&wal, b"next").unwrap();
    wal.truncate(through).unwrap();
    wal.close();
    let (records, replayed) = bench.records();
    assert_eq!(records, [(51, b"next".to_vec())]);
    assert_eq!(replayed.damage.missing_records(), 50);
    let again = replay(&bench.options(1000), 50, |_seq, _bytes| {}).unwrap();
    assert_eq!((again.records, again.damage), (1, Damage::default()));
}

#[test]
fn what_is_not_of_the_log_is_neither_overwritten_nor_in_the_way() {
    let bench = Bench::new();
    let directory = bench.directory.path().join("wal");
    let wal = bench.open(1 << 20);
    write(&wal, b"one").unwrap();
    let path = |number: u64| directory.join(format!("{number:08}"));
    // One appears while the log is written, the others are there at the start.
    std::fs::write(path(2), "mine").unwrap();
    wal.cut();
    write(&wal, b"two").unwrap();
    drop(wal);
    let foreign = crate::FramedWriter::create(&crate::DiskVfs, &path(4), FileKind(99));
    foreign.unwrap().commit().unwrap();
    let kept = std::fs::read(path(4)).unwrap();
    std::fs::create_dir(path(5)).unwrap();
    for name in ["99999999999999999999", "000000007", "18446744073709551615"] {
        std::fs::write(directory.join(name), "mine").unwrap();
    }
    let wal = bench.open(1 << 20);
    write(&wal, b"three").unwrap();
    drop(wal);
    let (records, replayed) = bench.records();
    let payloads: Vec<_> = records.iter().map(|record| record.1.as_slice()).collect();
    assert_eq!(payloads, [b"one".as_slice(), b"two", b"three"]);
    assert_eq!(replayed.damage.missing_records(), 0);
    assert_eq!(std::fs::read(path(2)).unwrap(), b"mine");
    assert_eq!(std::fs::read(path(4)).unwrap(), kept);
    assert!(path(5).is_dir() && path(6).is_file());
}

#[test]
fn a_damaged_segment_is_kept_for_inspection_and_a_sound_one_is_not() {
    let bench = Bench::new();
    for payload in [b"sound".repeat(9), b"damaged".repeat(9), b"cut".repeat(9)] {
        write(&bench.open(1 << 20), &payload).unwrap();
    }
    let directory = bench.directory.path().join("wal");
    let path = |number: u64| directory.join(format!("{number:08}"));
    let mut bytes = std::fs::read(path(2)).unwrap();
    bytes[70] ^= 1;
    std::fs::write(path(2), &bytes).unwrap();
    let (_records, replayed) = bench.records();
    // The stretch, and the number that the next segment misses.
    assert_eq!(replayed.corruptions, 2);
    let wal = bench.open(1 << 20);
    write(&wal, b"next").unwrap();
    let through = wal.cut();
    write(&wal, b"last").unwrap();
    wal.truncate(through).unwrap();
    let stats = wal.stats();
    assert_eq!(stats.quarantined_segments, 1);
    assert_eq!(stats.quarantined_bytes, bytes.len() as u64);
    let kept = std::fs::read(directory.join("quarantine/00000002")).unwrap();
    assert_eq!(kept, bytes);
    assert!(!path(1).exists() && !path(2).exists());
    drop(wal);
    let wal = bench.open(1 << 20);
    assert_eq!(wal.stats().quarantined_segments, 1);
}

#[test]
fn a_closed_log_takes_nothing_and_keeps_what_was_queued() {
    let bench = Bench::new();
    let wal = bench.open(1 << 20);
    let (sender, receiver) = mpsc::sync_channel(1);
    let done = Box::new(move |outcome: Result<(), Error>| sender.send(outcome).unwrap());
    wal.submit(record(b"last"), wal.epoch(), done).unwrap();
    wal.close();
    receiver.recv().unwrap().unwrap();
    let refused = wal.submit(record(b"late"), wal.epoch(), Box::new(|_outcome| {}));
    assert!(matches!(refused.unwrap_err().error, Some(Error::Closed)));
    assert!(matches!(wal.wait_for_room(), Err(Error::Closed)));
    let file = bench.directory.path().join("wal/00000001");
    assert_eq!(std::fs::metadata(file).unwrap().len(), 32 + 32);
}

/// Runs the test of that name of this program again, alone, with the variable set.
fn run_alone(test: &str, variable: &str) -> std::process::Output {
    let program = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(program);
    let command = command.args(["--exact", test, "--nocapture"]);
    command.env(variable, "1").output().unwrap()
}

#[test]
fn a_panic_of_the_writer_ends_the_process() {
    const VARIABLE: &str = "OBSQ_TEST_WRITER_PANICS";
    if std::env::var_os(VARIABLE).is_some() {
        let bench = Bench::new();
        let wal = bench.open(1 << 20);
        let panics = Box::new(|_outcome| panic!("on demand"));
        wal.submit(record(b"x"), wal.epoch(), panics).unwrap();
        wal.close();
        return;
    }
    let test = "wal::tests::a_panic_of_the_writer_ends_the_process";
    let output = run_alone(test, VARIABLE);
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(signal, Some(6), "{output:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Writes, faults, crashes and torn tails in any order against the list of acknowledged
    /// payloads.
    #[test]
    fn every_acknowledged_record_survives_any_history(
        steps in proptest::collection::vec((0_u8..6, proptest::collection::vec(any::<u8>(), 1..64)), 1..40),
    ) {
        let bench = Bench::new();
        let mut wal = bench.open(512);
        let mut acknowledged = Vec::new();
        for (step, bytes) in steps {
            match step {
                0 => {
                    drop(wal);
                    wal = bench.open(512);
                }
                1 => {
                    drop(wal);
                    tear(&bench, &bytes);
                    wal = bench.open(512);
                }
                2 => {
                    bench.faults.full.store(true, Ordering::SeqCst);
                    let _refused = write(&wal, &bytes).unwrap_err();
                    bench.faults.full.store(false, Ordering::SeqCst);
                }
                _ => acknowledged.push((write(&wal, &bytes).unwrap(), bytes)),
            }
        }
        drop(wal);
        let (records, replayed) = bench.records();
        prop_assert_eq!(records, acknowledged);
        prop_assert_eq!(replayed.damage.gaps, vec![]);
    }
}

/// Appends what a crash may leave: garbage, zeros or a piece of the file itself.
fn tear(bench: &Bench, bytes: &[u8]) {
    let directory = bench.directory.path().join("wal");
    let Some(newest) = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max()
    else {
        return;
    };
    let mut content = std::fs::read(&newest).unwrap();
    match bytes[0] % 3 {
        0 => content.extend_from_slice(bytes),
        1 => content.resize(content.len() + bytes.len(), 0),
        _ => content.extend_from_within(..content.len().min(bytes.len() * 3)),
    }
    std::fs::write(&newest, content).unwrap();
}
