//! Every help text as it is printed.

use crate::testkit::obsq;

fn printed(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = obsq(folder.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_has_a_help_text() {
    let _bound = obsq_snapshots::bind("cli");
    let commands = [
        "query",
        "labels",
        "series",
        "fmt",
        "explain",
        "import",
        "export",
        "delete",
        "snapshot",
        "restore",
        "verify",
        "serve",
        "cardinality",
        "demo",
        "bench",
        "ctx",
        "config",
        "completions",
        "man",
        "check",
        "tsdb",
    ];
    for command in commands {
        insta::assert_snapshot!(format!("help_{command}"), printed(&[command, "--help"]));
    }
    insta::assert_snapshot!("help_long", printed(&["--help"]));
}

#[test]
fn bare_obsq_prints_the_short_help() {
    let _bound = obsq_snapshots::bind("cli");
    let bare = printed(&[]);
    assert_eq!(bare, printed(&["-h"]));
    insta::assert_snapshot!("help_short", bare);
}

#[test]
fn topics_are_explained() {
    let _bound = obsq_snapshots::bind("cli");
    for topic in ["exit-codes", "times", "environment"] {
        let text = printed(&["help", topic]);
        assert_eq!(text.trim(), printed(&[topic]).trim());
        insta::assert_snapshot!(format!("topic_{topic}"), text);
    }
}

#[test]
fn completions_and_manual_pages_are_made_for_every_shell_and_command() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&["completions", shell]).contains("__complete"));
    }
    assert!(printed(&["completions", "powershell"]).contains("explain"));
    assert!(printed(&["man", "query"]).starts_with(".ie"));
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    std::fs::create_dir(&dir).unwrap();
    let mut command = obsq(folder.path());
    let output = command
        .args(["-q", "man", "--dir"])
        .arg(&dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(dir.join("obsq-ctx-use.1").is_file());
}
