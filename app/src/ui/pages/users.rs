//! Users, for administrators: made, given other rights or another password, deleted.

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::access::{ChangeUser, NewUser, UserRow};
use crate::api::Role;
use crate::ui::chrome::act::act;
use crate::ui::chrome::form::{button, chosen_role, failure, field, role_choice, table};
use crate::ui::chrome::parts::{Ago, Loaded};
use crate::ui::infra::api::{path, send, send_only};
use crate::ui::model::access::{patterns, rights_text, role_word};
use crate::ui::state::remote::Remote;
use crate::ui::state::{Ui, use_ui};

type List = Remote<Vec<UserRow>>;

const CLUSTERS: &str = "Only these clusters";
const CLUSTERS_HINT: &str =
    "Clusters by name, alias or pattern (orders*), with commas between; all when empty. An admin is not limited.";

/// The users page.
#[component]
pub fn UsersPage() -> impl IntoView {
    let ui = use_ui();
    view! {
        <section class="column">
            <h1>"Users"</h1>
            <Show when=move || ui.may_administer() fallback=|| view! { <p class="quiet">"An administrator sees and changes them."</p> }>
                {page(ui)}
            </Show>
        </section>
    }
}

fn read(ui: Ui, list: List) {
    spawn_local(async move { list.read(ui.link, &path(&["users"])).await });
}

fn page(ui: Ui) -> AnyView {
    let list = List::new();
    read(ui, list);
    let edited = RwSignal::new(None::<UserRow>);
    view! {
        <Loaded here=Signal::derive(move || list.value.with(Option::is_some)) error=list.error>
            <section class="card" aria-label="Users">{move || all(list, edited)}</section>
        </Loaded>
        {move || match edited.get() {
            Some(user) => change(ui, list, edited, user),
            None => form(ui, list),
        }}
    }
    .into_any()
}

fn all(list: List, edited: RwSignal<Option<UserRow>>) -> AnyView {
    const HEADS: [&str; 6] = ["Name", "Rights", "Password set", "Sessions", "Tokens", "Actions"];
    let row = move |user: UserRow| {
        let set = user.password_set;
        let kept = user.clone();
        vec![
            user.name.into_any(),
            rights_text(user.role, &user.clusters).into_any(),
            view! { <Ago at=Some(set) /> }.into_any(),
            user.sessions.to_string().into_any(),
            user.tokens.to_string().into_any(),
            button("", "Change…", move || edited.set(Some(kept.clone()))),
        ]
    };
    table("All users", &HEADS, list.value.get().unwrap_or_default().into_iter().map(row).collect())
}

fn form(ui: Ui, list: List) -> AnyView {
    let (name, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (role, clusters) = (RwSignal::new("viewer".to_owned()), RwSignal::new(String::new()));
    let error = RwSignal::new(None);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let body = NewUser {
            name: name.get_untracked().trim().to_owned(),
            password: password.get_untracked(),
            role: chosen_role(role),
            clusters: patterns(&clusters.get_untracked()),
        };
        spawn_local(async move {
            match send::<UserRow>(Method::POST, &path(&["users"]), &body).await {
                Ok(user) => {
                    ui.notices.done(format!("{} can log in.", user.name));
                    error.set(None);
                    for field in [name, password, clusters] {
                        field.set(String::new());
                    }
                    read(ui, list);
                }
                Err(refused) => error.set(Some(refused)),
            }
        });
    };
    view! {
        <section class="card" aria-label="New user">
            <h2>"New user"</h2>
            <form class="field-row" on:submit=submit>
                {field("Name", "text", "off", true, name)}
                {field("Password", "password", "new-password", true, password)}
                {role_choice(Role::Admin, role)}
                {field(CLUSTERS, "text", "off", false, clusters)}
                <button type="submit" class="primary">"Make the user"</button>
            </form>
            <p class="small">{CLUSTERS_HINT}</p>
            {failure(error)}
        </section>
    }
    .into_any()
}

/// Other rights, another password, or the end of a user.
fn change(ui: Ui, list: List, edited: RwSignal<Option<UserRow>>, user: UserRow) -> AnyView {
    let role = RwSignal::new(role_word(user.role).to_owned());
    let clusters = RwSignal::new(user.clusters.join(", "));
    let (password, typed) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let error = RwSignal::new(None);
    let user = StoredValue::new(user);
    let name = move || user.with_value(|u| u.name.clone());
    let leave = move || edited.set(None);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (role, clusters) = (chosen_role(role), patterns(&clusters.get_untracked()));
        let password = Some(password.get_untracked()).filter(|p| !p.is_empty());
        // What is as it was is not sent: somebody else may have changed it meanwhile.
        let body = user.with_value(|u| ChangeUser {
            role: (role != u.role).then_some(role),
            clusters: (clusters != u.clusters).then_some(clusters),
            password,
        });
        spawn_local(async move {
            match send::<UserRow>(Method::PATCH, &path(&["users", &name()]), &body).await {
                Ok(user) => {
                    ui.notices.done(format!("{} is changed.", user.name));
                    leave();
                    read(ui, list);
                }
                Err(refused) => error.set(Some(refused)),
            }
        });
    };
    let delete = move || {
        if typed.get_untracked().trim() == name() {
            let address = path(&["users", &name()]);
            let call = async move { send_only::<()>(Method::DELETE, &address, None).await };
            act(ui, format!("{} is deleted.", name()), call, move || {
                leave();
                read(ui, list);
            });
        }
    };
    let unlike = move || typed.get().trim() != name();
    view! {
        <section class="card" aria-label="Change a user">
            <h2>{format!("Change {}", name())}</h2>
            <form class="field-row" on:submit=submit>
                {role_choice(Role::Admin, role)}
                {field(CLUSTERS, "text", "off", false, clusters)}
                {field("New password, or none", "password", "new-password", false, password)}
                <button type="submit" class="primary">"Change"</button>
                {button("", "Leave", leave)}
            </form>
            <p class="small">{CLUSTERS_HINT} " With a new password all sessions of the user end."</p>
            {failure(error)}
            <details>
                <summary>"Delete this user"</summary>
                <div class="field-row">
                    <label class="stack">"Type the name to confirm"
                        <input type="text" autocomplete="off" spellcheck="false" bind:value=typed />
                    </label>
                    <button type="button" class="danger" disabled=unlike on:click=move |_| delete()>"Delete"</button>
                </div>
                <p class="small">"Sessions and tokens of the user end at once."</p>
            </details>
        </section>
    }
    .into_any()
}
