//! Keeps everything on the screen true: the stream says what changed, and only that is read again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Ui;
use crate::ui::infra::api::{self, ApiError};
use crate::ui::infra::stream::{self, Stream, StreamState};
use crate::ui::model::access::must_log_in;
use crate::ui::model::reaction::Reread;
use crate::ui::model::recovery::upsert;
use crate::ui::model::route::Route;
use crate::ui::model::told::Told;

/// Changes are gathered this long before they are read, so that a burst costs one reading.
const GATHER: Duration = Duration::from_millis(120);
/// Ages are refreshed this often even if nothing happens: that a server was looked at again is no event.
const REFRESH: Duration = Duration::from_secs(5);
/// Readiness is about the whole cluster: single servers that change ask for it anew no more often than this.
const READINESS_PACE: TimeDelta = TimeDelta::seconds(1);
/// So many servers are read whole at each such moment; those of a larger cluster at each second, third ...
const SERVERS_A_BEAT: usize = 100;
/// One call may fail; calls that fail for so long are no accident.
const PATIENCE: TimeDelta = TimeDelta::seconds(3);
/// Heard nothing for this long: stale.
const STALE_AFTER: TimeDelta = TimeDelta::seconds(16);

/// Whether the service is heard.
#[derive(Clone, Copy)]
pub struct Link {
    stream: RwSignal<StreamState>,
    heard: RwSignal<Option<DateTime<Utc>>>,
    /// Calls fail since then, whatever the stream says.
    failing: RwSignal<Option<DateTime<Utc>>>,
    pending: StoredValue<Reread>,
}

/// What the live dot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Nothing was heard yet.
    Starting,
    /// All is live.
    Live,
    /// Last heard then; what is shown is of that moment.
    Stale(Option<DateTime<Utc>>),
}

impl Link {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self {
            stream: RwSignal::new(StreamState::Connecting),
            heard: RwSignal::new(None),
            failing: RwSignal::new(None),
            pending: StoredValue::new(Reread::default()),
        }
    }

    /// A call ended: with this error, or well.
    pub fn heard(self, error: Option<&ApiError>) {
        if matches!(error, Some(ApiError::Unreachable(_) | ApiError::Unreadable { .. })) {
            if self.failing.get_untracked().is_none() {
                self.failing.set(Some(local_now()));
            }
        } else {
            self.heard.set(Some(local_now()));
            self.failing.set(None);
        }
    }

    /// Nothing is heard, because nobody listens.
    pub fn reset(self) {
        self.stream.set(StreamState::Connecting);
        self.heard.set(None);
        self.failing.set(None);
    }

    /// How it stands; `tick` makes it look again as time goes by.
    pub fn liveness(self, tick: DateTime<Utc>) -> Liveness {
        let _ = tick;
        let heard = self.heard.get();
        let failing = self.failing.get().filter(|since| local_now() - *since > PATIENCE);
        let fresh = failing.is_none() && heard.is_some_and(|at| local_now() - at < STALE_AFTER);
        match self.stream.get() {
            StreamState::Open if fresh => Liveness::Live,
            StreamState::Connecting if heard.is_none() => Liveness::Starting,
            StreamState::Connecting if fresh => Liveness::Live,
            _ => Liveness::Stale(failing.or(heard)),
        }
    }

    /// When the service was last heard (or calls began to fail), by this browser's clock.
    pub fn last_heard(self) -> Option<DateTime<Utc>> {
        self.failing.get().or(self.heard.get())
    }
}

fn local_now() -> DateTime<Utc> {
    // Whole milliseconds within the range of i64.
    #[allow(clippy::cast_possible_truncation)]
    DateTime::from_timestamp_millis(web_sys::js_sys::Date::now() as i64).unwrap_or_default()
}

/// Age of the last word from the service, by this browser's clock.
pub fn since_heard(at: DateTime<Utc>) -> TimeDelta {
    local_now() - at
}

/// Reads everything once and listens from then on.
pub fn start(ui: Ui) {
    api::when_unknown(move || ask(ui, Reread { node: true, ..Reread::default() }));
    ask(ui, Reread { all: true, ..Reread::default() });
    follow_session(ui);
    let beat = StoredValue::new(0_usize);
    set_interval(
        move || {
            if !document().hidden() {
                beat.update_value(|beat| *beat += 1);
                ask(ui, refresh(ui, beat.get_value()));
            }
        },
        REFRESH,
    );
    // A page that was out of sight catches up at once.
    let _ = window_event_listener(ev::visibilitychange, move |_| {
        if !document().hidden() {
            ask(ui, Reread { all: true, ..Reread::default() });
        }
    });
    // The cluster that is open follows the address.
    Effect::new(move |_| {
        let name = match ui.navigator.route() {
            Route::Cluster { name, .. } => Some(name),
            _ => None,
        };
        if ui.cluster.asked.get_untracked() != name {
            ui.cluster.open(name);
            ask(ui, Reread { cluster: true, ..Reread::default() });
        }
    });
}

/// The stream is open while the service knows who is here. When it does not (any more), the stream ends, what was shown is
/// forgotten, and the page is the one where somebody can log in; then it is again what it was.
fn follow_session(ui: Ui) {
    let stream = StoredValue::new_local(None::<Stream>);
    let me = ui.fleet.session.value;
    Effect::new(move |_| me.with(|me| api::carry(me.as_ref())));
    let shut = Memo::new(move |_| me.with(|me| me.as_ref().map(must_log_in)));
    Effect::new(move |before: Option<Option<bool>>| {
        let now = shut.get();
        match now {
            None => {}
            Some(false) => {
                stream.set_value(Some(listen(ui)));
                if let Route::Login { to } = ui.navigator.route_once() {
                    ui.navigator.replace(&Route::parse(&to));
                }
                if before == Some(Some(true)) {
                    ask(ui, Reread { all: true, ..Reread::default() });
                }
            }
            Some(true) => {
                if let Some(open) = stream.try_update_value(Option::take).flatten() {
                    open.close();
                }
                let here = ui.navigator.route_once();
                if !matches!(here, Route::Login { .. }) {
                    ui.navigator.replace(&Route::Login { to: here.address() });
                }
                ui.forget();
                ui.link.reset();
            }
        }
        now
    });
}

fn listen(ui: Ui) -> Stream {
    stream::open(
        move |state| {
            ui.link.stream.set(state);
            match state {
                StreamState::Open => ui.link.heard.set(Some(local_now())),
                // A session that was ended elsewhere takes its stream with it.
                StreamState::Lost => ask(ui, Reread { node: true, ..Reread::default() }),
                StreamState::Connecting => {}
            }
        },
        move |event| hear(ui, &event),
    )
}

/// What is read again at each beat though nothing happened. A large cluster is read whole at fewer beats, since that stops
/// the page for a moment; the server that is looked at is read at each.
fn refresh(ui: Ui, beat: usize) -> Reread {
    let beats = ui.cluster.servers.with_untracked(std::collections::BTreeMap::len) / SERVERS_A_BEAT + 1;
    let whole = beat.is_multiple_of(beats);
    let selected = match ui.navigator.route_once() {
        Route::Cluster { server: Some(server), .. } if !whole && ui.cluster.shows(&server) => vec![server],
        _ => Vec::new(),
    };
    // Something is read at each beat: that is how a lost service is noticed.
    Reread { cluster: whole, clusters: !whole || on_dashboard(ui), servers: selected, ..Reread::default() }
}

fn on_dashboard(ui: Ui) -> bool {
    matches!(ui.navigator.route_once(), Route::Clusters { .. })
}

fn hear(ui: Ui, event: &Told) {
    ui.link.heard.set(Some(local_now()));
    match event {
        Told::Recovery(recovery) => {
            ui.cluster.put_recovery(recovery);
            ui.fleet.recoveries.value.update(|list| {
                if let Some(list) = list {
                    upsert(list, (**recovery).clone());
                }
            });
        }
        Told::Step { operation_id, step, state } => ui.work.step_changed(operation_id, *step, state),
        Told::Ended { operation_id, error } => ui.work.ended(ui, operation_id, error.clone()),
        _ => {}
    }
    let open = ui.cluster.name_once();
    ask(ui, Reread::after(event, open.as_deref(), |key| ui.cluster.shows(key)));
}

/// Reads this again, soon.
pub fn ask(ui: Ui, wanted: Reread) {
    if wanted.is_empty() {
        return;
    }
    let waiting = ui.link.pending.with_value(|pending| !pending.is_empty());
    ui.link.pending.update_value(|pending| pending.join(wanted));
    if !waiting {
        set_timeout(move || spawn_local(read(ui)), GATHER);
    }
}

async fn read(ui: Ui) {
    let mut wanted = Reread::default();
    ui.link.pending.update_value(|pending| std::mem::swap(pending, &mut wanted));
    let link = ui.link;
    // Who is here comes first: without it there is nothing else to be had.
    if wanted.all || wanted.node || ui.fleet.session.value.with_untracked(Option::is_none) {
        ui.fleet.read_session(link).await;
    }
    if ui.fleet.is_shut() {
        return;
    }
    if wanted.cluster || wanted.all {
        ui.cluster.read(link, ui.clock).await;
    }
    let readiness = matches!(ui.navigator.route_once(), Route::Cluster { readiness: true, .. });
    let aged = !wanted.servers.is_empty() && ui.cluster.readiness_is_older(ui.clock.now_once(), READINESS_PACE);
    if readiness && (wanted.cluster || wanted.all || wanted.node || wanted.recoveries || aged) {
        ui.cluster.read_readiness(link).await;
    }
    for key in wanted.servers {
        ui.cluster.read_server(link, ui.clock, key).await;
    }
    if wanted.clusters || wanted.all {
        ui.fleet.read_clusters(link).await;
    }
    if wanted.node || wanted.all {
        ui.fleet.read_node(link).await;
    }
    if wanted.recoveries || wanted.all {
        ui.fleet.read_recoveries(link).await;
    }
}
