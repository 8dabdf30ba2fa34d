//! The strip below the tree: the latest recovery of the cluster, live while it runs.

use leptos::prelude::*;

use crate::recovery::Recovery;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::Ago;
use crate::ui::model::recovery::{headline, progress_text};
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// The newest recovery in one line; nothing where there was none.
#[component]
pub fn TimelineStrip() -> impl IntoView {
    let ui = use_ui();
    let latest = Memo::new(move |_| ui.cluster_recoveries().into_iter().next());
    move || latest.get().map(|recovery| view! { <Line recovery=recovery /> })
}

#[component]
fn Line(recovery: Recovery) -> impl IntoView {
    let ui = use_ui();
    let tone = Tone::of_recovery(&recovery);
    let address = Route::Recovery { id: recovery.uid.clone() }.address();
    let last = recovery.story.last().map(|line| line.message.clone());
    let running = recovery.is_running();
    let why_not = recovery.considered.iter().any(|c| !c.chosen);
    let started = recovery.started;
    let unacknowledged = !running && recovery.acknowledged.is_none();
    let steps = running.then(|| format!(" ({})", progress_text(&recovery)));
    let text = move || headline(&recovery, if running { ui.clock.now() } else { ui.clock.now_once() });
    view! {
        <div class=format!("strip {}", tone.class()) role="region" aria-label="Latest recovery">
            <Icon name=tone.icon() />
            <span class="strip-text"><Ago at=Some(started) /> " " <a href=address.clone()>{text}</a> {steps}</span>
            {running.then(|| view! { <span class="strip-last" role="status">{last}</span> })}
            {(!running && why_not).then(|| view! { <a class="strip-why" href=address>"Why not another one?"</a> })}
            {unacknowledged.then(|| view! { <span class="strip-ack">"not acknowledged"</span> })}
        </div>
    }
}
