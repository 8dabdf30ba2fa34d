//! One recovery: what was seen, what was decided and why, step by step, live while it runs.

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::AcknowledgeRequest;
use crate::recovery::{Recovery, RecoveryState};
use crate::ui::chrome::act::act;
use crate::ui::chrome::icon::Icon;
use crate::ui::chrome::parts::{Ago, Badge, Loaded};
use crate::ui::infra::api::{path, send_only};
use crate::ui::model::age::{clock_text, duration_text, moment_text};
use crate::ui::model::loss::Offer;
use crate::ui::model::recovery::{elapsed, headline, kind_text, progress_text};
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::panel::confirm::{ConfirmPanel, loss_offer};
use crate::ui::panel::evidence::Evidence;
use crate::ui::panel::readiness::considered_list;
use crate::ui::panel::steps::StepList;
use crate::ui::state::remote::Remote;
use crate::ui::state::use_ui;

/// The page of one recovery.
#[component]
pub fn RecoveryPage() -> impl IntoView {
    let ui = use_ui();
    let record = Remote::<Recovery>::new();
    let id = ui.navigator.part(|r| match r {
        Route::Recovery { id } => id.clone(),
        _ => String::new(),
    });
    Effect::new(move |_| {
        let id = id.get();
        spawn_local(async move { record.read(ui.link, &path(&["recoveries", &id])).await });
    });
    // While it runs the whole record comes with each event; an acknowledgement comes the same way.
    Effect::new(move |_| {
        let fresh = ui.fleet.recoveries.value.with(|list| {
            let shown = record.value.with_untracked(|r| r.as_ref().map(|r| r.uid.clone()))?;
            list.iter().flatten().find(|r| r.uid == shown).cloned()
        });
        if let Some(fresh) = fresh
            && record.value.with_untracked(|known| known.as_ref() != Some(&fresh))
        {
            record.value.set(Some(fresh));
        }
    });
    view! {
        <section class="column">
            <Loaded here=Signal::derive(move || record.value.with(Option::is_some)) error=record.error>
                {move || record.value.get().map(|recovery| view! { <Record recovery=recovery /> })}
            </Loaded>
            <Show when=move || record.value.with(Option::is_none)><h1 class="spoken">"Recovery"</h1></Show>
        </section>
    }
}

#[component]
fn Record(recovery: Recovery) -> impl IntoView {
    let ui = use_ui();
    let recovery = StoredValue::new(recovery);
    let with = move |read: fn(&Recovery) -> String| recovery.with_value(read);
    let tone = recovery.with_value(Tone::of_recovery);
    let title =
        move || recovery.with_value(|r| headline(r, if r.is_running() { ui.clock.now() } else { ui.clock.now_once() }));
    let took = move || {
        recovery.with_value(|r| duration_text(elapsed(r, if r.is_running() { ui.clock.now() } else { r.started })))
    };
    let cluster = with(|r| if r.cluster_alias.is_empty() { r.cluster.clone() } else { r.cluster_alias.clone() });
    let started = recovery.with_value(|r| r.started);
    view! {
        <div class="title-row">
            <h1>{title}</h1>
            <Badge tone=tone />
        </div>
        <p class="small">
            {recovery.with_value(|r| kind_text(r.kind))} " of "
            <a href=Route::cluster(&cluster).address()>{cluster.clone()}</a>
            ", begun by " {with(|r| r.actor.clone())} " on " {with(|r| r.node.clone())} " "
            <Ago at=Some(started) /> " (" {moment_text(started)} "), "
            {took} ", " {recovery.with_value(progress_text)} "."
        </p>
        {failure(recovery)}
        <Acknowledgement recovery=recovery />
        {recovery.with_value(Offer::after).map(|offer| loss(recovery, offer))}
        <div class="recovery-grid">
            <section aria-label="Story" class="card">
                <h2>"What happened"</h2>
                <Story recovery=recovery />
                {errors(recovery)}
            </section>
            <section aria-label="Considered" class="card">
                <h2>"Who was considered, and why not"</h2>
                {considered_list(recovery.with_value(|r| r.considered.clone()))}
                <h2>"What was seen"</h2>
                <Evidence finding=recovery.with_value(|r| r.finding.clone()) />
            </section>
            <section aria-label="Steps" class="card wide">
                <h2>"Steps"</h2>
                {steps(recovery)}
            </section>
        </div>
    }
}

#[component]
fn Story(recovery: StoredValue<Recovery>) -> impl IntoView {
    let lines = recovery.with_value(|r| {
        let started = r.started;
        r.story.iter().map(|line| (line.at, line.at - started, line.message.clone())).collect::<Vec<_>>()
    });
    let live = recovery.with_value(Recovery::is_running);
    let empty = lines.is_empty();
    view! {
        <div role=live.then_some("log") aria-label=live.then_some("Story, as it happens")>
        <ol class="story">
            {lines.into_iter().map(|(at, since, message)| view! {
                <li>
                    <time title=moment_text(at)>{clock_text(at)}</time>
                    <span class="since">"+" {duration_text(since)}</span>
                    <span>{message}</span>
                </li>
            }).collect_view()}
        </ol>
        </div>
        {empty.then(|| view! { <p class="quiet">"Nothing was written down yet."</p> })}
    }
}

fn errors(recovery: StoredValue<Recovery>) -> impl IntoView {
    let (errors, lost) = recovery.with_value(|r| (r.errors.clone(), r.lost_replicas.clone()));
    view! {
        {(!lost.is_empty()).then(|| view! {
            <p class="tone-broken"><Icon name="cross" /> "Replicas that could not be kept: "
                {lost.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")}</p>
        })}
        <ul class="errors">
            {errors.into_iter().map(|e| view! { <li class="tone-broken"><Icon name="cross" /> <span>{e}</span></li> }).collect_view()}
        </ul>
    }
}

fn steps(recovery: StoredValue<Recovery>) -> impl IntoView {
    let (steps, states) = recovery.with_value(|r| {
        let states = r.steps.iter().map(|s| (s.step.id, s.state.clone())).collect();
        (r.steps.iter().map(|s| s.step.clone()).collect::<Vec<_>>(), states)
    });
    let empty = steps.is_empty();
    view! {
        <StepList steps=steps states=Signal::stored(Some(states)) in_recovery=true />
        {empty.then(|| view! { <p class="quiet">"No step was taken."</p> })}
    }
}

/// All of why it failed, where the heading has only the beginning.
fn failure(recovery: StoredValue<Recovery>) -> AnyView {
    let reason = recovery.with_value(|r| match &r.state {
        RecoveryState::Failed { reason } if reason.contains("; ") && Offer::after(r).is_none() => Some(reason.clone()),
        _ => None,
    });
    reason.map(|reason| view! { <p class="tone-broken"><Icon name="cross" /> <span>{reason}</span></p> }).into_any()
}

/// What would be lost, and the way on, as long as nothing else has recovered the cluster since.
fn loss(recovery: StoredValue<Recovery>, offer: Offer) -> AnyView {
    let ui = use_ui();
    let open = Memo::new(move |_| {
        let latest = ui.fleet.recoveries.value;
        recovery.with_value(|r| latest.with(|list| Offer::is_open(r, list.as_deref().unwrap_or_default())))
    });
    let offer = StoredValue::new(offer);
    let ask = move || {
        let told = offer.get_value();
        view! {
            <h2>"Refused, because writes would be lost"</h2>
            {told.told.iter().map(|line| view! { <p>{line.clone()}</p> }).collect_view()}
            <pre tabindex="0" aria-label="Transactions at risk">{told.at_risk().to_owned()}</pre>
            {loss_offer(told)}
        }
    };
    on_cleanup(move || ui.work.dismiss());
    view! {
        <Show when=move || open.get()>
            <section class="card loss" aria-label="Writes at risk">
                <Show when=move || ui.work.is_open() fallback=ask><ConfirmPanel /></Show>
            </section>
        </Show>
    }
    .into_any()
}

/// Who has looked at it; the form to say so.
#[component]
fn Acknowledgement(recovery: StoredValue<Recovery>) -> impl IntoView {
    let ui = use_ui();
    let comment = RwSignal::new(String::new());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let body = AcknowledgeRequest { comment: comment.get_untracked().trim().to_owned() };
        if body.comment.is_empty() {
            ui.notices
                .failed("Say in a few words what you found: the comment of an acknowledgement must not be empty.");
            return;
        }
        let uid = recovery.with_value(|r| r.uid.clone());
        let call =
            async move { send_only(Method::PUT, &path(&["recoveries", &uid, "acknowledgement"]), Some(&body)).await };
        act(ui, "Acknowledged.", call, || {});
    };
    let done = recovery.with_value(|r| r.acknowledged.clone());
    let running = recovery.with_value(Recovery::is_running);
    let may = move || recovery.with_value(|r| ui.may_operate_on(&r.cluster, &r.cluster_alias));
    match done {
        Some(ack) => view! {
            <p class="acknowledgement tone-ok">
                <Icon name="ack" />
                "Acknowledged by " <strong>{ack.by}</strong> " " <Ago at=Some(ack.at) /> ": " {ack.comment}
            </p>
        }
        .into_any(),
        None if running => ().into_any(),
        None => view! {
            <div class="acknowledgement">
                <p class="tone-attention"><Icon name="triangle" /> "Not acknowledged: until somebody does, another recovery of this cluster may be held back."</p>
                <Show when=may fallback=|| view! { <p class="quiet">"An operator can acknowledge it."</p> }>
                    <form class="row-form" on:submit=submit>
                        <label>"Comment" <input type="text" required bind:value=comment /></label>
                        <button type="submit" class="primary">"Acknowledge"</button>
                    </form>
                </Show>
            </div>
        }
        .into_any(),
    }
}
