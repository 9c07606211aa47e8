//! What was damaged, kept for whoever wants to know what happened: segments, and a copy of the last
//! damaged checkpoint.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::segment::{list_segments, segment_path};
use crate::vfs::{Vfs, VfsFile};

/// Name of the copy of a checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// Bytes copied at a time.
const BUFFER_BYTES: u64 = 256 << 10;

/// Returns where the damaged segments of the log in `directory` are kept.
pub(crate) fn quarantine_directory(directory: &Path) -> PathBuf {
    directory.join("quarantine")
}

/// What lies in a quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quarantined {
    pub(crate) segments: u64,
    /// Of the segments and of the checkpoint.
    pub(crate) bytes: u64,
}

/// Moves segment `number` of the log in `directory` into its quarantine, which holds at most
/// `limit_bytes`: older segments go for newer ones, and one that is longer alone goes at once.
pub(crate) fn quarantine(
    vfs: &dyn Vfs,
    directory: &Path,
    number: u64,
    limit_bytes: u64,
) -> Result<Quarantined, Error> {
    let path = segment_path(directory, number);
    let kept_in = create(vfs, directory)?;
    let size = size_of(vfs, &path)?;
    let mut held = make_room(vfs, directory, size, limit_bytes)?;
    if size > limit_bytes {
        tracing::warn!(path = %path.display(), size, "removing a damaged segment that is too long to be kept");
        remove(vfs, &path)?;
        return Ok(held);
    }
    let target = segment_path(&kept_in, number);
    let moved = vfs.rename(&path, &target);
    moved.map_err(Error::io("move", &path))?;
    for directory in [&kept_in, directory] {
        let synced = vfs.sync_dir(directory);
        synced.map_err(Error::io("sync", directory))?;
    }
    tracing::warn!(path = %target.display(), "a damaged segment is not needed any more and kept for inspection");
    held.segments += 1;
    held.bytes += size;
    Ok(held)
}

/// Copies the damaged checkpoint `path` of the log in `directory` into its quarantine, in place of an
/// earlier one, within the same limit. Nothing is copied when that would leave less room on the disk
/// than writes need.
pub(crate) fn keep_checkpoint(
    vfs: &dyn Vfs,
    directory: &Path,
    path: &Path,
    limit_bytes: u64,
) -> Result<Quarantined, Error> {
    let source = vfs.open(path).map_err(Error::io("open", path))?;
    let size = source.size().map_err(Error::io("look at", path))?;
    let mut space = vfs.space(path).map_err(Error::io("look at", path))?;
    space.free_bytes = space.free_bytes.saturating_sub(size);
    if size > limit_bytes || space.is_short() {
        tracing::warn!(path = %path.display(), size, "no room to keep a damaged checkpoint");
        return look(vfs, directory);
    }
    let target = create(vfs, directory)?.join(CHECKPOINT);
    remove(vfs, &target)?;
    let mut held = make_room(vfs, directory, size, limit_bytes)?;
    if let Err(error) = copy(vfs, source.as_ref(), size, &target) {
        // Half of a copy is worth nothing, and why there is none matters more.
        drop(vfs.remove_file(&target));
        return Err(error);
    }
    tracing::warn!(path = %target.display(), "a damaged checkpoint is kept for inspection");
    held.bytes += size;
    Ok(held)
}

fn copy(vfs: &dyn Vfs, source: &dyn VfsFile, size: u64, target: &Path) -> Result<(), Error> {
    let failed = || Error::io("write", target);
    let file = vfs.create(target).map_err(failed())?;
    let mut at = 0;
    while at < size {
        let mut buffer = vec![0; (size - at).min(BUFFER_BYTES) as usize];
        let read = source.read_exact_at(&mut buffer, at);
        read.map_err(Error::io("read what becomes", target))?;
        file.write_all_at(&buffer, at).map_err(failed())?;
        at += buffer.len() as u64;
    }
    file.sync().map_err(Error::io("sync", target))?;
    let kept_in = target.parent().unwrap_or(Path::new("."));
    vfs.sync_dir(kept_in).map_err(Error::io("sync", kept_in))
}

fn create(vfs: &dyn Vfs, directory: &Path) -> Result<PathBuf, Error> {
    let kept_in = quarantine_directory(directory);
    let created = vfs.create_dir_all(&kept_in);
    created.map_err(Error::io("create", &kept_in))?;
    Ok(kept_in)
}

/// Removes segments, the oldest first, and then the checkpoint, until `size` more bytes fit.
fn make_room(
    vfs: &dyn Vfs,
    directory: &Path,
    size: u64,
    limit_bytes: u64,
) -> Result<Quarantined, Error> {
    let mut held = look(vfs, directory)?;
    for (path, bytes, is_segment) in kept(vfs, directory)? {
        if held.bytes.saturating_add(size) <= limit_bytes {
            break;
        }
        remove(vfs, &path)?;
        held.segments -= u64::from(is_segment);
        held.bytes = held.bytes.saturating_sub(bytes);
        tracing::warn!(path = %path.display(), "removed what was damaged long ago to make room for what is now");
    }
    Ok(held)
}

/// Returns what lies in the quarantine of the log in `directory`.
pub(crate) fn look(vfs: &dyn Vfs, directory: &Path) -> Result<Quarantined, Error> {
    let mut held = Quarantined::default();
    for (_path, bytes, is_segment) in kept(vfs, directory)? {
        held.segments += u64::from(is_segment);
        held.bytes += bytes;
    }
    Ok(held)
}

/// Returns path, size and whether it is a segment of all that is kept, in the order in which it goes.
fn kept(vfs: &dyn Vfs, directory: &Path) -> Result<Vec<(PathBuf, u64, bool)>, Error> {
    let kept_in = quarantine_directory(directory);
    let mut all = Vec::new();
    for number in list_segments(vfs, &kept_in)? {
        let path = segment_path(&kept_in, number);
        let bytes = size_of(vfs, &path)?;
        all.push((path, bytes, true));
    }
    let checkpoint = kept_in.join(CHECKPOINT);
    let there = vfs.exists(&checkpoint);
    if there.map_err(Error::io("look at", &checkpoint))? {
        let bytes = size_of(vfs, &checkpoint)?;
        all.push((checkpoint, bytes, false));
    }
    Ok(all)
}

fn remove(vfs: &dyn Vfs, path: &Path) -> Result<(), Error> {
    vfs.remove_file(path).map_err(Error::io("remove", path))
}

fn size_of(vfs: &dyn Vfs, path: &Path) -> Result<u64, Error> {
    let file = vfs.open(path).map_err(Error::io("open", path))?;
    file.size().map_err(Error::io("look at", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::DiskVfs;

    #[test]
    fn the_oldest_go_when_there_is_no_room_and_what_is_too_long_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let put = |number: u64, len: usize| {
            std::fs::write(segment_path(folder.path(), number), vec![7; len]).unwrap();
            let held = quarantine(&DiskVfs, folder.path(), number, 100).unwrap();
            assert_eq!(held, look(&DiskVfs, folder.path()).unwrap());
            assert!(!segment_path(folder.path(), number).try_exists().unwrap());
            let kept_in = quarantine_directory(folder.path());
            (held.bytes, list_segments(&DiskVfs, &kept_in).unwrap())
        };
        assert_eq!(put(1, 40), (40, vec![1]));
        assert_eq!(put(2, 60), (100, vec![1, 2]));
        assert_eq!(put(3, 41), (41, vec![3]));
        assert_eq!(put(4, 59), (100, vec![3, 4]));
        assert_eq!(put(5, 101).0, 0);
    }

    #[test]
    fn one_checkpoint_is_kept_within_the_same_limit_and_goes_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let kept = quarantine_directory(folder.path()).join(CHECKPOINT);
        let keep = |len: usize| {
            std::fs::write(&path, vec![len as u8; len]).unwrap();
            let held = keep_checkpoint(&DiskVfs, folder.path(), &path, 1 << 20).unwrap();
            assert_eq!(held, look(&DiskVfs, folder.path()).unwrap());
            held
        };
        let put = |number: u64, len: usize| {
            std::fs::write(segment_path(folder.path(), number), vec![7; len]).unwrap();
            quarantine(&DiskVfs, folder.path(), number, 1 << 20).unwrap()
        };
        let held = |segments, bytes| Quarantined { segments, bytes };
        assert_eq!(keep(300_000), held(0, 300_000));
        assert_eq!(keep(600_000), held(0, 600_000));
        assert_eq!(
            std::fs::read(&kept).unwrap(),
            vec![600_000_usize as u8; 600_000]
        );
        assert_eq!(put(1, 400_000), held(1, 1_000_000));
        assert_eq!(keep(700_000), held(0, 700_000));
        assert_eq!(put(2, 348_577), held(1, 348_577));
        assert_eq!(keep(2 << 20), held(1, 348_577));
        assert!(path.try_exists().unwrap());
    }
}
