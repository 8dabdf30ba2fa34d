//! The lag of the selected server over the last minutes, as far as this page has seen it.

use leptos::prelude::*;

use crate::api::ServerView;
use crate::ui::model::age::lag_text;
use crate::ui::model::sparkline::line;
use crate::ui::state::use_ui;

const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 28.0;

/// The line, with its largest value in words; nothing for a server that does not replicate.
#[component]
pub fn LagLine(server: RwSignal<ServerView>) -> impl IntoView {
    let ui = use_ui();
    let drawn = Memo::new(move |_| {
        let key = server.with(|s| s.instance.is_replica().then(|| s.instance.key.clone()))?;
        let samples = ui.cluster.lag_samples(&key);
        (samples.len() > 1).then(|| line(&samples, ui.clock.now(), WIDTH, HEIGHT))
    });
    let text = move || {
        drawn.with(|d| {
            d.as_ref().map(|d| {
                let gaps = if d.gaps { ", unknown for a part" } else { "" };
                format!("lag of the last 10 minutes, at most {}{gaps}", lag_text(Some(d.largest)))
            })
        })
    };
    let shown = Memo::new(move |_| drawn.with(Option::is_some));
    view! {
        <Show when=move || shown.get()>
            <figure class="lag-line">
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") width=WIDTH.to_string() height=HEIGHT.to_string() preserveAspectRatio="none" aria-hidden="true">
                    <path d=move || drawn.with(|d| d.as_ref().map(|d| d.path.clone()).unwrap_or_default()) fill="none" />
                </svg>
                <figcaption class="small">{text}</figcaption>
            </figure>
        </Show>
    }
}
