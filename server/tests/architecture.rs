//! Holds the rules between rooms (`docs/ARCHITECTURE.md`): who may name which driver, which way arrows point, how long
//! a file may be.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

/// Rooms of the server, lowest first. A room may name rooms below it and of its own rank, never above.
const RANKS: &[&[&str]] = &[
    &["config", "events", "tasks", "http", "serve"],
    &["store", "mysql"],
    &["node", "fleet", "metrics", "accounts"],
    &["consensus", "journal", "audit"],
    &["discovery"],
    &["settings", "exec", "testing", "names"],
    &["hooks", "kv"],
    &["refactor", "recovery"],
    &["services", "housekeeping", "adoption", "registration", "maintenance", "telemetry", "pseudo_gtid"],
    &["lookup", "readiness", "doctor", "auth", "daemon", "api", "cli", "client", "pools"],
];

/// A room's whole files and the exceptions that are right: the journal carries commands, commands are journalled;
/// the service's tests put rooms together.
const MAY_ALSO: &[(&str, &str)] = &[("consensus", "journal"), ("journal", "consensus")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sources(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(below) else { return found };
    for path in entries.map(|e| e.unwrap().path()) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// First component below `server/src`, without `.rs`.
fn room(file: &Path) -> String {
    let below = file.strip_prefix(root().join("server/src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn rank(room: &str) -> Option<usize> {
    RANKS.iter().position(|rooms| rooms.contains(&room))
}

/// Lines that are code, with their number.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim().to_owned()))
        .filter(|(_, line)| !line.starts_with("//"))
        .collect()
}

fn is_test_file(file: &Path) -> bool {
    file.components().any(|c| c.as_os_str() == "tests") || file.file_stem().is_some_and(|s| s == "tests")
}

#[test]
fn drivers_are_named_in_one_room_each() {
    let mut broken = Vec::new();
    for file in sources(&root().join("server/src")) {
        for (number, line) in code(&file).into_iter().take_while(|(_, line)| line != "#[cfg(test)]") {
            for (driver, owner) in [("sqlx::", "store"), ("mysql_async::", "mysql")] {
                if line.contains(driver) && room(&file) != owner {
                    broken.push(format!("{}:{number}: only `{owner}` may name {driver}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn arrows_point_down() {
    let mut broken = Vec::new();
    for file in sources(&root().join("server/src")) {
        let here = room(&file);
        if here == "lib" || here == "bin" || is_test_file(&file) {
            continue;
        }
        let own = rank(&here).unwrap_or_else(|| panic!("room {here} has no rank: add it to RANKS"));
        let mut in_tests = false;
        for (number, line) in code(&file) {
            in_tests |= line == "#[cfg(test)]";
            if in_tests {
                break;
            }
            for part in line.split("crate::").skip(1) {
                let named: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let excused = MAY_ALSO.contains(&(here.as_str(), named.as_str()));
                if !excused && rank(&named).is_some_and(|there| there > own) {
                    broken.push(format!("{}:{number}: `{here}` names `{named}`, which is above it", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_rooms_know_neither_clock_nor_world() {
    let mut broken = Vec::new();
    let banned =
        ["tokio::", "sqlx::", "mysql_async::", "SystemTime::now", "Utc::now", "Instant::now", "std::env", "std::fs"];
    for file in sources(&root().join("engine/src")).into_iter().chain(sources(&root().join("app/src"))) {
        if file.components().any(|c| c.as_os_str() == "ui") || is_test_file(&file) {
            continue;
        }
        for (number, line) in code(&file) {
            if line == "#[cfg(test)]" {
                break;
            }
            for word in banned {
                if line.contains(word) {
                    broken.push(format!("{}:{number}: {word} in a pure room", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_stay_short() {
    let crates = ["app/src", "engine/src", "server/src", "server/tests", "engine/tests", "app/tests", "frontend/src"];
    let long: Vec<String> = crates
        .iter()
        .flat_map(|c| sources(&root().join(c)))
        .map(|file| (std::fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > 800)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "over 800 lines: {}", long.join(", "));
}

/// `docs/COMPATIBILITY.md` names a test, or a file of tests, for what it claims. One that is renamed or gone holds nothing.
#[test]
fn what_the_documents_name_as_a_test_is_one() {
    let files: Vec<PathBuf> =
        ["server/src", "server/tests", "engine/src", "app/src"].iter().flat_map(|c| sources(&root().join(c))).collect();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let is_file = |name: &str| {
        files.iter().any(|f| f.file_stem().is_some_and(|s| s == name) || f.components().any(|c| c.as_os_str() == name))
    };
    let document = std::fs::read_to_string(root().join("docs/COMPATIBILITY.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| "));
    let held_by = rows.filter_map(|row| row.trim_end_matches('|').rsplit_once('|').map(|(_, cell)| cell));
    let names: Vec<&str> = held_by.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 40, "{} names of tests", names.len());
    let gone: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            let last = name.rsplit("::").next().unwrap_or(name);
            !text.contains(&format!("fn {last}(")) && !is_file(last)
        })
        .collect();
    assert!(gone.is_empty(), "docs/COMPATIBILITY.md names tests that are not there: {}", gone.join(", "));
}
