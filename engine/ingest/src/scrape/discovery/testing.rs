//! What discoveries find, as lines of text.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Update;
use super::listener::Listener;
use crate::config::{Discovery, load};
use crate::scrape::groups::TargetGroup;

/// Returns the discovery that a list with one element describes.
pub(super) fn first_config(key: &str, element: &str) -> Discovery {
    let text = format!("scrape_configs: [{{job_name: j, {key}: [{element}]}}]");
    let mut config = load(Path::new("/x/obsq.yml"), &text).unwrap();
    config.scrape_configs.remove(0).discoveries.remove(0)
}

/// What a discovery finds.
#[derive(Debug)]
pub(super) struct Found(mpsc::Receiver<Update>);

impl Found {
    pub(super) fn new() -> (Self, Listener) {
        let (sender, receiver) = mpsc::channel(4);
        (Self(receiver), Listener::new(0, sender))
    }

    /// Returns the first state for which `wanted` holds: a line for each target, with its labels
    /// that are not empty, sorted.
    pub(super) async fn until(&mut self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let found = async {
            loop {
                let lines = lines(&self.0.recv().await.unwrap().groups);
                if wanted(&lines) {
                    return lines;
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        found.expect("it is found in time")
    }
}

/// Returns a line for each target.
pub(super) fn lines(groups: &[TargetGroup]) -> Vec<String> {
    let mut lines = Vec::new();
    for group in groups {
        let mut labels: Vec<String> = group
            .labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{}={value}", name.trim_start_matches("__meta_")))
            .collect();
        labels.sort();
        for target in &group.targets {
            lines.push(format!("{target} {}", labels.join(" ")));
        }
    }
    lines.sort();
    lines
}
