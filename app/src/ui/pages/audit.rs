//! What was done, to which server, by whom: filtered, page by page, or as a file.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::ui::chrome::parts::{Badge, Loaded};
use crate::ui::model::age::moment_text;
use crate::ui::model::audit::{Row, source};
use crate::ui::model::route::{AuditView, Route};
use crate::ui::state::remote::Remote;
use crate::ui::state::{Ui, use_ui};

/// Rows of one page.
const PAGE: usize = 20;

/// The audit, newest first.
#[component]
pub fn AuditPage() -> impl IntoView {
    let ui = use_ui();
    let rows = Remote::<Vec<Row>>::new();
    let asked = ui.navigator.part(|r| match r {
        Route::Audit { view, page } => (view.clone(), *page),
        _ => (AuditView::default(), 0),
    });
    Effect::new(move |_| {
        let address = asked.with(|(view, page)| source(view, *page, ""));
        spawn_local(async move { rows.read(ui.link, &address).await });
    });
    let turn = move |by: i64| {
        asked.with(|(view, page)| {
            let page = u32::try_from(i64::from(*page) + by).unwrap_or(0);
            Route::Audit { view: view.clone(), page }.address()
        })
    };
    let file = move |format: &'static str| move || asked.with(|(view, _)| source(view, 0, format));
    let count = move || rows.value.with(|rows| rows.as_ref().map(Vec::len));
    view! {
        <section class="column wide">
            <div class="title-row">
                <h1>"Audit"</h1>
                <span class="exports">
                    "As a file: " <a href=file("csv") download="audit.csv">"CSV"</a> " " <a href=file("json") download="audit.json">"JSON"</a>
                </span>
            </div>
            {move || filters(ui, asked.get().0)}
            <Loaded here=Signal::derive(move || count().is_some()) error=rows.error>
                <div class="table-wrap" tabindex="0" role="region" aria-label="Audit rows">
                    <table class="audit stacked">
                        <thead><tr><th>"When (UTC)"</th><th>"What"</th><th>"To"</th><th>"Who"</th><th>"Message"</th></tr></thead>
                        <tbody>{move || rows.value.get().unwrap_or_default().into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
                <Show when=move || count() == Some(0)>
                    <p class="quiet">{move || if asked.with(|(view, page)| *page == 0 && view.given().is_empty()) {
                        "Nothing is written down yet."
                    } else {
                        "No rows match."
                    }}</p>
                </Show>
                <nav class="pager" aria-label="Pages of the list">
                    <Show when=move || { asked.get().1 > 0 }><a href=move || turn(-1)>"Newer"</a></Show>
                    <Show when=move || count().is_some_and(|n| n >= PAGE)><a href=move || turn(1)>"Older"</a></Show>
                </nav>
            </Loaded>
        </section>
    }
}

/// One field for each thing that can be asked for. It is drawn anew when the address changes.
fn filters(ui: Ui, shown: AuditView) -> AnyView {
    let any = !shown.given().is_empty();
    let typed = StoredValue::new(shown.clone());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        ui.navigator.go(&Route::Audit { view: typed.get_value().trimmed(), page: 0 });
    };
    let set = move |at: usize, text: String| {
        typed.update_value(|view| {
            if let Some(part) = view.parts_mut().into_iter().nth(at) {
                *part = text;
            }
        });
    };
    // In the order of the names.
    let field = |at: usize, label: &'static str, kind: &'static str, hint: &'static str| {
        let value = shown.parts().get(at).map(|v| (*v).clone()).unwrap_or_default();
        view! {
            <label class="stack">{label}
                <input type=kind placeholder=hint spellcheck="false" autocapitalize="none" value=value
                    on:input:target=move |e| set(at, e.target().value()) />
            </label>
        }
        .into_any()
    };
    view! {
        <form class="field-row filters" role="search" aria-label="Filter the audit" on:submit=submit>
            {field(0, "Actor", "text", "dba")}
            {field(1, "Action", "text", "begin-downtime")}
            {field(2, "Cluster", "text", "name or alias")}
            {field(3, "Server", "text", "host:port")}
            {field(4, "From (UTC)", "datetime-local", "")}
            {field(5, "Until (UTC)", "datetime-local", "")}
            {field(6, "Text", "search", "in message, reason, address")}
            <div class="buttons">
                <button type="submit" class="primary">"Filter"</button>
                {any.then(|| view! { <a class="button" href=Route::audit().address()>"Show all"</a> })}
            </div>
        </form>
    }
    .into_any()
}

fn row(row: Row) -> AnyView {
    let only = |view: AuditView| Route::Audit { view, page: 0 }.address();
    let server = (!row.server.is_null()).then(|| {
        let key = row.server.to_string();
        let cluster = if row.cluster.is_empty() { key.clone() } else { row.cluster.clone() };
        view! { <a href=Route::server(cluster, row.server.clone()).address()>{key}</a> }
    });
    // The name of a cluster is mostly that of the server beside it.
    let cluster =
        Some(row.cluster.clone()).filter(|name| !name.is_empty() && *name != row.server.to_string()).map(|name| {
            let address = only(AuditView { cluster: name.clone(), ..AuditView::default() });
            view! { <a class="small" href=address>{name}</a> }
        });
    let outcome = row.outcome_tone().map(|tone| {
        let word = row.outcome.clone().unwrap_or_default();
        view! { <Badge tone=tone text=Signal::stored(word) /> }
    });
    let how = row.how();
    let by_actor = only(AuditView { actor: row.actor.clone(), ..AuditView::default() });
    let by_action = only(AuditView { action: row.kind.clone(), ..AuditView::default() });
    view! {
        <tr>
            <td class="nowrap" data-label="When">{moment_text(row.at).trim_end_matches(" UTC").to_owned()}</td>
            <td data-label="What"><div class="stack"><a href=by_action>{row.kind}</a> {outcome}</div></td>
            <td data-label="To"><div class="stack">{server} {cluster}</div></td>
            <td data-label="Who"><div class="stack"><a href=by_actor>{row.actor}</a> <span class="small">{how}</span></div></td>
            <td class="message" data-label="Message"><div>{row.message} <span class="small">{row.reason}</span></div></td>
        </tr>
    }
    .into_any()
}
