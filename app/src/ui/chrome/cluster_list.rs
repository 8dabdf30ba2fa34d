//! The list of clusters beside the tree.

use leptos::prelude::*;

use super::parts::Badge;
use crate::api::ClusterSummary;
use crate::ui::model::fleet::{display_name, listed};
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// All clusters, loudest first, with a filter.
#[component]
pub fn ClusterList() -> impl IntoView {
    let ui = use_ui();
    let filter = RwSignal::new(String::new());
    let clusters = Memo::new(move |_| {
        ui.fleet.clusters.value.with(|list| {
            let list = list.as_deref().unwrap_or_default();
            listed(list, &filter.get(), "").into_iter().cloned().collect::<Vec<ClusterSummary>>()
        })
    });
    let one = move |cluster: ClusterSummary| {
        let name = cluster.name.clone();
        let here = Memo::new(move |_| ui.cluster.summary.with(|s| s.as_ref().is_some_and(|s| s.name == name)));
        view! {
            <li>
                <a href=Route::cluster(display_name(&cluster)).address() aria-current=move || here.get().then_some("true")>
                    <span class="list-name">{display_name(&cluster).to_owned()}</span>
                    <Badge tone=Tone::of_cluster(&cluster) />
                    <span class="list-count" aria-label=format!("{} servers", cluster.servers)>{cluster.servers}</span>
                </a>
            </li>
        }
    };
    view! {
        <nav class="cluster-list" aria-label="Clusters">
            <input type="search" placeholder="Filter clusters" aria-label="Filter clusters" bind:value=filter />
            <ul>
                <For each=move || clusters.get() key=|c| format!("{c:?}") children=one />
            </ul>
        </nav>
    }
}
