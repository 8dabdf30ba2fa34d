//! Learning what another process recorded in the backend beside this one: commands of the command line, above all.
//!
//! Annotations and the global switch are compared as a whole ([`crate::consensus::Consensus::adopt_recorded`]). Servers that
//! were forgotten or asked for are told by their membership, recoveries by how they stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use app::InstanceKey;
use app::recovery::Recovery;
use chrono::Utc;

use crate::services::Services;
use crate::store::{Membership, RecoveryStanding, Store, StoreError, UnfinishedRecovery};

/// So many of the newest recoveries are looked at.
const RECOVERIES_COMPARED: u32 = 50;

/// How a command line calls itself among the processes.
const COMMAND_LINE: &str = "CLIMode";

/// Remembers what was heard already, so that each word is acted on once.
#[derive(Debug, Default)]
pub struct Adoption {
    heard: Mutex<BTreeMap<InstanceKey, Membership>>,
}

/// What to do about a recovery that the backend knows.
#[derive(Debug, PartialEq, Eq)]
enum Concern {
    /// What is in memory is as good.
    Nothing,
    /// Read it.
    Read,
    /// Another process runs it: read how far it is, or go on with it when that process is gone.
    Foreign,
}

impl Adoption {
    /// Words recorded so far are part of the picture that is read next; that servers are to stay out is still heard.
    pub fn since(recorded: Vec<Membership>) -> Self {
        let admitted = recorded.into_iter().filter(|word| word.is_member);
        Self { heard: Mutex::new(admitted.map(|word| (word.key.clone(), word)).collect()) }
    }

    /// Takes over everything that is new.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn adopt(&self, services: &Services) -> Result<(), StoreError> {
        services.consensus.adopt_recorded(&services.store).await?;
        self.adopt_memberships(services).await?;
        adopt_recoveries(services).await
    }

    async fn adopt_memberships(&self, services: &Services) -> Result<(), StoreError> {
        let recorded = services.store.load_memberships(Utc::now()).await?;
        let news = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            news(&mut heard, recorded, &services.node.token)
        };
        for word in news {
            let Membership { key, is_member, valid_until, .. } = word;
            if !is_member {
                if services.fleet.forget(&key, valid_until) {
                    tracing::info!(instance = %key, "forgotten, as another process recorded");
                }
            } else if services.fleet.get(&key).is_none() {
                follow(services, key);
            }
        }
        Ok(())
    }
}

/// Looks at a server that another process took in. It is in the picture as soon as it answers.
fn follow(services: &Services, key: InstanceKey) {
    let discovery = std::sync::Arc::clone(&services.discovery);
    tokio::spawn(async move {
        match discovery.discover(&key).await {
            Ok(_) => tracing::info!(instance = %key, "taken in, as another process recorded"),
            Err(error) => {
                tracing::warn!(instance = %key, %error, "another process took this server in; it cannot be read")
            }
        }
    });
}

/// Recoveries that nobody runs any more. One that a command line runs at this moment is not among them; one of a
/// service is, because there is one service, which is this one.
///
/// # Errors
/// [`StoreError`] when the backend does not answer.
pub async fn abandoned(store: &Store) -> Result<Vec<UnfinishedRecovery>, StoreError> {
    let live = store.live_nodes().await?;
    let commands: Vec<_> = live.iter().filter(|node| node.mode == COMMAND_LINE).map(|node| &node.node.token).collect();
    let mut unfinished = store.load_unfinished_recoveries().await?;
    unfinished.retain(|u| !commands.contains(&&u.recovery.node_token));
    Ok(unfinished)
}

/// Recoveries that a command line ran or runs, and acknowledgements that it gave.
async fn adopt_recoveries(services: &Services) -> Result<(), StoreError> {
    let standings = services.store.recovery_standings(RECOVERIES_COMPARED).await?;
    let registry = services.recovery.registry();
    let mine = &services.node.token;
    let mut foreign = Vec::new();
    for standing in standings {
        let held = registry.find(&standing.uid);
        match concern(&standing, held.as_deref(), mine) {
            Concern::Nothing => {}
            Concern::Read => read(services, &standing.uid).await?,
            Concern::Foreign => foreign.push(standing),
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    let live = services.store.live_nodes().await?;
    let (alive, dead): (Vec<_>, Vec<_>) =
        foreign.into_iter().partition(|standing| live.iter().any(|node| node.node == standing.node));
    for standing in alive {
        read(services, &standing.uid).await?;
    }
    if dead.is_empty() { Ok(()) } else { take_up(services, dead).await }
}

/// Reads a recovery into memory. One that cannot be read must not keep the others from being read.
async fn read(services: &Services, uid: &str) -> Result<(), StoreError> {
    match services.store.load_recovery(uid).await {
        Ok(Some(recovery)) => drop(services.recovery.registry().put(recovery)),
        Ok(None) => {}
        Err(error @ StoreError::Corrupt { .. }) => tracing::debug!(uid, %error, "a recovery cannot be read"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Goes on with recoveries whose process is gone.
async fn take_up(services: &Services, dead: Vec<RecoveryStanding>) -> Result<(), StoreError> {
    let mut unfinished = services.store.load_unfinished_recoveries().await?;
    let (me, now) = (services.node.identity(), Utc::now());
    let mut claimed = Vec::new();
    for standing in dead {
        if services.store.claim_recovery(&standing.uid, &standing.node, &me, now).await? {
            claimed.push(standing.uid);
        }
    }
    unfinished.retain(|u| claimed.contains(&u.recovery.uid));
    services.recovery.take_up(unfinished);
    Ok(())
}

/// The words of others that were not heard before. What is recorded replaces what was heard.
fn news(heard: &mut BTreeMap<InstanceKey, Membership>, recorded: Vec<Membership>, mine: &str) -> Vec<Membership> {
    let recorded: BTreeMap<_, _> = recorded.into_iter().map(|word| (word.key.clone(), word)).collect();
    let news = recorded.values().filter(|word| word.node_token != mine && heard.get(&word.key) != Some(*word));
    let news = news.cloned().collect();
    *heard = recorded;
    news
}

/// What memory lacks of a recovery. What this process runs, it knows best.
fn concern(standing: &RecoveryStanding, held: Option<&Recovery>, mine: &str) -> Concern {
    let Some(held) = held else { return Concern::Read };
    if held.is_running() {
        if held.node_token == mine {
            return Concern::Nothing;
        }
        return if standing.is_running { Concern::Foreign } else { Concern::Read };
    }
    let acknowledged_elsewhere = standing.is_acknowledged && held.acknowledged.is_none();
    if acknowledged_elsewhere { Concern::Read } else { Concern::Nothing }
}

#[cfg(test)]
mod tests {
    use app::recovery::RecoveryState;

    use super::*;
    use crate::store::NodeIdentity;

    fn word(host: &str, is_member: bool, second: i64, node: &str) -> Membership {
        let at = |seconds| chrono::DateTime::from_timestamp(seconds, 0).expect("a moment");
        Membership {
            key: InstanceKey::new(host, 3306),
            is_member,
            recorded_at: at(second),
            valid_until: at(second + 1800),
            node_token: node.to_owned(),
        }
    }

    #[test]
    fn each_word_of_another_process_is_heard_once() {
        let mut heard = BTreeMap::new();
        let said = vec![word("db1", false, 1, "cli"), word("db2", false, 1, "me"), word("db3", true, 1, "cli")];
        assert_eq!(news(&mut heard, said.clone(), "me"), [said[0].clone(), said[2].clone()]);
        assert_eq!(news(&mut heard, said, "me"), []);
        let changed = vec![word("db1", true, 2, "cli")];
        assert_eq!(news(&mut heard, changed.clone(), "me"), changed);
        assert_eq!(news(&mut heard, vec![], "me"), [], "words that are over are no news");
        assert_eq!(news(&mut heard, vec![word("db1", false, 1, "cli")], "me").len(), 1, "said anew after that");
    }

    #[test]
    fn what_was_said_before_the_picture_was_read_is_in_it_but_for_what_stays_out() {
        let said = vec![word("db1", false, 1, "old"), word("db2", true, 1, "old")];
        let adoption = Adoption::since(said.clone());
        let mut heard = adoption.heard.into_inner().expect("no panic");
        assert_eq!(news(&mut heard, said.clone(), "me"), [said[0].clone()]);
    }

    #[test]
    fn a_recovery_is_read_when_somebody_else_knows_it_better() {
        let standing = |node: &str, is_running, is_acknowledged| RecoveryStanding {
            uid: "1:a".to_owned(),
            is_running,
            is_acknowledged,
            node: NodeIdentity { hostname: "orc".to_owned(), token: node.to_owned() },
        };
        let held = |node: &str, running: bool| {
            let mut recovery = crate::testing::recovery("1:a", &InstanceKey::new("db1", 3306), node);
            if !running {
                recovery.state = RecoveryState::Succeeded;
            }
            recovery
        };
        let cases = [
            (standing("cli", true, false), None, Concern::Read),
            (standing("me", false, true), Some(held("me", true)), Concern::Nothing),
            (standing("cli", true, false), Some(held("cli", true)), Concern::Foreign),
            // Taken up by this process, which the backend is yet to learn.
            (standing("cli", true, false), Some(held("me", true)), Concern::Nothing),
            (standing("cli", false, false), Some(held("cli", true)), Concern::Read),
            (standing("me", false, true), Some(held("me", false)), Concern::Read),
            (standing("me", false, false), Some(held("me", false)), Concern::Nothing),
        ];
        for (standing, held, expected) in cases {
            assert_eq!(concern(&standing, held.as_ref(), "me"), expected, "{standing:?}");
        }
    }
}
