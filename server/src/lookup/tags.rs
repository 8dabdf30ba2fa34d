//! Tag expressions (`spec/api.md` 3.11).

use std::collections::BTreeSet;

use app::InstanceKey;
use app::topology::Snapshot;

/// `name`, `name=value`, `~name` or `~name=value`; `!` reads as `~`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagExpression {
    /// Name of the tag.
    pub name: String,
    /// The value asked for; `None` means any.
    pub value: Option<String>,
    /// Meant are servers for which it does not hold.
    pub negated: bool,
}

/// A text that is no tag expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse tag: expected name, name=value, ~name or ~name=value, got {0:?}")]
pub struct TagError(pub String);

impl TagExpression {
    /// Reads one expression.
    ///
    /// # Errors
    /// [`TagError`] with the text given.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let replaced = text.replace('!', "~");
        let trimmed = replaced.trim();
        let (negated, rest) = match trimmed.strip_prefix('~') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        };
        let (name, value) = match rest.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (rest, None),
        };
        if name.is_empty() || name.contains('~') {
            return Err(TagError(text.to_owned()));
        }
        Ok(Self { name: name.to_owned(), value, negated })
    }

    fn holds(&self, snapshot: &Snapshot, key: &InstanceKey) -> bool {
        let Some(tags) = snapshot.annotations.tags.get(key) else { return false };
        let found = tags.get(&self.name);
        match (self.negated, &self.value) {
            (false, None) => found.is_some(),
            (false, Some(value)) => found == Some(value),
            (true, None) => found.is_none(),
            (true, Some(value)) => found.is_some_and(|v| v != value),
        }
    }
}

/// Servers for which all expressions of a comma list hold, by key. A negated name finds only servers with any tag.
///
/// # Errors
/// [`TagError`] with the first element that is no expression.
pub fn tagged(snapshot: &Snapshot, list: &str) -> Result<Vec<InstanceKey>, TagError> {
    let expressions: Vec<TagExpression> = list.split(',').map(TagExpression::parse).collect::<Result<_, _>>()?;
    let candidates: BTreeSet<&InstanceKey> = snapshot.annotations.tags.keys().collect();
    let holds = |key: &&&InstanceKey| expressions.iter().all(|e| e.holds(snapshot, key));
    Ok(candidates.iter().filter(holds).map(|key| (*key).clone()).collect())
}
