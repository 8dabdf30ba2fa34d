//! One cluster: the list of clusters, the tree, what is selected, and the latest recoveries below.

use leptos::prelude::*;

use crate::ui::chrome::cluster_list::ClusterList;
use crate::ui::chrome::parts::{Badge, Problem};
use crate::ui::infra::api::ApiError;
use crate::ui::model::fleet::display_name;
use crate::ui::model::route::Route;
use crate::ui::model::tone::{Tone, by_weight, finding_words};
use crate::ui::panel::SidePanel;
use crate::ui::panel::strip::TimelineStrip;
use crate::ui::state::use_ui;
use crate::ui::tree::pane::TreePane;

/// The cluster page.
#[component]
pub fn ClusterPage() -> impl IntoView {
    let ui = use_ui();
    let asked = ui.navigator.part(|r| match r {
        Route::Cluster { name, .. } => name.clone(),
        _ => String::new(),
    });
    let here = Memo::new(move |_| ui.cluster.summary.with(Option::is_some));
    let name =
        move || ui.cluster.summary.with(|s| s.as_ref().map_or_else(|| asked.get(), |s| display_name(s).to_owned()));
    let small =
        move || ui.cluster.summary.with(|s| s.as_ref().filter(|s| s.name != display_name(s)).map(|s| s.name.clone()));
    let tone = Signal::derive(move || ui.cluster.summary.with(|s| s.as_ref().map_or(Tone::Unknown, Tone::of_cluster)));
    // That the service does not answer is said across the whole page.
    let shown_error = move || ui.cluster.error.get().filter(|e| !here.get() || !matches!(e, ApiError::Unreachable(_)));
    let selected = ui
        .navigator
        .part(|r| matches!(r, Route::Cluster { server: Some(_), .. } | Route::Cluster { readiness: true, .. }));
    let panel_open = move || selected.get() || ui.work.is_open();
    on_cleanup(move || {
        ui.work.dismiss();
        ui.moving.cancel();
    });
    view! {
        <ClusterList />
        <section class="cluster-main">
            <div class="cluster-title">
                <h1>{name}</h1>
                <span class="small">{small}</span>
                <Badge tone=tone />
                <span class="cluster-finding">
                    {move || {
                        let worst = ui.cluster.findings.with(|f| by_weight(f).first().map(|f| finding_words(&f.text())));
                        worst.or_else(|| ui.cluster.summary.with(|s| s.as_ref().map(|s| finding_words(&s.finding))))
                    }}
                </span>
            </div>
            {move || shown_error().map(|error| view! { <Problem error=error /> })}
            <Show when=move || here.get() fallback=move || {
                view! { <Show when=move || ui.cluster.error.get().is_none()><p class="quiet">"Reading…"</p></Show> }
            }>
                <TreePane />
            </Show>
            <TimelineStrip />
        </section>
        <aside class="side-panel" class:open=panel_open aria-label="Details"><SidePanel /></aside>
    }
}
