//! Damaged segments, kept for whoever wants to know what happened.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::segment::{list_segments, segment_path};
use crate::vfs::Vfs;

/// Returns where the damaged segments of the log in `directory` are kept.
pub(crate) fn quarantine_directory(directory: &Path) -> PathBuf {
    directory.join("quarantine")
}

/// What lies in a quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quarantined {
    pub(crate) segments: u64,
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
    let kept_in = quarantine_directory(directory);
    let created = vfs.create_dir_all(&kept_in);
    created.map_err(Error::io("create", &kept_in))?;
    let size = size_of(vfs, &path)?;
    let mut held = look(vfs, directory)?;
    for number in list_segments(vfs, &kept_in)? {
        if held.bytes.saturating_add(size) <= limit_bytes {
            break;
        }
        let oldest = segment_path(&kept_in, number);
        let bytes = size_of(vfs, &oldest)?;
        let removed = vfs.remove_file(&oldest);
        removed.map_err(Error::io("remove", &oldest))?;
        held.segments -= 1;
        held.bytes = held.bytes.saturating_sub(bytes);
        tracing::warn!(path = %oldest.display(), "removed an old damaged segment to make room for a newer one");
    }
    if size > limit_bytes {
        tracing::warn!(path = %path.display(), size, "removing a damaged segment that is too long to be kept");
        let removed = vfs.remove_file(&path);
        removed.map_err(Error::io("remove", &path))?;
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

/// Returns what lies in the quarantine of the log in `directory`.
pub(crate) fn look(vfs: &dyn Vfs, directory: &Path) -> Result<Quarantined, Error> {
    let kept_in = quarantine_directory(directory);
    let mut held = Quarantined::default();
    for number in list_segments(vfs, &kept_in)? {
        held.segments += 1;
        held.bytes += size_of(vfs, &segment_path(&kept_in, number))?;
    }
    Ok(held)
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
}
