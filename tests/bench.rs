//! `obsq bench` against a server of our own.

use std::process::Output;

use serde_json::Value;

use crate::testkit::{Server, free_port, obsq};

fn bench(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = obsq(folder.path());
    command.arg("bench").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn report(output: &Output) -> Value {
    let problem = |error| panic!("{error}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(problem)
}

/// Replaces what differs from run to run, as deep as it lies.
fn redact(value: &mut Value) {
    const STEADY: [&str; 8] = [
        "sent",
        "acked",
        "refused",
        "retries",
        "series",
        "points",
        "samplesPerSeries",
        "intervalMs",
    ];
    match value {
        Value::Array(all) => all.iter_mut().for_each(redact),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Number(_) if !STEADY.contains(&name.as_str()) => {
                        *field = "[number]".into();
                    }
                    Value::String(text) if text.starts_with("http://") => *field = "[url]".into(),
                    other => redact(other),
                }
            }
        }
        _ => {}
    }
}

/// Few series and rounds, so that an unoptimized build is done soon.
const TINY: [&str; 6] = ["--series", "200", "--samples", "45", "--rounds", "2"];

#[test]
fn both_parts_write_ask_and_find_every_answer_right() {
    let server = Server::start();
    let named = format!("own={}", server.url());
    let base = ["--server", named.as_str(), "-o", "json", "--run", "tiny"];
    let second = ["--protocol", "2.0", "--batch", "30", "--connections", "3"];
    let output = bench(&[&base[..], &TINY, &second].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut found = report(&output);
    for query in found["queries"].as_array().unwrap() {
        assert_eq!(query["servers"][0]["answer"], "ok", "{query}");
    }
    redact(&mut found);
    // Where there is no `/proc` the process stays unknown.
    found["servers"][0]["pid"] = "[pid]".into();
    let _bound = obsq_snapshots::bind("cli");
    let shown = serde_json::to_string_pretty(&found).unwrap();
    insta::assert_snapshot!("bench_report", shown);

    // A later run asks about what this one has written, without being told what that was.
    let limits = [
        "--fail-above",
        "M02.p94=10ms",
        "--fail-above",
        "query.p50=0",
    ];
    let output = bench(&["query", "--server", &server.url(), "--rounds", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("M13"),
        "{}",
        text(&output.stdout)
    );
    let wrong = bench(&[&["query", "--server", named.as_str()], &limits[..]].concat());
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    let slow = bench(&[
        "query", "--server", &named, "--rounds", "1", limits[2], limits[3],
    ]);
    assert_eq!(slow.status.code(), Some(1), "{}", text(&slow.stderr));
    assert!(
        text(&slow.stderr).contains("query.p50 is"),
        "{}",
        text(&slow.stderr)
    );
}

#[test]
fn a_wrong_answer_fails() {
    let server = Server::start();
    let url = server.url();
    let output = bench(
        &[
            &["write", "--server", url.as_str(), "--run", "r"],
            &TINY[..4],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // A series too many, as if the server had made it up.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("extra.om");
    let inside = server
        .value("last_over_time(bench_run_written_seconds[1h]) - 100")
        .unwrap();
    std::fs::write(
        &file,
        format!("bench_up{{bench_run=\"r\"}} 1 {inside}\n# EOF\n"),
    )
    .unwrap();
    let import = ["import", "--server", url.as_str()];
    let done = obsq(folder.path())
        .args(import)
        .arg(&file)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let output = bench(&["query", "--server", &url, "--rounds", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("M06: wrong answer"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn queries_of_a_file_are_compared_between_servers() {
    let servers = [Server::start(), Server::start()];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.promql");
    std::fs::write(&file, "# two\nvector(1)\ncount(nothing) or vector(2)\n").unwrap();
    let [a, b] = servers.each_ref().map(Server::url);
    let file = file.to_str().unwrap();
    let arguments = [
        "query",
        "--server",
        &a,
        "--server",
        &b,
        "--queries",
        file,
        "--since",
        "10m",
    ];
    let output = bench(&[&arguments[..], &["-o", "markdown", "--rounds", "2"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("| Q02 |") && shown.contains("geometric mean"),
        "{shown}"
    );
}

#[test]
fn a_server_elsewhere_gets_no_load_unless_that_is_wanted() {
    for url in ["http://192.0.2.1:9090", "http://metrics.example"] {
        let output = bench(&["--server", url]);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(told.contains("--send-load-to-remote"), "{told}");
    }
    let output = bench(&["write", "--write-url", "http://192.0.2.1/write"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_cannot_be_measured_has_the_exit_code_of_its_kind() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let output = bench(&[&["--server", nobody.as_str()], &TINY[..]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let server = Server::start();
    let output = bench(&["query", "--server", &server.url()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("holds nothing of `obsq bench write`"));
    let url = server.url();
    let late = ["--duration", "1ms", "--samples", "1000", "--run", "short"];
    let output = bench(&[&["--server", url.as_str(), "--series", "100"], &late[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("samples/s"));
    assert!(text(&output.stderr).contains("fewer than 5 samples"));
    let path = ["write", "--server", url.as_str(), "--write-url", "/nowhere"];
    let output = bench(&[&path[..], &TINY[..4]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    for usage in [
        ["--samples", "4"],
        ["--interval", "1h"],
        ["--run", "a b"],
        ["--fail-above", "M99.p95=1"],
        ["--queries", "/nowhere/at/all"],
    ] {
        assert_eq!(bench(&usage).status.code(), Some(2), "{usage:?}");
    }
}
