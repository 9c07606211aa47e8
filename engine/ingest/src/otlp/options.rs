//! The `otlp` section of the configuration.

use std::collections::BTreeSet;

use crate::limits::IngestLimits;

/// How names of metrics and labels are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TranslationStrategy {
    /// Characters outside the classic set become `_`, unit and type suffixes are added.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Characters outside the classic set become `_`, nothing is added.
    UnderscoreEscapingWithoutSuffixes,
    /// Names stay as they are, unit and type suffixes are added.
    NoUtf8EscapingWithSuffixes,
    /// Names stay as they are.
    NoTranslation,
}

impl TranslationStrategy {
    /// Every strategy.
    pub const ALL: [Self; 4] = [
        Self::UnderscoreEscapingWithSuffixes,
        Self::UnderscoreEscapingWithoutSuffixes,
        Self::NoUtf8EscapingWithSuffixes,
        Self::NoTranslation,
    ];

    /// Returns the name used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnderscoreEscapingWithSuffixes => "UnderscoreEscapingWithSuffixes",
            Self::UnderscoreEscapingWithoutSuffixes => "UnderscoreEscapingWithoutSuffixes",
            Self::NoUtf8EscapingWithSuffixes => "NoUTF8EscapingWithSuffixes",
            Self::NoTranslation => "NoTranslation",
        }
    }

    /// Returns the strategy with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == name)
    }

    /// Says whether names are escaped to the classic character set.
    pub fn escapes(self) -> bool {
        matches!(
            self,
            Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes
        )
    }

    /// Says whether unit and type suffixes are added.
    pub fn adds_suffixes(self) -> bool {
        matches!(
            self,
            Self::UnderscoreEscapingWithSuffixes | Self::NoUtf8EscapingWithSuffixes
        )
    }
}

/// Which resource attributes become labels of every series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromotedAttributes {
    /// Those in the set.
    Listed(BTreeSet<String>),
    /// All but those in the set.
    AllBut(BTreeSet<String>),
}

impl Default for PromotedAttributes {
    fn default() -> Self {
        Self::Listed(BTreeSet::new())
    }
}

impl PromotedAttributes {
    /// Says whether the attribute becomes a label.
    pub fn contains(&self, attribute: &str) -> bool {
        match self {
            Self::Listed(listed) => listed.contains(attribute),
            Self::AllBut(ignored) => !ignored.contains(attribute),
        }
    }
}

/// How OTLP metrics are translated; the defaults are those of Prometheus 3.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the configuration, independent of the others"
)]
pub struct OtlpOptions {
    /// How names are translated.
    pub strategy: TranslationStrategy,
    /// Which resource attributes become labels.
    pub promoted: PromotedAttributes,
    /// Whether `target_info` keeps the attributes that `job` and `instance` are made of.
    pub keep_identifying_resource_attributes: bool,
    /// Whether explicit-bucket histograms become native histograms with custom buckets.
    pub convert_histograms_to_nhcb: bool,
    /// Whether name, version, schema URL and attributes of the scope become labels.
    pub promote_scope_metadata: bool,
    /// Whether escaped label names that start with one `_` are prefixed with `key`.
    pub label_name_underscore_sanitization: bool,
    /// Whether escaped label names keep several `_` in a row.
    pub label_name_preserve_multiple_underscores: bool,
    /// The lookback delta of queries in ms; `target_info` is repeated twice as often.
    pub lookback_delta_ms: i64,
    /// Limits on requests and labels.
    pub limits: IngestLimits,
}

impl Default for OtlpOptions {
    fn default() -> Self {
        Self {
            strategy: TranslationStrategy::default(),
            promoted: PromotedAttributes::default(),
            keep_identifying_resource_attributes: false,
            convert_histograms_to_nhcb: false,
            promote_scope_metadata: false,
            label_name_underscore_sanitization: true,
            label_name_preserve_multiple_underscores: true,
            lookback_delta_ms: 300_000,
            limits: IngestLimits::default(),
        }
    }
}
