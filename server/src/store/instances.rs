//! Servers: `database_instance` and what belongs to it.

use std::sync::Arc;

use app::InstanceKey;
use app::topology::Instance;
use chrono::Utc;

use super::instance_row::{InstanceRow, columns, from_row, to_row};
use super::packed::{self, Layout};
use super::value::{Row, Statement, Value};
use super::{Dialect, Store, StoreResult};

/// Servers written in one transaction: small enough that readers of a shared server are not held up.
const GROUP: usize = 500;
/// Most servers in one statement: 78 values each, well under what either backend takes.
const ROWS_PER_STATEMENT: usize = 32;
const EXTRA: &str = "orchestrator_instance_extra";
const EXTRA_CELL: &str = "extra";
const EXTRA_COLUMNS: [&str; 3] = ["hostname", "port", EXTRA_CELL];
const KEY: [&str; 2] = ["hostname", "port"];

/// What became of a batch of servers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct WriteReport {
    /// Servers written.
    pub written: usize,
    /// Servers that the backend refused, and why. The others were written all the same.
    pub dropped: Vec<(InstanceKey, String)>,
    /// Servers that were forgotten and must stay out for now.
    pub barred: Vec<InstanceKey>,
}

impl Store {
    /// All servers known, in key order. Rows of every form that the original wrote are read; one without a host name is left out.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_instances(&self) -> StoreResult<Vec<Arc<Instance>>> {
        let plainly = || Statement::new(select_instances(&columns().join(", ")));
        let (rows, is_packed) = match self.dialect() {
            // SQLite hands out each cell by itself, which for all servers takes longer than everything else.
            Dialect::Sqlite => match self.rows(Statement::new(select_instances(&packed::select(&columns())))).await {
                Ok(rows) => (rows, true),
                Err(error) if error.is_unavailable() => return Err(error),
                // A cell that no text can hold.
                Err(_) => (self.rows(plainly()).await?, false),
            },
            Dialect::MySql => (self.rows(plainly()).await?, false),
        };
        let layout = Layout::new(&columns(), EXTRA_CELL);
        let read = move |row: Row| {
            let row = if is_packed { layout.unpack(row) } else { row };
            let extra = row.text(EXTRA_CELL);
            Arc::new(from_row(row, &extra))
        };
        let mut instances = side_by_side(rows, read).await;
        instances.retain(|instance| !instance.key.hostname.is_empty());
        instances.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(instances)
    }

    /// Writes servers, new or known, in batches. Values that do not fit their column are shortened or left out there (the whole value
    /// is kept in a table of ours); a server that the backend refuses all the same is dropped, the others are written. One
    /// that was forgotten, be it by another process, is left out until it is admitted again or its time is over.
    /// `last_seen` is written when it is known and left alone when not.
    ///
    /// # Errors
    /// Only when the backend is unavailable; groups already written stay written.
    pub async fn write_instances(&self, instances: &[Arc<Instance>]) -> StoreResult<WriteReport> {
        let mut report = WriteReport::default();
        let enforced = self.dialect().enforces_limits();
        let barred = self.barred(Utc::now()).await?;
        for group in instances.chunks(GROUP) {
            let mut rows = Vec::with_capacity(group.len());
            for instance in group {
                if barred.contains(&instance.key) {
                    report.barred.push(instance.key.clone());
                    continue;
                }
                if enforced && (instance.key.hostname.len() > 128 || !instance.key.hostname.is_ascii()) {
                    let reason = "the host name is longer than 128 bytes or not ASCII".to_owned();
                    report.dropped.push((instance.key.clone(), reason));
                    continue;
                }
                let row = to_row(instance, enforced);
                if !row.misfits.is_empty() {
                    tracing::warn!(server = %instance.key, columns = ?row.misfits, "values do not fit the backend's columns");
                }
                rows.push(row);
            }
            self.write_group(&rows, &mut report).await?;
        }
        for (key, reason) in &report.dropped {
            tracing::warn!(server = %key, reason, "the backend refused a server");
        }
        Ok(report)
    }

    async fn write_group(&self, rows: &[InstanceRow], report: &mut WriteReport) -> StoreResult<()> {
        match self.write_rows(rows).await {
            Ok(()) => report.written += rows.len(),
            Err(error) if error.is_unavailable() => return Err(error),
            // One bad row must not cost the others: find it.
            Err(_) => {
                for row in rows {
                    match self.write_rows(std::slice::from_ref(row)).await {
                        Ok(()) => report.written += 1,
                        Err(error) if error.is_unavailable() => return Err(error),
                        Err(error) => report.dropped.push((key_of(row), error.to_string())),
                    }
                }
            }
        }
        Ok(())
    }

    async fn write_rows(&self, rows: &[InstanceRow]) -> StoreResult<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let columns: Vec<&str> = first.cells.iter().map(|(name, _)| *name).collect();
        let mut tx = self.begin().await?;
        for chunk in in_powers_of_two(rows) {
            let sql = self.dialect().upsert("database_instance", &KEY, &columns, &["last_seen"], chunk.len());
            let mut statement = Statement::new(sql).kept(true);
            statement.args = chunk.iter().flat_map(|row| row.cells.iter().map(|(_, value)| value.clone())).collect();
            tx.run(statement).await?;
            let sql = self.dialect().upsert(EXTRA, &KEY, &EXTRA_COLUMNS, &[], chunk.len());
            let mut statement = Statement::new(sql);
            for row in chunk {
                let key = key_of(row);
                statement = statement.bind_key(&key).bind(&row.extra);
            }
            tx.run(statement).await?;
        }
        tx.commit().await
    }

    /// Forgets servers; returns how many were known. What operators said of them stays until it expires.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_instances(&self, keys: &[InstanceKey]) -> StoreResult<u64> {
        let mut deleted = 0;
        let mut tx = self.begin().await?;
        for key in keys {
            let sql = "delete from database_instance where hostname = ? and port = ?";
            deleted += tx.run(Statement::new(sql).bind_key(key)).await?.affected;
            let sql = "delete from orchestrator_instance_extra where hostname = ? and port = ?";
            tx.run(Statement::new(sql).bind_key(key)).await?;
        }
        tx.commit().await?;
        Ok(deleted)
    }

    /// Gives a cluster another name, which happens when its source changes: its servers, its alias, the alias that operators set and its
    /// domain go over to the new name (`spec/discovery.md` 29).
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn rename_cluster(&self, old: &str, new: &str) -> StoreResult<()> {
        if old == new {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let sql = "update database_instance set cluster_name = ? where cluster_name = ?";
        tx.run(Statement::new(sql).bind(new).bind(old)).await?;
        for table in ["cluster_alias", "cluster_alias_override", "cluster_domain_name"] {
            // Without a row under the old name the one under the new name stays.
            let found = tx
                .rows(Statement::new(format!("select cluster_name from {table} where cluster_name = ?")).bind(old))
                .await?;
            if found.is_empty() {
                continue;
            }
            tx.run(Statement::new(format!("delete from {table} where cluster_name = ?")).bind(new)).await?;
            let sql = format!("update {table} set cluster_name = ? where cluster_name = ?");
            tx.run(Statement::new(sql).bind(new).bind(old)).await?;
        }
        tx.commit().await
    }
}

/// Cuts into pieces whose lengths are powers of two, the largest first, so that statements come in six lengths only and stay
/// prepared: preparing one of these takes longer than running it.
fn in_powers_of_two<T>(mut rows: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    let mut size = ROWS_PER_STATEMENT;
    while size > 0 {
        while let Some((piece, rest)) = rows.split_at_checked(size) {
            pieces.push(piece);
            rows = rest;
        }
        size /= 2;
    }
    pieces
}

/// All servers, each with these columns and what is kept beside them.
fn select_instances(what: &str) -> String {
    format!("select {what}, {EXTRA_CELL} from database_instance left join {EXTRA} using (hostname, port)")
}

/// Reads rows on all cores; the order stays.
async fn side_by_side<T: Send + 'static>(
    mut rows: Vec<Row>,
    read: impl Fn(Row) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = rows.len().div_ceil(cores).max(1);
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let rest = rows.split_off(each.min(rows.len()));
        let read = read.clone();
        parts.push(tokio::task::spawn_blocking(move || rows.into_iter().map(read).collect::<Vec<_>>()));
        rows = rest;
    }
    let mut all = Vec::new();
    for part in parts {
        match part.await {
            Ok(part) => all.extend(part),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    all
}

fn key_of(row: &InstanceRow) -> InstanceKey {
    let mut key = InstanceKey::default();
    for (name, value) in &row.cells {
        match (*name, value) {
            ("hostname", Value::Text(host)) => key.hostname.clone_from(host),
            ("port", Value::Int(port)) => key.port = u16::try_from(*port).unwrap_or(0),
            _ => {}
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_piece_of_a_known_length() {
        for count in [0, 1, 31, 32, 33, 103] {
            let rows: Vec<usize> = (0..count).collect();
            let pieces = in_powers_of_two(&rows);
            assert!(pieces.iter().all(|p| p.len().is_power_of_two() && p.len() <= ROWS_PER_STATEMENT));
            assert_eq!(pieces.concat(), rows);
        }
    }
}
