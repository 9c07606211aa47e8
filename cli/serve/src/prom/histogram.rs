//! Native histograms as the Prometheus API writes them.

use obsq_model::FloatHistogram;

use super::json::JsonWriter;

/// Writes `{"count":..,"sum":..,"buckets":[[ends,lower,upper,count],..]}`, buckets in rising
/// order, empty ones left out, and no `buckets` when all are empty.
pub(crate) fn write_histogram(json: &mut JsonWriter, histogram: &FloatHistogram) {
    json.object(|json| {
        json.key("count").float(histogram.count);
        json.key("sum").float(histogram.sum);
        let mut buckets = histogram.api_buckets().peekable();
        if buckets.peek().is_none() {
            return;
        }
        json.key("buckets").array(|json| {
            for bucket in buckets {
                json.array(|json| {
                    json.unsigned(u64::from(bucket.boundary_code()));
                    json.float(bucket.lower);
                    json.float(bucket.upper);
                    json.float(bucket.count);
                });
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::BucketSpan;
    use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;

    fn span(offset: i32, length: u32) -> BucketSpan {
        BucketSpan { offset, length }
    }

    fn written(histogram: &FloatHistogram) -> String {
        let mut json = JsonWriter::default();
        write_histogram(&mut json, histogram);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn buckets_rise_from_negative_over_zero_to_positive() {
        let histogram = FloatHistogram {
            count: 12.0,
            sum: 3.5,
            zero_threshold: 0.001,
            zero_count: 2.0,
            positive_spans: vec![span(0, 2), span(1, 1)],
            positive_buckets: vec![1.0, 0.0, 4.0],
            negative_spans: vec![span(0, 2)],
            negative_buckets: vec![3.0, 2.0],
            ..FloatHistogram::default()
        };
        assert_eq!(
            written(&histogram),
            r#"{"count":"12","sum":"3.5","buckets":[[1,"-2","-1","2"],[1,"-1","-0.5","3"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"4","8","4"]]}"#
        );
    }

    #[test]
    fn a_wide_zero_bucket_cuts_its_neighbours() {
        let histogram = FloatHistogram {
            zero_threshold: 0.75,
            zero_count: 1.0,
            positive_spans: vec![span(0, 1)],
            positive_buckets: vec![1.0],
            negative_spans: vec![span(0, 1)],
            negative_buckets: vec![1.0],
            ..FloatHistogram::default()
        };
        assert_eq!(
            written(&histogram),
            r#"{"count":"0","sum":"0","buckets":[[1,"-1","-0.75","1"],[3,"-0.75","0.75","1"],[0,"0.75","1","1"]]}"#
        );
    }

    #[test]
    fn custom_buckets_reach_from_minus_to_plus_infinity() {
        let histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 5.0,
            sum: 18.0,
            custom_values: [5.0, 10.0].into(),
            positive_spans: vec![span(0, 3)],
            positive_buckets: vec![1.0, 0.0, 4.0],
            ..FloatHistogram::default()
        };
        assert_eq!(
            written(&histogram),
            r#"{"count":"5","sum":"18","buckets":[[3,"-Inf","5","1"],[0,"10","+Inf","4"]]}"#
        );
    }

    #[test]
    fn an_empty_histogram_has_no_buckets() {
        assert_eq!(
            written(&FloatHistogram::default()),
            r#"{"count":"0","sum":"0"}"#
        );
    }
}
