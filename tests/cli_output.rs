//! Answers and exit codes of the command line, over text on standard input and over HTTP.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::testkit::{Server, free_port, obsq};

const METRICS: &str = "\
up{job=\"api\",instance=\"a\"} 1
up{job=\"api\",instance=\"b\"} 0
up{job=\"db\",instance=\"c\"} 1
load 0.5
";

/// Runs obsq over the metrics above at a fixed time.
fn run_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut child = obsq(folder)
        .env("OBSQ_NOW", "2026-01-31T12:00:00Z")
        .envs(variables.iter().copied())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    drop(child.stdin.take().unwrap().write_all(METRICS.as_bytes()));
    child.wait_with_output().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    run_in(tempfile::tempdir().unwrap().path(), arguments, &[])
}

fn both(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    format!("exit: {code:?}\n--- stdout\n{out}--- stderr\n{err}")
}

#[test]
fn every_format_of_an_instant_query() {
    let _bound = obsq_snapshots::bind("cli");
    for format in [
        "table", "json", "jsonl", "csv", "tsv", "raw", "markdown", "promql",
    ] {
        let output = run(&["query", "--stdin", "up", "-o", format]);
        insta::assert_snapshot!(format!("query_{format}"), both(&output));
    }
}

#[test]
fn ranges_fields_and_charts() {
    let _bound = obsq_snapshots::bind("cli");
    let range = ["--from", "now-2m", "--step", "1m", "--lookback-delta", "1m"];
    let table = [&["query", "--stdin", "sum by (job) (up)"], range.as_slice()].concat();
    insta::assert_snapshot!("query_range_table", both(&run(&table)));
    let fields = ["query", "--stdin", "up", "--fields", "instance,value"];
    insta::assert_snapshot!("query_fields", both(&run(&fields)));
    let chart = [
        "query",
        "--stdin",
        "time() % 3600",
        "-o",
        "graph",
        "--tz",
        "+02:00",
    ];
    insta::assert_snapshot!("query_graph", both(&run(&chart)));
    let ascii = [chart.as_slice(), &["--ascii"]].concat();
    insta::assert_snapshot!("query_graph_ascii", both(&run(&ascii)));
}

#[test]
fn labels_and_series() {
    let _bound = obsq_snapshots::bind("cli");
    let table: [(&str, &[&str]); 4] = [
        ("labels", &["labels", "--stdin"]),
        (
            "labels_values",
            &["labels", "--stdin", "job", "--match", "up", "-o", "raw"],
        ),
        ("series", &["series", "--stdin", "up", "--limit", "2"]),
        (
            "series_json",
            &["series", "--stdin", "{job=\"db\"}", "-o", "json"],
        ),
    ];
    for (name, arguments) in table {
        let ranged = [arguments, &["--from", "now-1h"]].concat();
        insta::assert_snapshot!(format!("list_{name}"), both(&run(&ranged)));
    }
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let dead = format!("http://127.0.0.1:{}", free_port());
    let table: [(&[&str], i32); 16] = [
        (&["query", "--stdin", "up"], 0),
        (&["query", "--stdin", "sum("], 1),
        (&["query", "--stdin", "up + on(job) up"], 1),
        (&["query", "--stdin"], 2),
        (&["nonsense"], 2),
        (&["query", "--stdin", "--server", "http://x", "up"], 2),
        (&["query", "--stdin", "up", "--at", "yesteryear"], 2),
        (&["query", "--data", "/nowhere/at/all", "up"], 2),
        (&["query", "--server", &dead, "up"], 3),
        (
            &[
                "query",
                "--stdin",
                "up",
                "--limit",
                "1",
                "--fail-on-truncation",
            ],
            5,
        ),
        (&["query", "--stdin", "up", "--limit", "1", "--strict"], 5),
        (&["query", "--stdin", "up", "--limit", "1"], 0),
        (&["query", "--stdin", "nothing", "--exit-status"], 10),
        (&["query", "--stdin", "nothing"], 0),
        (&["fmt", "--check", "sum(up)by(job)"], 1),
        (&["fmt", "--check", "sum by (job) (up)"], 0),
    ];
    for (arguments, expected) in table {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{arguments:?}: {}",
            both(&output)
        );
        let said = output.stderr.is_empty();
        assert!(
            expected == 0 || expected == 10 || !said,
            "{arguments:?} says nothing"
        );
    }
}

#[test]
fn ctrl_c_ends_a_waiting_query_at_once() {
    // Accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let child = obsq(folder.path())
        .args(["query", "up", "--server", &url])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _connection = silent.accept().unwrap();
    let signal = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", both(&output));
}

#[test]
fn a_server_that_does_not_answer_in_time_is_told() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let output = run(&["query", "up", "--server", &url, "--timeout", "100ms"]);
    assert_eq!(output.status.code(), Some(3), "{}", both(&output));
}

#[test]
fn a_read_only_context_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config/obsq");
    std::fs::create_dir_all(&config).unwrap();
    let text = "current_context = \"a\"\n[contexts.a]\nserver = \"http://127.0.0.1:1\"\nread_only = true\n[contexts.b]\ndata = \"/b\"\n";
    std::fs::write(config.join("config.toml"), text).unwrap();
    let run = |arguments: &[&str]| run_in(folder.path(), arguments, &[]);
    let output = run(&["import", "-", "--context", "a"]);
    assert_eq!(output.status.code(), Some(4), "{}", both(&output));
    let _bound = obsq_snapshots::bind("cli");
    insta::assert_snapshot!("ctx_list", both(&run(&["ctx", "list"])));
    assert!(run(&["ctx", "use", "b"]).status.success());
    insta::assert_snapshot!("ctx_show", both(&run(&["ctx", "show"])));
    assert_eq!(run(&["ctx", "use", "c"]).status.code(), Some(2));
}

#[test]
fn errors_are_told_with_place_and_hint() {
    let _bound = obsq_snapshots::bind("cli");
    let table: [(&str, &[&str]); 6] = [
        ("function", &["query", "--stdin", "sum(raet(up[5m]))"]),
        ("time", &["query", "--stdin", "up", "--at", "1h"]),
        ("fmt", &["fmt", "sum by (job (up)"]),
        ("fmt_without_a_query", &["fmt"]),
        ("two_places", &["query", "--stdin", "--data", "x", "up"]),
        ("typo", &["query", "--stdin", "up", "--limmit", "1"]),
    ];
    for (name, arguments) in table {
        insta::assert_snapshot!(format!("error_{name}"), both(&run(arguments)));
    }
}

#[test]
fn a_pipe_and_no_color_get_no_escapes() {
    let folder = tempfile::tempdir().unwrap();
    let escapes = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = run_in(folder.path(), arguments, variables);
        let all = [output.stdout, output.stderr].concat();
        all.contains(&0x1b)
    };
    let commands: [&[&str]; 5] = [
        &["--help"],
        &["query", "--stdin", "up"],
        &["query", "--stdin", "up", "-o", "graph"],
        &["query", "--stdin", "sum("],
        &["query", "--nope"],
    ];
    let terminal = ("OBSQ_FORCE_TTY", "120");
    for command in commands {
        assert!(!escapes(command, &[]), "{command:?} in a pipe");
        for quiet in [("NO_COLOR", "1"), ("TERM", "dumb"), ("OBSQ_COLOR", "never")] {
            assert!(
                !escapes(command, &[terminal, quiet]),
                "{command:?} {quiet:?}"
            );
        }
        let forced = [terminal, ("OBSQ_COLOR", "always")];
        assert!(escapes(command, &forced), "{command:?} forced");
    }
}

#[test]
fn flags_have_variables_and_the_command_line_wins() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("OBSQ_OUTPUT", "raw"), ("OBSQ_LIMIT", "1")];
    let shown = |arguments: &[&str]| {
        let output = run_in(folder.path(), arguments, &variables);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(shown(&["query", "--stdin", "sort(up)"]), "0\n");
    assert_eq!(
        shown(&["query", "--stdin", "load", "-o", "csv"]),
        "__name__,value\nload,0.5\n"
    );
}

#[test]
fn a_server_and_this_process_give_the_same_body() {
    let server = Server::start();
    let folder = server.directory();
    let text = "a_total{x=\"1\"} 1 1769860500\na_total{x=\"1\"} 7 1769860700\nb{y=\"2\"} 3.5 1769860700\n# EOF\n";
    let file = folder.path().join("in.om");
    std::fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    let imported = run_in(
        folder.path(),
        &["import", &path, "--server", &server.url()],
        &[],
    );
    assert!(imported.status.success(), "{}", both(&imported));
    let query = |place: &[&str]| {
        let asked = [
            "query",
            "-o",
            "json",
            "--at",
            "1769860750",
            "{__name__=~\"a_total|b\"}",
        ];
        let output = run_in(folder.path(), &[asked.as_slice(), place].concat(), &[]);
        assert!(output.status.success(), "{}", both(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let over_http = query(&["--server", &server.url()]);
    assert_eq!(over_http.matches("\"metric\"").count(), 2, "{over_http}");
    let exported = folder.path().join("blocks").display().to_string();
    let (range, url) = (["--from", "1769860000", "--to", "1769861000"], server.url());
    let export = ["export", "--server", &url, "--blocks", &exported];
    let output = run_in(folder.path(), &[export.as_slice(), &range].concat(), &[]);
    assert!(output.status.success(), "{}", both(&output));
    let data = server.data().display().to_string();
    assert_eq!(query(&["--data", &exported]), over_http);
    let (code, _kept) = server.terminate();
    assert_eq!(code, Some(0));
    assert_eq!(query(&["--data", &data]), over_http);
}

#[test]
fn promtools_words_reach_our_commands() {
    let server = Server::start();
    let url = server.url();
    let run = |arguments: &[&str]| run_in(server.directory().path(), arguments, &[]);
    let instant = run(&["query", "instant", &url, "vector(1)", "--time", "5"]);
    assert_eq!(String::from_utf8_lossy(&instant.stdout), "{} => 1 @[5]\n");
    let range = [
        "query",
        "range",
        "--start=0",
        "--end=2",
        "--step=1s",
        &url,
        "time()",
    ];
    assert_eq!(
        String::from_utf8_lossy(&run(&range).stdout),
        "{} =>\n0 @[0]\n1 @[1]\n2 @[2]\n"
    );
    assert_eq!(
        run(&["query", "series", &url, "--match", "up"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(run(&["check", "metrics"]).status.code(), Some(1));
}

#[test]
fn cardinality_counts_what_standard_input_holds() {
    let _bound = obsq_snapshots::bind("cli");
    for format in ["table", "json", "csv"] {
        let output = run(&["cardinality", "--stdin", "-o", format, "--limit", "3"]);
        insta::assert_snapshot!(format!("cardinality_{format}"), both(&output));
    }
    let matched = ["cardinality", "--stdin", "--match", "{job=\"api\"}"];
    insta::assert_snapshot!("cardinality_match", both(&run(&matched)));
}

#[test]
fn a_server_is_asked_for_the_cardinality_of_its_head() {
    let server = Server::start();
    let folder = server.directory();
    let file = folder.path().join("in.om");
    std::fs::write(
        &file,
        "a{x=\"1\"} 1 1755777600\na{x=\"2\"} 1 1755777600\n# EOF\n",
    )
    .unwrap();
    let url = server.url();
    let imported = run_in(
        folder.path(),
        &["import", file.to_str().unwrap(), "--server", &url],
        &[],
    );
    assert!(imported.status.success(), "{}", both(&imported));
    let asked = ["cardinality", "--server", &url, "-o", "csv", "--limit", "1"];
    let output = both(&run_in(folder.path(), &asked, &[]));
    assert!(
        output.contains("metric,a,2,series\nlabel,x,2,values\n"),
        "{output}"
    );
}

#[test]
fn wrong_selectors_and_fields_are_told() {
    let _bound = obsq_snapshots::bind("cli");
    let selector = run(&["series", "--stdin", "up{"]);
    insta::assert_snapshot!("series_diagnostic", both(&selector));
    let field = run(&["query", "--stdin", "up", "--fields", "job,nope"]);
    insta::assert_snapshot!("query_unknown_field", both(&field));
    let explained = run(&["explain", "up"]);
    insta::assert_snapshot!("explain_without_source", both(&explained));
}

#[test]
fn an_import_counts_every_refused_sample() {
    let server = Server::start();
    let folder = server.directory();
    let file = folder.path().join("in.om");
    let url = server.url();
    let arguments = ["import", file.to_str().unwrap(), "--server", &url];
    std::fs::write(
        &file,
        "a 1 1755777600\nb 1 1755777600\nc 1 1755777600\n# EOF\n",
    )
    .unwrap();
    let first = run_in(folder.path(), &arguments, &[]);
    assert!(first.status.success(), "{}", both(&first));
    std::fs::write(
        &file,
        "a 2 1755777600\nb 2 1755777600\nc 1 1755777600\n# EOF\n",
    )
    .unwrap();
    let second = run_in(folder.path(), &arguments, &[]);
    assert_eq!(second.status.code(), Some(1));
    let told = both(&second);
    assert!(told.contains("2 samples were refused"), "{told}");
}
