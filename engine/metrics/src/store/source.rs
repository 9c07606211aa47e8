//! Reading from the store.

use std::collections::BTreeSet;

use obsq_model::{Labels, Matcher, Tenant};
use obsq_source::{
    Error, ExemplarSeries, LabelRequest, MetricMetadataEntry, MetricSource, QueryContext,
    SelectRequest, SeriesSet,
};

use super::MetricStore;
use crate::selected::Selection;
use crate::tenant::TenantStore;

impl MetricSource for MetricStore {
    fn select(
        &self,
        tenant: &Tenant,
        request: &SelectRequest,
        context: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, Error> {
        context.check()?;
        let budget = std::sync::Arc::clone(&context.memory);
        let (mut found, warnings) = (Vec::new(), Vec::new());
        if let Some(tenant) = self.shared.tenant(tenant) {
            found = tenant.head.select(&request.matchers, request.range);
            context.check()?;
        }
        let selection = Selection::new(found, request.range, warnings, budget)?;
        let limit = context.limits.max_series;
        if selection.len() > limit {
            return Err(Error::SeriesLimit { limit });
        }
        Ok(Box::new(selection))
    }

    fn label_names(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        let mut names = BTreeSet::new();
        for labels in self.matching(tenant, request, context)? {
            for label in &labels {
                if !names.contains(label.name) {
                    names.insert(label.name.to_owned());
                }
            }
        }
        Ok(limited(names, request.limit))
    }

    fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        let mut values = BTreeSet::new();
        for labels in self.matching(tenant, request, context)? {
            if let Some(value) = labels.get(name)
                && !values.contains(value)
            {
                values.insert(value.to_owned());
            }
        }
        Ok(limited(values, request.limit))
    }

    fn series(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<Labels>, Error> {
        Ok(limited(
            self.matching(tenant, request, context)?,
            request.limit,
        ))
    }

    fn exemplars(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<ExemplarSeries>, Error> {
        context.check()?;
        let Some(tenant) = self.shared.tenant(tenant) else {
            return Ok(Vec::new());
        };
        let mut found = tenant
            .exemplars
            .lock()
            .select(&request.selectors, request.range);
        if request.limit > 0 {
            found.truncate(request.limit);
        }
        Ok(found)
    }

    fn metadata(
        &self,
        tenant: &Tenant,
        metric: Option<&str>,
    ) -> Result<Vec<MetricMetadataEntry>, Error> {
        let tenant = self.shared.tenant(tenant);
        Ok(tenant.map_or_else(Vec::new, |tenant| tenant.metadata.lock().entries(metric)))
    }
}

impl MetricStore {
    /// Returns the label sets that any selector matches and that have samples in the range.
    fn matching(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<BTreeSet<Labels>, Error> {
        context.check()?;
        let mut found = BTreeSet::new();
        let Some(tenant) = self.shared.tenant(tenant) else {
            return Ok(found);
        };
        if request.selectors.is_empty() {
            tenant.collect_labels(&[], request, &mut found)?;
        }
        for matchers in &request.selectors {
            context.check()?;
            tenant.collect_labels(matchers, request, &mut found)?;
        }
        Ok(found)
    }
}

impl TenantStore {
    fn collect_labels(
        &self,
        matchers: &[Matcher],
        request: &LabelRequest,
        found: &mut BTreeSet<Labels>,
    ) -> Result<(), Error> {
        let series = self.head.series(matchers, request.range);
        found.extend(series.iter().map(|series| series.labels.clone()));
        Ok(())
    }
}

fn limited<T>(all: BTreeSet<T>, limit: usize) -> Vec<T> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    all.into_iter().take(limit).collect()
}
