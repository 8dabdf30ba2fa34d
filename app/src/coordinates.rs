//! File and position in a binary or relay log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of a server's logs a coordinate points into. JSON: 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(into = "u8", from = "u8")]
pub enum LogType {
    /// The server's own binary log, or the source's as seen by a replica.
    #[default]
    Binary,
    /// A replica's relay log.
    Relay,
}

impl From<LogType> for u8 {
    fn from(kind: LogType) -> Self {
        match kind {
            LogType::Binary => 0,
            LogType::Relay => 1,
        }
    }
}

impl From<u8> for LogType {
    fn from(number: u8) -> Self {
        if number == 1 { Self::Relay } else { Self::Binary }
    }
}

/// `file:position`. JSON: `{"LogFile":"binlog.000003","LogPos":157,"Type":0}`.
///
/// Files are compared by the number that ends their name, then positions. (As texts they would be in the wrong order when the number
/// gets a digit more, after a million files.)
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BinlogCoordinates {
    /// Log file name without a folder; empty when unknown.
    #[serde(rename = "LogFile")]
    pub file: String,
    /// Byte offset.
    #[serde(rename = "LogPos")]
    pub position: i64,
    /// Binary or relay log.
    #[serde(rename = "Type", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = u8))]
    pub kind: LogType,
}

/// A text that is no `file:position`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse binlog coordinates: expected file:position, got {0:?}")]
pub struct CoordinatesError(pub String);

impl BinlogCoordinates {
    /// A position in a binary log.
    pub fn binary(file: impl Into<String>, position: i64) -> Self {
        Self { file: file.into(), position, kind: LogType::Binary }
    }

    /// A position in a relay log.
    pub fn relay(file: impl Into<String>, position: i64) -> Self {
        Self { file: file.into(), position, kind: LogType::Relay }
    }

    /// Parses `file:position`.
    ///
    /// # Errors
    /// [`CoordinatesError`] with the text given.
    pub fn parse(text: &str) -> Result<Self, CoordinatesError> {
        let wrong = || CoordinatesError(text.to_owned());
        let (file, position) = text.rsplit_once(':').ok_or_else(wrong)?;
        let position: i64 = position.parse().map_err(|_| wrong())?;
        if file.is_empty() || position < 0 {
            return Err(wrong());
        }
        Ok(Self::binary(file, position))
    }

    /// The number that ends the file's name: digits after the last dot; `None` when it has none.
    pub fn file_number(&self) -> Option<u64> {
        self.file.rsplit_once('.').and_then(|(_, number)| number.parse().ok())
    }

    /// No file is known.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty()
    }

    /// The file name has the detached form `//file:pos` (`spec/discovery.md` 5.2).
    pub fn is_detached(&self) -> bool {
        self.file
            .strip_prefix("//")
            .and_then(|rest| rest.rsplit_once(':'))
            .is_some_and(|(file, pos)| !file.is_empty() && pos.parse::<u64>().is_ok())
    }
}

impl PartialOrd for BinlogCoordinates {
    /// Coordinates of different logs have no order.
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        // Equal numbers (or none) are told apart by the text, so that the order agrees with equality.
        let place = |at: &Self| (at.file_number(), at.file.clone(), at.position);
        (self.kind == other.kind).then(|| place(self).cmp(&place(other)))
    }
}

impl fmt::Display for BinlogCoordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_by_file_then_position_and_only_within_one_kind_of_log() {
        let a = BinlogCoordinates::binary("bin.000002", 900);
        let b = BinlogCoordinates::binary("bin.000003", 4);
        assert!(a < b);
        assert!(a < BinlogCoordinates::binary("bin.000002", 901));
        assert!(BinlogCoordinates::binary("bin.999999", 4) < BinlogCoordinates::binary("bin.1000000", 4));
        assert_eq!(a.partial_cmp(&BinlogCoordinates::relay("bin.000002", 900)), None);
    }

    #[test]
    fn text_form_is_parsed_back_and_anything_else_refused() {
        let a = BinlogCoordinates::binary("bin.000002", 900);
        assert_eq!(BinlogCoordinates::parse(&a.to_string()), Ok(a));
        for text in ["", "bin", "bin:", ":4", "bin:x", "bin:-4"] {
            assert_eq!(BinlogCoordinates::parse(text), Err(CoordinatesError(text.to_owned())));
        }
    }

    #[test]
    fn the_detached_form_is_recognised() {
        assert!(BinlogCoordinates::binary("//bin.000002:900", 4).is_detached());
        assert!(!BinlogCoordinates::binary("bin.000002", 4).is_detached());
    }
}
