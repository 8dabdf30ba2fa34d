//! A value that lives on the service: the last one read, and why the latest reading failed.

use leptos::prelude::*;

use super::live::Link;
use crate::ui::infra::api::{self, ApiError};
use crate::ui::read::Blank;

/// A value that lives on the service. A failed reading keeps the last value, and says so.
#[derive(Debug)]
pub struct Remote<T: Send + Sync + 'static> {
    /// Last value read.
    pub value: RwSignal<Option<T>>,
    /// Why the latest reading failed.
    pub error: RwSignal<Option<ApiError>>,
    /// Number of the latest reading asked for; an answer to an earlier one is dropped.
    turn: StoredValue<u64>,
}

impl<T: Send + Sync + 'static> Clone for Remote<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Remote<T> {}

impl<T: Blank + PartialEq + Send + Sync + 'static> Remote<T> {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self { value: RwSignal::new(None), error: RwSignal::new(None), turn: StoredValue::new(0) }
    }

    /// Reads it; redraws only when it has changed.
    pub async fn read(self, link: Link, path: &str) {
        let turn = self.turn.get_value() + 1;
        self.turn.set_value(turn);
        let answer = api::get::<T>(path).await;
        link.heard(answer.as_ref().err());
        if self.turn.try_get_value() != Some(turn) {
            return;
        }
        match answer {
            Ok(value) => {
                if self.value.with_untracked(|known| known.as_ref() != Some(&value)) {
                    self.value.set(Some(value));
                }
                self.complain(None);
            }
            Err(error) => self.complain(Some(error)),
        }
    }

    fn complain(self, error: Option<ApiError>) {
        if self.error.with_untracked(|known| *known != error) {
            self.error.set(error);
        }
    }

    /// Forgets it: another one is asked for.
    pub fn clear(self) {
        self.value.set(None);
        self.error.set(None);
    }
}
