//! Commands about recoveries (`spec/cli.md` 10.14).

use app::recovery::{AcknowledgeScope, Recovery, RecoveryState};

use super::change::submit;
use crate::cli::bench::{Bench, Failure, Outcome};
use crate::consensus::{Actor, Command};
use crate::lookup::{self, Reach};
use crate::recovery::{RecoverError, RecoveryRequest};

/// `recover`: nothing is printed when there was nothing to do
pub async fn recover(bench: Bench) -> Outcome {
    recover_with(bench, false).await
}

/// `recover-lite`: the same without hooks
pub async fn recover_lite(bench: Bench) -> Outcome {
    recover_with(bench, true).await
}

async fn recover_with(bench: Bench, skip_hooks: bool) -> Outcome {
    let failed = bench.target().await?;
    let designated = bench.optional_destination(Reach::ShortName).await?;
    let accept_loss_of = bench.accepted_loss();
    let request = RecoveryRequest::Recover { failed: failed.clone(), designated, accept_loss_of, skip_hooks };
    match bench.services.recovery.run_to_end(&request, &bench.actor()).await {
        Ok(recovery) => successor(&recovery).map(|key| format!("{key}\n")),
        Err(RecoverError::Nothing { key, found }) => {
            if found.is_empty() {
                tracing::info!("nothing to recover at {key}");
            } else {
                // Not silently: a source just killed is found unreachable until its replicas have noticed too.
                tracing::error!("nothing is recovered at {key}: no recovery acts on {found}");
            }
            Ok(String::new())
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// `force-master-failover`
pub async fn force_failover(bench: Bench) -> Outcome {
    let request = RecoveryRequest::Force {
        cluster: bench.cluster_to_change()?,
        designated: None,
        accept_loss_of: bench.accepted_loss(),
    };
    Ok(format!("{}\n", successor(&run(&bench, &request).await?)?))
}

/// `force-master-takeover`
pub async fn force_takeover(bench: Bench) -> Outcome {
    let designated = Some(bench.destination(Reach::ShortName).await?);
    let request = RecoveryRequest::Force {
        cluster: bench.cluster_to_change()?,
        designated,
        accept_loss_of: bench.accepted_loss(),
    };
    Ok(format!("{}\n", successor(&run(&bench, &request).await?)?))
}

/// `graceful-master-takeover`
pub async fn takeover(bench: Bench) -> Outcome {
    take_over(bench, false).await
}

/// `graceful-master-takeover-auto`
pub async fn takeover_auto(bench: Bench) -> Outcome {
    take_over(bench, true).await
}

/// Prints the new primary, and its position.
async fn take_over(bench: Bench, auto: bool) -> Outcome {
    let designated = bench.optional_destination(Reach::ShortName).await?;
    let request = RecoveryRequest::Takeover { cluster: bench.cluster_to_change()?, designated, auto };
    let promoted = successor(&run(&bench, &request).await?)?;
    let position = bench.services.fleet.get(&promoted).map(|i| i.binlog.to_string()).unwrap_or_default();
    Ok(format!("{promoted}\n{position}\n"))
}

async fn run(bench: &Bench, request: &RecoveryRequest) -> Result<Recovery, Failure> {
    let ended = bench.services.recovery.run_to_end(request, &bench.actor()).await.map_err(Failure::new)?;
    Ok((*ended).clone())
}

/// Who was promoted; that nobody was is a failure.
fn successor(recovery: &Recovery) -> Result<app::InstanceKey, Failure> {
    match (&recovery.state, &recovery.successor) {
        (RecoveryState::Succeeded, Some(successor)) => Ok(successor.clone()),
        (RecoveryState::Failed { reason }, _) => Err(Failure::new(reason)),
        _ => Err(Failure::new(format!("recovery {} ended without a successor", recovery.uid))),
    }
}

/// `ack-all-recoveries`
pub async fn acknowledge_all(bench: Bench) -> Outcome {
    acknowledge(&bench, AcknowledgeScope::All).await
}

/// `ack-cluster-recoveries`
pub async fn acknowledge_cluster(bench: Bench) -> Outcome {
    let name = bench.cluster_to_change()?;
    let alias = lookup::alias_of(&bench.snapshot(), &bench.config, &name);
    let alias = if alias == name { String::new() } else { alias };
    acknowledge(&bench, AcknowledgeScope::Cluster { name, alias }).await
}

/// `ack-instance-recoveries`
pub async fn acknowledge_instance(bench: Bench) -> Outcome {
    // A failed server may have been forgotten since; its recoveries are still on record.
    let mut key = bench.past_target().await?;
    if bench.services.recovery.registry().list().iter().all(|recovery| recovery.finding.key != key) {
        key = bench.target().await?;
    }
    acknowledge(&bench, AcknowledgeScope::Instance { key }).await
}

async fn acknowledge(bench: &Bench, scope: AcknowledgeScope) -> Outcome {
    let reason = bench.reason()?;
    let actor = Actor::named(bench.owner());
    let count = bench.services.recovery.acknowledge(scope, reason, &actor).await.map_err(Failure::new)?;
    Ok(format!("{count} recoveries acknowledged\n"))
}

/// `disable-global-recoveries`
pub async fn disable(bench: Bench) -> Outcome {
    submit(&bench, Command::EnableRecoveries { enabled: false }).await?;
    Ok("OK: Orchestrator recoveries DISABLED globally\n".to_owned())
}

/// `enable-global-recoveries`
pub async fn enable(bench: Bench) -> Outcome {
    submit(&bench, Command::EnableRecoveries { enabled: true }).await?;
    Ok("OK: Orchestrator recoveries ENABLED globally\n".to_owned())
}
