//! The differences between the two backends, in one place.

use chrono::{DateTime, Utc};

use super::text;

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// An embedded file.
    Sqlite,
    /// MySQL or MariaDB.
    MySql,
}

impl Dialect {
    /// The column limits of `spec/schema.md` 9 are enforced by the database.
    pub(super) fn enforces_limits(self) -> bool {
        self == Self::MySql
    }

    /// A moment as an argument.
    pub(super) fn time_text(self, time: DateTime<Utc>) -> String {
        match self {
            Self::Sqlite => text::time_text(time),
            Self::MySql => text::timestamp_text(time),
        }
    }

    /// The database's own clock, as a value for a timestamp column.
    pub(super) fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "datetime('now')",
            Self::MySql => "now()",
        }
    }

    /// The database's own clock, a whole number of seconds earlier.
    pub(super) fn seconds_ago(self, seconds: u32) -> String {
        match self {
            Self::Sqlite => format!("datetime('now', '-{seconds} seconds')"),
            Self::MySql => format!("now() - interval {seconds} second"),
        }
    }

    /// `insert into table (columns) values (?, ...), ...` for `rows` rows.
    pub(super) fn insert(self, table: &str, columns: &[&str], rows: usize) -> String {
        self.insert_words("insert into", table, columns, rows)
    }

    /// Inserts and leaves a row that is there already as it is; affected rows say which happened.
    pub(super) fn insert_absent(self, table: &str, columns: &[&str]) -> String {
        match self {
            Self::Sqlite => {
                let mut sql = self.insert_words("insert into", table, columns, 1);
                sql.push_str(" on conflict do nothing");
                sql
            }
            Self::MySql => self.insert_words("insert ignore into", table, columns, 1),
        }
    }

    /// A true upsert: an existing row keeps every column that is not listed. `keys` must be the columns of the
    /// primary key (MySQL looks at every unique key, so tables with another one do not use this).
    /// `kept_when_null` names columns in which a NULL argument leaves the stored value alone.
    pub(super) fn upsert(
        self,
        table: &str,
        keys: &[&str],
        columns: &[&str],
        kept_when_null: &[&str],
        rows: usize,
    ) -> String {
        let mut sql = self.insert(table, columns, rows);
        match self {
            Self::Sqlite => {
                sql.push_str(" on conflict (");
                sql.push_str(&keys.join(", "));
                sql.push_str(") do update set ");
            }
            Self::MySql => sql.push_str(" on duplicate key update "),
        }
        let updated = columns.iter().filter(|c| !keys.contains(c));
        let assignments: Vec<String> = updated
            .map(|c| {
                let new = self.proposed(c);
                if kept_when_null.contains(c) {
                    format!("{c} = coalesce({new}, {table}.{c})")
                } else {
                    format!("{c} = {new}")
                }
            })
            .collect();
        sql.push_str(&assignments.join(", "));
        sql
    }

    /// The value that the insert half of an upsert proposed.
    fn proposed(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("excluded.{column}"),
            Self::MySql => format!("values({column})"),
        }
    }

    /// Ends a `select` that reads rows which the same transaction will change.
    pub(super) fn for_update(self) -> &'static str {
        match self {
            // The transaction was begun as a writing one: there is no other writer.
            Self::Sqlite => "",
            Self::MySql => " for update",
        }
    }

    fn insert_words(self, words: &str, table: &str, columns: &[&str], rows: usize) -> String {
        let tuple = format!("({})", vec!["?"; columns.len()].join(", "));
        format!("{words} {table} ({}) values {}", columns.join(", "), vec![tuple.as_str(); rows.max(1)].join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upsert_names_only_its_own_columns() {
        assert_eq!(
            Dialect::Sqlite.upsert("t", &["a"], &["a", "b", "c"], &["c"], 2),
            "insert into t (a, b, c) values (?, ?, ?), (?, ?, ?) on conflict (a) do update set \
             b = excluded.b, c = coalesce(excluded.c, t.c)"
        );
        assert_eq!(
            Dialect::MySql.upsert("t", &["a"], &["a", "b"], &[], 1),
            "insert into t (a, b) values (?, ?) on duplicate key update b = values(b)"
        );
    }
}
