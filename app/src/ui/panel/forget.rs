//! Forgetting a server: only after its name was typed.

use gloo_net::http::Method;
use leptos::prelude::*;

use crate::InstanceKey;
use crate::ui::chrome::act::act;
use crate::ui::infra::api::{path, send_only};
use crate::ui::model::route::Route;
use crate::ui::state::use_ui;

/// The form.
#[component]
pub fn ForgetForm(
    /// The server.
    server: InstanceKey,
    /// Closes the form.
    close: Callback<()>,
) -> impl IntoView {
    let ui = use_ui();
    let typed = RwSignal::new(String::new());
    let name = StoredValue::new(server.to_string());
    let ready = move || name.with_value(|n| typed.get().trim() == n);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !ready() {
            return;
        }
        let key = name.get_value();
        let done = format!("{key} is forgotten.");
        let call = async move { send_only::<()>(Method::DELETE, &path(&["servers", &key]), None).await };
        act(ui, done, call, move || {
            close.run(());
            if let Route::Cluster { name, .. } = ui.navigator.route_once() {
                ui.navigator.replace(&Route::cluster(name));
            }
        });
    };
    view! {
        <form class="stack-form inset" on:submit=submit>
            <p>"The server itself is not touched. It is found again if a replica or a source of it is still known and names it."</p>
            <label class="stack">"Type " <code>{name.get_value()}</code> " to confirm"
                <input type="text" autocomplete="off" spellcheck="false" bind:value=typed />
            </label>
            <div class="buttons">
                <button type="submit" class="danger" disabled=move || !ready()>"Forget it"</button>
                <button type="button" on:click=move |_| close.run(())>"Leave"</button>
            </div>
        </form>
    }
}
