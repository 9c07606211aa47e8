use std::sync::mpsc;

use obsq_model::ManualClock;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::vfs::{FaultVfs, Faults};
use crate::{Record, Wal, WalOptions, replay};

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

    fn open(&self, after_seq: u64) -> Wal {
        let vfs = Arc::new(FaultVfs::new(Arc::clone(&self.faults)));
        let clock = Arc::new(ManualClock::at(0));
        let options = WalOptions::new(vfs, clock, self.directory.path().join("wal"));
        let replayed = replay(&options, after_seq, |_seq, _bytes| {}).unwrap();
        Wal::open(options, replayed).unwrap()
    }
}

fn write(wal: &Wal, payload: &[u8]) -> Result<(), Error> {
    let mut record = Record::default();
    record.buffer().extend_from_slice(payload);
    let (sender, receiver) = mpsc::sync_channel(1);
    let done = Box::new(move |outcome| sender.send(outcome).unwrap());
    wal.submit(record, wal.epoch(), done).unwrap();
    receiver.recv().unwrap()
}

/// Returns the numbers of the records that are there to read, known ones in brackets, with a bar
/// before each epoch.
fn read(follower: &mut WalFollower) -> String {
    let mut out = String::new();
    while let Some(followed) = follower.next_record().unwrap() {
        let bar = if followed.is_new_epoch { "|" } else { "" };
        let seq = followed.seq;
        assert_eq!(followed.payload, seq.to_le_bytes());
        let seq = if followed.is_known {
            format!("[{seq}]")
        } else {
            seq.to_string()
        };
        out = out + bar + &seq + " ";
    }
    out.trim_end().to_owned()
}

fn fill(wal: &Wal, count: u64) {
    for _index in 0..count {
        let seq = wal.last_seq() + 1;
        write(wal, &seq.to_le_bytes()).unwrap();
    }
}

#[test]
fn records_are_read_as_they_become_durable_over_cuts_and_starts() {
    let bench = Bench::new();
    let wal = bench.open(0);
    let mut follower = wal.follow(0);
    assert!(!follower.has_more());
    assert_eq!(read(&mut follower), "");
    fill(&wal, 2);
    assert!(follower.has_more());
    assert_eq!(read(&mut follower), "|1 2");
    fill(&wal, 1);
    wal.cut();
    fill(&wal, 1);
    assert_eq!(read(&mut follower), "3 |4");
    assert_eq!(read(&mut follower), "");
    drop(wal);

    let wal = bench.open(0);
    let mut follower = wal.follow(3);
    assert_eq!(read(&mut follower), "|4");
    let mut within = wal.follow(1);
    assert_eq!(read(&mut within), "|[1] 2 3 |4");
    fill(&wal, 1);
    assert_eq!(read(&mut follower), "|5");
    assert_eq!(read(&mut wal.follow(5)), "");
    assert_eq!(
        (follower.missing_records(), within.missing_records()),
        (0, 0)
    );
}

#[test]
fn a_failed_write_is_passed_over_and_is_not_missing() {
    let bench = Bench::new();
    let wal = bench.open(0);
    let mut follower = wal.follow(0);
    fill(&wal, 1);
    bench
        .faults
        .full
        .store(true, std::sync::atomic::Ordering::SeqCst);
    write(&wal, b"lost").unwrap_err();
    bench
        .faults
        .full
        .store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(read(&mut follower), "|1");
    fill(&wal, 2);
    assert_eq!(read(&mut follower), "|3 4");
    assert_eq!(follower.missing_records(), 0);
}

#[test]
fn segments_are_kept_for_followers_up_to_a_size() {
    let bench = Bench::new();
    let wal = bench.open(0);
    for _segment in 0..5 {
        fill(&wal, 2);
        wal.cut();
    }
    fill(&wal, 1);
    let segment_bytes = 32 + 2 * 32;
    assert!(!wal.truncate_keeping(10, 3, 1 << 20).unwrap());
    assert_eq!(wal.stats().held_bytes, 4 * segment_bytes);
    assert_eq!(read(&mut wal.follow(3)), "|[3] 4 |5 6 |7 8 |9 10 |11");

    assert!(wal.truncate_keeping(10, 3, 2 * segment_bytes).unwrap());
    assert_eq!(wal.stats().held_bytes, 2 * segment_bytes);
    let mut late = wal.follow(3);
    assert_eq!(read(&mut late), "|7 8 |9 10 |11");
    assert_eq!(late.missing_records(), 3);
    drop(wal);

    // What is kept for followers is not replayed.
    let wal = bench.open(10);
    assert_eq!(wal.stats().segments, 4);
    assert_eq!(read(&mut wal.follow(8)), "|9 10 |11");
    assert!(!wal.truncate_keeping(11, 11, 0).unwrap());
    assert_eq!((wal.stats().segments, wal.stats().held_bytes), (1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_record_is_read_once_whatever_happens_between(
        steps in proptest::collection::vec(0_u8..10, 1..40), from in 0_u64..20,
    ) {
        let bench = Bench::new();
        let wal = bench.open(0);
        let mut follower = wal.follow(from);
        let mut seen = Vec::new();
        let mut collect = |follower: &mut WalFollower| {
            while let Some(followed) = follower.next_record().unwrap() {
                if !followed.is_known {
                    seen.push(followed.seq);
                }
            }
        };
        for step in steps {
            match step {
                0 => drop(wal.cut()),
                1..4 => collect(&mut follower),
                _ => fill(&wal, 1),
            }
        }
        collect(&mut follower);
        let expected: Vec<u64> = (from + 1..=wal.last_seq()).collect();
        prop_assert_eq!(seen, expected);
    }
}
