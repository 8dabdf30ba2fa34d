//! The root of the page.

use leptos::prelude::*;

use super::chrome::banner::Banner;
use super::chrome::header::Header;
use super::chrome::notice_list::NoticeList;
use super::chrome::palette::Palette;
use super::model::route::Route;
use super::pages::account::AccountPage;
use super::pages::audit::AuditPage;
use super::pages::cluster::ClusterPage;
use super::pages::dashboard::DashboardPage;
use super::pages::discover::DiscoverPage;
use super::pages::login::LoginPage;
use super::pages::not_found::NotFoundPage;
use super::pages::recoveries::RecoveriesPage;
use super::pages::recovery::RecoveryPage;
use super::pages::search::SearchPage;
use super::pages::status::StatusPage;
use super::pages::tokens::TokensPage;
use super::pages::users::UsersPage;
use super::state::Ui;
use super::state::live::Liveness;

/// Puts the page into the document.
pub fn mount() {
    leptos::mount::mount_to_body(App);
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
}

/// Which page an address belongs to, whatever it shows there.
fn kind(route: &Route) -> &'static str {
    match route {
        Route::Clusters { .. } => "clusters",
        Route::Cluster { .. } => "cluster",
        Route::Recoveries { .. } => "recoveries",
        Route::Recovery { .. } => "recovery",
        Route::Audit { .. } => "audit",
        Route::Login { .. } => "login",
        Route::Account => "account",
        Route::Tokens => "tokens",
        Route::Users => "users",
        Route::Status => "status",
        Route::Discover => "discover",
        Route::Search { .. } => "search",
        Route::Unknown { .. } => "unknown",
    }
}

#[component]
fn App() -> impl IntoView {
    let ui = Ui::start();
    let palette = RwSignal::new(false);
    let page = ui.navigator.part(kind);
    let title = ui.navigator.part(Route::title);
    Effect::new(move |_| document().set_title(&format!("{} · orchestrator", title.get())));
    let stale = Memo::new(move |_| matches!(ui.link.liveness(ui.clock.now()), Liveness::Stale(_)));
    view! {
        <a class="skip" href="#main" target="_self" on:click=skip>"Skip to the content"</a>
        <Header palette=palette />
        <Banner />
        <main id="main" tabindex="-1" class=move || format!("page page-{}", page.get()) class:stale=move || stale.get()>
            {move || match page.get() {
                "clusters" => view! { <DashboardPage /> }.into_any(),
                "cluster" => view! { <ClusterPage /> }.into_any(),
                "recoveries" => view! { <RecoveriesPage /> }.into_any(),
                "recovery" => view! { <RecoveryPage /> }.into_any(),
                "audit" => view! { <AuditPage /> }.into_any(),
                "login" => view! { <LoginPage /> }.into_any(),
                "account" => view! { <AccountPage /> }.into_any(),
                "tokens" => view! { <TokensPage /> }.into_any(),
                "users" => view! { <UsersPage /> }.into_any(),
                "status" => view! { <StatusPage /> }.into_any(),
                "discover" => view! { <DiscoverPage /> }.into_any(),
                "search" => view! { <SearchPage /> }.into_any(),
                _ => view! { <NotFoundPage /> }.into_any(),
            }}
        </main>
        <NoticeList />
        <Palette open=palette />
    }
}

/// `#main` would be resolved against the document's base, which is another address.
fn skip(event: leptos::ev::MouseEvent) {
    use leptos::wasm_bindgen::JsCast;
    event.prevent_default();
    let main = document().get_element_by_id("main").and_then(|m| m.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(main) = main {
        let _ = main.focus();
    }
}
