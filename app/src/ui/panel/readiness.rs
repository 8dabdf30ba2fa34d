//! "Why did it not fail over, and would it now?": for each source of the cluster what would come of its death, who was
//! considered, what stands in the way, what would be lost, who sees it; and what happened lately.
//!
//! A new reading redraws lists in place: nothing closes that somebody has opened.

use leptos::prelude::*;

use super::confirm::loss_offer;
use super::evidence::evidence_list;
use crate::InstanceKey;
use crate::readiness::{Forecast, Obstacle, PastEvent};
use crate::recovery::Considered;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::model::loss::Offer;
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
        let all: Vec<InstanceKey> =
            told.with(|r| r.iter().flat_map(|r| r.forecasts.iter().map(|f| f.server.clone())).collect());
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
            <For each=move || sources.get() key=Clone::clone children=forecast_card />
            <h2>"What happened lately"</h2>
            {move || told.get().map(|told| event_list(told.events, told.events_missing))}
        </Loaded>
    }
}

/// One source.
fn forecast_card(key: InstanceKey) -> AnyView {
    let ui = use_ui();
    let (label, name) = (key.to_string(), key.to_string());
    let forecast = Memo::new(move |_| {
        let told = ui.cluster.readiness.value;
        told.with(|told| told.iter().flat_map(|r| &r.forecasts).find(|f| f.server == key).cloned())
    });
    let tone = Signal::derive(move || forecast.with(|f| f.as_ref().map_or(Tone::Unknown, tone_of)));
    let word =
        Signal::derive(move || forecast.with(|f| f.as_ref().map(|f| f.verdict.word().to_owned()).unwrap_or_default()));
    let part = move |draw: fn(Forecast) -> AnyView| move || forecast.get().map(draw);
    view! {
        <section class=move || format!("forecast {}", tone.get().class()) aria-label=label>
            <div class="forecast-head"><h3>{name}</h3><Badge tone=tone text=word /></div>
            {part(|f| view! { <p class="small">{place_text(&f)}</p> <p>{f.summary.clone()}</p> {Offer::now(&f).map(loss_offer)} {obstacle_list(f.obstacles)} }.into_any())}
            {folded(true, "Who comes into question", part(|f| considered_list(f.considered)))}
            {folded(true, "What would be lost", part(loss_list))}
            {folded(false, "Who sees it now", part(|f| evidence_list(f.evidence)))}
        </section>
    }
    .into_any()
}

fn folded(open: bool, title: &'static str, body: impl Fn() -> Option<AnyView> + Send + 'static) -> AnyView {
    view! { <details open=open><summary>{title}</summary>{body}</details> }.into_any()
}

fn loss_list(forecast: Forecast) -> AnyView {
    let told =
        forecast.loss.map_or_else(|| vec!["Nothing: the primary lives and has it all.".to_owned()], |loss| loss.told);
    view! { <ul class="points">{told.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul> }.into_any()
}

/// Who was considered, and the rule that decided about each.
pub fn considered_list(considered: Vec<Considered>) -> AnyView {
    if considered.is_empty() {
        return view! { <p class="quiet">"Nobody."</p> }.into_any();
    }
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
    view! { <ul class="considered">{considered.into_iter().map(line).collect_view()}</ul> }.into_any()
}

/// What stands in the way of a recovery, with what would remove it; nothing where nothing does.
pub fn obstacle_list(obstacles: Vec<Obstacle>) -> AnyView {
    if obstacles.is_empty() {
        return ().into_any();
    }
    let ui = use_ui();
    let line = |obstacle: Obstacle| {
        let until = until_text(&obstacle, ui.clock.now_once());
        view! {
            <li class="tone-attention">
                <Icon name="lock" />
                <div>
                    <span>{obstacle.reason} " "</span>
                    <code class="rule-name">{obstacle.rule}</code>
                    {recovery_link(obstacle.recovery)}
                    <span class="small obstacle-until">{until}</span>
                </div>
            </li>
        }
    };
    view! { <ul class="obstacles" aria-label="In the way">{obstacles.into_iter().map(line).collect_view()}</ul> }
        .into_any()
}

fn recovery_link(id: Option<String>) -> AnyView {
    id.map(|id| view! { " " <a href=Route::Recovery { id }.address()>"The recovery"</a> }).into_any()
}

fn event_list(events: Vec<PastEvent>, missing: Option<String>) -> AnyView {
    let none = events.is_empty().then(|| view! { <p class="quiet">"Nothing on record."</p> });
    let line = |event: PastEvent| {
        view! {
            <li>
                <span><span class="label">{event.kind.word()}</span> " " <Ago at=Some(event.at) /></span>
                <span>{format!("{}: {}", event.server, event.what)} {recovery_link(event.recovery)}</span>
            </li>
        }
    };
    view! {
        {missing.map(|why| view! {
            <p class="tone-attention"><Icon name="triangle" /> <span>{format!("Incomplete: {why}")}</span></p>
        })}
        {none}
        <ul class="plain-list">{events.into_iter().map(line).collect_view()}</ul>
    }
    .into_any()
}
