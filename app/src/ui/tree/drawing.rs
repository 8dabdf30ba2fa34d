//! What is drawn, as signals: the forest of the cluster, now or after a plan, and the part of it that is on the screen.

use std::sync::Arc;

use leptos::prelude::*;

use super::picture::{BOX, Direction, Picture};
use crate::InstanceKey;
use crate::api::ServerView;
use crate::ui::model::camera::{Camera, Point};
use crate::ui::model::find::{matches, words};
use crate::ui::model::fold::{Folding, closable, fold};
use crate::ui::model::order::{Keys, sort};
use crate::ui::model::route::{Route, TreeView};
use crate::ui::model::shape::{Forest, after};
use crate::ui::model::tone::Tone;
use crate::ui::state::Ui;
use crate::ui::state::moving::By;

/// Forest and picture of one moment.
#[derive(Debug, PartialEq)]
pub struct Plot {
    /// Who hangs below whom, of those that are drawn.
    pub forest: Forest,
    /// Where everything is.
    pub picture: Picture,
    /// Server and place of each, by server.
    places: Vec<(InstanceKey, usize)>,
}

impl Plot {
    /// Place of a server.
    pub fn place(&self, key: &InstanceKey) -> Option<usize> {
        let found = self.places.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.places.get(found).map(|(_, at)| *at)
    }

    /// Those below a server that are not drawn.
    pub fn hidden(&self, key: &InstanceKey) -> Vec<InstanceKey> {
        let node = self.place(key).and_then(|at| self.forest.nodes.get(at));
        node.map(|n| n.hidden.clone()).unwrap_or_default()
    }
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
    /// Servers whose sub-trees are folded.
    pub closed: RwSignal<Keys>,
    /// Replicas that need no look are left out.
    pub trouble: RwSignal<bool>,
    /// What is looked for.
    pub find: RwSignal<String>,
    /// Servers that match what is looked for; `None` when nothing is.
    pub found: Memo<Option<Keys>>,
    /// All of the cluster, folded or not.
    pub whole: Memo<Arc<Forest>>,
    /// So small that words cannot be read.
    pub far: Memo<bool>,
    /// The part on the screen is changing right now.
    pub moving: RwSignal<bool>,
    /// Its scale is.
    pub zooming: RwSignal<bool>,
    /// A person chose the part: it is not fitted any more.
    touched: RwSignal<bool>,
    turn: StoredValue<u64>,
}

/// Below this scale a box shows its name and state only.
const FAR: f64 = 0.55;
/// The part on the screen counts as changing for so long after its latest change.
const AT_REST: std::time::Duration = std::time::Duration::from_millis(160);

/// Words and marks of the address, to begin with.
fn asked(ui: Ui) -> TreeView {
    match ui.navigator.route_once() {
        Route::Cluster { view, .. } => view,
        _ => TreeView::default(),
    }
}

/// Servers of the cluster for which this is true.
fn servers_that(ui: Ui, is_one: impl Fn(&ServerView) -> bool) -> Keys {
    ui.cluster.servers.with(|servers| {
        let ones = servers.iter().filter(|(_, server)| server.with(&is_one));
        ones.map(|(key, _)| key.clone()).collect()
    })
}

/// Servers whose state wants no look and that nobody looks at.
fn calm(ui: Ui, focused: RwSignal<Option<InstanceKey>>) -> Keys {
    let mut calm = servers_that(ui, |server| Tone::of_server(server).urgency() < Tone::Attention.urgency());
    if let Route::Cluster { server: Some(selected), .. } = ui.navigator.route() {
        calm.remove(&selected);
    }
    focused.with(|focused| focused.as_ref().map(|key| calm.remove(key)));
    calm
}

/// A server that is held by keyboard, and where it would go: the keys lead to folded ones too.
fn kept_by_key(ui: Ui) -> Vec<InstanceKey> {
    let held = ui.moving.held.with(|held| held.as_ref().filter(|h| h.by == By::Keyboard).map(|h| h.server.clone()));
    held.into_iter().flat_map(|held| [Some(held), ui.moving.over.get()]).flatten().collect()
}

impl Drawing {
    /// Of the cluster on the screen.
    pub fn new(ui: Ui) -> Self {
        let asked = asked(ui);
        let camera = Camera::parse(&asked.camera);
        let screen = RwSignal::new(Point::default());
        let direction = RwSignal::new(None::<Direction>);
        let focused = RwSignal::new(None);
        let closed = asked.folded.split(',').filter_map(|text| InstanceKey::parse(text, 3306).ok());
        let closed = RwSignal::new(closed.collect::<Keys>());
        let trouble = RwSignal::new(asked.trouble);
        let find = RwSignal::new(asked.find);
        let primary = Memo::new(move |_| ui.cluster.summary.with(|s| s.as_ref().and_then(|s| s.primary.clone())));
        let moves = Memo::new(move |_| {
            if ui.work.afterwards.get() { ui.work.plan().map(|p| p.moves).unwrap_or_default() } else { Vec::new() }
        });
        let whole = Memo::new(move |_| {
            let rows = ui.cluster.rows.get();
            Arc::new(Forest::new(&after(&rows, &moves.get()), primary.get().as_ref()))
        });
        let found = Memo::new(move |_| {
            let words = words(&find.get());
            (!words.is_empty()).then(|| servers_that(ui, |server| matches(server, &words)))
        });
        let forest = Memo::new(move |_| {
            let mut wanted = found.get().unwrap_or_default();
            wanted.extend(kept_by_key(ui));
            // Where a plan leads is seen in full.
            wanted.extend(moves.get().into_iter().map(|m| m.server));
            let calm = if trouble.get() { calm(ui, focused) } else { Keys::default() };
            Arc::new(fold(&whole.get(), &Folding { closed: closed.get(), calm, wanted }))
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
            let mut places = forest.nodes.iter().enumerate().map(|(at, node)| (node.key.clone(), at)).collect();
            sort(&mut places, &|(a, _): &(InstanceKey, usize), (b, _)| a.cmp(b));
            Arc::new(Plot { forest, picture, places })
        });
        let shown = RwSignal::new(camera.unwrap_or_default());
        let drawing = Self {
            plot,
            camera: shown,
            screen,
            direction,
            focused,
            closed,
            trouble,
            find,
            found,
            whole,
            far: Memo::new(move |_| shown.get().scale < FAR),
            moving: RwSignal::new(false),
            zooming: RwSignal::new(false),
            touched: RwSignal::new(camera.is_some()),
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

    /// Folds what is below a server, or opens it again. The server stays where it is on the screen.
    pub fn toggle(self, ui: Ui, key: &InstanceKey) {
        let corner = || self.plot.with_untracked(|p| p.place(key).map(|at| p.picture.corner(at)));
        let before = corner();
        let is_short = self.plot.with_untracked(|p| !p.hidden(key).is_empty());
        if is_short && self.closed.with_untracked(|closed| !closed.contains(key)) {
            // It is not folded: calm ones are left out everywhere.
            self.trouble.set(false);
        } else {
            self.closed.update(|closed| {
                if !closed.remove(key) {
                    closed.insert(key.clone());
                }
            });
        }
        if let (true, Some(before), Some(after)) = (self.touched.get_untracked(), before, corner()) {
            let scale = self.camera.get_untracked().scale;
            let by = Point::new((before.x - after.x) * scale, (before.y - after.y) * scale);
            self.camera.update(|camera| *camera = camera.panned(by));
        }
        self.remember(ui);
    }

    /// Folds everything below the first level of replicas, or opens everything.
    pub fn toggle_all(self, ui: Ui) {
        let open = self.closed.with_untracked(|closed| closed.as_slice().is_empty());
        self.closed.set(if open { self.whole.with_untracked(|forest| closable(forest)) } else { Keys::default() });
        self.remember(ui);
    }

    /// Leaves out replicas that need no look, or draws all.
    pub fn toggle_trouble(self, ui: Ui) {
        self.trouble.update(|trouble| *trouble = !*trouble);
        self.remember(ui);
    }

    /// Looks for something.
    pub fn look_for(self, ui: Ui, text: String) {
        self.find.set(text);
        self.remember(ui);
    }

    /// Opens what is folded above a server.
    fn open_to(self, key: &InstanceKey) {
        let above: Vec<InstanceKey> = self.whole.with_untracked(|forest| {
            let parent = |at: &usize| forest.nodes.get(*at).and_then(|n| n.parent);
            let up = std::iter::successors(forest.find(key).and_then(|at| parent(&at)), parent);
            up.filter_map(|at| forest.nodes.get(at)).map(|n| n.key.clone()).collect()
        });
        if self.closed.with_untracked(|closed| above.iter().any(|key| closed.contains(key))) {
            self.closed.update(|closed| {
                above.iter().for_each(|key| {
                    closed.remove(key);
                })
            });
        }
    }

    /// A person chooses another part.
    pub fn look(self, ui: Ui, change: impl FnOnce(Camera) -> Camera) {
        let before = self.camera.get_untracked();
        let next = change(before);
        if next == before {
            return;
        }
        self.camera.set(next);
        let zooms = (next.scale - before.scale).abs() > 1e-9;
        for (flag, on) in [(self.moving, true), (self.zooming, zooms), (self.touched, true)] {
            if on && !flag.get_untracked() {
                flag.set(true);
            }
        }
        self.remember(ui);
    }

    /// Zooms around the middle of the pane.
    pub fn zoom(self, ui: Ui, factor: f64) {
        let screen = self.screen.get_untracked();
        self.look(ui, |camera| camera.zoomed(factor, Point::new(screen.x / 2.0, screen.y / 2.0)));
    }

    /// Brings a server onto the screen.
    pub fn reveal(self, ui: Ui, key: &InstanceKey) {
        if self.plot.with_untracked(|p| p.place(key).is_none()) {
            self.open_to(key);
        }
        let corner = self.plot.with_untracked(|p| p.place(key).map(|at| p.picture.corner(at)));
        if let Some(corner) = corner {
            let screen = self.screen.get_untracked();
            self.look(ui, |camera| camera.revealing(corner, BOX, screen));
        }
    }

    /// The address names what is on the screen, a little later, so that a link shows the same.
    fn remember(self, ui: Ui) {
        let turn = self.turn.get_value() + 1;
        self.turn.set_value(turn);
        let is_latest = move || self.turn.try_get_value() == Some(turn);
        set_timeout(
            move || {
                if is_latest() {
                    self.moving.set(false);
                    self.zooming.set(false);
                }
            },
            AT_REST,
        );
        set_timeout(
            move || {
                if !is_latest() {
                    return;
                }
                if let Route::Cluster { name, server, readiness, .. } = ui.navigator.route_once() {
                    ui.navigator.replace(&Route::Cluster { name, server, view: self.view(), readiness });
                }
            },
            std::time::Duration::from_millis(500),
        );
    }

    /// What is on the screen, for the address.
    fn view(self) -> TreeView {
        let camera = if self.touched.get_untracked() { self.camera.get_untracked().text() } else { String::new() };
        let folded = self.closed.with_untracked(|closed| {
            // Those that are gone are not carried along.
            let known =
                closed.as_slice().iter().filter(|key| self.whole.with_untracked(|forest| forest.find(key).is_some()));
            known.map(ToString::to_string).collect::<Vec<_>>().join(",")
        });
        TreeView { camera, folded, trouble: self.trouble.get_untracked(), find: self.find.get_untracked() }
    }
}
