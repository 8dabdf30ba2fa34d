//! The choice itself: vetoes first, then an order, and a reason for everybody.
//!
//! The order is strictly lexicographic, so it is an order (the original's is not, `spec/recovery.md` 3.5). How advanced a server
//! is does not rank it: whoever is promoted has everything, because a preferred but less advanced server first
//! catches up from the most advanced one (`safety.md`). It only costs time, and so breaks ties.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use app::InstanceKey;
use app::gtid::GtidPosition;
use app::recovery::Considered;
use app::rules::{RuleSettings, can_replicate_from, gtid_positioning};
use app::topology::status::StatusThresholds;
use app::topology::{Instance, PromotionRule};

use super::standing::{Standing, Survey, gap, missing, union};
use super::{ChoiceSettings, standing};

/// One replica that is looked at.
#[derive(Debug, Clone)]
pub struct Contender<'a> {
    /// Its state, as fresh as can be had.
    pub server: &'a Instance,
    /// Its promotion rule.
    pub rule: PromotionRule,
    /// Its lag before the trouble began, seconds; unknown is no veto.
    pub lag: Option<i64>,
    /// It takes no part: it cannot be reached, or failed on the way. Its last known sets still tell what may be lost.
    pub out: Option<String>,
    /// It was read after its receiver had stopped, so all it ever acknowledged is known, even if it is out by now.
    pub frozen: bool,
    /// It is never chosen, but what it holds counts and others may catch up from it.
    pub banned: Option<String>,
}

/// All that the choice looks at.
#[derive(Debug, Clone)]
pub struct Contest<'a> {
    /// The source to be replaced, as last known.
    pub source: Option<&'a Instance>,
    /// Its replicas.
    pub contenders: Vec<Contender<'a>>,
    /// Settings.
    pub settings: &'a ChoiceSettings,
    /// Only this one may be chosen.
    pub designated: Option<&'a InstanceKey>,
    /// Relay logs were drained: what is not executed now will not be. Otherwise what is received counts as executed.
    pub drained: bool,
    /// The source serves: whatever a replica lacks, it still gets from there.
    pub source_alive: bool,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The server to be promoted.
    pub chosen: Option<InstanceKey>,
    /// It first has to catch up from this one.
    pub catch_up_from: Option<InstanceKey>,
    /// Everybody with a reason, best first.
    pub considered: Vec<Considered>,
    /// Transactions that are known to exist and that no reachable server holds; empty when there are none.
    pub at_risk: String,
    /// Why promoting anybody would risk acknowledged writes; empty when it would not.
    pub risk: String,
}

/// A contender that passed all vetoes.
struct Fit<'a> {
    contender: &'a Contender<'a>,
    catch_up_from: Option<InstanceKey>,
    /// Why it cannot have all that any server holds.
    lacking: Option<String>,
    /// Reachable replicas that could not follow it.
    cannot_follow: usize,
    rank: Rank,
}

/// Smaller is better; compared field by field in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Transactions that would be lost with it; not 0 only where that was accepted.
    lacks: u128,
    loses_most_replicas: bool,
    /// 0: preferred and at the source's place; 1: preferred; 2: neutral; 3: better not.
    tier: u8,
    lost_replicas: usize,
    must_catch_up: bool,
    other_data_center: bool,
    other_environment: bool,
    errant: bool,
    version: (u32, u32),
    format: usize,
    lag: i64,
    key: InstanceKey,
}

/// Chooses whom to promote. Everybody gets a reason, whether or not somebody is chosen.
pub fn choose(contest: &Contest<'_>) -> Choice {
    let reachable = contest.contenders.iter().filter(|c| c.out.is_none()).map(|c| c.server);
    let survey = Survey::of(reachable, contest.source);
    let mut rejected: BTreeMap<InstanceKey, String> = BTreeMap::new();
    let mut fit: Vec<Fit<'_>> = vec![];
    for contender in &contest.contenders {
        match judge(contest, &survey, contender) {
            Ok(candidate) => fit.push(candidate),
            Err(reason) => {
                rejected.insert(contender.server.key.clone(), reason);
            }
        }
    }
    fit.sort_by(|a, b| a.rank.cmp(&b.rank));
    let (risk, at_risk) = if contest.source_alive {
        (String::new(), String::new())
    } else {
        risk(contest, &survey).or_else(|| risk_of_best(contest, &survey, &fit)).unwrap_or_default()
    };
    let refuses = !risk.is_empty() && !contest.settings.accept_data_loss;
    let mut choice = Choice { at_risk, risk, ..Default::default() };
    for (n, candidate) in fit.iter().enumerate() {
        let chosen = n == 0 && !refuses;
        let reason = match (n, refuses) {
            (0, false) => praise(contest, &survey, candidate),
            (0, true) => format!("is the best there is, but nobody is promoted: {}", choice.risk),
            _ if candidate.lacking.is_some() => candidate.lacking.clone().unwrap_or_default(),
            _ => fit.first().map(|best| compare(candidate, best)).unwrap_or_default(),
        };
        choice.considered.push(Considered { key: candidate.contender.server.key.clone(), chosen, reason });
        if chosen {
            choice.chosen = Some(candidate.contender.server.key.clone());
            choice.catch_up_from.clone_from(&candidate.catch_up_from);
        }
    }
    choice.considered.extend(rejected.into_iter().map(|(key, reason)| Considered { key, chosen: false, reason }));
    choice
}

/// Whether `replica` could follow `source` once that has executed `position`.
///
/// # Errors
/// Why not, for people.
pub fn can_follow(
    replica: &Instance,
    source: &Instance,
    position: Option<&GtidPosition>,
    settings: &ChoiceSettings,
) -> Result<(), String> {
    can_replicate_from(replica, source, &rule_settings(settings)).map_err(|refusal| refusal.message)?;
    gtid_positioning(replica, source).map_err(|refusal| refusal.message)?;
    // MariaDB refuses a replica that is ahead of its source in a domain; MySQL takes it.
    if let (Some(position @ GtidPosition::Mariadb(_)), Ok(own)) = (position, GtidPosition::executed_by(replica))
        && !position.covers(&own)
    {
        let ahead = missing(&own, position);
        return Err(format!("{} holds {ahead}, which {} will never have", replica.key, source.key));
    }
    Ok(())
}

/// The rules' settings, as far as this room has them.
pub fn rule_settings(settings: &ChoiceSettings) -> RuleSettings {
    RuleSettings {
        lower_replica_version_allowed: settings.lower_version_allowed,
        verify_replication_filters: settings.verify_filters,
        thresholds: StatusThresholds {
            reasonable_maintenance_replication_lag_seconds: i64::try_from(settings.maintenance_lag_seconds)
                .unwrap_or(i64::MAX),
            ..Default::default()
        },
    }
}

fn judge<'a>(contest: &Contest<'_>, survey: &Survey, contender: &'a Contender<'a>) -> Result<Fit<'a>, String> {
    let server = contender.server;
    if let Some(reason) = &contender.out {
        return Err(reason.clone());
    }
    if let Some(designated) = contest.designated.filter(|d| **d != server.key) {
        return Err(format!("only {designated} was asked for"));
    }
    if let Some(error) = survey.unreadable.get(&server.key) {
        return Err(format!("its GTID sets cannot be read: {error}"));
    }
    let Some(standing) = survey.standings.get(&server.key) else { return Err("it was not read".to_owned()) };
    if let Some(reason) = &contender.banned {
        return Err(reason.clone());
    }
    veto(contest, contender, standing)?;
    let (catch_up_from, lacking, lacks) = match way_to_all(contest, survey, server, standing) {
        _ if contest.source_alive => (None, None, 0),
        Ok(giver) => (giver, None, 0),
        Err(reason) if contest.drained && !standing.is_drained() => return Err(reason),
        Err(reason) => (None, Some(reason), survey.union.as_ref().map_or(0, |all| gap(all, &standing.executed))),
    };
    let others: Vec<&Instance> =
        contest.contenders.iter().filter(|c| c.out.is_none() && c.server.key != server.key).map(|c| c.server).collect();
    let position = survey.union.as_ref().and_then(|all| all.union(&standing.executed).ok());
    let cannot_follow =
        others.iter().filter(|o| can_follow(o, server, position.as_ref(), contest.settings).is_err()).count();
    let rank =
        Rank { lacks, ..rank(contest, contender, standing, catch_up_from.is_some(), cannot_follow, others.len()) };
    Ok(Fit { contender, catch_up_from, lacking, cannot_follow, rank })
}

/// What no ranking can make good, checked on the facts in hand before anything is changed.
fn veto(contest: &Contest<'_>, contender: &Contender<'_>, standing: &Standing) -> Result<(), String> {
    let (server, settings) = (contender.server, contest.settings);
    if server.is_binlog_server() {
        return Err("it is a binlog server, which applies nothing".to_owned());
    }
    if !server.log_bin {
        return Err("it has no binary log, so nobody could replicate from it".to_owned());
    }
    if !server.log_replica_updates {
        return Err(
            "it does not log what it applies (log_replica_updates is off), so nobody could catch up from it".to_owned()
        );
    }
    if contender.rule == PromotionRule::MustNot {
        return Err("its promotion rule is must_not".to_owned());
    }
    if let Some(filter) = settings.ignoring(&server.key) {
        return Err(format!("it matches {filter:?} of PromotionIgnoreHostnameFilters"));
    }
    if !server.replication.uses_gtid() {
        return Err("it replicates by file and position; recovery is built for GTID".to_owned());
    }
    if server.replication.has_filters {
        return Err("it has replication filters, so it lacks a part of the data".to_owned());
    }
    if server.is_group_member() {
        return Err("it is a member of a replication group".to_owned());
    }
    place_veto(contest, server)?;
    let lag = contender.lag.and_then(|lag| u64::try_from(lag).ok()).unwrap_or(0);
    if settings.fail_on_lag_seconds > 0 && lag >= settings.fail_on_lag_seconds {
        return Err(format!(
            "it lagged by {lag} s, and FailMasterPromotionOnLagMinutes allows less than {} s",
            settings.fail_on_lag_seconds
        ));
    }
    if settings.fail_if_applier_behind && !contest.drained && !contest.source_alive && !standing.is_drained() {
        return Err(format!(
            "{} received transactions are not applied, and FailMasterPromotionIfSQLThreadNotUpToDate is set",
            standing.pending
        ));
    }
    if contest.drained && !standing.is_drained() && server.replication.applier_errno != 0 {
        return Err(format!(
            "its applier stopped with error {}: {}",
            server.replication.applier_errno, server.replication.applier_error
        ));
    }
    Ok(())
}

/// Data centre and region. A source whose place is unknown vetoes nobody: a poll cut short must not make every candidate look
/// like one of another region (`safety.md`).
fn place_veto(contest: &Contest<'_>, server: &Instance) -> Result<(), String> {
    let Some(source) = contest.source else { return Ok(()) };
    let differs = |theirs: &str, own: &str| !theirs.is_empty() && theirs != own;
    if contest.settings.prevent_cross_data_center && differs(&source.data_center, &server.data_center) {
        return Err(format!(
            "it is in data centre {:?}, the source in {:?}, and PreventCrossDataCenterMasterFailover is set",
            server.data_center, source.data_center
        ));
    }
    if contest.settings.prevent_cross_region && differs(&source.region, &server.region) {
        return Err(format!(
            "it is in region {:?}, the source in {:?}, and PreventCrossRegionMasterFailover is set",
            server.region, source.region
        ));
    }
    Ok(())
}

/// Whether the server has, or can get, all that any reachable server holds. `Some` names whom it gets it from.
fn way_to_all(
    contest: &Contest<'_>,
    survey: &Survey,
    server: &Instance,
    own: &Standing,
) -> Result<Option<InstanceKey>, String> {
    let has_all = |key: &InstanceKey| {
        if contest.drained { survey.has_executed_all(key) } else { survey.holds_all(key) }
    };
    if has_all(&server.key) {
        return Ok(None);
    }
    if contest.drained && !own.is_drained() {
        // Repointing it would throw its relay log away, and its giver may die before it has it again.
        return Err(format!("it has {} received transactions that are not applied", own.pending));
    }
    let mut why = "nobody reachable holds them all".to_owned();
    for giver in contest.contenders.iter().filter(|c| c.out.is_none() && has_all(&c.server.key)) {
        // What the giver has executed it gives at once, whatever its own delay.
        let mut source = giver.server.clone();
        source.replication.delay = 0;
        match can_follow(server, &source, survey.union.as_ref(), contest.settings) {
            Ok(()) => return Ok(Some(giver.server.key.clone())),
            Err(reason) => why = reason,
        }
    }
    let lacking = survey.union.as_ref().map(|all| missing(all, &own.executed)).unwrap_or_default();
    Err(format!("it lacks {lacking} and cannot get it: {why}"))
}

fn rank(
    contest: &Contest<'_>,
    contender: &Contender<'_>,
    standing: &Standing,
    must_catch_up: bool,
    cannot_follow: usize,
    others: usize,
) -> Rank {
    let server = contender.server;
    let same =
        |pick: fn(&Instance) -> &str| contest.source.is_none_or(|s| pick(s).is_empty() || pick(s) == pick(server));
    let (same_dc, same_env) = (same(|i| &i.data_center), same(|i| &i.environment));
    let tier = match contender.rule {
        PromotionRule::Must | PromotionRule::Prefer if same_dc && same_env => 0,
        PromotionRule::Must | PromotionRule::Prefer => 1,
        PromotionRule::Neutral => 2,
        PromotionRule::PreferNot | PromotionRule::MustNot => 3,
    };
    Rank {
        lacks: 0,
        loses_most_replicas: cannot_follow * 2 > others,
        tier,
        lost_replicas: cannot_follow,
        must_catch_up,
        other_data_center: !same_dc,
        other_environment: !same_env,
        errant: !standing.errant.is_empty(),
        version: server.major_version(),
        format: ["STATEMENT", "MIXED", "ROW"].iter().position(|f| *f == server.binlog_format).unwrap_or(3),
        lag: contender.lag.unwrap_or(0),
        key: server.key.clone(),
    }
}

/// What is known to be committed, or may be acknowledged, and is on no reachable server: the risk in words, and the
/// transactions.
fn risk(contest: &Contest<'_>, survey: &Survey) -> Option<(String, String)> {
    let all = survey.union.as_ref()?;
    let unreachable = contest.contenders.iter().filter(|c| c.out.is_some()).map(|c| c.server);
    let beyond = standing::Survey::of(unreachable.clone(), contest.source).union;
    let source = contest.source.and_then(|s| GtidPosition::executed_by(s).ok());
    let known = union(source.iter().chain(beyond.iter()));
    if let Some(known) = known.filter(|known| gap(known, all) > 0) {
        let lost = missing(&known, all);
        return Some((
            format!("no reachable server holds {lost}, which the source or an unreachable replica had"),
            lost,
        ));
    }
    let source = contest.source.filter(|s| s.semi_sync.source_enabled && s.semi_sync.source_active)?;
    let unheard = unheard_ackers(contest, source)?;
    let after = all.to_string().replace('\n', "");
    let risk = format!(
        "{unheard} cannot be reached and may be all that acknowledged the last writes of {}, so acknowledged writes after {after} may be lost",
        source.key
    );
    Some((risk, format!("everything after {after}")))
}

/// The replicas that cannot be read, if they alone may have acknowledged a write: as many as the source waits for. Those
/// that were not connected when the source was last read are not counted, so that one that is away for repair blocks nothing.
fn unheard_ackers(contest: &Contest<'_>, source: &Instance) -> Option<String> {
    let ackers = contest.contenders.iter().filter(|c| c.server.semi_sync.replica_enabled);
    let (heard, unheard): (Vec<_>, Vec<_>) = ackers.partition(|c| c.out.is_none() || c.frozen);
    let count = |list: &[&Contender<'_>]| u64::try_from(list.len()).unwrap_or(u64::MAX);
    let connected = count(&unheard).min(source.semi_sync.source_clients.saturating_sub(count(&heard)));
    let none_is_heard = heard.is_empty() && !unheard.is_empty();
    let enough = connected >= source.semi_sync.source_wait_for.max(1);
    (none_is_heard || enough).then(|| unheard.iter().map(|c| c.server.key.to_string()).collect::<Vec<_>>().join(", "))
}

/// What even the best that may be promoted will never have, or, when there is none, what is received and applied nowhere.
fn risk_of_best(contest: &Contest<'_>, survey: &Survey, fit: &[Fit<'_>]) -> Option<(String, String)> {
    let all = survey.union.as_ref().filter(|_| contest.drained)?;
    match fit.first() {
        Some(best) => {
            let why = best.lacking.as_ref()?;
            let own = survey.standings.get(&best.contender.server.key)?;
            Some((format!("{}: {why}", best.contender.server.key), missing(all, &own.executed)))
        }
        None => {
            let executed = union(survey.standings.values().map(|s| &s.executed))?;
            let stuck = missing(all, &executed);
            (gap(all, &executed) > 0).then(|| (format!("{stuck} was received, and is applied nowhere"), stuck))
        }
    }
}

fn praise(contest: &Contest<'_>, survey: &Survey, best: &Fit<'_>) -> String {
    let server = best.contender.server;
    let mut good = vec![match &best.catch_up_from {
        Some(giver) => format!("gets what it lacks from {giver}"),
        None => {
            let pending = survey.standings.get(&server.key).map_or(0, |s| s.pending);
            if pending > 0 {
                format!("holds everything received, {pending} transactions to be applied")
            } else {
                "has applied everything that any reachable replica received".to_owned()
            }
        }
    }];
    if best.contender.rule != PromotionRule::Neutral {
        good.push(format!("promotion rule {}", best.contender.rule));
    }
    if let Some(source) = contest.source.filter(|s| !s.data_center.is_empty()) {
        let same = source.data_center == server.data_center;
        good.push(format!("{} data centre as the source", if same { "same" } else { "not in the same" }));
    }
    good.push(if best.cannot_follow == 0 {
        "all other replicas can follow it".to_owned()
    } else {
        format!("{} of the others cannot follow it", best.cannot_follow)
    });
    good.join("; ")
}

/// The first criterion by which a server that could be promoted is behind the best.
fn compare(candidate: &Fit<'_>, best: &Fit<'_>) -> String {
    let (own, top) = (&candidate.rank, &best.rank);
    let name = &best.contender.server.key;
    let why = if own.lacks != top.lacks {
        format!("it lacks {} transactions, {name} lacks {}", own.lacks, top.lacks)
    } else if own.loses_most_replicas != top.loses_most_replicas {
        "most other replicas could not follow it".to_owned()
    } else if own.tier != top.tier {
        format!("its promotion rule {} and place rank behind {name}", candidate.contender.rule)
    } else if own.lost_replicas != top.lost_replicas {
        format!("{} replicas could not follow it, {} could not follow {name}", own.lost_replicas, top.lost_replicas)
    } else if own.must_catch_up != top.must_catch_up {
        format!("it would have to catch up first, {name} need not")
    } else if own.other_data_center != top.other_data_center {
        "it is not in the source's data centre".to_owned()
    } else if own.other_environment != top.other_environment {
        "it is not in the source's environment".to_owned()
    } else if own.errant != top.errant {
        "it holds transactions of its own".to_owned()
    } else if own.version.cmp(&top.version) != Ordering::Equal {
        format!("its version is higher than that of {name}")
    } else if own.format != top.format {
        format!("its binary log format flows to fewer servers than that of {name}")
    } else if own.lag != top.lag {
        format!("it lagged more than {name}")
    } else {
        format!("it is as good as {name}, which comes first by name")
    };
    format!("could be promoted, but {why}")
}
