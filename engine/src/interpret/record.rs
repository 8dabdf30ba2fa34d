//! A row as a server sent it.

/// One row: column names as the server spelled them, values as text, `None` for NULL.
///
/// Columns are looked up without regard to case: servers spell the same column `Get_Source_public_key` and
/// `GET_PUBLIC_KEY` in different places, and a lookup that minds the case loses an option (`spec/discovery.md` 17).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record(Vec<(String, Option<String>)>);

impl Record {
    /// A row of the given columns.
    pub fn new(columns: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        Self(columns.into_iter().collect())
    }

    /// The value of a column; `None` when it is NULL or there is no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).and_then(|(_, value)| value.as_deref())
    }

    /// There is a column of this name, NULL or not.
    pub fn has(&self, column: &str) -> bool {
        self.0.iter().any(|(name, _)| name.eq_ignore_ascii_case(column))
    }

    /// The value of the first of these columns that is there and not NULL: old and new spellings of one thing.
    pub fn first(&self, columns: &[&str]) -> Option<&str> {
        columns.iter().find_map(|column| self.get(column))
    }

    /// Like [`Self::first`], owned, and empty when there is none.
    pub fn text(&self, columns: &[&str]) -> String {
        self.first(columns).unwrap_or_default().to_owned()
    }

    /// The first of these columns as a number; `None` when there is none or it is no number.
    pub fn number<N: std::str::FromStr>(&self, columns: &[&str]) -> Option<N> {
        self.first(columns).and_then(|value| value.trim().parse().ok())
    }

    /// The first of these columns as a switch; `None` when there is none.
    pub fn switch(&self, columns: &[&str]) -> Option<bool> {
        self.first(columns).map(is_on)
    }

    /// The value of the column at this place, from 0, whatever its name.
    pub fn nth(&self, place: usize) -> Option<&str> {
        self.0.get(place).and_then(|(_, value)| value.as_deref())
    }

    /// All columns in order, names as the server spelled them.
    pub fn cells(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The value of the only column, or of the first one.
    pub fn scalar(&self) -> Option<&str> {
        self.0.first().and_then(|(_, value)| value.as_deref())
    }
}

/// A switch as servers write it: `1`, `ON`, `YES`, `TRUE`; and, for `read_only` of MariaDB 12, `NO_LOCK` and
/// `NO_LOCK_NO_ADMIN`, which are stronger forms of `ON`.
pub fn is_on(text: &str) -> bool {
    !matches!(text.trim().to_ascii_uppercase().as_str(), "" | "0" | "OFF" | "NO" | "FALSE" | "DISABLED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_in_every_spelling() {
        for on in ["1", "ON", "on", "Yes", "TRUE", "NO_LOCK", "NO_LOCK_NO_ADMIN"] {
            assert!(is_on(on), "{on}");
        }
        for off in ["0", "OFF", "off", "No", "FALSE", "", "DISABLED"] {
            assert!(!is_on(off), "{off}");
        }
    }

    #[test]
    fn null_and_missing_are_told_apart() {
        let row = Record::new([("A".to_owned(), None), ("b".to_owned(), Some("2".to_owned()))]);
        assert!(row.has("a") && row.has("B") && !row.has("c"));
        assert_eq!(row.get("a"), None);
        assert_eq!(row.number::<u64>(&["a", "B"]), Some(2));
    }
}
