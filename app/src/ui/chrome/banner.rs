//! The banner across the page: only there when it matters (`spec/web-ui.md` 25.9).

use gloo_net::http::Method;
use leptos::prelude::*;

use super::act::act;
use super::icon::Icon;
use crate::api::{AcknowledgeRequest, RecoveriesSwitch, Role};
use crate::ui::infra::api::{path, send_only};
use crate::ui::model::access::must_log_in;
use crate::ui::model::age::{left_text, moment_text};
use crate::ui::model::recovery::{Block, blocks};
use crate::ui::model::route::Route;
use crate::ui::state::live::Liveness;
use crate::ui::state::{Ui, use_ui};

/// What a line of the banner offers to those who may.
#[derive(Debug, Clone, PartialEq)]
enum Offer {
    None,
    /// To switch recoveries on.
    SwitchOn,
    /// To acknowledge the recovery that blocks.
    Acknowledge(Block),
}

/// So many blocked clusters are named at once.
const BLOCKS: usize = 3;

/// One line of the banner.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    class: &'static str,
    icon: &'static str,
    text: String,
    offer: Offer,
}

fn lines(ui: Ui) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Liveness::Stale(since) = ui.link.liveness(ui.clock.now()) {
        let since = since.map(moment_text).unwrap_or_else(|| "the beginning".to_owned());
        let text = format!("Not live: the service is not heard since {since}. What is shown is of that moment.");
        lines.push(Line { class: "tone-unknown", icon: "question", text, offer: Offer::None });
    }
    ui.fleet.node.value.with(|node| {
        let Some(node) = node else { return };
        if !node.web_message.trim().is_empty() {
            let text = node.web_message.clone();
            lines.push(Line { class: "tone-attention", icon: "person", text, offer: Offer::None });
        }
        if !node.recoveries_enabled {
            let text = "Recoveries are switched off everywhere: nothing fails over by itself.".to_owned();
            lines.push(Line { class: "tone-attention", icon: "triangle", text, offer: Offer::SwitchOn });
        }
        if !node.is_leader {
            let text = format!("{} is not the leader: it watches and does not act.", node.hostname);
            lines.push(Line { class: "tone-attention", icon: "triangle", text, offer: Offer::None });
        }
        if let Some(error) = &node.backend_error {
            let since = node.backend_down_since.map(moment_text).unwrap_or_default();
            let text = format!(
                "The backend does not answer since {since}: {error}. Watching and recovering go on; {} writes wait.",
                node.pending_writes
            );
            lines.push(Line { class: "tone-broken", icon: "cross", text, offer: Offer::None });
        }
    });
    lines.extend(blocked(ui));
    ui.fleet.session.value.with(|session| {
        let Some(session) = session.as_ref().filter(|me| !must_log_in(me)) else { return };
        let why = |words: &str| {
            let colon = if session.read_only_because.is_empty() { "" } else { ": " };
            format!("{words}{colon}{}", session.read_only_because)
        };
        let text = match session.role {
            None => why("The service does not know who you are"),
            Some(Role::Viewer) => why("You may look and not act"),
            Some(_) if !session.clusters.is_empty() => {
                format!("You may change these clusters only: {}", session.clusters.join(", "))
            }
            Some(_) => return,
        };
        lines.push(Line { class: "tone-unknown", icon: "lock", text, offer: Offer::None });
    });
    lines
}

/// Clusters that would not be recovered now, because nobody acknowledged an earlier recovery.
fn blocked(ui: Ui) -> Vec<Line> {
    let seconds = ui.fleet.node.value.with(|node| node.as_ref().map_or(0, |n| n.recovery_block_seconds));
    let now = ui.clock.now();
    let blocks = ui.fleet.recoveries.value.with(|list| blocks(list.as_deref().unwrap_or_default(), seconds, now));
    let more = blocks.len().saturating_sub(BLOCKS);
    let line = |block: Block| Line {
        class: "tone-attention",
        icon: "lock",
        text: format!(
            "{}: no recovery before {} unless the last one is acknowledged.",
            block.cluster,
            moment_text(block.until)
        ),
        offer: Offer::Acknowledge(block),
    };
    let mut lines: Vec<Line> = blocks.into_iter().take(BLOCKS).map(line).collect();
    if more > 0 {
        let text = format!("{more} more clusters wait for an acknowledgement: see Recoveries.");
        lines.push(Line { class: "tone-attention", icon: "lock", text, offer: Offer::None });
    }
    lines
}

fn acknowledge(ui: Ui, uid: String) {
    let body = AcknowledgeRequest { comment: "acknowledged from the banner".to_owned() };
    let call =
        async move { send_only(Method::PUT, &path(&["recoveries", &uid, "acknowledgement"]), Some(&body)).await };
    act(ui, "Acknowledged.", call, || {});
}

/// Switches recoveries on or off everywhere.
pub fn switch_recoveries(ui: Ui, enabled: bool) {
    let call = async move {
        send_only(Method::PUT, &path(&["settings", "recoveries"]), Some(&RecoveriesSwitch { enabled })).await
    };
    let done = if enabled { "Recoveries are switched on." } else { "Recoveries are switched off everywhere." };
    act(ui, done, call, || {});
}

/// The banner.
#[component]
pub fn Banner() -> impl IntoView {
    let ui = use_ui();
    let lines = Memo::new(move |_| lines(ui));
    let one = move |line: Line| {
        let offer = match line.offer {
            Offer::None => ().into_any(),
            Offer::SwitchOn => view! {
                <Show when=move || ui.may_administer()>
                    <button type="button" on:click=move |_| switch_recoveries(ui, true)>"Switch on"</button>
                </Show>
            }
            .into_any(),
            Offer::Acknowledge(block) => view! { <Blocked block=block /> }.into_any(),
        };
        view! {
            <li class=format!("banner-line {}", line.class)>
                <Icon name=line.icon />
                <span>{line.text}</span>
                {offer}
            </li>
        }
    };
    view! {
        <div class="banner" role="status" aria-label="State of the service">
            <Show when=move || lines.with(|l| !l.is_empty())>
                <ul><For each=move || lines.get() key=|line| line.text.clone() children=one /></ul>
            </Show>
        </div>
    }
}

/// The time that is left, the way to the recovery, and the button that ends the block. The time is not read out each second.
#[component]
fn Blocked(block: Block) -> impl IntoView {
    let ui = use_ui();
    let until = block.until;
    let left = Memo::new(move |_| left_text(until, ui.clock.now()));
    let (uid, cluster) = (StoredValue::new(block.uid.clone()), StoredValue::new(block.cluster.clone()));
    view! {
        <span class="banner-left" aria-hidden="true">{move || left.get()}</span>
        <a href=Route::Recovery { id: block.uid }.address()>"Look at it"</a>
        <Show when=move || cluster.with_value(|c| ui.may_operate_on(c, c))>
            <button type="button" on:click=move |_| acknowledge(ui, uid.get_value())>"Acknowledge"</button>
        </Show>
    }
}
