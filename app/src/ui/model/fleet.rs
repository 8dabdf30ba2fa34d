//! The dashboard's list: filter, order, totals.

use super::order::sort;
use super::tone::{Tone, problem_words};
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

/// The clusters that match every word of `filter`, and whose state is `state` (`Tone::word`) unless that is empty. Loudest
/// first, then by alias.
///
/// A word is part of anything that is known of a cluster; with a name before a colon, of that alone: `dc:`, `version:`,
/// `tag:`, `problem:`, and `auto:on` or `auto:off` (a dead primary is recovered, or is not, by itself).
pub fn listed<'a>(clusters: &'a [ClusterSummary], filter: &str, state: &str) -> Vec<&'a ClusterSummary> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let matches = |cluster: &&ClusterSummary| {
        words.iter().all(|word| has_word(cluster, word))
            && (state.is_empty() || Tone::of_cluster(cluster).word() == state)
    };
    let mut listed: Vec<&ClusterSummary> = clusters.iter().filter(matches).collect();
    sort(&mut listed, &|a, b| {
        let loud = |c: &ClusterSummary| std::cmp::Reverse(Tone::of_cluster(c).urgency());
        (loud(a), display_name(a), &a.name).cmp(&(loud(b), display_name(b), &b.name))
    });
    listed
}

/// Names that may stand before a colon in a filter.
pub const FILTERS: [&str; 5] = ["dc:", "version:", "tag:", "problem:", "auto:"];

fn has_word(cluster: &ClusterSummary, word: &str) -> bool {
    let part = |texts: &[&str], what: &str| texts.iter().any(|text| text.to_lowercase().contains(what));
    let centres: Vec<&str> = cluster.data_centers.keys().map(String::as_str).collect();
    let versions: Vec<&str> = cluster.versions.keys().map(String::as_str).collect();
    let tags: Vec<&str> = cluster.tags.iter().map(String::as_str).collect();
    let words: Vec<String> = cluster.problems.keys().map(|problem| problem_words(problem)).collect();
    let problems: Vec<&str> = cluster.problems.keys().chain(&words).map(String::as_str).collect();
    let named = FILTERS.into_iter().find_map(|name| Some((name, word.strip_prefix(name)?)));
    match named {
        Some(("dc:", what)) => part(&centres, what),
        Some(("version:", what)) => part(&versions, what),
        Some(("tag:", what)) => part(&tags, what),
        Some(("problem:", what)) => part(&problems, what) || part(&[&cluster.finding], what),
        Some((_, what)) => automation(cluster).0 == what,
        None => {
            let primary = cluster.primary.as_ref().map(ToString::to_string).unwrap_or_default();
            part(&[&cluster.name, &cluster.alias, &cluster.domain, &primary, &cluster.finding], word)
                || [&centres, &versions, &tags, &problems].iter().any(|texts| part(texts, word))
        }
    }
}

/// Whether a dead primary is recovered by itself (`on`, `off`), and in words what is.
pub fn automation(cluster: &ClusterSummary) -> (&'static str, &'static str) {
    match (cluster.auto_source_recovery, cluster.auto_intermediate_recovery) {
        (true, true) => ("on", "primary, intermediate"),
        (true, false) => ("on", "primary"),
        (false, true) => ("off", "intermediate"),
        (false, false) => ("off", "off"),
    }
}

/// What clusters are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing: one list.
    None,
    /// Their state.
    State,
    /// The data centres that they are in.
    DataCentre,
    /// The versions that they run.
    Version,
    /// What is recovered by itself.
    Automation,
    /// Their domain.
    Domain,
}

impl Grouping {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::None, Self::State, Self::DataCentre, Self::Version, Self::Automation, Self::Domain];

    /// Name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::State => "state",
            Self::DataCentre => "dc",
            Self::Version => "version",
            Self::Automation => "auto",
            Self::Domain => "domain",
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::State => "state",
            Self::DataCentre => "data centre",
            Self::Version => "version",
            Self::Automation => "automatic recovery",
            Self::Domain => "domain",
        }
    }

    /// The grouping of a name; none for any other text.
    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|g| g.name() == name).unwrap_or(Self::None)
    }

    fn title(self, cluster: &ClusterSummary) -> String {
        let join = |counts: &std::collections::BTreeMap<String, u64>| {
            counts.keys().map(String::as_str).collect::<Vec<_>>().join(" + ")
        };
        match self {
            Self::None => String::new(),
            Self::State => Tone::of_cluster(cluster).word().to_owned(),
            Self::DataCentre => join(&cluster.data_centers),
            Self::Version => join(&cluster.versions),
            Self::Automation => automation(cluster).1.to_owned(),
            Self::Domain => cluster.domain.clone(),
        }
    }
}

/// Puts clusters into groups, which keep their order; a group stands where its loudest cluster would. The title of a group is
/// empty where what it is grouped by is not known.
pub fn grouped(listed: &[&ClusterSummary], grouping: Grouping) -> Vec<(String, Vec<ClusterSummary>)> {
    let mut groups: Vec<(String, Vec<ClusterSummary>)> = Vec::new();
    for cluster in listed {
        let title = grouping.title(cluster);
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, members)) => members.push((*cluster).clone()),
            None => groups.push((title, vec![(*cluster).clone()])),
        }
    }
    groups
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
            max_lag: None,
            data_centers: BTreeMap::new(),
            versions: BTreeMap::new(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn a_word_with_a_name_is_looked_for_there_alone() {
        let mut orders = cluster("orders", Severity::Ok);
        orders.auto_source_recovery = true;
        orders.data_centers.insert("eu-1".to_owned(), 3);
        orders.versions.insert("MySQL 8.4".to_owned(), 3);
        orders.tags.push("owner=shop".to_owned());
        orders.problems.insert("replication_lag".to_owned(), 1);
        let list = [orders];
        for hit in
            ["eu-1", "dc:eu", "version:8.4", "tag:owner=shop", "problem:lagging", "problem:replication_lag", "auto:on"]
        {
            assert_eq!(listed(&list, hit, "").len(), 1, "{hit}");
        }
        for miss in ["dc:orders", "version:eu", "auto:off", "auto:o", "tag:eu", "dc:eu version:5"] {
            assert_eq!(listed(&list, miss, "").len(), 0, "{miss}");
        }
    }

    #[test]
    fn groups_stand_in_the_order_of_their_loudest_cluster() {
        let mut list = [cluster("a", Severity::Ok), cluster("b", Severity::Broken), cluster("c", Severity::Ok)];
        for (cluster, centre) in list.iter_mut().zip(["north", "south", ""]) {
            if !centre.is_empty() {
                cluster.data_centers.insert(centre.to_owned(), 4);
            }
        }
        let titles = |grouping| {
            let groups = grouped(&listed(&list, "", ""), grouping);
            groups.into_iter().map(|(title, members)| (title, members.len())).collect::<Vec<_>>()
        };
        let named =
            |expected: &[(&str, usize)]| expected.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(titles(Grouping::None), named(&[("", 3)]));
        assert_eq!(titles(Grouping::DataCentre), named(&[("south", 1), ("north", 1), ("", 1)]));
        assert_eq!(titles(Grouping::State), named(&[("broken", 1), ("ok", 2)]));
        for grouping in Grouping::ALL {
            assert_eq!(Grouping::of(grouping.name()), grouping);
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
