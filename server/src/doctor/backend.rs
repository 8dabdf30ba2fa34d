//! What is said of the backend.

use super::report::Advice;
use crate::config::Config;
use crate::store::Inspection;

/// Clocks may differ by this many seconds before it is worth a word.
const CLOCKS_AGREE: i64 = 5;

/// What an account must be allowed in its schema.
const PRIVILEGES: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP";

/// About a backend that was looked at.
pub fn advice(found: &Inspection, config: &Config) -> Vec<Advice> {
    let mut advice = vec![schema(found, config)];
    advice.extend(others(found));
    advice.extend(clock(found));
    advice.extend(account(found, config));
    if found.virtual_names > 0 {
        let count = found.virtual_names;
        advice.push(Advice::note(format!(
            "{count} virtual host names are registered (register-hostname-unresolve): replicas that are moved are told these, as \
             before"
        )));
    }
    if found.exists {
        let count = found.servers.len();
        advice.push(Advice::note(format!(
            "{count} servers on record, which are looked at as soon as the service starts"
        )));
    }
    advice
}

fn schema(found: &Inspection, config: &Config) -> Advice {
    if !found.exists {
        return Advice::note("does not exist yet and is created at the first start");
    }
    let by = match found.deployed.first() {
        Some((version, Some(at))) => format!("last deployed by {version:?} on {}", at.format("%Y-%m-%d")),
        Some((version, None)) => format!("last deployed by {version:?}"),
        None => "no version is on record".to_owned(),
    };
    let (tables, columns) = (found.missing_tables.len(), found.missing_columns.len());
    if tables == 0 && columns == 0 {
        return Advice::fine(format!("its schema is complete ({by})"));
    }
    let what = format!("{tables} tables and {columns} columns are added ({by})");
    if config.backend.skip_orchestrator_database_update {
        return Advice::must(format!(
            "{what}, but SkipOrchestratorDatabaseUpdate is set: start once with --enable-database-update"
        ));
    }
    Advice::note(format!(
        "at the first start {what}; nothing else in it changes, and the original can be started on it again"
    ))
}

/// Whoever is at work on it.
fn others(found: &Inspection) -> Option<Advice> {
    let names: Vec<String> = found.alive.iter().map(|(host, version)| format!("{host} ({version})")).collect();
    let (first, more) = names.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(Advice::note(format!(
        "in use now by {first}{more}: stop the original before this program's service is started"
    )))
}

fn clock(found: &Inspection) -> Option<Advice> {
    let ahead = found.clock_ahead?;
    let how = if ahead < 0 { "behind" } else { "ahead of" };
    (ahead.abs() > CLOCKS_AGREE)
        .then(|| Advice::must(format!("its clock is {} s {how} that of this machine: set them right", ahead.abs())))
}

/// Rights in the schema are only guessed at where the account has nothing there at all.
fn account(found: &Inspection, config: &Config) -> Option<Advice> {
    if found.grants.is_empty() {
        return None;
    }
    let schema = &config.backend.database;
    let lines: Vec<&String> = found.grants.iter().filter(|line| covers(line, schema)).collect();
    let listed: Vec<String> = lines.iter().flat_map(|line| privileges(line)).collect();
    let missing: Vec<&str> = PRIVILEGES
        .split(", ")
        .filter(|wanted| !listed.iter().any(|held| held == wanted || held.starts_with("ALL")))
        .collect();
    let (user, host) = found.account.rsplit_once('@').unwrap_or((&found.account, "%"));
    Some(if missing.is_empty() {
        Advice::fine(format!("{} may do there what is needed", found.account))
    } else {
        Advice::must(format!("{} lacks {} there", found.account, missing.join(", ")))
            .with(vec![format!("GRANT {} ON `{schema}`.* TO '{user}'@'{host}';", missing.join(", "))])
    })
}

/// A line of `SHOW GRANTS` is about the whole of this schema: by its name, by a pattern, or with all others.
fn covers(line: &str, schema: &str) -> bool {
    let on =
        line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")).and_then(|(_, on)| on.split_once(" TO "));
    match on.map(|(on, _)| on.trim()) {
        Some("*.*") => true,
        Some(on) => on.strip_suffix(".*").is_some_and(|name| is_like(name.trim_matches('`'), schema)),
        None => false,
    }
}

/// `%` stands for any text and `_` for one character, unless a backslash stands before them.
fn is_like(pattern: &str, schema: &str) -> bool {
    let mut expression = "^".to_owned();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => expression.push_str(".*"),
            '_' => expression.push('.'),
            '\\' => expression.extend(characters.next().map(|literal| regex::escape(&literal.to_string()))),
            literal => expression.push_str(&regex::escape(&literal.to_string())),
        }
    }
    expression.push('$');
    regex::Regex::new(&expression).is_ok_and(|expression| expression.is_match(schema))
}

fn privileges(line: &str) -> Vec<String> {
    let list = line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")).map_or("", |(list, _)| list);
    list.split(',').map(|privilege| privilege.trim().to_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::doctor::Weight;

    fn found() -> Inspection {
        Inspection { exists: true, deployed: vec![("3.2.6".to_owned(), None)], ..Inspection::default() }
    }

    fn told(found: &Inspection, settings: &str) -> Vec<(Weight, String)> {
        let config = Config::from_json(&format!(
            r#"{{"MySQLOrchestratorHost": "h", "MySQLOrchestratorDatabase": "orchestrator"{settings}}}"#
        ));
        advice(found, &config.expect("valid")).into_iter().map(|a| (a.weight, a.text)).collect()
    }

    #[test]
    fn a_schema_is_complete_or_completed_at_the_first_start() {
        assert_eq!(told(&found(), "")[0].0, Weight::Fine);
        let older = Inspection { missing_tables: vec!["orchestrator_recovery".to_owned()], ..found() };
        let (weight, text) = told(&older, "").remove(0);
        assert!(weight == Weight::Note && text.contains("1 tables and 0 columns") && text.contains("3.2.6"), "{text}");
        let (weight, text) = told(&older, r#", "SkipOrchestratorDatabaseUpdate": true"#).remove(0);
        assert!(weight == Weight::Must && text.contains("--enable-database-update"), "{text}");
        let (weight, text) = told(&Inspection::default(), "").remove(0);
        assert!(weight == Weight::Note && text.contains("does not exist yet"), "{text}");
    }

    #[test]
    fn who_is_at_work_is_named() {
        let busy = Inspection { alive: vec![("orc1".to_owned(), "3.2.6".to_owned())], ..found() };
        assert!(told(&busy, "").iter().any(|(_, text)| text.contains("in use now by orc1 (3.2.6)")));
    }

    #[rstest]
    #[case(Some(5), None)]
    #[case(Some(-6), Some("6 s behind"))]
    #[case(Some(90), Some("90 s ahead of"))]
    #[case(None, None)]
    fn clocks_are_compared(#[case] ahead: Option<i64>, #[case] expected: Option<&str>) {
        let odd = clock(&Inspection { clock_ahead: ahead, ..found() });
        assert_eq!(odd.is_some(), expected.is_some());
        assert!(expected.is_none_or(|part| odd.is_some_and(|advice| advice.text.contains(part))));
    }

    #[rstest]
    #[case(&["GRANT USAGE ON *.* TO `orc`@`%`", "GRANT ALL PRIVILEGES ON `orchestrator`.* TO `orc`@`%`"], None)]
    #[case(&["GRANT ALL PRIVILEGES ON *.* TO `orc`@`%`"], None)]
    #[case(&["GRANT USAGE ON *.* TO `orc`@`%`"], Some(PRIVILEGES))]
    #[case(
        &["GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON `orchestrator`.* TO `orc`@`%`"],
        Some("ALTER, INDEX, DROP"),
    )]
    #[case(&["GRANT ALL PRIVILEGES ON `orch%`.* TO `orc`@`%`"], None)]
    #[case(&["GRANT ALL PRIVILEGES ON `orchestrato_`.* TO `orc`@`%`"], None)]
    #[case(&["GRANT ALL PRIVILEGES ON `orchestrato\\_`.* TO `orc`@`%`"], Some(PRIVILEGES))]
    #[case(&["GRANT ALL PRIVILEGES ON `orchestrator`.`audit` TO `orc`@`%`"], Some(PRIVILEGES))]
    fn rights_in_the_schema(#[case] grants: &[&str], #[case] missing: Option<&str>) {
        let found = Inspection {
            grants: grants.iter().map(|line| (*line).to_owned()).collect(),
            account: "orc@%".to_owned(),
            ..found()
        };
        let config =
            Config::from_json(r#"{"MySQLOrchestratorHost": "h", "MySQLOrchestratorDatabase": "orchestrator"}"#);
        let advice = account(&found, &config.expect("valid")).expect("something is said");
        let expected = missing.map(|list| format!("GRANT {list} ON `orchestrator`.* TO 'orc'@'%';"));
        assert_eq!(advice.statements, expected.into_iter().collect::<Vec<_>>());
        assert_eq!(advice.weight == Weight::Must, missing.is_some());
    }
}
