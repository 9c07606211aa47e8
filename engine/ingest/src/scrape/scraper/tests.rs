//! Whole configurations over loopback servers, from start to stop.

use obsq_model::SystemClock;

use super::super::snapshot::TargetHealth;
use super::super::testing::{Answer, Recorder, config, serve};
use super::*;

fn scraper() -> (Scraper, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let appender: Arc<dyn MetricAppender> = Arc::<Recorder>::clone(&recorder);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = ScraperOptions::default();
    (
        Scraper::new(appender, Tenant::anonymous(), clock, options),
        recorder,
    )
}

fn job(rest: &str) -> String {
    format!("- job_name: j\n  scrape_interval: 50ms\n{rest}")
}

#[tokio::test]
async fn targets_are_scraped_shown_and_marked_when_they_are_gone() {
    let address = serve(|_| Answer::text("# HELP a helps\n# TYPE a gauge\na 1\n")).await;
    let (scraper, recorder) = scraper();
    let jobs = job(&format!(
        "  static_configs: [{{targets: ['{address}', 'x:1'], labels: {{env: t}}}}]\n  \
         relabel_configs: [{{source_labels: [__address__], regex: 'x:.*', action: drop}}]\n"
    ));
    scraper.apply(&config(&jobs).scrape_configs).await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="a""#) && line.contains(" 1 @"))
        .await;
    assert_eq!(scraper.scrape_pools(), ["j"]);
    // The status is set right after the batch is appended.
    let next = recorder.take().len();
    assert!(next > 0);
    recorder
        .wait_for(|line| line.contains(r#"__name__="up""#))
        .await;
    let [pool] = &scraper.targets()[..] else {
        panic!("one pool");
    };
    assert_eq!(
        (pool.name.as_str(), pool.dropped_count, pool.dropped.len()),
        ("j", 1, 1)
    );
    let target = &pool.active[0];
    assert_eq!(target.health, TargetHealth::Up);
    assert_eq!(target.url, format!("http://{address}/metrics"));
    assert_eq!(target.labels.value("env"), "t");
    let metadata = scraper.target_metadata();
    assert_eq!(metadata[0].families[0].1.help, "helps");

    scraper.apply(&[]).await;
    assert!(scraper.targets().is_empty());
    recorder
        .wait_for(|line| line.contains(r#"__name__="a""#) && line.contains("stale"))
        .await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="up""#) && line.contains("stale"))
        .await;
    scraper.shutdown().await;
}

#[tokio::test]
async fn a_changed_configuration_keeps_what_is_known_of_series() {
    let address = serve(|_| Answer::text("a 1\nb 2\n")).await;
    let (scraper, recorder) = scraper();
    let targets = format!("  static_configs: [{{targets: ['{address}']}}]\n");
    scraper.apply(&config(&job(&targets)).scrape_configs).await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="b""#))
        .await;
    let rule = "  metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n";
    let changed = config(&job(&(targets + rule)));
    scraper.apply(&changed.scrape_configs).await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="b""#) && line.contains("stale"))
        .await;
    scraper.shutdown().await;
    let lines = recorder.take();
    assert!(
        !lines
            .iter()
            .any(|line| line.contains(r#"__name__="up""#) && line.contains("stale"))
    );
}

#[tokio::test]
async fn endpoints_list_targets_and_too_many_are_refused() {
    let address = serve(|request| {
        if request.path == "/metrics" {
            Answer::text("a 1\n")
        } else {
            let host = &request.headers["host"];
            let body =
                format!(r#"[{{"targets": ["{host}", "127.0.0.1:1"], "labels": {{"zone": "z"}}}}]"#);
            Answer::text(&body).header("content-type", "application/json; charset=utf-8")
        }
    })
    .await;
    let (scraper, recorder) = scraper();
    let discovery = format!("  http_sd_configs: [{{url: 'http://{address}/sd'}}]\n");
    scraper
        .apply(&config(&job(&discovery)).scrape_configs)
        .await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="a""#) && line.contains(r#"zone="z""#))
        .await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="up""#) && line.contains(" 0 @"))
        .await;

    let limited = config(&job(&(discovery + "  target_limit: 1\n")));
    scraper.apply(&limited.scrape_configs).await;
    recorder
        .wait_for(|line| line.contains(r#"__name__="a""#) && line.contains("stale"))
        .await;
    scraper.shutdown().await;
}
