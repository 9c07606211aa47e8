//! Completion in shells, which ask the binary at every Tab.

use std::process::Command;

use crate::testkit::{Server, free_port, obsq};

const TEXT: &str = "\
orders_total{shop=\"north\",status=\"paid\"} 1 1755777600
orders_total{shop=\"south\",status=\"lost\"} 2 1755777600
open_orders 3 1755777600
# EOF
";

fn shop() -> Server {
    let server = Server::start();
    let folder = server.directory();
    let file = folder.path().join("in.om");
    std::fs::write(&file, TEXT).unwrap();
    let imported = obsq(folder.path())
        .args(["import", "-q", "--server", &server.url()])
        .arg(file)
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    server
}

/// What is typed, with which variables, and what is offered.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// Returns the words offered behind `typed`.
fn offered(server: &Server, variables: &[(&str, &str)], typed: &str) -> Vec<String> {
    let output = obsq(server.directory().path())
        .envs(variables.iter().copied())
        .args(["__complete", "fish", "--", typed])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next());
    words.map(str::to_owned).collect()
}

#[test]
fn queries_labels_and_values_come_from_the_server_that_is_named() {
    let server = shop();
    let url = server.url();
    let by_flag = format!("obsq query --server {url} 'sum(ord");
    let data = server.data().display().to_string();
    let table: [Case<'_>; 6] = [
        (&by_flag, &[], &["sum(orders_total"]),
        (
            "obsq series 'orders_total{status=\"",
            &[("OBSQ_SERVER", &url)],
            &["orders_total{status=\"lost", "orders_total{status=\"paid"],
        ),
        (
            "obsq query --since 1h 'sum by (sh",
            &[("OBSQ_SERVER", &url)],
            &["sum by (shop"],
        ),
        (
            "obsq labels s",
            &[("OBSQ_SERVER", &url)],
            &["shop", "status"],
        ),
        ("obsq explain op", &[("OBSQ_DATA", &data)], &["open_orders"]),
        ("cat | obsq query --stdin op", &[("OBSQ_SERVER", &url)], &[]),
    ];
    for (typed, variables, expected) in table {
        // On a busy machine names may come too late once, and are left out then.
        server.wait_for(typed, || offered(&server, variables, typed) == expected);
    }
}

#[test]
fn a_server_that_is_away_leaves_functions_flags_and_contexts() {
    let server = shop();
    let config = server.directory().path().join("config/obsq");
    std::fs::create_dir_all(&config).unwrap();
    let text = format!(
        "current_context = \"prod\"\n[contexts.prod]\nserver = \"http://127.0.0.1:{}\"\n[contexts.stage]\ndata = \"/d\"\n",
        free_port()
    );
    std::fs::write(config.join("config.toml"), text).unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = format!("http://{}", silent.local_addr().unwrap());
    let hangs = format!("obsq query --server {hanging} 'hou");
    let table: [(&str, &[&str]); 6] = [
        ("obsq query 'hou", &["hour("]),
        (&hangs, &["hour("]),
        ("obsq query --context ", &["prod", "stage"]),
        ("obsq ctx use s", &["stage"]),
        ("obsq query --fail", &["--fail-on-truncation"]),
        ("obsq query -o j", &["json", "jsonl"]),
    ];
    for (typed, expected) in table {
        assert_eq!(offered(&server, &[], typed), expected, "{typed}");
    }
}

#[test]
fn scripts_are_as_short_as_they_look() {
    let _bound = obsq_snapshots::bind("cli");
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = obsq(folder.path())
            .args(["completions", shell])
            .output()
            .unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        insta::assert_snapshot!(format!("completions_{shell}"), script);
    }
}

#[test]
fn bash_puts_the_offers_where_readline_takes_them_from() {
    let server = shop();
    let program = env!("CARGO_BIN_EXE_obsq");
    let script = "source <(\"$OBSQ\" completions bash)
        COMP_LINE=\"$LINE\" COMP_POINT=${#LINE} COMP_TYPE=$1
        _obsq \"$OBSQ\" \"$WORD\" \"\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let replied = |line: &str, word: &str, kind: &str| {
        let output = Command::new("bash")
            .args(["-c", script, "bash", kind])
            .envs([("OBSQ", program), ("LINE", line), ("WORD", word)])
            .env("OBSQ_SERVER", server.url())
            .env("XDG_CONFIG_HOME", server.directory().path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let table = [
        ("obsq expl", "expl", "9", "explain\n"),
        ("obsq query --output=js", "js", "9", "json\njsonl\n"),
        // Two of them, for readline would close the quote behind the only one.
        (
            "obsq query 'rate(ord",
            "rate(ord",
            "9",
            "rate(orders_total\nrate(orders_total \n",
        ),
        ("obsq query 'rate(ord", "rate(ord", "63", "orders_total\n"),
    ];
    for (line, word, kind, expected) in table {
        server.wait_for(line, || replied(line, word, kind) == expected);
    }
}
