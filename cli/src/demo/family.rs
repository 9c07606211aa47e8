//! Metric families of the shop.

use obsq_model::{MetricMetadata, MetricType};

/// What is common to all series of one metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// Name as Prometheus shows it, without `_total`.
    pub(crate) name: &'static str,
    /// The type.
    pub(crate) kind: Kind,
    /// The unit, which is the end of the name; empty for none.
    pub(crate) unit: &'static str,
    /// What is measured.
    pub(crate) help: &'static str,
}

/// Types that the shop uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rises until the process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Classic buckets.
    Histogram,
    /// A native histogram.
    Native,
}

impl Family {
    /// Returns the name that samples have; histograms add their own suffixes.
    pub(crate) fn sample_name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram | Kind::Native => self.name.to_owned(),
        }
    }

    /// Returns OTLP's name and unit, which translate back into the Prometheus name.
    pub(crate) fn otlp_name(&self) -> (String, &'static str) {
        let unit = match self.unit {
            "seconds" => "s",
            "bytes" => "By",
            _ => "",
        };
        let suffix = format!("_{}", self.unit);
        let bare = self.name.strip_suffix(&suffix).unwrap_or(self.name);
        (bare.replace('_', "."), unit)
    }

    /// Returns the metadata as the store keeps it, with the family's name there.
    pub(crate) fn metadata(&self) -> (String, MetricMetadata) {
        let metric_type = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram | Kind::Native => MetricType::Histogram,
        };
        let metadata = MetricMetadata {
            metric_type,
            unit: self.unit.to_owned(),
            help: self.help.to_owned(),
        };
        (self.sample_name(), metadata)
    }
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal $unit:literal $help:literal;)+) => {
        $(pub(crate) static $constant: Family = Family {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            help: $help,
        };)+
    };
}

families! {
    HTTP_REQUESTS = Counter "http_requests" "" "Requests answered, by route and status code";
    HTTP_DURATION = Histogram "http_request_duration_seconds" "seconds" "Time to answer a request";
    PAYMENT_DURATION = Native "payment_duration_seconds" "seconds" "Time that the bank took to answer";
    PAYMENTS = Counter "payments" "" "Payments, by method and result";
    CART_VALUE = Gauge "cart_open" "" "Carts that are being filled";
    CACHE_HITS = Counter "cache_hits" "" "Lookups that the cache answered";
    CACHE_MISSES = Counter "cache_misses" "" "Lookups that the cache did not answer";
    JOBS = Counter "jobs_processed" "" "Jobs done, by kind and result";
    JOB_DURATION = Histogram "job_duration_seconds" "seconds" "Time that a job took";
    QUEUE_DEPTH = Gauge "queue_depth" "" "Jobs that wait, by queue";
    CPU = Counter "process_cpu_seconds" "seconds" "CPU time spent";
    MEMORY = Gauge "process_resident_memory_bytes" "bytes" "Memory in use";
    START_TIME = Gauge "process_start_time_seconds" "seconds" "Start of the process since the Unix epoch";
    BUILD_INFO = Gauge "build_info" "" "Constant 1 with the version that runs";
    DB_CONNECTIONS = Gauge "db_connections" "" "Open connections, by state";
    DB_TRANSACTIONS = Counter "db_transactions" "" "Transactions, by outcome";
    DB_ROWS = Counter "db_rows" "" "Rows, by operation";
    DB_SIZE = Gauge "db_size_bytes" "bytes" "Size of the database on disk";
    DB_LAG = Gauge "db_replication_lag_seconds" "seconds" "How far the replica is behind";
    NODE_CPU = Counter "node_cpu_seconds" "seconds" "CPU time by mode";
    NODE_LOAD = Gauge "node_load1" "" "Load average over one minute";
    NODE_MEMORY_TOTAL = Gauge "node_memory_MemTotal_bytes" "bytes" "Memory of the machine";
    NODE_MEMORY_FREE = Gauge "node_memory_MemAvailable_bytes" "bytes" "Memory that programs can have";
    NODE_DISK_SIZE = Gauge "node_filesystem_size_bytes" "bytes" "Size of a file system";
    NODE_DISK_FREE = Gauge "node_filesystem_avail_bytes" "bytes" "Free space of a file system";
    NODE_RECEIVED = Counter "node_network_receive_bytes" "bytes" "Bytes received";
    NODE_SENT = Counter "node_network_transmit_bytes" "bytes" "Bytes sent";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otlp_names_lose_what_translation_adds() {
        assert_eq!(HTTP_REQUESTS.otlp_name(), ("http.requests".into(), ""));
        assert_eq!(
            HTTP_DURATION.otlp_name(),
            ("http.request.duration".into(), "s")
        );
        assert_eq!(CPU.otlp_name(), ("process.cpu".into(), "s"));
        assert_eq!(MEMORY.otlp_name(), ("process.resident.memory".into(), "By"));
        assert_eq!(CPU.sample_name(), "process_cpu_seconds_total");
    }
}
