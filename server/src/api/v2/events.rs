//! Events as they happen, by server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use app::event::{Event, EventBody};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use chrono::Utc;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::Rooms;
use super::body::Given;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Viewer, until_ended};
use crate::events::Replay;

/// A comment is sent this often when nothing happens, so that proxies keep the line open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where to begin.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Begin {
    /// Number of the last event seen, for clients that cannot set `Last-Event-ID`; now when missing.
    last_event_id: Option<u64>,
}

/// Follows events. Resumes after `Last-Event-ID` as long as what came since is still kept; otherwise, and when the client
/// falls behind, an event `refetch` says that everything is to be read again.
#[utoipa::path(
    get,
    path = "/events",
    params(Begin, ("Last-Event-ID" = Option<u64>, Header, description = "number of the last event seen")),
    responses((status = 200, body = Event, content_type = "text/event-stream")),
)]
pub async fn follow_events(
    viewer: Viewer,
    State(services): Rooms,
    Given(begin): Given<Begin>,
    headers: HeaderMap,
) -> ApiResult<Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>>> {
    let (missed, receiver) = match last_seen(&headers, &begin)? {
        None => (Vec::new(), services.events.subscribe()),
        Some(last) => match services.events.resume(last) {
            (Replay::Events(events), receiver) => (events, receiver),
            (Replay::TooOld, receiver) => (vec![refetch()], receiver),
        },
    };
    // A listener that fell behind is told to read everything again, and goes on from there.
    let live = BroadcastStream::new(receiver).map(|received| received.unwrap_or_else(|_lagged| refetch()));
    // A stream has no end of its own: without this one, the service could not stop while a page is open.
    let signed_out = until_ended((*services).clone(), viewer.caller().pass.clone());
    let events = stream::iter(missed).chain(live).take_until(services.tasks.stopped()).take_until(Box::pin(signed_out));
    Ok(Sse::new(events.map(|event| Ok(encode(&event)))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn last_seen(headers: &HeaderMap, begin: &Begin) -> ApiResult<Option<u64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(begin.last_event_id) };
    let text = String::from_utf8_lossy(value.as_bytes());
    match text.trim() {
        "" => Ok(begin.last_event_id),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| ApiError::bad_input(format!("Last-Event-ID: expected the number of an event, got {text:?}"))),
    }
}

/// Made here and not published, so it has no number of its own.
fn refetch() -> Arc<Event> {
    Arc::new(Event { id: 0, at: Utc::now(), body: EventBody::Refetch })
}

fn encode(event: &Event) -> sse::Event {
    let encoded = sse::Event::default().event(event.body.name());
    let encoded = if event.id == 0 { encoded } else { encoded.id(event.id.to_string()) };
    // JSON has no line ends outside its texts and escapes those inside, so it always fits.
    match encoded.json_data(event) {
        Ok(encoded) => encoded,
        Err(error) => {
            tracing::error!(%error, "an event could not be encoded");
            sse::Event::default().comment("an event could not be encoded")
        }
    }
}
