//! The page for somebody whom the service does not know: a login, or the set-up of the first administrator.

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::access::{LoginRequest, Me, SetupRequest};
use crate::ui::chrome::form::{failure, field};
use crate::ui::infra::api::{path, send};
use crate::ui::state::use_ui;

/// The login page.
#[component]
pub fn LoginPage() -> impl IntoView {
    let ui = use_ui();
    let me = ui.fleet.session.value;
    let needs_setup = Memo::new(move |_| me.with(|me| me.as_ref().is_some_and(|me| me.needs_setup)));
    let (code, user, password) =
        (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (busy, error) = (RwSignal::new(false), RwSignal::new(None));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        error.set(None);
        let name = user.get_untracked().trim().to_owned();
        let (secret, code) = (password.get_untracked(), code.get_untracked().trim().to_owned());
        let is_setup = needs_setup.get_untracked();
        spawn_local(async move {
            let answer = if is_setup {
                let body = SetupRequest { code, user: name, password: secret };
                send::<Me>(Method::POST, &path(&["setup"]), &body).await
            } else {
                let body = LoginRequest { user: name, password: secret };
                send::<Me>(Method::POST, &path(&["login"]), &body).await
            };
            busy.set(false);
            match answer {
                Ok(me) => {
                    password.set(String::new());
                    ui.fleet.enter(me);
                }
                Err(refused) => error.set(Some(refused)),
            }
        });
    };
    let words = move || match (busy.get(), needs_setup.get()) {
        (true, _) => "Asking…",
        (false, true) => "Make the first administrator",
        (false, false) => "Log in",
    };
    let title = move || if needs_setup.get() { "Set up" } else { "Log in" };
    view! {
        <section class="login">
            <h1>{title}</h1>
                <form class="stack-form" on:submit=submit>
                    <Show when=move || needs_setup.get()>
                        <p>"Nobody can log in yet. The log of the service shows a code at its start: with it the first administrator is made."</p>
                        {field("Set-up code", "text", "off", true, code)}
                    </Show>
                    {field("User", "text", "username", true, user)}
                    {move || {
                        let known = if needs_setup.get() { "new-password" } else { "current-password" };
                        field("Password", "password", known, true, password)
                    }}
                    {failure(error)}
                    <button type="submit" class="primary" disabled=move || busy.get()>{words}</button>
                </form>
        </section>
    }
}
