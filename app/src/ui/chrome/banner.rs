//! The banner across the page: only there when it matters (`spec/web-ui.md` 25.9).

use gloo_net::http::Method;
use leptos::prelude::*;

use super::act::act;
use super::icon::Icon;
use crate::api::{RecoveriesSwitch, Role};
use crate::ui::infra::api::{path, send_only};
use crate::ui::model::age::moment_text;
use crate::ui::state::live::Liveness;
use crate::ui::state::{Ui, use_ui};

/// One line of the banner.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    class: &'static str,
    icon: &'static str,
    text: String,
    /// Offers to switch recoveries on.
    switch: bool,
}

fn lines(ui: Ui) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Liveness::Stale(since) = ui.link.liveness(ui.clock.now()) {
        let since = since.map(moment_text).unwrap_or_else(|| "the beginning".to_owned());
        let text = format!("Not live: the service is not heard since {since}. What is shown is of that moment.");
        lines.push(Line { class: "tone-unknown", icon: "question", text, switch: false });
    }
    ui.fleet.node.value.with(|node| {
        let Some(node) = node else { return };
        if !node.recoveries_enabled {
            let text = "Recoveries are switched off everywhere: nothing fails over by itself.".to_owned();
            lines.push(Line { class: "tone-attention", icon: "triangle", text, switch: true });
        }
        if !node.is_leader {
            let text = format!("{} is not the leader: it watches and does not act.", node.hostname);
            lines.push(Line { class: "tone-attention", icon: "triangle", text, switch: false });
        }
        if let Some(error) = &node.backend_error {
            let since = node.backend_down_since.map(moment_text).unwrap_or_default();
            let text = format!(
                "The backend does not answer since {since}: {error}. Watching and recovering go on; {} writes wait.",
                node.pending_writes
            );
            lines.push(Line { class: "tone-broken", icon: "cross", text, switch: false });
        }
    });
    ui.fleet.session.value.with(|session| {
        if let Some(session) = session.as_ref().filter(|s| s.role == Role::Viewer) {
            let why = if session.read_only_because.is_empty() { "" } else { ": " };
            let text = format!("You may look and not act{why}{}", session.read_only_because);
            lines.push(Line { class: "tone-unknown", icon: "lock", text, switch: false });
        }
    });
    lines
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
        let switch = line.switch;
        view! {
            <li class=format!("banner-line {}", line.class)>
                <Icon name=line.icon />
                <span>{line.text}</span>
                <Show when=move || switch && ui.may_administer()>
                    <button type="button" on:click=move |_| switch_recoveries(ui, true)>"Switch on"</button>
                </Show>
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
