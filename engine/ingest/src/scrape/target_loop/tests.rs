//! Single scrapes of a loopback server.

use std::io::Write as _;
use std::net::SocketAddr;

use obsq_model::{Clock, ManualClock};

use super::*;
use crate::scrape::ScraperOptions;
use crate::scrape::groups::TargetGroup;
use crate::scrape::target::{Found, targets_of};
use crate::scrape::testing::{Answer, Recorder, Request, config, serve};

/// A loop that is driven by hand, and what it stores.
struct Bench {
    scraping: TargetLoop,
    recorder: Arc<Recorder>,
}

async fn bench(job: &str, address: SocketAddr) -> Bench {
    let config = config(&format!("- job_name: j\n{job}"))
        .scrape_configs
        .remove(0);
    let group = TargetGroup {
        targets: vec![address.to_string()],
        labels: vec![("instance".to_owned(), "i".to_owned())],
        ..TargetGroup::default()
    };
    let Some(Found::Active(target)) = targets_of(&group, &config).next() else {
        panic!("no target");
    };
    let recorder = Arc::new(Recorder::default());
    let appender: Arc<dyn MetricAppender> = Arc::<Recorder>::clone(&recorder);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_000_000));
    let client = HttpClient::new(&config.http, "obsq/test").await;
    let environment = Environment::new(
        appender,
        Tenant::anonymous(),
        clock,
        ScraperOptions::default(),
    );
    let job = Job {
        client: Arc::new(Mutex::new(client.map_err(|error| error.to_string()))),
        config: Arc::new(config),
        environment: Arc::new(environment),
    };
    Bench {
        scraping: TargetLoop::new(*target, Lasting::default(), job),
        recorder,
    }
}

impl Bench {
    /// Scrapes once and returns the error and what was stored besides the report.
    async fn scrape(&self, at_ms: i64) -> (Option<String>, Vec<String>) {
        let fetched = self.scraping.fetch().await;
        self.scraping.store(fetched, at_ms, Duration::ZERO).await;
        let mut lines = self.recorder.take();
        lines.retain(|line| !line.contains("__name__=\"scrape_"));
        (lock(&self.scraping.lasting.status).error.clone(), lines)
    }

    async fn error(&self) -> String {
        let (error, lines) = self.scrape(1).await;
        assert_eq!(lines, [r#"{__name__="up", instance="i", job="j"} 0 @1"#]);
        error.unwrap()
    }
}

#[tokio::test]
async fn samples_are_stored_and_vanished_ones_marked() {
    let bodies = Mutex::new(vec!["# TYPE a counter\na 1\nb{job=\"x\"} 2\n", "a 3\n", ""]);
    let address = serve(move |_| Answer::text(bodies.lock().unwrap().remove(0))).await;
    let bench = bench("", address).await;
    assert_eq!(
        bench.scrape(100).await,
        (
            None,
            vec![
                r#"{__name__="a", instance="i", job="j"} 1 @100"#.to_owned(),
                r#"{__name__="b", exported_job="x", instance="i", job="j"} 2 @100"#.to_owned(),
                r#"{__name__="up", instance="i", job="j"} 1 @100"#.to_owned(),
                "a: counter".to_owned(),
            ]
        )
    );
    assert_eq!(
        bench.scrape(200).await.1,
        [
            r#"{__name__="a", instance="i", job="j"} 3 @200"#,
            r#"{__name__="b", exported_job="x", instance="i", job="j"} stale @200"#,
            r#"{__name__="up", instance="i", job="j"} 1 @200"#,
        ]
    );
    assert_eq!(
        bench.scrape(300).await.1,
        [
            r#"{__name__="a", instance="i", job="j"} stale @300"#,
            r#"{__name__="up", instance="i", job="j"} 1 @300"#,
        ]
    );
}

#[tokio::test]
async fn failures_say_why_and_count_as_empty() {
    let cases = [
        (
            Answer::status("503 Service Unavailable"),
            "server returned HTTP status 503 Service Unavailable",
        ),
        (Answer::text("not metrics"), "line 1: expected"),
        (
            Answer::text("").header("content-type", "text/html"),
            "received unsupported Content-Type \"text/html\"",
        ),
        (
            Answer::text("a 1\n").header("content-encoding", "gzip"),
            "cannot decompress the answer",
        ),
        (
            Answer::text(&"# x\n".repeat(300)),
            "body size limit exceeded",
        ),
        (Answer::hanging(), "context deadline exceeded"),
    ];
    for (answer, expected) in cases {
        let address = serve(move |_| answer.clone()).await;
        let error = bench("  body_size_limit: 1KB\n  scrape_timeout: 200ms\n", address)
            .await
            .error()
            .await;
        assert!(error.contains(expected), "{error}");
    }
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let error = bench("", nobody).await.error().await;
    assert!(
        error.starts_with("Get \"http://127.0.0.1:1/metrics\": "),
        "{error}"
    );
}

#[tokio::test]
async fn compressed_answers_are_read_within_the_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(b"a 1\n").unwrap();
    let small = encoder.finish().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&b"# x\n".repeat(5_000)).unwrap();
    let bomb = encoder.finish().unwrap();
    let answer = move |request: &Request| {
        assert_eq!(request.headers["accept-encoding"], "gzip");
        let body = if request.path == "/bomb" {
            &bomb
        } else {
            &small
        };
        Answer::text("")
            .body(body.clone())
            .header("content-encoding", "gzip")
    };
    let address = serve(answer).await;
    assert_eq!(
        bench("  body_size_limit: 1KB\n", address)
            .await
            .scrape(1)
            .await
            .1
            .len(),
        2
    );
    let bench = bench("  body_size_limit: 1KB\n  metrics_path: /bomb\n", address).await;
    assert_eq!(bench.error().await, "body size limit exceeded");
}

#[tokio::test]
async fn requests_carry_what_is_configured() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "from-file\n").unwrap();
    let seen: Arc<Mutex<Request>> = Arc::default();
    let shared = Arc::clone(&seen);
    let address = serve(move |request| {
        *shared.lock().unwrap() = request.clone();
        Answer::text("")
    })
    .await;
    let job = format!(
        "  params: {{x: [\"1\"]}}\n  scrape_timeout: 1s500ms\n  http_headers: {{X-A: {{values: [b]}}}}\n  \
         authorization: {{type: Token, credentials_file: {}}}\n",
        token.display()
    );
    assert_eq!(bench(&job, address).await.scrape(1).await.0, None);
    let request = seen.lock().unwrap().clone();
    assert_eq!(request.path, "/metrics?x=1");
    for (name, value) in [
        ("authorization", "Token from-file"),
        ("user-agent", "obsq/test"),
        ("x-prometheus-scrape-timeout-seconds", "1.5"),
        ("x-a", "b"),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    assert!(request.headers["accept"].starts_with("application/openmetrics-text;version=1.0.0"));

    let job = "  basic_auth: {username: u, password: p}\n";
    assert_eq!(bench(job, address).await.scrape(1).await.0, None);
    assert_eq!(seen.lock().unwrap().headers["authorization"], "Basic dTpw");
}

#[tokio::test]
async fn credentials_do_not_follow_redirects_to_another_host() {
    let other = serve(|_| Answer::text("a 1\n")).await;
    let address = serve(move |request| match request.path.as_str() {
        "/away" => Answer::status("302 Found").header("location", &format!("http://{other}/x")),
        "/near" => Answer::status("302 Found").header("location", "/metrics"),
        _ => Answer::text("b 1\n"),
    })
    .await;
    let secret = "  bearer_token: t\n";
    let lines = |path: &str, auth: &str| {
        let job = format!("  metrics_path: {path}\n{auth}");
        async move {
            let (error, lines) = bench(&job, address).await.scrape(1).await;
            (error.is_some(), lines.len())
        }
    };
    assert_eq!(lines("/near", secret).await, (false, 2));
    assert_eq!(lines("/away", "").await, (false, 2));
    assert_eq!(lines("/away", secret).await, (true, 1));
    assert_eq!(
        lines("/near", "  follow_redirects: false\n").await,
        (true, 1)
    );
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_target_that_hangs() {
    let (asked, mut was_asked) = watch::channel(false);
    let address = serve(move |_| {
        asked.send_replace(true);
        Answer::hanging()
    })
    .await;
    let bench = bench("", address).await;
    let (turn, mut turns) = watch::channel(Turn::Run);
    let stop = async {
        was_asked.wait_for(|asked| *asked).await.unwrap();
        turn.send_replace(Turn::Shutdown);
    };
    tokio::join!(bench.scraping.scrape_until_told(&mut turns), stop);
    assert!(bench.recorder.take().is_empty());
}

#[test]
fn scrape_times_snap_to_their_turn() {
    for (now_ms, turn_ms, interval_ms, expected) in [
        (1_001, 1_000, 15_000, 1_000),
        (1_002, 1_000, 15_000, 1_000),
        (1_003, 1_000, 15_000, 1_003),
        (999, 1_000, 15_000, 1_000),
        (1_002, 1_000, 100, 1_002),
    ] {
        assert_eq!(aligned(now_ms, turn_ms, interval_ms), expected);
    }
}
