use super::*;
use crate::vfs::read_file;

fn path(name: &str) -> &Path {
    Path::new(name)
}

fn write(vfs: &SimVfs, name: &str, bytes: &[u8]) -> Box<dyn VfsFile> {
    let file = vfs.create(path(name)).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// Returns what `look` finds after many power cuts, each finding once.
fn findings<T: Ord>(vfs: &SimVfs, look: impl Fn(&SimVfs) -> T) -> BTreeSet<T> {
    let image = vfs.image();
    (0..400)
        .map(|seed| look(&image.after_power_cut(seed)))
        .collect()
}

fn content(vfs: &SimVfs, name: &str) -> Option<Vec<u8>> {
    read_file(vfs, path(name), 1 << 20).ok()
}

#[test]
fn what_is_synced_with_its_name_survives_and_the_rest_may_or_may_not() {
    let vfs = SimVfs::new(1);
    vfs.create_dir_all(path("/a/b")).unwrap();
    let file = write(&vfs, "/a/b/synced", b"one");
    file.sync().unwrap();
    let named = |vfs: &SimVfs| vfs.exists(path("/a/b/synced")).unwrap();
    assert_eq!(findings(&vfs, named), [false, true].into());
    vfs.sync_dir(path("/a/b")).unwrap();
    assert_eq!(findings(&vfs, named), [true].into());
    file.write_all_at(b"two", 0).unwrap();
    let read = |vfs: &SimVfs| content(vfs, "/a/b/synced").unwrap();
    assert_eq!(findings(&vfs, read).len(), 2);
    file.sync().unwrap();
    assert_eq!(findings(&vfs, read), [b"two".to_vec()].into());
}

#[test]
fn a_write_is_torn_between_sectors() {
    let vfs = SimVfs::new(1);
    let file = write(&vfs, "/f", &[1; 2048]);
    file.sync().unwrap();
    vfs.sync_dir(path("/")).unwrap();
    file.write_all_at(&[2; 2048], 0).unwrap();
    let found = findings(&vfs, |vfs| content(vfs, "/f").unwrap());
    assert!(found.len() > 8, "{}", found.len());
    for bytes in found {
        let (sectors, rest) = bytes.as_chunks::<512>();
        assert!(rest.is_empty());
        assert!(sectors.iter().all(|s| *s == [1; 512] || *s == [2; 512]));
    }
}

#[test]
fn a_rename_is_wholly_there_or_not_at_all() {
    let vfs = SimVfs::new(1);
    for (name, bytes) in [("/new", b"new"), ("/old", b"old")] {
        write(&vfs, name, bytes).sync().unwrap();
    }
    vfs.sync_dir(path("/")).unwrap();
    vfs.rename(path("/new"), path("/old")).unwrap();
    assert_eq!(content(&vfs, "/old").unwrap(), b"new");
    let found = findings(&vfs, |vfs| {
        (content(vfs, "/new"), content(vfs, "/old").unwrap())
    });
    let before = (Some(b"new".to_vec()), b"old".to_vec());
    assert_eq!(found, [before, (None, b"new".to_vec())].into());
}

#[test]
fn removed_names_come_back_one_by_one_until_the_directory_is_synced() {
    let vfs = SimVfs::new(1);
    vfs.create_dir_all(path("/d/e")).unwrap();
    for name in ["/d/1", "/d/e/2"] {
        drop(write(&vfs, name, b"x"));
    }
    for directory in ["/d/e", "/d"] {
        vfs.sync_dir(path(directory)).unwrap();
    }
    vfs.remove_dir_all(path("/d")).unwrap();
    assert!(!vfs.exists(path("/d")).unwrap());
    let found = findings(&vfs, |vfs| {
        ["/d", "/d/1", "/d/e"].map(|name| vfs.exists(path(name)).unwrap())
    });
    assert!(found.contains(&[false, false, false]) && found.contains(&[true, true, true]));
    assert!(found.contains(&[true, false, true]));
    vfs.sync_dir(path("/")).unwrap();
    assert_eq!(
        findings(&vfs, |vfs| vfs.exists(path("/d")).unwrap()),
        [false].into()
    );
}

#[test]
fn a_failed_sync_loses_its_bytes_and_the_next_one_does_not_bring_them_back() {
    let vfs = SimVfs::new(1);
    let file = write(&vfs, "/f", &[1; 4096]);
    file.sync().unwrap();
    vfs.sync_dir(path("/")).unwrap();
    file.write_all_at(&[2; 4096], 0).unwrap();
    let call = vfs.calls() + 1;
    vfs.plan_faults(vec![PlannedFault {
        kind: Some(FaultKind::Sync),
        from_call: call,
        through_call: call,
        error: ErrorKind::Other,
    }]);
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(content(&vfs, "/f").unwrap(), [2; 4096], "still in memory");
    let found = findings(&vfs, |vfs| content(vfs, "/f").unwrap());
    assert_eq!(found.len(), 1, "decided when it failed");
    assert!(!found.contains([2; 4096].as_slice()));
    file.write_all_at(&[3; 512], 0).unwrap();
    file.sync().unwrap();
    let found = findings(&vfs, |vfs| content(vfs, "/f").unwrap());
    assert!(found.iter().all(|bytes| bytes.starts_with(&[3; 512])));
}

#[test]
fn a_full_disk_takes_a_part_and_says_so() {
    let vfs = SimVfs::new(1);
    let file = write(&vfs, "/f", &[1; 700]);
    vfs.set_capacity(Some(1000));
    let error = file.write_all_at(&[2; 700], 700).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(file.size().unwrap() <= 1000);
    assert!(vfs.space(path("/")).unwrap().free_bytes <= 300);
    file.write_all_at(&[3; 700], 0).unwrap();
    vfs.set_capacity(None);
    file.write_all_at(&[2; 700], 700).unwrap();
}

#[test]
fn images_are_taken_before_calls_and_the_same_seed_repeats_the_losses() {
    let vfs = SimVfs::new(1);
    vfs.watch();
    drop(write(&vfs, "/f", &[9; 3000]));
    let images = vfs.take_images();
    let calls: Vec<_> = images.iter().map(|image| image.calls).collect();
    assert_eq!(calls, [0, 1]);
    assert!(vfs.take_images().is_empty());
    assert_eq!(vfs.image().after_power_cut(1).calls(), 2);
    for seed in 0..50 {
        let again = || vfs.image().after_power_cut(seed).files();
        assert_eq!(again(), again());
    }
    assert_eq!(vfs.image().after_kill().files(), vfs.files());
}

#[test]
fn a_directory_whose_maker_was_killed_before_its_sync_is_synced_by_the_next() {
    let vfs = SimVfs::new(1);
    vfs.create_dir_all(path("/a")).unwrap();
    vfs.create_dir(path("/a/b")).unwrap();
    let vfs = vfs.image().after_kill();
    vfs.create_dir_all(path("/a/b")).unwrap();
    write(&vfs, "/a/b/f", b"x").sync().unwrap();
    vfs.sync_dir(path("/a/b")).unwrap();
    let read = |vfs: &SimVfs| content(vfs, "/a/b/f");
    assert_eq!(findings(&vfs, read), [Some(b"x".to_vec())].into());
}

#[test]
fn a_lock_is_held_by_one() {
    let vfs = SimVfs::new(1);
    let first = vfs.lock(path("/LOCK")).unwrap();
    assert!(first.is_some());
    assert!(vfs.lock(path("/LOCK")).unwrap().is_none());
    drop(first);
    assert!(vfs.lock(path("/LOCK")).unwrap().is_some());
}
