//! One server in words: the lines of its box in the tree, of its edge, and of the panel beside it.

use chrono::{DateTime, Utc};

use super::age::{UNKNOWN, ago_text, duration_text, lag_text};
use super::tone::{Tone, problem_words};
use crate::InstanceKey;
use crate::api::ServerView;
use crate::topology::{Instance, PromotionRule, ThreadState};

/// The part a server plays in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Takes the writes.
    Primary,
    /// One of several that replicate from each other.
    CoSource,
    /// Replicates, and others replicate from it.
    Intermediate,
    /// Replicates.
    Replica,
    /// Has neither source nor replicas, or lost its source.
    Alone,
}

impl Part {
    /// Of a server that has this many replicas in the picture.
    pub fn of(server: &Instance, replicas: usize) -> Self {
        if server.is_co_source {
            Self::CoSource
        } else if server.is_replica() && !server.is_primary_role() || server.group.role == "SECONDARY" {
            if replicas > 0 { Self::Intermediate } else { Self::Replica }
        } else if replicas > 0 {
            Self::Primary
        } else {
            Self::Alone
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::CoSource => "co-source",
            Self::Intermediate => "intermediate",
            Self::Replica => "replica",
            Self::Alone => "standalone",
        }
    }
}

/// The name of a server without `cut`, the text that the configuration has cut out once (`RemoveTextFromHostnameDisplay`). A name of
/// which no host would be left stays whole.
pub fn short_name(key: &InstanceKey, cut: &str) -> String {
    let full = key.to_string();
    match full.replacen(cut, "", 1) {
        _ if cut.is_empty() => full,
        short if short.is_empty() || short.starts_with(':') => full,
        short => short,
    }
}

/// Host and port of that name for a box, the port apart. With a text that takes the port away there is none.
pub fn name_parts(key: &InstanceKey, cut: &str) -> (String, String) {
    let (name, port) = (short_name(key, cut), format!(":{}", key.port));
    match name.strip_suffix(&port) {
        Some(host) => (host.to_owned(), port),
        None => (name, String::new()),
    }
}

/// `rw`, `ro` or `super ro`, with a question mark where that is only what was last seen.
pub fn write_word(server: &Instance) -> &'static str {
    match (server.check.is_valid(), server.read_only, server.super_read_only) {
        (true, true, Some(true)) => "super ro",
        (true, true, _) => "ro",
        (true, false, _) => "rw",
        (false, true, _) => "ro?",
        (false, false, _) => "rw?",
    }
}

/// The same, to be read out.
pub fn write_words(server: &Instance) -> &'static str {
    match (server.read_only, server.super_read_only) {
        (true, Some(true)) => "super read-only",
        (true, _) => "read-only",
        (false, _) => "writeable",
    }
}

/// The version without build suffixes: `10.11.6` of `10.11.6-MariaDB-log`; `unknown` when there is none.
pub fn version_text(server: &Instance) -> String {
    let digits: String = server.version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    if digits.is_empty() { UNKNOWN.to_owned() } else { digits.trim_end_matches('.').to_owned() }
}

/// One line under the name: `10.11.6 ROW GTID`.
pub fn box_line(view: &ServerView) -> String {
    let server = &view.instance;
    let mut words = vec![version_text(server)];
    if server.log_bin && !server.binlog_format.is_empty() {
        words.push(server.binlog_format.clone());
    } else if !server.log_bin && !server.version.is_empty() {
        words.push("no binlog".to_owned());
    }
    if let Some(gtid) = gtid_word(server) {
        words.push(gtid.to_owned());
    }
    words.join(" ")
}

/// `GTID` when the server works with them; `None` when it does not.
fn gtid_word(server: &Instance) -> Option<&'static str> {
    let by_channel = server.replication.uses_gtid();
    (by_channel || server.supports_mysql_gtid() || (server.is_mariadb() && !server.executed_gtid.is_empty()))
        .then_some("GTID")
}

/// What is said at a server's edge to its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeFacts {
    /// The words beside the line.
    pub label: String,
    /// Colour of the line and the word for it.
    pub tone: Tone,
    /// Nothing flows.
    pub broken: bool,
    /// The source's name was broken on purpose.
    pub detached: bool,
    /// Semi-synchronous.
    pub semi_sync: bool,
    /// Encrypted.
    pub tls: bool,
}

/// What is said at the edge of a replica; `reasonable_lag` in seconds (`ClusterSettings`).
pub fn edge(view: &ServerView, reasonable_lag: u64) -> EdgeFacts {
    let server = &view.instance;
    let channel = &server.replication;
    let detached = channel.source.is_detached();
    let reachable = server.check.is_valid();
    let limit = i64::try_from(reasonable_lag.max(1)).unwrap_or(i64::MAX);
    let lagging = server.lag_beyond_delay().is_some_and(|lag| lag > limit);
    let mut label = if detached {
        "detached".to_owned()
    } else if !reachable {
        "not seen".to_owned()
    } else if let Some(stopped) = stopped_words(server) {
        stopped
    } else {
        match server.lag {
            Some(_) => lag_text(server.lag),
            None => "lag unknown".to_owned(),
        }
    };
    if channel.delay > 0 {
        label = format!("{label}, delayed {}", lag_text(i64::try_from(channel.delay).ok()));
    }
    if !channel.channel.is_empty() {
        label = format!("{label} [{}]", channel.channel);
    }
    let flows = channel.is_running() && !detached && reachable;
    let tone = match () {
        () if view.downtime.is_some() => Tone::Downtimed,
        () if !reachable => Tone::Unknown,
        () if !flows => Tone::Broken,
        () if lagging => Tone::Attention,
        () if server.lag.is_none() => Tone::Unknown,
        () => Tone::Ok,
    };
    EdgeFacts {
        label,
        tone,
        broken: !flows,
        detached,
        semi_sync: server.semi_sync.replica_active,
        tls: channel.tls.allowed,
    }
}

/// What does not run, in words; `None` when both threads run or there are none.
pub fn stopped_words(server: &Instance) -> Option<String> {
    let channel = &server.replication;
    if !channel.threads_exist() || channel.is_running() {
        return None;
    }
    let errno = |number: u32| if number == 0 { String::new() } else { format!(" ({number})") };
    let text = match (channel.receiver, channel.applier) {
        (ThreadState::Running, _) => format!("applier stopped{}", errno(channel.applier_errno)),
        (ThreadState::Other, _) => format!("connecting{}", errno(channel.receiver_errno)),
        (_, ThreadState::Running) => format!("receiver stopped{}", errno(channel.receiver_errno)),
        _ => format!("stopped{}", errno(channel.receiver_errno.max(channel.applier_errno))),
    };
    Some(text)
}

/// A problem of a server with the words that say how bad it is.
pub fn problem_text(view: &ServerView, problem: &str, now: DateTime<Utc>) -> String {
    let words = problem_words(problem);
    match problem {
        "last_check_invalid" => format!("{words}, last seen {}", ago_text(view.instance.check.last_seen, now)),
        "not_recently_checked" => format!("{words}: {}", ago_text(view.instance.check.last_checked, now)),
        "not_replicating" => stopped_words(&view.instance).map_or(words.clone(), |s| format!("{words}: {s}")),
        "replication_lag" => format!("{words}: {}", lag_text(view.instance.lag)),
        _ => words,
    }
}

/// What a screen reader says of a box after the words that everybody sees: what icons, abbreviations and lines say.
pub fn spoken(view: &ServerView, now: DateTime<Utc>) -> String {
    let server = &view.instance;
    let mut text = format!("{}, {}, {}", Tone::of_server(view).word(), write_words(server), view.flavor);
    for problem in &view.problems {
        text.push_str(", ");
        text.push_str(&problem_text(view, problem, now));
    }
    if server.is_replica() {
        text.push_str(&format!(", replicates from {}, lag {}", server.replication.source, lag_text(server.lag)));
    }
    text
}

/// One fact of the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// What it is like.
    pub value: String,
    /// State it stands for; `Ok` for plain facts.
    pub tone: Tone,
    /// Long and machine-like: shown in the fixed-width face.
    pub code: bool,
}

/// A titled group of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Title.
    pub title: &'static str,
    /// Facts in order.
    pub facts: Vec<Fact>,
}

struct Group(Facts);

impl Group {
    fn new(title: &'static str) -> Self {
        Self(Facts { title, facts: Vec::new() })
    }

    fn say(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.facts.push(Fact { name, value: value.into(), tone: Tone::Ok, code: false });
        self
    }

    fn code(mut self, name: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.facts.push(Fact { name, value: value.to_owned(), tone: Tone::Ok, code: true });
        }
        self
    }

    fn toned(mut self, name: &'static str, value: impl Into<String>, tone: Tone) -> Self {
        self.0.facts.push(Fact { name, value: value.into(), tone, code: false });
        self
    }

    fn some(self, name: &'static str, value: &str) -> Self {
        if value.is_empty() { self } else { self.say(name, value) }
    }
}

/// Everything the panel says of a server, most telling first.
pub fn facts(view: &ServerView, now: DateTime<Utc>) -> Vec<Facts> {
    let mut groups = vec![seen(view, now), replication(view), writes(view), logs(view), place(view)];
    groups.retain(|group| !group.facts.is_empty());
    groups
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn seen(view: &ServerView, now: DateTime<Utc>) -> Facts {
    let check = &view.instance.check;
    let tone = if check.is_valid() { Tone::Ok } else { Tone::Broken };
    let took = if check.latency_ns > 0 { format!(", took {} ms", check.latency_ns / 1_000_000) } else { String::new() };
    let mut group = Group::new("Seen").toned("last seen", ago_text(check.last_seen, now), tone);
    group = group.say("last check", format!("{}{took}", ago_text(check.last_checked, now)));
    if !check.error.is_empty() {
        group = group.toned("check failed", check.error.clone(), Tone::Broken);
    }
    let up = chrono::Duration::seconds(i64::try_from(view.instance.uptime).unwrap_or(0));
    if view.instance.uptime == 0 { group.0 } else { group.say("up for", duration_text(up)).0 }
}

fn replication(view: &ServerView) -> Facts {
    let server = &view.instance;
    let channel = &server.replication;
    if !server.is_replica() {
        return Group::new("Replication").0;
    }
    let thread = |state: ThreadState| match state {
        ThreadState::Running => ("running", Tone::Ok),
        ThreadState::Stopped => ("stopped", Tone::Broken),
        ThreadState::Other => ("connecting", Tone::Broken),
        ThreadState::NoThread => ("none", Tone::Unknown),
    };
    let (receiver, receiver_tone) = thread(channel.receiver);
    let (applier, applier_tone) = thread(channel.applier);
    let mut group = Group::new("Replication").say("source", channel.source.to_string());
    group = group.toned("receiver", receiver, receiver_tone).toned("applier", applier, applier_tone);
    let lag_tone = if server.lag.is_none() { Tone::Unknown } else { Tone::Ok };
    group = group.toned("lag", lag_text(server.lag), lag_tone);
    for (name, errno, text) in [
        ("receiver error", channel.receiver_errno, &channel.receiver_error),
        ("applier error", channel.applier_errno, &channel.applier_error),
    ] {
        if errno != 0 || !text.is_empty() {
            group = group.toned(name, format!("{errno}: {text}"), Tone::Broken);
        }
    }
    group = group.say("positioning", if channel.uses_gtid() { "GTID" } else { "file and position" });
    if channel.delay > 0 {
        group = group.say("delayed by", lag_text(i64::try_from(channel.delay).ok()));
    }
    group = group.some("channel", &channel.channel).say("encrypted", yes_no(channel.tls.allowed));
    group = group.say("replication filters", yes_no(channel.has_filters));
    if channel.exec.is_empty() { group.0 } else { group.code("applied to", &channel.exec.to_string()).0 }
}

fn writes(view: &ServerView) -> Facts {
    let server = &view.instance;
    let semi = &server.semi_sync;
    let side = |on: bool, active: bool| match (on, active) {
        (true, true) => "on, in effect",
        (true, false) => "on, not in effect",
        (false, _) => "off",
    };
    let mut group = Group::new("Writes").say("state", write_words(server));
    if semi.available {
        group = group.say("semi-sync source", side(semi.source_enabled, semi.source_active));
        if semi.source_enabled {
            let tone = if semi.source_clients < semi.source_wait_for { Tone::Attention } else { Tone::Ok };
            let text = format!("{} of {} wanted", semi.source_clients, semi.source_wait_for);
            group = group.toned("acknowledgers", text, tone);
        }
        group = group.say("semi-sync replica", side(semi.replica_enabled, semi.replica_active));
    }
    group.say("promotion", rule_words(view.promotion_rule)).0
}

/// A promotion rule in words.
pub fn rule_words(rule: PromotionRule) -> &'static str {
    match rule {
        PromotionRule::Must => "must be chosen",
        PromotionRule::Prefer => "preferred",
        PromotionRule::Neutral => "neutral",
        PromotionRule::PreferNot => "rather not",
        PromotionRule::MustNot => "never",
    }
}

fn logs(view: &ServerView) -> Facts {
    let server = &view.instance;
    let mut group = Group::new("Log and GTID");
    let format = if server.binlog_format.is_empty() { UNKNOWN } else { &server.binlog_format };
    group = group.say("binary log", if server.log_bin { format } else { "off" });
    group = group.say("can feed replicas", yes_no(server.can_feed_replicas()));
    group = group.some("gtid_mode", &server.gtid_mode);
    if !server.errant_gtid.is_empty() {
        group = group.toned("errant transactions", server.errant_gtid.clone(), Tone::Attention);
    }
    group = group.code("executed", &server.executed_gtid).code("purged", &server.purged_gtid);
    if server.binlog.is_empty() { group.0 } else { group.code("end of log", &server.binlog.to_string()).0 }
}

fn place(view: &ServerView) -> Facts {
    let server = &view.instance;
    let family = format!("{} {}", view.flavor, server.version);
    let mut group = Group::new("Server").say("version", family).say("server_id", server.server_id.to_string());
    group = group.code("UUID", &server.server_uuid).some("alias", &server.alias);
    group = group.some("data centre", &server.data_center).some("region", &server.region);
    group = group.some("environment", &server.environment);
    for (name, value) in &view.tags {
        group = group.say("tag", if value.is_empty() { name.clone() } else { format!("{name} = {value}") });
    }
    group.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::topology::Replication;

    #[test]
    fn a_text_is_cut_out_of_a_name_once_and_never_all_of_it() {
        let parts = |host: &str, cut: &str| {
            let (host, port) = name_parts(&InstanceKey::new(host, 3306), cut);
            format!("{host}|{port}")
        };
        assert_eq!(parts("db1.my.example", ""), "db1.my.example|:3306");
        assert_eq!(parts("db1.my.example", ".my.example"), "db1|:3306");
        assert_eq!(parts("db1.my.example", ".my.example:3306"), "db1|");
        assert_eq!(parts("db1.a.a", ".a"), "db1.a|:3306", "once");
        assert_eq!(parts("db1", "DB1"), "db1|:3306", "as it is written");
        assert_eq!(parts("db1", "db1:3306"), "db1|:3306", "something must be left");
        assert_eq!(parts("db1", "db1"), "db1|:3306", "and be it more than a port");
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("moment")
    }

    fn replica() -> ServerView {
        let mut instance = Instance::unseen(InstanceKey::new("db2", 3306));
        instance.version = "10.11.6-MariaDB-log".to_owned();
        instance.log_bin = true;
        instance.binlog_format = "ROW".to_owned();
        instance.read_only = true;
        instance.lag = Some(0);
        instance.check.last_checked = Some(at(100));
        instance.check.last_seen = Some(at(100));
        instance.replication = Replication {
            source: InstanceKey::new("db1", 3306),
            receiver: ThreadState::Running,
            applier: ThreadState::Running,
            mariadb_using_gtid: "Slave_Pos".to_owned(),
            ..Replication::default()
        };
        ServerView {
            instance,
            status: "ok".to_owned(),
            problems: Vec::new(),
            promotion_rule: PromotionRule::Neutral,
            downtime: None,
            tags: BTreeMap::new(),
            flavor: "MariaDB".to_owned(),
        }
    }

    #[test]
    fn a_box_says_version_format_and_positioning() {
        let mut view = replica();
        assert_eq!(box_line(&view), "10.11.6 ROW GTID");
        view.instance.log_bin = false;
        assert_eq!(box_line(&view), "10.11.6 no binlog GTID");
        view.instance.version.clear();
        assert!(box_line(&view).starts_with("unknown"));
    }

    #[test]
    fn an_edge_never_shows_unknown_lag_as_zero() {
        let mut view = replica();
        assert_eq!((edge(&view, 10).label.as_str(), edge(&view, 10).tone), ("0 s", Tone::Ok));
        view.instance.lag = None;
        assert_eq!((edge(&view, 10).label.as_str(), edge(&view, 10).tone), ("lag unknown", Tone::Unknown));
        view.instance.lag = Some(41);
        assert_eq!((edge(&view, 10).label.as_str(), edge(&view, 10).tone), ("41 s", Tone::Attention));
        view.instance.replication.delay = 40;
        assert_eq!((edge(&view, 10).label.as_str(), edge(&view, 10).tone), ("41 s, delayed 40 s", Tone::Ok));
    }

    #[test]
    fn a_broken_edge_says_what_does_not_run() {
        let mut view = replica();
        view.instance.replication.receiver = ThreadState::Other;
        view.instance.replication.receiver_errno = 2003;
        let facts = edge(&view, 10);
        assert_eq!((facts.label.as_str(), facts.broken, facts.tone), ("connecting (2003)", true, Tone::Broken));
        view.instance.replication.source = view.instance.replication.source.detached();
        assert!(edge(&view, 10).detached);
        view.instance.check.last_checked = Some(at(200));
        view.instance.replication.source = view.instance.replication.source.reattached();
        assert_eq!(edge(&view, 10).label, "not seen");
    }

    #[test]
    fn the_part_follows_from_source_and_replicas() {
        let view = replica();
        assert_eq!(Part::of(&view.instance, 0), Part::Replica);
        assert_eq!(Part::of(&view.instance, 2), Part::Intermediate);
        let root = Instance::unseen(InstanceKey::new("db1", 3306));
        assert_eq!(Part::of(&root, 2), Part::Primary);
        assert_eq!(Part::of(&root, 0), Part::Alone);
    }

    #[test]
    fn what_is_spoken_names_state_and_problems() {
        let mut view = replica();
        view.problems = vec!["last_check_invalid".to_owned()];
        view.status = "invalid".to_owned();
        let text = spoken(&view, at(130));
        assert_eq!(
            text,
            "broken, read-only, MariaDB, cannot be reached, last seen 30 s ago, replicates from db1:3306, lag 0 s"
        );
    }

    #[test]
    fn the_panel_says_why_a_check_failed() {
        let mut view = replica();
        view.instance.check.last_checked = Some(at(110));
        view.instance.check.error = "connection refused".to_owned();
        let groups = facts(&view, at(120));
        let seen = &groups[0];
        assert_eq!(
            seen.facts[0],
            Fact { name: "last seen", value: "20 s ago".into(), tone: Tone::Broken, code: false }
        );
        assert!(seen.facts.iter().any(|f| f.value == "connection refused" && f.tone == Tone::Broken));
    }
}
