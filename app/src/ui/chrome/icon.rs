//! The icons: 16 × 16 outlines drawn with the colour of the text beside them.

use leptos::prelude::*;

/// Path data of an icon; a question mark for a name that has none.
fn path(name: &str) -> &'static str {
    match name {
        "check" => "M3 8.5l3.2 3.2L13 4.8",
        "triangle" => "M8 2.2L14.4 13.6H1.6zM8 6.4v3.4M8 11.6v.2",
        "cross" => "M4 4l8 8M12 4l-8 8",
        "progress" => "M8 2.2a5.8 5.8 0 1 1-5.8 5.8M8 4.6V8l2.4 1.6",
        "moon" => "M12.8 9.8A5.4 5.4 0 0 1 6.2 3.2a5.4 5.4 0 1 0 6.6 6.6z",
        "sun" => {
            "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13"
        }
        "contrast" => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 2v12M8 5h3.8M8 8h5.8M8 11h3.8",
        "screen" => "M2 3.2h12v7.6H2zM6 13.4h4M8 10.8v2.6",
        "search" => "M7 2.6a4.4 4.4 0 1 1 0 8.8 4.4 4.4 0 0 1 0-8.8zM10.3 10.3L14 14",
        "move" => {
            "M8 2v5M8 7l-3.2 3.4M8 7l3.2 3.4M3.4 14.2a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8zM12.6 14.2a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8z"
        }
        "fit" => "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
        "plus" => "M8 3v10M3 8h10",
        "minus" => "M3 8h10",
        "fold" => "M8 2v4.4M5.6 4.2L8 6.6l2.4-2.4M8 14V9.6M5.6 11.8L8 9.4l2.4 2.4M2.4 8h11.2",
        "unfold" => "M8 6.4V2M5.6 4.4L8 2l2.4 2.4M8 9.6V14M5.6 11.6L8 14l2.4-2.4M2.4 8h11.2",
        "turn" => "M3 3h4v4H3zM10 9h4v4h-4zM7 5h3.5a1.5 1.5 0 0 1 1.5 1.5V9",
        "close" => "M4 4l8 8M12 4l-8 8",
        "link" => {
            "M6.6 9.4a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7l-.9.9M9.4 6.6a2.6 2.6 0 0 0-3.7 0L3.4 8.9a2.6 2.6 0 0 0 3.7 3.7l.9-.9"
        }
        "lock" => "M4 7.4h8v6H4zM5.6 7.4V5.2a2.4 2.4 0 0 1 4.8 0v2.2",
        "ack" => "M2 8.6l2.8 2.8M6 8.6l2.8 2.8L15 5M9.2 7.6L11.6 5",
        "heart" => "M8 13.2S2.2 9.8 2.2 5.9A2.9 2.9 0 0 1 8 4.8a2.9 2.9 0 0 1 5.8 1.1c0 3.9-5.8 7.3-5.8 7.3z",
        "person" => "M8 2.4a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM2.8 14c.5-2.8 2.6-4.2 5.2-4.2s4.7 1.4 5.2 4.2",
        "leave" => "M9.6 4.6V2.4H2.6v11.2h7v-2.2M6.4 8h7.2M11 5.4L13.6 8 11 10.6",
        "arrow" => "M3 8h9.4M8.8 4.4L12.4 8l-3.6 3.6",
        "bolt" => "M9 1.8L3.4 9H8l-1 5.2L12.6 7H8z",
        _ => "M5.8 6.2a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12v.2",
    }
}

/// An icon. It says nothing by itself: a word always stands beside it or names its button.
#[component]
pub fn Icon(
    /// Name.
    #[prop(into)]
    name: Signal<&'static str>,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d=move || path(name.get()) fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" />
        </svg>
    }
}
