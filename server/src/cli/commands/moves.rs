//! Commands that change the tree beside `relocate` (`spec/cli.md` 10.1 to 10.4).

use std::time::Duration;

use app::api::Operation;
use app::{BinlogCoordinates, InstanceKey};

use super::change::{run, run_each, single};
use crate::api::v1::{moved, only_binlog_server, regrouped_below};
use crate::cli::bench::{Bench, Failure, Outcome, lines};
use crate::lookup::Reach;

/// How often a server is looked at that is waited for.
const PAUSE: Duration = Duration::from_millis(500);

/// `move-up`: printed with its new source
pub async fn up(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let plan = run(&bench, Operation::MoveUp { server: server.clone() }).await?;
    Ok(arrow(&server, plan.moves.first().map(|m| &m.to)))
}

/// `move-up-replicas`
pub async fn up_replicas(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let view = run_each(&bench, Operation::MoveUpReplicas { server, pattern: pattern(&bench)? }).await?;
    Ok(lines(moved(&view).into_iter().cloned()))
}

/// `move-below`
pub async fn below(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let done = arrow(&server, Some(&below));
    run(&bench, Operation::MoveBelow { server, below }).await?;
    Ok(done)
}

/// `move-gtid`
pub async fn gtid(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let done = arrow(&server, Some(&below));
    run(&bench, Operation::MoveGtid { server, below }).await?;
    Ok(done)
}

/// `move-replicas-gtid`: a replica that stays makes it a failure, and nothing is printed
pub async fn replicas_gtid(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let view = run_each(&bench, Operation::MoveReplicasGtid { server, below, pattern: pattern(&bench)? }).await?;
    let moved = moved(&view);
    if moved.len() < view.outcomes.len() {
        let others = view.outcomes.len() - moved.len();
        return Err(Failure::new(format!("{} replicas were moved, {others} not", moved.len())));
    }
    Ok(lines(moved.into_iter().cloned()))
}

/// `move-equivalent`
pub async fn equivalent(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let done = arrow(&server, Some(&below));
    run(&bench, Operation::MoveEquivalent { server, below }).await?;
    Ok(done)
}

/// `regroup-replicas-bls`: the one that the others are below now
pub async fn regroup_binlog_servers(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let view = run_each(&bench, Operation::RegroupBinlogServers { server: server.clone() }).await?;
    let best = regrouped_below(&view.plan, || only_binlog_server(&bench.snapshot(), &server));
    best.map(|key| format!("{key}\n")).ok_or_else(|| Failure::new(format!("{server} has no binlog servers")))
}

/// `repoint`: printed with its source
pub async fn repoint(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.optional_destination(Reach::ShortName).await?;
    let plan = run(&bench, Operation::Repoint { server: server.clone(), below }).await?;
    Ok(arrow(&server, plan.moves.first().map(|m| &m.to)))
}

/// `repoint-replicas`: the right-hand side is the source that they were given
pub async fn repoint_replicas(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.optional_destination(Reach::ShortName).await?;
    let view = run_each(&bench, Operation::RepointReplicas { server, below, pattern: pattern(&bench)? }).await?;
    let moved = moved(&view);
    Ok(view.plan.moves.iter().filter(|m| moved.contains(&&m.server)).map(|m| arrow(&m.server, Some(&m.to))).collect())
}

/// `take-siblings`
pub async fn take_siblings(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    run_each(&bench, Operation::TakeSiblings { server: server.clone() }).await?;
    Ok(format!("{server}\n"))
}

/// `take-master`
pub async fn take_source(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::TakeSource { server: server.clone() }, &server).await
}

/// `make-co-master`
pub async fn make_co_source(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::MakeCoSource { server: server.clone() }, &server).await
}

/// `regroup-replicas`
pub async fn regroup(bench: Bench) -> Outcome {
    regroup_by(bench, false).await
}

/// `regroup-replicas-gtid`
pub async fn regroup_gtid(bench: Bench) -> Outcome {
    regroup_by(bench, true).await
}

async fn regroup_by(bench: Bench, gtid_only: bool) -> Outcome {
    let server = bench.target().await?;
    let view = run_each(&bench, Operation::RegroupReplicas { server: server.clone(), gtid_only }).await?;
    let best = regrouped_below(&view.plan, || bench.snapshot().replicas_of(&server).map(|r| r.key.clone()).next());
    let best = best.ok_or_else(|| Failure::new(format!("{server} has no replicas")))?;
    let moved = moved(&view).len();
    let lost = view.outcomes.len() - moved;
    // The command that chooses the way itself counts as the one by pseudo-GTID does (`spec/cli.md` 10.1).
    let counts = if gtid_only { format!("moved: {moved}") } else { format!("trivial: 0, pseudo-gtid: {moved}") };
    Ok(format!("{best}\n{best} lost: {lost}, {counts}\n"))
}

/// `get-candidate-replica`
pub async fn candidate(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let settings = crate::settings::plan(&bench.config).choice;
    let choice = engine::candidate::regroup_choice(&bench.snapshot(), &server, &settings);
    match choice.chosen {
        Some(best) => Ok(format!("{best}\n")),
        None => {
            let reasons: Vec<String> = choice.considered.iter().map(|c| format!("{}: {}", c.key, c.reason)).collect();
            let reasons = if reasons.is_empty() { "it has no replicas".to_owned() } else { reasons.join("; ") };
            Err(Failure::new(format!("no replica of {server} is fit for promotion: {reasons}")))
        }
    }
}

/// `internal-suggest-promoted-replacement`: whom we would promote for the failed server; the promoted one if nobody else
pub async fn suggest_replacement(bench: Bench) -> Outcome {
    let failed = bench.known().await?.key.clone();
    let promoted = bench.destination(Reach::Contains).await?;
    let settings = crate::settings::plan(&bench.config).choice;
    let choice = engine::candidate::readiness(&bench.snapshot(), &failed, &settings);
    Ok(format!("{}\n", choice.chosen.unwrap_or(promoted)))
}

/// `master-pos-wait`: waits until the position of the source is executed, as long as it takes
pub async fn wait_for_position(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let at = BinlogCoordinates::parse(&bench.arguments.binlog).map_err(|e| Failure::new(format!("-binlog: {e}")))?;
    loop {
        let fresh = bench.services.discovery.probe_now(&server).await.map_err(Failure::new)?;
        let channel = &fresh.replication;
        if !fresh.is_replica() {
            return Err(Failure::new(format!("{server} does not replicate from anything")));
        }
        if channel.exec >= at {
            return Ok(format!("{server}\n"));
        }
        if !channel.applier.is_running() {
            return Err(Failure::new(format!(
                "the applier of {server} is stopped at {}; {at} will not come",
                channel.exec
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) fn pattern(bench: &Bench) -> Result<String, Failure> {
    let pattern = bench.arguments.pattern.clone();
    regex::Regex::new(&pattern).map_err(|error| Failure::new(format!("cannot parse -pattern {pattern:?}: {error}")))?;
    Ok(pattern)
}

/// `replica<source`
pub(super) fn arrow(server: &InstanceKey, source: Option<&InstanceKey>) -> String {
    match source {
        Some(source) => format!("{server}<{source}\n"),
        None => format!("{server}\n"),
    }
}
