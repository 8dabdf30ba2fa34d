//! Recoveries, newest first: what was found, what came of it, who has looked at it.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::recovery::Recovery;
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::infra::api::path;
use crate::ui::model::age::duration_text;
use crate::ui::model::fleet::display_name;
use crate::ui::model::recovery::{elapsed, headline, kind_text};
use crate::ui::model::route::{Route, encode};
use crate::ui::model::tone::Tone;
use crate::ui::state::remote::Remote;
use crate::ui::state::use_ui;

/// The list of recoveries.
#[component]
pub fn RecoveriesPage() -> impl IntoView {
    let ui = use_ui();
    let list = Remote::<Vec<Recovery>>::new();
    let asked = ui.navigator.part(|r| match r {
        Route::Recoveries { cluster, page } => (cluster.clone(), *page),
        _ => (String::new(), 0),
    });
    Effect::new(move |_| {
        let (cluster, page) = asked.get();
        // Each word about a recovery anywhere may change this list.
        ui.fleet.recoveries.value.track();
        let path = format!("{}?cluster={}&page={page}", path(&["recoveries"]), encode(&cluster));
        spawn_local(async move { list.read(ui.link, &path).await });
    });
    let turn = move |by: i64| {
        asked.with(|(cluster, page)| {
            let page = u32::try_from(i64::from(*page) + by).unwrap_or(0);
            Route::Recoveries { cluster: cluster.clone(), page }.address()
        })
    };
    view! {
        <section class="column">
            <div class="title-row">
                <h1>"Recoveries"</h1>
                <ClusterChoice />
            </div>
            <Loaded here=Signal::derive(move || list.value.with(Option::is_some)) error=list.error>
                <Show when=move || list.value.with(|l| l.as_ref().is_some_and(Vec::is_empty))>
                    <p class="quiet">"None. When a source dies, what was decided and why is told here."</p>
                </Show>
                <ul class="recoveries">
                    <For
                        each=move || list.value.get().unwrap_or_default()
                        key=|r| format!("{} {:?} {:?} {}", r.uid, r.state, r.acknowledged, r.steps.len())
                        children=|recovery| view! { <RecoveryRow recovery=recovery /> }
                    />
                </ul>
                <nav class="pager" aria-label="Pages of the list">
                    <Show when=move || { asked.get().1 > 0 }><a href=move || turn(-1)>"Newer"</a></Show>
                    <Show when=move || list.value.with(|l| l.as_ref().is_some_and(|l| l.len() >= 20))>
                        <a href=move || turn(1)>"Older"</a>
                    </Show>
                </nav>
            </Loaded>
        </section>
    }
}

/// Which cluster's recoveries are listed.
#[component]
fn ClusterChoice() -> impl IntoView {
    let ui = use_ui();
    let chosen = ui.navigator.part(|r| match r {
        Route::Recoveries { cluster, .. } => cluster.clone(),
        _ => String::new(),
    });
    let names = Memo::new(move |_| {
        ui.fleet.clusters.value.with(|c| c.iter().flatten().map(|c| display_name(c).to_owned()).collect::<Vec<_>>())
    });
    view! {
        <label class="inline">
            "Cluster "
            <select on:change:target=move |e| ui.navigator.go(&Route::Recoveries { cluster: e.target().value(), page: 0 })>
                <option value="" selected=move || chosen.get().is_empty()>"all"</option>
                <For each=move || names.get() key=Clone::clone children=move |name| {
                    let value = name.clone();
                    let mine = name.clone();
                    view! { <option value=value selected=move || chosen.get() == mine>{name}</option> }
                } />
            </select>
        </label>
    }
}

/// One recovery.
#[component]
pub fn RecoveryRow(recovery: Recovery) -> impl IntoView {
    let ui = use_ui();
    let tone = Tone::of_recovery(&recovery);
    let started = recovery.started;
    let running = recovery.is_running();
    let took = duration_text(elapsed(&recovery, ui.clock.now_once()));
    let acknowledged = recovery.acknowledged.clone();
    let cluster =
        if recovery.cluster_alias.is_empty() { recovery.cluster.clone() } else { recovery.cluster_alias.clone() };
    view! {
        <li class=format!("recovery-row {}", tone.class())>
            <Badge tone=tone />
            <div class="recovery-what">
                <a href=Route::Recovery { id: recovery.uid.clone() }.address()>{headline(&recovery, ui.clock.now_once())}</a>
                <span class="small">
                    {kind_text(recovery.kind)} " of "
                    <a href=Route::cluster(&cluster).address()>{cluster.clone()}</a>
                    " by " {recovery.actor.clone()}
                </span>
            </div>
            <span class="when"><Ago at=Some(started) /></span>
            <span class="took">{if running { "running".to_owned() } else { took }}</span>
            <span class="acknowledged">
                {match acknowledged {
                    Some(ack) => format!("acknowledged by {}", ack.by),
                    None => "not acknowledged".to_owned(),
                }}
            </span>
        </li>
    }
}
