//! The pane that shows the tree.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::closure::Closure;

use super::drawing::Drawing;
use super::edge::{Edge, ExtraEdges, PlannedEdges};
use super::gestures::Gestures;
use super::keys::{next_found, next_problem, pressed, pressed_anywhere};
use super::minimap::Minimap;
use super::node::Node;
use super::picture::Direction;
use crate::InstanceKey;
use crate::ui::chrome::icon::Icon;
use crate::ui::model::camera::Point;
use crate::ui::model::decimal::{Decimal, px};
use crate::ui::model::tone::Tone;
use crate::ui::state::cluster::ServerSignal;
use crate::ui::state::moving::By;
use crate::ui::state::{Ui, use_ui};

/// Below this scale a box shows its state only.
const FARTHER: f64 = 0.24;
/// Identity of the field that finds servers.
pub const FIND_ID: &str = "find-server";

/// The tree of the cluster on the screen.
#[component]
pub fn TreePane() -> impl IntoView {
    let ui = use_ui();
    let drawing = Drawing::new(ui);
    let pane = NodeRef::<html::Div>::new();
    let gestures = Gestures::new(ui, drawing, pane);
    watch_size(pane, drawing.screen);
    // Escape puts a held server back wherever the focus is; keys of a server held by menu work from anywhere too.
    let keys = window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() {
        } else if ui.moving.held.with_untracked(Option::is_some) {
            pressed(ui, drawing, &event);
        } else {
            pressed_anywhere(ui, drawing, &event);
        }
    });
    on_cleanup(move || keys.remove());
    // A wheel listener must not be passive, or the page scrolls as well.
    Effect::new(move |_| {
        if let Some(element) = pane.get() {
            let wheel = Closure::<dyn Fn(ev::WheelEvent)>::new(move |event: ev::WheelEvent| gestures.wheel(&event));
            let options = web_sys::AddEventListenerOptions::new();
            options.set_passive(false);
            let _ = element.add_event_listener_with_callback_and_add_event_listener_options(
                "wheel",
                wheel.as_ref().unchecked_ref(),
                &options,
            );
            // It lives as long as the element, which takes it along.
            wheel.forget();
        }
    });
    let transform = move || drawing.camera.get().transform();
    let farther = Memo::new(move |_| drawing.camera.get().scale < FARTHER);
    let holding = Memo::new(move |_| ui.moving.held.with(Option::is_some));
    let keys_of_nodes = Memo::new(move |_| {
        drawing.plot.with(|p| p.forest.nodes.iter().map(|n| n.key.clone()).collect::<Vec<InstanceKey>>())
    });
    let width = move || drawing.plot.with(|p| px(p.picture.size.x).to_string());
    let height = move || drawing.plot.with(|p| px(p.picture.size.y).to_string());
    let afterwards = move || ui.work.afterwards.get();
    view! {
        <Finder ui=ui drawing=drawing />
        <div
            class="tree-pane"
            class:far=move || drawing.far.get()
            class:farther=move || farther.get()
            class:moving=move || drawing.moving.get()
            class:zooming=move || drawing.zooming.get()
            class:right=move || drawing.plot.with(|p| p.picture.direction == Direction::Right)
            class:holding=move || holding.get()
            class:afterwards=afterwards
            node_ref=pane
            on:pointerdown=move |e| gestures.down(&e)
            on:pointermove=move |e| gestures.moved(&e)
            on:pointerup=move |e| gestures.up(&e)
            on:pointercancel=move |_| gestures.cancel()
            on:keydown=move |e| pressed(ui, drawing, &e)
        >
            <div class="canvas" style:transform=transform>
                <svg class="edges" width=width height=height aria-hidden="true">
                    <For each=move || keys_of_nodes.get() key=Clone::clone children=move |key| view! { <Edge ui=ui drawing=drawing key=key /> } />
                    <ExtraEdges drawing=drawing />
                    <PlannedEdges ui=ui drawing=drawing />
                </svg>
                <div class="nodes" role="tree" aria-label="Replication tree">
                    <For
                        each=move || keys_of_nodes.get()
                        key=Clone::clone
                        children=move |key| {
                            ui.cluster.servers.with_untracked(|map| map.get(&key).cloned())
                                .map(|server| view! { <Node ui=ui drawing=drawing key=key server=server /> })
                        }
                    />
                </div>
            </div>
            <Tools ui=ui drawing=drawing />
            <Minimap ui=ui drawing=drawing />
            <HeldNote ui=ui />
            <Show when=afterwards><p class="afterwards-note">"Afterwards, if the plan is applied"</p></Show>
        </div>
    }
}

/// Keeps the size of the pane.
fn watch_size(pane: NodeRef<html::Div>, screen: RwSignal<Point>) {
    Effect::new(move |_| {
        let Some(element) = pane.get() else { return };
        let watched = element.clone();
        let resized = Closure::<dyn Fn()>::new(move || {
            let size = Point::new(f64::from(watched.client_width()), f64::from(watched.client_height()));
            if size.x > 1.0 && screen.try_get_untracked().is_some_and(|known| known != size) {
                screen.set(size);
            }
        });
        if let Ok(observer) = web_sys::ResizeObserver::new(resized.as_ref().unchecked_ref()) {
            observer.observe(&element);
        }
        // It lives as long as the element, which takes it along.
        resized.forget();
    });
}

/// Finds servers in the tree, goes to the next problem, leaves out what is well.
#[component]
fn Finder(ui: Ui, drawing: Drawing) -> impl IntoView {
    let count = Memo::new(move |_| drawing.found.with(|f| f.as_ref().map(|keys| keys.as_slice().len())));
    let troubled = Memo::new(move |_| {
        ui.cluster.servers.with(|all| {
            let loud = |s: &&ServerSignal| s.with(|s| Tone::of_server(s).urgency() >= Tone::Attention.urgency());
            all.values().filter(loud).count()
        })
    });
    let typed = move |event: ev::KeyboardEvent| match event.key().as_str() {
        "Enter" => next_found(ui, drawing),
        "Escape" => drawing.look_for(ui, String::new()),
        _ => {}
    };
    view! {
        <div class="tree-find" role="search" aria-label="Servers of this tree">
            <input
                id=FIND_ID
                type="search"
                placeholder="Find a server  /"
                aria-label="Find in this tree: name, version, data centre, problem, tag"
                prop:value=move || drawing.find.get()
                on:input:target=move |event| drawing.look_for(ui, event.target().value())
                on:keydown=typed
            />
            <span class="find-count" role="status">{move || count.get().map(|n| format!("{n} found"))}</span>
            <Show when=move || { troubled.get() > 0 }>
                <button type="button" class="plain find-problem tone-attention" title="Next problem (p)" on:click=move |_| next_problem(ui, drawing)>
                    <Icon name="triangle" />
                    <span>"Next problem, " {move || troubled.get()} " in all"</span>
                </button>
            </Show>
            <label class="find-trouble">
                <input type="checkbox" prop:checked=move || drawing.trouble.get() on:change=move |_| drawing.toggle_trouble(ui) />
                "Only trouble"
            </label>
        </div>
    }
}

/// Zoom, fit, folding, direction.
#[component]
fn Tools(ui: Ui, drawing: Drawing) -> impl IntoView {
    let turn = move |_| {
        let now = drawing.plot.with_untracked(|p| p.picture.direction);
        drawing.direction.set(Some(if now == Direction::Down { Direction::Right } else { Direction::Down }));
        drawing.fit(ui);
    };
    let folded = Memo::new(move |_| drawing.closed.with(|c| !c.as_slice().is_empty()));
    let fold_label = move || if folded.get() { "Expand all" } else { "Collapse all sub-trees" };
    let fold_icon = Signal::derive(move || if folded.get() { "unfold" } else { "fold" });
    let scale = move || format!("{} %", Decimal(drawing.camera.get().scale * 100.0, 0));
    view! {
        <div class="tree-tools" role="toolbar" aria-label="View of the tree">
            <button type="button" class="plain" aria-label="Larger" title="Larger (+)" on:click=move |_| drawing.zoom(ui, 1.25)><Icon name="plus" /></button>
            <span class="scale">{scale}</span>
            <button type="button" class="plain" aria-label="Smaller" title="Smaller (−)" on:click=move |_| drawing.zoom(ui, 0.8)><Icon name="minus" /></button>
            <button type="button" class="plain" aria-label="Fit all" title="Fit all (f)" on:click=move |_| drawing.fit(ui)><Icon name="fit" /></button>
            <button type="button" class="plain" aria-label=fold_label title=fold_label on:click=move |_| drawing.toggle_all(ui)><Icon name=fold_icon /></button>
            <button type="button" class="plain" aria-label="Turn the tree" title="Turn the tree" on:click=turn><Icon name="turn" /></button>
        </div>
    }
}

/// What is held: beside the pointer, or at the top when it is held by keyboard or menu.
#[component]
fn HeldNote(ui: Ui) -> impl IntoView {
    let held = Memo::new(move |_| ui.moving.held.with(|h| h.as_ref().map(|h| (h.server.clone(), h.by))));
    let transform = move || {
        let at = ui.moving.pointer.get();
        format!("translate({}px, {}px)", px(at.x + 14.0), px(at.y - 64.0))
    };
    let words = move || match (ui.moving.over.get(), ui.moving.zone.get()) {
        (Some(over), Some(zone)) => format!("{}: {over}", zone.label()),
        (Some(over), None) => format!("not {over}"),
        (None, _) => "over a server that is lit".to_owned(),
    };
    move || {
        held.get().map(|(server, by)| match by {
            By::Pointer => view! {
                <div class="ghost" style:transform=transform>
                    <strong>{server.to_string()}</strong>
                    <span>{words}</span>
                </div>
            }
            .into_any(),
            By::Keyboard => view! {
                <div class="held-note">
                    <strong>"Moving " {server.to_string()}</strong>
                    <span>{words}</span>
                    <span class="quiet"><kbd>"←"</kbd><kbd>"→"</kbd> " or click: where to · " <kbd>"Space"</kbd> " what · " <kbd>"Enter"</kbd> " plan"</span>
                    <button type="button" on:click=move |_| ui.moving.cancel()>"Leave it" " " <kbd>"Esc"</kbd></button>
                </div>
            }
            .into_any(),
        })
    }
}
