//! Readiness in words: what the panel says of a forecast, an obstacle, a piece of evidence.

use chrono::{DateTime, Duration, Utc};

use super::age::{duration_text, left_text, moment_text};
use super::tone::Tone;
use crate::finding::{Evidence, Testimony};
use crate::readiness::{Forecast, Obstacle, PastEvent, SourcePlace, Verdict};

/// What the page takes from [`crate::readiness::Readiness`]. What is wrong now is shown from the cluster itself; reading it a
/// second time would make the program larger.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The moment of the answer.
    pub at: DateTime<Utc>,
    /// Source by source.
    pub forecasts: Vec<Forecast>,
    /// What happened lately, newest first.
    pub events: Vec<PastEvent>,
    /// Why some of it may be missing.
    pub events_missing: Option<String>,
}

/// The colour of a forecast: of a source that is dead, a recovery that begins is work in progress.
pub fn tone_of(forecast: &Forecast) -> Tone {
    match (forecast.verdict, forecast.dead) {
        (Verdict::Automatic, false) => Tone::Ok,
        (Verdict::Automatic, true) => Tone::Progress,
        (Verdict::Held, false) => Tone::Attention,
        (Verdict::Held, true) | (Verdict::Refused, _) => Tone::Broken,
        (Verdict::Unsupported, _) => Tone::Unknown,
    }
}

/// `primary, if it died now`.
pub fn place_text(forecast: &Forecast) -> String {
    let place = match forecast.place {
        SourcePlace::Primary => "primary",
        SourcePlace::Intermediate => "intermediate source",
    };
    format!("{place}, {}", if forecast.dead { "dead now" } else { "if it died now" })
}

/// When an obstacle goes by itself; empty when it does not.
pub fn until_text(obstacle: &Obstacle, now: DateTime<Utc>) -> String {
    obstacle.until.map_or_else(String::new, |end| format!("until {}, {}", moment_text(end), left_text(end, now)))
}

/// Colour and word of what a piece of evidence says.
pub fn says(evidence: &Evidence) -> (Tone, &'static str) {
    match evidence.says {
        Testimony::Serves => (Tone::Ok, "serves"),
        Testimony::Gone => (Tone::Broken, "gone"),
        Testimony::Nothing => (Tone::Unknown, "no evidence"),
    }
}

/// The receiver of the one that tells it: `receiver connecting, error 2003, last heard 0.9 s before`; empty for our own probe.
pub fn receiver_text(evidence: &Evidence) -> String {
    let Some(receiver) = &evidence.receiver else { return String::new() };
    let mut text = format!("receiver {}", receiver.state.word());
    if receiver.errno != 0 {
        text.push_str(&format!(", error {}", receiver.errno));
    }
    if let Some(age) = receiver.heartbeat_age_ms {
        let age = Duration::milliseconds(i64::try_from(age).unwrap_or(i64::MAX));
        text.push_str(&format!(", last heard {} before", duration_text(age)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstanceKey;
    use crate::finding::ReceiverSeen;
    use crate::topology::ThreadState;

    #[test]
    fn a_receiver_is_told_with_its_error_and_its_last_heartbeat() {
        let mut evidence = Evidence {
            about: InstanceKey::new("db1", 3306),
            told_by: InstanceKey::new("db2", 3306),
            what: String::new(),
            at: None,
            says: Testimony::Gone,
            receiver: Some(ReceiverSeen { state: ThreadState::Other, errno: 2003, heartbeat_age_ms: Some(900) }),
        };
        assert_eq!(receiver_text(&evidence), "receiver connecting, error 2003, last heard 0.9 s before");
        assert_eq!(says(&evidence), (Tone::Broken, "gone"));
        evidence.receiver = None;
        assert_eq!(receiver_text(&evidence), "");
    }

    #[test]
    fn an_obstacle_says_when_it_goes() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).expect("moment");
        let mut obstacle = Obstacle {
            rule: "grace".to_owned(),
            reason: String::new(),
            setting: None,
            recovery: None,
            until: Some(now + Duration::seconds(15)),
        };
        assert_eq!(until_text(&obstacle, now), "until 2026-11-18 11:06:55 UTC, 15 s left");
        obstacle.until = None;
        assert_eq!(until_text(&obstacle, now), "");
    }
}
