//! Index, chunks and tombstones of a block, with checksums that are put right after the damage, so
//! that what lies behind them is reached.

use std::ops::Range;
use std::path::Path;

use obsq_encoding::crc32c;

use super::{choose, edit, stored};

/// Checks a block whose index is damaged.
pub fn block_index(input: &[u8]) {
    damaged("/index", index_checks, input);
}

/// Checks a block whose chunk segment is damaged.
pub fn block_chunks(input: &[u8]) {
    damaged("/chunks/000001", chunk_checks, input);
}

/// Stretches of a file that are followed by their CRC-32C, big endian.
type Checks = fn(&[u8]) -> Vec<Range<usize>>;

fn damaged(suffix: &str, checks: Checks, input: &[u8]) {
    let Some((choice, edits)) = choose(input) else {
        return;
    };
    let vfs = stored::image().after_kill();
    let files = stored::files(suffix);
    assert!(!files.is_empty(), "no {suffix} to damage");
    for (path, mut bytes) in files {
        let stretches = checks(&bytes);
        assert!(stretches.len() > 1, "{}", path.display());
        edit(&mut bytes, edits);
        if choice & 1 == 0 {
            for stretch in stretches {
                let crc = crc32c(&bytes[stretch.clone()]).to_be_bytes();
                bytes[stretch.end..stretch.end + 4].copy_from_slice(&crc);
            }
        }
        put_and_ask(&path, &bytes, &vfs);
    }
}

fn put_and_ask(path: &Path, bytes: &[u8], vfs: &obsq_wal::SimVfs) {
    stored::put(vfs, path, bytes);
    stored::interrogate(vfs);
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    let bytes = &bytes[at..at + N];
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Returns the value of a varint and the place behind it.
fn uvarint(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = usize::from(bytes[at]);
        value |= (byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte < 0x80 {
            return (value, at);
        }
    }
}

/// Symbols, series, postings, tables and the table of contents of an index of format 2.
fn index_checks(bytes: &[u8]) -> Vec<Range<usize>> {
    let toc = bytes.len() - 52;
    let mut parts: Vec<_> = (0..6)
        .map(|part| number::<8>(bytes, toc + part * 8))
        .collect();
    let mut stretches = Vec::new();
    stretches.push(toc..toc + 48);
    let [_symbols, series, ..] = parts[..] else {
        unreachable!("six offsets")
    };
    parts.sort_unstable();
    parts.retain(|offset| *offset > 0);
    let series_end = parts.iter().find(|offset| **offset > series).copied();
    for part in parts.iter().filter(|part| **part != series) {
        let end = parts
            .iter()
            .find(|offset| *offset > part)
            .map_or(toc, |end| *end);
        let mut at = *part;
        while at + 8 <= end {
            let len = number::<4>(bytes, at);
            stretches.push(at + 4..at + 4 + len);
            at = (at + 8 + len).next_multiple_of(4);
        }
    }
    let mut at = series;
    while at < series_end.unwrap_or(toc) {
        let (len, start) = uvarint(bytes, at);
        if len == 0 {
            break;
        }
        stretches.push(start..start + len);
        at = (start + len + 4).next_multiple_of(16);
    }
    stretches
}

/// Encoding and data of every chunk of a segment.
fn chunk_checks(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut at = 8;
    while at < bytes.len() {
        let (len, start) = uvarint(bytes, at);
        stretches.push(start..start + 1 + len);
        at = start + 1 + len + 4;
    }
    stretches
}
