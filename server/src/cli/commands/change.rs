//! Commands that change servers or what is said of them (`spec/cli.md` 10.1, 10.6, 10.8, 10.12, 10.13, 10.15).

use app::api::{Operation, OperationView};
use app::plan::Plan;
use app::topology::{Candidate, Downtime};
use chrono::Utc;

use crate::api::v1::{DEFAULT_DOWNTIME, FORGOTTEN_FOR, moved, not_moved};
use crate::cli::bench::{Bench, Failure, Outcome, lines};
use crate::cli::duration::parse_duration;
use crate::consensus::Command;
use crate::discovery::DiscoveryError;
use crate::lookup::{self, Reach, TagExpression};
use crate::maintenance::{self, Wanted};

/// `relocate`, `relocate-below`
pub async fn relocate(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let done = format!("{server}<{below}\n");
    run(&bench, Operation::Relocate { server, below }).await?;
    Ok(done)
}

/// `relocate-replicas`
pub async fn relocate_replicas(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let pattern = bench.arguments.pattern.clone();
    regex::Regex::new(&pattern).map_err(|error| Failure::new(format!("cannot parse -pattern {pattern:?}: {error}")))?;
    let view = run_each(&bench, Operation::RelocateReplicas { server, below, pattern }).await?;
    Ok(lines(moved(&view).into_iter().cloned()))
}

/// `start-replica`
pub async fn start(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::StartReplication { server: server.clone() }, &server).await
}

/// `stop-replica`
pub async fn stop(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::StopReplication { server: server.clone() }, &server).await
}

/// `restart-replica`
pub async fn restart(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::RestartReplication { server: server.clone() }, &server).await
}

/// `detach-replica-master-host`
pub async fn detach(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::DetachReplica { server: server.clone() }, &server).await
}

/// `reattach-replica-master-host`
pub async fn reattach(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::ReattachReplica { server: server.clone() }, &server).await
}

/// `set-read-only`
pub async fn set_read_only(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetReadOnly { server: server.clone() }, &server).await
}

/// `set-writeable`
pub async fn set_writeable(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetWriteable { server: server.clone() }, &server).await
}

pub(super) async fn single(bench: &Bench, operation: Operation, server: &app::InstanceKey) -> Outcome {
    run(bench, operation).await?;
    Ok(format!("{server}\n"))
}

/// Carries an operation out; with `-noop` only says what it would do. Gives what was planned.
pub(super) async fn run(bench: &Bench, operation: Operation) -> Result<Plan, Failure> {
    if bench.arguments.noop {
        let plan = bench.services.refactor.plan(&operation).map_err(Failure::new)?;
        return Err(Failure::new(format!("noop: {} was not carried out; its steps: {}", plan.title, steps(&plan))));
    }
    let view = bench.services.refactor.run(&operation, &bench.actor()).await.map_err(Failure::new)?;
    for warning in &view.plan.warnings {
        tracing::warn!("{warning}");
    }
    Ok(view.plan)
}

/// Carries out an operation on several servers. It is a failure only when none of them got to where it should; of the others each has an
/// ERROR line.
pub(super) async fn run_each(bench: &Bench, operation: Operation) -> Result<OperationView, Failure> {
    if bench.arguments.noop {
        // Says what would be done.
        run(bench, operation.clone()).await?;
    }
    let view = bench.services.refactor.run_each(&operation, &bench.actor()).await.map_err(Failure::new)?;
    for line in not_moved(&view) {
        tracing::error!("{line}");
    }
    Ok(view)
}

/// Those steps of a plan that send something.
fn steps(plan: &Plan) -> String {
    let sending = plan.steps.iter().filter(|step| !step.statements.is_empty());
    let texts: Vec<String> = sending.map(|s| format!("{}: {}", s.server, s.statements.join("; "))).collect();
    texts.join(" / ")
}

/// `discover`: the server named and no other; printed by the name it gives itself
pub async fn discover(bench: Bench) -> Outcome {
    let key = bench.resolved(&bench.arguments.instance, Reach::Exact).await?;
    match bench.services.discovery.discover(&key).await {
        Ok(found) => {
            submit(&bench, Command::Admit { key: found.key.clone() }).await?;
            Ok(format!("{}\n", found.key))
        }
        Err(DiscoveryError::Skipped(key)) => {
            tracing::warn!("{key} is left out by a filter of the configuration");
            Ok(String::new())
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// `forget`
pub async fn forget(bench: Bench) -> Outcome {
    let key = lookup::widen(&bench.snapshot(), bench.raw()?, Reach::ShortName);
    if bench.services.fleet.get(&key).is_none() {
        return Err(bench.unknown(&key));
    }
    let command = Command::Forget { key: key.clone(), barred_until: Utc::now() + FORGOTTEN_FOR };
    submit(&bench, command).await?;
    Ok(format!("{key}\n"))
}

/// `begin-downtime`
pub async fn begin_downtime(bench: Bench) -> Outcome {
    let reason = bench.reason()?.to_owned();
    let length = parse_duration(&bench.arguments.duration).map_err(Failure::new)?;
    let length = length.filter(|length| !length.is_zero()).unwrap_or(DEFAULT_DOWNTIME);
    let key = bench.target().await?;
    let begin = Utc::now();
    let end = begin
        .checked_add_signed(length)
        .ok_or_else(|| Failure::new(format!("a downtime of {} ends beyond all calendars", bench.arguments.duration)))?;
    let downtime = Downtime { owner: bench.owner().to_owned(), reason, begin, end };
    submit(&bench, Command::BeginDowntime { key: key.clone(), downtime }).await?;
    Ok(format!("{key}\n"))
}

/// `end-downtime`: no error when there was none
pub async fn end_downtime(bench: Bench) -> Outcome {
    let mut key = bench.past_target().await?;
    if !bench.snapshot().annotations.downtime.contains_key(&key) {
        key = bench.target().await?;
    }
    submit(&bench, Command::EndDowntime { key: key.clone() }).await?;
    Ok(format!("{key}\n"))
}

/// `begin-maintenance`
pub async fn begin_maintenance(bench: Bench) -> Outcome {
    let reason = bench.reason()?.to_owned();
    let length = parse_duration(&bench.arguments.duration).map_err(Failure::new)?;
    let length = length.filter(|length| !length.is_zero()).unwrap_or(maintenance::DEFAULT_LENGTH);
    let key = bench.target().await?;
    let wanted = Wanted { key: key.clone(), owner: bench.owner().to_owned(), reason, length };
    maintenance::begin(&bench.services, wanted, &bench.actor()).await.map_err(Failure::new)?;
    Ok(format!("{key}\n"))
}

/// `end-maintenance`: no error when there was none
pub async fn end_maintenance(bench: Bench) -> Outcome {
    let key = bench.target().await?;
    submit(&bench, Command::EndMaintenance { key: key.clone() }).await?;
    Ok(format!("{key}\n"))
}

/// `register-candidate`
pub async fn register_candidate(bench: Bench) -> Outcome {
    let key = bench.target().await?;
    let rule = bench.arguments.promotion_rule.parse().map_err(Failure::new)?;
    let candidate = Candidate { rule, last_suggested: Utc::now() };
    submit(&bench, Command::RegisterCandidate { key: key.clone(), candidate }).await?;
    Ok(format!("{key}\n"))
}

/// `register-hostname-unresolve`: an empty name removes
pub async fn register_unresolved(bench: Bench) -> Outcome {
    let key = bench.target().await?;
    let unresolved = bench.arguments.hostname.trim().to_owned();
    submit(&bench, Command::RegisterUnresolved { hostname: key.hostname.clone(), unresolved }).await?;
    Ok(format!("{key}\n"))
}

/// `deregister-hostname-unresolve`
pub async fn deregister_unresolved(bench: Bench) -> Outcome {
    let key = bench.target().await?;
    let command = Command::RegisterUnresolved { hostname: key.hostname.clone(), unresolved: String::new() };
    submit(&bench, command).await?;
    Ok(format!("{key}\n"))
}

/// `tag`
pub async fn tag(bench: Bench) -> Outcome {
    let tag = plain_tag(&bench)?;
    let key = bench.target().await?;
    let value = tag.value.unwrap_or_default();
    submit(&bench, Command::PutTag { key: key.clone(), name: tag.name, value }).await?;
    Ok(format!("{key}\n"))
}

/// `untag`: nothing is printed when there was nothing to remove
pub async fn untag(bench: Bench) -> Outcome {
    let tag = plain_tag(&bench)?;
    let key = bench.target().await?;
    remove_tag(&bench, &tag, |tagged| *tagged == key).await
}

/// `untag-all`
pub async fn untag_all(bench: Bench) -> Outcome {
    let tag = plain_tag(&bench)?;
    if tag.value.is_none() {
        return Err(Failure::new(format!("untag-all needs a value: expected -tag {}=VALUE", tag.name)));
    }
    remove_tag(&bench, &tag, |_| true).await
}

async fn remove_tag(bench: &Bench, tag: &TagExpression, meant: impl Fn(&app::InstanceKey) -> bool) -> Outcome {
    let tagged = lookup::tagged(&bench.snapshot(), &bench.arguments.tag).map_err(Failure::new)?;
    let keys: Vec<_> = tagged.into_iter().filter(|key| meant(key)).collect();
    for key in &keys {
        submit(bench, Command::DeleteTag { key: key.clone(), name: tag.name.clone() }).await?;
    }
    Ok(lines(keys))
}

/// The tag of `-tag`, to set or remove.
fn plain_tag(bench: &Bench) -> Result<TagExpression, Failure> {
    let tag = TagExpression::parse(&bench.arguments.tag).map_err(Failure::new)?;
    if tag.negated {
        return Err(Failure::new(format!("a tag to set or remove cannot be negated: {:?}", bench.arguments.tag)));
    }
    Ok(tag)
}

pub(super) async fn submit(bench: &Bench, command: Command) -> Result<(), Failure> {
    bench.services.consensus.submit(command, &bench.actor()).await.map_err(Failure::new)
}
