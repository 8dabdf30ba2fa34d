//! The five states that colour may stand for, each with the icon and the word that always go with it.

use super::order::sort;
use crate::api::{ClusterSummary, ServerView};
use crate::finding::{Finding, Severity};
use crate::plan::{Action, StepState};
use crate::recovery::{Recovery, RecoveryState};

/// A state, from calm to loud in the order of declaration (`ux.md`, calm colour).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tone {
    /// As it should be.
    Ok,
    /// Not known (yet).
    Unknown,
    /// Trouble that is known and wanted.
    Downtimed,
    /// At work.
    Progress,
    /// Wants a look.
    Attention,
    /// Broken.
    Broken,
}

impl Tone {
    /// Class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "tone-ok",
            Self::Unknown => "tone-unknown",
            Self::Downtimed => "tone-downtimed",
            Self::Progress => "tone-progress",
            Self::Attention => "tone-attention",
            Self::Broken => "tone-broken",
        }
    }

    /// The word that goes with the colour.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Downtimed => "downtimed",
            Self::Progress => "in progress",
            Self::Attention => "attention",
            Self::Broken => "broken",
        }
    }

    /// Name of the icon that goes with the colour (`chrome::icon`); each has another outline.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Ok => "check",
            Self::Unknown => "question",
            Self::Downtimed => "moon",
            Self::Progress => "progress",
            Self::Attention => "triangle",
            Self::Broken => "cross",
        }
    }

    /// The state of a server: downtime hides trouble, a problem that stops it from serving is loud.
    pub fn of_server(server: &ServerView) -> Self {
        if server.downtime.is_some() {
            return Self::Downtimed;
        }
        match server.status.as_str() {
            "invalid" | "nonreplicating" => Self::Broken,
            "lag" | "unchecked" => Self::Attention,
            _ if !server.problems.is_empty() => Self::Attention,
            "ok" => Self::Ok,
            _ => Self::Unknown,
        }
    }

    /// The state of a cluster.
    pub fn of_cluster(cluster: &ClusterSummary) -> Self {
        match cluster.severity {
            _ if cluster.recovering => Self::Progress,
            Severity::Broken => Self::Broken,
            Severity::Attention => Self::Attention,
            Severity::Ok if cluster.problems.is_empty() => Self::Ok,
            Severity::Ok => Self::Attention,
        }
    }

    /// The state that a finding stands for.
    pub fn of_finding(finding: &Finding) -> Self {
        match finding.severity {
            _ if finding.is_skippable() => Self::Downtimed,
            Severity::Broken => Self::Broken,
            Severity::Attention => Self::Attention,
            Severity::Ok => Self::Ok,
        }
    }

    /// The state of a recovery.
    pub fn of_recovery(recovery: &Recovery) -> Self {
        match recovery.state {
            RecoveryState::Running => Self::Progress,
            RecoveryState::Succeeded => Self::Ok,
            RecoveryState::Failed { .. } => Self::Broken,
        }
    }

    /// The state of a step.
    pub fn of_step(state: &StepState) -> Self {
        match state {
            StepState::Pending => Self::Unknown,
            StepState::Running => Self::Progress,
            StepState::Done => Self::Ok,
            StepState::Failed { .. } | StepState::TimedOut => Self::Broken,
            StepState::Skipped => Self::Unknown,
            StepState::Undone => Self::Attention,
        }
    }
}

impl Tone {
    /// How soon somebody should look: higher is sooner. Something at work is looked at before what merely wants a look.
    pub fn urgency(self) -> u8 {
        match self {
            Self::Broken => 5,
            Self::Progress => 4,
            Self::Attention => 3,
            Self::Downtimed => 2,
            Self::Unknown => 1,
            Self::Ok => 0,
        }
    }
}

/// Findings in the order in which people should read them: what a recovery exists for comes first, then the loudest.
pub fn by_weight(findings: &[Finding]) -> Vec<Finding> {
    let mut sorted = findings.to_vec();
    let weight = |f: &Finding| (f.actionable && !f.is_skippable(), Tone::of_finding(f).urgency());
    sort(&mut sorted, &|a, b| weight(b).cmp(&weight(a)).then_with(|| a.key.cmp(&b.key)));
    sorted
}

/// The text of a finding (`Finding::text`) for people: codes of analysis keep the name that runbooks know, structure warnings
/// become words.
pub fn finding_words(text: &str) -> String {
    let words = |part: &str| match part.strip_suffix("StructureWarning") {
        None => part.to_owned(),
        Some(name) => {
            let mut out = String::new();
            let mut before = ' ';
            for c in name.chars() {
                if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
                    out.push(' ');
                }
                out.push(if out.is_empty() { c } else { c.to_ascii_lowercase() });
                before = c;
            }
            out.replace("gtidmodes", "GTID modes").replace("gtid", "GTID").replace("semi sync", "semi-sync")
        }
    };
    text.split(", ").map(words).collect::<Vec<_>>().join(", ")
}

/// A step's state in a word or two.
pub fn step_word(state: &StepState) -> &'static str {
    match state {
        StepState::Pending => "waiting",
        StepState::Running => "running",
        StepState::Done => "done",
        StepState::Failed { .. } => "failed",
        StepState::TimedOut => "timed out",
        StepState::Skipped => "not run",
        StepState::Undone => "undone",
    }
}

/// State and word of a step. In a recovery a question that got no answer ("does it serve after all?") is an outcome like any
/// other and no failure; in a plan it is one.
pub fn step_outcome(action: &Action, state: &StepState, in_recovery: bool) -> (Tone, &'static str) {
    match (action, state) {
        (Action::Refresh, StepState::Failed { .. } | StepState::TimedOut) if in_recovery => {
            (Tone::Unknown, "no answer")
        }
        (_, state) => (Tone::of_step(state), step_word(state)),
    }
}

/// The name of a problem (`spec/web-ui.md` 8.5) in words; an unknown one is shown as it is.
pub fn problem_words(problem: &str) -> String {
    match problem {
        "last_check_invalid" => "cannot be reached",
        "not_recently_checked" => "not checked lately",
        "not_replicating" => "not replicating",
        "replication_lag" => "lagging",
        "errant_gtid" => "errant transactions",
        "group_replication_member_not_online" => "group member not online",
        "in_maintenance" => "in maintenance",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(status: &str, problems: &[&str]) -> ServerView {
        ServerView {
            instance: crate::topology::Instance::default(),
            status: status.to_owned(),
            problems: problems.iter().map(|p| (*p).to_owned()).collect(),
            promotion_rule: crate::topology::PromotionRule::Neutral,
            downtime: None,
            tags: std::collections::BTreeMap::new(),
            flavor: "MySQL".to_owned(),
        }
    }

    #[test]
    fn what_stops_a_server_from_serving_is_loud_and_what_is_unknown_is_not_ok() {
        assert_eq!(Tone::of_server(&server("ok", &[])), Tone::Ok);
        assert_eq!(Tone::of_server(&server("ok", &["errant_gtid"])), Tone::Attention);
        assert_eq!(Tone::of_server(&server("lag", &["replication_lag"])), Tone::Attention);
        assert_eq!(Tone::of_server(&server("nonreplicating", &["not_replicating"])), Tone::Broken);
        assert_eq!(Tone::of_server(&server("invalid", &["last_check_invalid"])), Tone::Broken);
        assert_eq!(Tone::of_server(&server("", &[])), Tone::Unknown);
    }

    #[test]
    fn every_tone_has_its_own_word_icon_and_class() {
        let all = [Tone::Ok, Tone::Unknown, Tone::Downtimed, Tone::Progress, Tone::Attention, Tone::Broken];
        for (i, a) in all.iter().enumerate() {
            for b in all.iter().skip(i + 1) {
                assert!(a.word() != b.word() && a.icon() != b.icon() && a.class() != b.class());
            }
        }
    }

    #[test]
    fn a_question_without_an_answer_fails_a_plan_and_not_a_recovery() {
        let failed = StepState::Failed { error: "connection refused".to_owned() };
        assert_eq!(step_outcome(&Action::Refresh, &failed, true), (Tone::Unknown, "no answer"));
        assert_eq!(step_outcome(&Action::Refresh, &failed, false), (Tone::Broken, "failed"));
        assert_eq!(step_outcome(&Action::StopReplication, &failed, true), (Tone::Broken, "failed"));
    }

    #[test]
    fn warnings_become_words_and_codes_stay() {
        assert_eq!(finding_words("DeadMaster"), "DeadMaster");
        assert_eq!(
            finding_words("DeadMaster, NotEnoughValidSemiSyncReplicasStructureWarning"),
            "DeadMaster, Not enough valid semi-sync replicas"
        );
        assert_eq!(finding_words("ErrantGTIDStructureWarning"), "Errant GTID");
        assert_eq!(finding_words("DifferentGTIDModesStructureWarning"), "Different GTID modes");
        assert_eq!(finding_words(""), "");
    }

    #[test]
    fn a_problem_that_is_not_known_here_is_still_shown() {
        assert_eq!(problem_words("not_replicating"), "not replicating");
        assert_eq!(problem_words("disk_on_fire"), "disk on fire");
    }
}
