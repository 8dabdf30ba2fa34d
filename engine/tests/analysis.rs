//! Every code of analysis, from files: a topology and what is to be found in it.
#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use app::BinlogCoordinates;
use app::finding::{AnalysisCode, Finding, Severity};
use engine::analysis::{AnalysisSettings, Unmoved, UnmovedCoordinates, analyse, analyse_cluster, analyse_server};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use support::{at, key, now, topology};

/// One file holds many cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows.
    shows: String,
    /// Servers in the notation of `support`.
    servers: Vec<String>,
    /// Settings that differ from the defaults.
    #[serde(default)]
    settings: Settings,
    /// Every finding, by host name: no other may be made.
    find: BTreeMap<String, Expected>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    keep_all: bool,
    reduce: Option<bool>,
    leave_out_downtimed: bool,
    recover_non_writeable: bool,
    enforce_exact_semi_sync: bool,
    ignore: Vec<String>,
    /// By host name: the source has not moved from its default position for so many seconds.
    unmoved: BTreeMap<String, i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    code: AnalysisCode,
    #[serde(default)]
    structure: Vec<String>,
    #[serde(default)]
    actionable: bool,
    #[serde(default)]
    skippable: bool,
    /// Facts that must be there, by the field names of `Facts`.
    #[serde(default)]
    facts: BTreeMap<String, Value>,
    /// Texts that must stand in the evidence.
    #[serde(default)]
    evidence: Vec<String>,
}

fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/analysis");
    let files = std::fs::read_dir(&folder).expect("folder of cases");
    let mut paths: Vec<_> = files.map(|file| file.expect("file").path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("readable");
        let cases: Vec<Case> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        all.extend(cases.into_iter().map(|case| (format!("{file}: {}", case.shows), case)));
    }
    all
}

impl Settings {
    fn build(&self) -> AnalysisSettings {
        let unmoved = self.unmoved.iter().map(|(name, seconds)| {
            let entry = UnmovedCoordinates {
                at: BinlogCoordinates::binary("binlog.000007", 1000),
                since: at(100 - seconds),
                confirmed: now(),
            };
            (key(name), entry)
        });
        AnalysisSettings {
            include_no_problem: self.keep_all,
            reduce: self.reduce.unwrap_or(true),
            include_downtimed: !self.leave_out_downtimed,
            recover_non_writeable_source: self.recover_non_writeable,
            enforce_exact_semi_sync_replicas: self.enforce_exact_semi_sync,
            ignore_hostnames: self.ignore.iter().map(|p| Regex::new(p).expect("pattern")).collect(),
            unmoved: Arc::new(Unmoved { entries: unmoved.collect() }),
            ..Default::default()
        }
    }
}

/// What differs from what was expected.
fn check(finding: &Finding, expected: &Expected) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
        let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
        if found != expected {
            wrong.push(format!("{what} of {}: {found}, expected {expected}", finding.key));
        }
    };
    let structure: Vec<String> = finding.structure.iter().map(|w| w.as_str().replace("StructureWarning", "")).collect();
    compare("structure", &structure, &expected.structure);
    compare("actionable", &finding.actionable, &expected.actionable);
    compare("skippable", &finding.is_skippable(), &expected.skippable);
    let facts = serde_json::to_value(&finding.facts).expect("facts");
    for (fact, value) in &expected.facts {
        compare(fact, &facts.get(fact), &Some(value));
    }
    let evidence: Vec<String> = finding
        .evidence
        .iter()
        .map(|e| format!("{} on {}: {}", e.told_by.hostname, e.about.hostname, e.what))
        .collect();
    for text in &expected.evidence {
        let there = evidence.iter().any(|line| line.contains(text));
        compare("evidence", if there { text as &dyn std::fmt::Debug } else { &evidence }, text);
    }
    let quiet = finding.code == AnalysisCode::NoProblem;
    let sentence_fits = finding.description.contains(&finding.key.to_string()) != quiet;
    compare("a sentence that names it", &sentence_fits, &true);
    compare("evidence", &finding.evidence.is_empty(), &quiet);
    compare("health", &(finding.severity == Severity::Ok), &(quiet && finding.structure.is_empty()));
    wrong
}

#[test]
fn every_case_is_found_as_written() {
    let mut wrong = Vec::new();
    for (name, case) in cases() {
        let snapshot = topology(&case.servers);
        let settings = case.settings.build();
        let findings = analyse(&snapshot, &settings, now());
        let found: BTreeMap<String, AnalysisCode> = findings.iter().map(|f| (f.key.hostname.clone(), f.code)).collect();
        let expected: BTreeMap<String, AnalysisCode> = case.find.iter().map(|(n, e)| (n.clone(), e.code)).collect();
        if found != expected {
            wrong.push(format!("{name}: found {found:?}, expected {expected:?}"));
            continue;
        }
        for finding in &findings {
            wrong.extend(check(finding, &case.find[&finding.key.hostname]).into_iter().map(|w| format!("{name}: {w}")));
            let alone = analyse_server(&snapshot, &finding.key, &settings, now());
            assert_eq!(alone.as_ref(), Some(finding), "{name}: analysed alone");
        }
        let clusters: BTreeSet<&str> = snapshot.instances.values().map(|i| i.cluster_name.as_str()).collect();
        let mut by_cluster: Vec<Finding> =
            clusters.iter().flat_map(|cluster| analyse_cluster(&snapshot, cluster, &settings, now())).collect();
        by_cluster.sort_by(|a, b| a.key.cmp(&b.key));
        let mut whole = findings.clone();
        whole.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(by_cluster, whole, "{name}: analysed by cluster");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_code_and_warning_has_a_case() {
    let (mut codes, mut warnings) = (BTreeSet::new(), BTreeSet::new());
    for (_, case) in cases() {
        for expected in case.find.into_values() {
            codes.insert(expected.code);
            warnings.extend(expected.structure);
        }
    }
    let missing: Vec<&AnalysisCode> = AnalysisCode::ALL.iter().filter(|code| !codes.contains(code)).collect();
    // Declared for those who compare with it; nothing produces it.
    assert_eq!(missing, [&AnalysisCode::SourceWithoutReplicas]);
    assert_eq!(warnings.len(), app::finding::StructureWarning::ALL.len(), "{warnings:?}");
}

#[test]
fn findings_come_sources_first_and_then_by_replicas() {
    let snapshot = topology(&[
        "a down",
        "b",
        "c < b down",
        "d < c lost",
        "e < c lost",
        "f down",
        "g < f lost",
        "h < f lost",
        "i < f lost",
    ]);
    let order: Vec<String> =
        analyse(&snapshot, &AnalysisSettings::default(), now()).into_iter().map(|f| f.key.hostname).collect();
    assert_eq!(order, ["f", "b", "a", "c", "g", "h", "i"]);
}

#[test]
fn a_finding_tells_cluster_alias_domain_and_who_saw_what_when() {
    let mut snapshot = topology(&["s down", "r < s lost", "t < s down"]);
    let annotations = Arc::make_mut(&mut snapshot.annotations);
    annotations.cluster_aliases.insert("s:3306".to_owned(), "orders".to_owned());
    annotations.cluster_domains.insert("s:3306".to_owned(), "orders.example".to_owned());
    let finding = analyse_server(&snapshot, &key("s"), &AnalysisSettings::default(), now()).expect("known");
    assert_eq!(finding.code, AnalysisCode::DeadSourceAndSomeReplicas);
    assert_eq!((finding.cluster_alias.as_str(), finding.cluster_domain.as_str()), ("orders", "orders.example"));
    let lines: Vec<(String, String, i64)> = finding
        .evidence
        .iter()
        .map(|e| (e.told_by.hostname.clone(), e.what.clone(), e.at.map_or(0, |t| t.timestamp() - 1_000_000)))
        .collect();
    let line = |by: &str, what: &str| (by.to_owned(), what.to_owned(), 99);
    assert_eq!(
        lines,
        [
            line("", "cannot be reached: connection refused"),
            line("r", "cannot connect to it: Error connecting to source"),
            line("", "replica cannot be reached"),
        ]
    );
    assert_eq!(
        finding.description,
        "Source s:3306 and 1 of its 2 replicas cannot be reached; none of the other 1 receives from it."
    );
}

#[test]
fn an_unknown_server_is_not_found() {
    let snapshot = topology(&["s"]);
    assert_eq!(analyse_server(&snapshot, &key("x"), &AnalysisSettings::default(), now()), None);
}

#[test]
fn a_source_short_of_acknowledgements_is_locked_once_its_log_stands_still() {
    let snapshot = |position: i64| {
        let mut snapshot = topology(&["s semisync=0/1", "r < s"]);
        let instances = Arc::make_mut(&mut snapshot.instances);
        Arc::make_mut(instances.get_mut(&key("s")).expect("s")).binlog.position = position;
        snapshot
    };
    let mut unmoved = Unmoved::default();
    let mut round = |position: i64, second: i64| {
        let mut snapshot = snapshot(position);
        for instance in Arc::make_mut(&mut snapshot.instances).values_mut() {
            let check = &mut Arc::make_mut(instance).check;
            (check.last_seen, check.last_checked) = (Some(at(second)), Some(at(second)));
        }
        let settings = AnalysisSettings { unmoved: Arc::new(unmoved.clone()), ..Default::default() };
        let findings = analyse(&snapshot, &settings, at(second));
        unmoved.observe(&findings, at(second));
        findings.first().map(|f| f.code)
    };
    let (suspected, locked) =
        (Some(AnalysisCode::LockedSemiSyncSourceHypothesis), Some(AnalysisCode::LockedSemiSyncSource));
    assert_eq!(round(1, 100), suspected);
    assert_eq!(round(1, 110), suspected);
    assert_eq!(round(1, 111), locked);
    // It stays locked, however long.
    for second in (120..1000).step_by(20) {
        assert_eq!(round(1, second), locked, "{second}");
    }
    // It moved: the clock starts again.
    assert_eq!(round(2, 1001), suspected);
    assert_eq!(round(2, 1012), locked);
}

/// `safety.md` S3, over every combination of two replicas' receivers and appliers: as long as one that can be read
/// receives, no source is called dead.
#[test]
fn no_source_is_dead_while_anybody_receives_from_it() {
    let dead = [
        AnalysisCode::DeadSource,
        AnalysisCode::DeadSourceAndSomeReplicas,
        AnalysisCode::DeadIntermediateSource,
        AnalysisCode::DeadIntermediateSourceAndSomeReplicas,
        AnalysisCode::DeadCoSource,
        AnalysisCode::DeadCoSourceAndSomeReplicas,
        AnalysisCode::DeadGroupMemberWithReplicas,
    ];
    let replica_states =
        ["", "sql=no", "lost", "lost sql=no", "io=no", "io=no sql=no", "down", "hang", "lag=500", "seen=90 lost"];
    for head in ["s down", "s down:partial", "s hang", "t|s < t down", "s < r1 down", "s down group=primary"] {
        for first in replica_states {
            for second in replica_states {
                let mut lines: Vec<String> = head.split('|').map(str::to_owned).collect();
                lines.push(format!("r1 < s {first}"));
                lines.push(format!("r2 < s {second}"));
                let finding =
                    analyse_server(&topology(&lines), &key("s"), &AnalysisSettings::default(), now()).expect("known");
                let vouches = |state: &str| matches!(state, "" | "sql=no" | "lag=500" | "seen=90 lost");
                let readable = |state: &str| state != "down" && state != "hang";
                let is_dead = dead.contains(&finding.code);
                let expected = !vouches(first) && !vouches(second) && (readable(first) || readable(second));
                assert_eq!(is_dead, expected, "{lines:?}: {}", finding.code);
            }
        }
    }
}

/// Measured in a debug build, so the limit is wide; what it catches is a scan of all servers for each.
#[test]
fn ten_thousand_servers_are_analysed_in_one_pass() {
    let mut lines = Vec::new();
    for cluster in 0..200 {
        lines.push(format!("s{cluster:03} {}", if cluster % 20 == 0 { "down" } else { "" }));
        for replica in 1..50 {
            let source =
                if replica < 5 { format!("s{cluster:03}") } else { format!("s{cluster:03}r{:02}", replica % 4 + 1) };
            lines.push(format!("s{cluster:03}r{replica:02} < {source}"));
        }
    }
    let snapshot = topology(&lines);
    let began = std::time::Instant::now();
    let findings = analyse(&snapshot, &AnalysisSettings::default(), now());
    let took = began.elapsed();
    assert_eq!(findings.len(), 10);
    assert!(findings.iter().all(|f| f.code == AnalysisCode::UnreachableSource));
    println!("10,000 servers in {took:?}");
    assert!(took.as_millis() < 1000, "{took:?}");
}
