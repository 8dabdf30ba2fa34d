//! Notices about actions, and the words a screen reader is to say.

use leptos::prelude::*;

use super::icon::Icon;
use crate::ui::state::use_ui;

/// The stack of notices in the corner, and the live regions.
#[component]
pub fn NoticeList() -> impl IntoView {
    let notices = use_ui().notices;
    let one = move |notice: crate::ui::state::notices::Notice| {
        let id = notice.id;
        let icon = notice.tone.icon();
        view! {
            <li class=format!("notice {}", notice.tone.class())>
                <Icon name=icon />
                <span>{notice.text}</span>
                <button type="button" class="plain" aria-label="Put this notice away" on:click=move |_| notices.dismiss(id)>
                    <Icon name="close" />
                </button>
            </li>
        }
    };
    view! {
        <div class="notices" role="log" aria-label="Notices">
            <Show when=move || !notices.list().is_empty()>
                <ul><For each=move || notices.list() key=|n| n.id children=one /></ul>
            </Show>
        </div>
        <p class="spoken" role="status" aria-live="polite">{move || notices.spoken.get()}</p>
    }
}
