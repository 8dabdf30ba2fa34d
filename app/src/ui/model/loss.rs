//! A recovery that was refused because writes would be lost: what it names, and the request that accepts their loss.
//! The service decides; it takes the transactions only as the refusal named them (`engine::candidate`, docs/RECOVERY.md,
//! "Writes that may be lost").

use crate::api::RecoverRequest;
use crate::readiness::Forecast;
use crate::recovery::{Recovery, RecoveryState};

/// The rule that refuses.
const RULE: &str = "data-at-risk";
/// What stands before the transactions in the reason of a recovery that ended with [`RULE`].
const NAMED: &str = "; transactions at risk: ";

/// A loss that could be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What would be asked for; it names the transactions.
    pub request: RecoverRequest,
    /// What would be lost, for people.
    pub told: Vec<String>,
}

impl Offer {
    /// The transactions.
    pub fn at_risk(&self) -> &str {
        self.request.accept_loss_of.as_deref().unwrap_or_default()
    }

    /// What a recovery that ended refused, if it is the loss alone that stood in its way.
    pub fn after(recovery: &Recovery) -> Option<Self> {
        let RecoveryState::Failed { reason } = &recovery.state else { return None };
        let (why, named) = reason.strip_prefix(RULE)?.strip_prefix(": ")?.split_once(NAMED)?;
        let at_risk = named.split("; ").next().unwrap_or(named).trim();
        if at_risk.is_empty() {
            return None;
        }
        // A record does not tell that one server alone was asked for; its verdict about the others does.
        let named_one = recovery.considered.iter().any(|c| c.rule == "not-designated");
        let designated = match named_one {
            true => Some(recovery.considered.iter().find(|c| c.rule == RULE)?.key.clone()),
            false => None,
        };
        let (kind, target) = match (recovery.command.as_str(), &designated) {
            ("", _) => ("recover", recovery.finding.key.to_string()),
            (_, None) => ("force-failover", recovery.cluster.clone()),
            (_, Some(_)) => ("force-takeover", recovery.cluster.clone()),
        };
        Some(Self::of(kind, target, designated, at_risk, vec![sentence(why)]))
    }

    /// What a recovery of a dead source would refuse now.
    pub fn now(forecast: &Forecast) -> Option<Self> {
        let refused = forecast.dead && forecast.obstacles.iter().any(|o| o.rule == RULE);
        let loss = forecast.loss.as_ref().filter(|loss| refused && !loss.at_risk.is_empty())?;
        Some(Self::of("recover", forecast.server.to_string(), None, &loss.at_risk, loss.told.clone()))
    }

    fn of(
        kind: &str,
        target: String,
        designated: Option<crate::InstanceKey>,
        at_risk: &str,
        told: Vec<String>,
    ) -> Self {
        let accept_loss_of = Some(at_risk.to_owned());
        Self {
            request: RecoverRequest { kind: kind.to_owned(), target, designated, accept_loss_of, skip_hooks: false },
            told,
        }
    }

    /// The record that this offer is of is the last word about its cluster: nothing has recovered it since.
    pub fn is_open(recovery: &Recovery, latest: &[Recovery]) -> bool {
        let later =
            |r: &Recovery| r.uid != recovery.uid && r.cluster == recovery.cluster && r.started > recovery.started;
        !latest.iter().any(|r| later(r) && (r.is_running() || r.is_successful()))
    }
}

/// What was typed names just these transactions; white space and the case of letters do not matter.
pub fn is_named(typed: &str, at_risk: &str) -> bool {
    let bare = |text: &str| text.split_whitespace().collect::<String>().to_ascii_lowercase();
    bare(typed) == bare(at_risk)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstanceKey;
    use crate::recovery::Considered;
    use crate::ui::model::recovery::tests::recovery;

    const REASON: &str = "data-at-risk: promoting anybody would lose writes: no reachable server holds 0-1-7, which the source \
        or an unreachable replica had; AcceptDataLoss of the cluster is never; transactions at risk: 0-1-7,1-1-9; left changed: \
        db2:3306: its replication is stopped";

    fn refused(reason: &str) -> Recovery {
        Recovery { state: RecoveryState::Failed { reason: reason.to_owned() }, ..recovery("a", 100) }
    }

    #[test]
    fn a_refusal_names_the_transactions_and_says_what_they_are() {
        let offer = Offer::after(&refused(REASON)).expect("an offer");
        assert_eq!(offer.at_risk(), "0-1-7,1-1-9");
        assert_eq!((offer.request.kind.as_str(), offer.request.target.as_str()), ("recover", "db1:3306"));
        assert_eq!(offer.request.designated, None);
        assert!(offer.told[0].starts_with("Promoting anybody would lose writes"), "{:?}", offer.told);
        assert!(offer.told[0].ends_with("is never."), "{:?}", offer.told);
    }

    #[test]
    fn other_ends_offer_nothing() {
        for reason in ["no-candidate: none", "data-at-risk: unnamed", "data-at-risk: why; transactions at risk: "] {
            assert_eq!(Offer::after(&refused(reason)), None, "{reason}");
        }
        assert_eq!(Offer::after(&recovery("a", 100)), None, "it runs");
    }

    #[test]
    fn what_was_forced_is_forced_again_for_the_same_server() {
        let considered = |rule: &str, port| Considered {
            key: InstanceKey::new("db", port),
            chosen: false,
            rule: rule.to_owned(),
            reason: String::new(),
        };
        let command = "force-master-takeover".to_owned();
        let list = vec![considered("data-at-risk", 1), considered("not-designated", 2)];
        let offer = Offer::after(&Recovery { command, considered: list.clone(), ..refused(REASON) }).expect("an offer");
        assert_eq!((offer.request.kind.as_str(), offer.request.target.as_str()), ("force-takeover", "db1:3306"));
        assert_eq!(offer.request.designated, Some(InstanceKey::new("db", 1)));
        let offer = Offer::after(&Recovery { considered: list, ..refused(REASON) }).expect("an offer");
        assert_eq!(
            (offer.request.kind.as_str(), offer.request.designated),
            ("recover", Some(InstanceKey::new("db", 1)))
        );
        let command = "force-master-failover".to_owned();
        let offer = Offer::after(&Recovery { command, ..refused(REASON) }).expect("an offer");
        assert_eq!((offer.request.kind.as_str(), offer.request.designated), ("force-failover", None));
    }

    #[test]
    fn what_was_recovered_since_is_no_longer_offered() {
        let first = refused(REASON);
        let again =
            Recovery { uid: "b".to_owned(), started: first.started + chrono::Duration::seconds(9), ..first.clone() };
        assert!(Offer::is_open(&first, &[again.clone(), first.clone()]), "refused again");
        let done = Recovery { state: RecoveryState::Succeeded, ..again };
        assert!(!Offer::is_open(&first, &[done.clone(), first.clone()]));
        assert!(Offer::is_open(&done, &[done.clone(), first]));
    }

    #[test]
    fn only_the_very_transactions_are_a_name() {
        let set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n3e11fa47-71ca-11e1-9e33-c80aa9429563:7";
        assert!(is_named("3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5,3e11fa47-71ca-11e1-9e33-c80aa9429563:7 ", set));
        assert!(!is_named("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", set));
        assert!(!is_named("", set));
        assert!(is_named("everything after 0-1-7", "everything after 0-1-7"));
    }
}
