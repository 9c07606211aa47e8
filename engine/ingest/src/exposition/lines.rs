//! Reading text formats from a stream, line by line, in bounded memory.

use std::io::{self, BufRead, Read as _};

use obsq_model::MetricMetadata;

use super::cursor::Cursor;
use super::{Format, ParseError, ScrapedSample, openmetrics, text};

/// Longest line that is read, in bytes.
const LINE_LIMIT_BYTES: u64 = 1 << 20;

/// Why a stream could not be read further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinesError {
    /// The stream itself failed.
    #[error("cannot read")]
    Io(#[from] io::Error),
    /// A line is not of the format.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The format is not one of lines.
    #[error("protobuf has no lines")]
    NoLines,
}

/// Samples of a text or OpenMetrics stream in its order. Unlike [`parse`](super::parse) it keeps
/// `_created` series as series, because their siblings may have gone by already.
///
/// Memory: one line of at most 1 MiB, and the metadata of all families.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    line: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Text(text::State),
    OpenMetrics(openmetrics::State),
}

impl<R: BufRead> Lines<R> {
    /// Returns the samples of `reader`, which holds `format`.
    ///
    /// # Errors
    /// [`LinesError::NoLines`] for protobuf.
    pub fn new(reader: R, format: Format) -> Result<Self, LinesError> {
        let state = match format {
            Format::Text => State::Text(text::State::default()),
            Format::OpenMetrics => State::OpenMetrics(openmetrics::State::default()),
            Format::Protobuf => return Err(LinesError::NoLines),
        };
        Ok(Self {
            reader,
            buffer: Vec::new(),
            line: 0,
            state,
        })
    }

    /// Returns the metadata read so far.
    pub fn into_metadata(self) -> Vec<(String, MetricMetadata)> {
        match self.state {
            State::Text(state) => state.families.into_entries(),
            State::OpenMetrics(state) => state.families.into_entries(),
        }
    }

    /// Returns the next sample, `None` at the end.
    fn next_sample(&mut self) -> Result<Option<ScrapedSample>, LinesError> {
        loop {
            self.buffer.clear();
            let limit = LINE_LIMIT_BYTES + 1;
            let read = self
                .reader
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut self.buffer)?;
            self.line += 1;
            let mut cursor = Cursor::new(&self.buffer, self.line);
            if read as u64 > LINE_LIMIT_BYTES {
                return Err(cursor.error("the line is longer than 1 MiB").into());
            }
            if read == 0 {
                return match &self.state {
                    State::OpenMetrics(state) if !state.ended => {
                        Err(cursor.error("the text does not end with `# EOF`").into())
                    }
                    _ => Ok(None),
                };
            }
            let sample = match &mut self.state {
                State::Text(state) => state.line(&mut cursor)?,
                State::OpenMetrics(state) if state.ended => {
                    return Err(cursor.error("unexpected text after `# EOF`").into());
                }
                State::OpenMetrics(state) => state.line(&mut cursor)?,
            };
            if sample.is_some() {
                return Ok(sample);
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<ScrapedSample, LinesError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_sample().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, format: Format) -> Result<Vec<String>, LinesError> {
        let lines = Lines::new(text.as_bytes(), format)?;
        lines
            .map(|sample| Ok(sample?.labels.metric_name().to_owned()))
            .collect()
    }

    #[test]
    fn a_stream_gives_the_same_samples_as_the_whole_body() {
        let body = "# TYPE a counter\na_total 1\na_created 2\n\nb 2";
        assert_eq!(
            names(body, Format::Text).unwrap(),
            ["a_total", "a_created", "b"]
        );
        let body = "# TYPE a counter\na_total 1\na_created 2\nb 2\n# EOF\n";
        assert_eq!(
            names(body, Format::OpenMetrics).unwrap(),
            ["a_total", "a_created", "b"]
        );
    }

    #[test]
    fn errors_name_the_line_of_the_stream() {
        let error = |text, format| names(text, format).unwrap_err().to_string();
        assert_eq!(
            error("a 1\nb\n", Format::Text),
            "line 2: expected a float, got the end of the line"
        );
        assert_eq!(
            error("a 1\n", Format::OpenMetrics),
            "line 2: the text does not end with `# EOF`"
        );
        assert!(error("# EOF\na 1\n", Format::OpenMetrics).contains("after `# EOF`"));
        let long = format!("a{{b=\"{}\"}} 1\n", "x".repeat(1 << 20));
        assert_eq!(
            error(&long, Format::Text),
            "line 1: the line is longer than 1 MiB"
        );
        assert!(matches!(
            Lines::new(&b""[..], Format::Protobuf),
            Err(LinesError::NoLines)
        ));
    }
}
