//! Events as they happen.

use std::time::Duration;

use app::event::EventBody;
use axum::response::Response;
use futures_util::StreamExt as _;

use crate::support::{Edge, OPEN};

/// Frames of a stream, as they come.
struct Frames {
    stream: axum::body::BodyDataStream,
    rest: String,
}

impl Frames {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.into_body().into_data_stream(), rest: String::new() }
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                let frame = frame.to_owned();
                self.rest = rest.to_owned();
                return Some(frame);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(5), self.stream.next()).await.expect("in time")?;
            self.rest.push_str(std::str::from_utf8(&chunk.expect("no error")).expect("text"));
        }
    }
}

fn publish(edge: &Edge, message: &str) -> u64 {
    edge.services.events.publish(EventBody::Node { message: message.to_owned() }).id
}

#[tokio::test]
async fn a_listener_hears_what_happens() {
    let edge = Edge::new(OPEN).await;
    let mut frames = Frames::of(edge.open("/api/v2/events", &[]).await);
    let id = publish(&edge, "hello");
    let frame = frames.next().await.expect("a frame");
    assert!(frame.contains("event: node"), "{frame}");
    assert!(frame.contains(&format!("id: {id}")), "{frame}");
    assert!(frame.contains(r#""kind":"node","message":"hello""#), "{frame}");
}

#[tokio::test]
async fn a_returning_listener_gets_what_it_missed() {
    let edge = Edge::new(OPEN).await;
    let first = publish(&edge, "first");
    publish(&edge, "second");
    for (path, headers) in [
        ("/api/v2/events".to_owned(), vec![("last-event-id", first.to_string())]),
        (format!("/api/v2/events?last_event_id={first}"), vec![]),
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut frames = Frames::of(edge.open(&path, &headers).await);
        let frame = frames.next().await.expect("a frame");
        assert!(frame.contains("second"), "{frame}");
    }
}

#[tokio::test]
async fn a_listener_that_missed_too_much_is_told_to_read_again() {
    let edge = Edge::new(OPEN).await;
    let mut frames = Frames::of(edge.open("/api/v2/events", &[("last-event-id", "77777")]).await);
    let frame = frames.next().await.expect("a frame");
    assert!(frame.contains("event: refetch"), "{frame}");
    let id = publish(&edge, "on it goes");
    assert!(frames.next().await.expect("a frame").contains(&format!("id: {id}")));
}

#[tokio::test]
async fn a_slow_listener_is_told_to_read_again() {
    let edge = Edge::new(OPEN).await;
    let mut frames = Frames::of(edge.open("/api/v2/events", &[]).await);
    for n in 0..20_000 {
        publish(&edge, &n.to_string());
    }
    let frame = frames.next().await.expect("a frame");
    assert!(frame.contains("event: refetch"), "{frame}");
}

#[tokio::test]
async fn the_stream_ends_with_the_service() {
    let edge = Edge::new(OPEN).await;
    let mut frames = Frames::of(edge.open("/api/v2/events", &[]).await);
    edge.services.tasks.stop();
    assert_eq!(frames.next().await, None);
}

#[tokio::test]
async fn a_bad_number_is_named() {
    let edge = Edge::new(OPEN).await;
    for (path, header) in [("/api/v2/events", Some("x7")), ("/api/v2/events?last_event_id=x7", None)] {
        let headers: Vec<(&str, &str)> = header.map(|value| ("last-event-id", value)).into_iter().collect();
        let answer = edge.send(axum::http::Method::GET, path, &headers, "").await;
        answer.error(400, "bad-input");
    }
}

#[tokio::test]
async fn a_silent_line_is_kept_open() {
    let edge = Edge::new(OPEN).await;
    let mut stream = edge.open("/api/v2/events", &[]).await.into_body().into_data_stream();
    // From here on time passes as soon as everybody waits.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let chunk = stream.next().await.expect("open").expect("no error");
    assert!(chunk.starts_with(b":"), "a comment: {chunk:?}");
    assert!((14..=16).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
