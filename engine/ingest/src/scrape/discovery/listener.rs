//! Who listens to a discovery.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Update;
use crate::scrape::groups::TargetGroup;

/// The way from a discovery to its pool; passes on only what is new.
#[derive(Debug)]
pub(super) struct Listener {
    index: usize,
    updates: mpsc::Sender<Update>,
    last: Option<Vec<TargetGroup>>,
}

/// Nobody listens any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Listener {
    pub(super) fn new(index: usize, updates: mpsc::Sender<Update>) -> Self {
        Self {
            index,
            updates,
            last: None,
        }
    }

    /// Tells everything that is found now.
    pub(super) async fn tell(&mut self, groups: Vec<TargetGroup>) -> Result<(), Gone> {
        if self.last.as_ref() == Some(&groups) {
            return Ok(());
        }
        self.last = Some(groups.clone());
        let update = Update {
            discovery: self.index,
            groups,
        };
        self.updates.send(update).await.map_err(|_closed| Gone)
    }

    /// Waits, unless nobody listens any more.
    pub(super) async fn wait(&self, duration: Duration) -> Result<(), Gone> {
        tokio::select! {
            () = sleep(duration) => Ok(()),
            () = self.updates.closed() => Err(Gone),
        }
    }

    /// Asks again and again and tells what is found; what fails leaves everything as it was.
    pub(super) async fn poll(
        mut self,
        interval_ms: i64,
        what: &str,
        mut asked: impl Ask,
    ) -> Result<(), Gone> {
        let interval = Duration::from_millis(interval_ms.max(1).unsigned_abs());
        loop {
            match asked.ask().await {
                Ok(groups) => self.tell(groups).await?,
                Err(reason) => tracing::error!(discovery = what, reason, "cannot refresh targets"),
            }
            self.wait(interval).await?;
        }
    }
}

/// Something that is asked again and again.
pub(super) trait Ask: Send {
    /// Returns everything that is found now.
    fn ask(&mut self) -> impl Future<Output = Result<Vec<TargetGroup>, String>> + Send;
}

/// Returns a group with one target of its own.
pub(super) fn single(source: String, labels: Vec<(String, String)>) -> TargetGroup {
    let is_address = |(name, _): &&(String, String)| name == "__address__";
    let address = labels.iter().find(is_address);
    let target = address.map(|(_, address)| address.clone());
    TargetGroup {
        source,
        targets: target.into_iter().collect(),
        labels: labels
            .into_iter()
            .filter(|(name, _)| name != "__address__")
            .collect(),
    }
}

/// Returns a name with everything that label names may not have replaced.
pub(super) fn label_part(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}

/// Joins a host, which may be an IPv6 address, and a port.
pub(super) fn host_port(host: &str, port: impl std::fmt::Display) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
