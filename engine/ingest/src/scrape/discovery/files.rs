//! Target groups in files, read anew when they change.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{MAX_LIST_BYTES, TargetGroup, sourced};
use crate::config::{FileDiscovery, groups_from_text};

/// What was read of the files that match the patterns.
#[derive(Debug)]
pub(super) struct FileWatch {
    config: FileDiscovery,
    files: BTreeMap<PathBuf, KnownFile>,
}

#[derive(Debug, Default)]
struct KnownFile {
    /// Size and time of change when it was read, to see changes.
    stamp: Option<(u64, Option<SystemTime>)>,
    /// What it said when it was last good.
    groups: Vec<TargetGroup>,
}

impl FileWatch {
    pub(super) fn new(config: FileDiscovery) -> Self {
        Self {
            config,
            files: BTreeMap::new(),
        }
    }

    pub(super) fn groups(&self) -> Vec<TargetGroup> {
        self.files
            .values()
            .flat_map(|file| file.groups.clone())
            .collect()
    }

    /// Looks at the files and says whether anything changed. A file that cannot be understood keeps
    /// its last good groups; one that is gone loses them.
    pub(super) async fn read(&mut self) -> bool {
        let mut found = Vec::new();
        for pattern in &self.config.files {
            found.extend(matching(pattern).await);
        }
        let before = self.files.len();
        self.files.retain(|path, _| found.contains(path));
        let mut changed = self.files.len() != before;
        for path in found {
            let file = self.files.entry(path.clone()).or_default();
            match file.refresh(&path).await {
                Ok(file_changed) => changed |= file_changed,
                Err(reason) => {
                    tracing::error!(path = %path.display(), reason, "cannot read targets");
                }
            }
        }
        changed
    }
}

impl KnownFile {
    async fn refresh(&mut self, path: &Path) -> Result<bool, String> {
        let metadata = tokio::fs::metadata(path)
            .await
            .map_err(|error| error.to_string())?;
        let stamp = Some((metadata.len(), metadata.modified().ok()));
        if self.stamp == stamp {
            return Ok(false);
        }
        self.stamp = stamp;
        if metadata.len() > MAX_LIST_BYTES as u64 {
            return Err(format!("the file is larger than {MAX_LIST_BYTES} bytes"));
        }
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| error.to_string())?;
        let groups = groups_from_text(&text).map_err(|error| error.to_string())?;
        let groups = sourced(groups, &path.to_string_lossy(), "__meta_filepath");
        let changed = groups != self.groups;
        self.groups = groups;
        Ok(changed)
    }
}

/// Returns the files of a pattern, whose last segment may have one `*`.
async fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Some((start, end)) = name.split_once('*') else {
        return vec![pattern.to_owned()];
    };
    let directory = pattern.parent().unwrap_or(Path::new("."));
    match list(directory).await {
        Ok(names) => names
            .iter()
            .filter(|name| name.len() >= start.len() + end.len())
            .filter(|name| name.starts_with(start) && name.ends_with(end))
            .map(|name| directory.join(name))
            .collect(),
        Err(error) => {
            tracing::error!(directory = %directory.display(), %error, "cannot list targets");
            Vec::new()
        }
    }
}

async fn list(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(directory).await?;
    while let Some(entry) = entries.next_entry().await? {
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(watch: &FileWatch) -> Vec<String> {
        watch
            .groups()
            .into_iter()
            .flat_map(|group| group.targets)
            .collect()
    }

    #[tokio::test]
    async fn files_are_followed_as_they_come_change_break_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut watch = FileWatch::new(FileDiscovery {
            files: vec![path("t_*.yml"), path("one.json")],
            refresh_interval_ms: 1,
        });
        assert!(!watch.read().await);
        std::fs::write(path("t_a.yml"), "- targets: [a:1]\n").unwrap();
        std::fs::write(path("other.yml"), "- targets: [no:1]\n").unwrap();
        std::fs::write(path("one.json"), r#"[{"targets": ["j:1"]}]"#).unwrap();
        assert!(watch.read().await);
        assert_eq!(targets(&watch), ["j:1", "a:1"]);
        let label = &watch.groups()[1].labels[0];
        assert_eq!(label.0, "__meta_filepath");
        assert!(label.1.ends_with("t_a.yml"));

        assert!(!watch.read().await);
        std::fs::write(path("t_a.yml"), "- targets: [broken\n").unwrap();
        assert!(!watch.read().await);
        assert_eq!(targets(&watch), ["j:1", "a:1"]);
        std::fs::write(path("t_a.yml"), "- targets: [a:1, a:22]\n").unwrap();
        assert!(watch.read().await);
        assert_eq!(targets(&watch), ["j:1", "a:1", "a:22"]);
        std::fs::remove_file(path("t_a.yml")).unwrap();
        assert!(watch.read().await);
        assert_eq!(targets(&watch), ["j:1"]);
    }
}
