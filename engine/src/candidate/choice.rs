//! The choice itself: vetoes first, then an order, and a reason for everybody.
//!
//! The order is strictly lexicographic, so it is an order (the original's is not, `spec/recovery.md` 3.5). How advanced a server
//! is does not rank it: whoever is promoted has everything, because a preferred but less advanced server first
//! catches up from the most advanced one (`safety.md`). It only costs time, and so breaks ties.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use app::InstanceKey;
use app::gtid::GtidPosition;
use app::recovery::Considered;
use app::rules::{RuleSettings, can_replicate_from, gtid_positioning};
use app::topology::status::StatusThresholds;
use app::topology::{Instance, PromotionRule};

use super::loss::{acceptance, risk};
use super::standing::{Standing, Survey, gap, missing};
use super::{ChoiceSettings, LossPolicy, Veto};

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
    /// None of the contenders uses GTID, and they are compared by their places in the log of the source.
    pub by_place: bool,
}

impl Contest<'_> {
    /// Where these stand, in the measure by which the contenders are compared.
    pub(super) fn survey<'a>(&self, servers: impl IntoIterator<Item = &'a Instance>) -> Survey {
        if self.by_place { Survey::by_place(servers) } else { Survey::of(servers, self.source) }
    }

    /// What the source is known to have executed, in the measure by which the contenders are compared.
    pub(super) fn known_of_source(&self) -> Option<GtidPosition> {
        let source = self.source?;
        if self.by_place {
            return (!source.binlog.is_empty()).then(|| GtidPosition::Place(source.binlog.clone()));
        }
        GtidPosition::executed_by(source).ok()
    }
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
    /// By what the risk was accepted, or why it was not; empty without a risk.
    pub verdict: String,
}

/// A contender that passed all vetoes.
pub(super) struct Fit<'a> {
    pub(super) contender: &'a Contender<'a>,
    catch_up_from: Option<InstanceKey>,
    /// Why it cannot have all that any server holds.
    pub(super) lacking: Option<String>,
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
    /// Of preferred servers that are equally good the last in order wins, as users of the original have arranged for.
    preferred: Option<Reverse<InstanceKey>>,
    key: InstanceKey,
}

/// Chooses whom to promote. Everybody gets a reason, whether or not somebody is chosen.
pub fn choose(contest: &Contest<'_>) -> Choice {
    let reachable = contest.contenders.iter().filter(|c| c.out.is_none()).map(|c| c.server);
    let survey = contest.survey(reachable);
    let (mut fit, mut rejected) = judge_all(contest, &survey, false);
    let may_lose = contest.settings.loss != LossPolicy::Never || !contest.settings.accept_loss_of.is_empty();
    if fit.is_empty() && contest.drained && may_lose {
        // Last resort: somebody whose relay log will be thrown away, where that was accepted.
        (fit, rejected) = judge_all(contest, &survey, true);
    }
    fit.sort_by(|a, b| a.rank.cmp(&b.rank));
    let (risk, at_risk) = if contest.source_alive { Default::default() } else { risk(contest, &survey, fit.first()) };
    let accepted = if risk.is_empty() { Ok(String::new()) } else { acceptance(contest, fit.first(), &at_risk) };
    let refuses = accepted.is_err();
    let verdict = accepted.unwrap_or_else(|why| why);
    let mut choice = Choice { at_risk, risk, verdict, ..Default::default() };
    for (n, candidate) in fit.iter().enumerate() {
        let chosen = n == 0 && !refuses;
        let (rule, reason) = match (n, refuses) {
            (0, false) => ("best", praise(contest, &survey, candidate)),
            (0, true) => ("data-at-risk", format!("is the best there is, but nobody is promoted: {}", choice.risk)),
            _ if candidate.lacking.is_some() => ("lacks-transactions", candidate.lacking.clone().unwrap_or_default()),
            _ => fit.first().map(|best| compare(candidate, best)).unwrap_or_default(),
        };
        let key = candidate.contender.server.key.clone();
        choice.considered.push(Considered { key, chosen, rule: rule.to_owned(), reason });
        if chosen {
            choice.chosen = Some(candidate.contender.server.key.clone());
            choice.catch_up_from.clone_from(&candidate.catch_up_from);
        }
    }
    choice.considered.extend(rejected.into_iter().map(|(key, veto)| veto.on(&key)));
    choice
}

/// Those that passed all vetoes, and the others with their reasons. `undrained`: also those whose relay log holds what they
/// will never apply.
fn judge_all<'a>(
    contest: &'a Contest<'_>,
    survey: &Survey,
    undrained: bool,
) -> (Vec<Fit<'a>>, BTreeMap<InstanceKey, Veto>) {
    let (mut fit, mut rejected) = (vec![], BTreeMap::new());
    for contender in &contest.contenders {
        match judge(contest, survey, contender, undrained) {
            Ok(candidate) => fit.push(candidate),
            Err(veto) => {
                rejected.insert(contender.server.key.clone(), veto);
            }
        }
    }
    (fit, rejected)
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

/// Whether `replica` could follow `source` if its place were known, without GTID: both stand at the same place in the log of the one
/// source they had, or pseudo-GTID tells.
///
/// # Errors
/// Why not, for people.
pub fn can_follow_by_place(replica: &Instance, source: &Instance, settings: &ChoiceSettings) -> Result<(), String> {
    can_replicate_from(replica, source, &rule_settings(settings)).map_err(|refusal| refusal.message)?;
    let (own, other) = (&replica.replication, &source.replication);
    let comparable = own.source == other.source && !own.exec.is_empty() && !other.exec.is_empty();
    if comparable && own.exec == other.exec {
        return Ok(());
    }
    if comparable && own.exec > other.exec {
        return Err(format!(
            "{} has executed up to {}, {} only up to {}",
            replica.key, own.exec, source.key, other.exec
        ));
    }
    if replica.uses_pseudo_gtid && source.uses_pseudo_gtid {
        return Ok(());
    }
    Err(format!(
        "{} has executed up to {}, {} up to {}, and without GTID or pseudo-GTID its place in the log of {} is not known",
        replica.key, own.exec, source.key, other.exec, source.key
    ))
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

fn judge<'a>(
    contest: &Contest<'_>,
    survey: &Survey,
    contender: &'a Contender<'a>,
    undrained: bool,
) -> Result<Fit<'a>, Veto> {
    let server = contender.server;
    if let Some(reason) = &contender.out {
        return Err(Veto::new("unreachable", reason.clone()));
    }
    if let Some(designated) = contest.designated.filter(|d| **d != server.key) {
        return Err(Veto::new("not-designated", format!("only {designated} was asked for")));
    }
    if let Some(error) = survey.unreadable.get(&server.key) {
        return Err(Veto::new("gtid-unreadable", format!("its GTID sets cannot be read: {error}")));
    }
    let Some(standing) = survey.standings.get(&server.key) else {
        return Err(Veto::new("not-read", "it was not read"));
    };
    if let Some(reason) = &contender.banned {
        return Err(Veto::new("set-aside", reason.clone()));
    }
    veto(contest, contender, standing)?;
    if contest.drained && !undrained {
        applier_veto(server, standing)?;
    }
    let (catch_up_from, lacking, lacks) = match way_to_all(contest, survey, server, standing) {
        _ if contest.source_alive => (None, None, 0),
        Ok(giver) => (giver, None, 0),
        Err(reason) if contest.drained && !undrained && !standing.is_drained() => {
            return Err(Veto::new("not-drained", reason));
        }
        Err(reason) => (None, Some(reason), survey.union.as_ref().map_or(0, |all| gap(all, &standing.executed))),
    };
    let others: Vec<&Instance> =
        contest.contenders.iter().filter(|c| c.out.is_none() && c.server.key != server.key).map(|c| c.server).collect();
    let position = survey.union.as_ref().and_then(|all| all.union(&standing.executed).ok());
    let may_follow = |other: &Instance| match contest.by_place {
        true => can_follow_by_place(other, server, contest.settings),
        false => can_follow(other, server, position.as_ref(), contest.settings),
    };
    let cannot_follow = others.iter().filter(|other| may_follow(other).is_err()).count();
    let rank =
        Rank { lacks, ..rank(contest, contender, standing, catch_up_from.is_some(), cannot_follow, others.len()) };
    Ok(Fit { contender, catch_up_from, lacking, cannot_follow, rank })
}

/// What no ranking can make good, checked on the facts in hand before anything is changed.
fn veto(contest: &Contest<'_>, contender: &Contender<'_>, standing: &Standing) -> Result<(), Veto> {
    let (server, settings) = (contender.server, contest.settings);
    if server.is_binlog_server() {
        return Err(Veto::new("binlog-server", "it is a binlog server, which applies nothing"));
    }
    if !server.log_bin {
        return Err(Veto::new("no-binary-log", "it has no binary log, so nobody could replicate from it"));
    }
    if !server.log_replica_updates {
        return Err(Veto::new(
            "no-log-replica-updates",
            "it does not log what it applies (log_replica_updates is off), so nobody could catch up from it",
        ));
    }
    if contender.rule == PromotionRule::MustNot {
        return Err(Veto::new("must-not", "its promotion rule is must_not"));
    }
    if let Some(filter) = settings.ignoring(&server.key) {
        return Err(Veto::new("promotion-ignored", format!("it matches {filter:?} of PromotionIgnoreHostnameFilters")));
    }
    if !server.replication.uses_gtid() && !contest.by_place {
        return Err(Veto::new("no-gtid", "it replicates by file and position, and others by GTID"));
    }
    if contest.by_place && contest.source.is_some_and(|source| source.key != server.replication.source) {
        let reason = format!("its place is known in the log of {} only", server.replication.source);
        return Err(Veto::new("other-source", reason));
    }
    if server.replication.has_filters {
        return Err(Veto::new("replication-filters", "it has replication filters, so it lacks a part of the data"));
    }
    if server.is_group_member() {
        return Err(Veto::new("group-member", "it is a member of a replication group"));
    }
    place_veto(contest, server)?;
    let lag = contender.lag.and_then(|lag| u64::try_from(lag).ok()).unwrap_or(0);
    if settings.fail_on_lag_seconds > 0 && lag >= settings.fail_on_lag_seconds {
        let limit = settings.fail_on_lag_seconds;
        let reason = format!("it lagged by {lag} s, and FailMasterPromotionOnLagMinutes allows less than {limit} s");
        return Err(Veto::new("lag", reason));
    }
    if settings.fail_if_applier_behind && !contest.drained && !contest.source_alive && !standing.is_drained() {
        let reason = format!(
            "{} received transactions are not applied, and FailMasterPromotionIfSQLThreadNotUpToDate is set",
            standing.pending
        );
        return Err(Veto::new("applier-behind", reason));
    }
    Ok(())
}

/// What it received it will not apply.
fn applier_veto(server: &Instance, standing: &Standing) -> Result<(), Veto> {
    let channel = &server.replication;
    if !standing.is_drained() && channel.applier_errno != 0 {
        let reason = format!("its applier stopped with error {}: {}", channel.applier_errno, channel.applier_error);
        return Err(Veto::new("applier-broken", reason));
    }
    Ok(())
}

/// Data centre and region. A source whose place is unknown vetoes nobody: a poll cut short must not make every candidate look
/// like one of another region (`safety.md`).
fn place_veto(contest: &Contest<'_>, server: &Instance) -> Result<(), Veto> {
    let Some(source) = contest.source else { return Ok(()) };
    let differs = |theirs: &str, own: &str| !theirs.is_empty() && theirs != own;
    if contest.settings.prevent_cross_data_center && differs(&source.data_center, &server.data_center) {
        let reason = format!(
            "it is in data centre {:?}, the source in {:?}, and PreventCrossDataCenterMasterFailover is set",
            server.data_center, source.data_center
        );
        return Err(Veto::new("other-data-center", reason));
    }
    if contest.settings.prevent_cross_region && differs(&source.region, &server.region) {
        let reason = format!(
            "it is in region {:?}, the source in {:?}, and PreventCrossRegionMasterFailover is set",
            server.region, source.region
        );
        return Err(Veto::new("other-region", reason));
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
    if contest.by_place {
        let lacking = survey.union.as_ref().map(|all| missing(all, &own.executed)).unwrap_or_default();
        return Err(format!("it lacks what is {lacking}, and without GTID it does not get that from another replica"));
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
        // How far a server was behind changes from poll to poll: it does not decide between those that people prefer.
        lag: if tier < 2 { 0 } else { contender.lag.unwrap_or(0) },
        preferred: (tier < 2).then(|| Reverse(server.key.clone())),
        key: server.key.clone(),
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

/// The first criterion by which a server that could be promoted is behind the best: its name, and the reason in words.
fn compare(candidate: &Fit<'_>, best: &Fit<'_>) -> (&'static str, String) {
    let (own, top) = (&candidate.rank, &best.rank);
    let name = &best.contender.server.key;
    let (rule, why) = if own.lacks != top.lacks {
        ("ranked-by-transactions", format!("it lacks {} transactions, {name} lacks {}", own.lacks, top.lacks))
    } else if own.loses_most_replicas != top.loses_most_replicas {
        ("ranked-by-lost-replicas", "most other replicas could not follow it".to_owned())
    } else if own.tier != top.tier {
        let rule = candidate.contender.rule;
        ("ranked-by-promotion-rule", format!("its promotion rule {rule} and place rank behind {name}"))
    } else if own.lost_replicas != top.lost_replicas {
        let (own, top) = (own.lost_replicas, top.lost_replicas);
        ("ranked-by-lost-replicas", format!("{own} replicas could not follow it, {top} could not follow {name}"))
    } else if own.must_catch_up != top.must_catch_up {
        ("ranked-by-catching-up", format!("it would have to catch up first, {name} need not"))
    } else if own.other_data_center != top.other_data_center {
        ("ranked-by-data-center", "it is not in the source's data centre".to_owned())
    } else if own.other_environment != top.other_environment {
        ("ranked-by-environment", "it is not in the source's environment".to_owned())
    } else if own.errant != top.errant {
        ("ranked-by-errant-transactions", "it holds transactions of its own".to_owned())
    } else if own.version.cmp(&top.version) != Ordering::Equal {
        ("ranked-by-version", format!("its version is higher than that of {name}"))
    } else if own.format != top.format {
        ("ranked-by-binlog-format", format!("its binary log format flows to fewer servers than that of {name}"))
    } else if own.lag != top.lag {
        ("ranked-by-lag", format!("it lagged more than {name}"))
    } else {
        let order = if top.preferred.is_some() { "last" } else { "first" };
        ("ranked-by-name", format!("it is as good as {name}, which comes {order} by name"))
    };
    (rule, format!("could be promoted, but {why}"))
}
