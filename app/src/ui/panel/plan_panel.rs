//! The plan: what would be done, before anything is; then how far it has come.

use std::collections::BTreeMap;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::steps::StepList;
use crate::api::{Operation, OperationView};
use crate::plan::Plan;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Badge, Problem};
use crate::ui::infra::api::ApiError;
use crate::ui::model::plan::{ending, endings, operation_text, phases, progress, undo_texts};
use crate::ui::model::tone::Tone;
use crate::ui::state::work::Stage;
use crate::ui::state::{Ui, use_ui};

/// What the panel shows; a step that changes its state does not redraw the rest.
#[derive(Debug, Clone, PartialEq)]
enum Shown {
    Planning(Operation),
    Refused(Operation, ApiError),
    Plan(Plan, Option<String>),
    Applied(Plan),
    Nothing,
}

/// The panel of a plan.
#[component]
pub fn PlanPanel() -> impl IntoView {
    let ui = use_ui();
    let shown = Memo::new(move |_| {
        ui.work.stage.with(|stage| match stage {
            Stage::Planning(operation) => Shown::Planning(operation.clone()),
            Stage::Refused(operation, error) => Shown::Refused(operation.clone(), error.clone()),
            Stage::Shown { plan, note, .. } => Shown::Plan(plan.clone(), note.clone()),
            Stage::Applied { view, .. } => Shown::Applied(view.plan.clone()),
            Stage::Idle | Stage::Confirming { .. } => Shown::Nothing,
        })
    });
    // Enter applies and Escape forgets, unless they mean something where the focus is.
    let keys = window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() || typing(&event) {
            return;
        }
        match event.key().as_str() {
            "Escape" => ui.work.dismiss(),
            "Enter" if matches!(ui.work.stage.get_untracked(), Stage::Shown { .. }) => ui.work.apply(ui),
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || keys.remove());
    move || match shown.get() {
        Shown::Planning(operation) => view! {
            <h2>{operation_text(&operation)}</h2>
            <p class="quiet" role="status">"Planning… nothing is changed."</p>
        }
        .into_any(),
        Shown::Refused(operation, error) => view! {
            <h2>{operation_text(&operation)}</h2>
            <Problem error=error />
            <p class="quiet">"Nothing was changed."</p>
            <div class="buttons"><button type="button" on:click=move |_| ui.work.dismiss()>"Close"</button></div>
        }
        .into_any(),
        Shown::Plan(plan, note) => view! { <Proposal plan=plan note=note /> }.into_any(),
        Shown::Applied(plan) => view! { <Application plan=plan /> }.into_any(),
        Shown::Nothing => ().into_any(),
    }
}

/// The focus is somewhere where keys are text or press something else.
fn typing(event: &ev::KeyboardEvent) -> bool {
    use leptos::wasm_bindgen::JsCast;
    let element = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|e| {
        let text = e.closest("input, textarea, select, [role=dialog]").ok().flatten().is_some();
        let presses = event.key() == "Enter" && e.closest("button, a, summary").ok().flatten().is_some();
        text || presses
    })
}

#[component]
fn Proposal(plan: Plan, note: Option<String>) -> impl IntoView {
    let ui: Ui = use_ui();
    let apply = NodeRef::<html::Button>::new();
    Effect::new(move |_| {
        if let Some(button) = apply.get() {
            let _ = button.focus();
        }
    });
    let steps = phases(&plan).into_iter().flat_map(|p| p.steps).collect::<Vec<_>>();
    let undo = undo_texts(&plan);
    let moves = plan.moves.iter().map(|m| format!("{}: {} → {}", m.server, m.from, m.to)).collect::<Vec<_>>();
    let left_out: Vec<String> =
        plan.left_out.iter().map(|l| format!("{} stays where it is: {}", l.server, l.refusal.message)).collect();
    let nothing = plan.steps.is_empty();
    let afterwards = ui.work.afterwards;
    let pressed = move |on: bool| if afterwards.get() == on { "true" } else { "false" };
    view! {
        <p class="eyebrow">"Plan · nothing is changed yet"</p>
        <h2>{plan.title.clone()}</h2>
        {note.map(|note| view! { <div class="problem tone-attention" role="alert"><Icon name="triangle" /><p>{note}</p></div> })}
        {(!moves.is_empty()).then(|| view! {
            <div class="segment" role="group" aria-label="What the tree shows">
                <button type="button" aria-pressed=move || pressed(false) on:click=move |_| afterwards.set(false)>"Now"</button>
                <button type="button" aria-pressed=move || pressed(true) on:click=move |_| afterwards.set(true)>"Afterwards"</button>
            </div>
            <ul class="moves">{moves.into_iter().map(|m| view! { <li><Icon name="move" /><span>{m}</span></li> }).collect_view()}</ul>
        })}
        <ul class="warnings">
            {plan.warnings.iter().cloned().chain(left_out).map(|w| view! { <li class="tone-attention"><Icon name="triangle" /><span>{w}</span></li> }).collect_view()}
        </ul>
        <div class="buttons sticky">
            <Show when=move || ui.may_operate() && !nothing>
                <button type="button" class="primary" node_ref=apply disabled=move || ui.work.busy.get() on:click=move |_| ui.work.apply(ui)>
                    {move || if ui.work.busy.get() { "Applying…" } else { "Apply" }} " " <kbd>"Enter"</kbd>
                </button>
            </Show>
            <button type="button" on:click=move |_| ui.work.dismiss()>"Forget" " " <kbd>"Esc"</kbd></button>
        </div>
        <h3>{steps.len()} {if steps.len() == 1 { " step" } else { " steps" }}</h3>
        {nothing.then(|| view! { <p class="quiet">"There is nothing to do."</p> })}
        <StepList steps=steps states=Signal::stored(None) />
        <h3>"Checked"</h3>
        <ul class="checks">
            {plan.checks.iter().map(|c| view! { <li class="tone-ok"><Icon name="check" /><span>{c.clone()}</span></li> }).collect_view()}
        </ul>
        <h3>"If a step fails"</h3>
        {if undo.is_empty() {
            view! { <p class="quiet">"No step of this plan is undone by itself."</p> }.into_any()
        } else {
            view! {
                <p class="quiet">"What was done is undone, last step first:"</p>
                <ul class="undo">{undo.into_iter().map(|u| view! { <li>{u}</li> }).collect_view()}</ul>
            }.into_any()
        }}
    }
}

#[component]
fn Application(plan: Plan) -> impl IntoView {
    let ui = use_ui();
    let view_of = move |read: fn(&OperationView) -> String| {
        ui.work.stage.with(|stage| match stage {
            Stage::Applied { view, .. } => read(view),
            _ => String::new(),
        })
    };
    let states = Signal::derive(move || {
        ui.work.stage.with(|stage| match stage {
            Stage::Applied { view, .. } => Some(view.steps.clone()),
            _ => None,
        })
    });
    let far = Signal::derive(move || {
        ui.work.stage.with(|stage| match stage {
            Stage::Applied { view, .. } => view.progress.clone(),
            _ => BTreeMap::new(),
        })
    });
    let ends = Memo::new(move |_| {
        ui.work.stage.with(|stage| match stage {
            Stage::Applied { view, .. } if view.ended.is_some() => Some((ending(view), endings(view))),
            _ => None,
        })
    });
    let outcome = Memo::new(move |_| {
        ui.work.stage.with(|stage| match stage {
            Stage::Applied { view, .. } => (view.ended.is_some(), view.error.clone()),
            _ => (true, None),
        })
    });
    let tone = Signal::derive(move || ends.with(|ends| ends.as_ref().map_or(Tone::Progress, |((_, tone), _)| *tone)));
    let word = Signal::derive(move || match ends.get() {
        None => view_of(|view| {
            let progress = progress(view);
            format!("{} of {} steps", progress.ended, progress.all)
        }),
        Some(((word, _), _)) => word,
    });
    let steps = phases(&plan).into_iter().flat_map(|p| p.steps).collect::<Vec<_>>();
    view! {
        <p class="eyebrow">{move || if outcome.get().0 { "Applied" } else { "Being applied" }}</p>
        <h2>{plan.title.clone()}</h2>
        <p><Badge tone=tone text=word /></p>
        {move || outcome.get().1.map(|error| view! {
            <div class="problem tone-broken" role="alert"><Icon name="cross" /><p>{error}</p></div>
        })}
        {move || ends.get().map(|(_, endings)| endings).filter(|endings| !endings.is_empty()).map(|endings| view! {
            <h3>"What became of each server"</h3>
            <ul class="checks">
                {endings.into_iter().map(|(server, about, tone)| view! {
                    <li class=tone.class()><Icon name=tone.icon() /><span><strong>{server}</strong> " " {about}</span></li>
                }).collect_view()}
            </ul>
            <h3>"Steps"</h3>
        })}
        <StepList steps=steps states=states progress=far />
        <div class="buttons sticky">
            <button type="button" on:click=move |_| ui.work.dismiss()>
                {move || if outcome.get().0 { "Close" } else { "Close (it goes on)" }} " " <kbd>"Esc"</kbd>
            </button>
        </div>
    }
}
