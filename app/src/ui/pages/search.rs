//! Servers that match a text, over all clusters.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::ServerView;
use crate::ui::chrome::parts::{Badge, Loaded};
use crate::ui::infra::api::path;
use crate::ui::model::age::ago_text;
use crate::ui::model::route::{Route, encode};
use crate::ui::model::server::{Part, box_line, write_words};
use crate::ui::model::tone::Tone;
use crate::ui::state::remote::Remote;
use crate::ui::state::use_ui;

/// The search page.
#[component]
pub fn SearchPage() -> impl IntoView {
    let ui = use_ui();
    let hits = Remote::<Vec<ServerView>>::new();
    let text = ui.navigator.part(|r| match r {
        Route::Search { text } => text.clone(),
        _ => String::new(),
    });
    Effect::new(move |_| {
        let path = format!("{}?search={}", path(&["servers"]), encode(&text.get()));
        spawn_local(async move { hits.read(ui.link, &path).await });
    });
    let row = move |server: ServerView| {
        let instance = &server.instance;
        let key = instance.key.clone();
        let address = Route::server(&instance.cluster_name, key.clone()).address();
        view! {
            <tr>
                <td><a href=address title=key.to_string()>{move || ui.fleet.short(&key)}</a></td>
                <td><Badge tone=Tone::of_server(&server) /></td>
                <td>{Part::of(instance, instance.replicas.len()).word()}</td>
                <td>{write_words(instance)}</td>
                <td>{box_line(&server)}</td>
                <td><a href=Route::cluster(&instance.cluster_name).address()>{instance.cluster_name.clone()}</a></td>
                <td>{ago_text(instance.check.last_seen, ui.clock.now_once())}</td>
            </tr>
        }
    };
    view! {
        <section class="column">
            <div class="title-row">
                <h1>"Search"</h1>
                <input
                    type="search"
                    class="filter"
                    placeholder="Name, address, version, cluster"
                    aria-label="Search all servers"
                    prop:value=move || text.get()
                    on:change:target=move |e| ui.navigator.go(&Route::Search { text: e.target().value() })
                />
            </div>
            <Loaded here=Signal::derive(move || hits.value.with(Option::is_some)) error=hits.error>
                <p class="quiet" role="status">{move || hits.value.with(|h| format!("{} found", h.as_ref().map_or(0, Vec::len)))}</p>
                <div class="table-wrap" tabindex="0" role="region" aria-label="Servers found">
                    <table>
                        <thead><tr>
                            <th>"Server"</th><th>"State"</th><th>"Part"</th><th>"Writes"</th><th>"Version"</th><th>"Cluster"</th><th>"Seen"</th>
                        </tr></thead>
                        <tbody><For each=move || hits.value.get().unwrap_or_default() key=|s| format!("{:?}", s.instance.key) children=row /></tbody>
                    </table>
                </div>
            </Loaded>
        </section>
    }
}
