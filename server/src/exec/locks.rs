//! Locks that carry the name of the operation that holds them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// Who holds a lock, since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Name of the operation, e.g. `relocate db2:3306 below db3:3306`.
    pub operation: String,
    /// Since.
    pub since: DateTime<Utc>,
}

/// Something is being changed by somebody else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is held by \"{}\" since {}", .holder.operation, .holder.since.format("%H:%M:%S"))]
pub struct Held {
    /// What is locked.
    pub what: String,
    /// Who holds it.
    pub holder: Holder,
}

/// Locks by name of what they protect (a cluster, a server). Never waited for: whoever comes second is told
/// who came first (`safety.md` S4).
#[derive(Debug, Clone, Default)]
pub struct Locks {
    held: Arc<Mutex<BTreeMap<String, Holder>>>,
}

/// Holds its locks until dropped.
#[derive(Debug)]
pub struct Guard {
    locks: Locks,
    names: Vec<String>,
}

impl Locks {
    /// Takes all the locks or none.
    ///
    /// # Errors
    /// [`Held`] with the first lock that somebody else holds.
    pub fn take(&self, names: &[String], operation: &str) -> Result<Guard, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((what, holder)) = names.iter().find_map(|n| held.get_key_value(n)) {
            return Err(Held { what: what.clone(), holder: holder.clone() });
        }
        let holder = Holder { operation: operation.to_owned(), since: Utc::now() };
        held.extend(names.iter().map(|name| (name.clone(), holder.clone())));
        Ok(Guard { locks: self.clone(), names: names.to_vec() })
    }

    /// All locks held now.
    pub fn list(&self) -> BTreeMap<String, Holder> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut held = self.locks.held.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            held.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first_and_takes_nothing() {
        let locks = Locks::default();
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let guard = locks.take(&names(&["a", "b"]), "relocate b below a").expect("free");
        let held = locks.take(&names(&["c", "b"]), "recover c").expect_err("b is held");
        assert_eq!((held.what.as_str(), held.holder.operation.as_str()), ("b", "relocate b below a"));
        assert!(!locks.list().contains_key("c"));
        drop(guard);
        assert!(locks.take(&names(&["c", "b"]), "recover c").is_ok());
    }
}
