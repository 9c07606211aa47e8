//! promtool's words over servers and files.

use std::io::{Read as _, Write as _};
use std::process::Output;

use crate::testkit::{Server, free_port, obsq};

fn run(server: &Server, arguments: &[&str]) -> Output {
    let folder = server.directory();
    obsq(folder.path()).args(arguments).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn servers_are_checked_for_health() {
    let server = Server::start();
    let url = server.url();
    for state in ["healthy", "ready"] {
        let output = run(&server, &["check", state, "--url", &url]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(told(&output), format!("{url} is {state}\n"));
    }
    let dead = format!("http://127.0.0.1:{}", free_port());
    let output = run(&server, &["check", "ready", "--url", &dead]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let elsewhere = format!("{url}/nowhere");
    let output = run(&server, &["check", "healthy", "--url", &elsewhere]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("is not healthy: status 404"),
        "{}",
        told(&output)
    );
}

#[test]
fn metrics_are_pushed_with_a_label() {
    let server = Server::start();
    let file = server.directory().path().join("x.prom");
    std::fs::write(&file, "pushed 7\n").unwrap();
    let url = format!("{}/api/v1/write", server.url());
    let file = file.display().to_string();
    let output = run(&server, &["push", "metrics", &url, &file]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(
        server.value("pushed{job=\"promtool\"}").as_deref(),
        Some("7")
    );
    let labelled = ["push", "metrics", "--label=a=b", "--label=c=d", &url, &file];
    assert!(run(&server, &labelled).status.success());
    assert_eq!(
        server.value("pushed{a=\"b\",c=\"d\",job=\"\"}").as_deref(),
        Some("7")
    );
    let wrong = run(&server, &["push", "metrics", "--label=a", &url, &file]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_receiver_that_does_not_count_gets_the_first_version_as_well() {
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", receiver.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut versions = Vec::new();
        for _request in 0..2 {
            let (mut connection, _from) = receiver.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !String::from_utf8_lossy(&request).contains("\r\n\r\n") {
                let read = connection.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let (_, rest) = text.split_once("remote-write-version: ").unwrap();
            versions.push(rest[..5].to_owned());
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            connection.write_all(answer).unwrap();
        }
        versions
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.prom");
    std::fs::write(&file, "pushed 7\n").unwrap();
    let output = obsq(folder.path())
        .args(["import", "--server", &url])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(told(&output), "imported 1 sample\n");
    assert_eq!(serving.join().unwrap(), ["2.0.0", "0.1.0"]);
}

#[test]
fn blocks_are_made_of_text_and_listed() {
    let server = Server::start();
    let folder = server.directory();
    let (file, blocks) = (folder.path().join("x.om"), folder.path().join("blocks"));
    let text = "# TYPE a counter\na_total 1 1755777600\na_total 5 1755864000\n# EOF\n";
    std::fs::write(&file, text).unwrap();
    let (file, blocks) = (file.display().to_string(), blocks.display().to_string());
    let made = run(
        &server,
        &["tsdb", "create-blocks-from", "openmetrics", &file, &blocks],
    );
    assert!(made.status.success(), "{}", told(&made));
    assert_eq!(told(&made), "wrote 2 blocks with 2 samples\n");
    let listed = run(&server, &["tsdb", "list", "-o", "json", &blocks]);
    let list: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let times: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["minTime"])
        .collect();
    assert_eq!(times, [1_755_777_600_000_i64, 1_755_864_000_000]);
    let empty = folder.path().join("empty.om").display().to_string();
    std::fs::write(&empty, "# EOF\n").unwrap();
    let none = run(
        &server,
        &["tsdb", "create-blocks-from", "openmetrics", &empty, &blocks],
    );
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn a_typing_error_in_a_query_that_matches_nothing_is_named() {
    let server = Server::start();
    let file = server.directory().path().join("x.prom");
    std::fs::write(&file, "orders_total{status=\"paid\"} 7\n").unwrap();
    let (url, file) = (server.url(), file.display().to_string());
    assert!(
        run(&server, &["import", "--server", &url, &file])
            .status
            .success()
    );
    let table = [
        (
            "rate(order_total[5m])",
            "nothing matched\nhint: there is no metric `order_total`; did you mean `orders_total`?\n",
        ),
        (
            "orders_total{status=\"piad\"}",
            "nothing matched\nhint: no `orders_total` has the status `piad`; did you mean `paid`?\n",
        ),
        ("orders_total < 7", "nothing matched\n"),
    ];
    for (query, expected) in table {
        let output = run(&server, &["query", "--server", &url, query]);
        assert_eq!(told(&output), expected, "{query}");
        assert_eq!(output.status.code(), Some(0));
        let quiet = run(&server, &["query", "-q", "--server", &url, query]);
        assert_eq!(told(&quiet), "");
    }
}
