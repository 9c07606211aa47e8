//! Reading directories without a server, or beside one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::testkit::{Server, obsq};

/// Every file with its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

fn imported(server: &Server, text: &str) {
    let folder = server.directory();
    let file = folder.path().join("in.om");
    fs::write(&file, text).unwrap();
    let done = obsq(folder.path())
        .args(["import", "--server", &server.url()])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Asks a data directory and returns standard output.
fn ask(data: &Path, query: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = obsq(folder.path())
        .args(["query", query, "--at", "2025-08-21T12:01:00Z", "-o", "raw"])
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{notes}");
    assert_eq!(notes, "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_data_directory_is_read_beside_its_server() {
    let server = Server::start();
    imported(&server, "a 1 1755777600\na 2 1755777660\n# EOF\n");
    assert_eq!(ask(&server.data(), "a"), "2\n");
    let flushed = server.request("POST", "/flush", &[], &[]);
    assert!(flushed.status < 300, "{}", flushed.text());
    imported(&server, "b 3 1755777660\n# EOF\n");
    assert_eq!(ask(&server.data(), "a + on () b"), "5\n");
}

#[test]
fn reading_a_data_directory_touches_no_file_in_it() {
    let server = Server::start();
    imported(&server, "a 1 1755777600\na 2 1755777660\n# EOF\n");
    let data = server.data();
    let _directory = server.kill();
    let before = tree(&data);
    assert_eq!(ask(&data, "sum_over_time(a[5m])"), "3\n");
    assert!(tree(&data) == before);
}
