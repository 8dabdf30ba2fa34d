//! Pools: named lists of servers that operators hand in. They are in the backend only; no decision rests on them.

use app::InstanceKey;

use crate::lookup::{self, Reach};
use crate::services::Services;

/// The servers of a list that commas or blanks separate. Each is resolved, then stretched to a known one if
/// `SupportFuzzyPoolHostnames` says so.
///
/// # Errors
/// The first element that cannot be read or resolved; then the whole list means nothing.
pub async fn members_of(services: &Services, list: &str) -> Result<Vec<InstanceKey>, String> {
    let config = services.config.current();
    let reach = if config.candidates.support_fuzzy_pool_hostnames { Reach::Contains } else { Reach::Exact };
    let snapshot = services.fleet.snapshot();
    let mut members = Vec::new();
    for text in lookup::split_list(list) {
        let given = InstanceKey::parse(text, config.general.default_port()).map_err(|error| error.to_string())?;
        let key = if snapshot.get(&given).is_some() || !given.is_valid() {
            given
        } else {
            let resolved = services.discovery.resolver().resolve(&given.hostname).await;
            let hostname = resolved.map_err(|error| error.to_string())?;
            lookup::widen(&snapshot, InstanceKey::new(hostname, given.port), reach)
        };
        if !members.contains(&key) {
            members.push(key);
        }
    }
    Ok(members)
}
