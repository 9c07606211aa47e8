//! What ARCHITECTURE.md promises about the crates, checked against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Reads the table of ARCHITECTURE.md: crate → crates it may depend on.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut table: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| obsq")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _folder, dependencies] = cells[..] else {
            panic!("not three cells: {line}")
        };
        let dependencies = match dependencies {
            "all of the above" => table.keys().cloned().collect(),
            list => list
                .split(", ")
                .filter(|name| !name.is_empty())
                .map(String::from)
                .collect(),
        };
        table.insert(name.to_owned(), dependencies);
    }
    table
}

/// Reads the real edges between our own crates, development dependencies left out.
fn actual() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let is_ours = |name: &String| name.starts_with("obsq");
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let built = dependencies.filter(|dependency| dependency["kind"] != "dev");
            (name(package), built.map(name).filter(is_ours).collect())
        })
        .collect()
}

#[test]
fn crates_depend_only_downwards_as_the_architecture_allows() {
    let allowed = allowed();
    assert!(
        allowed.len() > 5,
        "the table of ARCHITECTURE.md was not understood"
    );
    for (name, dependencies) in actual() {
        let may = allowed
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not in ARCHITECTURE.md"));
        let extra: Vec<_> = dependencies.difference(may).collect();
        assert!(extra.is_empty(), "{name} must not depend on {extra:?}");
    }
}

#[test]
fn no_second_tls_stack_and_no_deprecated_yaml_is_locked() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for banned in [
        "aws-lc-sys",
        "openssl-sys",
        "native-tls",
        "serde_yaml",
        "bindgen",
        "cmake",
    ] {
        assert!(
            !lock.contains(&format!("name = \"{banned}\"")),
            "{banned} is in Cargo.lock"
        );
    }
}

#[test]
fn every_crate_has_a_room_in_the_code_map() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for name in actual().keys() {
        assert!(
            text.contains(&format!("| {name} |")),
            "{name} has no row in ARCHITECTURE.md"
        );
    }
}

#[test]
fn what_is_forbidden_everywhere_is_forbidden_in_the_engine_too() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let engine = read("engine/clippy.toml");
    for line in read("clippy.toml").lines() {
        assert!(engine.contains(line), "engine/clippy.toml lacks {line}");
    }
}
