//! Settings of discovery.

use app::InstanceKey;
use engine::interpret::Filters;

use super::resolve::ResolveSettings;
use super::schedule::Pace;

/// What is followed, how often, and how names are resolved.
#[derive(Debug, Clone, Default)]
pub struct DiscoverySettings {
    /// How often, and how many at a time.
    pub pace: Pace,
    /// Who is left out. The same filters are to be given to the probe, which looks at replication users.
    pub filters: Filters,
    /// `DeadInstanceDiscoveryLogsEnabled`: lines in the log about servers that do not answer.
    pub tells_of_silent: bool,
    /// Host names. Read when the service starts; a change takes effect then.
    pub resolve: ResolveSettings,
    /// `DiscoverySeeds`: looked at once, when the service starts.
    pub seeds: Vec<InstanceKey>,
}
