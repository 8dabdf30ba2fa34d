//! One's own account: who one is, where one is logged in, the password.

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::access::{PasswordRequest, SHORTEST_PASSWORD, SessionRow};
use crate::ui::chrome::act::act;
use crate::ui::chrome::form::{button, field, table};
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::infra::api::{path, send_only};
use crate::ui::model::access::{agent_text, rights_text};
use crate::ui::model::age::moment_text;
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::state::remote::Remote;
use crate::ui::state::{Ui, use_ui};

/// The account page.
#[component]
pub fn AccountPage() -> impl IntoView {
    let ui = use_ui();
    let has_logins = Memo::new(move |_| ui.fleet.session.value.with(|me| me.as_ref().is_some_and(|me| me.has_logins)));
    view! {
        <section class="column">
            <div class="title-row">
                <h1>"Account"</h1>
                <Show when=move || has_logins.get()>{button("", "Log out", move || ui.log_out())}</Show>
            </div>
            <div class="status-grid">
                {who(ui)}
                <Show when=move || has_logins.get()>{password(ui)}</Show>
            </div>
            <Show when=move || has_logins.get()>{sessions(ui)}</Show>
        </section>
    }
}

fn who(ui: Ui) -> AnyView {
    let fact = move |name: &'static str, read: fn(&crate::access::Me) -> String| {
        let value = move || ui.fleet.session.value.with(|me| me.as_ref().map(read).unwrap_or_default());
        view! { <dt>{name}</dt><dd>{value}</dd> }.into_any()
    };
    view! {
        <section class="card" aria-label="Who you are">
            <h2>"Who you are"</h2>
            <dl class="facts">
                {fact("user", |me| or(&me.user, "nobody has to say who they are here"))}
                {fact("may act as", |me| me.role.map_or_else(|| "nobody".to_owned(), |role| rights_text(role, &me.clusters)))}
                {fact("known by", |me| or(&me.method, "no authentication"))}
                {fact("logged in until", |me| me.session_ends.map_or_else(|| "no session".to_owned(), moment_text))}
            </dl>
            <p><a href=Route::Tokens.address()>"API tokens"</a></p>
            <Show when=move || ui.may_administer()><p><a href=Route::Users.address()>"Users"</a></p></Show>
        </section>
    }
    .into_any()
}

fn or(text: &str, none: &str) -> String {
    if text.is_empty() { none } else { text }.to_owned()
}

fn password(ui: Ui) -> AnyView {
    let (old, new, again) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let differ = move || again.with(|again| !again.is_empty() && new.with(|new| new != again));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if new.get_untracked() != again.get_untracked() {
            ui.notices.failed("The new password was typed in two ways: nothing was changed.");
            return;
        }
        let body = PasswordRequest { old: old.get_untracked(), new: new.get_untracked() };
        let call = async move { send_only(Method::POST, &path(&["password"]), Some(&body)).await };
        act(ui, "The password is changed. Your other sessions have ended.", call, move || {
            for field in [old, new, again] {
                field.set(String::new());
            }
        });
    };
    let hint = format!("At least {SHORTEST_PASSWORD} characters. Your other sessions end.");
    view! {
        <section class="card" aria-label="Password">
            <h2>"Password"</h2>
            <form class="stack-form" on:submit=submit>
                {field("Current password", "password", "current-password", true, old)}
                {field("New password", "password", "new-password", true, new)}
                {field("New password again", "password", "new-password", true, again)}
                <p class="quiet" role="status">{move || if differ() { "The two are not the same yet.".to_owned() } else { hint.clone() }}</p>
                <div class="buttons"><button type="submit" class="primary" disabled=differ>"Change the password"</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn sessions(ui: Ui) -> AnyView {
    const HEADS: [&str; 6] = ["User", "Browser", "From", "Begun", "Last seen", "Actions"];
    let list = Remote::<Vec<SessionRow>>::new();
    let read = move || spawn_local(async move { list.read(ui.link, &path(&["sessions"])).await });
    read();
    let end = move |session: &SessionRow| {
        if session.is_current {
            return view! { <Badge tone=Tone::Ok text=Signal::stored("this one".to_owned()) /> }.into_any();
        }
        let id = session.id.clone();
        button("", "End", move || {
            let address = path(&["sessions", &id]);
            let call = async move { send_only::<()>(Method::DELETE, &address, None).await };
            act(ui, "The session has ended.", call, read);
        })
    };
    let row = move |s: SessionRow| {
        let last = end(&s);
        let browser = view! { <span title=s.agent.clone()>{agent_text(&s.agent)}</span> }.into_any();
        let (created, seen) = (s.created, s.last_seen);
        vec![
            s.user.into_any(),
            browser,
            s.address.into_any(),
            view! { <Ago at=Some(created) /> }.into_any(),
            view! { <Ago at=Some(seen) /> }.into_any(),
            last,
        ]
    };
    let rows = move || list.value.get().unwrap_or_default().into_iter().map(row).collect();
    view! {
        <section class="card" aria-label="Sessions">
            <h2>"Where you are logged in"</h2>
            <Loaded here=Signal::derive(move || list.value.with(Option::is_some)) error=list.error>
                {move || table("All sessions", &HEADS, rows())}
            </Loaded>
        </section>
    }
    .into_any()
}
