//! The cluster where no server is selected: what is wrong, what happened lately, how it is set.

use leptos::prelude::*;

use super::evidence::FindingCard;
use crate::InstanceKey;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::Badge;
use crate::ui::model::recovery::headline;
use crate::ui::model::route::Route;
use crate::ui::model::server::problem_text;
use crate::ui::model::tone::{Tone, by_weight};
use crate::ui::state::use_ui;

/// The panel of the cluster.
#[component]
pub fn ClusterPanel() -> impl IntoView {
    let ui = use_ui();
    let troubled = Memo::new(move |_| {
        let now = ui.clock.now();
        ui.cluster.servers.with(|map| {
            map.values()
                .filter_map(|server| {
                    server.with(|s| {
                        let words = s.problems.iter().map(|p| problem_text(s, p, now)).collect::<Vec<_>>().join(", ");
                        (!words.is_empty()).then(|| (s.instance.key.clone(), Tone::of_server(s), words))
                    })
                })
                .collect::<Vec<_>>()
        })
    });
    let none = move || ui.cluster.findings.with(Vec::is_empty) && troubled.with(Vec::is_empty);
    let server_address = move |key: InstanceKey| match ui.navigator.route_once() {
        Route::Cluster { name, .. } => Route::server(name, key).address(),
        _ => String::new(),
    };
    let summary = move |read: fn(&crate::api::ClusterSummary) -> String| {
        ui.cluster.summary.with(|s| s.as_ref().map(read).unwrap_or_default())
    };
    let readiness = move || match ui.navigator.route() {
        Route::Cluster { name, .. } => Route::readiness(name, None).address(),
        _ => String::new(),
    };
    let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
    let recoveries = move || ui.cluster_recoveries().into_iter().take(5).collect::<Vec<_>>();
    let all = move || {
        let cluster = summary(|s| if s.alias.is_empty() { s.name.clone() } else { s.alias.clone() });
        Route::Recoveries { cluster, page: 0 }.address()
    };
    view! {
        <h2>"What is wrong"</h2>
        <Show when=none><p><Badge tone=Tone::Ok text=Signal::stored("nothing is found".to_owned()) /></p></Show>
        <For each=move || ui.cluster.findings.with(|all| by_weight(all).into_iter().map(|f| f.key).collect::<Vec<_>>())
            key=Clone::clone children=|key| view! { <FindingCard key=key /> } />
        <ul class="plain-list">
            <For each=move || troubled.get() key=Clone::clone children=move |(key, tone, words)| view! {
                <li class=tone.class()>
                    <Icon name=tone.icon() />
                    <span><a href=server_address(key.clone())>{key.to_string()}</a> " " {words}</span>
                </li>
            } />
        </ul>
        <p><a href=readiness>"Would it fail over, and why not?"</a></p>
        <h2>"This cluster"</h2>
        <dl class="facts">
            <dt>"primary"</dt>
            <dd>{move || summary(|s| s.primary.as_ref().map_or("none".to_owned(), ToString::to_string))}</dd>
            <dt>"servers"</dt><dd>{move || summary(|s| s.servers.to_string())}</dd>
            <dt>"in downtime"</dt><dd>{move || summary(|s| s.downtimed.to_string())}</dd>
            <dt>"domain"</dt><dd>{move || summary(|s| if s.domain.is_empty() { "none".to_owned() } else { s.domain.clone() })}</dd>
            <dt>"primary recovery"</dt><dd>{move || ui.cluster.summary.with(|s| s.as_ref().map(|s| on_off(s.auto_source_recovery)))}</dd>
            <dt>"intermediate recovery"</dt><dd>{move || ui.cluster.summary.with(|s| s.as_ref().map(|s| on_off(s.auto_intermediate_recovery)))}</dd>
        </dl>
        <h2>"Latest recoveries"</h2>
        <Show when=move || recoveries().is_empty()><p class="quiet">"None."</p></Show>
        <ul class="plain-list">
            <For each=recoveries key=|r| format!("{} {:?}", r.uid, r.state) children=move |recovery| {
                let tone = Tone::of_recovery(&recovery);
                view! {
                    <li>
                        <Badge tone=tone />
                        <a href=Route::Recovery { id: recovery.uid.clone() }.address()>{headline(&recovery, ui.clock.now_once())}</a>
                    </li>
                }
            } />
        </ul>
        <p><a href=all>"All recoveries of this cluster"</a></p>
        <section class="keyboard" aria-label="Keys">
        <h2>"Keys"</h2>
        <dl class="facts keys">
            <dt><kbd>"←"</kbd><kbd>"↑"</kbd><kbd>"↓"</kbd><kbd>"→"</kbd></dt><dd>"walk the tree"</dd>
            <dt><kbd>"Enter"</kbd></dt><dd>"details of a server"</dd>
            <Show when=move || ui.may_operate()><dt><kbd>"m"</kbd></dt><dd>"move it: arrows choose, Enter shows the plan"</dd></Show>
            <dt><kbd>"r"</kbd></dt><dd>"what if it died now?"</dd>
            <dt><kbd>"p"</kbd></dt><dd>"next problem"</dd>
            <dt><kbd>"/"</kbd></dt><dd>"find a server in this tree"</dd>
            <dt><kbd>"c"</kbd></dt><dd>"collapse or expand what is below"</dd>
            <dt><kbd>"f"</kbd> <kbd>"+"</kbd> <kbd>"−"</kbd></dt><dd>"fit, larger, smaller"</dd>
        </dl>
        </section>
    }
}
