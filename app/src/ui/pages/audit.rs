//! What was done, to which server, by whom.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::AuditRow;
use crate::ui::chrome::parts::Loaded;
use crate::ui::infra::api::path;
use crate::ui::model::age::moment_text;
use crate::ui::model::route::{Route, encode};
use crate::ui::state::remote::Remote;
use crate::ui::state::use_ui;

/// The audit, newest first.
#[component]
pub fn AuditPage() -> impl IntoView {
    let ui = use_ui();
    let rows = Remote::<Vec<AuditRow>>::new();
    let asked = ui.navigator.part(|r| match r {
        Route::Audit { server, page } => (server.clone(), *page),
        _ => (String::new(), 0),
    });
    Effect::new(move |_| {
        let (server, page) = asked.get();
        let path = format!("{}?server={}&page={page}", path(&["audit"]), encode(&server));
        spawn_local(async move { rows.read(ui.link, &path).await });
    });
    let filter = move |server: String| ui.navigator.replace(&Route::Audit { server, page: 0 });
    let turn = move |by: i64| {
        asked.with(|(server, page)| {
            let page = u32::try_from(i64::from(*page) + by).unwrap_or(0);
            Route::Audit { server: server.clone(), page }.address()
        })
    };
    view! {
        <section class="column">
            <div class="title-row">
                <h1>"Audit"</h1>
                <input
                    type="search"
                    class="filter"
                    placeholder="host:port of one server"
                    aria-label="Only what was done to this server (host:port)"
                    prop:value=move || asked.get().0
                    on:change:target=move |e| filter(e.target().value().trim().to_owned())
                />
            </div>
            <Loaded here=Signal::derive(move || rows.value.with(Option::is_some)) error=rows.error>
                <div class="table-wrap" tabindex="0" role="region" aria-label="Audit rows">
                    <table>
                        <thead><tr><th>"When"</th><th>"What"</th><th>"Server"</th><th>"Who"</th><th>"Message"</th></tr></thead>
                        <tbody>
                            <For each=move || rows.value.get().unwrap_or_default() key=|r| (r.id, r.at) children=row />
                        </tbody>
                    </table>
                </div>
                <Show when=move || rows.value.with(|r| r.as_ref().is_some_and(Vec::is_empty))>
                    <p class="quiet">"Nothing is written down here. Rows are kept when AuditToBackendDB is on."</p>
                </Show>
                <nav class="pager" aria-label="Pages of the list">
                    <Show when=move || { asked.get().1 > 0 }><a href=move || turn(-1)>"Newer"</a></Show>
                    <Show when=move || rows.value.with(|r| r.as_ref().is_some_and(|r| r.len() >= 20))>
                        <a href=move || turn(1)>"Older"</a>
                    </Show>
                </nav>
            </Loaded>
        </section>
    }
}

fn row(row: AuditRow) -> impl IntoView {
    let server = (!row.server.is_null()).then(|| {
        let address = Route::server(
            if row.cluster.is_empty() { row.server.to_string() } else { row.cluster.clone() },
            row.server.clone(),
        )
        .address();
        view! { <a href=address>{row.server.to_string()}</a> }
    });
    view! {
        <tr>
            <td class="nowrap">{moment_text(row.at)}</td>
            <td class="nowrap">{row.kind}</td>
            <td class="nowrap">{server}</td>
            <td>{row.actor}</td>
            <td>{row.message}</td>
        </tr>
    }
}
