//! The `limits` and `overrides` sections: what one tenant may ask for.

use std::collections::BTreeMap;

use obsq_model::Tenant;

use super::node::Node;
use super::section::{Problems, Section};

/// Limits of one tenant. What is `None` is as in the defaults, or the server's own; what is 0 is the
/// server's own.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TenantLimits {
    /// Most series in memory.
    pub max_series: Option<usize>,
    /// Samples, histograms and exemplars per second, over time.
    pub ingestion_rate: Option<f64>,
    /// Samples, histograms and exemplars at once.
    pub ingestion_burst_size: Option<usize>,
    /// Most labels of a series.
    pub max_label_names_per_series: Option<usize>,
    /// Most bytes of a label's name.
    pub max_label_name_length: Option<usize>,
    /// Most bytes of a label's value.
    pub max_label_value_length: Option<usize>,
    /// Most series that one query may select.
    pub max_fetched_series_per_query: Option<usize>,
    /// Most samples that one query may hold at once.
    pub max_samples_per_query: Option<usize>,
    /// Most bytes that one query may hold.
    pub max_memory_per_query: Option<u64>,
    /// Milliseconds that one query may take.
    pub query_timeout_ms: Option<i64>,
    /// Queries that run at once.
    pub max_concurrent_queries: Option<usize>,
}

/// Limits of all tenants.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimitsConfig {
    /// What holds for a tenant of which nothing else is said.
    pub defaults: TenantLimits,
    /// What is said of single tenants.
    pub overrides: BTreeMap<Tenant, TenantLimits>,
}

impl LimitsConfig {
    /// Returns the limits of a tenant: its own where there are any, else the defaults.
    pub fn of(&self, tenant: &Tenant) -> TenantLimits {
        let own = self.overrides.get(tenant);
        own.map_or(self.defaults, |own| own.or(&self.defaults))
            .without_zeros()
    }
}

impl TenantLimits {
    fn or(&self, defaults: &Self) -> Self {
        Self {
            max_series: self.max_series.or(defaults.max_series),
            ingestion_rate: self.ingestion_rate.or(defaults.ingestion_rate),
            // A rate of its own does not go with the burst of another one.
            ingestion_burst_size: match self.ingestion_rate {
                Some(_) => self.ingestion_burst_size,
                None => self.ingestion_burst_size.or(defaults.ingestion_burst_size),
            },
            max_label_names_per_series: self
                .max_label_names_per_series
                .or(defaults.max_label_names_per_series),
            max_label_name_length: self
                .max_label_name_length
                .or(defaults.max_label_name_length),
            max_label_value_length: self
                .max_label_value_length
                .or(defaults.max_label_value_length),
            max_fetched_series_per_query: self
                .max_fetched_series_per_query
                .or(defaults.max_fetched_series_per_query),
            max_samples_per_query: self
                .max_samples_per_query
                .or(defaults.max_samples_per_query),
            max_memory_per_query: self.max_memory_per_query.or(defaults.max_memory_per_query),
            query_timeout_ms: self.query_timeout_ms.or(defaults.query_timeout_ms),
            max_concurrent_queries: self
                .max_concurrent_queries
                .or(defaults.max_concurrent_queries),
        }
    }

    /// A limit of 0 says that there is none.
    fn without_zeros(self) -> Self {
        let count = |limit: Option<usize>| limit.filter(|limit| *limit > 0);
        Self {
            max_series: count(self.max_series),
            ingestion_rate: self.ingestion_rate.filter(|rate| *rate > 0.0),
            ingestion_burst_size: count(self.ingestion_burst_size),
            max_label_names_per_series: count(self.max_label_names_per_series),
            max_label_name_length: count(self.max_label_name_length),
            max_label_value_length: count(self.max_label_value_length),
            max_fetched_series_per_query: count(self.max_fetched_series_per_query),
            max_samples_per_query: count(self.max_samples_per_query),
            max_memory_per_query: self.max_memory_per_query.filter(|bytes| *bytes > 0),
            query_timeout_ms: self.query_timeout_ms.filter(|ms| *ms > 0),
            max_concurrent_queries: count(self.max_concurrent_queries),
        }
    }
}

/// Reads the limits of one tenant.
pub(super) fn read(node: &Node, what: &str, problems: &Problems) -> TenantLimits {
    let Some(mut section) = Section::of_optional(node, what, problems) else {
        return TenantLimits::default();
    };
    let mut count = |key: &str| section.count(key);
    let max_series = count("max_series");
    // The name that Mimir has for the same.
    let max_global_series = count("max_global_series_per_user");
    let limits = TenantLimits {
        max_series: max_series.or(max_global_series),
        ingestion_burst_size: count("ingestion_burst_size"),
        max_label_names_per_series: count("max_label_names_per_series"),
        max_label_name_length: count("max_label_name_length"),
        max_label_value_length: count("max_label_value_length"),
        max_fetched_series_per_query: count("max_fetched_series_per_query"),
        max_samples_per_query: count("max_samples_per_query"),
        max_concurrent_queries: count("max_concurrent_queries"),
        ingestion_rate: section.checked_float("ingestion_rate", |rate| {
            if rate >= 0.0 && rate.is_finite() {
                return Ok(());
            }
            Err(format!("a rate of {rate} samples per second is none"))
        }),
        max_memory_per_query: section.size_bytes("max_memory_per_query"),
        query_timeout_ms: section.duration_ms("query_timeout"),
    };
    section.finish();
    limits
}

/// Reads limits by the names of tenants.
pub(super) fn read_overrides(node: &Node, problems: &Problems) -> BTreeMap<Tenant, TenantLimits> {
    let mut overrides = BTreeMap::new();
    for (key, node) in problems.entries(node, "`overrides`") {
        match Tenant::parse(&key.text) {
            Ok(tenant) => {
                overrides.insert(tenant, read(node, "a tenant's limits", problems));
            }
            Err(error) => problems.add(key.at, error.to_string()),
        }
    }
    overrides
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::load;
    use obsq_model::Tenant;

    const TEXT: &str = "\
limits:
  max_series: 1000
  ingestion_rate: 2.5e4
  query_timeout: 30s
overrides:
  team-a: {max_global_series_per_user: 5, max_memory_per_query: 1MB}
  team-b: {}
  team-c: {max_series: 0, ingestion_rate: 0}
";

    #[test]
    fn a_tenants_own_limits_win_over_the_defaults() {
        let limits = load(Path::new("obsq.yml"), TEXT).unwrap().limits;
        let of = |name: &str| limits.of(&Tenant::parse(name).unwrap());
        assert_eq!(of("team-a").max_series, Some(5));
        assert_eq!(of("team-a").ingestion_rate, Some(25_000.0));
        assert_eq!(of("team-a").max_memory_per_query, Some(1 << 20));
        assert_eq!(of("team-b"), of("anybody"));
        let unlimited = of("team-c");
        assert_eq!(
            (unlimited.max_series, unlimited.ingestion_rate),
            (None, None)
        );
        assert_eq!(of("anybody").query_timeout_ms, Some(30_000));
        assert_eq!(of("anybody").max_samples_per_query, None);
    }

    #[test]
    fn wrong_limits_are_told_with_their_place() {
        let text = "limits: {max_series: many, nosuch: 1}\noverrides: {a/b: {}, c: {ingestion_rate: -1}}\n";
        let problems = load(Path::new("obsq.yml"), text).unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 1, 2, 2], "{problems:?}");
    }
}
