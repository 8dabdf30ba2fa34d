//! What a finding rests on: who saw what when; and why nothing acts on it.

use leptos::prelude::*;

use super::readiness::Obstacles;
use crate::InstanceKey;
use crate::finding::{Evidence as Seen, Finding};
use crate::readiness::HeldFinding;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge};
use crate::ui::model::readiness::{receiver_text, says};
use crate::ui::model::tone::{Tone, finding_words};
use crate::ui::state::use_ui;

/// The finding in words, and each piece of evidence.
#[component]
pub fn Evidence(
    /// The finding.
    #[prop(into)]
    finding: Signal<Finding>,
) -> impl IntoView {
    let description = Memo::new(move |_| finding.with(|f| f.description.clone()));
    let counts = Memo::new(move |_| finding.with(counts_text));
    let lines = Memo::new(move |_| finding.with(|f| f.evidence.clone()));
    view! {
        <p>{description}</p>
        {move || counts.get().map(|text| view! { <p class="small">{text}</p> })}
        <EvidenceLines lines=lines />
    }
}

fn counts_text(finding: &Finding) -> Option<String> {
    let facts = &finding.facts;
    (!facts.replicas.is_empty()).then(|| {
        format!(
            "{} replicas: {} seen, {} receiving, {} replicating, {} cannot connect",
            facts.replicas.len(),
            facts.valid_replicas,
            facts.valid_receiving,
            facts.valid_replicating,
            facts.failing_to_connect
        )
    })
}

/// Who saw what when, and what each says about the server being alive.
#[component]
pub fn EvidenceLines(
    /// The pieces.
    #[prop(into)]
    lines: Signal<Vec<Seen>>,
) -> impl IntoView {
    let line = |seen: Seen| {
        let by = if seen.told_by.is_null() { "our own probe".to_owned() } else { seen.told_by.to_string() };
        let (tone, word) = says(&seen);
        let receiver = receiver_text(&seen);
        let receiver = (!receiver.is_empty()).then(|| format!(" · {receiver}"));
        let at = seen.at;
        view! {
            <li class=tone.class()>
                <Icon name=tone.icon() />
                <div>
                    <span class="evidence-what">{seen.what}</span>
                    <span class="small">{by} ", " <Ago at=at /> " · " {word} {receiver}</span>
                </div>
            </li>
        }
    };
    view! { <ul class="evidence">{move || lines.get().into_iter().map(line).collect_view()}</ul> }
}

/// What is found about a server of the open cluster; opens into its evidence. A new reading redraws it in place.
#[component]
pub fn FindingCard(
    /// The server.
    key: InstanceKey,
) -> impl IntoView {
    let ui = use_ui();
    let name = key.to_string();
    let found = Memo::new(move |_| ui.cluster.findings.with(|all| all.iter().find(|p| p.finding.key == key).cloned()));
    move || {
        // The card stays for as long as anything is found.
        let here = Memo::new(move |_| found.with(Option::is_some));
        here.get().then(|| view! { <Card name=name.clone() found=found /> })
    }
}

#[component]
fn Card(name: String, found: Memo<Option<HeldFinding>>) -> impl IntoView {
    let last = StoredValue::new(found.get_untracked());
    let finding = Memo::new(move |_| {
        // What is gone is drawn no more in a moment; until then it is as it was.
        if let Some(now) = found.get() {
            last.set_value(Some(now));
        }
        last.get_value()
    });
    let part = move |read: fn(&HeldFinding) -> String| {
        Memo::new(move |_| finding.with(|f| f.as_ref().map(read).unwrap_or_default()))
    };
    let tone = Memo::new(move |_| finding.with(|f| f.as_ref().map_or(Tone::Unknown, |f| Tone::of_finding(&f.finding))));
    let text = part(|f| finding_words(&f.finding.text()));
    let held = part(|f| f.held.first().map(|o| format!("held back: {}", o.reason)).unwrap_or_default());
    let acts = part(|f| acts_text(&f.finding).to_owned());
    let obstacles = Memo::new(move |_| finding.with(|f| f.as_ref().map(|f| f.held.clone()).unwrap_or_default()));
    let since = Signal::derive(move || finding.with(|f| f.as_ref().and_then(|f| f.since)));
    let evidence = move || finding.with(|f| f.as_ref().map(|f| f.finding.clone()));
    view! {
        <details class=move || format!("finding {}", tone.get().class())>
            <summary>
                <Badge tone=tone text=text />
                <span class="finding-key">{name}</span>
                {move || (!held.with(String::is_empty)).then(|| view! { <span class="finding-held">{held}</span> })}
            </summary>
            {move || since.get().map(|at| view! { <p class="small">"Found so " <Ago at=Some(at) /></p> })}
            {evidence().map(|first| view! { <Evidence finding=Signal::derive(move || evidence().unwrap_or_else(|| first.clone())) /> })}
            <p class="small"><Icon name="bolt" /> {acts}</p>
            <Obstacles obstacles=obstacles />
        </details>
    }
}

fn acts_text(finding: &Finding) -> &'static str {
    match (finding.actionable, finding.is_skippable()) {
        (true, false) => "A recovery exists for this.",
        (true, true) => "In downtime: no recovery acts on it by itself.",
        (false, _) => "Nothing acts on this by itself.",
    }
}
