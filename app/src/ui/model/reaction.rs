//! What the page reads again after an event: as little as will do.

use super::told::Told;
use crate::InstanceKey;

/// What is to be read again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reread {
    /// Everything on the screen.
    pub all: bool,
    /// The list of clusters.
    pub clusters: bool,
    /// The open cluster as a whole.
    pub cluster: bool,
    /// Single servers of the open cluster.
    pub servers: Vec<InstanceKey>,
    /// The list of recoveries.
    pub recoveries: bool,
    /// The state of the node and of the session.
    pub node: bool,
}

/// More single reads than this are worth less than one of the whole cluster.
const SINGLE_READS: usize = 6;

impl Reread {
    /// Nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What `event` asks for while the cluster of this name is open, which holds the servers for which `shown` is true.
    pub fn after(event: &Told, open: Option<&str>, shown: impl Fn(&InstanceKey) -> bool) -> Self {
        let mut out = Self::default();
        let here = |cluster: &str| open == Some(cluster);
        match event {
            Told::Changed { key, cluster } => {
                out.clusters = true;
                if key.is_null() {
                    out.cluster = here(cluster);
                } else if shown(key) && here(cluster) {
                    out.servers.push(key.clone());
                } else {
                    // New here, or gone to another cluster: the shape may change.
                    out.cluster = here(cluster) || shown(key);
                }
            }
            Told::Forgotten { key, cluster } | Told::Finding { key, cluster } => {
                out.clusters = true;
                out.cluster = here(cluster) || shown(key);
            }
            Told::Ended { .. } => out.cluster = open.is_some(),
            Told::Recovery(recovery) => {
                out.clusters = true;
                out.recoveries = true;
                // While it runs its record is in the event; the tree follows by server events.
                out.cluster = !recovery.is_running() && recovery.participants.iter().any(&shown);
            }
            Told::Node => out.node = true,
            Told::Step { .. } => {}
            Told::Refetch => out.all = true,
        }
        out
    }

    /// Both; many single reads become one of the whole cluster.
    pub fn join(&mut self, other: Self) {
        self.all |= other.all;
        self.clusters |= other.clusters;
        self.cluster |= other.cluster;
        self.recoveries |= other.recoveries;
        self.node |= other.node;
        for key in other.servers {
            if !self.servers.contains(&key) {
                self.servers.push(key);
            }
        }
        if self.servers.len() > SINGLE_READS {
            self.cluster = true;
        }
        if self.cluster || self.all {
            self.servers.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> InstanceKey {
        InstanceKey::new(format!("db{n}"), 3306)
    }

    fn changed(n: u16, cluster: &str) -> Told {
        Told::Changed { key: key(n), cluster: cluster.to_owned() }
    }

    #[test]
    fn a_server_on_the_screen_is_read_alone_and_a_new_one_with_its_cluster() {
        let shown = |k: &InstanceKey| *k == key(1);
        assert_eq!(Reread::after(&changed(1, "a"), Some("a"), shown).servers, [key(1)]);
        assert!(Reread::after(&changed(2, "a"), Some("a"), shown).cluster, "new here");
        assert!(Reread::after(&changed(1, "b"), Some("a"), shown).cluster, "moved away");
        let elsewhere = Reread::after(&changed(3, "b"), Some("a"), shown);
        assert_eq!(elsewhere, Reread { clusters: true, ..Reread::default() });
    }

    #[test]
    fn many_single_reads_become_one_and_missed_events_mean_everything() {
        let mut pending = Reread::default();
        for n in 0..6 {
            pending.join(Reread::after(&changed(n, "a"), Some("a"), |_| true));
            pending.join(Reread::after(&changed(n, "a"), Some("a"), |_| true));
        }
        assert_eq!((pending.servers.len(), pending.cluster), (6, false));
        pending.join(Reread::after(&changed(7, "a"), Some("a"), |_| true));
        assert_eq!((pending.servers.len(), pending.cluster), (0, true));
        assert!(Reread::after(&Told::Refetch, None, |_| true).all);
    }
}
