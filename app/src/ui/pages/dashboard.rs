//! All clusters: in two seconds, is anything broken, and what is being done about it.

use leptos::prelude::*;

use crate::api::ClusterSummary;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Badge, Loaded};
use crate::ui::model::fleet::{Totals, display_name, listed, totals};
use crate::ui::model::recovery::{headline, progress_text};
use crate::ui::model::route::Route;
use crate::ui::model::tone::{Tone, finding_words, problem_words};
use crate::ui::state::{Ui, use_ui};

/// The dashboard.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let ui = use_ui();
    let clusters = ui.fleet.clusters;
    let filter = ui.navigator.part(|r| match r {
        Route::Clusters { filter, .. } => filter.clone(),
        _ => String::new(),
    });
    let state = ui.navigator.part(|r| match r {
        Route::Clusters { state, .. } => state.clone(),
        _ => String::new(),
    });
    let sums = Memo::new(move |_| clusters.value.with(|list| totals(list.as_deref().unwrap_or_default())));
    let shown = Memo::new(move |_| {
        clusters.value.with(|list| {
            let list = list.as_deref().unwrap_or_default();
            listed(list, &filter.get(), &state.get()).into_iter().cloned().collect::<Vec<ClusterSummary>>()
        })
    });
    let set_filter =
        move |text: String| ui.navigator.replace(&Route::Clusters { filter: text, state: state.get_untracked() });
    let none_known = move || clusters.value.with(|list| list.as_ref().is_some_and(Vec::is_empty));
    view! {
        <section class="column">
            <div class="title-row">
                <h1>"Clusters"</h1>
                <StateFilter sums=sums state=state filter=filter />
                <input
                    type="search"
                    class="filter"
                    placeholder="Filter by name, server, problem"
                    aria-label="Filter clusters by name, server or problem"
                    prop:value=move || filter.get()
                    on:input:target=move |event| set_filter(event.target().value())
                />
            </div>
            <Sum sums=sums />
            <RunningRecoveries />
            <Loaded here=Signal::derive(move || clusters.value.with(Option::is_some)) error=clusters.error>
                <Show when=none_known><FirstSteps /></Show>
                <Show when=move || !none_known() && shown.with(Vec::is_empty)>
                    <p class="quiet">"No cluster matches."</p>
                </Show>
                <Show when=move || shown.with(|s| !s.is_empty())>
                    <div class="clusters">
                        <div class="cluster-row cluster-heads" aria-hidden="true">
                            <span>"Cluster"</span><span>"State"</span><span>"Primary"</span><span>"Servers"</span>
                            <span>"Problems"</span><span>"Automatic recovery"</span>
                        </div>
                        <ul aria-label="Clusters">
                            <For each=move || shown.get() key=|c| format!("{c:?}") children=|cluster| view! { <ClusterRow cluster=cluster /> } />
                        </ul>
                    </div>
                </Show>
            </Loaded>
        </section>
    }
}

/// Totals by state; choosing one filters by it.
#[component]
fn StateFilter(sums: Memo<Totals>, state: Memo<String>, filter: Memo<String>) -> impl IntoView {
    let one = move |tone: Option<Tone>, count: fn(&Totals) -> usize| {
        let word = tone.map_or("", Tone::word);
        let address = move || Route::Clusters { filter: filter.get(), state: word.to_owned() }.address();
        let class = format!("chip {}", tone.map_or("", Tone::class));
        view! {
            <li>
                <a class=class href=address aria-current=move || (state.get() == word).then_some("true")>
                    {tone.map(|t| view! { <Icon name=t.icon() /> })}
                    <strong>{move || sums.with(count)}</strong>
                    " "
                    {tone.map_or("all", Tone::word)}
                </a>
            </li>
        }
    };
    view! {
        <ul class="chips" aria-label="Filter by state">
            {one(None, |t| t.clusters)}
            {one(Some(Tone::Broken), |t| t.broken)}
            {one(Some(Tone::Progress), |t| t.recovering)}
            {one(Some(Tone::Attention), |t| t.attention)}
            {one(Some(Tone::Ok), |t| t.ok)}
        </ul>
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
                    (Some(key), Some(address)) => view! { <a href=address>{key.to_string()}</a> }.into_any(),
                    _ => view! { <span class="tone-broken">"none"</span> }.into_any(),
                }}
            </div>
            <div class="cluster-count">
                <strong>{cluster.servers}</strong>
                <span class="label">{if cluster.servers == 1 { "server" } else { "servers" }}</span>
            </div>
            <ul class="cluster-problems" aria-label="Problems">
                {problems.into_iter().map(|(words, count)| view! { <li>{count} " " {words}</li> }).collect_view()}
                {(cluster.downtimed > 0).then(|| view! { <li class="tone-downtimed">{cluster.downtimed} " downtimed"</li> })}
            </ul>
            <div class="cluster-auto">
                <span class="label">"automatic recovery: "</span>
                {automatic(&cluster)}
            </div>
        </li>
    }
}

fn automatic(cluster: &ClusterSummary) -> &'static str {
    match (cluster.auto_source_recovery, cluster.auto_intermediate_recovery) {
        (true, true) => "primary, intermediate",
        (true, false) => "primary",
        (false, true) => "intermediate",
        (false, false) => "off",
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
