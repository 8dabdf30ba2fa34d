//! The form that puts a server into downtime.

use gloo_net::http::Method;
use leptos::prelude::*;

use crate::InstanceKey;
use crate::api::DowntimeRequest;
use crate::ui::chrome::act::act;
use crate::ui::infra::api::{path, send_only};
use crate::ui::state::use_ui;

const CHOICES: [(&str, u64); 7] = [
    ("10 minutes", 600),
    ("30 minutes", 1800),
    ("1 hour", 3600),
    ("4 hours", 14_400),
    ("1 day", 86_400),
    ("2 days", 172_800),
    ("7 days", 604_800),
];

/// The form.
#[component]
pub fn DowntimeForm(
    /// The server.
    server: InstanceKey,
    /// Closes the form.
    close: Callback<()>,
) -> impl IntoView {
    let ui = use_ui();
    let reason = RwSignal::new(String::new());
    let seconds = RwSignal::new(3600_u64);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let reason = reason.get_untracked().trim().to_owned();
        if reason.is_empty() {
            ui.notices.failed("Say why: the reason of a downtime must not be empty.");
            return;
        }
        let body = DowntimeRequest { owner: String::new(), reason, duration_seconds: seconds.get_untracked() };
        let key = server.to_string();
        let done = format!("{key} is in downtime.");
        let call = async move { send_only(Method::PUT, &path(&["servers", &key, "downtime"]), Some(&body)).await };
        act(ui, done, call, move || close.run(()));
    };
    view! {
        <form class="stack-form inset" on:submit=submit>
            <label class="stack">"Why" <input type="text" required bind:value=reason /></label>
            <label class="stack">"For"
                <select on:change:target=move |e| seconds.set(e.target().value().parse().unwrap_or(3600))>
                    {CHOICES.map(|(words, s)| view! { <option value=s.to_string() selected=s == 3600>{words}</option> }).collect_view()}
                </select>
            </label>
            <p class="quiet">"No recovery acts on it by itself meanwhile."</p>
            <div class="buttons">
                <button type="submit" class="primary">"Begin downtime"</button>
                <button type="button" on:click=move |_| close.run(())>"Leave"</button>
            </div>
        </form>
    }
}
