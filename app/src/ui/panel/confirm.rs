//! A recovery or a takeover before it begins: what it means, in words, and a confirmation that is more than a click where
//! it is forced.

use leptos::prelude::*;

use crate::api::RecoverRequest;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::Problem;
use crate::ui::model::loss::{Offer, is_named};
use crate::ui::state::use_ui;
use crate::ui::state::work::Stage;

/// What is asked for, in words: heading, what happens, and whether the name must be typed.
fn words(request: &RecoverRequest) -> (String, Vec<&'static str>, bool) {
    let successor = request.designated.as_ref().map_or("the best candidate".to_owned(), ToString::to_string);
    match request.kind.as_str() {
        "graceful-takeover" | "graceful-takeover-auto" => (
            format!("{successor} takes over {}", request.target),
            vec![
                "The primary is made read-only and its position is frozen.",
                "The successor catches up to exactly that position; if it does not in time, the primary is made writeable again.",
                "The other replicas are moved below it, it is made writeable, and the former primary becomes its replica.",
                "Writes are refused between the first and the last of these.",
            ],
            false,
        ),
        "force-failover" | "force-takeover" => (
            format!("Force {successor} to be the primary of {}", request.target),
            vec![
                "This is for a primary that is lost although it does not look so.",
                "Nothing waits for the primary: writes that only it has are lost to the cluster.",
                "Anything that still writes to it diverges from the rest.",
            ],
            true,
        ),
        _ => (
            format!("Recover {}", request.target),
            vec![
                "The replicas are frozen, what they received is applied, and the most advanced one that may be chosen is promoted.",
                "Each step is recorded before it is done.",
            ],
            false,
        ),
    }
}

/// The panel that asks.
#[component]
pub fn ConfirmPanel() -> impl IntoView {
    let ui = use_ui();
    let asked = Memo::new(move |_| {
        ui.work.stage.with(|stage| match stage {
            Stage::Confirming { request, told, .. } => Some((request.clone(), told.clone())),
            _ => None,
        })
    });
    let error = move || {
        ui.work.stage.with(|stage| match stage {
            Stage::Confirming { error, .. } => error.clone(),
            _ => None,
        })
    };
    view! {
        {move || asked.get().map(|(request, told)| match &request.accept_loss_of {
            Some(at_risk) => loss_question(at_risk.clone(), &request, told),
            None => view! { <Question request=request /> }.into_any(),
        })}
        {move || error().map(|e| view! { <Problem error=e /> })}
    }
}

/// The way on where a recovery is refused because writes would be lost; whoever may not go it is told who may.
pub fn loss_offer(offer: Offer) -> AnyView {
    let ui = use_ui();
    let offer = StoredValue::new(offer);
    view! {
        <Show when=move || ui.may_operate() fallback=|| view! {
            <p class="quiet">"An operator can accept the loss of these transactions; then somebody is promoted without them."</p>
        }>
            <button type="button" class="danger" on:click=move |_| ui.work.confirm_loss(offer.get_value())>
                <Icon name="triangle" /> "Accept the loss…"
            </button>
        </Show>
    }
    .into_any()
}

/// Accepting a loss: what is lost in words, the transactions, and a field that wants them named. A click is not enough.
fn loss_question(at_risk: String, request: &RecoverRequest, told: Vec<String>) -> AnyView {
    const POINTS: [&str; 3] = [
        "Clients were or may have been told that these are committed. They will be on no server that is promoted.",
        "Should a server come back that holds them, it is kept from taking writes, and they are listed with it.",
        "Should more be at risk by then than is named here, nobody is promoted: the refusal names it anew.",
    ];
    let ui = use_ui();
    let typed = RwSignal::new(String::new());
    let at_risk = StoredValue::new(at_risk);
    let named = move || at_risk.with_value(|set| is_named(&typed.get(), set));
    let other =
        move || (!typed.with(|t| t.trim().is_empty()) && !named()).then_some("These are not the transactions at risk.");
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if named() {
            ui.work.begin_recovery(ui);
        }
    };
    let points = told.into_iter().chain(POINTS.map(str::to_owned));
    view! {
        <form class="stack-form" on:submit=submit>
            <p class="eyebrow">"Nothing is changed yet"</p>
            <h2>{format!("Recover {} and lose writes", request.target)}</h2>
            <ul class="points">
                {points.map(|p| view! { <li class="tone-broken"><Icon name="triangle" /><span>{p}</span></li> }).collect_view()}
            </ul>
            <h3 id="at-risk">"Lost for good"</h3>
            <pre class="at-risk" tabindex="0" aria-labelledby="at-risk">{at_risk.get_value()}</pre>
            <label class="stack">"Name these transactions to accept their loss"
                <textarea rows="3" autocomplete="off" spellcheck="false" aria-describedby="at-risk-other"
                    prop:value=move || typed.get() on:input:target=move |e| typed.set(e.target().value())></textarea>
            </label>
            <p id="at-risk-other" class="tone-attention" role="status">{other}</p>
            <div class="buttons">
                <button type="submit" class="danger" disabled=move || ui.work.busy.get() || !named()>
                    {move || if ui.work.busy.get() { "Beginning…" } else { "Lose them and recover" }}
                </button>
                <button type="button" on:click=move |_| ui.work.dismiss()>"Leave"</button>
            </div>
        </form>
    }
    .into_any()
}

#[component]
fn Question(request: RecoverRequest) -> impl IntoView {
    let ui = use_ui();
    let (title, points, must_type) = words(&request);
    let typed = RwSignal::new(String::new());
    let target = StoredValue::new(request.target.clone());
    let ready = move || !ui.work.busy.get() && (!must_type || target.with_value(|t| typed.get().trim() == t));
    let class = if must_type { "danger" } else { "primary" };
    view! {
        <p class="eyebrow">"Nothing is changed yet"</p>
        <h2>{title}</h2>
        <ul class="points">
            {points.into_iter().map(|p| view! { <li><Icon name="arrow" /><span>{p}</span></li> }).collect_view()}
        </ul>
        {must_type.then(|| view! {
            <label class="stack">"Type " <code>{target.get_value()}</code> " to confirm"
                <input type="text" autocomplete="off" spellcheck="false" bind:value=typed />
            </label>
        })}
        <div class="buttons">
            <button type="button" class=class disabled=move || !ready() on:click=move |_| ui.work.begin_recovery(ui)>
                {move || if ui.work.busy.get() { "Beginning…" } else { "Begin" }}
            </button>
            <button type="button" on:click=move |_| ui.work.dismiss()>"Forget"</button>
        </div>
    }
}
