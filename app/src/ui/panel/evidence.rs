//! What a finding rests on: who saw what when; and why nothing acts on it.

use leptos::prelude::*;

use super::readiness::obstacle_list;
use crate::InstanceKey;
use crate::finding::{Evidence as Seen, Finding};
use crate::readiness::HeldBack;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge};
use crate::ui::model::readiness::{receiver_text, says};
use crate::ui::model::tone::{Tone, finding_words};
use crate::ui::state::use_ui;

/// The finding in words, and each piece of evidence.
#[component]
pub fn Evidence(finding: Finding) -> impl IntoView {
    let facts = &finding.facts;
    let counts = (!facts.replicas.is_empty()).then(|| {
        format!(
            "{} replicas: {} seen, {} receiving, {} replicating, {} cannot connect",
            facts.replicas.len(),
            facts.valid_replicas,
            facts.valid_receiving,
            facts.valid_replicating,
            facts.failing_to_connect
        )
    });
    view! {
        <p>{finding.description.clone()}</p>
        {counts.map(|text| view! { <p class="small">{text}</p> })}
        {evidence_list(finding.evidence)}
    }
}

/// Who saw what when, and what each says about the server being alive.
pub fn evidence_list(lines: Vec<Seen>) -> AnyView {
    let line = |seen: Seen| {
        let by = if seen.told_by.is_null() { "our own probe".to_owned() } else { seen.told_by.to_string() };
        let (tone, word) = says(&seen);
        let mut detail = format!(" · {word}");
        let receiver = receiver_text(&seen);
        if !receiver.is_empty() {
            detail.push_str(" · ");
            detail.push_str(&receiver);
        }
        view! {
            <li class=tone.class()>
                <Icon name=tone.icon() />
                <div>
                    <span class="evidence-what">{seen.what}</span>
                    <span class="small">{by} ", " <Ago at=seen.at /> {detail}</span>
                </div>
            </li>
        }
    };
    view! { <ul class="evidence">{lines.into_iter().map(line).collect_view()}</ul> }.into_any()
}

/// What is found about a server of the open cluster; opens into its evidence, and into why nothing acts on it. A new reading
/// redraws what is in it and leaves it open.
#[component]
pub fn FindingCard(
    /// The server.
    key: InstanceKey,
) -> impl IntoView {
    let ui = use_ui();
    let name = key.to_string();
    let held = {
        let key = key.clone();
        Memo::new(move |_| ui.cluster.held.with(|all| all.iter().find(|h| h.key == key).cloned()))
    };
    let found = Memo::new(move |_| ui.cluster.findings.with(|all| all.iter().find(|f| f.key == key).cloned()));
    let tone = Signal::derive(move || found.with(|f| f.as_ref().map_or(Tone::Unknown, Tone::of_finding)));
    let text = Signal::derive(move || found.with(|f| f.as_ref().map(|f| finding_words(&f.text())).unwrap_or_default()));
    let first =
        move || held.with(|h| h.as_ref().and_then(|h| h.held.first().map(|o| format!("held back: {}", o.reason))));
    view! {
        <details class=move || format!("finding {}", tone.get().class())>
            <summary>
                <Badge tone=tone text=text />
                <span class="finding-key">{name}</span>
                {move || first().map(|text| view! { <span class="finding-held">{text}</span> })}
            </summary>
            {move || found.get().map(|finding| opened(finding, held.get()))}
        </details>
    }
}

fn opened(finding: Finding, held: Option<HeldBack>) -> AnyView {
    let acts = match (finding.actionable, finding.is_skippable()) {
        (true, false) => "A recovery exists for this.",
        (true, true) => "In downtime: no recovery acts on it by itself.",
        (false, _) => "Nothing acts on this by itself.",
    };
    let since = held.as_ref().and_then(|h| h.since);
    let held = held.map(|h| h.held).unwrap_or_default();
    view! {
        {since.map(|at| view! { <p class="small">"Found so for the first time " <Ago at=Some(at) /></p> })}
        <Evidence finding=finding />
        <p class="small"><Icon name="bolt" /> {acts}</p>
        {obstacle_list(held)}
    }
    .into_any()
}
