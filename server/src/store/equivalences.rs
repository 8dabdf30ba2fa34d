//! Places in two binary logs that are the same moment (`spec/schema.md` 5.37).

use app::topology::{Equivalence, Equivalences, LogPlace};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};

use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// More than this are not read: a server that was moved a thousand times since is not put back by the first.
const READ_AT_MOST: u32 = 10_000;

impl Store {
    /// Records that two places are the same moment, or that they still are.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn record_equivalence(&self, equivalence: &Equivalence, at: DateTime<Utc>) -> StoreResult<()> {
        let columns = [
            "master1_hostname",
            "master1_port",
            "master1_binary_log_file",
            "master1_binary_log_pos",
            "master2_hostname",
            "master2_port",
            "master2_binary_log_file",
            "master2_binary_log_pos",
            "last_suggested",
        ];
        // The primary key is a number that nobody gives, so the other unique key is the one that counts.
        let keys: Vec<&str> = columns.iter().take(6).copied().collect();
        let sql = self.dialect().upsert("master_position_equivalence", &keys, &columns, &[], 1);
        let Equivalence { one, other } = equivalence;
        let statement = Statement::new(sql)
            .bind_key(&one.source)
            .bind(self.fit_ascii(&one.at.file, 128))
            .bind(one.at.position)
            .bind_key(&other.source)
            .bind(self.fit_ascii(&other.at.file, 128))
            .bind(other.at.position)
            .bind(at);
        self.run(statement).await.map(|_| ())
    }

    /// All places known to be the same moment, the newest if there are too many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_equivalences(&self) -> StoreResult<Equivalences> {
        let sql = format!(
            "select master1_hostname, master1_port, master1_binary_log_file, master1_binary_log_pos, \
             master2_hostname, master2_port, master2_binary_log_file, master2_binary_log_pos \
             from master_position_equivalence order by last_suggested desc, equivalence_id desc limit {READ_AT_MOST}"
        );
        let mut known = Equivalences::default();
        for row in self.rows(Statement::new(sql)).await? {
            known.record(Equivalence { one: place(&row, "master1"), other: place(&row, "master2") });
        }
        Ok(known)
    }
}

fn place(row: &Row, side: &str) -> LogPlace {
    let text = |name: &str| row.text(&format!("{side}_{name}"));
    let port = u16::try_from(row.int(&format!("{side}_port"))).unwrap_or(0);
    let at = BinlogCoordinates::binary(text("binary_log_file"), row.int(&format!("{side}_binary_log_pos")));
    LogPlace { source: InstanceKey::new(text("hostname"), port), at }
}
