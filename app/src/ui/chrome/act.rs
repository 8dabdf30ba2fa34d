//! Calls that change something: what came of them is always said.

use std::future::Future;

use leptos::task::spawn_local;

use crate::ui::infra::api::ApiError;
use crate::ui::model::reaction::Reread;
use crate::ui::state::Ui;
use crate::ui::state::live::ask;

/// Makes a call, says that it is done or why it failed, and reads again what it may have changed.
pub fn act(
    ui: Ui,
    done: impl Into<String>,
    call: impl Future<Output = Result<(), ApiError>> + 'static,
    then: impl FnOnce() + 'static,
) {
    let done = done.into();
    spawn_local(async move {
        match call.await {
            Ok(()) => {
                ui.notices.done(done);
                then();
                let again = Reread { cluster: true, clusters: true, recoveries: true, node: true, ..Reread::default() };
                ask(ui, again);
            }
            Err(error) => ui.notices.failed(format!("Failed: {error}")),
        }
    });
}
