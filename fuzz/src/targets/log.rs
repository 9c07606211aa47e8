//! The log, the checkpoint, and the companions of blocks.

use std::path::Path;

use obsq_wal::{FileKind, FramedWriter, Record, SimVfs};

use super::{choose, edit, stored};

/// Checks the log of a directory, damaged or with records of any payload.
pub fn wal(input: &[u8]) {
    let Some((choice, rest)) = choose(input) else {
        return;
    };
    let vfs = stored::image().after_kill();
    for (path, mut bytes) in stored::files("") {
        if !path.starts_with("/data/wal/metrics") || path.ends_with("checkpoint") {
            continue;
        }
        if choice & 1 == 0 {
            edit(&mut bytes, rest);
            stored::put(&vfs, &path, &bytes);
        } else {
            put_framed(&vfs, &path, FileKind::SEGMENT, rest);
        }
    }
    stored::interrogate(&vfs);
}

/// Checks the checkpoint of a directory, damaged or with records of any payload.
pub fn checkpoint(input: &[u8]) {
    framed("checkpoint", FileKind(2), input);
}

/// Checks exemplars, or metadata, of a directory's block, damaged or with records of any payload.
pub fn companions(input: &[u8]) {
    match choose(input) {
        Some((choice, rest)) if choice & 0x80 == 0 => framed("exemplars", FileKind(3), rest),
        Some((_, rest)) => framed("metadata", FileKind(4), rest),
        None => {}
    }
}

fn framed(name: &str, kind: FileKind, input: &[u8]) {
    let Some((choice, rest)) = choose(input) else {
        return;
    };
    let vfs = stored::image().after_kill();
    let files = stored::files(&format!("/{name}"));
    assert!(!files.is_empty(), "no {name} to damage");
    for (path, mut bytes) in files {
        if choice & 1 == 0 {
            edit(&mut bytes, rest);
            stored::put(&vfs, &path, &bytes);
        } else {
            put_framed(&vfs, &path, kind, rest);
        }
    }
    stored::interrogate(&vfs);
}

/// Writes records with sound checksums: each takes its length from two bytes before it.
fn put_framed(vfs: &SimVfs, path: &Path, kind: FileKind, mut input: &[u8]) {
    let mut writer = FramedWriter::create(vfs, path, kind).expect("created");
    while let Some((head, rest)) = input.split_first_chunk::<2>() {
        let (payload, rest) = rest.split_at(usize::from(u16::from_be_bytes(*head)).min(rest.len()));
        input = rest;
        if payload.is_empty() {
            continue;
        }
        let mut record = Record::with_capacity(payload.len());
        record.buffer().extend_from_slice(payload);
        writer.push(record).expect("written");
    }
    writer.commit().expect("committed");
}
