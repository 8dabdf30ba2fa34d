//! What is said of each server: whether it can be asked, and what our account lacks there.

use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use engine::grants::{self, Account, Family, Wanted};
use engine::interpret::Record;
use futures_util::StreamExt as _;

use super::report::{Advice, Topic};
use crate::mysql::{Connector, MysqlError};

/// Servers looked at side by side.
const AT_ONCE: usize = 16;

/// A question may take this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clocks may differ by this much before it is worth a word.
const CLOCKS_AGREE: TimeDelta = TimeDelta::seconds(5);

/// Looks at servers; a topic for each, in their order.
pub async fn advice(
    connector: &Connector,
    servers: Vec<InstanceKey>,
    wanted: Wanted,
    now: DateTime<Utc>,
) -> Vec<Topic> {
    let began = tokio::time::Instant::now();
    let looks = servers.into_iter().map(|server| async move {
        let answers = Answers::of(connector, &server).await;
        let now = now + TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        let advice = match answers {
            Ok(answers) => answers.advice(wanted, now),
            Err(error) => vec![Advice::must(format!("cannot be asked: {error}"))],
        };
        Topic { title: format!("server {server}"), advice }
    });
    futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await
}

/// What a server said of itself and of our account.
#[derive(Debug, Clone, Default)]
struct Answers {
    version: String,
    comment: String,
    account: String,
    clock: Option<DateTime<Utc>>,
    known: Vec<String>,
    grants: Vec<String>,
}

impl Answers {
    async fn of(connector: &Connector, server: &InstanceKey) -> Result<Self, MysqlError> {
        let mut session = connector.open(server).await?;
        let about = "SELECT CURRENT_USER() AS account, @@GLOBAL.version AS version, @@GLOBAL.version_comment AS comment, \
                     UTC_TIMESTAMP(6) AS clock";
        let about = session.rows(about, PATIENCE).await?.into_iter().next().unwrap_or_default();
        let first = |rows: Vec<Record>| rows.iter().filter_map(Record::scalar).map(str::to_owned).collect::<Vec<_>>();
        let known = first(session.rows("SHOW PRIVILEGES", PATIENCE).await?);
        // Privileges of roles are listed only for roles that are named; MariaDB lists them anyway, and has no USING.
        let role = session.rows("SELECT CURRENT_ROLE()", PATIENCE).await.unwrap_or_default();
        let role = role.first().and_then(Record::scalar).unwrap_or("NONE").to_owned();
        let mysql = !about.text(&["version"]).contains("MariaDB");
        let question = match role.as_str() {
            role if mysql && role != "NONE" => format!("SHOW GRANTS FOR CURRENT_USER() USING {role}"),
            _ => "SHOW GRANTS".to_owned(),
        };
        let grants = first(session.rows(&question, PATIENCE).await?);
        let clock =
            about.get("clock").and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok());
        Ok(Self {
            version: about.text(&["version"]),
            comment: about.text(&["comment"]),
            account: about.text(&["account"]),
            clock: clock.map(|clock| clock.and_utc()),
            known,
            grants,
        })
    }

    fn advice(&self, wanted: Wanted, now: DateTime<Utc>) -> Vec<Advice> {
        let mut advice = vec![Advice::fine(format!("{} ({}) answers {}", self.version, self.comment, self.account))];
        if let Some(off) = self.clock.map(|clock| clock - now).filter(|off| off.abs() > CLOCKS_AGREE) {
            let how = if off < TimeDelta::zero() { "behind" } else { "ahead of" };
            let seconds = off.num_seconds().abs();
            advice.push(Advice::note(format!(
                "its clock is {seconds} s {how} that of this machine; lag is told wrong by that"
            )));
        }
        let account = Account {
            family: if self.version.contains("MariaDB") { Family::Mariadb } else { Family::Mysql },
            version: numbers(&self.version),
            name: self.account.clone(),
            known: self.known.clone(),
            grants: self.grants.clone(),
        };
        let (musts, notes): (Vec<_>, Vec<_>) =
            grants::missing(&account, wanted).into_iter().partition(|missing| missing.required);
        for (missing, say) in
            [(musts, Advice::must as fn(String) -> Advice), (notes, Advice::note as fn(String) -> Advice)]
        {
            let texts: Vec<String> = missing.iter().map(|m| format!("{} ({})", of(m), m.purpose)).collect();
            if !texts.is_empty() {
                let text = format!("{} lacks {}", self.account, texts.join("; "));
                advice.push(say(text).with(grants::statements(&missing, &self.account)));
            }
        }
        advice
    }
}

fn of(missing: &grants::Missing) -> String {
    if missing.on == "*.*" { missing.privilege.to_owned() } else { format!("{} on {}", missing.privilege, missing.on) }
}

/// The first two numbers of a version text.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Weight;

    fn answers(version: &str, grants: &[&str]) -> Answers {
        Answers {
            version: version.to_owned(),
            comment: "x".to_owned(),
            account: "orc@%".to_owned(),
            clock: Some(DateTime::UNIX_EPOCH),
            known: Vec::new(),
            grants: grants.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn a_server_that_grants_all_is_fine() {
        let all = answers("11.8.2-MariaDB-log", &["GRANT ALL PRIVILEGES ON *.* TO `orc`@`%`"]);
        let advice = all.advice(Wanted::default(), DateTime::UNIX_EPOCH);
        assert_eq!(advice.iter().map(|a| a.weight).collect::<Vec<_>>(), [Weight::Fine]);
        assert_eq!(numbers(&all.version), (11, 8));
    }

    #[test]
    fn what_is_needed_and_what_is_useful_are_told_apart() {
        let some = answers(
            "9.7.0",
            &[
                "GRANT PROCESS, RELOAD, REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO `orc`@`%`",
                "GRANT REPLICATION_SLAVE_ADMIN,SYSTEM_VARIABLES_ADMIN,BINLOG_ADMIN ON *.* TO `orc`@`%`",
            ],
        );
        let advice = some.advice(Wanted::default(), DateTime::UNIX_EPOCH + TimeDelta::seconds(10));
        assert_eq!(
            advice.iter().map(|a| a.weight).collect::<Vec<_>>(),
            [Weight::Fine, Weight::Note, Weight::Must, Weight::Note]
        );
        assert!(advice[1].text.contains("10 s behind"), "{}", advice[1].text);
        assert_eq!(advice[2].statements, ["GRANT CONNECTION_ADMIN ON *.* TO 'orc'@'%';"]);
        assert_eq!(advice[3].statements.len(), 2, "{:?}", advice[3].statements);
    }
}
