//! What can be done with a server. Only what the caller may do is there, and whatever changes a server is planned first.

use gloo_net::http::Method;
use leptos::prelude::*;

use super::downtime::DowntimeForm;
use super::forget::ForgetForm;
use crate::InstanceKey;
use crate::api::{Operation, PromotionRuleRequest, RecoverRequest, ServerView};
use crate::topology::PromotionRule;
use crate::ui::chrome::act::act;
use crate::ui::chrome::icon::Icon;
use crate::ui::infra::api::{path, send, send_only};
use crate::ui::model::server::rule_words;
use crate::ui::state::moving::By;
use crate::ui::state::{Ui, use_ui};

/// A form that is open below the buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Downtime,
    Forget,
}

/// What the buttons depend on; a new lag does not redraw them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Situation {
    replica: bool,
    runs: bool,
    stopped: bool,
    detached: bool,
    read_only: bool,
    seen: bool,
    downtimed: bool,
    is_source: bool,
    source: InstanceKey,
    rule: PromotionRule,
}

impl Situation {
    fn of(view: &ServerView) -> Self {
        let server = &view.instance;
        Self {
            replica: server.is_replica(),
            runs: server.replication.is_running(),
            stopped: server.replication.threads_stopped(),
            detached: server.replication.source.is_detached(),
            read_only: server.read_only,
            seen: server.check.is_valid(),
            downtimed: view.downtime.is_some(),
            is_source: server.is_primary_role(),
            source: server.replication.source.clone(),
            rule: view.promotion_rule,
        }
    }
}

/// The buttons of a server.
#[component]
pub fn Actions(
    /// The server.
    key: InstanceKey,
    /// As it is.
    server: ArcRwSignal<ServerView>,
) -> impl IntoView {
    let ui = use_ui();
    let open = RwSignal::new(Open::None);
    let situation = Memo::new(move |_| server.with(Situation::of));
    let close = Callback::new(move |()| open.set(Open::None));
    let has_replicas = {
        let key = key.clone();
        Memo::new(move |_| ui.cluster.rows.with(|rows| rows.iter().any(|r| r.source.as_ref() == Some(&key))))
    };
    let stored = StoredValue::new(key);
    view! {
        <Show when=move || ui.may_operate() fallback=move || {
            view! { <p class="quiet">"An operator can move, stop, promote or downtime this server."</p> }
        }>
            <div class="actions" role="group" aria-label="Actions">
                {move || buttons(ui, stored.get_value(), situation.get(), has_replicas.get(), open).collect_view()}
            </div>
            <RuleChoice server=stored.get_value() situation=situation />
            {move || match open.get() {
                Open::None => ().into_any(),
                Open::Downtime => view! { <DowntimeForm server=stored.get_value() close=close /> }.into_any(),
                Open::Forget => view! { <ForgetForm server=stored.get_value() close=close /> }.into_any(),
            }}
        </Show>
    }
}

type Press = Box<dyn Fn() + Send>;

fn buttons(
    ui: Ui,
    key: InstanceKey,
    now: Situation,
    has_replicas: bool,
    open: RwSignal<Open>,
) -> impl Iterator<Item = AnyView> {
    let plan = |operation: Operation| -> Press { Box::new(move || ui.work.propose(ui, operation.clone())) };
    let recover = |kind: &'static str, target: String, designated: Option<InstanceKey>| -> Press {
        Box::new(move || {
            let request = RecoverRequest {
                kind: kind.to_owned(),
                target: target.clone(),
                designated: designated.clone(),
                accept_loss_of: None,
                skip_hooks: false,
            };
            ui.work.confirm_recovery(request);
        })
    };
    let mut all: Vec<(&'static str, &'static str, Press)> = Vec::new();
    let server = key.clone();
    if now.replica && now.seen {
        let moved = key.clone();
        all.push(("move", "Move below…", Box::new(move || ui.moving.pick_up(ui, moved.clone(), By::Keyboard))));
        if now.runs {
            all.push(("", "Stop replication", plan(Operation::StopReplication { server: server.clone() })));
            all.push(("", "Restart replication", plan(Operation::RestartReplication { server: server.clone() })));
        } else if !now.detached {
            all.push(("", "Start replication", plan(Operation::StartReplication { server: server.clone() })));
            if !now.stopped {
                all.push(("", "Stop replication", plan(Operation::StopReplication { server: server.clone() })));
            }
        }
        let detach = if now.detached {
            ("Reattach", plan(Operation::ReattachReplica { server: server.clone() }))
        } else {
            ("Detach", plan(Operation::DetachReplica { server: server.clone() }))
        };
        all.push(("", detach.0, detach.1));
    }
    if now.seen {
        let write = if now.read_only {
            ("Set writeable", plan(Operation::SetWriteable { server: server.clone() }))
        } else {
            ("Set read-only", plan(Operation::SetReadOnly { server: server.clone() }))
        };
        all.push(("", write.0, write.1));
    }
    if now.replica
        && now.runs
        && ui.cluster.summary.with_untracked(|s| s.as_ref().is_some_and(|s| s.primary.as_ref() == Some(&now.source)))
    {
        let cluster = ui.cluster.name_once().unwrap_or_default();
        all.push(("bolt", "Take over as primary…", recover("graceful-takeover-auto", cluster, Some(key.clone()))));
    }
    if has_replicas && !now.seen {
        all.push(("bolt", "Recover…", recover("recover", key.to_string(), None)));
    }
    if now.is_source && has_replicas {
        let cluster = ui.cluster.name_once().unwrap_or_default();
        all.push(("bolt", "Force failover…", recover("force-failover", cluster, None)));
    }
    let text = key.to_string();
    all.push(("", "Look again", Box::new(move || refresh(ui, text.clone()))));
    if now.downtimed {
        let text = key.to_string();
        all.push(("", "End downtime", Box::new(move || end_downtime(ui, text.clone()))));
    } else {
        all.push(("moon", "Downtime…", Box::new(move || open.set(Open::Downtime))));
    }
    all.push(("", "Forget…", Box::new(move || open.set(Open::Forget))));
    all.into_iter().map(|(icon, label, press)| {
        view! {
            <button type="button" on:click=move |_| press()>
                {(!icon.is_empty()).then(|| view! { <Icon name=icon /> })}
                {label}
            </button>
        }
        .into_any()
    })
}

fn refresh(ui: Ui, key: String) {
    let done = format!("{key} was looked at again.");
    let call = async move {
        let view = send::<ServerView>(Method::POST, &path(&["servers", &key, "refresh"]), &()).await?;
        ui.cluster.put(view);
        Ok(())
    };
    act(ui, done, call, || {});
}

fn end_downtime(ui: Ui, key: String) {
    let done = format!("The downtime of {key} has ended.");
    let call = async move { send_only::<()>(Method::DELETE, &path(&["servers", &key, "downtime"]), None).await };
    act(ui, done, call, || {});
}

/// How welcome the server is as a primary.
#[component]
fn RuleChoice(server: InstanceKey, situation: Memo<Situation>) -> impl IntoView {
    const RULES: [PromotionRule; 4] =
        [PromotionRule::Prefer, PromotionRule::Neutral, PromotionRule::PreferNot, PromotionRule::MustNot];
    let ui = use_ui();
    let choose = move |rule: String| {
        let key = server.to_string();
        let done = format!("The promotion rule of {key} is {rule}.");
        let body = PromotionRuleRequest { rule };
        let call =
            async move { send_only(Method::PUT, &path(&["servers", &key, "promotion-rule"]), Some(&body)).await };
        act(ui, done, call, || {});
    };
    view! {
        <label class="inline rule-choice">
            "Promotion "
            <select on:change:target=move |e| choose(e.target().value()) prop:value=move || situation.get().rule.as_str()>
                {RULES.map(|rule| view! {
                    <option value=rule.as_str() selected=move || situation.get().rule == rule>{rule_words(rule)}</option>
                }).collect_view()}
            </select>
        </label>
    }
}
