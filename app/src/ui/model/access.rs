//! Who is looking at the page, in words, and what they are offered.

use crate::access::{ClusterLimit, Me};
use crate::api::Role;

/// There are logins, and nobody has logged in.
pub fn must_log_in(me: &Me) -> bool {
    me.has_logins && me.role.is_none()
}

/// All roles, the least first.
pub const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

/// A role in a word, as the API writes it.
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

/// The role of a word; the least for any other text.
pub fn role_of(word: &str) -> Role {
    ROLES.into_iter().find(|role| role_word(*role) == word).unwrap_or(Role::Viewer)
}

/// The caller may change a cluster of this name and alias, as far as the page can tell; the service decides.
pub fn may_operate_on(me: &Me, name: &str, alias: &str) -> bool {
    me.role.is_some_and(|role| role >= Role::Operator) && ClusterLimit::to(&me.clusters).allows(name, alias)
}

/// `viewer`, or `operator of orders*, users`.
pub fn rights_text(role: Role, clusters: &[String]) -> String {
    if clusters.is_empty() {
        role_word(role).to_owned()
    } else {
        format!("{} of {}", role_word(role), clusters.join(", "))
    }
}

/// The patterns in a text, with commas or white space between them.
pub fn patterns(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n', '\t', '\r']).filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

/// What a browser calls itself, in the words of people; as it is when it is none that is known here.
pub fn agent_text(agent: &str) -> String {
    // In this order: each calls itself by the names of those after it.
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Version/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let browser = BROWSERS.iter().find_map(|(mark, name)| {
        let version = agent.split_once(mark)?.1.split(['.', ' ']).next().unwrap_or_default();
        Some(format!("{name} {version}"))
    });
    let system = SYSTEMS.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser,
        (None, _) if agent.is_empty() => "unknown".to_owned(),
        (None, _) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me(role: Option<Role>, clusters: &[&str]) -> Me {
        Me {
            user: "dba".to_owned(),
            method: "local".to_owned(),
            role,
            clusters: clusters.iter().map(|c| (*c).to_owned()).collect(),
            read_only_because: String::new(),
            has_logins: true,
            needs_setup: false,
            csrf_token: None,
            session_ends: None,
        }
    }

    #[test]
    fn an_operator_of_some_clusters_is_offered_acts_there_only() {
        let dba = me(Some(Role::Operator), &["orders*"]);
        assert!(may_operate_on(&dba, "db1:3306", "orders-eu"));
        assert!(!may_operate_on(&dba, "db9:3306", "users"));
        assert!(may_operate_on(&me(Some(Role::Admin), &[]), "db9:3306", "users"));
        assert!(!may_operate_on(&me(Some(Role::Viewer), &[]), "db9:3306", "users"));
        assert!(!may_operate_on(&me(None, &[]), "db9:3306", "users"));
    }

    #[test]
    fn only_where_there_are_logins_somebody_without_a_role_has_to_log_in() {
        assert!(must_log_in(&me(None, &[])));
        assert!(!must_log_in(&me(Some(Role::Viewer), &[])));
        assert!(!must_log_in(&Me { has_logins: false, ..me(None, &[]) }));
    }

    #[test]
    fn patterns_are_read_as_people_write_lists() {
        assert_eq!(patterns(" orders*, users\npay?"), ["orders*", "users", "pay?"]);
        assert_eq!(rights_text(Role::Operator, &patterns("a,b")), "operator of a, b");
        assert_eq!(rights_text(Role::Admin, &[]), "admin");
        for role in ROLES {
            assert_eq!(role_of(role_word(role)), role);
        }
    }

    #[test]
    fn browsers_are_told_by_name() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36";
        let safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15";
        let edge = format!("{chrome} Edg/148.0.1");
        for (agent, words) in [
            (chrome, "Chrome 148 on Linux"),
            (safari, "Safari 18 on macOS"),
            (&edge, "Edge 148 on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
                "Firefox 132 on Windows",
            ),
            ("curl/8.5", "curl/8.5"),
            ("", "unknown"),
        ] {
            assert_eq!(agent_text(agent), words);
        }
    }
}
