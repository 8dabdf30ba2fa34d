//! What is drawn, as signals: the forest of the cluster, now or after a plan, and the part of it that is on the screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use leptos::prelude::*;

use super::picture::{BOX, Direction, Picture};
use crate::InstanceKey;
use crate::ui::model::camera::{Camera, Point};
use crate::ui::model::route::Route;
use crate::ui::model::shape::{Forest, after};
use crate::ui::state::Ui;

/// Forest and picture of one moment.
#[derive(Debug, PartialEq)]
pub struct Plot {
    /// Who hangs below whom.
    pub forest: Forest,
    /// Where everything is.
    pub picture: Picture,
    /// Place of each server.
    pub places: BTreeMap<InstanceKey, usize>,
}

/// What is drawn. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Drawing {
    /// Forest and picture.
    pub plot: Memo<Arc<Plot>>,
    /// The part on the screen.
    pub camera: RwSignal<Camera>,
    /// Size of the pane, CSS pixels.
    pub screen: RwSignal<Point>,
    /// The way of growing that was asked for; `None`: what shows more.
    pub direction: RwSignal<Option<Direction>>,
    /// The server that the keyboard is at.
    pub focused: RwSignal<Option<InstanceKey>>,
    /// A person chose the part: it is not fitted any more.
    touched: RwSignal<bool>,
    turn: StoredValue<u64>,
}

impl Drawing {
    /// Of the cluster on the screen.
    pub fn new(ui: Ui) -> Self {
        let screen = RwSignal::new(Point::default());
        let direction = RwSignal::new(None::<Direction>);
        let primary = Memo::new(move |_| ui.cluster.summary.with(|s| s.as_ref().and_then(|s| s.primary.clone())));
        let moves = Memo::new(move |_| {
            if ui.work.afterwards.get() { ui.work.plan().map(|p| p.moves).unwrap_or_default() } else { Vec::new() }
        });
        let forest = Memo::new(move |_| {
            let rows = ui.cluster.rows.get();
            Arc::new(Forest::new(&after(&rows, &moves.get()), primary.get().as_ref()))
        });
        // The same way of growing while the same cluster is shown on about the same screen.
        let chosen = Memo::new(move |before: Option<&(Option<String>, Direction)>| {
            let cluster = ui.cluster.asked.get();
            let screen = screen.get();
            match before {
                Some((known, way))
                    if *known == cluster && forest.with_untracked(|f| f.nodes.len() > 1) && screen.x < 1.0 =>
                {
                    (cluster, *way)
                }
                _ => (cluster, Picture::better_direction(&forest.get_untracked(), screen)),
            }
        });
        let plot = Memo::new(move |_| {
            let forest = (*forest.get()).clone();
            let way = direction.get().unwrap_or_else(|| chosen.with(|(_, way)| *way));
            let picture = Picture::new(&forest, way);
            let places = forest.nodes.iter().enumerate().map(|(at, node)| (node.key.clone(), at)).collect();
            Arc::new(Plot { forest, picture, places })
        });
        let asked = match ui.navigator.route_once() {
            Route::Cluster { view, .. } => Camera::parse(&view),
            _ => None,
        };
        let drawing = Self {
            plot,
            camera: RwSignal::new(asked.unwrap_or_default()),
            screen,
            direction,
            focused: RwSignal::new(None),
            touched: RwSignal::new(asked.is_some()),
            turn: StoredValue::new(0),
        };
        // Fits whenever shape or screen change, until a person chooses another part.
        Effect::new(move |_| {
            let (size, screen) = (plot.with(|p| p.picture.size), drawing.screen.get());
            if !drawing.touched.get() && screen.x > 1.0 {
                drawing.camera.set(Camera::fit(size, screen));
            }
        });
        drawing
    }

    /// Shows all of it, from now on.
    pub fn fit(self, ui: Ui) {
        self.touched.set(false);
        self.remember(ui);
    }

    /// A person chooses another part.
    pub fn look(self, ui: Ui, change: impl FnOnce(Camera) -> Camera) {
        let next = change(self.camera.get_untracked());
        if next != self.camera.get_untracked() {
            self.camera.set(next);
            if !self.touched.get_untracked() {
                self.touched.set(true);
            }
            self.remember(ui);
        }
    }

    /// Zooms around the middle of the pane.
    pub fn zoom(self, ui: Ui, factor: f64) {
        let screen = self.screen.get_untracked();
        self.look(ui, |camera| camera.zoomed(factor, Point::new(screen.x / 2.0, screen.y / 2.0)));
    }

    /// Brings a server onto the screen.
    pub fn reveal(self, ui: Ui, key: &InstanceKey) {
        let corner = self.plot.with_untracked(|p| p.places.get(key).map(|at| p.picture.corner(*at)));
        if let Some(corner) = corner {
            let screen = self.screen.get_untracked();
            self.look(ui, |camera| camera.revealing(corner, BOX, screen));
        }
    }

    /// The address names the part on the screen, a little later, so that a link shows the same.
    fn remember(self, ui: Ui) {
        let turn = self.turn.get_value() + 1;
        self.turn.set_value(turn);
        set_timeout(
            move || {
                if self.turn.try_get_value() != Some(turn) {
                    return;
                }
                if let Route::Cluster { name, server, readiness, .. } = ui.navigator.route_once() {
                    let view =
                        if self.touched.get_untracked() { self.camera.get_untracked().text() } else { String::new() };
                    ui.navigator.replace(&Route::Cluster { name, server, view, readiness });
                }
            },
            std::time::Duration::from_millis(500),
        );
    }
}
