//! All clusters: in two seconds, is anything broken, and what is being done about it.

use leptos::prelude::*;

use crate::api::ClusterSummary;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Badge, Loaded};
use crate::ui::model::age::lag_text;
use crate::ui::model::fleet::{Grouping, Totals, automation, display_name, grouped, listed, totals};
use crate::ui::model::recovery::{headline, progress_text};
use crate::ui::model::route::{FleetView, Route};
use crate::ui::model::tone::{Tone, finding_words, problem_words};
use crate::ui::state::{Ui, use_ui};

use super::fleet_filter::{FilterFields, SavedViews, StateFilter};

/// The dashboard.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let ui = use_ui();
    let clusters = ui.fleet.clusters;
    let view = ui.navigator.part(|r| match r {
        Route::Clusters { view } => view.clone(),
        _ => FleetView::default(),
    });
    let sums = Memo::new(move |_| clusters.value.with(|list| totals(list.as_deref().unwrap_or_default())));
    let groups = Memo::new(move |_| {
        let view = view.get();
        clusters.value.with(|list| {
            let list = list.as_deref().unwrap_or_default();
            grouped(&listed(list, &view.filter, &view.state), Grouping::of(&view.group))
        })
    });
    let titles = Memo::new(move |_| groups.with(|g| g.iter().map(|(title, _)| title.clone()).collect::<Vec<_>>()));
    let none_known = move || clusters.value.with(|list| list.as_ref().is_some_and(Vec::is_empty));
    view! {
        <section class="column">
            <div class="title-row">
                <h1>"Clusters"</h1>
                <StateFilter sums=sums view=view />
                <FilterFields view=view />
            </div>
            <SavedViews view=view />
            <Sum sums=sums />
            <RunningRecoveries />
            <Loaded here=Signal::derive(move || clusters.value.with(Option::is_some)) error=clusters.error>
                <Show when=none_known><FirstSteps /></Show>
                <Show when=move || !none_known() && titles.with(Vec::is_empty)>
                    <p class="quiet">"No cluster matches."</p>
                </Show>
                <For each=move || titles.get() key=Clone::clone children=move |title| {
                    let mine = title.clone();
                    let members = Memo::new(move |_| {
                        groups.with(|all| all.iter().find(|(t, _)| *t == mine).map(|(_, m)| m.clone()).unwrap_or_default())
                    });
                    view! { <Group title=title grouping=view members=members /> }
                } />
            </Loaded>
        </section>
    }
}

/// Clusters that have something in common; with a heading where they are grouped by anything.
#[component]
fn Group(title: String, grouping: Memo<FleetView>, members: Memo<Vec<ClusterSummary>>) -> impl IntoView {
    let heading = move || {
        let grouping = Grouping::of(&grouping.get().group);
        let title = if title.is_empty() { format!("no {} known", grouping.word()) } else { title.clone() };
        (grouping != Grouping::None).then(|| {
            view! {
                <h2 class="group-title">{title} " " <span class="small">{move || members.with(Vec::len)}</span></h2>
            }
        })
    };
    view! {
        {heading}
        <div class="clusters">
            <div class="cluster-row cluster-heads" aria-hidden="true">
                <span>"Cluster"</span><span>"State"</span><span>"Primary"</span><span>"Servers"</span>
                <span>"Worst lag"</span><span>"Problems"</span><span>"Automatic recovery"</span>
            </div>
            <ul aria-label="Clusters">
                <For each=move || members.get() key=|c| format!("{c:?}") children=|cluster| view! { <ClusterRow cluster=cluster /> } />
            </ul>
        </div>
    }
}

/// What all clusters add up to.
#[component]
fn Sum(sums: Memo<Totals>) -> impl IntoView {
    view! {
        <p class="sum">
            <strong>{move || sums.with(|t| t.servers)}</strong> " servers"
            <span class="dot-between">"·"</span>
            <strong>{move || sums.with(|t| t.with_problem)}</strong> " with a problem"
            <span class="dot-between">"·"</span>
            <strong>{move || sums.with(|t| t.downtimed)}</strong> " in downtime"
        </p>
    }
}

/// Recoveries at work anywhere, with their last word.
#[component]
fn RunningRecoveries() -> impl IntoView {
    let ui: Ui = use_ui();
    let running = Memo::new(move |_| {
        ui.fleet
            .recoveries
            .value
            .with(|list| list.iter().flatten().filter(|r| r.is_running()).cloned().collect::<Vec<_>>())
    });
    view! {
        <ul class="running">
            <For each=move || running.get() key=|r| (r.uid.clone(), r.steps.len(), r.story.len()) children=move |recovery| {
                let text = format!("{} · {}", headline(&recovery, ui.clock.now_once()), progress_text(&recovery));
                view! {
                    <li class="tone-progress">
                        <Icon name="progress" />
                        <a href=Route::Recovery { id: recovery.uid.clone() }.address()>{text}</a>
                        <span class="quiet">{recovery.story.last().map(|line| line.message.clone())}</span>
                    </li>
                }
            } />
        </ul>
    }
}

/// One cluster.
#[component]
fn ClusterRow(cluster: ClusterSummary) -> impl IntoView {
    let ui = use_ui();
    let tone = Tone::of_cluster(&cluster);
    let name = display_name(&cluster).to_owned();
    let address = Route::cluster(&name).address();
    let primary = cluster.primary.clone();
    let server_address = primary.clone().map(|key| Route::server(&name, key).address());
    let problems = cluster.problems.iter().map(|(problem, count)| (problem_words(problem), *count)).collect::<Vec<_>>();
    let small = (cluster.name != name).then(|| cluster.name.clone());
    view! {
        <li class=format!("cluster-row {}", tone.class())>
            <div class="cluster-name">
                <a href=address>{name.clone()}</a>
                <span class="small">{small}</span>
            </div>
            <div class="cluster-state">
                <Badge tone=tone />
                <span class="cluster-finding">{finding_words(&cluster.finding)}</span>
            </div>
            <div class="cluster-primary">
                <span class="label">"primary "</span>
                {match (primary, server_address) {
                    (Some(key), Some(address)) => view! { <a href=address title=key.to_string()>{move || ui.fleet.short(&key)}</a> }.into_any(),
                    _ => view! { <span class="tone-broken">"none"</span> }.into_any(),
                }}
            </div>
            <div class="cluster-count">
                <strong>{cluster.servers}</strong>
                <span class="label">{if cluster.servers == 1 { "server" } else { "servers" }}</span>
            </div>
            <div class="cluster-lag">
                <span class="label">"worst lag "</span>
                {lag_text(cluster.max_lag)}
            </div>
            <ul class="cluster-problems" aria-label="Problems">
                {problems.into_iter().map(|(words, count)| view! { <li>{count} " " {words}</li> }).collect_view()}
                {(cluster.downtimed > 0).then(|| view! { <li class="tone-downtimed">{cluster.downtimed} " downtimed"</li> })}
            </ul>
            <div class="cluster-auto">
                <span class="label">"automatic recovery: "</span>
                {automation(&cluster).1}
            </div>
        </li>
    }
}

/// What to do where nothing is known yet.
#[component]
fn FirstSteps() -> impl IntoView {
    let ui = use_ui();
    view! {
        <div class="first-steps">
            <h2>"No server is known yet"</h2>
            <p>"Name one server of a replication tree: its source, its replicas and theirs are found from there."</p>
            <Show when=move || ui.may_operate() fallback=|| view! { <p>"An operator can make servers known."</p> }>
                <p><a class="button primary" href=Route::Discover.address()>"Discover a server"</a></p>
            </Show>
        </div>
    }
}
