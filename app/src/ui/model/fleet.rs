//! The dashboard's list: filter, order, totals.

use super::tone::Tone;
use crate::api::ClusterSummary;

/// What a list of clusters adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Clusters.
    pub clusters: usize,
    /// Servers.
    pub servers: u64,
    /// Servers with a problem.
    pub with_problem: u64,
    /// Servers in downtime.
    pub downtimed: u64,
    /// Clusters that are broken.
    pub broken: usize,
    /// Clusters that want a look.
    pub attention: usize,
    /// Clusters with a recovery at work.
    pub recovering: usize,
    /// Clusters as they should be.
    pub ok: usize,
}

/// Adds a list up.
pub fn totals(clusters: &[ClusterSummary]) -> Totals {
    clusters.iter().fold(Totals { clusters: clusters.len(), ..Totals::default() }, |mut t, cluster| {
        t.servers += cluster.servers;
        t.with_problem += with_problem(cluster);
        t.downtimed += cluster.downtimed;
        match Tone::of_cluster(cluster) {
            Tone::Broken => t.broken += 1,
            Tone::Attention => t.attention += 1,
            Tone::Progress => t.recovering += 1,
            _ => t.ok += 1,
        }
        t
    })
}

/// Servers of a cluster that have a problem. The counts are by problem and a server may have several, so this is at most
/// the number of servers.
pub fn with_problem(cluster: &ClusterSummary) -> u64 {
    cluster.problems.values().sum::<u64>().min(cluster.servers)
}

/// The clusters that match: every word of `filter` is part of name, alias, domain, primary, finding or a problem; and the
/// state is `state` (`Tone::word`) unless that is empty. Loudest first, then by alias.
pub fn listed<'a>(clusters: &'a [ClusterSummary], filter: &str, state: &str) -> Vec<&'a ClusterSummary> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let matches = |cluster: &&ClusterSummary| {
        let primary = cluster.primary.as_ref().map(ToString::to_string).unwrap_or_default();
        let problems: Vec<&str> = cluster.problems.keys().map(String::as_str).collect();
        let fields = [&cluster.name, &cluster.alias, &cluster.domain, &primary, &cluster.finding, &problems.join(" ")];
        let text = fields.map(|f| f.to_lowercase()).join("\n");
        words.iter().all(|word| text.contains(word)) && (state.is_empty() || Tone::of_cluster(cluster).word() == state)
    };
    let mut listed: Vec<&ClusterSummary> = clusters.iter().filter(matches).collect();
    listed.sort_by(|a, b| {
        let loud = |c: &ClusterSummary| std::cmp::Reverse(Tone::of_cluster(c).urgency());
        (loud(a), display_name(a), &a.name).cmp(&(loud(b), display_name(b), &b.name))
    });
    listed
}

/// The alias where there is one, else the name: it outlives the change of the primary, so it is used in addresses too.
pub fn display_name(cluster: &ClusterSummary) -> &str {
    if cluster.alias.is_empty() { &cluster.name } else { &cluster.alias }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::finding::Severity;

    fn cluster(alias: &str, severity: Severity) -> ClusterSummary {
        ClusterSummary {
            name: format!("{alias}-db1:3306"),
            alias: alias.to_owned(),
            domain: String::new(),
            servers: 4,
            problems: BTreeMap::new(),
            primary: None,
            downtimed: 1,
            severity,
            finding: String::new(),
            recovering: false,
            auto_source_recovery: false,
            auto_intermediate_recovery: false,
        }
    }

    #[test]
    fn the_loudest_clusters_come_first() {
        let list = [cluster("b", Severity::Ok), cluster("c", Severity::Broken), cluster("a", Severity::Ok)];
        let order: Vec<_> = listed(&list, "", "").into_iter().map(display_name).collect();
        assert_eq!(order, ["c", "a", "b"]);
        let broken: Vec<_> = listed(&list, "", "broken").into_iter().map(display_name).collect();
        assert_eq!(broken, ["c"]);
    }

    #[test]
    fn every_word_must_match_somewhere() {
        let mut orders = cluster("orders", Severity::Ok);
        orders.problems.insert("replication_lag".to_owned(), 2);
        let list = [orders, cluster("users", Severity::Ok)];
        assert_eq!(listed(&list, "ORD lag", "").len(), 1);
        assert_eq!(listed(&list, "ord missing", "").len(), 0);
        assert_eq!(
            totals(&list),
            Totals { clusters: 2, servers: 8, with_problem: 2, downtimed: 2, attention: 1, ok: 1, ..Totals::default() }
        );
    }
}
