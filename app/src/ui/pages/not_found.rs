//! An address at which nothing lives.

use leptos::prelude::*;

use crate::ui::model::route::Route;
use crate::ui::state::use_ui;

/// Says what was asked for and where to go instead.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    let ui = use_ui();
    let path = move || match ui.navigator.route() {
        Route::Unknown { path } => path,
        _ => String::new(),
    };
    view! {
        <section class="column narrow">
            <h1>"Nothing lives here"</h1>
            <p>"There is no page at " <code>{path}</code> "."</p>
            <p>
                <a href=Route::dashboard().address()>"All clusters"</a>
                " · press Ctrl or ⌘ and K to find a server, a cluster or a page."
            </p>
        </section>
    }
}
