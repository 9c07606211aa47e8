//! Which names are valid, and how others are asked for.

use obsq_model::{Labels, METRIC_NAME};

/// Which metric and label names are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameScheme {
    /// Any UTF-8 text.
    #[default]
    Utf8,
    /// Letters, digits, `_`, and `:` in metric names.
    Legacy,
}

impl NameScheme {
    /// Returns the name used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Legacy => "legacy",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self, String> {
        match name {
            "utf8" => Ok(Self::Utf8),
            "legacy" => Ok(Self::Legacy),
            _ => Err(format!(
                "must be either \"legacy\" or \"utf8\", got {name:?}"
            )),
        }
    }

    /// Says whether a label may have this name.
    pub fn allows_label(self, name: &str) -> bool {
        !name.is_empty() && (self == Self::Utf8 || is_legacy(name, false))
    }

    /// Says whether all names of a label set are allowed, that of the metric included.
    pub fn allows(self, labels: &Labels) -> bool {
        self == Self::Utf8
            || labels.iter().all(|label| {
                is_legacy(label.name, false)
                    && (label.name != METRIC_NAME || is_legacy(label.value, true))
            })
    }
}

fn is_legacy(name: &str, colons: bool) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colons && byte == b':');
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.bytes().all(allowed)
}

/// How a target is asked to write names outside the legacy character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EscapingScheme {
    /// As they are.
    #[default]
    AllowUtf8,
    /// With `_` for what is not allowed.
    Underscores,
    /// With `_dot_` for dots.
    Dots,
    /// With code points for what is not allowed.
    Values,
}

impl EscapingScheme {
    const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// Returns the name used in the configuration and in the `Accept` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.as_str() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join("`, `");
            format!("must be one of `{names}`, got {name:?}")
        })
    }

    /// Returns what goes with a name scheme unless configured.
    pub(super) fn default_of(scheme: NameScheme) -> Self {
        match scheme {
            NameScheme::Utf8 => Self::AllowUtf8,
            NameScheme::Legacy => Self::Underscores,
        }
    }
}
