//! What a finding rests on: who saw what when.

use leptos::prelude::*;

use crate::finding::Finding;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge};
use crate::ui::model::tone::{Tone, finding_words};

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
    let lines = finding.evidence.clone();
    view! {
        <p>{finding.description.clone()}</p>
        {counts.map(|text| view! { <p class="small">{text}</p> })}
        <ul class="evidence">
            {lines.into_iter().map(|line| {
                let by = if line.told_by.is_null() { "our own probe".to_owned() } else { line.told_by.to_string() };
                let at = line.at;
                view! { <li><span>{line.what}</span><span class="small">{by} ", " <Ago at=at /></span></li> }
            }).collect_view()}
        </ul>
    }
}

/// A finding that opens into its evidence.
#[component]
pub fn FindingCard(finding: Finding) -> impl IntoView {
    let tone = Tone::of_finding(&finding);
    let text = finding_words(&finding.text());
    let key = finding.key.to_string();
    let acts = match (finding.actionable, finding.is_skippable()) {
        (true, false) => "A recovery exists for this.",
        (true, true) => "In downtime: no recovery acts on it by itself.",
        (false, _) => "Nothing acts on this by itself.",
    };
    view! {
        <details class=format!("finding {}", tone.class())>
            <summary>
                <Badge tone=tone text=Signal::stored(text) />
                <span class="finding-key">{key}</span>
            </summary>
            <Evidence finding=finding />
            <p class="small"><Icon name="bolt" /> {acts}</p>
        </details>
    }
}
