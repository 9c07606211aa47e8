//! Counts of samples.

use crate::promql::testing::TestSource;

fn source() -> TestSource {
    TestSource::load(
        10_000,
        "one 1+1x60
         two{i=\"1\"} 1+1x60
         two{i=\"2\"} 1+1x60",
    )
}

/// Returns samples looked at, read, and most held at once.
fn counts(query: &str, range: Option<(i64, i64, i64)>) -> (u64, u64, usize) {
    let source = source();
    let outcome = match range {
        Some(range) => source.range(query, range),
        None => source.instant(query, 200_000),
    };
    let samples = outcome.unwrap().stats.samples;
    let per_step: u64 = samples
        .total_queryable_per_step
        .iter()
        .map(|step| step.1)
        .sum();
    assert_eq!(per_step, samples.total_queryable, "{query}");
    (samples.total_queryable, samples.read, samples.peak)
}

#[test]
fn an_instant_query_reads_what_it_looks_at() {
    let table = [
        ("1", (0, 0, 1)),
        ("one", (1, 1, 1)),
        ("two", (2, 2, 2)),
        ("one[1m]", (6, 6, 6)),
        ("sum(two)", (2, 2, 2)),
        ("timestamp(two)", (2, 2, 4)),
        ("rate(one[1m])", (6, 6, 7)),
        // The second window comes on top of the first result.
        ("rate(two[1m])", (12, 12, 8)),
        ("one + one", (2, 2, 5)),
    ];
    for (query, expected) in table {
        assert_eq!(counts(query, None), expected, "{query}");
    }
}

#[test]
fn overlapping_windows_are_read_once() {
    let range = Some((200_000, 240_000, 10_000));
    // Five windows of six samples; the first is read whole, of the others one sample each.
    assert_eq!(counts("rate(one[1m])", range).0, 30);
    assert_eq!(counts("rate(one[1m])", range).1, 10);
    // A fixed window is looked at by every step and read once.
    assert_eq!(counts("rate(one[1m] @ 200)", range).0, 30);
    assert_eq!(counts("rate(one[1m] @ 200)", range).1, 6);
}

#[test]
fn a_subquery_reads_for_the_steps_that_use_it() {
    let overlapping = Some((200_000, 240_000, 10_000));
    let (looked_at, read, _) = counts("max_over_time(one[1m:10s])", overlapping);
    assert_eq!((looked_at, read), (30, 10));
    // What is evaluated between two windows is not counted as read.
    let apart = Some((200_000, 400_000, 100_000));
    let (looked_at, read, _) = counts("max_over_time(one[1m:10s])", apart);
    assert_eq!((looked_at, read), (18, 18));
    assert_eq!(counts("one[1m:10s]", None), (6, 6, 6));
}
