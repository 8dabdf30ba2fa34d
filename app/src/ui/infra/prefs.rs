//! What a person prefers, kept in this browser.

use leptos::prelude::*;

/// A colour theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// High contrast.
    Contrast,
}

impl Theme {
    /// All, in the order in which the switch goes through them.
    pub const ALL: [Self; 4] = [Self::System, Self::Light, Self::Dark, Self::Contrast];

    /// Value of `data-theme` and of the stored preference; `theme.js` knows the same ones.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Contrast => "contrast",
        }
    }

    /// The theme of a name; the system's for any other text.
    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|t| t.name() == name).unwrap_or(Self::System)
    }
}

const THEME: &str = "orchestrator.theme";

/// What this browser keeps for the page; `None` where it keeps nothing.
pub(super) fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// The stored theme.
pub fn theme() -> Theme {
    Theme::of(&storage().and_then(|s| s.get_item(THEME).ok().flatten()).unwrap_or_default())
}

/// Applies a theme and remembers it. Without storage it lasts until the page is left.
pub fn set_theme(theme: Theme) {
    if let Some(root) = document().document_element() {
        let _ = match theme {
            Theme::System => root.remove_attribute("data-theme"),
            named => root.set_attribute("data-theme", named.name()),
        };
    }
    if let Some(storage) = storage() {
        let _ = storage.set_item(THEME, theme.name());
    }
}
