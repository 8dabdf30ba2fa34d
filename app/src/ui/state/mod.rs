//! What the page knows, in signals: one a server, so that a changed lag redraws one label.

pub mod cluster;
pub mod fleet;
pub mod live;
pub mod moving;
pub mod notices;
pub mod remote;
pub mod work;

use gloo_net::http::Method;
use leptos::prelude::*;

use super::chrome::act::act;
use super::infra::api::{path, send_only};
use super::infra::clock::Clock;
use super::infra::navigator::Navigator;
use super::model::access::may_operate_on;
use super::model::recovery::upsert;
use crate::api::Role;
use crate::recovery::Recovery;
use cluster::OpenCluster;
use fleet::Fleet;
use live::Link;
use moving::Moving;
use notices::Notices;
use work::Work;

/// Everything that components share. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Ui {
    /// The address.
    pub navigator: Navigator,
    /// The time.
    pub clock: Clock,
    /// Whether the service is heard.
    pub link: Link,
    /// Session, node, clusters, recoveries.
    pub fleet: Fleet,
    /// The cluster on the screen.
    pub cluster: OpenCluster,
    /// A server that is being moved by hand.
    pub moving: Moving,
    /// A plan that is shown or applied.
    pub work: Work,
    /// What was said about actions.
    pub notices: Notices,
}

impl Ui {
    /// Starts everything and provides it to all components below.
    pub fn start() -> Self {
        let clock = Clock::start();
        let ui = Self {
            navigator: Navigator::start(),
            clock,
            link: Link::new(),
            fleet: Fleet::new(),
            cluster: OpenCluster::new(),
            moving: Moving::new(),
            work: Work::new(),
            notices: Notices::new(),
        };
        provide_context(ui);
        live::start(ui);
        ui
    }

    /// Recoveries of the cluster on the screen, newest first. A cluster is named after its topmost server, so a recovery may
    /// have been of the same cluster under another name: the alias tells.
    pub fn cluster_recoveries(self) -> Vec<Recovery> {
        let mut list = self.cluster.recoveries.get();
        let ours = |r: &&Recovery| {
            self.cluster.summary.with(|s| {
                s.as_ref().is_some_and(|s| s.name == r.cluster || (s.alias == r.cluster_alias && s.alias != s.name))
            })
        };
        self.fleet.recoveries.value.with(|all| {
            for recovery in all.iter().flatten().filter(ours) {
                upsert(&mut list, recovery.clone());
            }
        });
        list
    }

    /// The caller may change topology: that of the open cluster, where one is open.
    pub fn may_operate(self) -> bool {
        let open = self.cluster.summary.with(|s| s.as_ref().map(|s| (s.name.clone(), s.alias.clone())));
        match open {
            Some((name, alias)) => self.may_operate_on(&name, &alias),
            None => self.fleet.role().is_some_and(|role| role >= Role::Operator),
        }
    }

    /// The caller may change this cluster.
    pub fn may_operate_on(self, name: &str, alias: &str) -> bool {
        self.fleet.session.value.with(|me| me.as_ref().is_some_and(|me| may_operate_on(me, name, alias)))
    }

    /// Ends the session; what was shown goes.
    pub fn log_out(self) {
        let call = async { send_only::<()>(Method::POST, &path(&["logout"]), None).await };
        act(self, "You are logged out.", call, || {});
    }

    /// Nothing that somebody was allowed to see stays when they are gone.
    pub fn forget(self) {
        self.work.dismiss();
        self.moving.cancel();
        self.cluster.open(None);
        self.fleet.forget();
    }

    /// The caller may change the service.
    pub fn may_administer(self) -> bool {
        self.fleet.role().is_some_and(|role| role >= Role::Admin)
    }
}

/// What components share.
///
/// # Panics
/// Outside the page, where there is none.
#[allow(clippy::expect_used)]
pub fn use_ui() -> Ui {
    use_context::<Ui>().expect("components are drawn below App, which provides it")
}
