//! A recovery or a takeover before it begins: what it means, in words, and a confirmation that is more than a click where
//! it is forced.

use leptos::prelude::*;

use crate::api::RecoverRequest;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::Problem;
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
            Stage::Confirming { request, error } => Some((request.clone(), error.clone())),
            _ => None,
        })
    });
    move || {
        asked.get().map(
            |(request, error)| view! { <Question request=request /> {error.map(|e| view! { <Problem error=e /> })} },
        )
    }
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
