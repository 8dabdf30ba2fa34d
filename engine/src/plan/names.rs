//! Virtual host names of sources (`spec/discovery.md` 2.4): what replicas are told instead of the name that a server is known by.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::plan::{Action, Plan};
use app::topology::Snapshot;

use super::fingerprint::fingerprint;
use crate::statements::name_source;

/// The virtual host name that is registered for a source; `None` when there is none, and for one that cannot be read: whether the name
/// leads to it could not be found out.
pub fn virtual_name<'a>(snapshot: &'a Snapshot, source: &InstanceKey) -> Option<&'a str> {
    let name = snapshot.annotations.unresolved.get(&source.hostname).map(|name| name.trim())?;
    let readable = snapshot.get(source).is_some_and(|server| server.check.is_valid());
    (readable && !name.is_empty() && name != source.hostname).then_some(name)
}

/// Puts virtual names into the statements of a plan, so that what is shown is what is sent.
pub(super) fn with_virtual_names(mut plan: Plan, snapshot: &Snapshot) -> Plan {
    let mut used = BTreeMap::new();
    for step in &mut plan.steps {
        let Action::ChangeSource { to, .. } = &step.action else { continue };
        let Some(name) = virtual_name(snapshot, to) else { continue };
        for statement in &mut step.statements {
            *statement = name_source(statement, &to.hostname, name);
        }
        used.insert(to.hostname.clone(), name.to_owned());
    }
    if used.is_empty() {
        return plan;
    }
    plan.checks.extend(used.iter().map(|(host, name)| format!("replicas are told {name} for {host}, as registered")));
    // What was shown has these names: it is another plan without them.
    plan.fingerprint = fingerprint(&plan.fingerprint, &plan.steps, &[], []);
    plan
}
