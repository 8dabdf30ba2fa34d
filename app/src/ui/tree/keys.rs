//! The keyboard on the tree: arrows walk, Enter opens, `m` moves, `c` folds, `p` goes to the next problem, `/` finds, `r` tells what if it
//! died.

use leptos::ev;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;

use super::drawing::Drawing;
use super::node::element_id;
use super::pane::FIND_ID;
use super::picture::{Step, walk};
use crate::InstanceKey;
use crate::ui::model::find::{next, troubled};
use crate::ui::model::route::Route;
use crate::ui::model::tone::Tone;
use crate::ui::state::Ui;
use crate::ui::state::moving::By;

/// A key was pressed in the tree.
pub fn pressed(ui: Ui, drawing: Drawing, event: &ev::KeyboardEvent) {
    let holding = ui.moving.held.with_untracked(Option::is_some);
    if event.ctrl_key() || event.meta_key() || event.alt_key() || (!holding && is_over(event, ".tree-tools, button")) {
        return;
    }
    let key = event.key();
    let used = if holding { while_held(ui, drawing, &key) } else { while_walking(ui, drawing, &key) };
    if used {
        event.prevent_default();
        event.stop_propagation();
    }
}

/// Where letters are typed.
const TYPING: &str = "input:not([type=checkbox]), textarea, select, [role=dialog]";

/// Keys that work from anywhere on the page, but for where one types.
pub fn pressed_anywhere(ui: Ui, drawing: Drawing, event: &ev::KeyboardEvent) {
    if event.ctrl_key() || event.meta_key() || event.alt_key() || is_over(event, TYPING) {
        return;
    }
    match event.key().as_str() {
        "/" => focus_find(),
        "p" => next_problem(ui, drawing),
        _ => return,
    }
    event.prevent_default();
}

fn is_over(event: &ev::KeyboardEvent, what: &str) -> bool {
    let element = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|e| e.closest(what).ok().flatten().is_some())
}

fn while_held(ui: Ui, drawing: Drawing, key: &str) -> bool {
    match key {
        "ArrowRight" | "ArrowDown" => ui.moving.next_target(ui, false),
        "ArrowLeft" | "ArrowUp" => ui.moving.next_target(ui, true),
        " " | "z" => ui.moving.next_zone(ui),
        "Enter" => ui.moving.let_go(ui),
        "Escape" => ui.moving.cancel(),
        _ => return false,
    }
    if let Some(over) = ui.moving.over.get_untracked() {
        drawing.reveal(ui, &over);
    }
    true
}

fn while_walking(ui: Ui, drawing: Drawing, key: &str) -> bool {
    let step = match key {
        "ArrowLeft" => Step::Left,
        "ArrowRight" => Step::Right,
        "ArrowUp" => Step::Up,
        "ArrowDown" => Step::Down,
        "Home" => Step::First,
        "End" => Step::Last,
        "Enter" | " " => return select(ui, here(drawing)),
        "m" if ui.may_operate() => {
            if let Some(server) = here(drawing) {
                ui.moving.pick_up(ui, server, By::Keyboard);
            }
            return true;
        }
        "c" => {
            if let Some(server) = here(drawing) {
                drawing.toggle(ui, &server);
            }
            return true;
        }
        "f" | "0" => {
            drawing.fit(ui);
            return true;
        }
        "r" => {
            if let Route::Cluster { name, view, .. } = ui.navigator.route_once() {
                ui.navigator.go(&Route::Cluster { name, server: here(drawing), view, readiness: true });
            }
            return true;
        }
        "+" | "=" => {
            drawing.zoom(ui, 1.25);
            return true;
        }
        "-" => {
            drawing.zoom(ui, 0.8);
            return true;
        }
        "Escape" => return select(ui, None),
        _ => return false,
    };
    let next = drawing.plot.with_untracked(|plot| {
        let at = here(drawing).and_then(|key| plot.place(&key)).unwrap_or(0);
        plot.forest.nodes.get(walk(&plot.forest, &plot.picture, at, step)).map(|n| n.key.clone())
    });
    if let Some(next) = next {
        focus(ui, drawing, next);
    }
    true
}

/// Brings the next server that wants a look onto the screen, and selects it.
pub fn next_problem(ui: Ui, drawing: Drawing) {
    let order = drawing.whole.with_untracked(|forest| {
        ui.cluster.servers.with_untracked(|servers| {
            troubled(forest, |key| servers.get(key).map_or(Tone::Unknown, |s| s.with_untracked(Tone::of_server)))
        })
    });
    show_next(ui, drawing, &order);
}

/// The same with what is looked for, in the order of the tree.
pub fn next_found(ui: Ui, drawing: Drawing) {
    let found = drawing.found.get_untracked().unwrap_or_default();
    let order: Vec<InstanceKey> = drawing.whole.with_untracked(|forest| {
        forest.nodes.iter().map(|node| node.key.clone()).filter(|key| found.contains(key)).collect()
    });
    show_next(ui, drawing, &order);
}

fn show_next(ui: Ui, drawing: Drawing, order: &[InstanceKey]) {
    let Route::Cluster { name, server, view, readiness } = ui.navigator.route_once() else { return };
    match next(order, server.as_ref()) {
        None => ui.notices.say("No server."),
        Some(key) => {
            drawing.focused.set(Some(key.clone()));
            drawing.reveal(ui, &key);
            ui.notices.say(format!(
                "{key}, {} of {}",
                order.iter().position(|k| *k == key).unwrap_or(0) + 1,
                order.len()
            ));
            ui.navigator.go(&Route::Cluster { name, server: Some(key), view, readiness });
        }
    }
}

/// Puts the focus into the field that finds servers of the tree.
fn focus_find() {
    let field = document().get_element_by_id(FIND_ID).and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(field) = field {
        let _ = field.focus();
    }
}

/// The server that has the focus.
fn here(drawing: Drawing) -> Option<InstanceKey> {
    let element = document().active_element()?;
    let text = element.get_attribute("data-key")?;
    drawing
        .plot
        .with_untracked(|plot| plot.forest.nodes.iter().find(|n| n.key.to_string() == text).map(|n| n.key.clone()))
}

fn focus(ui: Ui, drawing: Drawing, key: InstanceKey) {
    let element = document().get_element_by_id(&element_id(&key));
    drawing.focused.set(Some(key.clone()));
    drawing.reveal(ui, &key);
    if let Some(element) = element.and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        let _ = element.focus_with_options(&options);
    }
}

fn select(ui: Ui, key: Option<InstanceKey>) -> bool {
    if let Route::Cluster { name, view, .. } = ui.navigator.route_once() {
        ui.navigator.go(&Route::Cluster { name, server: key, view, readiness: false });
    }
    true
}
