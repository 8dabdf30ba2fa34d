//! The event stream. The browser resumes it by itself after the last number it saw; where it gives up, this opens a new one,
//! later each time, and everything is read again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

use crate::ui::model::told::Told;

/// How the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// Being opened for the first time.
    Connecting,
    /// Open.
    Open,
    /// Lost; being opened again.
    Lost,
}

/// Names of the events that the service sends (`EventBody::name`).
const NAMES: &[&str] = &[
    "instance",
    "instance_forgotten",
    "finding",
    "plan_step",
    "plan_ended",
    "recovery",
    "annotation",
    "node",
    "refetch",
];

/// Longest pause before another try, milliseconds.
const LONGEST_PAUSE: u64 = 15_000;

/// An open stream.
pub struct Stream(Rc<Hub>);

/// Opens the stream and keeps it open. `on_state` hears of each change; `on_event` gets each event.
pub fn open(on_state: impl Fn(StreamState) + 'static, on_event: impl Fn(Told) + 'static) -> Stream {
    let hub = Rc::new(Hub {
        on_state: Box::new(on_state),
        on_event: Box::new(on_event),
        failures: Cell::new(0),
        source: RefCell::new(None),
        is_closed: Cell::new(false),
    });
    Rc::clone(&hub).connect();
    Stream(hub)
}

impl Stream {
    /// Ends it for good: nothing is heard any more.
    pub fn close(self) {
        self.0.is_closed.set(true);
        if let Some(source) = self.0.source.take() {
            source.close();
        }
    }
}

struct Hub {
    on_state: Box<dyn Fn(StreamState)>,
    on_event: Box<dyn Fn(Told)>,
    failures: Cell<u32>,
    source: RefCell<Option<EventSource>>,
    is_closed: Cell<bool>,
}

impl Hub {
    fn connect(self: Rc<Self>) {
        if self.is_closed.get() {
            return;
        }
        let Ok(source) = EventSource::new("api/v2/events") else {
            self.retry();
            return;
        };
        let hub = Rc::clone(&self);
        let opened = Closure::<dyn Fn()>::new(move || {
            let again = hub.failures.replace(0) > 0;
            (hub.on_state)(StreamState::Open);
            if again {
                // A new stream knows no last number: what happened meanwhile is only to be had by reading.
                (hub.on_event)(Told::Refetch);
            }
        });
        let hub = Rc::clone(&self);
        let stream = source.clone();
        let failed = Closure::<dyn Fn()>::new(move || {
            if hub.is_closed.get() {
                return;
            }
            (hub.on_state)(StreamState::Lost);
            if stream.ready_state() == EventSource::CLOSED {
                Rc::clone(&hub).retry();
            }
        });
        let hub = Rc::clone(&self);
        let told = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
            if hub.is_closed.get() {
                return;
            }
            (hub.on_event)(Told::read(&message.type_(), &message.data().as_string().unwrap_or_default()));
        });
        source.set_onopen(Some(opened.as_ref().unchecked_ref()));
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        for name in NAMES {
            let _ = source.add_event_listener_with_callback(name, told.as_ref().unchecked_ref());
        }
        self.source.replace(Some(source));
        // They live as long as the stream, which lives as long as the page or until it is closed for good.
        opened.forget();
        failed.forget();
        told.forget();
    }

    fn retry(self: Rc<Self>) {
        let failures = self.failures.get() + 1;
        self.failures.set(failures);
        let pause = (500_u64 << failures.min(5)).min(LONGEST_PAUSE);
        set_timeout(move || self.connect(), Duration::from_millis(pause));
    }
}
