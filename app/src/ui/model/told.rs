//! What the page takes from an event. [`crate::event::Event`] is one enum with everything in it; reading it as such makes the
//! browser read what it has no use for. The name of an event says what is in it, so each
//! kind is read by itself, and of a finding only whose it is: it is read again with its cluster.

use crate::InstanceKey;
use crate::plan::StepState;
use crate::recovery::Recovery;
use crate::ui::read::{object, read};

/// What was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A server or what was said of it changed; null for a whole cluster.
    Changed {
        /// The server.
        key: InstanceKey,
        /// Its cluster.
        cluster: String,
    },
    /// A server was forgotten.
    Forgotten {
        /// The server.
        key: InstanceKey,
        /// Its cluster.
        cluster: String,
    },
    /// What is found about a server changed.
    Finding {
        /// The server.
        key: InstanceKey,
        /// Its cluster.
        cluster: String,
    },
    /// A step of an applied plan changed state.
    Step {
        /// The application.
        operation_id: String,
        /// Number of the step.
        step: u32,
        /// Its state.
        state: StepState,
    },
    /// An applied plan ended.
    Ended {
        /// The application.
        operation_id: String,
        /// `None` when it ended well.
        error: Option<String>,
    },
    /// A recovery advanced.
    Recovery(Box<Recovery>),
    /// The state of the node changed.
    Node,
    /// Read everything again: events were missed, or one is of a kind or form that this page does not know.
    Refetch,
}

struct Named {
    key: InstanceKey,
    cluster: String,
}
object!(Named { key, cluster });

struct WithFinding {
    finding: Named,
}
object!(WithFinding { finding });

struct WithRecovery {
    recovery: Box<Recovery>,
}
object!(WithRecovery { recovery });

struct WithStep {
    operation_id: String,
    step: u32,
    state: StepState,
}
object!(WithStep { operation_id, step, state });

struct WithEnd {
    operation_id: String,
    error: Option<String>,
}
object!(WithEnd { operation_id, error });

impl Told {
    /// Reads an event of this name. Anything that cannot be read may have changed anything.
    pub fn read(name: &str, data: &str) -> Self {
        Self::try_read(name, data).unwrap_or(Self::Refetch)
    }

    fn try_read(name: &str, data: &str) -> Option<Self> {
        Some(match name {
            "instance" | "annotation" => {
                let Named { key, cluster } = read(data).ok()?;
                Self::Changed { key, cluster }
            }
            "instance_forgotten" => {
                let Named { key, cluster } = read(data).ok()?;
                Self::Forgotten { key, cluster }
            }
            "finding" => {
                let WithFinding { finding } = read(data).ok()?;
                Self::Finding { key: finding.key, cluster: finding.cluster }
            }
            "plan_step" => {
                let WithStep { operation_id, step, state } = read(data).ok()?;
                Self::Step { operation_id, step, state }
            }
            "plan_ended" => {
                let WithEnd { operation_id, error } = read(data).ok()?;
                Self::Ended { operation_id, error }
            }
            "recovery" => Self::Recovery(read::<WithRecovery>(data).ok()?.recovery),
            "node" => Self::Node,
            _ => Self::Refetch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventBody};
    use crate::ui::model::recovery::tests::recovery;

    fn told(body: EventBody) -> Told {
        let name = body.name();
        let event = Event { id: 7, at: chrono::DateTime::UNIX_EPOCH, body };
        let data = serde_json::to_string(&event).expect("json");
        Told::read(name, &data)
    }

    #[test]
    fn every_event_of_the_service_is_read() {
        let (key, cluster) = (InstanceKey::new("db1", 3306), "orders".to_owned());
        let named = || (key.clone(), cluster.clone());
        let (k, c) = named();
        assert_eq!(
            told(EventBody::Instance { key: k.clone(), cluster: c.clone() }),
            Told::Changed { key: k, cluster: c }
        );
        let (k, c) = named();
        assert_eq!(
            told(EventBody::Annotation { key: k.clone(), cluster: c.clone() }),
            Told::Changed { key: k, cluster: c }
        );
        let (k, c) = named();
        let forgotten = EventBody::InstanceForgotten { key: k.clone(), cluster: c.clone() };
        assert_eq!(told(forgotten), Told::Forgotten { key: k, cluster: c });
        let finding = recovery("a", 1).finding;
        let expected = Told::Finding { key: finding.key.clone(), cluster: finding.cluster.clone() };
        assert_eq!(told(EventBody::Finding { finding: Box::new(finding) }), expected);
        let state = StepState::Failed { error: "no".to_owned() };
        let step = EventBody::PlanStep { operation_id: "o".into(), step: 2, server: key, state: state.clone() };
        assert_eq!(told(step), Told::Step { operation_id: "o".into(), step: 2, state });
        let ended = EventBody::PlanEnded { operation_id: "o".into(), error: None };
        assert_eq!(told(ended), Told::Ended { operation_id: "o".into(), error: None });
        let record = recovery("a", 1);
        assert_eq!(told(EventBody::Recovery { recovery: Box::new(record.clone()) }), Told::Recovery(Box::new(record)));
        assert_eq!(told(EventBody::Node { message: String::new() }), Told::Node);
        assert_eq!(told(EventBody::Refetch), Told::Refetch);
    }

    #[test]
    fn what_cannot_be_read_means_reading_everything() {
        assert_eq!(Told::read("weather", "{}"), Told::Refetch);
        assert_eq!(Told::read("instance", "{\"key\":1}"), Told::Refetch);
        assert_eq!(Told::read("instance", "no json"), Told::Refetch);
    }
}
