//! The header: where one is, whether the page is live, who one is.

use leptos::ev;
use leptos::prelude::*;

use super::icon::Icon;
use crate::ui::infra::prefs::{Theme, set_theme, theme};
use crate::ui::model::access::role_word;
use crate::ui::model::age::{duration_text, moment_text};
use crate::ui::model::route::Route;
use crate::ui::state::live::{Liveness, since_heard};
use crate::ui::state::use_ui;

/// The header.
#[component]
pub fn Header(
    /// Opens the palette.
    palette: RwSignal<bool>,
) -> impl IntoView {
    let ui = use_ui();
    let link = move |route: Route, text: &'static str, here: fn(&Route) -> bool| {
        let current = ui.navigator.part(here);
        view! {
            <li>
                <a href=route.address() aria-current=move || current.get().then_some("page")>{text}</a>
            </li>
        }
    };
    let inside = ui.navigator.part(|r| !matches!(r, Route::Login { .. }));
    let clusters = |route: &Route| matches!(route, Route::Clusters { .. } | Route::Cluster { .. });
    let recoveries = |route: &Route| matches!(route, Route::Recoveries { .. } | Route::Recovery { .. });
    view! {
        <header class="header">
            <a class="brand" href=Route::dashboard().address()>
                <svg class="mark" viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
                    <g fill="none" stroke="currentColor" stroke-width="2"><path d="M16 11v4M16 15H8v4M16 15h8v4M16 15v4" /></g>
                    <circle class="mark-primary" cx="16" cy="8" r="4" />
                    <g fill="currentColor"><circle cx="8" cy="22" r="3" /><circle cx="16" cy="22" r="3" /><circle cx="24" cy="22" r="3" /></g>
                </svg>
                <span class="brand-name">"orchestrator"</span>
            </a>
            <Show when=move || inside.get()>
            <nav aria-label="Pages">
                <ul>
                    {link(Route::dashboard(), "Clusters", clusters)}
                    {link(Route::recoveries(), "Recoveries", recoveries)}
                    {link(Route::audit(), "Audit", |r| matches!(r, Route::Audit { .. }))}
                    {link(Route::Status, "Status", |r| matches!(r, Route::Status))}
                    <Show when=move || ui.may_operate()>
                        {link(Route::Discover, "Discover", |r| matches!(r, Route::Discover))}
                    </Show>
                </ul>
            </nav>
            <button type="button" class="search-opener" aria-label="Search" on:click=move |_| palette.set(true) aria-haspopup="dialog">
                <Icon name="search" />
                <span class="search-words">"Search"</span>
                <kbd aria-hidden="true">"⌘K"</kbd>
            </button>
            <LiveDot />
            </Show>
            <ThemeSwitch />
            <Show when=move || inside.get()><User /></Show>
        </header>
    }
}

/// Whether the page is live, and how old its latest word is.
#[component]
fn LiveDot() -> impl IntoView {
    let ui = use_ui();
    let state = Memo::new(move |_| ui.link.liveness(ui.clock.now()));
    let class = move || match state.get() {
        Liveness::Starting => "live starting",
        Liveness::Live => "live on",
        Liveness::Stale(_) => "live off",
    };
    let word = move || match state.get() {
        Liveness::Starting => "connecting",
        Liveness::Live => "live",
        Liveness::Stale(_) => "not live",
    };
    let age = Memo::new(move |_| {
        let _ = ui.clock.now();
        ui.link.last_heard().map(|at| duration_text(since_heard(at))).filter(|_| state.get() != Liveness::Live)
    });
    let title = move || ui.link.last_heard().map(|at| format!("Last heard {}", moment_text(at))).unwrap_or_default();
    view! {
        <span class=class title=title>
            <span class="dot" aria-hidden="true"></span>
            <span>{word}</span>
            <span class="live-age">{move || age.get()}</span>
        </span>
    }
}

/// Goes through the themes.
#[component]
fn ThemeSwitch() -> impl IntoView {
    let chosen = RwSignal::new(theme());
    let next = move || {
        let at = Theme::ALL.iter().position(|t| *t == chosen.get()).unwrap_or(0);
        Theme::ALL.get((at + 1) % Theme::ALL.len()).copied().unwrap_or(Theme::System)
    };
    let icon = Signal::derive(move || match chosen.get() {
        Theme::System => "screen",
        Theme::Light => "sun",
        Theme::Dark => "moon",
        Theme::Contrast => "contrast",
    });
    let turn = move |_: ev::MouseEvent| {
        let theme = next();
        set_theme(theme);
        chosen.set(theme);
    };
    let label = move || format!("Theme: {}. Change to {}.", chosen.get().name(), next().name());
    view! {
        <button type="button" class="plain theme" on:click=turn aria-label=label title=label>
            <Icon name=icon />
        </button>
    }
}

/// Who is calling, and with which rights; the way to the account, and out.
#[component]
fn User() -> impl IntoView {
    let ui = use_ui();
    let me = ui.fleet.session.value;
    let name =
        move || me.with(|s| s.as_ref().map(|s| if s.user.is_empty() { "no login".to_owned() } else { s.user.clone() }));
    let role = move || me.with(|s| s.as_ref().map(|s| s.role.map_or("unknown", role_word)));
    let has_logins = Memo::new(move |_| me.with(|s| s.as_ref().is_some_and(|s| s.has_logins)));
    let here = ui.navigator.part(|r| matches!(r, Route::Account | Route::Tokens | Route::Users));
    view! {
        <a class="user" href=Route::Account.address() aria-label="Account" aria-current=move || here.get().then_some("page")>
            <Icon name="person" />
            <span class="user-name">{name}</span>
            <span class="user-role">{role}</span>
        </a>
        <Show when=move || has_logins.get()>
            <button type="button" class="plain log-out" on:click=move |_| ui.log_out() aria-label="Log out" title="Log out">
                <Icon name="leave" />
            </button>
        </Show>
    }
}
