//! Statements, arguments and rows in a form that both backends share, so that the table files are written once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use app::InstanceKey;
use chrono::{DateTime, Utc};

use super::text;

/// One argument or one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// NULL.
    Null,
    /// A whole number; unsigned ones beyond `i64` are held at its maximum.
    Int(i64),
    /// Text, a timestamp's text included.
    Text(String),
    /// A moment, written in UTC to the second.
    Time(DateTime<Utc>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(time)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its arguments, one `?` each.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) args: Vec<Value>,
    kept: bool,
}

/// Statements with more arguments than this are prepared anew each time unless said otherwise: they come in many lengths.
const PREPARED_UP_TO: usize = 1_000;

impl Statement {
    /// A statement without arguments so far.
    pub(super) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), args: Vec::new(), kept: false }
    }

    /// Keeps it prepared although it is long: it will come again in exactly this length.
    #[must_use]
    pub(super) fn kept(mut self, kept: bool) -> Self {
        self.kept = kept;
        self
    }

    /// It is kept prepared.
    pub(super) fn is_kept(&self) -> bool {
        self.kept || self.args.len() <= PREPARED_UP_TO
    }

    /// Adds the next argument.
    #[must_use]
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Adds host name and port as the next two arguments.
    #[must_use]
    pub(super) fn bind_key(self, key: &InstanceKey) -> Self {
        self.bind(&key.hostname).bind(key.port)
    }
}

/// What a writing statement did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// Rows changed or matched, as the backend counts.
    pub(super) affected: u64,
    /// Number given to an inserted row.
    pub(super) last_id: i64,
}

/// Column positions by name, shared by the rows of one answer.
pub(super) type Columns = Arc<HashMap<String, usize>>;

/// One row. Reading is lenient, because rows come from every version of the original: a missing or
/// odd cell reads as empty, zero, false or never.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    columns: Columns,
    cells: Vec<Value>,
}

impl Row {
    pub(super) fn new(columns: Columns, cells: Vec<Value>) -> Self {
        Self { columns, cells }
    }

    pub(super) fn cell(&self, column: &str) -> Option<&Value> {
        self.columns.get(column).and_then(|at| self.cells.get(*at))
    }

    /// Takes a cell out; what is not there is NULL.
    pub(super) fn take(&mut self, column: &str) -> Value {
        let cell = self.columns.get(column).and_then(|at| self.cells.get_mut(*at));
        cell.map_or(Value::Null, |cell| std::mem::replace(cell, Value::Null))
    }

    /// Puts another value into a column that the row has.
    pub(super) fn replace(&mut self, column: &str, value: Value) {
        if let Some(cell) = self.columns.get(column).and_then(|at| self.cells.get_mut(*at)) {
            *cell = value;
        }
    }

    /// The first column, whatever its name.
    pub(super) fn first_text(&self) -> String {
        self.columns.iter().find(|(_, at)| **at == 0).map(|(name, _)| self.text(name)).unwrap_or_default()
    }

    pub(super) fn text(&self, column: &str) -> String {
        match self.cell(column) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Time(time)) => text::time_text(*time),
            Some(Value::Null) | None => String::new(),
        }
    }

    pub(super) fn int(&self, column: &str) -> i64 {
        self.int_or_null(column).unwrap_or(0)
    }

    pub(super) fn int_or_null(&self, column: &str) -> Option<i64> {
        match self.cell(column)? {
            Value::Int(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Time(_) | Value::Null => None,
        }
    }

    /// A number that cannot be negative.
    pub(super) fn count(&self, column: &str) -> u64 {
        u64::try_from(self.int(column)).unwrap_or(0)
    }

    pub(super) fn flag(&self, column: &str) -> bool {
        self.int(column) != 0
    }

    /// A moment; `None` for NULL, empty, unreadable and the "never" values.
    pub(super) fn time(&self, column: &str) -> Option<DateTime<Utc>> {
        match self.cell(column)? {
            Value::Time(time) => text::real_time(*time),
            Value::Text(text) => text::parse_time(text),
            Value::Int(_) | Value::Null => None,
        }
    }

    /// A moment that has to be there; the epoch when it is not.
    pub(super) fn time_or_epoch(&self, column: &str) -> DateTime<Utc> {
        self.time(column).unwrap_or_default()
    }

    /// A server named by two columns.
    pub(super) fn key_of(&self, host: &str, port: &str) -> InstanceKey {
        InstanceKey::new(self.text(host), u16::try_from(self.int(port)).unwrap_or(0))
    }

    /// The server named by `hostname` and `port`.
    pub(super) fn key(&self) -> InstanceKey {
        self.key_of("hostname", "port")
    }
}
