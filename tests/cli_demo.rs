//! `obsq demo` with a short history.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::testkit::obsq;

#[test]
fn the_demo_has_history_is_live_and_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    for again in [false, true] {
        let mut child = obsq(folder.path())
            .args(["demo", "--http", "127.0.0.1:0", "--history", "20m"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = out.next().unwrap().unwrap();
        let url = first.strip_prefix("listening on ").unwrap().to_owned();
        let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
        // The second time there is too little to write to be worth a word.
        if !again {
            let done = err
                .by_ref()
                .map_while(Result::ok)
                .find(|line| line.contains("history is complete"));
            assert!(done.is_some());
        }
        let query = |text: &str| {
            let mut command = obsq(folder.path());
            let output = command
                .args(["query", "-o", "raw", "--server", &url, text])
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            let shown = String::from_utf8(output.stdout).unwrap();
            shown.trim().parse::<f64>().unwrap_or(0.0)
        };
        assert!(query("sum(rate(http_requests_total[5m]))") > 100.0);
        assert!(query("count(count by (service) (http_requests_total))") >= 4.0);
        assert!(query("histogram_count(sum(payment_duration_seconds))") > 0.0);
        assert!(folder.path().join("share/obsq/demo/demo.json").is_file());
        let stopped = std::process::Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        assert!(stopped.unwrap().success());
        assert!(child.wait().unwrap().success());
    }
}
