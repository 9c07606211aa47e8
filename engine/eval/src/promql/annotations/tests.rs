use super::*;

const QUERY: &str = "rate(foo[1m])\n  + rate(foo[2m])";

fn span(lo: usize) -> Span {
    Span::new(lo, lo + 1)
}

#[test]
fn a_text_is_kept_once_and_shows_the_place_reported_last() {
    let mut annotations = Annotations::default();
    annotations.add(&Annotation::PossibleNonCounter { metric: "foo" }, span(5));
    annotations.add(&Annotation::PossibleNonCounter { metric: "foo" }, span(23));
    let (warnings, infos) = annotations.render(QUERY, MAX_PER_SEVERITY);
    assert!(warnings.is_empty());
    assert_eq!(
        infos,
        [
            "PromQL info: metric might not be a counter, name does not end in \
          _total/_sum/_count/_bucket: \"foo\" (2:10)"
        ]
    );
}

#[test]
fn more_than_the_limit_is_counted_for_warnings_and_infos_apart() {
    let mut annotations = Annotations::default();
    for index in 0..12 {
        let metric = format!("m{index}");
        annotations.add(
            &Annotation::MixedFloatsHistograms { metric: &metric },
            span(0),
        );
        annotations.add(
            &Annotation::IgnoredInMixedRange { metric: &metric },
            span(0),
        );
    }
    annotations.add(&Annotation::InvalidQuantile(f64::NAN), span(0));
    let (warnings, infos) = annotations.render("x", MAX_PER_SEVERITY);
    assert_eq!((warnings.len(), infos.len()), (11, 11));
    assert_eq!(warnings[10], "3 more warning annotations omitted");
    assert_eq!(infos[10], "2 more info annotations omitted");
    assert_eq!(annotations.render("x", 0).0.len(), 13);
}

#[test]
fn forced_monotonicity_sums_up_all_samples_in_one_line() {
    let mut annotations = Annotations::default();
    let fix = |min_bucket, max_bucket, max_diff| MonotonicityFix {
        min_bucket,
        max_bucket,
        max_diff,
    };
    for (ts_ms, fix) in [(90_000, fix(1.0, 2.0, 0.5)), (30_999, fix(0.1, 1.0, 123.0))] {
        annotations.add(
            &Annotation::ForcedMonotonicity {
                metric: "",
                fix,
                ts_ms,
            },
            span(0),
        );
    }
    let (_, infos) = annotations.render("x", 10);
    assert_eq!(
        infos,
        [
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
          https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), \
          from buckets 0.1 to 2, with a max diff of 1.2e+02, over 2 samples from \
          1970-01-01T00:00:30Z to 1970-01-01T00:01:30Z (1:1)"
        ]
    );
}

#[test]
fn overlaps_of_start_timestamps_are_counted_over_windows() {
    let mut notes = RangeNotes::default();
    notes.note_start_time_overlap();
    let mut annotations = Annotations::default();
    annotations.add_range_notes(&notes, "m", span(0));
    let text = "PromQL warning: sample has start time that overlaps with previous sample \
                timestamp for metric \"m\"";
    assert_eq!(annotations.render("x", 10).0, [format!("{text} (1:1)")]);
    annotations.add_range_notes(&notes, "m", span(0));
    assert_eq!(
        annotations.render("x", 10).0,
        [format!("{text} (2 occurrences) (1:1)")]
    );
}

#[test]
fn a_missing_name_leaves_the_suffix_out_and_a_strange_one_is_escaped() {
    let name_less = Annotation::MixedClassicNative { metric: "" };
    assert!(
        name_less
            .to_string()
            .ends_with("classic and native histograms")
    );
    let strange = Annotation::MixedClassicNative {
        metric: "a\"\n\u{1}ö",
    };
    assert!(
        strange
            .to_string()
            .ends_with("for metric name \"a\\\"\\n\\x01ö\"")
    );
}

#[test]
fn range_notes_become_annotations_of_the_series() {
    let mut notes = RangeNotes::default();
    assert!(notes.is_empty());
    notes.note(RangeNote::NotGauge);
    notes.note(RangeNote::NotGauge);
    notes.note(RangeNote::ReconciledByAddition);
    notes.note_invalid_quantile(2.0);
    assert!(notes.has(RangeNote::NotGauge) && !notes.has(RangeNote::NotCounter));
    let mut annotations = Annotations::default();
    annotations.add_range_notes(&notes, "h", span(0));
    let (warnings, infos) = annotations.render("x", 10);
    assert_eq!(
        warnings,
        [
            "PromQL warning: quantile value should be between 0 and 1, got 2 (1:1)",
            "PromQL warning: this native histogram metric is not a gauge: \"h\" (1:1)"
        ]
    );
    assert_eq!(
        infos,
        ["PromQL info: mismatched custom buckets were reconciled during addition (1:1)"]
    );
}

#[test]
fn merging_keeps_the_order_and_lets_the_later_place_win() {
    let mut first = Annotations::default();
    first.add(&Annotation::SortInRangeQuery, span(0));
    let mut second = Annotations::default();
    second.add_source_warning("store: a block is damaged");
    second.add(&Annotation::SortInRangeQuery, span(3));
    first.merge(second);
    let (warnings, _) = first.render("abcdef", 10);
    assert!(warnings[0].ends_with("(1:4)"));
    assert_eq!(warnings[1], "store: a block is damaged");
}

#[test]
fn every_annotation_has_the_text_of_upstream() {
    use Annotation as A;
    let fix = MonotonicityFix {
        min_bucket: 0.5,
        max_bucket: 2.0,
        max_diff: 3.0,
    };
    let metric = "m";
    let all = [
        A::InvalidRatio {
            ratio: -1.5,
            capped: -1.0,
        },
        A::InvalidQuantile(1.1),
        A::BadBucketLabel { metric, label: "x" },
        A::MixedFloatsHistograms { metric },
        A::MixedFloatsHistogramsInAggregation,
        A::MixedClassicNative { metric },
        A::NativeHistogramNotCounter { metric },
        A::NativeHistogramNotGauge { metric },
        A::MixedExponentialCustom { metric },
        A::IncompatibleBucketLayout { operator: "-" },
        A::SortInRangeQuery,
        A::CounterResetCollision(HistogramOperation::Subtraction),
        A::StartTimeOverlap {
            metric,
            occurrences: 3,
        },
        A::PossibleNonCounter { metric },
        A::PossibleNonCounterType {
            metric,
            type_label: "gauge",
        },
        A::ForcedMonotonicity {
            metric,
            fix,
            ts_ms: 0,
        },
        A::IncompatibleTypes {
            left: "histogram",
            operator: "^",
            right: "float",
        },
        A::IgnoredInAggregation { aggregation: "min" },
        A::IgnoredInMixedRange { metric },
        A::QuantileNanResult { metric },
        A::QuantileNanSkew { metric },
        A::FractionNans { metric },
        A::MismatchedCustomBuckets(HistogramOperation::Aggregation),
    ];
    let mut annotations = Annotations::default();
    for annotation in &all {
        annotations.add(annotation, span(0));
    }
    let (warnings, infos) = annotations.render("x", 0);
    assert_eq!(warnings.len() + infos.len(), all.len());
    let _room = obsq_snapshots::bind("engine/eval");
    insta::assert_snapshot!("annotations", [warnings, infos].concat().join("\n"));
}
