//! Raw samples of a source, whether in this process or behind HTTP.

use std::sync::Arc;

use obsq_ingest::prompb::{
    ReadQuery, ReadRequest, ResponseType, decode_read_response, read_request, snappy,
};
use obsq_ingest::{IngestLimits, remote_write};
use obsq_metrics::BlockSet;
use obsq_model::{Clock, Labels, Sample, Tenant, TimeRange};
use obsq_query_lang::promql::{LabelMatcher, MatcherOp, parse_selector};
use obsq_source::{
    MemoryBudget, MetricSource, QueryContext, SelectRequest, SeriesBatch, compile_matchers,
};

use crate::api::{HttpApi, open_directory, read_exposition, tenant};
use crate::commands::shared::read_stdin;
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};
use crate::settings::{Place, Target};

/// Bytes that reading may hold.
const MEMORY_BYTES: usize = 4 << 30;

/// What is done with each series.
pub(crate) type Visit<'a> = dyn FnMut(&Labels, &[Sample]) -> Result<(), Failure> + 'a;

/// Where samples are read from.
#[derive(Debug)]
pub(crate) struct Whence {
    place: From,
    selectors: Vec<Vec<LabelMatcher>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum From {
    Source(Arc<dyn MetricSource>, Tenant),
    Server(Box<HttpApi>),
}

impl Whence {
    /// Opens the target and parses the selectors.
    pub(crate) fn open(
        target: &Target,
        selectors: &[String],
        session: &Session,
    ) -> Result<Self, Failure> {
        let clock = Arc::clone(&session.clock);
        let parsed = selectors.iter().map(|text| {
            parse_selector(text).map_err(|diagnostics| Failure::query(text, diagnostics))
        });
        let mut selectors = parsed.collect::<Result<Vec<_>, _>>()?;
        if selectors.is_empty() {
            selectors.push(vec![everything()]);
        }
        let own = |source: Arc<dyn MetricSource>| -> Result<From, Failure> {
            Ok(From::Source(
                source,
                tenant(target.access.org_id.as_deref())?,
            ))
        };
        let place = match &target.place {
            Place::Server(url) => {
                From::Server(Box::new(HttpApi::new(url, &target.access, target.timeout)?))
            }
            Place::Data(dir) => own(open_directory(dir, Arc::clone(&clock))?)?,
            Place::Stdin => {
                let mut set = BlockSet::default();
                set.add_samples(read_exposition(&read_stdin(session)?, clock.now_ms())?);
                own(Arc::new(set))?
            }
        };
        Ok(Self {
            place,
            selectors,
            clock,
        })
    }

    /// Reads a text; returns the times of its samples as well, if there are any.
    pub(crate) fn of_text(
        text: &str,
        session: &Session,
    ) -> Result<(Self, Option<TimeRange>), Failure> {
        let mut set = BlockSet::default();
        set.add_samples(read_exposition(text, session.clock.now_ms())?);
        let range = set.range();
        let whence = Self {
            place: From::Source(Arc::new(set), Tenant::anonymous()),
            selectors: vec![vec![everything()]],
            clock: Arc::clone(&session.clock),
        };
        Ok((whence, range))
    }

    /// Calls `visit` with every series that has samples in `range`, sorted by labels, each once.
    pub(crate) fn each_series(
        &self,
        range: TimeRange,
        visit: &mut Visit<'_>,
    ) -> Result<(), Failure> {
        match &self.place {
            From::Source(source, tenant) => {
                self.visit_source(source.as_ref(), tenant, range, visit)
            }
            From::Server(api) => {
                for series in block_on(self.read_server(api, range))? {
                    visit(&series.labels, &series.samples)?;
                }
                Ok(())
            }
        }
    }

    fn visit_source(
        &self,
        source: &dyn MetricSource,
        tenant: &Tenant,
        range: TimeRange,
        visit: &mut Visit<'_>,
    ) -> Result<(), Failure> {
        let cannot = |error: &dyn std::error::Error| {
            Failure::failed("cannot read the samples").because(error)
        };
        let budget = MemoryBudget::new(MEMORY_BYTES);
        let mut context = QueryContext::new(Arc::clone(&self.clock), None, budget);
        context.limits.max_series = usize::MAX;
        let mut sets = Vec::new();
        for selector in &self.selectors {
            let matchers = compile_matchers(selector).map_err(|error| cannot(&error))?;
            let request = SelectRequest { range, matchers };
            let set = source.select(tenant, &request, &context);
            sets.push(set.map_err(|error| cannot(&error))?);
        }
        let warned: Vec<_> = sets.iter().map(|set| set.warnings().len()).collect();
        let mut order: Vec<(&Labels, usize, usize)> = Vec::new();
        for (at, set) in sets.iter().enumerate() {
            order.extend((0..set.len()).map(|index| (set.labels(index), at, index)));
        }
        order.sort_by(|a, b| a.0.cmp(b.0));
        order.dedup_by(|a, b| a.0 == b.0);
        let mut samples = Vec::new();
        for (labels, at, index) in order {
            samples.clear();
            sets[at]
                .read_exact(index, range, &mut samples)
                .map_err(|error| cannot(&error))?;
            if !samples.is_empty() {
                visit(labels, &samples)?;
            }
        }
        for (set, warned) in sets.iter().zip(warned) {
            set.check_whole(warned).map_err(|error| cannot(&error))?;
        }
        Ok(())
    }

    /// Reads by remote read, which gives samples as they are stored.
    async fn read_server(
        &self,
        api: &HttpApi,
        range: TimeRange,
    ) -> Result<Vec<SeriesBatch>, Failure> {
        let queries = self.selectors.iter().map(|matchers| ReadQuery {
            range,
            matchers: matchers.clone(),
            hints: None,
        });
        let request = ReadRequest {
            queries: queries.collect(),
            accepted: vec![ResponseType::Samples],
        };
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-read-version", "0.1.0"),
        ];
        let body = snappy(&read_request(&request));
        let reply = api.post("/api/v1/read", &headers, body).await?;
        if reply.status != 200 {
            let text = String::from_utf8_lossy(&reply.body);
            let text = format!("remote read: status {}: {}", reply.status, text.trim());
            let exit = if matches!(reply.status, 401 | 403) {
                Exit::Denied
            } else {
                Exit::Failed
            };
            return Err(Failure::new(exit, text));
        }
        let limits = IngestLimits {
            max_wire_bytes: MEMORY_BYTES,
            max_expanded_bytes: MEMORY_BYTES,
            ..IngestLimits::default()
        };
        let cannot = |error: &dyn std::error::Error| {
            Failure::failed("cannot understand the answer to remote read").because(error)
        };
        let bytes =
            remote_write::decompress(&reply.body, &limits).map_err(|error| cannot(&error))?;
        let results = decode_read_response(&bytes, &limits).map_err(|error| cannot(&error))?;
        let mut series: Vec<SeriesBatch> = results.into_iter().flatten().collect();
        series.retain(|one| !one.samples.is_empty());
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series.dedup_by(|a, b| a.labels == b.labels);
        Ok(series)
    }
}

fn everything() -> LabelMatcher {
    LabelMatcher {
        name: "__name__".into(),
        op: MatcherOp::Regex,
        value: ".+".into(),
    }
}
