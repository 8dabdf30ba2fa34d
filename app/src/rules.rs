//! What may replicate from what, and where a server may be moved (`spec/recovery.md` 3.4, `spec/refactoring.md` 2, 7, 11).
//!
//! Shared by the planner and the page: the page lights drop targets with the rules that the
//! planner refuses by. Pure and quick enough for every server of a large cluster at once.

mod without_gtid;

use crate::InstanceKey;
use crate::extra::{Extra, extra_transactions};
use crate::gtid::{GtidSet, MariadbGtidPos};
use crate::plan::{Place, Positioning, Refusal};
use crate::recovery::LOST_IN_RECOVERY;
use crate::topology::graph::{is_below, is_group_secondary};
use crate::topology::status::{StatusThresholds, is_recently_checked};
use crate::topology::{Instance, Snapshot};

pub use without_gtid::log_of;

/// Configuration that the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    /// `LowerReplicaVersionAllowed`: an older replica is a warning and not a refusal.
    pub lower_replica_version_allowed: bool,
    /// `VerifyReplicationFilters`: a filtered source takes filtered replicas only.
    pub verify_replication_filters: bool,
    /// Poll period and lag limits.
    pub thresholds: StatusThresholds,
}

impl Default for RuleSettings {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            lower_replica_version_allowed: false,
            verify_replication_filters: false,
            thresholds: StatusThresholds::default(),
        }
    }
}

/// Rules that hold, and what deserves a second look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Rules that were checked and hold, for people.
    pub checks: Vec<String>,
    /// What was let pass, for people.
    pub warnings: Vec<String>,
}

/// How a moved server finds the same place in another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Technique {
    /// It replicates from there already: nothing is looked for.
    InPlace,
    /// By GTID.
    Gtid,
    /// By pseudo-GTID: both logs are compared from an entry that is in both.
    PseudoGtid,
    /// By file and position, below a sibling: both stop at the same event.
    BelowSibling,
    /// By file and position, beside its source: it stops where its source stands.
    BesideSource,
    /// By file and position, at a place that is recorded as the same moment.
    Equivalent,
    /// By the same file and position: both sources have one log, because one of them or both are binlog servers.
    SameLog,
    /// First below the server whose log the binlog server has, then in the same log.
    ThroughItsSource,
}

/// A move that the rules allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// How the place is found.
    pub technique: Technique,
    /// How the moved server finds its place in the new source's log.
    pub positioning: Positioning,
    /// The server replicates from there already.
    pub already_there: bool,
    /// Rules that were checked and hold, for people.
    pub checks: Vec<String>,
    /// What deserves a second look, for people.
    pub warnings: Vec<String>,
}

/// Whether `replica` can replicate from `source` at all; the first rule that does not hold refuses
/// (`spec/recovery.md` 3.4). Says nothing about how it would find its place: see [`gtid_positioning`].
///
/// # Errors
/// The [`Refusal`] of the rule.
pub fn can_replicate_from(replica: &Instance, source: &Instance, settings: &RuleSettings) -> Result<Allowed, Refusal> {
    let mut allowed = Allowed::default();
    if replica.key == source.key {
        return Err(Refusal::new("same-server", format!("{} cannot replicate from itself", replica.key)));
    }
    source_logs(replica, source, &mut allowed)?;
    version_is_high_enough(replica, source, settings, &mut allowed)?;
    binlog_format_flows(replica, source, &mut allowed)?;
    filters_match(replica, source, settings)?;
    identity_differs(replica, source, &mut allowed)?;
    delay_is_no_shorter(replica, source, settings)?;
    Ok(allowed)
}

/// Rules 2 and 3: what the source gets or writes is in its binary log.
fn source_logs(replica: &Instance, source: &Instance, allowed: &mut Allowed) -> Result<(), Refusal> {
    if source.is_binlog_server() {
        return Ok(());
    }
    if !source.log_bin {
        let message = format!("{} has no binary log, so {} cannot replicate from it", source.key, replica.key);
        return Err(Refusal::new("source-without-binary-log", message));
    }
    if source.is_replica() && !source.log_replica_updates {
        let message = format!(
            "{} is a replica and does not write what it applies to its binary log (log_replica_updates is off)",
            source.key
        );
        return Err(Refusal::new("source-without-replica-updates", message));
    }
    allowed.checks.push(format!("{} has a binary log with everything it executes", source.key));
    Ok(())
}

/// Rule 4: a replica is not older than its source.
fn version_is_high_enough(
    replica: &Instance,
    source: &Instance,
    settings: &RuleSettings,
    allowed: &mut Allowed,
) -> Result<(), Refusal> {
    if replica.is_binlog_server() || replica.major_version() >= source.major_version() {
        allowed.checks.push(format!("version {} can replicate from {}", replica.version, source.version));
        return Ok(());
    }
    let message =
        format!("{} has version {}, lower than {} of {}", replica.key, replica.version, source.version, source.key);
    if settings.lower_replica_version_allowed {
        allowed.warnings.push(format!("{message}; LowerReplicaVersionAllowed lets it pass"));
        return Ok(());
    }
    Err(Refusal::new("version-too-low", message))
}

/// Rule 5: formats flow from STATEMENT to MIXED to ROW.
fn binlog_format_flows(replica: &Instance, source: &Instance, allowed: &mut Allowed) -> Result<(), Refusal> {
    let rank = |format: &str| ["STATEMENT", "MIXED", "ROW"].iter().position(|known| *known == format);
    let logs = replica.log_bin && replica.log_replica_updates;
    match (rank(&replica.binlog_format), rank(&source.binlog_format)) {
        (Some(own), Some(from)) if logs && own < from => {
            let message = format!(
                "{} logs in format {} and cannot log what {} writes in {}",
                replica.key, replica.binlog_format, source.key, source.binlog_format
            );
            Err(Refusal::new("binlog-format", message))
        }
        _ => {
            allowed.checks.push(format!("binary log format of {} is accepted", source.key));
            Ok(())
        }
    }
}

/// Rule 6: below a filtered source only filtered replicas, when that is asked for.
fn filters_match(replica: &Instance, source: &Instance, settings: &RuleSettings) -> Result<(), Refusal> {
    let differ = source.replication.has_filters && !replica.replication.has_filters;
    if settings.verify_replication_filters && differ {
        let message = format!("{} has replication filters and {} has none", source.key, replica.key);
        return Err(Refusal::new("replication-filters", message));
    }
    Ok(())
}

/// Rules 7 and 8: no two servers of one identity.
fn identity_differs(replica: &Instance, source: &Instance, allowed: &mut Allowed) -> Result<(), Refusal> {
    if replica.is_binlog_server() {
        return Ok(());
    }
    if replica.server_id == source.server_id {
        let message = format!("{} and {} have the same server_id {}", replica.key, source.key, replica.server_id);
        return Err(Refusal::new("same-server-id", message));
    }
    if !replica.server_uuid.is_empty() && replica.server_uuid == source.server_uuid {
        let message = format!("{} and {} have the same server UUID {}", replica.key, source.key, replica.server_uuid);
        return Err(Refusal::new("same-server-uuid", message));
    }
    allowed.checks.push(format!("server_id {} differs from {}", replica.server_id, source.server_id));
    Ok(())
}

/// Rule 9: a replica is not less delayed than its delayed source.
fn delay_is_no_shorter(replica: &Instance, source: &Instance, settings: &RuleSettings) -> Result<(), Refusal> {
    let (own, above) = (replica.replication.delay, source.replication.delay);
    let limit = settings.thresholds.reasonable_maintenance_replication_lag_seconds;
    if own < above && i64::try_from(above).unwrap_or(i64::MAX) > limit {
        let message = format!(
            "{} is delayed by {above} seconds (more than {limit}) and {} by only {own}",
            source.key, replica.key
        );
        return Err(Refusal::new("delay-too-short", message));
    }
    Ok(())
}

/// How `replica` would find its place in the log of `source` by GTID (`spec/refactoring.md` 2.3).
///
/// # Errors
/// `needs-gtid`, `gtid-incompatible`, `purged-transactions` or `gtid-unreadable`.
pub fn gtid_positioning(replica: &Instance, source: &Instance) -> Result<Positioning, Refusal> {
    let channel = &replica.replication;
    if channel.auto_position {
        if !source.supports_mysql_gtid() || source.is_mariadb() {
            let mode = if source.gtid_mode.is_empty() { "none" } else { &source.gtid_mode };
            let message = format!(
                "{} replicates by MySQL GTID, which {} does not offer (gtid_mode is {mode}, version {})",
                replica.key, source.key, source.version
            );
            return Err(Refusal::new("gtid-incompatible", message));
        }
        nothing_needed_is_purged(replica, source)?;
        return Ok(Positioning::AutoPosition);
    }
    if channel.uses_mariadb_gtid() {
        if !source.is_mariadb() {
            let message = format!(
                "{} replicates by MariaDB GTID, which {} (version {}) does not offer",
                replica.key, source.key, source.version
            );
            return Err(Refusal::new("gtid-incompatible", message));
        }
        let current = channel.mariadb_using_gtid.eq_ignore_ascii_case("current_pos");
        let using = if current { "current_pos" } else { "slave_pos" };
        return Ok(Positioning::MariaDbGtid { using: using.to_owned() });
    }
    let message = format!(
        "{} replicates by file and position; a move needs GTID to find the same place on {}",
        replica.key, source.key
    );
    Err(Refusal::new("needs-gtid", message))
}

/// MySQL: everything that the source no longer has in its binary logs is executed on the replica. What the
/// replica has only received does not count: repointing throws its relay log away.
fn nothing_needed_is_purged(replica: &Instance, source: &Instance) -> Result<(), Refusal> {
    let parse = |server: &Instance, text: &str| {
        GtidSet::parse(text).map_err(|error| Refusal::new("gtid-unreadable", format!("{}: {error}", server.key)))
    };
    if source.purged_gtid.is_empty() {
        return Ok(());
    }
    let missing = parse(source, &source.purged_gtid)?.subtract(&parse(replica, &replica.executed_gtid)?);
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} has purged transactions that {} has not executed: {}",
        source.key,
        replica.key,
        one_line(&missing.to_string())
    );
    Err(Refusal::new("purged-transactions", message))
}

/// Whether `server` can be moved below `below`, as far as the snapshot tells; the facts are read again before
/// anything is done (`spec/refactoring.md` 7.1, 11). By GTID wherever it is used; without it
/// at a recorded place, in the log of a binlog server, by pseudo-GTID where both have it, else by file and position, below a sibling or
/// beside its source. Any other server without GTID is refused by `needs-gtid`.
///
/// # Errors
/// The [`Refusal`] of the first rule that does not hold.
pub fn can_relocate(
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &RuleSettings,
) -> Result<Relocation, Refusal> {
    let (replica, source) = (known(snapshot, server)?, known(snapshot, below)?);
    if !replica.is_replica() && was_left_behind(snapshot, server) {
        return can_rejoin(snapshot, replica, source, settings);
    }
    let mut allowed = can_go_below(snapshot, replica, source, settings)?;
    let already_there = replica.replication.source == source.key;
    let (technique, positioning) = match gtid_positioning(replica, source) {
        Err(refusal) if refusal.rule != "needs-gtid" => return Err(refusal),
        Err(_) if already_there => (Technique::InPlace, Positioning::Unchanged),
        Ok(positioning) if already_there => (Technique::InPlace, positioning),
        Ok(positioning) => {
            if matches!(positioning, Positioning::MariaDbGtid { .. }) {
                // One position for all channels: the new source would have to know what arrived on the others.
                one_channel(replica)?;
            }
            (Technique::Gtid, positioning)
        }
        Err(refusal) => without_gtid::technique(snapshot, replica, source, settings)?.ok_or(refusal)?,
    };
    allowed.checks.push(match technique {
        Technique::InPlace => format!("{} replicates from {} already", replica.key, source.key),
        Technique::Gtid => format!("{} finds its place on {} by GTID", replica.key, source.key),
        Technique::PseudoGtid => format!("{} and {} both have pseudo-GTID entries", replica.key, source.key),
        Technique::BelowSibling => format!("{} and {} have the same source", replica.key, source.key),
        Technique::BesideSource => format!("{} is the source of {}'s source", source.key, replica.key),
        Technique::Equivalent => format!("the place of {} in the log of {} is recorded", replica.key, source.key),
        Technique::SameLog => format!("{} has the log that {} reads", source.key, replica.key),
        Technique::ThroughItsSource => format!("{} has the log of its source", source.key),
    });
    warn_of_relocation(replica, source, &mut allowed.warnings);
    Ok(Relocation { technique, positioning, already_there, checks: allowed.checks, warnings: allowed.warnings })
}

/// Whether `server` can be moved below `below` by pseudo-GTID, wherever both are in the tree (`spec/refactoring.md` 8.1). Whether both
/// logs have the same entries is found out only when it is done. One that finds its place by GTID is refused: it would lose that.
///
/// # Errors
/// The [`Refusal`] of the first rule that does not hold.
pub fn can_match(
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &RuleSettings,
) -> Result<Relocation, Refusal> {
    let (replica, source) = (known(snapshot, server)?, known(snapshot, below)?);
    let mut allowed = can_go_below(snapshot, replica, source, settings)?;
    if replica.replication.uses_gtid() {
        let message = format!("{} replicates by GTID and finds its place by that", replica.key);
        return Err(Refusal::new("uses-gtid", message));
    }
    if source.is_binlog_server() || replica.is_binlog_server() {
        let message = format!("{} and {} are not both servers with a log of their own", replica.key, source.key);
        return Err(Refusal::new("binlog-server", message));
    }
    one_channel(replica)?;
    warn_of_relocation(replica, source, &mut allowed.warnings);
    Ok(Relocation {
        technique: Technique::PseudoGtid,
        positioning: Positioning::Matched,
        already_there: false,
        checks: allowed.checks,
        warnings: allowed.warnings,
    })
}

fn known<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Instance, Refusal> {
    let found = snapshot.get(key).map(AsRef::as_ref);
    found.ok_or_else(|| Refusal::new("unknown-server", format!("{key} is not a known server")))
}

/// What every move below another server asks for, however the place is found.
fn can_go_below(
    snapshot: &Snapshot,
    replica: &Instance,
    source: &Instance,
    settings: &RuleSettings,
) -> Result<Allowed, Refusal> {
    can_be_moved(snapshot, replica, settings)?;
    let allowed = can_replicate_from(replica, source, settings)?;
    if replica.replication.source != source.key && is_below(snapshot, source, &replica.key) {
        let message = format!("{} is itself below {}", source.key, replica.key);
        return Err(Refusal::new("below-itself", message));
    }
    if replica.is_group_member() && source.group.name == replica.group.name {
        let message = format!("{} and {} are members of the same group", replica.key, source.key);
        return Err(Refusal::new("same-group", message));
    }
    can_be_reached(source)?;
    channel_is_free(replica, source)?;
    Ok(allowed)
}

/// A recovery replaced the server, and nobody has taken it back into use.
fn was_left_behind(snapshot: &Snapshot, key: &InstanceKey) -> bool {
    snapshot.annotations.active_downtime(key, snapshot.at).is_some_and(|d| d.reason == LOST_IN_RECOVERY)
}

/// Whether a source that was replaced, and replicates from nobody, can become a replica of `source`: it takes no writes, and holds
/// nothing that the other one does not. What it holds more would be errant below it, and is not for us to throw away.
fn can_rejoin(
    snapshot: &Snapshot,
    old: &Instance,
    source: &Instance,
    settings: &RuleSettings,
) -> Result<Relocation, Refusal> {
    can_be_reached(old)?;
    let mut allowed = can_replicate_from(old, source, settings)?;
    if is_below(snapshot, source, &old.key) {
        return Err(Refusal::new("below-itself", format!("{} is itself below {}", source.key, old.key)));
    }
    can_be_reached(source)?;
    if !old.read_only {
        let message = format!("{} takes writes: it must be read-only before it replicates again", old.key);
        return Err(Refusal::new("writeable-server", message));
    }
    let positioning = if old.is_mariadb() && source.is_mariadb() {
        // It holds writes of its own, which only its current position tells.
        Positioning::MariaDbGtid { using: "current_pos".to_owned() }
    } else if !old.is_mariadb() && old.supports_mysql_gtid() && source.supports_mysql_gtid() {
        nothing_needed_is_purged(old, source)?;
        Positioning::AutoPosition
    } else {
        let message = format!("{} and {} do not both use GTID of one kind", old.key, source.key);
        return Err(Refusal::new("needs-gtid", message));
    };
    match extra_transactions(old, source) {
        Extra::Nothing => allowed.checks.push(format!("{} holds nothing that {} does not", old.key, source.key)),
        Extra::Transactions(set) => {
            let message = format!("{} holds transactions that {} does not: {set}", old.key, source.key);
            return Err(Refusal::new("extra-transactions", message));
        }
        // The source looks for the last transaction of the other one in its log, and refuses it where it is not there.
        Extra::Unknown(why) if old.is_mariadb() => {
            allowed.warnings.push(format!("{why}; {} refuses {} where that has more", source.key, old.key));
        }
        Extra::Unknown(why) => return Err(Refusal::new("extra-unknown", format!("{}: {why}", old.key))),
    }
    let Allowed { checks, warnings } = allowed;
    Ok(Relocation { technique: Technique::Gtid, positioning, already_there: false, checks, warnings })
}

/// The ways that need no GTID, because both logs can be brought to the same event by stopping servers (`spec/refactoring.md` 6.1, 6.3):
/// below a sibling, and beside the source. `None` when `source` is neither.
fn by_position(
    snapshot: &Snapshot,
    replica: &Instance,
    source: &Instance,
    settings: &RuleSettings,
) -> Result<Option<(Technique, Positioning)>, Refusal> {
    let log = |key| log_of(snapshot, key);
    let own = &replica.replication.source;
    if source.is_replica() && log(own) == log(&source.replication.source) {
        if source.is_co_source && !source.read_only {
            let message = format!("{} is a writeable co-source: it cannot stand still", source.key);
            return Err(Refusal::new("writeable-co-source", message));
        }
        can_be_aligned(replica, settings)?;
        can_be_aligned(source, settings)?;
        let positioning = Positioning::At { peer: source.key.clone(), place: Place::Own };
        return Ok(Some((Technique::BelowSibling, positioning)));
    }
    // A binlog server applies nothing: there is no place in a log of its own.
    match snapshot.get(own).filter(|above| !above.is_binlog_server()) {
        Some(above) if above.is_replica() && log(&above.replication.source) == Some(&source.key) => {
            can_be_aligned(replica, settings)?;
            can_be_aligned(above, settings)?;
            let positioning = Positioning::At { peer: own.clone(), place: Place::Executed };
            Ok(Some((Technique::BesideSource, positioning)))
        }
        _ => Ok(None),
    }
}

/// A server can be brought to a position within the time of a move: it replicates and hardly lags (`spec/refactoring.md` 2.2).
///
/// # Errors
/// `last-check-invalid`, `several-channels`, `not-replicating` or `lagging`.
pub fn can_be_aligned(server: &Instance, settings: &RuleSettings) -> Result<(), Refusal> {
    can_be_reached(server)?;
    one_channel(server)?;
    let channel = &server.replication;
    if !channel.is_running() {
        let message = format!("{} does not replicate, so it cannot be brought to a position", server.key);
        return Err(Refusal::new("not-replicating", message));
    }
    let limit = settings.thresholds.reasonable_maintenance_replication_lag_seconds;
    match server.lag_beyond_delay() {
        Some(lag) if lag <= limit && channel.delay == 0 => Ok(()),
        Some(lag) => {
            let message = format!(
                "{} lags by {lag} s (limit {limit}) with a delay of {} s: it would take too long to bring it to a position",
                server.key, channel.delay
            );
            Err(Refusal::new("lagging", message))
        }
        None => Err(Refusal::new("lagging", format!("the lag of {} is not known", server.key))),
    }
}

/// The server may be moved at all, wherever to.
///
/// # Errors
/// `not-a-replica`, `group-secondary`, `last-check-invalid` or `not-recently-checked`.
pub fn can_be_moved(snapshot: &Snapshot, server: &Instance, settings: &RuleSettings) -> Result<(), Refusal> {
    if is_group_secondary(server) {
        let message = format!("{} is a secondary of group {} and follows its primary", server.key, server.group.name);
        return Err(Refusal::new("group-secondary", message));
    }
    can_be_reached(server)?;
    if !is_recently_checked(server, &settings.thresholds, snapshot.at) {
        let message = format!("{} was not looked at for a while; what is known of it may be old", server.key);
        return Err(Refusal::new("not-recently-checked", message));
    }
    if !server.is_replica() {
        return Err(Refusal::new("not-a-replica", format!("{} does not replicate from anything", server.key)));
    }
    Ok(())
}

fn can_be_reached(server: &Instance) -> Result<(), Refusal> {
    if server.check.is_valid() {
        return Ok(());
    }
    let why = if server.check.error.is_empty() { "it was never seen" } else { &server.check.error };
    Err(Refusal::new("last-check-invalid", format!("{} could not be read when last tried: {why}", server.key)))
}

/// A server with one channel at most: bringing it to a position, or giving it another history, takes that nothing else writes to it.
///
/// # Errors
/// `several-channels`.
pub fn one_channel(server: &Instance) -> Result<(), Refusal> {
    if server.channels.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = server.channels.iter().map(|c| format!("{:?} from {}", c.channel, c.source)).collect();
    let message =
        format!("{} replicates on several channels ({}), which this would mix up", server.key, names.join(", "));
    Err(Refusal::new("several-channels", message))
}

/// No other channel of the replica gets the same transactions already.
fn channel_is_free(replica: &Instance, source: &Instance) -> Result<(), Refusal> {
    let managed = &replica.replication.channel;
    match replica.channels.iter().find(|c| c.channel != *managed && c.source == source.key) {
        Some(channel) => {
            let message =
                format!("{} replicates from {} already, on channel {:?}", replica.key, source.key, channel.channel);
            Err(Refusal::new("other-channel", message))
        }
        None => Ok(()),
    }
}

fn warn_of_relocation(replica: &Instance, source: &Instance, warnings: &mut Vec<String>) {
    if replica.cluster_name != source.cluster_name {
        warnings.push(format!("{} is in another cluster: {}", source.key, source.cluster_name));
    }
    if !replica.errant_gtid.is_empty() {
        let errant = one_line(&replica.errant_gtid);
        warnings.push(format!("{} holds errant transactions: {errant}", replica.key));
    }
    if source.is_replica() && !source.replication.is_running() {
        warnings.push(format!("{} does not replicate at the moment", source.key));
    }
    if let Some(gap) = mariadb_lead(replica, source) {
        warnings.push(format!("{} is ahead of {} ({gap}): the move has to wait for it", replica.key, source.key));
    }
}

/// MariaDB refuses a replica that asks for a position its source does not have yet.
fn mariadb_lead(replica: &Instance, source: &Instance) -> Option<MariadbGtidPos> {
    if !replica.is_mariadb() || !source.is_mariadb() {
        return None;
    }
    let position = |server: &Instance| MariadbGtidPos::parse(&server.executed_gtid).ok();
    let lead = position(replica)?.minus(&position(source)?);
    (!lead.is_empty()).then_some(lead)
}

/// MySQL prints sets on several lines; a message is one.
fn one_line(set: &str) -> String {
    set.replace('\n', " ")
}
