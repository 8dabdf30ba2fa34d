//! The keyboard on the tree: arrows walk, Enter opens, `m` moves, `r` tells what if it died.

use leptos::ev;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;

use super::drawing::Drawing;
use super::node::element_id;
use super::picture::{Step, walk};
use crate::InstanceKey;
use crate::ui::model::route::Route;
use crate::ui::state::Ui;
use crate::ui::state::moving::By;

/// A key was pressed in the tree.
pub fn pressed(ui: Ui, drawing: Drawing, event: &ev::KeyboardEvent) {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    let key = event.key();
    let used = if ui.moving.held.with_untracked(Option::is_some) {
        while_held(ui, drawing, &key)
    } else {
        while_walking(ui, drawing, &key)
    };
    if used {
        event.prevent_default();
        event.stop_propagation();
    }
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
        let at = here(drawing).and_then(|key| plot.places.get(&key).copied()).unwrap_or(0);
        plot.forest.nodes.get(walk(&plot.forest, &plot.picture, at, step)).map(|n| n.key.clone())
    });
    if let Some(next) = next {
        focus(ui, drawing, next);
    }
    true
}

/// The server that has the focus.
fn here(drawing: Drawing) -> Option<InstanceKey> {
    let element = document().active_element()?;
    let text = element.get_attribute("data-key")?;
    drawing.plot.with_untracked(|plot| plot.places.keys().find(|k| k.to_string() == text).cloned())
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
