//! Which clusters the dashboard shows: words, state, grouping, and views that were given a name.

use leptos::ev;
use leptos::prelude::*;

use crate::ui::chrome::icon::Icon;
use crate::ui::infra::views::{SavedView, remove_view, save_view, saved_views};
use crate::ui::model::fleet::{Grouping, Totals};
use crate::ui::model::route::{FleetView, Route};
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// Words that a cluster must match, and what clusters are grouped by.
#[component]
pub fn FilterFields(
    /// As it is.
    view: Memo<FleetView>,
) -> impl IntoView {
    let ui = use_ui();
    let change = move |change: &dyn Fn(&mut FleetView)| {
        let mut view = view.get_untracked();
        change(&mut view);
        ui.navigator.replace(&Route::Clusters { view });
    };
    let group = move |name: String| change(&|view| view.group.clone_from(&name));
    view! {
        <label class="inline group-choice">
            "Group by "
            <select on:change:target=move |event| group(event.target().value())>
                {Grouping::ALL.map(|grouping| view! {
                    <option value=grouping.name() selected=move || Grouping::of(&view.get().group) == grouping>{grouping.word()}</option>
                }).collect_view()}
            </select>
        </label>
        <input
            type="search"
            class="filter"
            placeholder="Filter: name, dc:eu, version:8, auto:off"
            title="Words that a cluster must match, anywhere or in one place: dc: version: tag: problem: auto:on auto:off"
            aria-label="Filter clusters by name, server, problem, data centre, version or tag; dc:, version:, tag:, problem: and auto: look in one place only"
            prop:value=move || view.get().filter
            on:input:target=move |event| change(&|view| view.filter = event.target().value())
        />
    }
}

/// Totals by state; choosing one filters by it.
#[component]
pub fn StateFilter(
    /// Totals of all clusters.
    sums: Memo<Totals>,
    /// As it is.
    view: Memo<FleetView>,
) -> impl IntoView {
    let one = move |tone: Option<Tone>, count: fn(&Totals) -> usize| {
        let word = tone.map_or("", Tone::word);
        let address = move || Route::Clusters { view: FleetView { state: word.to_owned(), ..view.get() } }.address();
        let class = format!("chip {}", tone.map_or("", Tone::class));
        view! {
            <li>
                <a class=class href=address aria-current=move || view.with(|v| v.state == word).then_some("true")>
                    {tone.map(|t| view! { <Icon name=t.icon() /> })}
                    <strong>{move || sums.with(count)}</strong>
                    " "
                    {tone.map_or("all", Tone::word)}
                </a>
            </li>
        }
    };
    view! {
        <ul class="chips" aria-label="Filter by state">
            {one(None, |t| t.clusters)}
            {one(Some(Tone::Broken), |t| t.broken)}
            {one(Some(Tone::Progress), |t| t.recovering)}
            {one(Some(Tone::Attention), |t| t.attention)}
            {one(Some(Tone::Ok), |t| t.ok)}
        </ul>
    }
}

/// Views that were given a name, and the form that gives one to the view on the screen.
#[component]
pub fn SavedViews(
    /// As it is.
    view: Memo<FleetView>,
) -> impl IntoView {
    let views = RwSignal::new(saved_views());
    let naming = RwSignal::new(false);
    let name = RwSignal::new(String::new());
    let address = Memo::new(move |_| Route::Clusters { view: view.get() }.address());
    let new = move || {
        view.with(|v| *v != FleetView::default()) && views.with(|all| all.iter().all(|v| v.address != address.get()))
    };
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        views.set(save_view(&name.get_untracked(), address.get_untracked()));
        name.set(String::new());
        naming.set(false);
    };
    let one = move |saved: SavedView| {
        let (here, gone) = (saved.address.clone(), saved.name.clone());
        view! {
            <li class="chip saved">
                <a href=saved.address aria-current=move || (address.get() == here).then_some("true")>{saved.name.clone()}</a>
                <button type="button" class="plain" aria-label=format!("Remove the view {}", saved.name)
                    on:click=move |_| views.set(remove_view(&gone))><Icon name="close" /></button>
            </li>
        }
    };
    view! {
        <Show when=move || new() || views.with(|v| !v.is_empty())>
            <div class="saved-views">
                <ul class="chips" aria-label="Saved views">
                    <For each=move || views.get() key=|v| (v.name.clone(), v.address.clone()) children=one />
                </ul>
                <Show when=new>
                    <Show when=move || naming.get() fallback=move || view! {
                        <button type="button" on:click=move |_| naming.set(true)>"Save this view…"</button>
                    }>
                        <form class="inline" on:submit=save>
                            <input type="text" required autofocus maxlength="40" aria-label="Name of the view" placeholder="Name" bind:value=name />
                            <button type="submit">"Save"</button>
                        </form>
                    </Show>
                </Show>
            </div>
        </Show>
    }
}
