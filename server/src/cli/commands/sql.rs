//! `sql`: one statement that only asks, on one server. A command of ours.

use std::time::Duration;

use engine::inquiry::inquiry;
use engine::interpret::Record;

use crate::cli::bench::{Bench, Failure, Outcome};
use crate::cli::duration::parse_duration;
use crate::mysql::{MysqlError, Session};

/// A statement may take this long, unless `-duration` says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most rows that are shown.
const ROWS: usize = 1_000;

/// Preparing the session, and ending a statement that takes too long.
const ASIDE: Duration = Duration::from_secs(5);

/// `sql`: `SELECT`, `SHOW`, `EXPLAIN` and the like, in a read-only transaction, bounded in time and rows
pub async fn run(bench: Bench) -> Outcome {
    let statement = given(&bench)?;
    let statement = inquiry(&statement).map_err(Failure::new)?;
    let limit = limit(&bench.arguments.duration)?;
    let server = bench.target().await?;
    let mut session = bench.services.connector.open(&server).await.map_err(Failure::new)?;
    confine(&mut session, limit).await.map_err(Failure::new)?;
    let rows = match session.rows(statement, limit + ASIDE).await {
        Ok(rows) => rows,
        Err(error) => {
            if matches!(error, MysqlError::Timeout { .. }) {
                end(&bench, &session).await;
            }
            return Err(Failure::new(error));
        }
    };
    if rows.len() > ROWS {
        tracing::error!("only the first {ROWS} rows are shown: narrow the statement");
    }
    Ok(table(rows.get(..ROWS).unwrap_or(&rows)))
}

/// The word behind the flags, else `-statement`.
fn given(bench: &Bench) -> Result<String, Failure> {
    let words = match bench.arguments.words.as_slice() {
        [cli, rest @ ..] if cli == "cli" => rest,
        words => words,
    };
    match words {
        [] => Ok(bench.arguments.statement.clone()),
        [statement] => Ok(statement.clone()),
        [first, ..] => Err(Failure::new(format!(
            "the statement is in several words, the first is {first:?}: expected one, in quotes and behind all flags"
        ))),
    }
}

fn limit(duration: &str) -> Result<Duration, Failure> {
    let given = parse_duration(duration).map_err(Failure::new)?;
    Ok(given.and_then(|given| given.to_std().ok()).filter(|given| !given.is_zero()).unwrap_or(PATIENCE))
}

/// Makes the session one that cannot write and does not go on for long. The time limit is named differently in both families.
async fn confine(session: &mut Session, limit: Duration) -> Result<(), MysqlError> {
    let millis = limit.as_millis();
    let settings = [
        // The rules by which the statement was read.
        "SET SESSION sql_mode = ''".to_owned(),
        format!("SET SESSION sql_select_limit = {}", ROWS + 1),
        "SET SESSION TRANSACTION READ ONLY".to_owned(),
        "START TRANSACTION READ ONLY".to_owned(),
    ];
    for answer in session.batch(&settings, ASIDE).await {
        answer?;
    }
    let in_seconds = format!("SET SESSION max_statement_time = {}", limit.as_secs_f64());
    let in_millis = format!("SET SESSION max_execution_time = {millis}");
    // One of them is unknown to the server.
    if session.run(&in_millis, ASIDE).await.is_err() {
        session.run(&in_seconds, ASIDE).await?;
    }
    Ok(())
}

/// A server goes on with a statement although nobody waits for it.
async fn end(bench: &Bench, session: &Session) {
    let killed = async {
        let mut other = bench.services.connector.open(session.key()).await?;
        other.run(&format!("KILL {}", session.id()), ASIDE).await
    };
    if let Err(error) = killed.await {
        tracing::warn!(server = %session.key(), %error, "cannot end the statement on the server");
    }
}

/// Rows under their headings, in a frame; nothing for no rows.
fn table(rows: &[Record]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let cells = |row: &Record| row.cells().map(|(_, value)| shown(value)).collect::<Vec<String>>();
    let headings: Vec<String> = first.cells().map(|(name, _)| shown(Some(name))).collect();
    let mut lines = vec![headings];
    lines.extend(rows.iter().map(cells));
    let length = |text: &String| text.chars().count();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(length).max().unwrap_or(0);
    let widths: Vec<usize> = (0..first.cells().count()).map(width).collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect::<String>() + "+\n";
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("| {cell:<width$} ", width = *width));
        padded.collect::<String>() + "|\n"
    };
    let mut text = rule.clone();
    for (at, cells) in lines.iter().enumerate() {
        text.push_str(&line(cells));
        if at == 0 {
            text.push_str(&rule);
        }
    }
    text + &rule
}

/// A cell stays on its line.
fn shown(value: Option<&str>) -> String {
    let Some(value) = value else { return "NULL".to_owned() };
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, Option<&str>)]) -> Record {
        Record::new(cells.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))))
    }

    #[test]
    fn rows_stand_in_a_frame() {
        let rows = [row(&[("Id", Some("7")), ("Info", None)]), row(&[("Id", Some("1234")), ("Info", Some("a\nb"))])];
        assert_eq!(
            table(&rows),
            "+------+------+\n| Id   | Info |\n+------+------+\n| 7    | NULL |\n| 1234 | a\\nb |\n+------+------+\n"
        );
        assert_eq!(table(&[]), "");
        assert_eq!(table(&[row(&[("a", Some("é"))])]), "+---+\n| a |\n+---+\n| é |\n+---+\n");
    }

    #[test]
    fn time_is_bounded_by_default() {
        assert_eq!(limit(""), Ok(PATIENCE));
        assert_eq!(limit("0s"), Ok(PATIENCE));
        assert_eq!(limit("2m"), Ok(Duration::from_secs(120)));
        assert!(limit("soon").is_err());
    }
}
