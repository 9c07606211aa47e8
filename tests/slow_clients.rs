//! Clients that send and take little must not keep others out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use obsq_model::Sample;
use obsq_source::MetricBatch;

use crate::prom_api::{series, write};
use crate::testkit::Server;

/// More than fit into what connections were once limited to.
const SILENT: usize = 560;
const SLOW_READERS: usize = 20;
/// What a light query may take at most while other tests keep the machine busy.
const LONGEST: Duration = Duration::from_secs(5);

/// Opens a connection, sends `request` and reads nothing.
fn open(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Asks a light query on a connection of its own; fails when the answer takes too long.
fn ask(server: &Server) -> String {
    let request = "GET /api/v1/query?query=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut stream = open(server, request);
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer in time");
    answer
}

#[test]
fn slow_clients_do_not_keep_a_light_query_waiting() {
    let server = Server::start();
    let text = "x".repeat(8_000);
    let stored = (0..2_000).map(|number| {
        let labels = [
            ("__name__", "wide"),
            ("n", &format!("{number}")),
            ("text", &text),
        ];
        series(&labels, vec![Sample::float(1_700_000_000_000, 1.0)])
    });
    let batch = MetricBatch {
        series: stored.collect(),
        metadata: Vec::new(),
    };
    assert_eq!(write(&server, &batch).status, 204);
    let silent: Vec<_> = (0..SILENT)
        .map(|_| open(&server, "GET /api/v1/query?que"))
        .collect();
    let wide = "GET /api/v1/series?match[]=wide&start=1600000000&end=1800000000 HTTP/1.1\r\n\
                host: x\r\n\r\n";
    let readers: Vec<_> = (0..SLOW_READERS).map(|_| open(&server, wide)).collect();
    // Evaluating has its own queue; what counts here is what comes after it.
    server.wait_for("answers that wait in memory", || {
        let page = server.get("/metrics").text();
        let holds = |name: &str, value: &str| page.contains(&format!("\n{name} {value}\n"));
        holds("obsq_queries_waiting", "0")
            && holds("obsq_queries_running", "0")
            && !holds("obsq_http_unsent_bytes", "0")
    });
    for _ in 0..20 {
        let answer = ask(&server);
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    drop((silent, readers));
    server.wait_for("room for others", || {
        let page = server.get("/metrics").text();
        page.contains("\nobsq_http_unsent_bytes 0\n")
    });
}
