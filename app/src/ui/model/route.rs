//! Addresses of the page: every state has one, and those of the original keep working (`spec/web-ui.md` 2).

use std::fmt::Write as _;

use crate::InstanceKey;

/// What an address shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The dashboard.
    Clusters {
        /// Which clusters, and how.
        view: FleetView,
    },
    /// One cluster.
    Cluster {
        /// Name, alias, or any member's `host:port`.
        name: String,
        /// The selected server.
        server: Option<InstanceKey>,
        /// What of the tree is on the screen.
        view: TreeView,
        /// Beside the tree stands what would happen if a source died now.
        readiness: bool,
    },
    /// Recoveries, newest first.
    Recoveries {
        /// Of this cluster only; empty for all.
        cluster: String,
        /// Page, from 0.
        page: u32,
    },
    /// One recovery.
    Recovery {
        /// Number or UID.
        id: String,
    },
    /// What was done, newest first.
    Audit {
        /// Which rows.
        view: AuditView,
        /// Page, from 0.
        page: u32,
    },
    /// Where somebody logs in.
    Login {
        /// The address that is shown afterwards; the dashboard when empty.
        to: String,
    },
    /// One's own account: sessions and password.
    Account,
    /// Tokens for programs.
    Tokens,
    /// Users, for administrators.
    Users,
    /// The state of the node that answers.
    Status,
    /// The form that makes a server known.
    Discover,
    /// Servers that match a text.
    Search {
        /// The text.
        text: String,
    },
    /// Nothing lives here.
    Unknown {
        /// The address asked for, without the prefix.
        path: String,
    },
}

/// Which clusters the dashboard shows, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FleetView {
    /// Words that a cluster must match (`model::fleet::listed`); empty for all.
    pub filter: String,
    /// Only clusters in this state (`Tone::word`); empty for all.
    pub state: String,
    /// What they are grouped by (`model::fleet::Grouping::name`); empty for one list.
    pub group: String,
}

/// Which rows of the audit are asked for; what is empty does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditView {
    /// Done by this actor.
    pub actor: String,
    /// Of this kind.
    pub action: String,
    /// Done to this cluster, by name or alias.
    pub cluster: String,
    /// Done to this server (`host:port`).
    pub server: String,
    /// Not before, in UTC as a browser writes a moment: `2026-01-31T12:00`.
    pub from: String,
    /// Before.
    pub until: String,
    /// With this text.
    pub text: String,
}

impl AuditView {
    /// The names of its parts in addresses, of the page as of the API.
    pub const NAMES: [&'static str; 7] = ["actor", "action", "cluster", "server", "from", "until", "text"];

    /// What was done to a server.
    pub fn server(server: impl Into<String>) -> Self {
        Self { server: server.into(), ..Self::default() }
    }

    fn parse(query: &Query) -> Self {
        let mut view = Self::default();
        for (part, name) in view.parts_mut().into_iter().zip(Self::NAMES) {
            *part = query.get(name);
        }
        view
    }

    /// Its parts, as [`Self::NAMES`] names them.
    pub fn parts(&self) -> [&String; 7] {
        [&self.actor, &self.action, &self.cluster, &self.server, &self.from, &self.until, &self.text]
    }

    /// The same to be written.
    pub fn parts_mut(&mut self) -> [&mut String; 7] {
        let Self { actor, action, cluster, server, from, until, text } = self;
        [actor, action, cluster, server, from, until, text]
    }

    /// What is not empty, by name.
    pub fn given(&self) -> Vec<(&'static str, &str)> {
        Self::NAMES.into_iter().zip(self.parts()).map(|(n, v)| (n, v.as_str())).filter(|(_, v)| !v.is_empty()).collect()
    }

    /// Without white space around anything.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        for part in self.parts_mut() {
            *part = part.trim().to_owned();
        }
        self
    }
}

/// What of a tree is on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeView {
    /// The part (`Camera::text`); empty for all of it.
    pub camera: String,
    /// Servers whose sub-trees are folded, with commas between them.
    pub folded: String,
    /// Replicas that need no look are left out.
    pub trouble: bool,
    /// Words of what is looked for.
    pub find: String,
}

impl TreeView {
    fn parse(query: &Query) -> Self {
        Self {
            camera: query.get("view"),
            folded: query.get("folded"),
            trouble: query.get("show") == "trouble",
            find: query.get("find"),
        }
    }
}

impl Route {
    /// The dashboard without a filter.
    pub fn dashboard() -> Self {
        Self::Clusters { view: FleetView::default() }
    }

    /// A cluster with nothing selected.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::Cluster { name: name.into(), server: None, view: TreeView::default(), readiness: false }
    }

    /// A cluster with a server selected.
    pub fn server(cluster: impl Into<String>, server: InstanceKey) -> Self {
        Self::Cluster { name: cluster.into(), server: Some(server), view: TreeView::default(), readiness: false }
    }

    /// What would happen if a source of a cluster, or this server of it, died now.
    pub fn readiness(cluster: impl Into<String>, server: Option<InstanceKey>) -> Self {
        Self::Cluster { name: cluster.into(), server, view: TreeView::default(), readiness: true }
    }

    /// All recoveries.
    pub fn recoveries() -> Self {
        Self::Recoveries { cluster: String::new(), page: 0 }
    }

    /// The whole audit.
    pub fn audit() -> Self {
        Self::Audit { view: AuditView::default(), page: 0 }
    }

    /// Reads an address: path and query, without prefix, with or without a slash in front.
    pub fn parse(address: &str) -> Self {
        let address = address.split('#').next().unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(decode).collect();
        let mut segments = segments.iter().map(String::as_str).collect::<Vec<_>>();
        if segments.first() == Some(&"web") {
            segments.remove(0);
        }
        Self::of(&segments, &Query::parse(query)).unwrap_or_else(|| Self::Unknown { path: path.to_owned() })
    }

    fn of(segments: &[&str], query: &Query) -> Option<Self> {
        let number = |text: &str| text.parse::<u32>().ok();
        let select = |name: &str, server: Option<InstanceKey>| Self::Cluster {
            name: name.to_owned(),
            server: server.or_else(|| InstanceKey::parse(&query.get("server"), 3306).ok()),
            view: TreeView::parse(query),
            readiness: query.get("panel") == "readiness",
        };
        let recoveries = |cluster: &str, page: u32| Self::Recoveries { cluster: cluster.to_owned(), page };
        let recovery = |id: &str| Self::Recovery { id: id.to_owned() };
        Some(match segments {
            [] | ["clusters"] => Self::Clusters {
                view: FleetView { filter: query.get("filter"), state: query.get("state"), group: query.get("group") },
            },
            ["clusters-analysis"] => {
                Self::Clusters { view: FleetView { state: "broken".to_owned(), ..FleetView::default() } }
            }
            ["cluster", "instance", host, port] => {
                let key = InstanceKey::new(*host, port.parse().ok()?);
                select(&key.to_string(), Some(key))
            }
            ["cluster", "alias", name] | ["cluster", name] | ["cluster-pools", name] => select(name, None),
            ["recoveries"] | ["audit-recovery"] | ["audit-failure-detection"] => {
                recoveries(&query.get("cluster"), query.page())
            }
            ["audit-recovery" | "audit-failure-detection", "cluster" | "alias", name] => recoveries(name, 0),
            ["audit-recovery" | "audit-failure-detection", "cluster" | "alias", name, page] => {
                recoveries(name, number(page)?)
            }
            ["recovery", id] | ["audit-recovery", "id" | "uid", id] | ["audit-recovery-steps", id] => recovery(id),
            ["audit-recovery" | "audit-failure-detection", page] => recoveries("", number(page)?),
            ["audit"] => Self::Audit { view: AuditView::parse(query), page: query.page() },
            ["audit", page] => Self::Audit { view: AuditView::default(), page: number(page)? },
            ["audit", "instance", host, port] => {
                Self::Audit { view: AuditView::server(format!("{host}:{port}")), page: 0 }
            }
            ["audit", "instance", host, port, page] => {
                Self::Audit { view: AuditView::server(format!("{host}:{port}")), page: number(page)? }
            }
            ["login"] => Self::Login { to: query.get("to") },
            ["account"] => Self::Account,
            ["tokens"] => Self::Tokens,
            ["users"] => Self::Users,
            ["status"] | ["about"] => Self::Status,
            ["discover"] => Self::Discover,
            ["search"] => Self::Search { text: query.get("s") },
            ["search", text] => Self::Search { text: (*text).to_owned() },
            _ => return None,
        })
    }

    /// The address: relative to the document's base, so that it works under a prefix.
    pub fn address(&self) -> String {
        let mut out = Address::new();
        match self {
            Self::Clusters { view } => out
                .path(&["clusters"])
                .query("filter", &view.filter)
                .query("state", &view.state)
                .query("group", &view.group),
            Self::Cluster { name, server, view, readiness } => out
                .path(&["cluster", name])
                .query("server", &server.as_ref().map(ToString::to_string).unwrap_or_default())
                .query("view", &view.camera)
                .query("folded", &view.folded)
                .query("show", if view.trouble { "trouble" } else { "" })
                .query("find", &view.find)
                .query("panel", if *readiness { "readiness" } else { "" }),
            Self::Recoveries { cluster, page } => out.path(&["recoveries"]).query("cluster", cluster).page(*page),
            Self::Recovery { id } => out.path(&["recovery", id]),
            Self::Audit { view, page } => {
                out.path(&["audit"]);
                for (name, value) in view.given() {
                    out.query(name, value);
                }
                out.page(*page)
            }
            Self::Login { to } => out.path(&["login"]).query("to", to),
            Self::Account => out.path(&["account"]),
            Self::Tokens => out.path(&["tokens"]),
            Self::Users => out.path(&["users"]),
            Self::Status => out.path(&["status"]),
            Self::Discover => out.path(&["discover"]),
            Self::Search { text } => out.path(&["search"]).query("s", text),
            Self::Unknown { path } => return path.trim_start_matches('/').to_owned(),
        };
        out.0
    }

    /// The title of the document.
    pub fn title(&self) -> String {
        match self {
            Self::Clusters { .. } => "Clusters".to_owned(),
            Self::Cluster { name, .. } => name.clone(),
            Self::Recoveries { .. } => "Recoveries".to_owned(),
            Self::Recovery { .. } => "Recovery".to_owned(),
            Self::Audit { .. } => "Audit".to_owned(),
            Self::Login { .. } => "Log in".to_owned(),
            Self::Account => "Account".to_owned(),
            Self::Tokens => "API tokens".to_owned(),
            Self::Users => "Users".to_owned(),
            Self::Status => "Status".to_owned(),
            Self::Discover => "Discover".to_owned(),
            Self::Search { .. } => "Search".to_owned(),
            Self::Unknown { .. } => "Not found".to_owned(),
        }
    }
}

struct Address(String);

impl Address {
    fn new() -> Self {
        Self("web".to_owned())
    }

    fn path(&mut self, segments: &[&str]) -> &mut Self {
        for segment in segments {
            self.0.push('/');
            self.0.push_str(&encode(segment));
        }
        self
    }

    fn query(&mut self, name: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            let mark = if self.0.contains('?') { '&' } else { '?' };
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{mark}{name}={}", encode(value));
        }
        self
    }

    fn page(&mut self, page: u32) -> &mut Self {
        if page == 0 { self } else { self.query("page", &page.to_string()) }
    }
}

struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(&value.replace('+', " ")))
        };
        Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    fn get(&self, name: &str) -> String {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn page(&self) -> u32 {
        self.get("page").parse().unwrap_or(0)
    }
}

/// Percent-encodes one segment or value; what reads well unencoded in both places stays.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:,@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Undoes percent-encoding; a stray `%` stands for itself and bytes that are no UTF-8 are replaced.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.filter(|h| !h.starts_with('+')).and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_the_original_lead_to_what_they_mean() {
        let db1 = InstanceKey::new("db1", 3306);
        for (address, route) in [
            ("/", Route::dashboard()),
            ("/web/", Route::dashboard()),
            ("/web/cluster/db1:3306", Route::cluster("db1:3306")),
            ("/web/cluster/alias/orders", Route::cluster("orders")),
            ("/web/cluster/instance/db1/3306", Route::server("db1:3306", db1.clone())),
            ("/web/cluster/orders?server=db1:3306&panel=readiness", Route::readiness("orders", Some(db1.clone()))),
            ("/web/cluster/orders?server=db1:3306", Route::server("orders", db1)),
            ("/web/audit-recovery/uid/1:ab", Route::Recovery { id: "1:ab".to_owned() }),
            ("/web/audit-recovery/id/7", Route::Recovery { id: "7".to_owned() }),
            ("/web/audit-recovery/alias/orders", Route::Recoveries { cluster: "orders".to_owned(), page: 0 }),
            ("/web/audit-recovery/2", Route::Recoveries { cluster: String::new(), page: 2 }),
            ("/web/audit/instance/db1/3306/3", Route::Audit { view: AuditView::server("db1:3306"), page: 3 }),
            ("/web/login?to=web%2Fstatus", Route::Login { to: "web/status".to_owned() }),
            ("/web/search?s=db+1", Route::Search { text: "db 1".to_owned() }),
            ("/web/search/a%2Fb", Route::Search { text: "a/b".to_owned() }),
        ] {
            assert_eq!(Route::parse(address), route, "{address}");
        }
    }

    #[test]
    fn what_lives_nowhere_is_said_to() {
        for address in ["/web/agents", "/web/audit/x", "/web/cluster/instance/db1/99999", "/nothing"] {
            assert!(matches!(Route::parse(address), Route::Unknown { .. }), "{address}");
        }
    }

    fn any_route() -> impl Strategy<Value = Route> {
        let text = ".{0,12}";
        let server = prop::option::of(("[a-z/.]{1,8}", 1..u16::MAX).prop_map(|(h, p)| InstanceKey::new(h, p)));
        prop_oneof![
            (text, text, text)
                .prop_map(|(filter, state, group)| Route::Clusters { view: FleetView { filter, state, group } }),
            ("[^/].{0,12}", server, (text, text, any::<bool>(), text), any::<bool>())
                .prop_filter("old forms have their own meaning", |(n, ..)| n != "alias" && n != "instance")
                .prop_map(|(name, server, (camera, folded, trouble, find), readiness)| Route::Cluster {
                    name,
                    server,
                    view: TreeView { camera, folded, trouble, find },
                    readiness,
                }),
            (text, 0..9u32).prop_map(|(cluster, page)| Route::Recoveries { cluster, page }),
            ".{1,12}".prop_map(|id| Route::Recovery { id }),
            ([text; 7], 0..9u32).prop_map(|(parts, page)| {
                let mut view = AuditView::default();
                for (part, text) in view.parts_mut().into_iter().zip(parts) {
                    *part = text;
                }
                Route::Audit { view, page }
            }),
            text.prop_map(|to| Route::Login { to }),
            Just(Route::Account),
            Just(Route::Tokens),
            Just(Route::Users),
            text.prop_map(|text| Route::Search { text }),
            Just(Route::Status),
            Just(Route::Discover),
        ]
    }

    proptest! {
        #[test]
        fn an_address_leads_back_to_its_route(route in any_route()) {
            prop_assert_eq!(Route::parse(&route.address()), route);
        }

        #[test]
        fn no_address_breaks_the_reading(address in ".{0,60}") {
            let _ = Route::parse(&address);
        }
    }
}
