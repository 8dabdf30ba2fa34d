//! Commands of pseudo-GTID (`spec/cli.md` 10.5, 10.8).

use app::BinlogCoordinates;
use app::api::{Operation, OperationView};
use engine::pseudo_gtid::Event;

use super::change::{run, run_each};
use super::moves::{arrow, pattern};
use crate::api::v1::{moved, regrouped_below};
use crate::cli::bench::{Bench, Failure, Outcome, lines};
use crate::lookup::Reach;

/// `match`: printed with its new source
pub async fn below(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    let done = arrow(&server, Some(&below));
    run(&bench, Operation::Match { server, below }).await?;
    Ok(done)
}

/// `match-up`
pub async fn up(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let plan = run(&bench, Operation::MatchUp { server: server.clone() }).await?;
    Ok(arrow(&server, plan.moves.first().map(|m| &m.to)))
}

/// `rematch`
pub async fn again(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let plan = run(&bench, Operation::Rematch { server: server.clone() }).await?;
    Ok(arrow(&server, plan.moves.first().map(|m| &m.to)))
}

/// `match-replicas`: a replica that stays makes it a failure
pub async fn replicas(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let below = bench.destination(Reach::ShortName).await?;
    all_moved(&run_each(&bench, Operation::MatchReplicas { server, below, pattern: pattern(&bench)? }).await?)
}

/// `match-up-replicas`
pub async fn up_replicas(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    all_moved(&run_each(&bench, Operation::MatchUpReplicas { server, pattern: pattern(&bench)? }).await?)
}

/// `regroup-replicas-pgtid`
pub async fn regroup(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let view = run_each(&bench, Operation::RegroupReplicasPseudoGtid { server: server.clone() }).await?;
    let best = regrouped_below(&view.plan, || bench.snapshot().replicas_of(&server).map(|r| r.key.clone()).next());
    let best = best.ok_or_else(|| Failure::new(format!("{server} has no replicas")))?;
    let moved = moved(&view).len();
    let lost = view.outcomes.len() - moved;
    // Those at the same place are matched like the others.
    Ok(format!("{best}\n{best} lost: {lost}, trivial: 0, pseudo-gtid: {moved}\n"))
}

/// `last-pseudo-gtid`: place and text
pub async fn last(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let found = bench.services.refactor.last_pseudo_gtid(&server, bench.arguments.strict).await;
    let entry = found.map_err(Failure::new)?;
    Ok(format!("{}:{}\n", entry.at, entry.text))
}

/// `find-binlog-entry`: the place of an entry of exactly this text
pub async fn find(bench: Bench) -> Outcome {
    let text = bench.arguments.pattern.clone();
    if text.trim().is_empty() {
        return Err(Failure::new("find-binlog-entry needs the text of an entry: expected -pattern TEXT"));
    }
    let server = bench.target().await?;
    let at = bench.services.refactor.find_binlog_entry(&server, &text).await.map_err(Failure::new)?;
    Ok(format!("{at}\n"))
}

/// `correlate-binlog-pos`: the place in the logs of `-d`
pub async fn correlate(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let other = bench.destination(Reach::ShortName).await?;
    let at = given_place(&bench)?;
    let found = bench.services.refactor.correlate_binlog(&server, &other, at).await.map_err(Failure::new)?;
    Ok(format!("{found}\n"))
}

/// `last-executed-relay-entry`: the event and where it ends in the log of the source
pub async fn last_relay(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let found = bench.services.refactor.last_executed_relay(&server).await.map_err(Failure::new)?;
    let (at, event) = (found.at(), &found.event);
    let Event { end, kind, info, .. } = event;
    Ok(format!("{{Coordinates:{at} NextEventPos:{end} EventType:{kind} Info:{info}}}:{end}\n"))
}

/// `correlate-relaylog-pos`: the place in the relay logs of `-i`, the same one in those of its sibling `-d`, and the one behind that
pub async fn correlate_relay(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let sibling = bench.destination(Reach::ShortName).await?;
    let at = given_place(&bench)?;
    let found = bench.services.refactor.correlate_relay(&server, &sibling, at).await.map_err(Failure::new)?;
    let (own, other) = found;
    Ok(format!("{};{};{}\n", own.at(), other.at, other.next))
}

/// `-binlog`, when it is given.
fn given_place(bench: &Bench) -> Result<Option<BinlogCoordinates>, Failure> {
    match bench.arguments.binlog.trim() {
        "" => Ok(None),
        given => BinlogCoordinates::parse(given).map(Some).map_err(|e| Failure::new(format!("-binlog: {e}"))),
    }
}

fn all_moved(view: &OperationView) -> Outcome {
    let moved = moved(view);
    if moved.len() < view.outcomes.len() {
        let others = view.outcomes.len() - moved.len();
        return Err(Failure::new(format!("{} replicas were matched, {others} not", moved.len())));
    }
    Ok(lines(moved.into_iter().cloned()))
}
