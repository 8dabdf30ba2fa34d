//! What a promotion would lose, and whether that was accepted.

use app::gtid::GtidPosition;
use app::topology::Instance;

use super::LossPolicy;
use super::choice::{Contender, Contest, Fit};
use super::standing::{Survey, gap, missing, union};

/// How a risk begins that no transaction can be named for.
const EVERYTHING_AFTER: &str = "everything after ";

/// What promoting the best would lose, in words and by transaction; both empty when nothing.
pub(super) fn risk(contest: &Contest<'_>, survey: &Survey, best: Option<&Fit<'_>>) -> (String, String) {
    let gone = risk_of_gone(contest, survey);
    let stuck = risk_of_best(contest, survey, best);
    match (gone, stuck) {
        (None, None) => Default::default(),
        (Some(one), None) | (None, Some(one)) => one,
        (Some((gone, unreachable)), Some((stuck, lacking))) => {
            let executed = best.and_then(|b| survey.standings.get(&b.contender.server.key)).map(|s| &s.executed);
            let at_risk = match executed {
                Some(executed) if unreachable.starts_with(EVERYTHING_AFTER) => {
                    format!("{EVERYTHING_AFTER}{}", one_line(executed))
                }
                _ => together(contest, &unreachable, &lacking),
            };
            (format!("{gone}; {stuck}"), at_risk)
        }
    }
}

fn one_line(position: &GtidPosition) -> String {
    position.to_string().replace('\n', "")
}

/// Both lists of transactions in one.
fn together(contest: &Contest<'_>, a: &str, b: &str) -> String {
    let parse =
        |text: &str| contest.contenders.first().and_then(|c| GtidPosition::parse_for(c.server.flavor(), text).ok());
    match (parse(a), parse(b)) {
        (Some(first), Some(second)) => first.union(&second).map_or_else(|_| format!("{a},{b}"), |all| one_line(&all)),
        _ => format!("{a},{b}"),
    }
}

/// What is known to be committed, or may be acknowledged, and is on no reachable server: the risk in words, and the
/// transactions.
fn risk_of_gone(contest: &Contest<'_>, survey: &Survey) -> Option<(String, String)> {
    let all = survey.union.as_ref()?;
    let unreachable = contest.contenders.iter().filter(|c| c.out.is_some()).map(|c| c.server);
    let beyond = contest.survey(unreachable).union;
    let source = contest.known_of_source();
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
    let after = one_line(all);
    let risk = format!(
        "{unheard} cannot be reached and may be all that acknowledged the last writes of {}, so acknowledged writes after {after} may be lost",
        source.key
    );
    Some((risk, format!("{EVERYTHING_AFTER}{after}")))
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
fn risk_of_best(contest: &Contest<'_>, survey: &Survey, best: Option<&Fit<'_>>) -> Option<(String, String)> {
    let all = survey.union.as_ref().filter(|_| contest.drained)?;
    match best {
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

/// By what the loss of `at_risk` is accepted.
///
/// # Errors
/// Why it is not.
pub(super) fn acceptance(contest: &Contest<'_>, best: Option<&Fit<'_>>, at_risk: &str) -> Result<String, String> {
    let named = &contest.settings.accept_loss_of;
    if !named.is_empty() {
        return if names(contest, named, at_risk)? {
            Ok(format!("their loss was accepted by name: {named}"))
        } else {
            Err(format!("the transactions named, {named}, are not all of those at risk"))
        };
    }
    match contest.settings.loss {
        LossPolicy::Never => Err("AcceptDataLoss of the cluster is never".to_owned()),
        LossPolicy::Always => Ok("AcceptDataLoss of the cluster is always".to_owned()),
        LossPolicy::Within { seconds } => {
            let best = best.ok_or("nobody could be promoted at any loss")?;
            let key = &best.contender.server.key;
            match behind(contest, best.contender) {
                Some(behind) if behind <= seconds => {
                    Ok(format!("{key} was {behind} s behind, and AcceptDataLoss of the cluster allows {seconds} s"))
                }
                Some(behind) => {
                    Err(format!("{key} was {behind} s behind, and AcceptDataLoss of the cluster allows {seconds} s"))
                }
                None => Err(format!(
                    "how far {key} was behind is not known, and AcceptDataLoss of the cluster allows {seconds} s"
                )),
            }
        }
    }
}

/// All that is at risk is among what was named.
fn names(contest: &Contest<'_>, named: &str, at_risk: &str) -> Result<bool, String> {
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    if contest.by_place || at_risk.starts_with(EVERYTHING_AFTER) || named.starts_with(EVERYTHING_AFTER) {
        return Ok(bare(named) == bare(at_risk));
    }
    let Some(flavor) = contest.contenders.first().map(|c| c.server.flavor()) else { return Ok(false) };
    let parse = |text: &str| GtidPosition::parse_for(flavor, text).map_err(|error| format!("{text}: {error}"));
    Ok(parse(named)?.covers(&parse(at_risk)?))
}

/// Seconds for which a server had heard nothing of the source when that was last seen, or its lag if that was more.
/// `None` when neither is known: MariaDB does not tell when it last heard from its source.
fn behind(contest: &Contest<'_>, contender: &Contender<'_>) -> Option<u64> {
    let lag = contender.lag.and_then(|lag| u64::try_from(lag).ok());
    let channel = &contender.server.replication;
    let heard = contender.server.check.last_seen.zip(channel.heartbeat_age_ms).and_then(|(read, age)| {
        let source_seen = contest.source?.check.last_seen?;
        let heard = read - chrono::TimeDelta::milliseconds(i64::try_from(age).ok()?);
        u64::try_from((source_seen - heard).num_milliseconds().max(0)).ok().map(|ms| ms.div_ceil(1_000))
    });
    lag.max(heard)
}
