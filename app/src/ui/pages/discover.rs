//! The form that makes servers known, one a line.

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::InstanceKey;
use crate::api::{DiscoverRequest, ServerView};
use crate::ui::chrome::icon::Icon;
use crate::ui::infra::api::{path, send};
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// What came of one line.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Asking,
    Found(Box<ServerView>),
    Failed(String),
}

/// The discover page.
#[component]
pub fn DiscoverPage() -> impl IntoView {
    let ui = use_ui();
    let text = RwSignal::new(String::new());
    let outcomes = RwSignal::new(Vec::<(String, Outcome)>::new());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let lines: Vec<String> = text
            .get_untracked()
            .split_whitespace()
            .map(|line| line.trim_matches(',').to_owned())
            .filter(|l| !l.is_empty())
            .collect();
        if lines.is_empty() {
            outcomes.set(vec![(
                String::new(),
                Outcome::Failed("Name a server: host, host:port or [ipv6]:port.".to_owned()),
            )]);
            return;
        }
        outcomes.set(lines.iter().map(|line| (line.clone(), Outcome::Asking)).collect());
        for (at, line) in lines.into_iter().enumerate() {
            spawn_local(async move {
                let outcome = discover(&line).await;
                outcomes.update(|all| {
                    if let Some(slot) = all.get_mut(at) {
                        slot.1 = outcome;
                    }
                });
            });
        }
    };
    view! {
        <section class="column narrow">
            <h1>"Discover"</h1>
            <p>"One server of a tree is enough: its source, its replicas and theirs are found from there."</p>
            <Show
                when=move || ui.may_operate()
                fallback=|| view! { <p class="quiet">"An operator can make servers known."</p> }
            >
                <form class="stack-form" on:submit=submit>
                    <label for="servers">"Servers, one a line"</label>
                    <textarea
                        id="servers" rows="4" spellcheck="false" placeholder="db1.example:3306"
                        aria-describedby="servers-help"
                        prop:value=move || text.get()
                        on:input:target=move |e| text.set(e.target().value())
                    ></textarea>
                    <p id="servers-help" class="quiet">"host, host:port or [ipv6]:port; port 3306 when none is given."</p>
                    <div class="buttons"><button type="submit" class="primary">"Discover"</button></div>
                </form>
                <div role="status" aria-label="What came of it">
                    <ul class="outcomes">
                        {move || outcomes.get().into_iter().map(|(line, outcome)| row(line, outcome)).collect_view()}
                    </ul>
                </div>
            </Show>
        </section>
    }
}

async fn discover(line: &str) -> Outcome {
    // Said here already, without asking anybody, in the words of the service.
    if let Err(error) = InstanceKey::parse(line, 3306) {
        return Outcome::Failed(error.to_string());
    }
    let request = DiscoverRequest { server: line.to_owned() };
    match send::<ServerView>(Method::POST, &path(&["servers"]), &request).await {
        Ok(server) => Outcome::Found(Box::new(server)),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn row(line: String, outcome: Outcome) -> impl IntoView {
    let (tone, body) = match outcome {
        Outcome::Asking => (Tone::Progress, view! { <span>"asking…"</span> }.into_any()),
        Outcome::Failed(error) => (Tone::Broken, view! { <span>{error}</span> }.into_any()),
        Outcome::Found(server) => {
            let instance = server.instance;
            let address = Route::server(&instance.cluster_name, instance.key.clone()).address();
            let name = instance.key.to_string();
            (
                Tone::Ok,
                view! { <span>"known as " <a href=address>{name}</a>", cluster " {instance.cluster_name}</span> }
                    .into_any(),
            )
        }
    };
    view! { <li class=tone.class()><Icon name=tone.icon() /><strong>{line}</strong>{body}</li> }
}
