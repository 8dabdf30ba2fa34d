//! What is printed of an answer (`spec/api.md` 5.5, column "Standard output").

use std::collections::BTreeMap;

use serde_json::Value;

use super::http::Answer;

/// What a command prints of what was answered.
#[derive(Clone, Copy)]
pub enum Output {
    /// Nothing.
    Nothing,
    /// The whole answer on one line.
    Whole,
    /// The text at this JSON pointer as it is; what is no text, as JSON on one line.
    Text(&'static str),
    /// The instance key at this JSON pointer.
    Key(&'static str),
    /// The key of the instance; when nothing is told of it, the key that was asked for.
    KeyOrAsked,
    /// The instance and its source: `host:port<host:port`.
    Moved,
    /// For each element of a list, the instance key at this JSON pointer. One key that is not in a list will do.
    Keys(&'static str),
    /// The elements of a list.
    Lines,
    /// The destination's key, if the message says `true`.
    KeyIfTrue,
    /// Something else; `None` when the answer does not have what it takes.
    Special(fn(&Value) -> Option<String>),
}

/// The answer has not the shape that the command reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not what was expected of {address}: {answer}")]
pub struct ShapeError {
    /// What was asked for.
    pub address: String,
    /// What came.
    pub answer: String,
}

/// What an envelope says that something was refused or failed (`spec/api.md` 1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// On one line, for standard error.
    pub message: String,
    /// On one line, for standard output.
    pub details: Option<String>,
}

impl Answer {
    /// The error, if it is one: an envelope that says so, or one of `/api/v2`.
    pub fn refusal(&self) -> Option<Refusal> {
        if self.json["Code"] == "ERROR" {
            // As the original prints it, which scripts may look for.
            let message = self.json["Message"].as_str().unwrap_or_default().replace('\'', "");
            let details = &self.json["Details"];
            let details = (!details.is_null()).then(|| details.to_string());
            return Some(Refusal { message: one_line(&message), details });
        }
        let message = self.json["message"].as_str().filter(|_| self.status.as_u16() >= 400)?;
        Some(Refusal { message: one_line(message), details: None })
    }

    /// What it is about: the details of an envelope, or all of a bare answer (`spec/api.md` 1.4).
    pub fn payload(&self) -> &Value {
        if self.json.get("Code").is_some() { &self.json["Details"] } else { &self.json }
    }

    /// The whole answer on one line. A line break within JSON is nothing but space.
    pub fn line(&self) -> String {
        let lines: Vec<&str> = self.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Output {
    /// The text for standard output, each line with its end. `asked` is the key that the command was given, if any.
    /// `None` when the answer does not have what it takes.
    pub fn of(self, answer: &Answer, asked: &str) -> Option<String> {
        let payload = answer.payload();
        match self {
            Self::Nothing => Some(String::new()),
            Self::Whole => Some(format!("{}\n", answer.line())),
            Self::Text(at) => Some(line(&plain(payload.pointer(at)?))),
            Self::Key(at) => Some(line(&key(payload.pointer(at)?)?)),
            Self::KeyOrAsked if payload.is_null() => Some(line(asked)),
            Self::KeyOrAsked => Some(line(&key(payload.get("Key")?)?)),
            Self::Moved => Some(line(&format!("{}<{}", key(payload.get("Key")?)?, key(payload.get("MasterKey")?)?))),
            Self::Keys(at) => match payload {
                Value::Object(_) => Some(line(&key(payload)?)),
                _ => each(payload, |element| Some(line(&key(element.pointer(at)?)?))),
            },
            Self::Lines => each(payload, |element| Some(line(&plain(element)))),
            Self::KeyIfTrue if answer.json["Message"].as_str()?.contains("true") => Some(line(&key(payload)?)),
            Self::KeyIfTrue => Some(String::new()),
            Self::Special(print) => print(payload),
        }
    }
}

fn line(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn key(value: &Value) -> Option<String> {
    Some(format!("{}:{}", value.get("Hostname")?.as_str()?, value.get("Port")?.as_u64()?))
}

/// A list that is `null` has no elements.
fn each(list: &Value, print: impl Fn(&Value) -> Option<String>) -> Option<String> {
    if list.is_null() {
        return Some(String::new());
    }
    list.as_array()?.iter().map(print).collect()
}

fn key_if(instance: &Value, is_meant: bool) -> Option<String> {
    let key = key(instance.get("Key")?)?;
    Some(if is_meant { line(&key) } else { String::new() })
}

/// `ClusterName,ClusterAlias`
pub fn names_and_aliases(clusters: &Value) -> Option<String> {
    each(clusters, |c| Some(format!("{},{}\n", c.get("ClusterName")?.as_str()?, c.get("ClusterAlias")?.as_str()?)))
}

/// `ClusterName`
pub fn cluster_names(clusters: &Value) -> Option<String> {
    each(clusters, |cluster| Some(line(cluster.get("ClusterName")?.as_str()?)))
}

/// Replicas with a thread that does not run, and an error.
pub fn broken(replicas: &Value) -> Option<String> {
    each(replicas, |r| {
        let runs = r.get("Slave_SQL_Running")?.as_bool()? && r.get("Slave_IO_Running")?.as_bool()?;
        let has_error = !r.get("LastSQLError")?.as_str()?.is_empty() || !r.get("LastIOError")?.as_str()?.is_empty();
        key_if(r, !runs && has_error)
    })
}

/// Replicas with both threads running.
pub fn running(replicas: &Value) -> Option<String> {
    each(replicas, |r| key_if(r, r.get("Slave_SQL_Running")?.as_bool()? && r.get("Slave_IO_Running")?.as_bool()?))
}

fn both_threads(instance: &Value, state: i64) -> Option<String> {
    let is_so = |field| Some(instance.get(field)?.as_i64()? == state);
    key_if(instance, is_so("ReplicationSQLThreadState")? && is_so("ReplicationIOThreadState")?)
}

/// The instance if both threads run.
pub fn replicating(instance: &Value) -> Option<String> {
    both_threads(instance, 1)
}

/// The instance if both threads are stopped.
pub fn stopped(instance: &Value) -> Option<String> {
    both_threads(instance, 0)
}

/// The data centre of most primaries; of several with as many, the first by name.
pub fn dominant_data_center(primaries: &Value) -> Option<String> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for primary in primaries.as_array().into_iter().flatten() {
        *counts.entry(primary.get("DataCenter")?.as_str()?).or_default() += 1;
    }
    counts.remove("");
    let most = counts.iter().min_by_key(|(_, count)| -**count);
    Some(most.map(|(name, _)| line(name)).unwrap_or_default())
}

/// `Key:Value`
pub fn pairs(pairs: &Value) -> Option<String> {
    each(pairs, |pair| Some(format!("{}:{}\n", pair.get("Key")?.as_str()?, pair.get("Value")?.as_str()?)))
}

/// `host:port (cluster NAME): CODE`
pub fn analysis(entries: &Value) -> Option<String> {
    each(entries, |entry| {
        let instance = key(entry.get("AnalyzedInstanceKey")?)?;
        let cluster = entry.pointer("/ClusterDetails/ClusterName")?.as_str()?;
        let mut code = entry.get("Analysis")?.as_str()?;
        if code == "NoProblem" {
            code = entry.pointer("/StructureAnalysis/0").and_then(Value::as_str).unwrap_or(code);
        }
        Some(format!("{instance} (cluster {cluster}): {code}\n"))
    })
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn answer(json: &Value) -> Answer {
        Answer { status: StatusCode::OK, text: json.to_string(), json: json.clone() }
    }

    fn db(n: u8) -> Value {
        json!({"Hostname": format!("db{n}"), "Port": 3306})
    }

    fn enveloped(details: &Value) -> Value {
        json!({"Code": "OK", "Message": "done", "Details": details})
    }

    #[rstest]
    #[case(Output::Nothing, enveloped(&db(1)), "")]
    #[case(Output::Whole, json!(["a  b"]), "[\"a  b\"]\n")]
    #[case(Output::Text(""), enveloped(&json!("a\nb\n")), "a\nb\n")]
    #[case(Output::Text(""), enveloped(&json!(["a", 1])), "[\"a\",1]\n")]
    #[case(Output::Text("/GtidErrant"), json!({"GtidErrant": ""}), "\n")]
    #[case(Output::Key(""), enveloped(&db(1)), "db1:3306\n")]
    #[case(Output::Key("/MasterKey"), json!({"MasterKey": {"Hostname": "", "Port": 0}}), ":0\n")]
    #[case(Output::KeyOrAsked, enveloped(&Value::Null), "asked:1\n")]
    #[case(Output::KeyOrAsked, enveloped(&json!({"Key": db(1)})), "db1:3306\n")]
    #[case(Output::Moved, enveloped(&json!({"Key": db(1), "MasterKey": db(2)})), "db1:3306<db2:3306\n")]
    #[case(Output::Keys("/Key"), json!([{"Key": db(1)}, {"Key": db(2)}]), "db1:3306\ndb2:3306\n")]
    #[case(Output::Keys(""), enveloped(&json!([db(1)])), "db1:3306\n")]
    #[case(Output::Keys("/Key"), enveloped(&db(2)), "db2:3306\n")]
    #[case(Output::Keys("/Key"), Value::Null, "")]
    #[case(Output::Lines, enveloped(&json!(["mysql-bin.1", "mysql-bin.2"])), "mysql-bin.1\nmysql-bin.2\n")]
    #[case(Output::KeyIfTrue, json!({"Code": "OK", "Message": "true", "Details": db(2)}), "db2:3306\n")]
    #[case(Output::KeyIfTrue, json!({"Code": "OK", "Message": "false", "Details": db(2)}), "")]
    #[case(Output::Special(names_and_aliases), json!([{"ClusterName": "c", "ClusterAlias": "a"}]), "c,a\n")]
    #[case(Output::Special(pairs), enveloped(&json!([{"Key": "k", "Value": "v"}])), "k:v\n")]
    fn output_is_by_kind(#[case] output: Output, #[case] json: Value, #[case] expected: &str) {
        assert_eq!(output.of(&answer(&json), "asked:1").as_deref(), Some(expected));
    }

    #[rstest]
    #[case(Output::Key("/Key"), json!({"Other": 1}))]
    #[case(Output::Keys("/Key"), json!("text"))]
    #[case(Output::Lines, json!({"a": 1}))]
    #[case(Output::Special(analysis), json!([{"Analysis": "DeadMaster"}]))]
    #[case(Output::Special(cluster_names), json!([1]))]
    fn another_shape_prints_nothing(#[case] output: Output, #[case] json: Value) {
        assert_eq!(output.of(&answer(&json), ""), None);
    }

    fn replica(n: u8, sql: bool, io: bool, error: &str) -> Value {
        json!({"Key": db(n), "Slave_SQL_Running": sql, "Slave_IO_Running": io, "LastSQLError": "", "LastIOError": error})
    }

    #[test]
    fn replicas_are_picked_by_their_threads() {
        let replicas = json!([
            replica(1, true, true, "old"),
            replica(2, true, false, "new"),
            replica(3, false, false, ""),
            replica(4, true, true, ""),
        ]);
        assert_eq!(broken(&replicas).as_deref(), Some("db2:3306\n"));
        assert_eq!(running(&replicas).as_deref(), Some("db1:3306\ndb4:3306\n"));
        let threads = |sql, io| json!({"Key": db(1), "ReplicationSQLThreadState": sql, "ReplicationIOThreadState": io});
        assert_eq!(replicating(&threads(1, 1)).as_deref(), Some("db1:3306\n"));
        assert_eq!(replicating(&threads(1, 2)).as_deref(), Some(""));
        assert_eq!(stopped(&threads(0, 0)).as_deref(), Some("db1:3306\n"));
        assert_eq!(stopped(&threads(0, -1)).as_deref(), Some(""));
    }

    #[test]
    fn the_dominant_data_center_has_most_primaries() {
        let of = |names: &[&str]| {
            let primaries: Vec<Value> = names.iter().map(|name| json!({"DataCenter": name})).collect();
            dominant_data_center(&Value::from(primaries))
        };
        assert_eq!(of(&["b", "a", "b", "", "", ""]).as_deref(), Some("b\n"));
        assert_eq!(of(&["b", "a"]).as_deref(), Some("a\n"));
        assert_eq!(of(&[""]).as_deref(), Some(""));
        assert_eq!(dominant_data_center(&Value::Null).as_deref(), Some(""));
    }

    #[test]
    fn an_analysis_without_problem_is_named_by_its_structure() {
        let entry = |code: &str, structure: Value| {
            json!({"AnalyzedInstanceKey": db(1), "ClusterDetails": {"ClusterName": "c"},
                "Analysis": code, "StructureAnalysis": structure})
        };
        let entries = json!([
            entry("DeadMaster", json!(["NoLogs"])),
            entry("NoProblem", json!(["NoLogs", "Other"])),
            entry("NoProblem", Value::Null),
        ]);
        let expected =
            "db1:3306 (cluster c): DeadMaster\ndb1:3306 (cluster c): NoLogs\ndb1:3306 (cluster c): NoProblem\n";
        assert_eq!(analysis(&entries).as_deref(), Some(expected));
    }

    #[test]
    fn a_refusal_is_told_on_one_line() {
        let refused = json!({"Code": "ERROR", "Message": "it's  'so'\nand so", "Details": {"Hostname": "a"}});
        let expected =
            Refusal { message: "its so and so".to_owned(), details: Some("{\"Hostname\":\"a\"}".to_owned()) };
        assert_eq!(answer(&refused).refusal(), Some(expected));
        assert_eq!(answer(&enveloped(&Value::Null)).refusal(), None);
        let other = json!({"code": "not-found", "message": "no server db9"});
        assert_eq!(answer(&other).refusal(), None);
        let failed = Answer { status: StatusCode::NOT_FOUND, ..answer(&other) };
        assert_eq!(failed.refusal(), Some(Refusal { message: "no server db9".to_owned(), details: None }));
        assert_eq!(Answer { status: StatusCode::NOT_FOUND, ..answer(&json!("Not leader")) }.refusal(), None);
        let pretty = Answer { text: "{\n  \"a\": 1\n}\n".to_owned(), ..answer(&json!({"a": 1})) };
        assert_eq!(pretty.line(), "{ \"a\": 1 }");
    }
}
