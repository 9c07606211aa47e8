//! What can be imported.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_ingest::exposition::{Format, Lines, ScrapedSample};
use obsq_metrics::{Block, BlockSeries, PrometheusLog};
use obsq_model::{Exemplar, Labels, Sample, TimeRange};
use obsq_source::{MetricBatch, SeriesBatch};

use crate::api::{Layout, layout, open_blocks, open_log};
use crate::exit::Failure;

/// Lines of text that are made into one batch.
const LINES_PER_BATCH: usize = 5_000;

/// Something to import.
#[derive(Debug)]
pub(crate) enum Input {
    /// A block.
    Block(Arc<Block>),
    /// The log of a Prometheus data directory.
    Log(Arc<PrometheusLog>),
    /// A file of text; `-` is standard input.
    Text(PathBuf),
}

/// Finds what lies at the paths, blocks in order of time.
pub(crate) fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() != "-" && path.is_dir() {
            inputs.extend(blocks(path)?);
        } else {
            inputs.push(Input::Text(path.clone()));
        }
    }
    Ok(inputs)
}

fn blocks(dir: &Path) -> Result<Vec<Input>, Failure> {
    let (directories, has_log) = match layout(dir)? {
        Layout::Block => (vec![dir.to_owned()], false),
        Layout::Blocks(blocks) => (blocks, false),
        Layout::Prometheus(blocks) => (blocks, true),
        Layout::Store => {
            let text = format!("`{}` is a data directory of obsq", dir.display());
            return Err(
                Failure::usage(text).hint("export from it: `obsq export --data DIR --blocks OUT`")
            );
        }
    };
    let set = open_blocks(&directories)?;
    let mut blocks: Vec<Arc<Block>> = set.blocks().to_vec();
    blocks.sort_by_key(|block| block.range().start_ms);
    let mut inputs: Vec<Input> = blocks.into_iter().map(Input::Block).collect();
    if has_log {
        inputs.push(Input::Log(open_log(dir, &set)?));
    }
    Ok(inputs)
}

impl Input {
    /// Returns how many samples there are, as far as that is known beforehand.
    pub(crate) fn samples(&self) -> u64 {
        match self {
            Self::Block(block) => block.meta().stats.num_samples,
            Self::Log(log) => log.samples(),
            Self::Text(_) => 0,
        }
    }

    /// Begins to read; samples without a time get `now_ms`.
    pub(crate) fn open(&self, now_ms: i64) -> Result<Parts, Failure> {
        match self {
            Self::Block(block) => {
                let series = block.select(&[], TimeRange::ALL);
                let series = series.map_err(|error| broken(block, &error))?;
                Ok(Parts::Block(Arc::clone(block), series.into_iter()))
            }
            Self::Log(log) => Ok(Parts::Log(Arc::clone(log), Some(log.series().into_iter()))),
            Self::Text(path) => open_text(path, now_ms),
        }
    }
}

fn broken(block: &Block, error: &obsq_metrics::Error) -> Failure {
    Failure::failed(format!("cannot read `{}`", block.directory().display())).because(error)
}

/// An input that is being read.
pub(crate) enum Parts {
    /// The series of a block that are left.
    Block(Arc<Block>, std::vec::IntoIter<BlockSeries>),
    /// The series of a log that are left; `None` when all is read.
    Log(Arc<PrometheusLog>, Option<std::vec::IntoIter<Labels>>),
    /// Lines of text.
    Text {
        /// The lines; `None` after the last one.
        lines: Option<Box<Lines<Box<dyn BufRead>>>>,
        /// Where they come from.
        name: String,
        /// The time of samples without one.
        now_ms: i64,
    },
}

fn open_text(path: &Path, now_ms: i64) -> Result<Parts, Failure> {
    let name = path.display().to_string();
    let cannot = |error: &dyn std::error::Error| {
        Failure::failed(format!("cannot read `{name}`")).because(error)
    };
    let (reader, format): (Box<dyn BufRead>, Format) = if name == "-" {
        // Standard input cannot be looked at from its end: read it whole.
        let mut text = Vec::new();
        io::stdin()
            .read_to_end(&mut text)
            .map_err(|error| cannot(&error))?;
        let format = format_by_end(&text);
        (Box::new(io::Cursor::new(text)), format)
    } else {
        let mut file = File::open(path).map_err(|error| cannot(&error))?;
        let format = format_of_file(&mut file).map_err(|error| cannot(&error))?;
        (Box::new(BufReader::new(file)), format)
    };
    let lines = Lines::new(reader, format).map_err(|error| cannot(&error))?;
    Ok(Parts::Text {
        lines: Some(Box::new(lines)),
        name,
        now_ms,
    })
}

/// OpenMetrics ends with a mark; the older text does not.
fn format_by_end(text: &[u8]) -> Format {
    if text.trim_ascii_end().ends_with(b"# EOF") {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

fn format_of_file(file: &mut File) -> io::Result<Format> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(64)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(format_by_end(&end))
}

impl Parts {
    /// Returns the next part, `None` at the end.
    pub(crate) fn next_batch(&mut self) -> Result<Option<MetricBatch>, Failure> {
        match self {
            Self::Block(block, series) => {
                let Some(one) = series.next() else {
                    return Ok(None);
                };
                let mut samples = Vec::new();
                block
                    .read_exact(&one, TimeRange::ALL, &mut samples)
                    .map_err(|error| broken(block, &error))?;
                let series = vec![SeriesBatch {
                    labels: one.labels,
                    samples: samples.into(),
                    exemplars: Vec::new(),
                }];
                let metadata = Vec::new();
                Ok(Some(MetricBatch { series, metadata }))
            }
            Self::Log(log, series) => next_of_log(log, series),
            Self::Text {
                lines,
                name,
                now_ms,
            } => next_lines(lines, name, *now_ms),
        }
    }
}

/// Reads one series; metadata come last.
fn next_of_log(
    log: &PrometheusLog,
    series: &mut Option<std::vec::IntoIter<Labels>>,
) -> Result<Option<MetricBatch>, Failure> {
    let Some(left) = series else {
        return Ok(None);
    };
    let Some(labels) = left.next() else {
        *series = None;
        let metadata = log.metadata();
        return Ok(Some(MetricBatch {
            series: Vec::new(),
            metadata,
        }));
    };
    let read = log
        .batch(&labels)
        .map_err(|error| Failure::failed("cannot read the write-ahead log").because(&error))?;
    Ok(Some(MetricBatch {
        series: vec![read],
        metadata: Vec::new(),
    }))
}

/// Reads some lines; neighbours of one series become one batch of it.
fn next_lines(
    lines: &mut Option<Box<Lines<Box<dyn BufRead>>>>,
    name: &str,
    now_ms: i64,
) -> Result<Option<MetricBatch>, Failure> {
    let Some(reader) = lines.as_mut() else {
        return Ok(None);
    };
    let mut batch = MetricBatch::default();
    for _ in 0..LINES_PER_BATCH {
        match reader.next() {
            Some(Ok(sample)) => push(&mut batch, sample, now_ms),
            Some(Err(error)) => {
                return Err(Failure::failed(format!("cannot read `{name}`")).because(&error));
            }
            None => {
                let metadata = lines.take().map(|lines| lines.into_metadata());
                batch.metadata = metadata.unwrap_or_default();
                break;
            }
        }
    }
    Ok(Some(batch))
}

fn push(batch: &mut MetricBatch, scraped: ScrapedSample, now_ms: i64) {
    let ts_ms = scraped.ts_ms.unwrap_or(now_ms);
    let sample = Sample {
        ts_ms,
        start_ts_ms: scraped.start_ts_ms,
        value: scraped.value,
    };
    let exemplars = scraped.exemplars.into_iter().map(|exemplar| Exemplar {
        labels: exemplar.labels,
        value: exemplar.value,
        ts_ms: exemplar.ts_ms.unwrap_or(ts_ms),
    });
    match batch.series.last_mut() {
        Some(last) if last.labels == scraped.labels => {
            last.samples.push(sample);
            last.exemplars.extend(exemplars);
        }
        _ => batch.series.push(SeriesBatch {
            labels: scraped.labels,
            samples: [sample].into(),
            exemplars: exemplars.collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MetricBatch, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("in.om");
        std::fs::write(&file, text).unwrap();
        let mut parts = inputs(&[file])?[0].open(7)?;
        let mut all = MetricBatch::default();
        while let Some(batch) = parts.next_batch()? {
            all.series.extend(batch.series);
            all.metadata.extend(batch.metadata);
        }
        Ok(all)
    }

    #[test]
    fn neighbours_of_a_series_come_together_with_exemplars_and_metadata() {
        let text = "# TYPE a counter\n# HELP a Help.\na_total{x=\"1\"} 1 1 # {trace_id=\"t\"} 5\na_total{x=\"1\"} 2 2\na_total{x=\"2\"} 3 1\n# EOF\n";
        let batch = read(text).unwrap();
        assert_eq!(batch.series.len(), 2);
        assert_eq!(batch.series[0].samples.len(), 2);
        assert_eq!(batch.series[0].exemplars[0].ts_ms, 1_000);
        assert_eq!(batch.metadata.len(), 1);
    }

    #[test]
    fn plain_text_gets_the_present_and_an_error_names_the_line() {
        assert_eq!(read("up 1\n").unwrap().series[0].samples[0].ts_ms, 7);
        let failure = read("up 1\nup{ 2\n").unwrap_err();
        assert!(format!("{failure:?}").contains("line 2"), "{failure:?}");
        assert!(
            inputs(&[PathBuf::from("/nowhere/x")]).unwrap()[0]
                .open(7)
                .is_err()
        );
    }
}
