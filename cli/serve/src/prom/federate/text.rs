//! The text format.

use std::borrow::Cow;
use std::fmt::Write as _;

use obsq_model::{FloatHistogram, Labels, format_float_general};

use super::format::{Escaping, is_plain};
use super::{FamilyKind, Newest, NewestValue, classic_buckets, label_pairs};

/// Writes the samples, sorted by name, in the text format. It cannot hold native histograms with
/// exponential buckets, which are left out; those with custom buckets become classic ones.
pub(super) fn write_page(samples: &[Newest], external: &Labels, escaping: Escaping) -> String {
    let mut page = String::new();
    let mut head = ("", FamilyKind::Float);
    for sample in samples {
        let name = sample.labels.metric_name();
        let left_out = match &sample.value {
            NewestValue::Histogram(histogram) => !histogram.uses_custom_buckets(),
            NewestValue::Float(_) => false,
        };
        if name.is_empty() || left_out {
            continue;
        }
        let escaped = escaping.escape(name);
        if head != (name, sample.kind()) {
            head = (name, sample.kind());
            let kind = match head.1 {
                FamilyKind::Float => "untyped",
                FamilyKind::Histogram | FamilyKind::GaugeHistogram => "histogram",
            };
            writeln!(page, "# TYPE {} {kind}", quoted_name(&escaped)).unwrap_or_default();
        }
        let pairs = label_pairs(&sample.labels, external).into_iter();
        let labels: Vec<_> = pairs
            .map(|(name, value)| (escaping.escape(name), value))
            .collect();
        push_sample(&mut page, &escaped, &labels, sample);
    }
    page
}

type Pair<'a> = (Cow<'a, str>, &'a str);

fn push_sample(page: &mut String, name: &str, labels: &[Pair<'_>], sample: &Newest) {
    let ts_ms = sample.ts_ms;
    match &sample.value {
        NewestValue::Float(value) => push_line(page, name, labels, None, *value, ts_ms),
        NewestValue::Histogram(histogram) => push_classic(page, name, labels, histogram, ts_ms),
    }
}

fn push_classic(
    page: &mut String,
    name: &str,
    labels: &[Pair<'_>],
    histogram: &FloatHistogram,
    ts_ms: i64,
) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in classic_buckets(histogram) {
        let bound = format_float_general(bound);
        push_line(page, &bucket, labels, Some(&bound), count, ts_ms);
    }
    push_line(page, &bucket, labels, Some("+Inf"), histogram.count, ts_ms);
    for (suffix, value) in [("sum", histogram.sum), ("count", histogram.count)] {
        push_line(
            page,
            &format!("{name}_{suffix}"),
            labels,
            None,
            value,
            ts_ms,
        );
    }
}

fn push_line(
    page: &mut String,
    name: &str,
    labels: &[Pair<'_>],
    le: Option<&str>,
    value: f64,
    ts_ms: i64,
) {
    // A name that is no classic identifier goes into the braces, quoted.
    let plain = is_plain(name);
    let mut separator = '{';
    if plain {
        page.push_str(name);
    } else {
        write!(page, "{separator}{}", quoted_name(name)).unwrap_or_default();
        separator = ',';
    }
    let labels = labels.iter().map(|(name, value)| (&**name, *value));
    for (name, value) in labels.chain(le.map(|le| ("le", le))) {
        write!(page, "{separator}{}=\"", quoted_name(name)).unwrap_or_default();
        crate::telemetry::push_label_value(page, value);
        page.push('"');
        separator = ',';
    }
    if separator == ',' {
        page.push('}');
    }
    writeln!(page, " {} {ts_ms}", format_float_general(value)).unwrap_or_default();
}

fn quoted_name(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    crate::telemetry::push_label_value(&mut quoted, name);
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::BucketSpan;
    use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;
    use std::sync::Arc;

    fn float(pairs: &[(&str, &str)], value: f64) -> Newest {
        Newest {
            labels: Labels::from_pairs(pairs),
            ts_ms: 1_000,
            value: NewestValue::Float(value),
        }
    }

    #[test]
    fn samples_are_untyped_and_carry_external_labels() {
        let samples = [
            float(&[("__name__", "up"), ("job", "a")], 1.0),
            float(
                &[
                    ("__name__", "up"),
                    ("job", "b"),
                    ("zone", "own"),
                    ("instance", "i"),
                ],
                1e7,
            ),
            float(&[("__name__", "a.b"), ("x.y", "q\"\n")], f64::NAN),
        ];
        let external = Labels::from_pairs(&[("zone", "eu")]);
        let expected = r#"# TYPE up untyped
up{job="a",instance="",zone="eu"} 1 1000
up{instance="i",job="b",zone="own"} 1e+07 1000
# TYPE "a.b" untyped
{"a.b","x.y"="q\"\n",instance="",zone="eu"} NaN 1000
"#;
        assert_eq!(write_page(&samples, &external, Escaping::Utf8), expected);
    }

    #[test]
    fn custom_buckets_become_a_classic_histogram() {
        let histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 6.0,
            sum: 18.5,
            custom_values: [5.0, 10.0].into(),
            positive_spans: vec![BucketSpan {
                offset: 0,
                length: 3,
            }],
            positive_buckets: vec![1.0, 1.0, 4.0],
            ..FloatHistogram::default()
        };
        let sample = Newest {
            labels: Labels::from_pairs(&[("__name__", "h"), ("instance", "i")]),
            ts_ms: 5,
            value: NewestValue::Histogram(Arc::new(histogram)),
        };
        let expected = r#"# TYPE h histogram
h_bucket{instance="i",le="5"} 1 5
h_bucket{instance="i",le="10"} 2 5
h_bucket{instance="i",le="+Inf"} 6 5
h_sum{instance="i"} 18.5 5
h_count{instance="i"} 6 5
"#;
        assert_eq!(
            write_page(&[sample], &Labels::empty(), Escaping::Utf8),
            expected
        );
    }

    #[test]
    fn names_are_escaped_unless_the_reader_takes_them() {
        let samples = [float(&[("__name__", "a.b"), ("x.y", "v.w")], 1.0)];
        let external = Labels::from_pairs(&[("instance", "i")]);
        assert_eq!(
            write_page(&samples, &external, Escaping::Underscores),
            "# TYPE a_b untyped\na_b{x_y=\"v.w\",instance=\"i\"} 1 1000\n"
        );
    }
}
