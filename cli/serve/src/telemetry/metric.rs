//! The names.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricType {
    Counter,
    Gauge,
    Histogram,
}

impl MetricType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($variant:ident: $kind:ident $name:literal $help:literal;)+) => {
        /// A metric about the server itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Metric {
            $($variant,)+
        }

        impl Metric {
            /// Every metric, sorted by name.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            pub(crate) fn metric_type(self) -> MetricType {
                match self {
                    $(Self::$variant => MetricType::$kind,)+
                }
            }

            pub(crate) fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => $help,)+
                }
            }
        }
    };
}

metrics! {
    BuildInfo: Gauge "obsq_build_info"
        "Always 1; the label tells the version.";
    ConfigReloadTime: Gauge "obsq_config_last_reload_success_timestamp_seconds"
        "When the configuration was last loaded with success.";
    ConfigReloadSuccess: Gauge "obsq_config_last_reload_successful"
        "Whether the last loading of the configuration succeeded.";
    DoorRefused: Counter "obsq_door_refused_total"
        "Requests and handshakes that were not let in, by reason.";
    DoorsCurrent: Gauge "obsq_door_web_config_successful"
        "Whether the web configuration in force is what its files hold.";
    HttpBodyBytes: Gauge "obsq_http_body_bytes"
        "Bytes of request bodies held at present.";
    HttpConnections: Gauge "obsq_http_connections"
        "Open connections, over all listeners.";
    HttpRequestDuration: Histogram "obsq_http_request_duration_seconds"
        "Time from the header of a request to that of its answer, by route.";
    HttpRequests: Counter "obsq_http_requests_total"
        "Answered requests by route and status.";
    HttpUnsentBytes: Gauge "obsq_http_unsent_bytes"
        "Bytes of answers that wait for slow clients.";
    IngestExemplars: Counter "obsq_ingest_exemplars_total"
        "Exemplars accepted, by protocol.";
    IngestRefused: Counter "obsq_ingest_refused_total"
        "Samples and exemplars refused, by protocol.";
    IngestSamples: Counter "obsq_ingest_samples_total"
        "Samples accepted, by protocol and type.";
    LimitRefused: Counter "obsq_limit_refused_total"
        "Samples and exemplars refused by a limit of their tenant, by limit.";
    Panics: Counter "obsq_panics_total"
        "Requests that ended in a panic, which is always a bug.";
    ProcessCpu: Counter "obsq_process_cpu_seconds_total"
        "CPU time of the process, user and system.";
    ProcessOpenFiles: Gauge "obsq_process_open_files"
        "Open file descriptors of the process.";
    ProcessMemory: Gauge "obsq_process_resident_memory_bytes"
        "Resident memory of the process.";
    QueriesRefused: Counter "obsq_queries_refused_total"
        "Queries that waited for their turn in vain.";
    QueriesRunning: Gauge "obsq_queries_running"
        "Queries that run.";
    QueriesWaiting: Gauge "obsq_queries_waiting"
        "Queries that wait for their turn.";
    QueryMemory: Gauge "obsq_query_memory_bytes"
        "Bytes that running queries hold.";
    Ready: Gauge "obsq_ready"
        "Whether everything acknowledged before the start can be queried.";
    RemoteBytes: Counter "obsq_remote_storage_bytes_total"
        "Bytes of acknowledged requests of remote write, compressed.";
    RemoteExemplars: Counter "obsq_remote_storage_exemplars_total"
        "Exemplars that receivers have acknowledged.";
    RemoteFailing: Gauge "obsq_remote_storage_failing"
        "Whether the last request to a receiver failed.";
    RemoteHistograms: Counter "obsq_remote_storage_histograms_total"
        "Native histograms that receivers have acknowledged.";
    RemoteLost: Counter "obsq_remote_storage_lost_batches_total"
        "Batches of the log that were gone before they could be sent.";
    RemoteMetadata: Counter "obsq_remote_storage_metadata_total"
        "Metadata entries that receivers have acknowledged, remote write 1.0.";
    RemoteHighestSent: Gauge "obsq_remote_storage_queue_highest_sent_timestamp_seconds"
        "Time of the newest sample that a receiver has acknowledged.";
    RemoteHighestRead: Gauge "obsq_remote_storage_queue_highest_timestamp_seconds"
        "Time of the newest sample that was read to be sent.";
    RemoteRetries: Counter "obsq_remote_storage_requests_retried_total"
        "Requests that failed and are repeated.";
    RemoteDropped: Counter "obsq_remote_storage_samples_dropped_total"
        "Samples that are not sent, by reason.";
    RemoteFailed: Counter "obsq_remote_storage_samples_failed_total"
        "Samples and exemplars of requests that receivers refused for good.";
    RemotePending: Gauge "obsq_remote_storage_samples_pending"
        "Samples that wait to be acknowledged.";
    RemoteSamples: Counter "obsq_remote_storage_samples_total"
        "Float samples that receivers have acknowledged.";
    RemoteShards: Gauge "obsq_remote_storage_shards"
        "Requests that may be under way at once.";
    StartTime: Gauge "obsq_start_time_seconds"
        "When the server started, since the epoch.";
    StoreBlockBytes: Gauge "obsq_store_block_bytes"
        "Bytes of the blocks of all tenants.";
    StoreBlocks: Gauge "obsq_store_blocks"
        "Blocks of all tenants.";
    StoreCheckpoints: Counter "obsq_store_checkpoints_total"
        "Checkpoints written.";
    StoreCompactions: Counter "obsq_store_compactions_total"
        "Compactions done.";
    StoreDamagedBlocks: Gauge "obsq_store_damaged_blocks"
        "Blocks in which damage was found since they were opened; what can be read is served.";
    StoreDeletions: Counter "obsq_store_deletions_total"
        "Requests to delete series carried out.";
    StoreFailing: Gauge "obsq_store_failing"
        "Tenants for which a task of the store fails and is tried again, by task.";
    StoreHeadChunks: Gauge "obsq_store_head_chunks"
        "Chunks in the heads of all tenants.";
    StoreHeadBytes: Gauge "obsq_store_head_file_bytes"
        "Bytes of the files of all heads.";
    StoreHeadSeries: Gauge "obsq_store_head_series"
        "Series in the heads of all tenants.";
    StoreLateBytes: Gauge "obsq_store_late_bytes"
        "Bytes of late samples that wait for their seal, roughly.";
    StoreLostChunks: Counter "obsq_store_lost_chunks_total"
        "Damaged chunks of heads that were left out when the rest was sealed.";
    StoreMaintenanceFailures: Counter "obsq_store_maintenance_failures_total"
        "Checkpoints, seals and compactions that failed.";
    StoreRefused: Counter "obsq_store_refused_total"
        "Samples and exemplars that the store refused, by reason.";
    StoreSeals: Counter "obsq_store_seals_total"
        "Blocks sealed from the heads.";
    StoreTenants: Gauge "obsq_store_tenants"
        "Tenants known.";
    StoreUnreadableBlocks: Gauge "obsq_store_unreadable_blocks"
        "Blocks that cannot be opened; their samples are missing.";
    WalBytes: Counter "obsq_wal_bytes_total"
        "Bytes of records written to the log.";
    WalCorruptions: Gauge "obsq_wal_corruptions"
        "Places where log, checkpoint or companions were found damaged at the start.";
    WalFailures: Counter "obsq_wal_failures_total"
        "Writes and syncs of the log that failed.";
    WalHeld: Gauge "obsq_wal_held_bytes"
        "Bytes of the log that are kept for receivers of remote write alone.";
    WalMissingRecords: Gauge "obsq_wal_missing_records"
        "Records that should have been in the log at the start but were not.";
    WalQuarantinedBytes: Gauge "obsq_wal_quarantined_bytes"
        "Bytes of damaged segments and of a damaged checkpoint that are kept for inspection.";
    WalQuarantinedSegments: Gauge "obsq_wal_quarantined_segments"
        "Damaged segments that are kept for inspection.";
    WalQueuedBytes: Gauge "obsq_wal_queued_bytes"
        "Bytes that wait to be written to the log.";
    WalRecords: Counter "obsq_wal_records_total"
        "Records written to the log.";
    WalReplayedRecords: Gauge "obsq_wal_replayed_records"
        "Records replayed at the start.";
    WalSegments: Gauge "obsq_wal_segments"
        "Segment files of the log.";
    WalSyncTime: Counter "obsq_wal_sync_seconds_total"
        "Time spent in syncs of the log.";
    WalSyncs: Counter "obsq_wal_syncs_total"
        "Syncs of the log; each takes along one or more records.";
    WritesRefused: Counter "obsq_writes_refused_total"
        "Requests that write and waited for their turn in vain.";
    WritesRunning: Gauge "obsq_writes_running"
        "Requests that write and are being worked on.";
    WritesWaiting: Gauge "obsq_writes_waiting"
        "Requests that write and wait for their turn.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_and_help_are_pinned() {
        let _guard = obsq_snapshots::bind("cli/serve");
        let lines: Vec<String> = Metric::ALL
            .iter()
            .map(|m| format!("{} ({}): {}", m.name(), m.metric_type().as_str(), m.help()))
            .collect();
        insta::assert_snapshot!("metric_names", lines.join("\n"));
    }

    #[test]
    fn the_documentation_lists_every_metric_and_no_other() {
        let listed = include_str!("../../../../docs/metrics.md");
        let listed: Vec<&str> = listed
            .lines()
            .filter(|l| l.starts_with("| `obsq_"))
            .collect();
        let expected: Vec<String> = Metric::ALL
            .iter()
            .map(|m| {
                let (name, kind) = (m.name(), m.metric_type().as_str());
                format!("| `{name}` | {kind} | {} |", m.help())
            })
            .collect();
        assert_eq!(listed, expected);
    }

    #[test]
    fn names_are_sorted() {
        assert!(Metric::ALL.is_sorted_by_key(|metric| metric.name()));
    }

    #[test]
    fn counters_end_in_total_and_nothing_else_does() {
        for metric in Metric::ALL {
            let counter = metric.metric_type() == MetricType::Counter;
            assert_eq!(
                metric.name().ends_with("_total"),
                counter,
                "{}",
                metric.name()
            );
        }
    }
}
