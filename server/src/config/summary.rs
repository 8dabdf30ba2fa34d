//! The configuration in a few lines, for the log at start-up.

use super::filters::ClusterFilters;
use super::{BackendKind, Config};

impl Config {
    /// What decides about the behaviour of this process, a fact per line. Holds no secrets.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let backend = match self.backend.kind() {
            BackendKind::Sqlite => format!("SQLite {}", self.backend.sqlite_data_file),
            BackendKind::Mysql => format!(
                "MySQL {}@{}:{}/{}",
                self.backend.user, self.backend.host, self.backend.port, self.backend.database
            ),
        };
        let listen = self.effective_listen();
        let rights = if self.general.read_only {
            "ReadOnly: nobody may change anything".to_owned()
        } else {
            self.auth.method().map_or_else(|error| error.to_string(), |method| method.to_string())
        };
        vec![
            format!("backend: {backend}"),
            format!("listen: {} ({})", listen.address, listen.reason),
            format!("rights: {rights}"),
            format!("probing: every {} s as user {:?}", self.discovery.poll_interval().as_secs(), self.topology.user),
            format!(
                "automatic recovery of primaries: {}; of intermediate sources: {}",
                clusters(&self.recovery.recover_primary_filters),
                clusters(&self.recovery.recover_intermediate_source_filters)
            ),
        ]
    }
}

fn clusters(filters: &ClusterFilters) -> String {
    if filters.is_empty() { "none".to_owned() } else { filters.texts().join(", ") }
}
