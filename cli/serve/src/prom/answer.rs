//! The envelope of an answer, and what goes into it.

use obsq_eval::promql::{InstantSample, QueryStats, QueryValue, RangeSeries, Value};
use obsq_model::Labels;
use obsq_source::{ExemplarSeries, MetricMetadataEntry};

use super::histogram::write_histogram;
use super::json::JsonWriter;

/// The warning of an answer that `limit` cut.
pub(crate) const TRUNCATED: &str = "results truncated due to limit";

/// What can be the `data` of an answer.
pub trait ToJson {
    /// Writes one JSON value.
    fn write(&self, json: &mut JsonWriter);
}

/// The answer to a call: its data and what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// What was asked for.
    pub data: T,
    /// What made it incomplete or doubtful.
    pub warnings: Vec<String>,
    /// What else the caller should know.
    pub infos: Vec<String>,
}

impl<T> Answer<T> {
    /// Returns an answer that needs no remark.
    pub fn plain(data: T) -> Self {
        Self {
            data,
            warnings: Vec::new(),
            infos: Vec::new(),
        }
    }
}

impl<T> Answer<Vec<T>> {
    /// Cuts the data to `limit` entries (0 for no limit) and says so.
    pub(crate) fn limited(mut data: Vec<T>, limit: usize) -> Self {
        let cut = limit > 0 && data.len() > limit;
        if cut {
            data.truncate(limit);
        }
        let mut answer = Self::plain(data);
        if cut {
            answer.warnings.push(TRUNCATED.to_owned());
        }
        answer
    }
}

impl<T: ToJson> Answer<T> {
    /// Returns the body of the HTTP answer.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = JsonWriter::default();
        self.write(&mut json);
        json.into_bytes()
    }

    /// Writes the body of the HTTP answer.
    pub(crate) fn write(&self, json: &mut JsonWriter) {
        json.object(|json| {
            json.key("status").string("success");
            self.data.write(json.key("data"));
            if !self.warnings.is_empty() {
                json.key("warnings").strings(&self.warnings);
            }
            if !self.infos.is_empty() {
                json.key("infos").strings(&self.infos);
            }
        });
    }
}

/// The data of a query: its value and, when asked for, what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryData {
    /// The value.
    pub value: QueryValue,
    /// What it cost; `None` unless asked for.
    pub stats: Option<QueryStats>,
}

impl ToJson for QueryData {
    fn write(&self, json: &mut JsonWriter) {
        json.object(|json| {
            let name = match &self.value {
                QueryValue::Scalar { .. } => "scalar",
                QueryValue::String { .. } => "string",
                QueryValue::Vector { .. } => "vector",
                QueryValue::Matrix(_) => "matrix",
            };
            json.key("resultType").string(name);
            write_value(json.key("result"), &self.value);
            if let Some(stats) = &self.stats {
                write_stats(json.key("stats"), stats);
            }
        });
    }
}

fn write_value(json: &mut JsonWriter, value: &QueryValue) {
    match value {
        QueryValue::Scalar { ts_ms, value } => json.array(|json| {
            json.seconds(*ts_ms);
            json.float(*value);
        }),
        QueryValue::String { ts_ms, value } => json.array(|json| {
            json.seconds(*ts_ms);
            json.string(value);
        }),
        QueryValue::Vector { ts_ms, samples } => json.array(|json| {
            for sample in samples {
                write_sample(json, *ts_ms, sample);
            }
        }),
        QueryValue::Matrix(series) => json.array(|json| {
            for series in series {
                write_series(json, series);
            }
        }),
    }
}

fn write_sample(json: &mut JsonWriter, ts_ms: i64, sample: &InstantSample) {
    json.object(|json| {
        json.key("metric").labels(&sample.labels);
        match &sample.value {
            Value::Float(value) => json.key("value").array(|json| {
                json.seconds(ts_ms);
                json.float(*value);
            }),
            Value::Histogram(histogram) => json.key("histogram").array(|json| {
                json.seconds(ts_ms);
                write_histogram(json, histogram);
            }),
        }
    });
}

fn write_series(json: &mut JsonWriter, series: &RangeSeries) {
    json.object(|json| {
        json.key("metric").labels(&series.labels);
        if !series.floats.is_empty() {
            json.key("values").array(|json| {
                for (ts_ms, value) in &series.floats {
                    json.array(|json| {
                        json.seconds(*ts_ms);
                        json.float(*value);
                    });
                }
            });
        }
        if !series.histograms.is_empty() {
            json.key("histograms").array(|json| {
                for (ts_ms, histogram) in &series.histograms {
                    json.array(|json| {
                        json.seconds(*ts_ms);
                        write_histogram(json, histogram);
                    });
                }
            });
        }
    });
}

fn write_stats(json: &mut JsonWriter, stats: &QueryStats) {
    let (timings, samples) = (&stats.timings, &stats.samples);
    json.object(|json| {
        json.key("timings").object(|json| {
            for (name, time) in [
                ("evalTotalTime", timings.eval_total),
                ("resultSortTime", timings.result_sort),
                ("queryPreparationTime", timings.query_preparation),
                ("innerEvalTime", timings.inner_eval),
                ("execQueueTime", timings.exec_queue),
                ("execTotalTime", timings.exec_total),
            ] {
                json.key(name).number(time.as_secs_f64());
            }
        });
        json.key("samples").object(|json| {
            write_steps(
                json,
                "totalQueryableSamplesPerStep",
                &samples.total_queryable_per_step,
            );
            json.key("totalQueryableSamples")
                .unsigned(samples.total_queryable);
            write_steps(json, "samplesReadPerStep", &samples.read_per_step);
            json.key("samplesRead").unsigned(samples.read);
            json.key("peakSamples").unsigned(samples.peak as u64);
        });
    });
}

fn write_steps(json: &mut JsonWriter, name: &str, steps: &[(i64, u64)]) {
    if steps.is_empty() {
        return;
    }
    json.key(name).array(|json| {
        for (ts_ms, count) in steps {
            json.array(|json| {
                json.seconds(*ts_ms);
                json.unsigned(*count);
            });
        }
    });
}

impl ToJson for String {
    fn write(&self, json: &mut JsonWriter) {
        json.string(self);
    }
}

impl ToJson for Vec<String> {
    fn write(&self, json: &mut JsonWriter) {
        json.strings(self);
    }
}

impl ToJson for Vec<Labels> {
    fn write(&self, json: &mut JsonWriter) {
        json.array(|json| {
            for labels in self {
                json.labels(labels);
            }
        });
    }
}

impl ToJson for Vec<ExemplarSeries> {
    fn write(&self, json: &mut JsonWriter) {
        json.array(|json| {
            for series in self {
                json.object(|json| {
                    json.key("seriesLabels").labels(&series.labels);
                    json.key("exemplars").array(|json| {
                        for exemplar in &series.exemplars {
                            json.object(|json| {
                                json.key("labels").labels(&exemplar.labels);
                                json.key("value").float(exemplar.value);
                                json.key("timestamp").seconds(exemplar.ts_ms);
                            });
                        }
                    });
                });
            }
        });
    }
}

/// Metadata, entries of the same metric next to each other.
impl ToJson for Vec<MetricMetadataEntry> {
    fn write(&self, json: &mut JsonWriter) {
        json.object(|json| {
            for family in self.chunk_by(|a, b| a.metric == b.metric) {
                let Some(first) = family.first() else {
                    continue;
                };
                json.key(&first.metric).array(|json| {
                    for entry in family {
                        json.object(|json| {
                            json.key("type").string(entry.metadata.metric_type.as_str());
                            json.key("unit").string(&entry.metadata.unit);
                            json.key("help").string(&entry.metadata.help);
                        });
                    }
                });
            }
        });
    }
}

/// One JSON value as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawJson(pub String);

impl ToJson for RawJson {
    fn write(&self, json: &mut JsonWriter) {
        json.raw(&self.0);
    }
}

impl ToJson for serde_json::Value {
    fn write(&self, json: &mut JsonWriter) {
        json.raw(&self.to_string());
    }
}

#[cfg(test)]
mod tests;
