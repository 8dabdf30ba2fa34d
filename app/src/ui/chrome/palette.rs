//! Ctrl/Cmd-K: finds clusters, servers, pages and actions by a few letters.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::banner::switch_recoveries;
use super::icon::Icon;
use crate::ui::infra::prefs::{Theme, set_theme};
use crate::ui::infra::views::saved_views;
use crate::ui::model::fleet::display_name;
use crate::ui::model::recovery::headline;
use crate::ui::model::route::Route;
use crate::ui::model::search::{Does, Entry, found};
use crate::ui::state::{Ui, use_ui};

const SHOWN: usize = 12;

fn entries(ui: Ui) -> Vec<Entry> {
    let entry = |kind, label: String, detail: String, does| Entry { kind, label, detail, does };
    let mut entries = Vec::new();
    ui.cluster.servers.with_untracked(|servers| {
        let cluster = ui.cluster.asked.get_untracked().unwrap_or_default();
        for (key, server) in servers {
            let detail = server.with_untracked(|s| {
                let tags = s.tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
                format!("{} {} {tags}", s.instance.alias, s.instance.data_center)
            });
            entries.push(entry("server", key.to_string(), detail, Does::Go(Route::server(&cluster, key.clone()))));
        }
    });
    ui.fleet.clusters.value.with_untracked(|clusters| {
        for cluster in clusters.iter().flatten() {
            let go = Does::Go(Route::cluster(display_name(cluster)));
            entries.push(entry("cluster", display_name(cluster).to_owned(), cluster.name.clone(), go));
            if let Some(primary) = &cluster.primary {
                let go = Does::Go(Route::server(display_name(cluster), primary.clone()));
                entries.push(entry("server", primary.to_string(), format!("primary of {}", display_name(cluster)), go));
            }
        }
    });
    for view in saved_views() {
        entries.push(entry("view", view.name, String::new(), Does::Go(Route::parse(&view.address))));
    }
    for (label, route) in [
        ("Clusters", Route::dashboard()),
        ("Recoveries", Route::recoveries()),
        ("Audit", Route::audit()),
        ("Status", Route::Status),
        ("Discover a server", Route::Discover),
        ("Account", Route::Account),
        ("API tokens", Route::Tokens),
    ] {
        entries.push(entry("page", label.to_owned(), String::new(), Does::Go(route)));
    }
    ui.fleet.recoveries.value.with_untracked(|recoveries| {
        for recovery in recoveries.iter().flatten().take(20) {
            let go = Does::Go(Route::Recovery { id: recovery.uid.clone() });
            let label = headline(recovery, ui.clock.now_once());
            entries.push(entry("recovery", label, recovery.cluster_alias.clone(), go));
        }
    });
    for theme in Theme::ALL {
        entries.push(entry("action", format!("Theme: {}", theme.name()), String::new(), Does::Theme(theme.name())));
    }
    if ui.may_administer() {
        entries.push(entry("page", "Users".to_owned(), String::new(), Does::Go(Route::Users)));
        let on = ui.fleet.node.value.with_untracked(|n| n.as_ref().is_some_and(|n| n.recoveries_enabled));
        let label = if on { "Switch recoveries off everywhere" } else { "Switch recoveries on" };
        entries.push(entry("action", label.to_owned(), String::new(), Does::SwitchRecoveries(!on)));
    }
    let mut known = std::collections::BTreeSet::new();
    entries.retain(|e| known.insert((e.kind, e.label.clone())));
    entries
}

fn numbered(entries: Vec<Entry>) -> Vec<(usize, Entry)> {
    entries.into_iter().enumerate().collect()
}

fn perform(ui: Ui, does: &Does) {
    match does {
        Does::Go(route) => ui.navigator.go(route),
        Does::Theme(name) => set_theme(Theme::of(name)),
        Does::SwitchRecoveries(on) => switch_recoveries(ui, *on),
    }
}

/// The palette, and the keys that open it.
#[component]
pub fn Palette(
    /// It is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    let keys = window_event_listener(ev::keydown, move |event| {
        if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            open.update(|open| *open = !*open);
        }
    });
    on_cleanup(move || keys.remove());
    view! { <Show when=move || open.get()><Opened open=open /></Show> }
}

#[component]
fn Opened(open: RwSignal<bool>) -> impl IntoView {
    let ui = use_ui();
    let all = StoredValue::new(entries(ui));
    let query = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let input = NodeRef::<html::Input>::new();
    // Focus goes back to where it was.
    let before = StoredValue::new_local(document().active_element());
    let hits = Memo::new(move |_| {
        let text = query.get();
        let mut hits: Vec<Entry> = all.with_value(|all| found(all, &text, SHOWN).into_iter().cloned().collect());
        if !text.trim().is_empty() {
            let search = Does::Go(Route::Search { text: text.trim().to_owned() });
            let label = format!("Search all servers for “{}”", text.trim());
            hits.push(Entry { kind: "search", label, detail: String::new(), does: search });
        }
        hits
    });
    let close = move || {
        open.set(false);
        use leptos::wasm_bindgen::JsCast;
        before.with_value(|element| {
            if let Some(element) = element.as_ref().and_then(|e| e.dyn_ref::<web_sys::HtmlElement>()) {
                let _ = element.focus();
            }
        });
    };
    let choose = move |index: usize| {
        let chosen = hits.with_untracked(|hits| hits.get(index).cloned());
        close();
        if let Some(entry) = chosen {
            perform(ui, &entry.does);
        }
    };
    let on_key = move |event: ev::KeyboardEvent| {
        let count = hits.with_untracked(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => at.update(|at| *at = (*at + count - 1) % count),
            "Enter" => choose(at.get_untracked()),
            "Escape" => close(),
            "Tab" => {}
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    Effect::new(move |_| {
        query.track();
        at.set(0);
    });
    let row = move |(index, entry): (usize, Entry)| {
        let active = Memo::new(move |_| at.get() == index);
        view! {
            <li
                id=format!("palette-{index}")
                role="option"
                class="palette-row"
                aria-selected=move || if active.get() { "true" } else { "false" }
                on:pointerdown=move |event| {
                    event.prevent_default();
                    choose(index);
                }
            >
                <span class="palette-kind">{entry.kind}</span>
                <span class="palette-label">{entry.label}</span>
                <span class="palette-detail">{entry.detail}</span>
            </li>
        }
    };
    view! {
        <div class="veil" on:pointerdown=move |_| close() aria-hidden="true"></div>
        <div class="palette" role="dialog" aria-modal="true" aria-label="Search" on:keydown=on_key>
            <div class="palette-input">
                <Icon name="search" />
                <input
                    node_ref=input
                    type="text"
                    role="combobox"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="Server, cluster, page, action"
                    aria-label="Find a server, cluster, page or action"
                    aria-expanded="true"
                    aria-controls="palette-list"
                    aria-activedescendant=move || format!("palette-{}", at.get())
                    bind:value=query
                />
            </div>
            <ul id="palette-list" role="listbox" aria-label="Found">
                <For
                    each=move || numbered(hits.get())
                    key=|(index, entry)| (*index, entry.kind, entry.label.clone())
                    children=row
                />
            </ul>
        </div>
    }
}
