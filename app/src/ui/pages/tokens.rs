//! API tokens: made here, shown once, revoked at once.

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::access::{MadeToken, NewToken, TokenRow};
use crate::api::Role;
use crate::ui::chrome::act::act;
use crate::ui::chrome::form::{button, choice, chosen_role, failure, field, role_choice, table};
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::infra::api::{path, send, send_only};
use crate::ui::model::access::{patterns, rights_text};
use crate::ui::model::age::moment_text;
use crate::ui::model::tone::Tone;
use crate::ui::state::remote::Remote;
use crate::ui::state::{Ui, use_ui};

type List = Remote<Vec<TokenRow>>;

/// How long a token may last: days in words; the empty one is for ever.
const LASTS: [(&str, &str); 5] =
    [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked")];

/// The tokens page.
#[component]
pub fn TokensPage() -> impl IntoView {
    let ui = use_ui();
    let list = List::new();
    read(ui, list);
    let made = RwSignal::new(None::<MadeToken>);
    let known = Memo::new(move |_| ui.fleet.session.value.with(|me| me.as_ref().is_some_and(|me| !me.user.is_empty())));
    view! {
        <section class="column">
            <h1>"API tokens"</h1>
            <p>"A program shows a token instead of a password. It can never do more than you can, whatever becomes of you."</p>
            {move || made.get().map(|made| shown(made.secret))}
            <Show when=move || known.get() fallback=|| view! {
                <p class="quiet">"Somebody who is known by name can make a token: nobody has to say who they are here."</p>
            }>{form(ui, list, made)}</Show>
            <section class="card" aria-label="Tokens">
                <h2>"Tokens"</h2>
                <Loaded here=Signal::derive(move || list.value.with(Option::is_some)) error=list.error>
                    {move || all(ui, list)}
                </Loaded>
            </section>
        </section>
    }
}

fn read(ui: Ui, list: List) {
    spawn_local(async move { list.read(ui.link, &path(&["tokens"])).await });
}

/// The one moment at which a token can be seen.
fn shown(secret: String) -> AnyView {
    view! {
        <section class="card made" role="status" aria-label="The new token">
            <h2><Icon name="check" /> " The new token"</h2>
            <p>"Copy it now. It is stored as a digest only: nobody can show it again."</p>
            <pre class="secret" tabindex="0">{secret.clone()}</pre>
            <p class="small">"curl -H 'Authorization: Bearer " {secret} "' …/api/v2/clusters"</p>
        </section>
    }
    .into_any()
}

fn form(ui: Ui, list: List, made: RwSignal<Option<MadeToken>>) -> AnyView {
    let (name, clusters) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (role, lasts) = (RwSignal::new("viewer".to_owned()), RwSignal::new("90".to_owned()));
    let error = RwSignal::new(None);
    let most = ui.fleet.role().unwrap_or(Role::Viewer);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let body = NewToken {
            name: name.get_untracked().trim().to_owned(),
            role: chosen_role(role),
            clusters: patterns(&clusters.get_untracked()),
            days: lasts.get_untracked().parse().ok(),
        };
        spawn_local(async move {
            match send::<MadeToken>(Method::POST, &path(&["tokens"]), &body).await {
                Ok(token) => {
                    made.set(Some(token));
                    error.set(None);
                    name.set(String::new());
                    read(ui, list);
                }
                Err(refused) => error.set(Some(refused)),
            }
        });
    };
    let lasting = LASTS.iter().map(|(days, words)| ((*days).to_owned(), (*words).to_owned())).collect();
    view! {
        <section class="card" aria-label="New token">
            <h2>"New token"</h2>
            <form class="field-row" on:submit=submit>
                {field("What it is for", "text", "off", true, name)}
                {role_choice(most, role)}
                {field("Only these clusters", "text", "off", false, clusters)}
                {choice("It lasts", lasting, lasts)}
                <button type="submit" class="primary">"Make it"</button>
            </form>
            <p class="small">"Clusters by name, alias or pattern (orders*), with commas between; all that you may change when empty."</p>
            {failure(error)}
        </section>
    }
    .into_any()
}

fn all(ui: Ui, list: List) -> AnyView {
    const HEADS: [&str; 8] = ["For", "Maker", "Rights", "Made", "Ends", "Last used", "State", "Actions"];
    let tokens = list.value.get().unwrap_or_default();
    if tokens.is_empty() {
        return view! { <p class="quiet">"None."</p> }.into_any();
    }
    let row = move |t: TokenRow| {
        let state = if t.dead_because.is_empty() {
            view! { <Badge tone=Tone::Ok text=Signal::stored("good".to_owned()) /> }.into_any()
        } else {
            view! { <Badge tone=Tone::Attention text=Signal::stored(t.dead_because) /> }.into_any()
        };
        let (made, used) = (t.created, t.last_used);
        let from = (!t.last_used_from.is_empty()).then(|| format!(" from {}", t.last_used_from));
        let (id, name) = (t.id, t.name.clone());
        let revoke = button("danger", "Revoke", move || {
            let (address, done) = (path(&["tokens", &id]), format!("The token for {name} is revoked."));
            let call = async move { send_only::<()>(Method::DELETE, &address, None).await };
            act(ui, done, call, move || read(ui, list));
        });
        vec![
            t.name.into_any(),
            t.owner.into_any(),
            rights_text(t.role, &t.clusters).into_any(),
            view! { <Ago at=Some(made) /> }.into_any(),
            t.ends.map_or_else(|| "never".to_owned(), moment_text).into_any(),
            view! { <Ago at=used /> {from} }.into_any(),
            state,
            revoke,
        ]
    };
    table("All tokens", &HEADS, tokens.into_iter().map(row).collect())
}
