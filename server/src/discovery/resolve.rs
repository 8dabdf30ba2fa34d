//! How host names become the names that servers are known by (`spec/discovery.md` 2).

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RData};
use moka::sync::Cache;
use regex::Regex;

/// `HostnameResolveMethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResolveMethod {
    /// Unchanged, and no names learnt from servers either.
    None,
    /// Unchanged, but for what servers said of themselves.
    #[default]
    Default,
    /// The canonical name that DNS gives.
    Cname,
    /// An address, IPv4 before IPv6.
    Ip,
}

/// Why a name was not resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing but white space.
    #[error("cannot resolve an empty host name")]
    Empty,
    /// Several names at once.
    #[error("cannot resolve {0:?}: it is more than one name")]
    Several(String),
    /// DNS has no answer.
    #[error("cannot resolve {host}: {reason}")]
    Dns {
        /// The name.
        host: String,
        /// What DNS said.
        reason: String,
    },
}

/// Settings of resolution.
#[derive(Debug, Clone)]
pub struct ResolveSettings {
    /// How.
    pub method: ResolveMethod,
    /// `ExpiryHostnameResolvesMinutes`.
    pub keep: Duration,
    /// `RejectHostnameResolvePattern`: a resolved name that matches is refused and the original kept.
    pub reject: Option<Regex>,
}

impl Default for ResolveSettings {
    fn default() -> Self {
        Self { method: ResolveMethod::Default, keep: Duration::from_secs(3600), reject: None }
    }
}

/// Asks DNS. A trait because the world cannot come into a test.
pub trait Dns: Send + Sync {
    /// The canonical name, without a dot at its end.
    fn canonical<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<String, String>>;

    /// All addresses.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, String>>;
}

/// Asks the name servers that the system is set up with.
pub struct SystemDns {
    resolver: Result<TokioResolver, String>,
}

impl SystemDns {
    /// Reads the system's settings. What is wrong with them is said when a name is asked for.
    pub fn new() -> Self {
        let built = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        Self { resolver: built.map_err(|error| format!("the system's DNS settings: {error}")) }
    }
}

impl Default for SystemDns {
    fn default() -> Self {
        Self::new()
    }
}

impl Dns for SystemDns {
    fn canonical<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let resolver = self.resolver.as_ref().map_err(Clone::clone)?;
            let answer = resolver.lookup_ip(host).await.map_err(|error| error.to_string())?;
            let records = answer.as_lookup().answers();
            let mut name: Name = answer.query().name().clone();
            // Each record is followed once at most: a loop in DNS ends here.
            for _ in records {
                let next = records.iter().find_map(|record| match &record.data {
                    RData::CNAME(target) if record.name == name => Some(target.0.clone()),
                    _ => None,
                });
                match next {
                    Some(target) => name = target,
                    None => break,
                }
            }
            Ok(name.to_utf8())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, String>> {
        Box::pin(async move {
            let resolver = self.resolver.as_ref().map_err(Clone::clone)?;
            let answer = resolver.lookup_ip(host).await.map_err(|error| error.to_string())?;
            Ok(answer.iter().collect())
        })
    }
}

/// A failure is remembered for this long, so that DNS is not asked at each poll.
const FAILED_FOR: Duration = Duration::from_secs(60);
/// Names kept at most; far more than there are servers.
const CAPACITY: u64 = 200_000;

/// A name that was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name asked for.
    pub host: String,
    /// What it stands for.
    pub name: String,
    /// When that was found out.
    pub at: DateTime<Utc>,
}

/// Resolves and remembers.
pub struct Resolver {
    dns: Box<dyn Dns>,
    settings: ResolveSettings,
    names: Cache<String, Resolved>,
    failed: Cache<String, ResolveError>,
}

impl Resolver {
    /// A resolver that asks `dns`.
    pub fn new(settings: ResolveSettings, dns: Box<dyn Dns>) -> Self {
        let names = Cache::builder().max_capacity(CAPACITY).time_to_live(settings.keep).build();
        let failed = Cache::builder().max_capacity(CAPACITY).time_to_live(FAILED_FOR).build();
        Self { dns, settings, names, failed }
    }

    /// The name that a host is known by. White space around it is dropped; a detached name stays as it is.
    ///
    /// # Errors
    /// The name cannot be resolved: the caller goes on with the name as given. A failure never becomes a name, and above
    /// all not an empty one: a replica whose source has no name would look like a primary.
    pub async fn resolve(&self, host: &str) -> Result<String, ResolveError> {
        let host = host.trim();
        if host.is_empty() {
            return Err(ResolveError::Empty);
        }
        if host.contains(',') {
            return Err(ResolveError::Several(host.to_owned()));
        }
        if host.starts_with("//") || host == "_" {
            return Ok(host.to_owned());
        }
        if let Some(known) = self.names.get(host) {
            return Ok(known.name);
        }
        if let Some(error) = self.failed.get(host) {
            return Err(error);
        }
        let resolved = match self.ask(host).await {
            Ok(resolved) => resolved,
            Err(reason) => {
                let error = ResolveError::Dns { host: host.to_owned(), reason };
                self.failed.insert(host.to_owned(), error.clone());
                return Err(error);
            }
        };
        if self.settings.reject.as_ref().is_some_and(|pattern| pattern.is_match(&resolved)) {
            tracing::warn!(host, resolved, "a resolved name is refused by RejectHostnameResolvePattern");
            return Ok(host.to_owned());
        }
        self.remember(host, &resolved, Utc::now());
        Ok(resolved)
    }

    /// The name that a host is known by, or as given when that cannot be found out.
    pub async fn resolve_or_keep(&self, host: &str) -> String {
        match self.resolve(host).await {
            Ok(resolved) => resolved,
            Err(error) => {
                if !matches!(error, ResolveError::Empty) {
                    tracing::debug!(%error, "a name stays as given");
                }
                host.to_owned()
            }
        }
    }

    /// A server that was reached as `host` calls itself `own`.
    pub fn learn(&self, host: &str, own: &str) {
        let refused = self.settings.reject.as_ref().is_some_and(|pattern| pattern.is_match(own));
        if host == own || own.is_empty() || refused || self.settings.method == ResolveMethod::None {
            return;
        }
        let now = Utc::now();
        // Servers tell at each look; what is known stays as it is until it is middle-aged.
        let is_news = |known: &Resolved| known.name != own || now - known.at > self.keep() / 2;
        if self.names.get(host).is_none_or(|known| is_news(&known)) {
            self.remember(host, own, now);
        }
    }

    /// Takes over what the backend remembers from before the start. What is known already is younger and stays; what is
    /// past its time is left out.
    pub fn load(&self, recorded: impl IntoIterator<Item = Resolved>) {
        if self.settings.method == ResolveMethod::None {
            return;
        }
        let now = Utc::now();
        for Resolved { host, name, at } in recorded {
            let refused = self.settings.reject.as_ref().is_some_and(|pattern| pattern.is_match(&name));
            if at + self.keep() > now && !name.is_empty() && !refused && !self.names.contains_key(&host) {
                self.remember(&host, &name, at);
            }
        }
    }

    /// What is remembered, by name.
    pub fn known(&self) -> Vec<Resolved> {
        let mut known: Vec<Resolved> = self.names.iter().map(|(_, resolved)| resolved).collect();
        known.sort_by(|a, b| a.host.cmp(&b.host));
        known
    }

    /// What was found out after this moment and is worth recording: names that stand for another one.
    pub fn found_since(&self, moment: DateTime<Utc>) -> Vec<Resolved> {
        if self.settings.method == ResolveMethod::None {
            return Vec::new();
        }
        let mut found = self.known();
        found.retain(|resolved| resolved.at > moment && resolved.host != resolved.name);
        found
    }

    /// The name that a host is remembered by, without asking anybody.
    pub fn remembered(&self, host: &str) -> Option<String> {
        self.names.get(host).map(|known| known.name)
    }

    /// How long a name is remembered.
    pub fn keep(&self) -> TimeDelta {
        TimeDelta::from_std(self.settings.keep).unwrap_or(TimeDelta::MAX)
    }

    /// Forgets one name.
    pub fn forget(&self, host: &str) {
        self.names.invalidate(host);
    }

    fn remember(&self, host: &str, name: &str, at: DateTime<Utc>) {
        let resolved = Resolved { host: host.to_owned(), name: name.to_owned(), at };
        self.names.insert(host.to_owned(), resolved);
    }

    /// Forgets all names.
    pub fn reset(&self) {
        self.names.invalidate_all();
        self.failed.invalidate_all();
    }

    async fn ask(&self, host: &str) -> Result<String, String> {
        let resolved = match self.settings.method {
            ResolveMethod::None | ResolveMethod::Default => return Ok(host.to_owned()),
            ResolveMethod::Cname if host.parse::<IpAddr>().is_ok() => return Ok(host.to_owned()),
            ResolveMethod::Cname => self.dns.canonical(host).await?.trim_end_matches('.').to_owned(),
            ResolveMethod::Ip => {
                let addresses = self.dns.addresses(host).await?;
                let chosen = addresses.iter().rfind(|a| a.is_ipv4()).or_else(|| addresses.last());
                chosen.map(ToString::to_string).unwrap_or_default()
            }
        };
        if resolved.is_empty() { Err("the answer is empty".to_owned()) } else { Ok(resolved) }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Answers `name` with `name.real.` and two addresses, and `lost` with nothing.
    #[derive(Default)]
    struct FakeDns {
        asked: Arc<AtomicU32>,
    }

    impl Dns for FakeDns {
        fn canonical<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<String, String>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if host == "lost" { Err("no such name".to_owned()) } else { Ok(format!("{host}.real.")) }
            })
        }

        fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, String>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match host {
                    "lost" => Err("no such name".to_owned()),
                    "nothing" => Ok(Vec::new()),
                    "six" => Ok(vec![IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]),
                    _ => Ok(vec![
                        IpAddr::from([10, 0, 0, 1]),
                        IpAddr::from([10, 0, 0, 2]),
                        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
                    ]),
                }
            })
        }
    }

    fn resolver(method: ResolveMethod, reject: &str) -> (Resolver, Arc<AtomicU32>) {
        let dns = FakeDns::default();
        let asked = Arc::clone(&dns.asked);
        let reject = (!reject.is_empty()).then(|| Regex::new(reject).expect("an expression"));
        (Resolver::new(ResolveSettings { method, reject, ..Default::default() }, Box::new(dns)), asked)
    }

    #[tokio::test]
    async fn each_method_gives_its_name() {
        for (method, host, expected) in [
            (ResolveMethod::None, "db1", "db1"),
            (ResolveMethod::Default, " db1 ", "db1"),
            (ResolveMethod::Cname, "db1", "db1.real"),
            (ResolveMethod::Cname, "10.0.0.1", "10.0.0.1"),
            (ResolveMethod::Ip, "db1", "10.0.0.2"),
            (ResolveMethod::Ip, "six", "::1"),
            (ResolveMethod::Ip, "//db1", "//db1"),
        ] {
            let (resolver, _) = resolver(method, "");
            assert_eq!(resolver.resolve(host).await.as_deref(), Ok(expected), "{method:?} {host}");
        }
        let (resolver, _) = resolver(ResolveMethod::Default, "");
        assert_eq!(resolver.resolve(" ").await, Err(ResolveError::Empty));
        assert!(matches!(resolver.resolve("a,b").await, Err(ResolveError::Several(_))));
    }

    #[tokio::test]
    async fn answers_are_remembered_and_a_failure_is_never_an_empty_name() {
        let (good, asked) = resolver(ResolveMethod::Ip, "");
        for _ in 0..3 {
            assert_eq!(good.resolve("db1").await.as_deref(), Ok("10.0.0.2"));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        for host in ["lost", "nothing"] {
            for _ in 0..2 {
                assert!(good.resolve(host).await.is_err());
                assert_eq!(good.resolve_or_keep(host).await, host);
            }
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3, "a failure is not asked for again at once");
        good.reset();
        good.resolve("db1").await.expect("asked anew");
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn a_refused_name_leaves_the_original_and_a_server_may_tell_its_own() {
        let (refusing, _) = resolver(ResolveMethod::Cname, "real$");
        assert_eq!(refusing.resolve("db1").await.as_deref(), Ok("db1"));
        refusing.learn("db1", "other.real");
        assert_eq!(refusing.resolve("db1").await.as_deref(), Ok("db1"));
        refusing.learn("db1", "own");
        assert_eq!(refusing.resolve("db1").await.as_deref(), Ok("own"));
    }

    #[tokio::test]
    async fn what_was_recorded_is_known_at_the_next_start_unless_too_old_or_refused() {
        let now = Utc::now();
        let name = |host: &str, name: &str, minutes| Resolved {
            host: host.to_owned(),
            name: name.to_owned(),
            at: now - TimeDelta::minutes(minutes),
        };
        let recorded = [name("a", "a.example", 5), name("b", "b.example", 61), name("c", "c.bad", 1), name("d", "", 1)];
        let (resolver, asked) = resolver(ResolveMethod::Cname, "bad$");
        resolver.learn("a", "a2.example");
        resolver.load(recorded.clone());
        assert_eq!(resolver.remembered("a").as_deref(), Some("a2.example"), "what is known is younger");
        let known: Vec<String> = resolver.known().into_iter().map(|resolved| resolved.host).collect();
        assert_eq!(known, ["a"]);
        resolver.reset();
        resolver.load(recorded.clone());
        assert_eq!(resolver.resolve("a").await.as_deref(), Ok("a.example"));
        assert_eq!(asked.load(Ordering::Relaxed), 0);

        resolver.resolve("x").await.expect("resolved");
        let found: Vec<Resolved> = resolver.found_since(now - TimeDelta::seconds(1));
        assert_eq!(found.iter().map(|f| (f.host.as_str(), f.name.as_str())).collect::<Vec<_>>(), [("x", "x.real")]);
        let (none, _) = self::resolver(ResolveMethod::None, "");
        none.load(recorded);
        assert_eq!(none.known(), []);
    }
}
