//! A server that is picked up, by pointer or by keyboard, and where it could go.

use std::collections::BTreeMap;
use std::sync::Arc;

use leptos::prelude::*;

use super::Ui;
use crate::InstanceKey;
use crate::ui::model::camera::Point;
use crate::ui::model::move_targets::{Drop, Intent, Verdict, intent, rule_settings, verdicts};

/// How it was picked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Mouse, pen or finger.
    Pointer,
    /// Keyboard or menu.
    Keyboard,
}

/// A server that is picked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The server.
    pub server: InstanceKey,
    /// How.
    pub by: By,
    /// What is allowed at each other server, and why not.
    pub verdicts: Arc<BTreeMap<InstanceKey, Verdict>>,
}

/// A server that is being moved by hand. The parts that change with each movement are signals of their own.
#[derive(Clone, Copy)]
pub struct Moving {
    /// What is held.
    pub held: RwSignal<Option<Held>>,
    /// The server it is over.
    pub over: RwSignal<Option<InstanceKey>>,
    /// The zone of that server it is over.
    pub zone: RwSignal<Option<Drop>>,
    /// Where the pointer is, in the picture's pane.
    pub pointer: RwSignal<Point>,
}

impl Moving {
    /// Nothing is held.
    pub fn new() -> Self {
        Self {
            held: RwSignal::new(None),
            over: RwSignal::new(None),
            zone: RwSignal::new(None),
            pointer: RwSignal::new(Point::default()),
        }
    }

    /// Picks a server up: every other one is judged.
    pub fn pick_up(self, ui: Ui, server: InstanceKey, by: By) {
        let settings = ui.cluster.settings.with_untracked(rule_settings);
        let verdicts = Arc::new(verdicts(&ui.cluster.snapshot(ui.clock), &server, &settings));
        let allowed = verdicts.values().filter(|v| v.is_target()).count();
        let said = format!("{server} is picked up. {allowed} of {} servers can take it.", verdicts.len());
        let first = verdicts.iter().find(|(_, v)| v.is_target()).map(|(key, _)| key.clone());
        self.held.set(Some(Held { server, by, verdicts }));
        self.zone.set(None);
        self.over.set(None);
        ui.notices.say(said);
        if by == By::Keyboard {
            self.hover(ui, first);
        }
    }

    /// Is over a server: says what would happen there.
    pub fn hover(self, ui: Ui, target: Option<InstanceKey>) {
        if self.over.get_untracked() == target {
            return;
        }
        let verdict = target.as_ref().and_then(|t| self.verdict_once(t));
        self.zone.set(verdict.as_ref().and_then(|v| v.allowed.first().copied()));
        if let (Some(target), Some(verdict)) = (&target, verdict) {
            ui.notices.say(match (verdict.allowed.first(), verdict.refusal) {
                (Some(drop), _) => format!("{}: {target}", drop.label()),
                (None, Some(refusal)) => format!("Not {target}: {}", refusal.message),
                (None, None) => format!("Not {target}"),
            });
        }
        self.over.set(target);
    }

    /// The next server that can take it, in the order of keys.
    pub fn next_target(self, ui: Ui, back: bool) {
        let targets: Vec<InstanceKey> = self.held.with_untracked(|held| {
            let verdicts = held.iter().flat_map(|h| h.verdicts.iter());
            verdicts.filter(|(_, v)| v.is_target()).map(|(key, _)| key.clone()).collect()
        });
        let here = self.over.get_untracked().and_then(|over| targets.iter().position(|t| *t == over));
        let next = match (here, back) {
            (None, _) => 0,
            (Some(at), false) => (at + 1) % targets.len().max(1),
            (Some(at), true) => (at + targets.len() - 1) % targets.len().max(1),
        };
        self.hover(ui, targets.get(next).cloned());
    }

    /// The next zone of the server it is over.
    pub fn next_zone(self, ui: Ui) {
        let Some(over) = self.over.get_untracked() else { return };
        let Some(verdict) = self.verdict_once(&over) else { return };
        let here = self.zone.get_untracked().and_then(|z| verdict.allowed.iter().position(|a| *a == z));
        let next = here.map_or(0, |at| (at + 1) % verdict.allowed.len().max(1));
        self.zone.set(verdict.allowed.get(next).copied());
        if let Some(drop) = verdict.allowed.get(next) {
            ui.notices.say(format!("{}: {over}", drop.label()));
        }
    }

    /// Lets go: opens the plan where that is allowed, says why not where it is refused.
    pub fn let_go(self, ui: Ui) {
        let Some(held) = self.held.get_untracked() else { return };
        let (over, zone) = (self.over.get_untracked(), self.zone.get_untracked());
        self.cancel();
        let Some(target) = over else { return };
        let Some(verdict) = held.verdicts.get(&target) else { return };
        let cluster = ui.cluster.name_once().unwrap_or_default();
        match zone.filter(|z| verdict.allowed.contains(z)) {
            Some(drop) => match intent(drop, &held.server, &target, &cluster) {
                Intent::Plan(operation) => ui.work.propose(ui, operation),
                Intent::Recover(request) => ui.work.confirm_recovery(request),
            },
            None => {
                if let Some(refusal) = &verdict.refusal {
                    let text =
                        format!("{} cannot go below {target}: {} ({})", held.server, refusal.message, refusal.rule);
                    ui.notices.failed(text);
                }
            }
        }
    }

    /// Puts it back.
    pub fn cancel(self) {
        self.held.set(None);
        self.over.set(None);
        self.zone.set(None);
    }

    fn verdict_once(self, target: &InstanceKey) -> Option<Verdict> {
        self.held.with_untracked(|held| held.as_ref().and_then(|h| h.verdicts.get(target).cloned()))
    }
}
