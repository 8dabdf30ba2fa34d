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
use crate::store::{Membership, RecoveryStanding, StoreError};

/// So many of the newest recoveries are looked at.
const RECOVERIES_COMPARED: u32 = 50;

/// Remembers what was heard already, so that each word is acted on once.
#[derive(Debug, Default)]
pub struct Adoption {
    heard: Mutex<BTreeMap<InstanceKey, Membership>>,
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

/// Recoveries that others began, and acknowledgements that they gave.
async fn adopt_recoveries(services: &Services) -> Result<(), StoreError> {
    let standings = services.store.recovery_standings(RECOVERIES_COMPARED).await?;
    let registry = services.recovery.registry();
    let mine = &services.node.token;
    for standing in standings {
        let held = registry.find(&standing.uid);
        if lacks(&standing, held.as_deref(), mine) {
            read(services, &standing.uid).await?;
        }
    }
    Ok(())
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

/// The words of others that were not heard before. What is recorded replaces what was heard.
fn news(heard: &mut BTreeMap<InstanceKey, Membership>, recorded: Vec<Membership>, mine: &str) -> Vec<Membership> {
    let recorded: BTreeMap<_, _> = recorded.into_iter().map(|word| (word.key.clone(), word)).collect();
    let news = recorded.values().filter(|word| word.node_token != mine && heard.get(&word.key) != Some(*word));
    let news = news.cloned().collect();
    *heard = recorded;
    news
}

/// Memory does not have what the backend knows of a recovery: that it was, that it ended, or that it was acknowledged. One that is at
/// work is somebody's to tell of: this process's own, or that of those who look after unfinished ones.
fn lacks(standing: &RecoveryStanding, held: Option<&Recovery>, mine: &str) -> bool {
    match held {
        None => true,
        Some(held) if held.is_running() => held.node_token != mine && !standing.is_running,
        Some(held) => standing.is_acknowledged && held.acknowledged.is_none(),
    }
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
            (standing("cli", true, false), None, true),
            (standing("me", false, true), Some(held("me", true)), false),
            (standing("cli", true, false), Some(held("cli", true)), false),
            (standing("cli", false, false), Some(held("cli", true)), true),
            (standing("me", false, true), Some(held("me", false)), true),
            (standing("me", false, false), Some(held("me", false)), false),
        ];
        for (standing, held, expected) in cases {
            assert_eq!(lacks(&standing, held.as_ref(), "me"), expected, "{standing:?}");
        }
    }
}
