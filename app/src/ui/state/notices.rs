//! What is said about actions. An error stays until it is put away; nothing that failed ever looks done.

use std::time::Duration;

use leptos::prelude::*;

use crate::ui::model::tone::Tone;

/// Something said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Number, to put it away by.
    pub id: u64,
    /// `Ok` or `Broken`.
    pub tone: Tone,
    /// Words.
    pub text: String,
}

/// All that is on the screen.
#[derive(Clone, Copy)]
pub struct Notices {
    list: RwSignal<Vec<Notice>>,
    next: StoredValue<u64>,
    /// What a screen reader is to say now.
    pub spoken: RwSignal<String>,
}

impl Notices {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self { list: RwSignal::new(Vec::new()), next: StoredValue::new(1), spoken: RwSignal::new(String::new()) }
    }

    /// On the screen now.
    pub fn list(self) -> Vec<Notice> {
        self.list.get()
    }

    /// Says that something is done; goes by itself.
    pub fn done(self, text: impl Into<String>) {
        let id = self.push(Tone::Ok, text.into());
        set_timeout(move || self.dismiss(id), Duration::from_secs(6));
    }

    /// Says that something failed; stays.
    pub fn failed(self, text: impl Into<String>) {
        self.push(Tone::Broken, text.into());
    }

    /// Has a screen reader say something that is on the screen anyway.
    pub fn say(self, text: impl Into<String>) {
        self.spoken.set(text.into());
    }

    /// Puts a notice away.
    pub fn dismiss(self, id: u64) {
        self.list.update(|list| list.retain(|n| n.id != id));
    }

    fn push(self, tone: Tone, text: String) -> u64 {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        self.list.update(|list| list.push(Notice { id, tone, text }));
        id
    }
}
