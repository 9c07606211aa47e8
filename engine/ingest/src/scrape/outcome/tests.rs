use super::*;
use crate::exposition::{Format, ParseOptions, parse_until_error};
use crate::relabel::{Action, Pattern};
use obsq_model::is_stale_nan;

fn target() -> Labels {
    Labels::from_pairs(&[("job", "api"), ("instance", "a:1")])
}

fn attempt(at_ms: i64, body: &str) -> Attempt {
    let (scraped, result) = parse_until_error(body.as_bytes(), ParseOptions::new(Format::Text));
    Attempt {
        at_ms,
        duration: Duration::from_millis(250),
        body_bytes: body.len() as i64,
        timeout: Duration::from_secs(10),
        scraped,
        error: result.err().map(|error| error.to_string()),
    }
}

/// Shows what is stored but the `scrape_*` series, the target's own labels left out.
fn shown(batch: &MetricBatch) -> Vec<String> {
    let own = |name: &str| matches!(name, "job" | "instance");
    let series = batch
        .series
        .iter()
        .filter(|s| !s.labels.metric_name().starts_with("scrape_"));
    series
        .flat_map(|series| {
            series
                .samples
                .iter()
                .map(|sample| (series.labels.without(own), sample))
        })
        .map(|(labels, sample)| match &sample.value {
            SampleValue::Float(value) if is_stale_nan(*value) => {
                format!("{labels} stale @{}", sample.ts_ms)
            }
            SampleValue::Float(value) => format!("{labels} {value} @{}", sample.ts_ms),
            SampleValue::Histogram(_) => format!("{labels} histogram @{}", sample.ts_ms),
        })
        .collect()
}

#[test]
fn a_scrape_stores_samples_and_what_is_told_of_it() {
    let mut memory = SeriesMemory::default();
    let rules = SampleRules {
        extra_scrape_metrics: true,
        ..SampleRules::default()
    };
    let outcome = memory.store(
        &target(),
        &rules,
        attempt(1000, "a 1\na 2\nb{job=\"x\"} 3 700\n"),
    );
    let facts: Vec<_> = outcome
        .batch
        .series
        .iter()
        .map(|s| (s.labels.metric_name(), s.samples[0].clone()))
        .collect();
    let value = |name| {
        let (_, sample) = facts.iter().find(|(known, _)| *known == name).unwrap();
        let SampleValue::Float(value) = sample.value else {
            panic!("{name}")
        };
        value
    };
    assert_eq!(value("up"), 1.0);
    assert_eq!(value("scrape_duration_seconds"), 0.25);
    assert_eq!(value("scrape_samples_scraped"), 3.0);
    assert_eq!(value("scrape_samples_post_metric_relabeling"), 3.0);
    assert_eq!(value("scrape_series_added"), 2.0);
    assert_eq!(value("scrape_timeout_seconds"), 10.0);
    assert_eq!(value("scrape_body_size_bytes"), 25.0);
    assert_eq!(
        shown(&outcome.batch),
        [
            r#"{__name__="a"} 1 @1000"#,
            r#"{__name__="b", exported_job="x"} 3 @700"#,
            r#"{__name__="up"} 1 @1000"#,
        ]
    );
}

#[test]
fn what_vanishes_is_marked_stale_once() {
    let mut memory = SeriesMemory::default();
    let rules = SampleRules::default();
    memory.store(&target(), &rules, attempt(1000, "a 1\nb 1\nown_time 1 5\n"));
    let second = memory.store(&target(), &rules, attempt(2000, "a 2\nown_time 1 5\n"));
    assert_eq!(second.series_added, 0);
    assert!(shown(&second.batch).contains(&r#"{__name__="b"} stale @2000"#.to_owned()));
    let third = memory.store(&target(), &rules, attempt(3000, "a 2\n"));
    assert!(
        !shown(&third.batch)
            .iter()
            .any(|line| line.contains("stale")),
        "{:?}",
        third.batch
    );
    let failed = Attempt {
        error: Some("connection refused".into()),
        ..attempt(4000, "")
    };
    let failed = memory.store(&target(), &rules, failed);
    assert_eq!(
        shown(&failed.batch),
        [
            r#"{__name__="a"} stale @4000"#,
            r#"{__name__="up"} 0 @4000"#
        ]
    );
    let back = memory.store(&target(), &rules, attempt(5000, "a 3\n"));
    assert_eq!(
        back.series_added, 0,
        "the series was known before the failure"
    );
    let end = memory.end(&target(), false, 6000);
    assert_eq!(end.series.len(), 6);
    assert!(shown(&end).iter().all(|line| line.ends_with("stale @6000")));
}

#[test]
fn what_stands_before_an_error_is_counted_and_not_stored() {
    let rules = SampleRules {
        metric_relabel: vec![RelabelConfig {
            source_labels: vec!["__name__".into()],
            regex: Pattern::new("b").unwrap(),
            action: Action::Drop,
            ..RelabelConfig::default()
        }],
        sample_limit: 2,
        label_value_length_limit: 5,
        ..SampleRules::default()
    };
    let cases = [
        (
            "a 1\nb 2\nc 0x\nd 4\n",
            "line 3: expected a float",
            (2, 1, 1),
        ),
        (
            "a 1\nb 2\nc 3\nd 4\ne\n",
            "line 5: expected a float",
            (4, 3, 2),
        ),
        (
            "a 1\nb 2\na{l=\"too long\"} 3\nd 4\ne\n",
            "label_value_length_limit",
            (3, 1, 1),
        ),
    ];
    for (body, expected, counts) in cases {
        let mut memory = SeriesMemory::default();
        let outcome = memory.store(&target(), &rules, attempt(1000, body));
        let error = outcome.error.as_deref().unwrap_or_default();
        assert!(error.contains(expected), "{body:?}: {error}");
        let counted = (
            outcome.samples_scraped,
            outcome.samples_after_relabel,
            outcome.series_added,
        );
        assert_eq!(counted, counts, "{body:?}");
        assert_eq!(shown(&outcome.batch), [r#"{__name__="up"} 0 @1000"#]);
    }
}

#[test]
fn a_scrape_over_a_limit_is_refused_as_a_whole() {
    let cases = [
        (
            SampleRules {
                sample_limit: 1,
                ..SampleRules::default()
            },
            "sample limit exceeded",
        ),
        (
            SampleRules {
                label_limit: 3,
                ..SampleRules::default()
            },
            "label_limit exceeded (metric: b, number of labels: 4, limit: 3)",
        ),
        (
            SampleRules {
                label_value_length_limit: 4,
                ..SampleRules::default()
            },
            "label_value_length_limit exceeded (metric: b, label name: long, value: \"12345\", length: 5, limit: 4)",
        ),
    ];
    for (rules, expected) in cases {
        let mut memory = SeriesMemory::default();
        let outcome = memory.store(
            &target(),
            &rules,
            attempt(1000, "a 1\nb{long=\"12345\"} 2\n"),
        );
        assert_eq!(outcome.error.as_deref(), Some(expected));
        assert_eq!(shown(&outcome.batch), [r#"{__name__="up"} 0 @1000"#]);
        assert_eq!(outcome.samples_scraped, 2);
    }
}

#[test]
fn metric_relabelling_drops_samples_before_the_limits() {
    let drop_b = RelabelConfig {
        source_labels: vec!["__name__".into()],
        regex: Pattern::new("b").unwrap(),
        action: Action::Drop,
        ..Default::default()
    };
    let rules = SampleRules {
        metric_relabel: vec![drop_b],
        sample_limit: 1,
        ..SampleRules::default()
    };
    let outcome = SeriesMemory::default().store(&target(), &rules, attempt(1, "a 1\nb 2\n"));
    assert_eq!(
        (
            outcome.error,
            outcome.samples_scraped,
            outcome.samples_after_relabel
        ),
        (None, 2, 1)
    );
}

#[test]
fn series_of_a_refused_scrape_are_new_only_once() {
    let mut memory = SeriesMemory::default();
    let rules = SampleRules {
        sample_limit: 2,
        ..SampleRules::default()
    };
    let mut added = |at_ms, body| {
        memory
            .store(&target(), &rules, attempt(at_ms, body))
            .series_added
    };
    assert_eq!(added(1000, "a 1\nb 1\nc 1\n"), 2);
    assert_eq!(added(2000, "a 1\nb 1\nc 1\n"), 0);
    assert_eq!(added(3000, "a 1\nb 1\n"), 0);
    assert_eq!(added(4000, "a 1\nd 1\n"), 1);
}
