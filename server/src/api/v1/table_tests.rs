use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// All paths of the specification with their right: `W` takes the right to change, `R` none, `R!` changes without one.
const PATHS: &str = include_str!("paths.txt");

/// Reads of the original that here take the right to change: one has the node open connections to anywhere, the other has a server
/// read all its binary logs.
const STRICTER: [&str; 2] = ["resolve/:host/:port", "locate-gtid-errant/:host/:port"];

/// Reads that the original keeps from those who may only look, and that are open to them here.
const LOOSER: [&str; 10] = [
    "restart-slave-statements/:host/:port",
    "restart-replica-statements/:host/:port",
    "cluster-pool-instances/:clusterName",
    "cluster-pool-instances/:clusterName/:pool",
    "heuristic-cluster-pool-instances/:clusterName",
    "heuristic-cluster-pool-instances/:clusterName/:pool",
    "heuristic-cluster-pool-lag/:clusterName",
    "heuristic-cluster-pool-lag/:clusterName/:pool",
    "bulk-instances",
    "bulk-promotion-rules",
];

fn specified() -> BTreeMap<&'static str, &'static str> {
    PATHS.lines().filter_map(|line| line.split_once(' ')).map(|(right, path)| (path.trim(), right)).collect()
}

#[test]
fn each_path_of_the_original_is_there_once_and_nothing_else() {
    let table = Table::new();
    let paths: Vec<&str> = table.routes().iter().flat_map(|route| route.paths.iter().copied()).collect();
    let unique: BTreeSet<&str> = paths.iter().copied().collect();
    assert_eq!(paths.len(), unique.len(), "a path stands in the table twice");
    let expected: BTreeSet<&str> = specified().into_keys().collect();
    assert_eq!(unique.difference(&expected).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the specification");
    assert_eq!(expected.difference(&unique).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the table");
    assert_eq!(expected.len(), 250);
}

#[test]
fn each_change_takes_a_right_and_is_marked_as_one() {
    let specified = specified();
    for route in Table::new().routes() {
        for path in &route.paths {
            let takes_right = matches!(route.handler.right(), "operator" | "admin");
            match specified.get(path).copied().unwrap_or_default() {
                "R" if STRICTER.contains(path) => assert!(takes_right && !route.changes, "{path}"),
                "R" => assert!(!takes_right && !route.changes, "{path}"),
                // What the original leaves open although it changes something is closed here.
                "R!" => assert!(takes_right && route.changes, "{path}"),
                _ if LOOSER.contains(path) => assert!(!takes_right && !route.changes, "{path}"),
                _ => assert!(takes_right, "{path}"),
            }
        }
    }
}

#[test]
fn each_path_leads_to_its_own_route() {
    let table = Table::new();
    for route in table.routes() {
        for path in &route.paths {
            let example: Vec<String> = path
                .split('/')
                .map(|part| part.strip_prefix(':').map_or(part.to_owned(), |name| format!("x{name}")))
                .collect();
            let (found, params) = table.find(&example.join("/")).expect(path);
            assert!(found.paths.contains(path), "{path} leads to {:?}", found.paths);
            assert_eq!(params.len(), path.matches(':').count(), "{path}");
        }
    }
}

#[test]
fn what_is_not_in_the_table_is_not_found() {
    let table = Table::new();
    for path in ["", "nosuch", "instance", "instance/db1", "instance/db1/3306/x", "Clusters", "v2/clusters"] {
        assert!(table.find(path).is_none(), "{path}");
    }
}
