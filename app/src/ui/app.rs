//! The root of the page.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

/// Puts the page into the document.
pub fn mount() {
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
    leptos::mount::mount_to_body(App);
}

#[component]
fn App() -> impl IntoView {
    view! {
        <Router>
            <Routes fallback=|| view! { <h1>"Not found"</h1> }>
                <Route path=path!("/") view=|| view! { <h1>"orchestrator"</h1> } />
            </Routes>
        </Router>
    }
}
