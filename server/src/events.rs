//! The event bus: what happened, in order, to everyone who listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use app::event::{Event, EventBody};
use chrono::Utc;
use tokio::sync::broadcast;

/// Events kept for clients that come back after a short absence.
const KEPT: usize = 4096;

/// What a returning client gets.
#[derive(Debug)]
pub enum Replay {
    /// The events after the last one it saw, oldest first.
    Events(Vec<Arc<Event>>),
    /// They are gone (or the number is from another process): it must read everything again.
    TooOld,
}

/// Publishes events and keeps the latest. Never blocks and never waits for a listener.
#[derive(Debug)]
pub struct EventBus {
    sender: broadcast::Sender<Arc<Event>>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    next_id: u64,
    events: VecDeque<Arc<Event>>,
}

impl Default for EventBus {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(KEPT);
        Self { sender, kept: Mutex::new(Kept { next_id: 1, events: VecDeque::with_capacity(KEPT) }) }
    }
}

impl EventBus {
    /// Numbers the event, keeps it and hands it to all listeners.
    pub fn publish(&self, body: EventBody) -> Arc<Event> {
        // Sent under the lock, so that listeners get events in the order of their numbers.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Arc::new(Event { id: kept.next_id, at: Utc::now(), body });
        kept.next_id += 1;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::clone(&event));
        let _nobody_listens = self.sender.send(Arc::clone(&event));
        event
    }

    /// Everything published from now on. A receiver that falls behind is told so (`RecvError::Lagged`).
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }

    /// Subscribes and, without a gap between the two, replays what came after event number `last`.
    pub fn resume(&self, last: u64) -> (Replay, broadcast::Receiver<Arc<Event>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let oldest = kept.events.front().map_or(kept.next_id, |e| e.id);
        let replay = if last >= kept.next_id || last + 1 < oldest {
            Replay::TooOld
        } else {
            Replay::Events(kept.events.iter().filter(|e| e.id > last).cloned().collect())
        };
        (replay, receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(message: &str) -> EventBody {
        EventBody::Node { message: message.to_owned() }
    }

    #[test]
    fn a_returning_client_gets_what_it_missed_or_is_told_to_read_again() {
        let bus = EventBus::default();
        for n in 0..3 {
            bus.publish(node(&n.to_string()));
        }
        let (Replay::Events(missed), _) = bus.resume(1) else { panic!("the events are still kept") };
        assert_eq!(missed.iter().map(|e| e.id).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!(bus.resume(3).0, Replay::Events(none) if none.is_empty()));
        assert!(matches!(bus.resume(77).0, Replay::TooOld), "a number of another process");
        for n in 0..KEPT {
            bus.publish(node(&n.to_string()));
        }
        assert!(matches!(bus.resume(1).0, Replay::TooOld));
    }

    #[tokio::test]
    async fn listeners_get_events_in_order() {
        let bus = EventBus::default();
        let mut receiver = bus.subscribe();
        bus.publish(node("a"));
        bus.publish(node("b"));
        assert_eq!(receiver.recv().await.map(|e| e.id), Ok(1));
        assert_eq!(receiver.recv().await.map(|e| e.id), Ok(2));
    }
}
