//! Bodies of scrapes.

use obsq_ingest::exposition::{Format, ParseOptions, parse};

use super::{assert_ordered, choose};

/// A body is taken or refused with its line, and no series is without a name or a label twice.
pub fn exposition(input: &[u8]) {
    let Some((choice, body)) = choose(input) else {
        return;
    };
    let format = match choice % 3 {
        0 => Format::Text,
        1 => Format::OpenMetrics,
        _ => Format::Protobuf,
    };
    let options = ParseOptions {
        created_as_start_timestamps: choice & 0x10 == 0,
        keep_classic_histograms: choice & 0x20 != 0,
        convert_classic_histograms: choice & 0x40 != 0,
        ignore_native_histograms: choice & 0x80 != 0,
        ..ParseOptions::new(format)
    };
    match parse(body, options) {
        Ok(scraped) => {
            for sample in &scraped.samples {
                assert_ordered(&sample.labels);
            }
        }
        Err(error) => assert!(error.line > 0 && !error.message.is_empty()),
    }
}
