//! One server in the tree.

use leptos::attr::custom::custom_attribute;
use leptos::prelude::*;

use super::drawing::Drawing;
use crate::InstanceKey;
use crate::ui::chrome::icon::Icon;
use crate::ui::model::age::ago_text;
use crate::ui::model::data_centre;
use crate::ui::model::decimal::{Decimal, px};
use crate::ui::model::fold::hidden as sum_up;
use crate::ui::model::move_targets::{Drop, Verdict};
use crate::ui::model::route::Route;
use crate::ui::model::server::{Part, box_line, name_parts, spoken, write_word};
use crate::ui::model::tone::{Tone, problem_words};
use crate::ui::state::Ui;
use crate::ui::state::cluster::ServerSignal;
use crate::ui::state::moving::By;

/// Identity of a server's element, for focus and for finding it under the pointer.
pub fn element_id(key: &InstanceKey) -> String {
    format!("node-{key}")
}

/// A server's box. `server` must be a signal of the cluster on the screen.
#[component]
pub fn Node(ui: Ui, drawing: Drawing, key: InstanceKey, server: ServerSignal) -> impl IntoView {
    let read = RwSignal::from(server);
    let stored = StoredValue::new(key.clone());
    let name = Memo::new(move |_| ui.fleet.cut.with(|cut| stored.with_value(|key| name_parts(key, cut))));
    let place = Memo::new(move |_| {
        drawing.plot.with(|plot| {
            let at = stored.with_value(|key| plot.place(key))?;
            let node = plot.forest.nodes.get(at)?;
            Some((plot.picture.corner(at), node.depth + 1, node.children.len() + node.hidden.len()))
        })
    });
    let hidden = Memo::new(move |_| drawing.plot.with(|plot| plot.hidden(&stored.get_value())));
    let part = Memo::new(move |_| {
        let below = place.get().map_or(0, |(_, _, below)| below);
        read.with(|s| Part::of(&s.instance, below))
    });
    let tone = Memo::new(move |_| read.with(Tone::of_server));
    let selected = Memo::new(
        move |_| matches!(ui.navigator.route(), Route::Cluster { server: Some(k), .. } if k == stored.get_value()),
    );
    let focusable = Memo::new(move |_| match drawing.focused.get() {
        Some(key) => key == stored.get_value(),
        // Before anybody walked, the tree is entered at the selected server, else at its first.
        None => match ui.navigator.route() {
            Route::Cluster { server: Some(k), .. } => k == stored.get_value(),
            _ => drawing.plot.with(|p| p.forest.nodes.first().is_some_and(|n| n.key == stored.get_value())),
        },
    });
    let held = Memo::new(move |_| ui.moving.held.with(|h| h.as_ref().is_some_and(|h| h.server == stored.get_value())));
    let verdict = Memo::new(move |_| {
        ui.moving.held.with(|h| h.as_ref().and_then(|h| h.verdicts.get(&stored.get_value()).cloned()))
    });
    let over = Memo::new(move |_| ui.moving.over.with(|o| o.as_ref() == Some(&stored.get_value())));
    let moves =
        Memo::new(move |_| ui.work.plan().is_some_and(|p| p.moves.iter().any(|m| m.server == stored.get_value())));
    // While something is looked for, what it is not steps back.
    let dimmed =
        Memo::new(move |_| drawing.found.with(|f| f.as_ref().is_some_and(|f| !f.contains(&stored.get_value()))));
    let class = move || {
        let dc = read.with(|s| data_centre::class(&s.instance.data_center));
        let mut class = format!("node {} {dc}", tone.get().class());
        for (on, name) in [
            (part.get() == Part::Primary || part.get() == Part::CoSource, " primary"),
            (selected.get(), " selected"),
            (held.get(), " held"),
            (verdict.with(|v| v.as_ref().is_some_and(Verdict::is_target)), " target"),
            (verdict.with(|v| v.as_ref().is_some_and(|v| !v.is_target())), " no-target"),
            (over.get(), " over"),
            (moves.get(), " moves"),
            (dimmed.get(), " dimmed"),
            (hidden.with(|h| !h.is_empty()), " folded"),
        ] {
            if on {
                class.push_str(name);
            }
        }
        class
    };
    let transform = move || {
        place.get().map_or_else(
            || "scale(0)".to_owned(),
            |(corner, ..)| format!("translate({}px, {}px)", px(corner.x), px(corner.y)),
        )
    };
    // With the age at the moment of the change, not each second.
    let more = Memo::new(move |_| read.with(|s| spoken(s, ui.clock.now_once())));
    let line = Memo::new(move |_| read.with(box_line));
    let write = Memo::new(move |_| read.with(|s| write_word(&s.instance)));
    let dc = Memo::new(move |_| read.with(|s| s.instance.data_center.clone()));
    let icon = Signal::derive(move || tone.get().icon());
    // Nobody reads it from afar, and hundreds of them changing each second cost frames.
    let age = Memo::new(move |_| match drawing.far.get() {
        true => String::new(),
        false => ago_text(read.with(|s| s.instance.check.last_seen), ui.clock.now()),
    });
    let trouble = Memo::new(move |_| {
        read.with(|s| match (s.downtime.is_some(), s.problems.first()) {
            (true, _) => "downtimed".to_owned(),
            (false, Some(first)) => {
                let more = s.problems.len() - 1;
                if more == 0 { problem_words(first) } else { format!("{} +{more}", problem_words(first)) }
            }
            (false, None) => String::new(),
        })
    });
    let expanded = move || {
        let below = place.get().map_or(0, |(_, _, below)| below);
        (below > 0).then(|| if hidden.with(Vec::is_empty) { "true" } else { "false" })
    };
    let level = move || place.get().map_or(1, |(_, level, _)| level).to_string();
    view! {
        <div
            id=element_id(&key)
            class=class
            role="treeitem"
            data-key=key.to_string()
            {..custom_attribute("aria-level", level)}
            {..custom_attribute("aria-expanded", expanded)}
            aria-selected=move || if selected.get() { "true" } else { "false" }
            tabindex=move || if focusable.get() { "0" } else { "-1" }
            style:transform=transform
        >
            <div class="node-face">
            <div class="node-top">
                <span class="node-tone"><Icon name=icon /></span>
                <span class="node-name" title=key.to_string()><span class="host">{move || name.with(|(host, _)| host.clone())}</span><span class="port">{move || name.with(|(_, port)| port.clone())}</span></span>
                <span class="node-write" class:writes=move || write.get() == "rw">{move || write.get()}</span>
            </div>
            <div class="node-middle"><span class="node-part">{move || part.get().word()}</span> " " {move || line.get()}</div>
            <div class="node-low">
                <span class="node-dc">{move || dc.get()}</span>
                <span class="node-trouble">{move || trouble.get()}</span>
                <span class="node-age" aria-hidden="true">{move || age.get()}</span>
            </div>
            <span class="spoken">{move || more.get()}</span>
            </div>
            <Fold ui=ui drawing=drawing key=key.clone() hidden=hidden below=Memo::new(move |_| place.get().map_or(0, |(_, _, below)| below)) />
            <Zones ui=ui drawing=drawing verdict=verdict over=over />
        </div>
    }
}

/// How many hang below a server, or what hides there; pressing it folds or opens. Not a stop of the Tab key: `c` does it.
#[component]
fn Fold(
    ui: Ui,
    drawing: Drawing,
    key: InstanceKey,
    /// Those below that are not drawn.
    hidden: Memo<Vec<InstanceKey>>,
    /// How many are right below, drawn or not.
    below: Memo<usize>,
) -> impl IntoView {
    let key = StoredValue::new(key);
    let sum = Memo::new(move |_| {
        let state = |key: &InstanceKey| {
            let server = ui.cluster.server(key)?;
            Some(server.with(|s| (Tone::of_server(s), s.instance.data_center.clone())))
        };
        hidden.with(|keys| sum_up(&keys.iter().filter_map(state).collect::<Vec<_>>()))
    });
    let label = move || match sum.get() {
        Some(sum) => format!("Expand {}: {}", key.with_value(ToString::to_string), sum.long),
        None => format!("Collapse {}: {} below", key.with_value(ToString::to_string), below.get()),
    };
    let class = move || {
        sum.with(|s| s.as_ref().map_or("node-fold".to_owned(), |s| format!("node-fold shut {}", s.tone.class())))
    };
    let icon = Signal::derive(move || {
        sum.with(|s| s.as_ref().map_or("minus", |s| if s.tone == Tone::Ok { "plus" } else { s.tone.icon() }))
    });
    let text = move || sum.with(|s| s.as_ref().map_or_else(|| below.get().to_string(), |s| s.short.clone()));
    view! {
        <Show when=move || { below.get() > 0 }>
            // The focus stays in the tree, whose keys it is for.
            <button type="button" class=class tabindex="-1" aria-label=label title=label
                on:mousedown=|event| event.prevent_default()
                on:click=move |_| key.with_value(|key| drawing.toggle(ui, key))>
                <Icon name=icon />
                <span>{text}</span>
            </button>
        </Show>
    }
}

/// So many servers at most have their zones drawn at once: where there are more, the one that is aimed at has.
const ZONES: usize = 60;

/// The labelled zones of a target, or the reason why it is none. Only while a server is held.
#[component]
fn Zones(ui: Ui, drawing: Drawing, verdict: Memo<Option<Verdict>>, over: Memo<bool>) -> impl IntoView {
    let few = Memo::new(move |_| drawing.plot.with(|p| p.forest.nodes.len() <= ZONES));
    let verdict =
        Memo::new(move |_| if over.get() || (few.get() && !drawing.far.get()) { verdict.get() } else { None });
    // From afar they are as large as they would be near by.
    let size = move || {
        let scale = drawing.camera.get().scale;
        if drawing.far.get() { format!("scale({})", Decimal(1.0 / scale, 4)) } else { "none".to_owned() }
    };
    let zone = move |drop: Drop| {
        let active = move || over.get() && ui.moving.zone.get() == Some(drop);
        view! { <span class="zone" class:active=active data-zone=drop.label()>{drop.label()}</span> }
    };
    let by_key = Memo::new(move |_| ui.moving.held.with(|h| h.as_ref().is_some_and(|h| h.by == By::Keyboard)));
    move || {
        verdict.get().map(|verdict| {
            if verdict.is_target() {
                let zones = verdict.allowed.clone().into_iter().map(zone).collect_view();
                let hint = move || (by_key.get() && over.get()).then_some("Enter");
                // What else is offered here does not hide why the plain move is not.
                let why = verdict.refusal.map(|r| format!("Not below: {}", r.message));
                let why =
                    move || over.get().then(|| why.clone().map(|why| view! { <span class="zone-why">{why}</span> }));
                view! { <div class="zones" style:transform=size>{zones}{why}<span class="zone-hint">{hint}</span></div> }.into_any()
            } else {
                let why = verdict.refusal.map(|r| r.message).unwrap_or_default();
                view! { <div class="why-not" class:shown=move || over.get() style:transform=size>{why}</div> }.into_any()
            }
        })
    }
}

/// The zone of this label.
pub fn zone_of(label: &str) -> Option<Drop> {
    [Drop::Below, Drop::ReplicasBelow, Drop::TakeOver].into_iter().find(|d| d.label() == label)
}
