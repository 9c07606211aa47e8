//! Samples as Prometheus blocks.

use std::path::Path;
use std::sync::Arc;

use obsq_encoding::encode_chunks;
use obsq_metrics::{BlockSpec, BlockWriter, new_ulid};
use obsq_model::{Clock, TimeRange};
use obsq_wal::{DiskVfs, Vfs};

use crate::commands::export::whence::Whence;
use crate::exit::Failure;

/// Lengths that blocks may have, all of them multiples of the one before.
const WIDTHS_MS: [i64; 4] = [7_200_000, 28_800_000, 172_800_000, 1_209_600_000];
/// Most blocks written with a width before the next one is taken.
const MAX_BLOCKS: i64 = 100;

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Blocks.
    pub(crate) blocks: usize,
    /// Samples in them.
    pub(crate) samples: usize,
}

/// Writes a block for every aligned part of `range` that has samples.
pub(crate) fn write_blocks(
    whence: &Whence,
    range: TimeRange,
    folder: &Path,
    clock: &dyn Clock,
) -> Result<Written, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::failed(format!("cannot write a block into `{}`", folder.display())).because(error)
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs);
    let width_ms = width_ms(range);
    let mut written = Written::default();
    let mut start_ms = range.start_ms.div_euclid(width_ms) * width_ms;
    while start_ms <= range.end_ms {
        let part = TimeRange::new(
            start_ms.max(range.start_ms),
            (start_ms + width_ms - 1).min(range.end_ms),
        );
        let spec = BlockSpec {
            ulid: new_ulid(clock.now_ms()),
            ..BlockSpec::default()
        };
        let mut writer = BlockWriter::create(&vfs, folder, spec).map_err(|error| cannot(&error))?;
        let mut samples = 0;
        whence.each_series(part, &mut |labels, found| {
            samples += found.len();
            writer
                .add_series(labels, &encode_chunks(found))
                .map_err(|error| cannot(&error))
        })?;
        // An empty block is dropped with its writer.
        if !writer.is_empty() {
            writer.finish().map_err(|error| cannot(&error))?;
            written.blocks += 1;
            written.samples += samples;
        }
        start_ms += width_ms;
    }
    Ok(written)
}

fn width_ms(range: TimeRange) -> i64 {
    let span_ms = range.end_ms.saturating_sub(range.start_ms);
    let fits = |width: &&i64| span_ms / **width <= MAX_BLOCKS;
    *WIDTHS_MS.iter().find(fits).unwrap_or(&WIDTHS_MS[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ranges_have_wide_blocks() {
        let day = 86_400_000_i64;
        let width = |days: i64| width_ms(TimeRange::new(0, days * day)) / 3_600_000;
        assert_eq!(
            (width(1), width(30), width(150), width(3_650)),
            (2, 8, 48, 336)
        );
    }
}
