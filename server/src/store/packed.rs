//! Rows of many columns as one cell each: a JSON array that SQLite writes. A cell of its own for each value costs the driver a
//! hundred times what the value does.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Visitor};

use super::value::{Columns, Row, Value};

/// The name of the cell that holds the others.
const PACKED: &str = "packed";

/// Which columns are packed, and which cell follows them as it is. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    names: Columns,
    packed: usize,
    beside: &'static str,
}

impl Layout {
    /// These columns packed, and this one beside them.
    pub(super) fn new(columns: &[&str], beside: &'static str) -> Self {
        let all = columns.iter().chain([&beside]).enumerate();
        let names: HashMap<String, usize> = all.map(|(at, name)| ((*name).to_owned(), at)).collect();
        Self { names: Arc::new(names), packed: columns.len(), beside }
    }

    /// The row as if all columns had been selected by themselves.
    pub(super) fn unpack(&self, mut row: Row) -> Row {
        let mut cells: Vec<Value> = match row.take(PACKED) {
            Value::Text(text) => serde_json::from_str(&text).unwrap_or_default(),
            _ => Vec::new(),
        };
        cells.resize(self.packed, Value::Null);
        cells.push(row.take(self.beside));
        Row::new(Arc::clone(&self.names), cells)
    }
}

/// What to select instead of these columns. SQLite refuses a BLOB in one of them.
pub(super) fn select(columns: &[&str]) -> String {
    format!("json_array({}) as {PACKED}", columns.join(", "))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Cell)
    }
}

struct Cell;

impl Visitor<'_> for Cell {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a cell of a table")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what a count needs")]
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Int(number as i64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_cell_comes_back_in_its_column() {
        let columns = ["host", "port", "lag", "ratio", "big", "odd"];
        let packed = r#"["db\u00f61 \"x\"",3306,null,-1.9e3,18446744073709551615,"a\u0000b"]"#;
        let names = HashMap::from([(PACKED.to_owned(), 0), ("extra".to_owned(), 1)]);
        let row = Row::new(Arc::new(names), vec![Value::from(packed), Value::from("{}")]);
        let row = Layout::new(&columns, "extra").unpack(row);
        let cell = |name: &str| row.cell(name).cloned().unwrap_or(Value::Null);
        assert_eq!((cell("host"), cell("port")), (Value::from("d\u{62}\u{f6}1 \"x\""), Value::Int(3306)));
        assert_eq!((cell("lag"), cell("ratio"), cell("big")), (Value::Null, Value::Int(-1900), Value::Int(i64::MAX)));
        assert_eq!((cell("odd"), cell("extra")), (Value::from("a\0b"), Value::from("{}")));
    }

    #[test]
    fn a_row_that_was_not_packed_well_reads_as_empty() {
        let names = Arc::new(HashMap::from([(PACKED.to_owned(), 0)]));
        let rows = ["[1", "{}", "[1]"].map(|text| Row::new(Arc::clone(&names), vec![Value::from(text)]));
        let layout = Layout::new(&["host", "port"], "extra");
        let rows = rows.map(|row| layout.unpack(row));
        let cells: Vec<_> = rows.iter().map(|row| (row.text("host"), row.int("port"))).collect();
        assert_eq!(cells, [(String::new(), 0), (String::new(), 0), ("1".to_owned(), 0)]);
    }
}
