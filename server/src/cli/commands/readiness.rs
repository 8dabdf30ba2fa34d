//! `cluster-readiness`: why a cluster would, or would not, fail over. A command of ours.

use std::fmt::Write as _;

use app::finding::{Evidence, Testimony};
use app::readiness::{Forecast, HeldFinding, Obstacle, PastEvent, Readiness, SourcePlace};
use app::recovery::Considered;
use chrono::{DateTime, Utc};

use super::read::one_cluster;
use crate::cli::bench::{Bench, Failure, Outcome};
use crate::readiness;
use crate::recovery::Watcher;

/// `cluster-readiness`
pub async fn cluster_readiness(bench: Bench) -> Outcome {
    let name = one_cluster(&bench)?;
    let told = readiness::of_cluster(&bench.services, &name, Watcher::Command).await;
    if bench.arguments.json {
        let json = serde_json::to_string_pretty(&told).map_err(Failure::new)?;
        return Ok(format!("{json}\n"));
    }
    Ok(text(&told))
}

/// The answer as a page of text.
fn text(told: &Readiness) -> String {
    let title = if told.alias == told.cluster { String::new() } else { format!(" ({})", told.cluster) };
    let mut page = Page::default();
    page.line(0, &format!("Cluster {}{title} at {}", told.alias, moment(told.at)));
    for forecast in &told.forecasts {
        page.forecast(forecast, told.at);
    }
    page.problems(&told.problems);
    page.events(told);
    page.0
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Text that grows line by line, with blocks under headings.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a text cannot fail.
        let _infallible = writeln!(self.0, "{:1$}{text}", "", depth * 2);
    }

    fn heading(&mut self, text: &str) {
        self.0.push('\n');
        self.line(0, text);
    }

    /// A titled list; nothing where it has no items.
    fn list(&mut self, title: &str, items: impl IntoIterator<Item = String>) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            self.line(1, title);
        }
        for item in items {
            self.line(2, &item);
        }
    }

    fn forecast(&mut self, forecast: &Forecast, now: DateTime<Utc>) {
        let place = match forecast.place {
            SourcePlace::Primary => "primary",
            SourcePlace::Intermediate => "intermediate source",
        };
        let when = if forecast.dead { "is dead" } else { "if it died now" };
        self.heading(&format!("{} ({place}), {when}: {}", forecast.server, forecast.verdict.word()));
        self.line(1, &format!("{} [{}]", forecast.summary, forecast.code));
        self.list("in the way:", forecast.obstacles.iter().map(obstacle));
        self.list("candidates:", forecast.considered.iter().map(considered));
        self.list("writes:", forecast.loss.iter().flat_map(|loss| loss.told.clone()));
        self.list("seen by:", forecast.evidence.iter().map(|seen| evidence(seen, now)));
    }

    fn problems(&mut self, problems: &[HeldFinding]) {
        self.heading(if problems.is_empty() { "Nothing is wrong now" } else { "What is wrong now" });
        for problem in problems {
            let since = problem.since.map(|at| format!(", since {}", moment(at))).unwrap_or_default();
            self.line(1, &format!("{}: {}{since}", problem.finding.key, problem.finding.text()));
            for held in &problem.held {
                self.line(2, &format!("not recovered: {}", obstacle(held)));
            }
        }
    }

    fn events(&mut self, told: &Readiness) {
        self.heading(if told.events.is_empty() { "Nothing happened lately" } else { "What happened lately" });
        for PastEvent { at, kind, server, what, recovery } in &told.events {
            let link = recovery.as_ref().map(|id| format!(" [recovery {id}]")).unwrap_or_default();
            self.line(1, &format!("{} {} {server}: {what}{link}", moment(*at), kind.word()));
        }
        if let Some(missing) = &told.events_missing {
            self.line(1, &format!("incomplete: {missing}"));
        }
    }
}

fn obstacle(obstacle: &Obstacle) -> String {
    format!("{}: {}", obstacle.rule, obstacle.reason)
}

fn considered(considered: &Considered) -> String {
    let mark = if considered.chosen { "+" } else { "-" };
    format!("{mark} {} ({}): {}", considered.key, considered.rule, considered.reason)
}

fn evidence(seen: &Evidence, now: DateTime<Utc>) -> String {
    let by = if seen.told_by.is_null() { "this program".to_owned() } else { seen.told_by.to_string() };
    let says = match seen.says {
        Testimony::Serves => "serves",
        Testimony::Gone => "gone",
        Testimony::Nothing => "says nothing",
    };
    let receiver = seen.receiver.as_ref().map(|r| {
        let error = if r.errno == 0 { String::new() } else { format!(", error {}", r.errno) };
        let heartbeat = r.heartbeat_age_ms.map(|age| format!(", heard {age} ms before")).unwrap_or_default();
        format!("; receiver {}{error}{heartbeat}", r.state.word())
    });
    let about = if seen.told_by.is_null() { format!("{} ", seen.about) } else { String::new() };
    let age = seen.at.map_or("never".to_owned(), |at| format!("{} s ago", (now - at).num_seconds().max(0)));
    format!("{by} ({says}): {about}{}{}, {age}", seen.what, receiver.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use app::InstanceKey;
    use app::finding::{AnalysisCode, ReceiverSeen};
    use app::readiness::{Loss, PastKind, Protection, Verdict};
    use app::topology::ThreadState;
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_page_says_who_why_not_and_what_would_be_lost() {
        let at = DateTime::from_timestamp(1_795_000_000, 0).expect("a moment");
        let key = |host: &str| InstanceKey::new(host, 3306);
        let candidate = |host: &str, chosen, rule: &str, reason: &str| Considered {
            key: key(host),
            chosen,
            rule: rule.into(),
            reason: reason.into(),
        };
        let told = Readiness {
            cluster: "db1:3306".into(),
            alias: "orders".into(),
            at,
            forecasts: vec![Forecast {
                server: key("db1"),
                place: SourcePlace::Primary,
                dead: false,
                code: AnalysisCode::DeadSource,
                verdict: Verdict::Held,
                summary: "db2:3306 would be promoted, but not by itself: switched off.".into(),
                successor: Some(key("db2")),
                obstacles: vec![Obstacle {
                    rule: "switched-off".into(),
                    reason: "recoveries are switched off".into(),
                    setting: None,
                    recovery: None,
                    until: None,
                }],
                considered: vec![
                    candidate("db2", true, "best", "has everything"),
                    candidate("db3", false, "must-not", "its promotion rule is must_not"),
                ],
                loss: Some(Loss {
                    protection: Protection::Asynchronous,
                    at_risk: String::new(),
                    transactions: 0,
                    on_the_way: false,
                    pending: 0,
                    told: vec!["Semi-sync is off.".into()],
                }),
                evidence: vec![Evidence {
                    about: key("db1"),
                    told_by: key("db2"),
                    what: "receives from it".into(),
                    at: Some(at - TimeDelta::seconds(3)),
                    says: Testimony::Serves,
                    receiver: Some(ReceiverSeen { state: ThreadState::Running, errno: 0, heartbeat_age_ms: Some(800) }),
                }],
            }],
            problems: vec![],
            events: vec![PastEvent {
                at,
                kind: PastKind::Recovery,
                server: key("db0"),
                what: "DeadMaster: promoted db1:3306".into(),
                recovery: Some("1:ab".into()),
            }],
            events_missing: None,
        };
        let expected = "\
Cluster orders (db1:3306) at 2026-11-18 11:06:40 UTC

db1:3306 (primary), if it died now: held back
  db2:3306 would be promoted, but not by itself: switched off. [DeadMaster]
  in the way:
    switched-off: recoveries are switched off
  candidates:
    + db2:3306 (best): has everything
    - db3:3306 (must-not): its promotion rule is must_not
  writes:
    Semi-sync is off.
  seen by:
    db2:3306 (serves): receives from it; receiver running, heard 800 ms before, 3 s ago

Nothing is wrong now

What happened lately
  2026-11-18 11:06:40 UTC recovery db0:3306: DeadMaster: promoted db1:3306 [recovery 1:ab]
";
        assert_eq!(text(&told), expected);
    }
}
