//! What the server tells the page as it happens (`GET /api/v2/events`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::InstanceKey;
use crate::finding::Finding;
use crate::plan::StepState;
use crate::recovery::Recovery;

/// One event. The number grows by one within a process; a client resumes after the last number it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Number.
    pub id: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub body: EventBody,
}

/// The kinds of events. The SSE event name is the value of `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// A server was seen for the first time or changed in more than the age of its check; read it again.
    Instance {
        /// The server.
        key: InstanceKey,
        /// Its cluster.
        cluster: String,
    },
    /// A server was forgotten.
    InstanceForgotten {
        /// The server.
        key: InstanceKey,
        /// Its cluster.
        cluster: String,
    },
    /// The finding about a server changed; `NoProblem` means that it is gone.
    Finding {
        /// The finding.
        finding: Box<Finding>,
    },
    /// A step of a plan that is being applied changed state.
    PlanStep {
        /// Name of the application, as answered when the plan was applied.
        operation_id: String,
        /// Number of the step.
        step: u32,
        /// The server it acts on.
        server: InstanceKey,
        /// How it stands.
        state: StepState,
    },
    /// An applied plan ended.
    PlanEnded {
        /// Name of the application.
        operation_id: String,
        /// `None` when it ended well.
        error: Option<String>,
    },
    /// A recovery began, advanced or ended.
    Recovery {
        /// The whole record.
        recovery: Box<Recovery>,
    },
    /// Downtime, rules, aliases or another annotation of a cluster's servers changed.
    Annotation {
        /// The server; null when it is about a cluster.
        key: InstanceKey,
        /// The cluster.
        cluster: String,
    },
    /// The state of the node changed (health, backend, global recoveries).
    Node {
        /// One line for people.
        message: String,
    },
    /// Events were missed: read everything again.
    Refetch,
}

impl EventBody {
    /// The SSE event name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Instance { .. } => "instance",
            Self::InstanceForgotten { .. } => "instance_forgotten",
            Self::Finding { .. } => "finding",
            Self::PlanStep { .. } => "plan_step",
            Self::PlanEnded { .. } => "plan_ended",
            Self::Recovery { .. } => "recovery",
            Self::Annotation { .. } => "annotation",
            Self::Node { .. } => "node",
            Self::Refetch => "refetch",
        }
    }
}
