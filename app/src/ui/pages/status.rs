//! The node that answers: what it is, how it does, and the switch for all recoveries.

use leptos::prelude::*;

use crate::api::{NodeStatus, TaskStatus};
use crate::ui::chrome::banner::switch_recoveries;
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::model::tone::Tone;
use crate::ui::state::use_ui;

/// The status page.
#[component]
pub fn StatusPage() -> impl IntoView {
    let ui = use_ui();
    let node = ui.fleet.node;
    view! {
        <section class="column">
            <h1>"Status"</h1>
            <Loaded here=Signal::derive(move || node.value.with(Option::is_some)) error=node.error>
                {move || node.value.get().map(|node| view! { <Node node=node /> })}
            </Loaded>
        </section>
    }
}

#[component]
fn Node(node: NodeStatus) -> impl IntoView {
    let ui = use_ui();
    let enabled = node.recoveries_enabled;
    let backend = match &node.backend_error {
        None => (Tone::Ok, format!("{}, answering", node.backend)),
        Some(error) => (Tone::Broken, format!("{}: {error}", node.backend)),
    };
    let leader = if node.is_leader { (Tone::Ok, "acts") } else { (Tone::Attention, "watches, another one acts") };
    let recoveries = if enabled { (Tone::Ok, "on") } else { (Tone::Attention, "off everywhere") };
    let asking = RwSignal::new(false);
    view! {
        <div class="status-grid">
            <section class="card" aria-label="Node">
                <h2>{node.hostname.clone()}</h2>
                <dl class="facts">
                    <dt>"version"</dt><dd>{node.version.clone()}</dd>
                    <dt>"started"</dt><dd><Ago at=Some(node.started) /></dd>
                    <dt>"part"</dt><dd><Badge tone=leader.0 text=Signal::stored(leader.1.to_owned()) /></dd>
                    <dt>"backend"</dt><dd><Badge tone=backend.0 text=Signal::stored(backend.1) /></dd>
                    <dt>"writes waiting"</dt><dd>{node.pending_writes}</dd>
                    <dt>"servers"</dt><dd>{node.servers}</dd>
                    <dt>"clusters"</dt><dd>{node.clusters}</dd>
                    <dt>"process"</dt><dd><code>{node.token.chars().take(16).collect::<String>()}</code></dd>
                </dl>
            </section>
            <section class="card" aria-label="Recoveries">
                <h2>"Automatic recoveries"</h2>
                <p><Badge tone=recoveries.0 text=Signal::stored(recoveries.1.to_owned()) /></p>
                <Show
                    when=move || ui.may_administer()
                    fallback=|| view! { <p class="quiet">"An administrator can switch them."</p> }
                >
                    <Show when=move || enabled fallback=move || view! {
                        <button type="button" class="primary" on:click=move |_| switch_recoveries(ui, true)>"Switch on"</button>
                    }>
                        <Show when=move || asking.get() fallback=move || view! {
                            <button type="button" on:click=move |_| asking.set(true)>"Switch off everywhere…"</button>
                        }>
                            <p>"Then nothing fails over by itself until they are switched on again."</p>
                            <div class="buttons">
                                <button type="button" class="danger" on:click=move |_| switch_recoveries(ui, false)>"Switch off everywhere"</button>
                                <button type="button" on:click=move |_| asking.set(false)>"Leave on"</button>
                            </div>
                        </Show>
                    </Show>
                </Show>
            </section>
            <section class="card wide" aria-label="Tasks">
                <h2>"Background work"</h2>
                <div class="table-wrap" tabindex="0" role="region" aria-label="Background work">
                    <table>
                        <thead><tr><th>"Name"</th><th>"State"</th><th>"Last run"</th><th>"Last error"</th></tr></thead>
                        <tbody>{node.tasks.into_iter().map(task).collect_view()}</tbody>
                    </table>
                </div>
            </section>
        </div>
    }
}

fn task(task: TaskStatus) -> impl IntoView {
    let tone = match (task.state.as_str(), &task.last_error) {
        ("stopped", _) => Tone::Broken,
        (_, Some(_)) => Tone::Attention,
        ("busy", None) => Tone::Progress,
        _ => Tone::Ok,
    };
    let last_run = task.last_run;
    view! {
        <tr>
            <td>{task.name}</td>
            <td><Badge tone=tone text=Signal::stored(task.state) /></td>
            <td><Ago at=last_run /></td>
            <td>{task.last_error}</td>
        </tr>
    }
}
