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
    let latest = Memo::new(move |_| ui.cluster.recoveries.with(|list| list.first().cloned()));
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
    let steps = running.then(|| format!(" ({})", progress_text(&recovery)));
    let text = move || headline(&recovery, if running { ui.clock.now() } else { ui.clock.now_once() });
    let acknowledged = latest_unacknowledged(ui);
    view! {
        <div class=format!("strip {}", tone.class()) role="region" aria-label="Latest recovery">
            <Icon name=tone.icon() />
            <span class="strip-text"><Ago at=Some(started) /> " " <a href=address.clone()>{text}</a> {steps}</span>
            {running.then(|| view! { <span class="strip-last" role="status">{last}</span> })}
            {(!running && why_not).then(|| view! { <a class="strip-why" href=address>"Why not another one?"</a> })}
            {acknowledged.then(|| view! { <span class="strip-ack">"not acknowledged"</span> })}
        </div>
    }
}

fn latest_unacknowledged(ui: crate::ui::state::Ui) -> bool {
    ui.cluster.recoveries.with_untracked(|l| l.first().is_some_and(|r| !r.is_running() && r.acknowledged.is_none()))
}
