//! Calls that change something: what came of them is always said.

use std::future::Future;
use std::pin::Pin;

use leptos::task::spawn_local;

use crate::ui::infra::api::ApiError;
use crate::ui::model::reaction::Reread;
use crate::ui::state::Ui;
use crate::ui::state::live::ask;

type Call = Pin<Box<dyn Future<Output = Result<(), ApiError>>>>;

/// Makes a call, says that it is done or why it failed, and reads again what it may have changed.
pub fn act(
    ui: Ui,
    done: impl Into<String>,
    call: impl Future<Output = Result<(), ApiError>> + 'static,
    then: impl FnOnce() + 'static,
) {
    run(ui, done.into(), Box::pin(call), Box::new(then));
}

/// The same for whatever is called: in the program once.
fn run(ui: Ui, done: String, call: Call, then: Box<dyn FnOnce()>) {
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
