//! The selected server: how it does, what is wrong with it, what can be done, and every fact with its age.

use leptos::prelude::*;

use super::actions::Actions;
use super::evidence::FindingCard;
use super::lag_line::LagLine;
use crate::InstanceKey;
use crate::api::ServerView;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::Badge;
use crate::ui::model::age::{left_text, moment_text};
use crate::ui::model::route::{AuditView, Route};
use crate::ui::model::server::{Facts, Part, facts, problem_text};
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// The panel of a server.
#[component]
pub fn ServerPanel(key: InstanceKey) -> impl IntoView {
    let ui = use_ui();
    let close = move |_| {
        if let Route::Cluster { name, view, .. } = ui.navigator.route_once() {
            ui.navigator.go(&Route::Cluster { name, server: None, view, readiness: false });
        }
    };
    let signal = {
        let key = key.clone();
        Memo::new(move |_| ui.cluster.servers.with(|map| map.contains_key(&key)))
    };
    let name = StoredValue::new(key);
    view! {
        <div class="panel-head">
            <h2>{name.with_value(ToString::to_string)}</h2>
            <button type="button" class="plain" aria-label="Close the details of this server" on:click=close><Icon name="close" /></button>
        </div>
        {move || match signal.get().then(|| name.with_value(|key| ui.cluster.server(key))).flatten() {
            Some(server) => view! { <Body key=name.get_value() server=server /> }.into_any(),
            None => view! { <p class="quiet">"This server is not in this cluster."</p> }.into_any(),
        }}
    }
}

#[component]
fn Body(key: InstanceKey, server: ArcRwSignal<ServerView>) -> impl IntoView {
    let ui = use_ui();
    let read = RwSignal::from(server.clone());
    let tone = Signal::derive(move || read.with(Tone::of_server));
    let part = {
        let key = key.clone();
        Memo::new(move |_| {
            let below = ui.cluster.rows.with(|rows| rows.iter().filter(|r| r.source.as_ref() == Some(&key)).count());
            read.with(|s| Part::of(&s.instance, below)).word()
        })
    };
    let downtime = Memo::new(move |_| read.with(|s| s.downtime.clone()));
    let problems = Memo::new(move |_| {
        let now = ui.clock.now();
        read.with(|s| s.problems.iter().map(|p| problem_text(s, p, now)).collect::<Vec<_>>())
    });
    let readiness = {
        let key = key.clone();
        move || match ui.navigator.route() {
            Route::Cluster { name, .. } => Route::readiness(name, Some(key.clone())).address(),
            _ => String::new(),
        }
    };
    let (card, asked) = (key.clone(), key.clone());
    let found = Memo::new(move |_| ui.cluster.findings.with(|all| all.iter().any(|f| f.key == asked)));
    let feeds = {
        let key = key.clone();
        Memo::new(move |_| ui.cluster.rows.with(|rows| rows.iter().any(|r| r.source.as_ref() == Some(&key))))
    };
    let groups = Memo::new(move |_| read.with(|s| facts(s, ui.clock.now())));
    let audit = Route::Audit { view: AuditView::server(key.to_string()), page: 0 }.address();
    view! {
        <p class="panel-state"><Badge tone=tone /> <span>{move || part.get()}</span></p>
        {move || downtime.get().map(|d| view! {
            <div class="problem tone-downtimed">
                <Icon name="moon" />
                <p>{d.reason.clone()} " — " {d.owner.clone()} ", until " {moment_text(d.end)} ", " {left_text(d.end, ui.clock.now())}</p>
            </div>
        })}
        <ul class="problems" aria-label="Problems">
            {move || problems.get().into_iter().map(|p| view! { <li><Icon name="triangle" /><span>{p}</span></li> }).collect_view()}
        </ul>
        {move || found.get().then(|| view! { <FindingCard key=card.clone() /> })}
        {move || feeds.get().then(|| view! { <p><a href=readiness.clone()>"What if it died now?"</a></p> })}
        <Actions key=key server=server />
        <LagLine server=read />
        <FactGroups groups=groups />
        <p><a href=audit>"What was done to this server"</a></p>
    }
}

/// Facts in titled groups. Only a value that changes is redrawn.
#[component]
fn FactGroups(groups: Memo<Vec<Facts>>) -> impl IntoView {
    let titles = Memo::new(move |_| {
        groups.with(|groups| {
            let names = |g: &Facts| (g.title, g.facts.iter().map(|f| (f.name, f.code)).collect::<Vec<_>>());
            groups.iter().map(names).collect::<Vec<_>>()
        })
    });
    let value = move |group: usize, fact: usize| {
        Memo::new(move |_| {
            groups.with(|groups| {
                groups
                    .get(group)
                    .and_then(|g| g.facts.get(fact))
                    .map(|f| (f.value.clone(), f.tone))
                    .unwrap_or((String::new(), Tone::Ok))
            })
        })
    };
    move || {
        titles
            .get()
            .into_iter()
            .enumerate()
            .map(|(g, (title, names))| {
                view! {
                    <section class="fact-group" aria-label=title>
                        <h3>{title}</h3>
                        <dl class="facts">
                            {names.into_iter().enumerate().map(|(f, (name, code))| {
                                let value = value(g, f);
                                let class = move || if value.get().1 == Tone::Ok { "" } else { value.get().1.class() };
                                view! {
                                    <dt>{name}</dt>
                                    <dd class=class class:code=code>{move || value.get().0}</dd>
                                }
                            }).collect_view()}
                        </dl>
                    </section>
                }
            })
            .collect_view()
    }
}
