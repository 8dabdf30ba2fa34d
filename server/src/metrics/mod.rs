//! What the service counts and times about itself.
//!
//! Each room that has something to count holds a *meter* of its own and makes one call for each thing that happens:
//! [`ProbeMeter`] in discovery, [`WriteMeter`] in the journal, [`StepMeter`] in the executor, [`RecoveryMeter`] in
//! recoveries. Nothing is global, so two services in one process (as in tests) do not mix. [`exposition`] gives the
//! meters their public names; what a state is, not an event (servers by status, tasks), is read when it is asked for.
//!
//! A meter keeps two things: histograms and counters since the start, for Prometheus and Graphite, and, where the
//! compatible API wants them, the events themselves for a while ([`Window`]).

mod exposition;
mod graphite;
mod probes;
mod recoveries;
mod statistics;
mod steps;
mod window;
mod writes;

use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

pub use exposition::{CONTENT_TYPE, LaneState, Meters, State, exposition};
pub use graphite::{Figure, Graphite, GraphiteError};
pub use probes::{Look, ProbeMeter, Probed, QueueSample};
pub use recoveries::{KINDS, RecoveryMeter, kind_name};
pub use statistics::Statistics;
pub use steps::StepMeter;
pub use window::Window;
pub use writes::{Flushed, WriteMeter, Written};

/// Labels of a series: name and value.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Histograms by label, all with the same buckets.
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Buckets for what is done by ourselves and in memory, in seconds.
const QUICK: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// Buckets for what waits for a server or the backend, in seconds.
const NETWORK: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Buckets for what takes many steps, in seconds.
const LONG: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0, 1800.0];

fn quick() -> Histogram {
    Histogram::new(QUICK)
}

fn network() -> Histogram {
    Histogram::new(NETWORK)
}

fn long() -> Histogram {
    Histogram::new(LONG)
}

/// Whole nanoseconds; centuries are cut off.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
