//! Pointers on the tree: click selects, dragging a box moves a server, dragging elsewhere moves the picture, two fingers and the
//! wheel zoom. A finger on a box moves the picture too: on a phone servers are moved by menu.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;

use super::drawing::Drawing;
use super::node::zone_of;
use crate::InstanceKey;
use crate::ui::model::camera::Point;
use crate::ui::model::route::Route;
use crate::ui::state::Ui;
use crate::ui::state::moving::By;

/// A pointer counts as dragging after this many CSS pixels.
const SLACK: f64 = 5.0;

/// A pointer that is down.
#[derive(Debug, Clone)]
struct Down {
    id: i32,
    began: Point,
    last: Point,
    /// The box it went down on.
    on: Option<InstanceKey>,
    /// It may pick that box up.
    may_hold: bool,
    dragging: bool,
}

/// The pointers of a pane.
#[derive(Clone, Copy)]
pub struct Gestures {
    ui: Ui,
    drawing: Drawing,
    pane: NodeRef<html::Div>,
    downs: StoredValue<Vec<Down>>,
}

impl Gestures {
    /// For the pane.
    pub fn new(ui: Ui, drawing: Drawing, pane: NodeRef<html::Div>) -> Self {
        Self { ui, drawing, pane, downs: StoredValue::new(Vec::new()) }
    }

    fn point(self, event: &web_sys::MouseEvent) -> Point {
        let origin = self.pane.get_untracked().map(|pane| pane.get_bounding_client_rect());
        let (left, top) = origin.map_or((0.0, 0.0), |r| (r.left(), r.top()));
        Point::new(f64::from(event.client_x()) - left, f64::from(event.client_y()) - top)
    }

    /// A pointer goes down.
    pub fn down(self, event: &ev::PointerEvent) {
        if event.button() != 0 || over_tools(event) {
            return;
        }
        let at = self.point(event);
        let on = node_of(event.target());
        let may_hold = on.is_some() && event.pointer_type() != "touch" && self.ui.may_operate();
        let down = Down { id: event.pointer_id(), began: at, last: at, on, may_hold, dragging: false };
        self.downs.update_value(|downs| {
            downs.retain(|d| d.id != down.id);
            downs.push(down);
        });
    }

    /// A pointer moves.
    pub fn moved(self, event: &ev::PointerEvent) {
        let at = self.point(event);
        let id = event.pointer_id();
        let (Some(down), others) = self.downs.with_value(|downs| {
            let mine = downs.iter().find(|d| d.id == id).cloned();
            (mine, downs.iter().filter(|d| d.id != id).cloned().collect::<Vec<_>>())
        }) else {
            return;
        };
        let far = (at.x - down.began.x).hypot(at.y - down.began.y) > SLACK;
        let dragging = down.dragging || far;
        self.downs.update_value(|downs| {
            if let Some(mine) = downs.iter_mut().find(|d| d.id == id) {
                mine.last = at;
                mine.dragging = dragging;
            }
        });
        if !dragging {
            return;
        }
        if !down.dragging {
            self.begin(&down, event);
        }
        if self.holds() {
            self.ui.moving.pointer.set(at);
            self.aim(event);
        } else if let Some(other) = others.first() {
            let before = (down.last.x - other.last.x).hypot(down.last.y - other.last.y);
            let now = (at.x - other.last.x).hypot(at.y - other.last.y);
            if before > 1.0 {
                let middle = Point::new((at.x + other.last.x) / 2.0, (at.y + other.last.y) / 2.0);
                self.drawing.look(self.ui, |camera| camera.zoomed(now / before, middle));
            }
        } else {
            let by = Point::new(at.x - down.last.x, at.y - down.last.y);
            self.drawing.look(self.ui, |camera| camera.panned(by));
        }
    }

    fn holds(self) -> bool {
        self.ui.moving.held.with_untracked(|h| h.as_ref().is_some_and(|h| h.by == By::Pointer))
    }

    fn begin(self, down: &Down, event: &ev::PointerEvent) {
        if let Some(pane) = self.pane.get_untracked() {
            let _ = pane.set_pointer_capture(event.pointer_id());
        }
        if let (Some(key), true) = (&down.on, down.may_hold) {
            self.ui.moving.pick_up(self.ui, key.clone(), By::Pointer);
        }
    }

    /// What is below the pointer, and which of its zones.
    fn aim(self, event: &ev::PointerEvent) {
        #[allow(clippy::cast_precision_loss)]
        let below = document().element_from_point(event.client_x() as f32, event.client_y() as f32);
        let target = below.clone().and_then(|e| node_of(Some(e.unchecked_into())));
        let held = self.ui.moving.held.with_untracked(|h| h.as_ref().map(|h| h.server.clone()));
        let target = target.filter(|t| Some(t) != held.as_ref());
        self.ui.moving.hover(self.ui, target);
        let label =
            below.and_then(|e| e.closest("[data-zone]").ok().flatten()).and_then(|e| e.get_attribute("data-zone"));
        if let Some(zone) = label.as_deref().and_then(zone_of)
            && self.ui.moving.zone.get_untracked() != Some(zone)
        {
            self.ui.moving.zone.set(Some(zone));
        }
    }

    /// A pointer goes up.
    pub fn up(self, event: &ev::PointerEvent) {
        let id = event.pointer_id();
        let down = self.downs.with_value(|downs| downs.iter().find(|d| d.id == id).cloned());
        self.downs.update_value(|downs| downs.retain(|d| d.id != id));
        let Some(down) = down else { return };
        if self.holds() {
            self.ui.moving.let_go(self.ui);
        } else if !down.dragging {
            match down.on {
                Some(key) => self.clicked(key),
                None => self.ui.moving.cancel(),
            }
        }
    }

    /// A pointer is lost.
    pub fn cancel(self) {
        self.downs.update_value(Vec::clear);
        if self.holds() {
            self.ui.moving.cancel();
        }
    }

    fn clicked(self, key: InstanceKey) {
        self.drawing.focused.set(Some(key.clone()));
        // A server held by menu or keyboard goes where one clicks.
        if self.ui.moving.held.with_untracked(Option::is_some) {
            self.ui.moving.hover(self.ui, Some(key));
            self.ui.moving.let_go(self.ui);
        } else if let Route::Cluster { name, view, .. } = self.ui.navigator.route_once() {
            self.ui.work.dismiss_if_done();
            self.ui.navigator.go(&Route::Cluster { name, server: Some(key), view, readiness: false });
        }
    }

    /// The wheel turns: zooms around the pointer.
    pub fn wheel(self, event: &ev::WheelEvent) {
        event.prevent_default();
        let at = self.point(event);
        let lines = if event.delta_mode() == web_sys::WheelEvent::DOM_DELTA_LINE { 24.0 } else { 1.0 };
        let factor = (-event.delta_y() * lines * if event.ctrl_key() { 0.01 } else { 0.0016 }).exp();
        self.drawing.look(self.ui, |camera| camera.zoomed(factor, at));
    }
}

/// The server whose box an event happened in.
fn node_of(target: Option<web_sys::EventTarget>) -> Option<InstanceKey> {
    let element = target?.dyn_into::<web_sys::Element>().ok()?.closest("[data-key]").ok()??;
    let text = element.get_attribute("data-key")?;
    let (host, port) = text.rsplit_once(':')?;
    Some(InstanceKey::new(host, port.parse().ok()?))
}

fn over_tools(event: &ev::PointerEvent) -> bool {
    let element = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|e| e.closest(".tree-tools, .minimap, .node-fold").ok().flatten().is_some())
}
