//! What keeps users, sessions and tokens true beside other processes, and streams from outliving what they rest on.

use std::time::Duration;

use app::InstanceKey;
use chrono::{TimeDelta, Utc};

use super::doorkeeper::COMMAND_LINE;
use super::sessions::idle_limit;
use crate::accounts::{Accounts, Pass};
use crate::config::{AuthMethod, Config};
use crate::journal::Entry;
use crate::services::Services;
use crate::store::StoreError;
use crate::tasks::Task;

/// What another process recorded is in force here after so long at the latest: a token that a command revoked, above all.
const ADOPTED_EVERY: Duration = Duration::from_secs(2);

/// When sessions and tokens were used is written so often, and what has ended is thrown away.
const NOTED_EVERY: u32 = 5;
const TIDIED_EVERY: u32 = 150;

/// A token that has ended stays on record for so long, for those who wonder why it does not work.
const TOKENS_KEPT: TimeDelta = TimeDelta::days(30);

/// A stream looks whether it may go on at least this often.
const LOOKED_AT: Duration = Duration::from_secs(30);

/// Starts the loop.
pub fn start(services: &Services) {
    let this = services.clone();
    services.tasks.spawn("accounts", move |task| keep(this.clone(), task));
}

async fn keep(services: Services, task: Task) {
    let mut round: u32 = 0;
    while task.sleep(ADOPTED_EVERY).await {
        task.busy();
        round = round.wrapping_add(1);
        let adopted = services.consensus.adopt_accounts(&services.store).await;
        if round.is_multiple_of(NOTED_EVERY) {
            note_used(&services);
            services.audit.sum_up();
        }
        let tidied = if round.is_multiple_of(TIDIED_EVERY) { tidy(&services).await } else { Ok(()) };
        task.idle(adopted.and(tidied).map_err(|error| error.to_string()));
    }
}

/// Writes when sessions and tokens were used last.
pub fn note_used(services: &Services) {
    for used in services.consensus.accounts().take_used() {
        drop(services.journal.push(Entry::Used(used)));
    }
}

async fn tidy(services: &Services) -> Result<(), StoreError> {
    let (now, idle) = (Utc::now(), idle_limit(&services.config.current()));
    for id in services.consensus.accounts().tidy(idle, now) {
        drop(services.journal.push(Entry::SessionEnded(id)));
    }
    services.store.purge_accounts(now, now - TOKENS_KEPT).await
}

/// Returns when that by which a caller was let in is good no more; never without anything of the kind.
pub async fn until_ended(services: Services, pass: Option<Pass>) {
    let Some(pass) = pass else { return std::future::pending().await };
    let accounts = services.consensus.accounts();
    let mut changed = accounts.watch();
    while is_good(accounts, &services.config.current(), &pass) {
        // Whatever comes first: somebody signs out, or the clock has moved on.
        let left = time_left(accounts, &services.config.current(), &pass).min(LOOKED_AT);
        let _either = tokio::time::timeout(left, changed.changed()).await;
    }
    tracing::debug!(?pass, instance = %InstanceKey::default(), "a stream ends with what it rested on");
}

fn is_good(accounts: &Accounts, config: &Config, pass: &Pass) -> bool {
    let now = Utc::now();
    match pass {
        Pass::Session(id) => {
            config.auth.method() == Ok(AuthMethod::Local) && accounts.session(id, idle_limit(config), now).is_some()
        }
        Pass::Token(id) => accounts.token(id).is_some_and(|token| {
            let method = config.auth.authentication_method.to_ascii_lowercase();
            let counts = token.owner_method == COMMAND_LINE || token.owner_method == method;
            let has_maker = token.owner_method != "local" || accounts.user(&token.owner).is_some();
            token.is_alive(now) && counts && has_maker
        }),
    }
}

/// Until the end that is known beforehand.
fn time_left(accounts: &Accounts, config: &Config, pass: &Pass) -> Duration {
    let idle = idle_limit(config);
    let end = match pass {
        Pass::Session(id) => accounts.session(id, idle, Utc::now()).map(|s| s.ends.min(s.seen + idle)),
        Pass::Token(id) => accounts.token(id).and_then(|token| token.ends),
    };
    let left = end.map_or(LOOKED_AT, |end| (end - Utc::now()).to_std().unwrap_or_default());
    left.max(Duration::from_millis(100))
}
