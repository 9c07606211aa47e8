//! Damage is noticed, or it does no harm.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::Error;

/// Opens the block and reads everything.
fn read(path: &Path) -> Result<Model, Error> {
    let cache = Arc::new(BlockCache::new(1 << 20));
    let block = Block::open(&disk(), path, &cache)?;
    let mut found = Model::new();
    for matchers in [
        &[][..],
        &[Matcher::equal("__name__", "up")],
        &[Matcher::equal("job", "")],
    ] {
        for series in block.select(matchers, TimeRange::ALL)? {
            let mut samples = Vec::new();
            block.read_exact(&series, TimeRange::ALL, &mut samples)?;
            found.insert(series.labels, samples);
        }
    }
    block.verify()?;
    Ok(found)
}

fn files(path: &Path) -> Vec<PathBuf> {
    ["index", "chunks/000001", "tombstones"]
        .iter()
        .map(|name| path.join(name))
        .collect()
}

#[test]
fn a_flipped_bit_is_an_error_that_names_the_file_or_does_no_harm() {
    let directory = TempDir::new().unwrap();
    let model = small_model();
    let meta = write(directory.path(), &model, spec(1));
    let path = directory.path().join(meta.ulid.to_string());
    for file in files(&path) {
        let bytes = fs::read(&file).unwrap();
        // All of a short file, a part of a long one.
        for bit in (0..bytes.len() * 8).step_by((bytes.len() / 150).max(1)) {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &broken).unwrap();
            match read(&path) {
                Ok(found) => assert_eq!(found, model, "{} bit {bit}", file.display()),
                Err(Error::Corrupt { path, .. } | Error::Version { path, .. }) => {
                    assert_eq!(path, file, "bit {bit}");
                }
                Err(error) => panic!("{} bit {bit}: {error:?}", file.display()),
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(read(&path).unwrap(), model);
}

#[test]
fn a_cut_file_is_an_error() {
    let directory = TempDir::new().unwrap();
    let meta = write(directory.path(), &small_model(), spec(1));
    let path = directory.path().join(meta.ulid.to_string());
    for file in files(&path) {
        let bytes = fs::read(&file).unwrap();
        for length in (0..bytes.len()).step_by((bytes.len() / 60).max(1)) {
            fs::write(&file, &bytes[..length]).unwrap();
            assert!(read(&path).is_err(), "{} cut to {length}", file.display());
        }
        fs::write(&file, &bytes).unwrap();
    }
}

#[test]
fn a_meta_that_is_none_and_one_of_another_version_are_refused() {
    let directory = TempDir::new().unwrap();
    let meta = write(directory.path(), &small_model(), spec(1));
    let path = directory.path().join(meta.ulid.to_string());
    let file = path.join("meta.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, "{}").unwrap();
    assert!(matches!(read(&path), Err(Error::Meta { .. })));
    fs::write(&file, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    assert!(matches!(read(&path), Err(Error::Version { found: 2, .. })));
}
