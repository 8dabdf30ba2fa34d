//! "Why did it not fail over, and would it now?": for each source of the cluster what would come of its death, who was
//! considered, what stands in the way, what would be lost, who sees it; and what happened lately.
//!
//! Every list is a memo of its own, so that a new reading redraws what it changed and closes nothing that somebody reads.

use leptos::prelude::*;

use super::evidence::EvidenceLines;
use crate::InstanceKey;
use crate::readiness::{Forecast, Obstacle, PastEvent, Readiness};
use crate::recovery::Considered;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::model::reaction::Reread;
use crate::ui::model::readiness::{place_text, tone_of, until_text};
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::state::live::ask;
use crate::ui::state::use_ui;

/// The panel: of the selected server when it is a source, else of all sources of the cluster.
#[component]
pub fn ReadinessPanel(
    /// The selected server.
    server: Option<InstanceKey>,
) -> impl IntoView {
    let ui = use_ui();
    ask(ui, Reread { cluster: true, ..Reread::default() });
    let told = ui.cluster.readiness.value;
    let close = move |_| {
        if let Route::Cluster { name, server, view, .. } = ui.navigator.route_once() {
            ui.navigator.go(&Route::Cluster { name, server, view, readiness: false });
        }
    };
    let only = StoredValue::new(server);
    let sources = Memo::new(move |_| {
        let all: Vec<InstanceKey> = part(told, |r| r.forecasts.iter().map(|f| f.server.clone()).collect());
        match only.get_value().filter(|key| all.contains(key)) {
            Some(one) => vec![one],
            None => all,
        }
    });
    let here = Signal::derive(move || told.with(Option::is_some));
    let at = Signal::derive(move || told.with(|r| r.as_ref().map(|r| r.at)));
    view! {
        <div class="panel-head">
            <h2>"Would it fail over?"</h2>
            <button type="button" class="plain" aria-label="Close readiness" on:click=close><Icon name="close" /></button>
        </div>
        <Loaded here=here error=ui.cluster.readiness.error>
            <p class="small">"As the last reading of each server tells, " <Ago at=at /></p>
            <For each=move || sources.get() key=Clone::clone children=|key| view! { <ForecastCard key=key /> } />
            <h2>"What happened lately"</h2>
            <Events />
        </Loaded>
    }
}

fn part<T: Default>(told: RwSignal<Option<Readiness>>, read: impl FnOnce(&Readiness) -> T) -> T {
    told.with(|told| told.as_ref().map(read).unwrap_or_default())
}

/// One source.
#[component]
fn ForecastCard(key: InstanceKey) -> impl IntoView {
    let ui = use_ui();
    let told = ui.cluster.readiness.value;
    let (label, name) = (key.to_string(), key.to_string());
    let forecast = Memo::new(move |_| part(told, |r| r.forecasts.iter().find(|f| f.server == key).cloned()));
    let tone = Memo::new(move |_| forecast.with(|f| f.as_ref().map_or(Tone::Unknown, tone_of)));
    let place = Memo::new(move |_| of(forecast, place_text));
    let word = Signal::derive(move || of(forecast, |f| f.verdict.word().to_owned()));
    let summary = Memo::new(move |_| of(forecast, |f| f.summary.clone()));
    let obstacles = Memo::new(move |_| of(forecast, |f| f.obstacles.clone()));
    let considered = Memo::new(move |_| of(forecast, |f| f.considered.clone()));
    let loss = Memo::new(move |_| of(forecast, |f| f.loss.iter().flat_map(|l| l.told.clone()).collect::<Vec<_>>()));
    let evidence = Memo::new(move |_| of(forecast, |f| f.evidence.clone()));
    view! {
        <section class=move || format!("forecast {}", tone.get().class()) aria-label=label>
            <div class="forecast-head">
                <h3>{name}</h3>
                <Badge tone=tone text=word />
            </div>
            <p class="small">{place}</p>
            <p>{summary}</p>
            <Obstacles obstacles=obstacles />
            <Show when=move || !considered.with(Vec::is_empty)>
                <details open>
                    <summary>"Who comes into question"</summary>
                    {move || considered_list(considered.get())}
                </details>
            </Show>
            <Show when=move || !loss.with(Vec::is_empty)>
                <details open>
                    <summary>"What would be lost"</summary>
                    <ul class="points">{move || loss.get().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
                </details>
            </Show>
            <details>
                <summary>"Who sees it now"</summary>
                <EvidenceLines lines=evidence />
            </details>
        </section>
    }
}

fn of<T: Default>(forecast: Memo<Option<Forecast>>, read: impl FnOnce(&Forecast) -> T) -> T {
    forecast.with(|forecast| forecast.as_ref().map(read).unwrap_or_default())
}

fn considered_list(considered: Vec<Considered>) -> impl IntoView {
    let line = |c: Considered| {
        let tone = if c.chosen { Tone::Ok } else { Tone::Unknown };
        let (icon, word) = if c.chosen { ("check", "chosen") } else { ("cross", "not chosen") };
        view! {
            <li class=tone.class()>
                <Icon name=icon />
                <strong>{c.key.to_string()}</strong>
                <span class="label">{word}</span>
                <p>{c.reason} " " <code class="rule-name">{c.rule}</code></p>
            </li>
        }
    };
    view! { <ul class="considered">{considered.into_iter().map(line).collect_view()}</ul> }
}

/// What stands in the way of a recovery, with what would remove it; nothing where nothing does.
#[component]
pub fn Obstacles(
    /// What.
    #[prop(into)]
    obstacles: Signal<Vec<Obstacle>>,
) -> impl IntoView {
    let ui = use_ui();
    let line = move |obstacle: Obstacle| {
        let recovery = obstacle.recovery.clone().map(|id| {
            view! { " " <a href=Route::Recovery { id }.address()>"The recovery"</a> }
        });
        let until = {
            let obstacle = obstacle.clone();
            move || until_text(&obstacle, ui.clock.now())
        };
        view! {
            <li class="tone-attention">
                <Icon name="lock" />
                <div>
                    <span>{obstacle.reason} " "</span>
                    <code class="rule-name">{obstacle.rule}</code>
                    {recovery}
                    <span class="small obstacle-until">{until}</span>
                </div>
            </li>
        }
    };
    view! {
        <Show when=move || !obstacles.with(Vec::is_empty)>
            <ul class="obstacles" aria-label="In the way">
                {move || obstacles.get().into_iter().map(line).collect_view()}
            </ul>
        </Show>
    }
}

#[component]
fn Events() -> impl IntoView {
    let ui = use_ui();
    let told = ui.cluster.readiness.value;
    let events = Memo::new(move |_| part(told, |r| r.events.clone()));
    let missing = Memo::new(move |_| part(told, |r| r.events_missing.clone()));
    let line = |event: PastEvent| {
        let link = event.recovery.map(|id| view! { " " <a href=Route::Recovery { id }.address()>"The recovery"</a> });
        view! {
            <li>
                <span><span class="label">{event.kind.word()}</span> " " <Ago at=Some(event.at) /></span>
                <span>{event.server.to_string()} ": " {event.what} {link}</span>
            </li>
        }
    };
    view! {
        {move || missing.get().map(|why| view! {
            <p class="tone-attention"><Icon name="triangle" /> <span>"Incomplete: " {why}</span></p>
        })}
        <Show when=move || events.with(Vec::is_empty)><p class="quiet">"Nothing on record."</p></Show>
        <ul class="plain-list">{move || events.get().into_iter().map(line).collect_view()}</ul>
    }
}
