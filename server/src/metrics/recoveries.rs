//! Recoveries and the analysis that leads to them.

use std::time::Duration;

use app::recovery::{Recovery, RecoveryKind};
use chrono::Utc;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::{Histograms, Labels, long, quick};

/// Every kind, in the order of the enumeration.
pub const KINDS: [RecoveryKind; 7] = [
    RecoveryKind::Source,
    RecoveryKind::CoSource,
    RecoveryKind::IntermediateSource,
    RecoveryKind::GroupMember,
    RecoveryKind::Takeover,
    RecoveryKind::SemiSync,
    RecoveryKind::ReadOnlySource,
];

/// The label of a kind.
pub fn kind_name(kind: RecoveryKind) -> &'static str {
    match kind {
        RecoveryKind::Source => "source",
        RecoveryKind::CoSource => "co_source",
        RecoveryKind::IntermediateSource => "intermediate_source",
        RecoveryKind::GroupMember => "group_member",
        RecoveryKind::Takeover => "takeover",
        RecoveryKind::SemiSync => "semi_sync",
        RecoveryKind::ReadOnlySource => "read_only_source",
    }
}

/// Counts recoveries and times analysis.
#[derive(Debug)]
pub struct RecoveryMeter {
    pub(super) analysis: Histogram,
    pub(super) durations: Histograms<2>,
    pub(super) started: Family<Labels<1>, Counter>,
    pub(super) ended: Family<Labels<2>, Counter>,
}

impl Default for RecoveryMeter {
    fn default() -> Self {
        let meter = Self {
            analysis: quick(),
            durations: Histograms::new_with_constructor(long),
            started: Family::default(),
            ended: Family::default(),
        };
        // The first one of its kind must be seen as a rise from 0.
        for kind in KINDS {
            drop(meter.started.get_or_create(&[("kind", kind_name(kind))]));
            for good in [true, false] {
                drop(meter.ended.get_or_create(&labels(kind, good)));
            }
        }
        meter
    }
}

impl RecoveryMeter {
    /// The picture was analysed.
    pub fn analysed(&self, took: Duration) {
        self.analysis.observe(took.as_secs_f64());
    }

    /// A recovery was begun, or taken up from another process.
    pub fn began(&self, recovery: &Recovery) {
        self.started.get_or_create(&[("kind", kind_name(recovery.kind))]).inc();
    }

    /// A recovery ended.
    pub fn ended(&self, recovery: &Recovery) {
        let labels = labels(recovery.kind, recovery.is_successful());
        self.ended.get_or_create(&labels).inc();
        let ended = recovery.ended.unwrap_or_else(Utc::now);
        let took = (ended - recovery.started).to_std().unwrap_or_default();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Recoveries of a kind since the start: begun, ended well, ended otherwise.
    pub fn count(&self, kind: RecoveryKind) -> (u64, u64, u64) {
        let ended = |good| self.ended.get_or_create(&labels(kind, good)).get();
        (self.started.get_or_create(&[("kind", kind_name(kind))]).get(), ended(true), ended(false))
    }
}

fn labels(kind: RecoveryKind, good: bool) -> Labels<2> {
    [("kind", kind_name(kind)), ("outcome", if good { "succeeded" } else { "failed" })]
}
