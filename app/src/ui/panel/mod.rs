//! What stands beside the tree: the plan at work, else readiness where it is asked for, else the selected server, else
//! the cluster.

pub mod actions;
pub mod cluster_panel;
pub mod confirm;
pub mod downtime;
pub mod evidence;
pub mod forget;
pub mod lag_line;
pub mod plan_panel;
pub mod readiness;
pub mod server_panel;
pub mod steps;
pub mod strip;

use leptos::prelude::*;

use crate::ui::model::route::Route;
use crate::ui::state::use_ui;
use crate::ui::state::work::Stage;
use cluster_panel::ClusterPanel;
use confirm::ConfirmPanel;
use plan_panel::PlanPanel;
use readiness::ReadinessPanel;
use server_panel::ServerPanel;

/// Which panel is shown.
#[derive(Debug, Clone, PartialEq)]
enum Shown {
    Plan,
    Confirm,
    Readiness(Option<crate::InstanceKey>),
    Server(crate::InstanceKey),
    Cluster,
}

/// The panel beside the tree.
#[component]
pub fn SidePanel() -> impl IntoView {
    let ui = use_ui();
    let shown = Memo::new(move |_| {
        let selected = || match ui.navigator.route() {
            Route::Cluster { server, readiness: true, .. } => Shown::Readiness(server),
            Route::Cluster { server: Some(key), .. } => Shown::Server(key),
            _ => Shown::Cluster,
        };
        ui.work.stage.with(|stage| match stage {
            Stage::Idle => selected(),
            Stage::Confirming { .. } => Shown::Confirm,
            _ => Shown::Plan,
        })
    });
    move || match shown.get() {
        Shown::Plan => view! { <PlanPanel /> }.into_any(),
        Shown::Confirm => view! { <ConfirmPanel /> }.into_any(),
        Shown::Readiness(server) => view! { <ReadinessPanel server=server /> }.into_any(),
        Shown::Server(key) => view! { <ServerPanel key=key /> }.into_any(),
        Shown::Cluster => view! { <ClusterPanel /> }.into_any(),
    }
}
