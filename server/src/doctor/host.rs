//! What this machine gives the program.

use super::report::Advice;

/// Connections to a server that stay open: one of the probe, one that waits for its death.
const DESCRIPTORS_PER_SERVER: usize = 2;

/// Files, the backend, clients of the API, and commands to servers.
const OTHER_DESCRIPTORS: usize = 256;

/// About a service with this many servers, started with the limits of this process.
pub fn advice(servers: usize) -> Vec<Advice> {
    // Where the system does not tell, nothing is said.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    descriptors(servers, soft_limit(&limits)).into_iter().collect()
}

/// `None`: unlimited, or unknown.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn descriptors(servers: usize, limit: Option<usize>) -> Option<Advice> {
    let limit = limit?;
    let wanted = servers.saturating_mul(DESCRIPTORS_PER_SERVER).saturating_add(OTHER_DESCRIPTORS);
    let figures = format!("{servers} servers take {wanted} file descriptors (two each and {OTHER_DESCRIPTORS} others)");
    Some(if wanted <= limit {
        Advice::fine(format!("{figures}; the limit here is {limit}"))
    } else {
        Advice::must(format!("{figures}, and the limit here is {limit}: raise it, by LimitNOFILE= in the systemd unit"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Weight;

    #[test]
    fn two_descriptors_a_server() {
        let limits = "Limit  Soft Limit  Hard Limit Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(soft_limit("Max open files            unlimited unlimited files\n"), None);
        let weight = |servers| descriptors(servers, Some(1024)).map(|advice| advice.weight);
        assert_eq!((weight(384), weight(385)), (Some(Weight::Fine), Some(Weight::Must)));
        assert_eq!(descriptors(10_000, None), None);
    }
}
