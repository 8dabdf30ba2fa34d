//! The address bar. Links are plain anchors relative to the document's base, so a prefix, a new tab and "copy link" all work;
//! a click on one that stays on the page is answered here without loading anything.

use leptos::ev;
use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};

use crate::ui::model::route::Route;

/// Where the page is and how it goes elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Navigator {
    route: RwSignal<Route>,
}

impl Navigator {
    /// Reads the address and listens to clicks and to the browser's history.
    pub fn start() -> Self {
        let navigator = Self { route: RwSignal::new(current()) };
        let _ = window_event_listener(ev::popstate, move |_| navigator.arrive());
        let _ = window_event_listener(ev::click, move |event| {
            if let Some(address) = link_of(&event) {
                event.prevent_default();
                navigator.go(&Route::parse(&address));
            }
        });
        navigator
    }

    /// What is shown.
    pub fn route(self) -> Route {
        self.route.get()
    }

    /// The same without redrawing.
    pub fn route_once(self) -> Route {
        self.route.get_untracked()
    }

    /// A part of what is shown; redraws only when the part changes.
    pub fn part<T: PartialEq + Send + Sync + 'static>(
        self,
        part: impl Fn(&Route) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| self.route.with(|route| part(route)))
    }

    /// Goes there, with an entry in the history.
    pub fn go(self, route: &Route) {
        if *route != self.route_once() {
            let _ = history().and_then(|h| h.push_state_with_url(&JsValue::NULL, "", Some(&route.address())).ok());
            self.arrive();
        }
    }

    /// Goes there in place of the present entry.
    pub fn replace(self, route: &Route) {
        if *route != self.route_once() {
            let _ = history().and_then(|h| h.replace_state_with_url(&JsValue::NULL, "", Some(&route.address())).ok());
            self.arrive();
        }
    }

    fn arrive(self) {
        let route = current();
        if route != self.route.get_untracked() {
            self.route.set(route);
        }
    }
}

fn history() -> Option<web_sys::History> {
    window().history().ok()
}

/// The document's base, e.g. `http://host:3000/prefix/`.
fn base() -> String {
    document().base_uri().ok().flatten().unwrap_or_default()
}

fn current() -> Route {
    let href = window().location().href().unwrap_or_default();
    Route::parse(href.strip_prefix(&base()).unwrap_or("web"))
}

/// The address of a clicked link that this page answers itself, relative to the base.
fn link_of(event: &ev::MouseEvent) -> Option<String> {
    if event.default_prevented()
        || event.button() != 0
        || event.meta_key()
        || event.ctrl_key()
        || event.shift_key()
        || event.alt_key()
    {
        return None;
    }
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    let anchor = element.closest("a[href]").ok()??.dyn_into::<web_sys::HtmlAnchorElement>().ok()?;
    if !anchor.target().is_empty() || anchor.has_attribute("download") || anchor.rel().contains("external") {
        return None;
    }
    let address = anchor.href().strip_prefix(&base())?.to_owned();
    (address == "web" || address.starts_with("web/")).then_some(address)
}
