//! Maintenance: an operator's hold on a server (`spec/recovery.md` 6.4). Analysis leaves the server out, and no operation is
//! carried out on it until the hold ends.

use app::InstanceKey;
use app::topology::Maintenance;
use chrono::{TimeDelta, Utc};

use crate::consensus::{Actor, Command, ConsensusError};
use crate::exec::{Held, Purpose};
use crate::services::Services;

/// Maintenance without a duration lasts this long.
pub const DEFAULT_LENGTH: TimeDelta = TimeDelta::minutes(10);

/// Why maintenance was not begun or ended.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// An operation, a recovery, or another maintenance has the server.
    #[error("{0}")]
    Held(Held),
    /// Not accepted.
    #[error("{0}")]
    Consensus(#[from] ConsensusError),
    /// No active maintenance has this number.
    #[error("there is no active maintenance with number {0}")]
    Unknown(i64),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The server, which must be known.
    pub key: InstanceKey,
    /// Who asks.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// For how long.
    pub length: TimeDelta,
}

/// Begins maintenance of a server that nothing is being done to.
///
/// # Errors
/// [`MaintenanceError`]; then nothing has changed.
pub async fn begin(services: &Services, wanted: Wanted, actor: &Actor) -> Result<(), MaintenanceError> {
    let Wanted { key, owner, reason, length } = wanted;
    let begin = Utc::now();
    let end = begin.checked_add_signed(length).unwrap_or(chrono::DateTime::<Utc>::MAX_UTC);
    let maintenance = Maintenance { id: 0, owner, reason, begin, end };
    let command = Command::BeginMaintenance { key: key.clone(), maintenance };
    command.check(&services.fleet.snapshot()).map_err(ConsensusError::Refused)?;
    // Whoever works on the server, in whatever process, has it until he has finished.
    let name = format!("begin maintenance by {}", actor.name);
    let taken = services.locks.take_servers(vec![key], &name, Purpose::Operation).await;
    taken.map_err(MaintenanceError::Held)?.give_up().await;
    services.consensus.submit(command, actor).await?;
    Ok(())
}

/// Ends the maintenance that has this number in the backend, and gives the server.
///
/// # Errors
/// [`MaintenanceError`]; then nothing has changed.
pub async fn end_by_number(services: &Services, number: i64, actor: &Actor) -> Result<InstanceKey, MaintenanceError> {
    let snapshot = services.fleet.snapshot();
    let found = snapshot.annotations.maintenance.iter().find(|(_, entry)| entry.id == number && number > 0);
    let key = found.map(|(key, _)| key.clone()).ok_or(MaintenanceError::Unknown(number))?;
    services.consensus.submit(Command::EndMaintenance { key: key.clone() }, actor).await?;
    Ok(key)
}
