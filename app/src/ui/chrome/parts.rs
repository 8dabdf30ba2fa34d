//! Small parts that all pages use.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::icon::Icon;
use crate::InstanceKey;
use crate::ui::infra::api::ApiError;
use crate::ui::model::age::{ago_text, moment_text};
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// A state: colour, icon and word together.
#[component]
pub fn Badge(
    /// State.
    #[prop(into)]
    tone: Signal<Tone>,
    /// The word; the state's own one when left out.
    #[prop(optional, into)]
    text: Option<Signal<String>>,
) -> impl IntoView {
    let word = move || text.map_or_else(|| tone.get().word().to_owned(), |text| text.get());
    let icon = Signal::derive(move || tone.get().icon());
    view! {
        <span class=move || format!("badge {}", tone.get().class())>
            <Icon name=icon />
            <span>{word}</span>
        </span>
    }
}

/// A moment as its age, which grows on the screen; the absolute time is said with it for pointer and screen reader.
#[component]
pub fn Ago(
    /// When; `None` for never.
    #[prop(into)]
    at: Signal<Option<DateTime<Utc>>>,
) -> impl IntoView {
    let ui = use_ui();
    let text = Memo::new(move |_| ago_text(at.get(), ui.clock.now()));
    let absolute = move || at.get().map(moment_text).unwrap_or_default();
    let machine = move || at.get().map(|a| a.to_rfc3339()).unwrap_or_default();
    view! { <time class="ago" datetime=machine title=absolute>{move || text.get()}</time> }
}

/// An error of the API: what it says, and the rule when one forbids it.
#[component]
pub fn Problem(
    /// The error.
    error: ApiError,
) -> impl IntoView {
    let rule = error.refusal().map(|r| r.rule.clone());
    view! {
        <div class="problem tone-broken" role="alert">
            <Icon name="cross" />
            <div>
                <p>{error.to_string()}</p>
                {rule.map(|rule| view! { <p class="rule">"Rule " <code>{rule}</code></p> })}
            </div>
        </div>
    }
}

/// A page that shows something read from the service: a quiet note until it is there, the error when it cannot be had, and both
/// the error and what is known when it could be had before.
#[component]
pub fn Loaded(
    /// It is there.
    #[prop(into)]
    here: Signal<bool>,
    /// Why it could not be read.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
    /// What is shown when it is there.
    children: ChildrenFn,
) -> impl IntoView {
    view! {
        {move || error.get().map(|error| view! { <Problem error=error /> })}
        <Show when=move || here.get() fallback=move || {
            view! { <Show when=move || error.get().is_none()><p class="quiet">"Reading…"</p></Show> }
        }>{children()}</Show>
    }
}

/// A link to a server, by the name that lists have; pointing at it tells the whole one.
#[component]
pub fn ServerLink(key: InstanceKey, address: String) -> impl IntoView {
    let ui = use_ui();
    let full = key.to_string();
    view! { <a href=address title=full>{move || ui.fleet.short(&key)}</a> }
}
