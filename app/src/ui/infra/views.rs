//! Views of the dashboard that a person gave a name, kept in this browser.

use super::prefs::storage;

/// A view with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// What the person calls it.
    pub name: String,
    /// Where it is, relative to the document's base.
    pub address: String,
}

const VIEWS: &str = "orchestrator.views";

/// All of them, by name. One line each, a tab between name and address: an address holds neither.
pub fn saved_views() -> Vec<SavedView> {
    let text = storage().and_then(|s| s.get_item(VIEWS).ok().flatten()).unwrap_or_default();
    let view = |line: &str| {
        let (name, address) = line.split_once('\t')?;
        // Whatever else is in the storage, only places of this page are gone to.
        address.starts_with("web/").then(|| SavedView { name: name.to_owned(), address: address.to_owned() })
    };
    text.lines().filter_map(view).collect()
}

/// Keeps a view under a name, in place of one that has the name already. An empty name keeps nothing.
pub fn save_view(name: &str, address: String) -> Vec<SavedView> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut views = saved_views();
    views.retain(|view| view.name != name);
    if !name.is_empty() {
        let at = views.iter().position(|view| view.name > name).unwrap_or(views.len());
        views.insert(at, SavedView { name, address });
    }
    store(views)
}

/// Forgets a view.
pub fn remove_view(name: &str) -> Vec<SavedView> {
    let mut views = saved_views();
    views.retain(|view| view.name != name);
    store(views)
}

fn store(views: Vec<SavedView>) -> Vec<SavedView> {
    let text = views.iter().map(|v| format!("{}\t{}\n", v.name, v.address)).collect::<String>();
    if let Some(storage) = storage() {
        let _ = storage.set_item(VIEWS, &text);
    }
    views
}
