//! Resolved host names across restarts (`spec/discovery.md` 2.3): recorded in the backend, read at the start, looked after.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::topology::Snapshot;
use chrono::{DateTime, Utc};

use crate::discovery::{Resolved, Resolver};
use crate::store::{ResolvedName, Store, StoreError};

/// Gives the resolver what the backend remembers.
///
/// # Errors
/// [`StoreError`] when the backend does not answer.
pub async fn load(resolver: &Resolver, store: &Store) -> Result<(), StoreError> {
    let recorded = store.load_resolved_names().await?;
    let resolved = |name: ResolvedName| Resolved { host: name.hostname, name: name.resolved, at: name.at };
    resolver.load(recorded.into_iter().map(resolved));
    Ok(())
}

/// Records what was found out since `moment`, and deletes names that lead back to themselves.
///
/// # Errors
/// [`StoreError`] when the backend does not answer; what is not recorded is to be recorded from the same moment on.
pub async fn record(resolver: &Resolver, store: &Store, moment: DateTime<Utc>) -> Result<(), StoreError> {
    let recorded = |found: Resolved| ResolvedName { hostname: found.host, resolved: found.name, at: found.at };
    let found: Vec<ResolvedName> = resolver.found_since(moment).into_iter().map(recorded).collect();
    if !found.is_empty() {
        store.write_resolved_names(&found).await?;
    }
    let circular = circular(&store.load_resolved_names().await?);
    if !circular.is_empty() {
        tracing::warn!(names = ?circular, "host names resolve to each other; the older ones are forgotten");
        store.forget_resolved_names(&circular).await?;
        circular.iter().for_each(|host| resolver.forget(host));
    }
    Ok(())
}

/// Of two names that resolve to each other the one that was resolved earlier.
fn circular(names: &[ResolvedName]) -> Vec<String> {
    let by_host: BTreeMap<&str, &ResolvedName> = names.iter().map(|name| (name.hostname.as_str(), name)).collect();
    let leads_back = |name: &ResolvedName| {
        let other = by_host.get(name.resolved.as_str())?;
        let is_older = (name.at, &name.hostname) < (other.at, &other.hostname);
        (other.resolved == name.hostname && name.hostname != name.resolved && is_older).then(|| name.hostname.clone())
    };
    names.iter().filter_map(leads_back).collect()
}

/// Servers that do not answer under a name which now stands for another server: that one is known and answers, so they are
/// the same one found under an old name. Without it the old name may be the last trace of a dead server.
pub fn known_by_another_name(snapshot: &Snapshot, name_of: impl Fn(&str) -> Option<String>) -> Vec<InstanceKey> {
    let other = |key: &InstanceKey| {
        let name = name_of(&key.hostname).filter(|name| *name != key.hostname)?;
        snapshot.get(&InstanceKey::new(name, key.port))
    };
    let same_server = |i: &app::topology::Instance| {
        other(&i.key).is_some_and(|o| o.check.is_valid() && !o.server_uuid.is_empty() && o.server_uuid == i.server_uuid)
    };
    let silent = snapshot.instances.values().filter(|i| !i.check.is_valid());
    silent.filter(|i| same_server(i)).map(|i| i.key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use app::topology::{Check, Instance};

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a moment")
    }

    #[test]
    fn of_two_names_that_lead_to_each_other_the_older_goes() {
        let name = |host: &str, resolved: &str, second| ResolvedName {
            hostname: host.to_owned(),
            resolved: resolved.to_owned(),
            at: at(second),
        };
        let names = [name("a", "b", 1), name("b", "a", 2), name("c", "d", 1), name("e", "e", 1), name("d", "f", 1)];
        assert_eq!(circular(&names), ["a"]);
        assert_eq!(circular(&[name("a", "b", 1), name("b", "a", 1)]), ["a"], "one of them, whatever the clock says");
    }

    #[test]
    fn only_what_is_seen_under_another_name_is_the_same_server() {
        let server = |host: &str, uuid: &str, valid: bool| {
            let moment = Some(at(10));
            let last_seen = if valid { moment } else { Some(at(1)) };
            let check = Check { last_checked: moment, last_attempted: moment, last_seen, ..Check::default() };
            let key = InstanceKey::new(host, 3306);
            (key.clone(), Arc::new(Instance { key, server_uuid: uuid.to_owned(), check, ..Instance::default() }))
        };
        let servers = [
            server("old", "u1", false),
            server("new", "u1", true),
            server("vip", "u2", false),
            server("db2", "u3", true),
            server("lost", "u4", false),
        ];
        let snapshot = Snapshot { instances: Arc::new(servers.into_iter().collect()), ..Snapshot::default() };
        let name_of = |host: &str| match host {
            "old" => Some("new".to_owned()),
            // A dead server's name was given to its successor: that is not the same server.
            "vip" => Some("db2".to_owned()),
            "lost" => Some("nowhere".to_owned()),
            other => Some(other.to_owned()),
        };
        assert_eq!(known_by_another_name(&snapshot, name_of), [InstanceKey::new("old", 3306)]);
    }
}
