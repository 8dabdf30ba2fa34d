//! The audit as a file, row by row: nothing is held that is not under way.

use std::collections::VecDeque;

use app::api::{AuditOutcome, AuditRow};
use chrono::SecondsFormat;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde::Deserialize;

use super::Audit;
use crate::store::{AuditFilter, StoreError};

/// Rows read at a time.
const CHUNK: u32 = 500;

/// The columns of the CSV form.
const HEADING: &str = "id,at,action,server,cluster,actor,method,address,outcome,duration_ms,message,reason\r\n";

/// Form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma separated values as in RFC 4180, with a heading; a value that a spreadsheet would take for a formula has an
    /// apostrophe before it.
    Csv,
    /// A list as the API gives it page by page.
    Json,
}

impl Format {
    /// Media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// Name under which a browser keeps the file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "audit.csv",
            Self::Json => "audit.json",
        }
    }

    fn opening(self) -> &'static str {
        match self {
            Self::Csv => HEADING,
            Self::Json => "[",
        }
    }

    fn closing(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "]\n",
        }
    }

    fn row(self, row: &AuditRow, is_first: bool) -> String {
        match self {
            Self::Csv => csv_line(row),
            // A row of texts and numbers always has a JSON form.
            Self::Json => {
                let text = serde_json::to_string(row).unwrap_or_default();
                if is_first { format!("\n{text}") } else { format!(",\n{text}") }
            }
        }
    }
}

/// Where an export is.
struct Place {
    audit: Audit,
    filter: AuditFilter,
    format: Format,
    ready: VecDeque<AuditRow>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    FirstRows,
    Rows,
    Over,
}

/// The rows that a filter lets through, newest first, in pieces. It breaks off with an error when the backend stops answering: a
/// file that ends as it should is whole.
pub fn export(
    audit: Audit,
    filter: AuditFilter,
    format: Format,
) -> impl Stream<Item = Result<String, StoreError>> + Send {
    let place = Place { audit, filter, format, ready: VecDeque::new(), stage: Stage::Opening };
    try_unfold(place, next)
}

async fn next(mut place: Place) -> Result<Option<(String, Place)>, StoreError> {
    let format = place.format;
    match place.stage {
        Stage::Over => return Ok(None),
        Stage::Opening => {
            place.stage = Stage::FirstRows;
            return Ok(Some((format.opening().to_owned(), place)));
        }
        Stage::FirstRows | Stage::Rows => {}
    }
    place.ready = place.audit.first_rows(&place.filter, CHUNK).await?.into();
    let Some(last) = place.ready.back() else {
        place.stage = Stage::Over;
        return Ok(Some((format.closing().to_owned(), place)));
    };
    place.filter.below = Some(last.id);
    let is_first = place.stage == Stage::FirstRows;
    place.stage = Stage::Rows;
    let text: String = place.ready.iter().enumerate().map(|(n, row)| format.row(row, is_first && n == 0)).collect();
    Ok(Some((text, place)))
}

fn csv_line(row: &AuditRow) -> String {
    let server = if row.server.is_null() { String::new() } else { row.server.to_string() };
    let fields = [
        row.id.to_string(),
        row.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        row.kind.clone(),
        server,
        row.cluster.clone(),
        row.actor.clone(),
        row.method.clone(),
        row.address.clone(),
        row.outcome.map_or("", AuditOutcome::as_str).to_owned(),
        row.duration_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        row.message.clone(),
        row.reason.clone(),
    ];
    let fields: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
    format!("{}\r\n", fields.join(","))
}

/// A value in quotes where it needs them. A spreadsheet takes what begins with one of these signs for a formula; an apostrophe before
/// it makes it text.
fn csv_field(value: &str) -> String {
    let is_formula =
        value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let text = if is_formula { format!("'{value}") } else { value.to_owned() };
    if is_formula || text.contains(['"', ',', '\r', '\n', ';', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_formulas_are_text() {
        for (value, field) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"\nand y", "\"say \"\"x\"\"\nand y\""),
            ("=HYPERLINK(\"http://evil\")", "\"'=HYPERLINK(\"\"http://evil\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@sum", "\"'@sum\""),
            ("\t=1", "\"'\t=1\""),
        ] {
            assert_eq!(csv_field(value), field);
        }
    }
}
