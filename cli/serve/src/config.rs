//! The configuration that is in force.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use obsq_ingest::config::{Config, ConfigError, load};
use obsq_metrics::Retention;
use obsq_model::Labels;

use crate::{ServeError, ServeOptions};

/// A configuration file may have this many bytes.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// How many exemplars the store keeps for each tenant.
const KEPT_EXEMPLARS: usize = 100_000;

/// A configuration, and what follows from it together with the flags.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Labels that identify this server to others; those of the flags win.
    pub(crate) external_labels: Labels,
}

impl Loaded {
    /// Reads the configuration that the flags name; without one there are only defaults.
    pub(crate) fn read(options: &ServeOptions) -> Result<Self, ServeError> {
        let config = match &options.config_file {
            None => Config::default(),
            Some(path) => read_file(path)?,
        };
        let pairs = config.global.external_labels.iter();
        let pairs: Vec<_> = pairs.chain(&options.external_labels).cloned().collect();
        Ok(Self {
            external_labels: Labels::from_pairs(&pairs),
            config,
        })
    }

    /// Returns what is kept; a flag wins over what the file says of the same. 0 is no limit.
    pub(crate) fn retention(&self, options: &ServeOptions) -> Retention {
        let configured = &self.config.storage;
        let time_ms = options.retention_time.map(|time| time.as_millis() as i64);
        Retention {
            time_ms: time_ms
                .or(configured.retention_time_ms)
                .filter(|time_ms| *time_ms > 0),
            bytes: options
                .retention_bytes
                .or(configured.retention_size_bytes)
                .filter(|bytes| *bytes > 0),
            percentage: configured.retention_percentage,
        }
    }
}

fn read_file(path: &Path) -> Result<Config, ServeError> {
    let refused = |problem: String| ServeError::Config {
        path: path.to_owned(),
        problem,
    };
    let unreadable = |error: std::io::Error| refused(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let read = file.take(MAX_FILE_BYTES).read_to_string(&mut text);
    read.map_err(unreadable)?;
    let config = load(path, &text).map_err(|problems| refused(list(path, &problems)))?;
    match config.storage.max_exemplars {
        None | Some(KEPT_EXEMPLARS) => Ok(config),
        Some(_) => Err(refused(format!(
            "{}: `storage.exemplars.max_exemplars` cannot be chosen: the newest {KEPT_EXEMPLARS} of \
             each tenant are kept",
            path.display()
        ))),
    }
}

/// One line for each problem: file, line, column, what is wrong.
pub(crate) fn list(path: &Path, problems: &[ConfigError]) -> String {
    let lines = problems
        .iter()
        .map(|problem| format!("{}:{problem}", path.display()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Loaded, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("obsq.yml");
        fs::write(&path, text).unwrap();
        let options = ServeOptions {
            config_file: Some(path.clone()),
            external_labels: vec![("zone".into(), "flag".into())],
            retention_time: Some(std::time::Duration::from_hours(1)),
            ..ServeOptions::default()
        };
        let text = path.display().to_string();
        Loaded::read(&options).map_err(|error| error.to_string().replace(&text, "obsq.yml"))
    }

    #[test]
    fn labels_of_flags_win_over_those_of_the_file() {
        let loaded = read("global: {external_labels: {zone: file, cluster: a}}").unwrap();
        let expected = Labels::from_pairs(&[("cluster", "a"), ("zone", "flag")]);
        assert_eq!(loaded.external_labels, expected);
    }

    #[test]
    fn a_retention_of_0_keeps_everything() {
        let loaded = read("storage: {tsdb: {retention: {size: 1GB, time: 1h}}}").unwrap();
        let options = ServeOptions {
            retention_time: Some(std::time::Duration::ZERO),
            retention_bytes: Some(0),
            ..ServeOptions::default()
        };
        let kept = loaded.retention(&options);
        assert_eq!((kept.time_ms, kept.bytes), (None, None));
        let kept = loaded.retention(&ServeOptions::default());
        assert_eq!((kept.time_ms, kept.bytes), (Some(3_600_000), Some(1 << 30)));
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let error = read("global:\n  nosuch: 1\nremote_read: [{url: x}]\n").unwrap_err();
        assert!(
            error.starts_with("cannot use the configuration:\nobsq.yml:2:3: "),
            "{error}"
        );
        assert!(error.contains("\nobsq.yml:3:1: "), "{error}");
        let one = read("global:\n  nosuch: 1\n").unwrap_err();
        let expected =
            "cannot use the configuration: obsq.yml:2:3: unknown key `nosuch` in `global`";
        assert_eq!(one, expected);
        let chosen = read("storage: {exemplars: {max_exemplars: 5}}").unwrap_err();
        assert!(chosen.contains("max_exemplars"), "{chosen}");
        assert!(read("storage: {exemplars: {max_exemplars: 100000}}").is_ok());
        let missing = ServeOptions {
            config_file: Some("/nosuch/obsq.yml".into()),
            ..ServeOptions::default()
        };
        let error = Loaded::read(&missing).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains("No such file"),
            "{error}"
        );
    }
}
