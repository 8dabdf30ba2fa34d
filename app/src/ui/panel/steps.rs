//! Steps of a plan or of a recovery: what, where, with which statements, and how they stand.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::plan::{Step, StepState};
use crate::ui::chrome::icon::Icon;
use crate::ui::model::age::allowance_text;
use crate::ui::model::plan::action_text;
use crate::ui::model::tone::step_outcome;

/// Steps with their states by number; `None` while nothing was begun.
#[component]
pub fn StepList(
    /// The steps in the order in which they run.
    steps: Vec<Step>,
    /// States by number.
    #[prop(into)]
    states: Signal<Option<BTreeMap<u32, StepState>>>,
    /// How far steps at work have come, by number.
    #[prop(optional, into)]
    progress: Signal<BTreeMap<u32, String>>,
    /// They belong to a recovery.
    #[prop(optional)]
    in_recovery: bool,
) -> impl IntoView {
    let side_by_side = |at: usize| at > 0 && steps.get(at - 1).map(|s| s.phase) == steps.get(at).map(|s| s.phase);
    let rows: Vec<(Step, bool)> = steps.iter().enumerate().map(|(at, step)| (step.clone(), side_by_side(at))).collect();
    view! {
        <ol class="steps">
            {rows.into_iter().map(|(step, together)| {
                let id = step.id;
                let state = Memo::new(move |_| states.with(|s| s.as_ref().map(|s| s.get(&id).cloned().unwrap_or(StepState::Pending))));
                let told = Memo::new(move |_| progress.with(|p| p.get(&id).cloned()));
                view! { <StepRow step=step state=state told=told together=together in_recovery=in_recovery /> }
            }).collect_view()}
        </ol>
    }
}

#[component]
fn StepRow(
    step: Step,
    state: Memo<Option<StepState>>,
    told: Memo<Option<String>>,
    together: bool,
    in_recovery: bool,
) -> impl IntoView {
    let action = StoredValue::new(step.action.clone());
    let outcome = move |s: &StepState| action.with_value(|a| step_outcome(a, s, in_recovery));
    let class = move || {
        let tone = state.get().map_or("", |s| outcome(&s).0.class());
        let running = matches!(state.get(), Some(StepState::Running));
        format!("step {tone}{}", if running { " running" } else { "" })
    };
    let mark = move || {
        state.get().map(|s| {
            let pending = s == StepState::Pending;
            view! {
                {(!pending).then(|| view! { <Icon name=outcome(&s).0.icon() /> })}
                <span class="step-word">{outcome(&s).1}</span>
            }
        })
    };
    let error = move || match state.get() {
        Some(state) => {
            let class = format!("step-error {}", outcome(&state).0.class());
            if let StepState::Failed { error } = state { Some(view! { <p class=class>{error}</p> }) } else { None }
        }
        None => None,
    };
    let has_more = !step.statements.is_empty() || !step.before.is_empty();
    view! {
        <li class=class>
            <div class="step-line">
                <span class="step-what">{action_text(&step.action)}</span>
                <span class="step-mark">{mark}</span>
            </div>
            <div class="step-where">
                {step.server.to_string()}
                {together.then_some(" · at the same time")}
                " · at most " {allowance_text(step.timeout_ms)}
            </div>
            <p class="step-reason">{step.reason.clone()}</p>
            {move || told.get().filter(|_| state.get() == Some(StepState::Running)).map(|told| view! { <p class="step-reason">{told}</p> })}
            {error}
            {has_more.then(|| view! {
                <details>
                    <summary>{if step.statements.is_empty() { "checks" } else { "statements" }}</summary>
                    {step.statements.iter().map(|s| view! { <pre tabindex="0">{s.clone()}</pre> }).collect_view()}
                    {(!step.before.is_empty()).then(|| view! {
                        <p class="small">"Only if it " {step.before.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")} "."</p>
                    })}
                </details>
            })}
        </li>
    }
}
