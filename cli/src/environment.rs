//! The process environment, read once so that tests can bring their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Environment variables whose names and values are valid Unicode.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Returns the value of `name`; an empty value counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the path that `name` holds.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Returns obsq's folder below the user's configuration directory.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        self.xdg("XDG_CONFIG_HOME", BaseStrategy::config_dir)
    }

    /// Returns obsq's folder below the user's data directory.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.xdg("XDG_DATA_HOME", BaseStrategy::data_dir)
    }

    fn xdg(
        &self,
        variable: &str,
        base: impl Fn(&etcetera::base_strategy::Xdg) -> PathBuf,
    ) -> Option<PathBuf> {
        let given = self.path(variable).filter(|path| path.is_absolute());
        let root = given.or_else(|| {
            let known = etcetera::base_strategy::Xdg::new().ok()?;
            Some(base(&known))
        })?;
        Some(root.join("obsq"))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let owned = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(owned.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment = Environment::from([("NO_COLOR", ""), ("TERM", "dumb")]);
        assert_eq!(environment.get("NO_COLOR"), None);
        assert_eq!(environment.get("TERM"), Some("dumb"));
    }

    #[test]
    fn a_relative_xdg_directory_is_ignored_as_the_specification_asks() {
        let relative = Environment::from([("XDG_CONFIG_HOME", "here")]);
        assert_ne!(relative.config_dir(), Some(PathBuf::from("here/obsq")));
        let absolute = Environment::from([("XDG_CONFIG_HOME", "/c")]);
        assert_eq!(absolute.config_dir(), Some(PathBuf::from("/c/obsq")));
    }
}
