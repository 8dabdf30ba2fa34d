//! What an account on a watched server may do, and what it lacks: from `SHOW GRANTS` to `GRANT` statements.
//!
//! Which privileges a server knows it is asked itself (`SHOW PRIVILEGES`): both families have split `SUPER` into parts, at different
//! versions and under different names. Where a part is unknown, the old privilege is what is needed.

use std::collections::BTreeSet;

/// Which family a server is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// MySQL, Percona Server.
    Mysql,
    /// MariaDB.
    Mariadb,
}

/// What a server says of the account that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Family of the server.
    pub family: Family,
    /// First two numbers of its version. Only for MariaDB, where they decide what `SUPER` includes.
    pub version: (u32, u32),
    /// `CURRENT_USER()`: `user@host`.
    pub name: String,
    /// Names of privileges that the server knows, in any case.
    pub known: Vec<String>,
    /// Lines of `SHOW GRANTS`.
    pub grants: Vec<String>,
}

/// What the configuration makes the account do beyond what every one has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Pseudo-GTID entries are injected (`AutoPseudoGTID`).
    pub pseudo_gtid: bool,
}

/// A privilege that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name, as `GRANT` takes it.
    pub privilege: &'static str,
    /// On what: `*.*`, `schema.*` or `schema.table`.
    pub on: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Without it something that everybody needs does not work.
    pub required: bool,
}

/// Something that an account has to be allowed.
struct Need {
    family: Family,
    privilege: &'static str,
    on: &'static str,
    purpose: &'static str,
    required: bool,
    /// Only where the server does not know this one.
    in_place_of: Option<&'static str>,
    /// Another privilege that includes it.
    or: Option<&'static str>,
}

const fn need(family: Family, privilege: &'static str, purpose: &'static str) -> Need {
    Need { family, privilege, on: "*.*", purpose, required: true, in_place_of: None, or: None }
}

const fn part_of_super(family: Family, privilege: &'static str, purpose: &'static str) -> Need {
    Need { or: Some("SUPER"), ..need(family, privilege, purpose) }
}

const fn reading(family: Family, on: &'static str, purpose: &'static str) -> Need {
    Need { on, required: false, ..need(family, "SELECT", purpose) }
}

const FIND_REPLICAS: &str = "finding replicas by the process list, and ending sessions at a takeover";
const RESET: &str = "RESET REPLICA, RESET MASTER and FLUSH BINARY LOGS";
const STATUS: &str = "reading the state of the binary log";
const REPLICATION: &str = "stopping, starting and moving replicas";
const PURGE: &str = "purging binary logs";
const KILL: &str = "ending sessions and statements that keep a takeover waiting";
const WHOLE_SUPER: &str = "stopping, starting and moving replicas, read_only, semi-sync, ending sessions";

const NEEDS: &[Need] = &[
    need(Family::Mysql, "PROCESS", FIND_REPLICAS),
    need(Family::Mysql, "RELOAD", RESET),
    need(Family::Mysql, "REPLICATION CLIENT", "reading the state of replication and of the binary log"),
    need(Family::Mysql, "REPLICATION SLAVE", "finding replicas by their registration, and reading binary logs"),
    part_of_super(Family::Mysql, "REPLICATION_SLAVE_ADMIN", REPLICATION),
    part_of_super(Family::Mysql, "SYSTEM_VARIABLES_ADMIN", "read_only, super_read_only, semi-sync, gtid_purged"),
    part_of_super(Family::Mysql, "BINLOG_ADMIN", PURGE),
    part_of_super(Family::Mysql, "CONNECTION_ADMIN", KILL),
    Need { in_place_of: Some("SYSTEM_VARIABLES_ADMIN"), ..need(Family::Mysql, "SUPER", WHOLE_SUPER) },
    reading(
        Family::Mysql,
        "performance_schema.*",
        "heartbeats, by which a source that hangs is found sooner; group replication; options of TLS",
    ),
    reading(
        Family::Mysql,
        "mysql.slave_master_info",
        "replication credentials, for servers that begin to replicate (a former source after a takeover)",
    ),
    need(Family::Mariadb, "PROCESS", FIND_REPLICAS),
    need(Family::Mariadb, "RELOAD", RESET),
    part_of_super(Family::Mariadb, "BINLOG MONITOR", STATUS),
    part_of_super(Family::Mariadb, "SLAVE MONITOR", "reading the state of replication"),
    part_of_super(Family::Mariadb, "REPLICATION SLAVE ADMIN", REPLICATION),
    part_of_super(
        Family::Mariadb,
        "REPLICATION MASTER ADMIN",
        "finding replicas by their registration, and the source side of semi-sync",
    ),
    part_of_super(Family::Mariadb, "BINLOG ADMIN", PURGE),
    part_of_super(Family::Mariadb, "CONNECTION ADMIN", KILL),
    part_of_super(Family::Mariadb, "READ_ONLY ADMIN", "read_only"),
    Need { in_place_of: Some("READ_ONLY ADMIN"), ..need(Family::Mariadb, "SUPER", WHOLE_SUPER) },
];

/// Where entries of pseudo-GTID are injected.
const PSEUDO_GTID: &str = "_pseudo_gtid_.*";

/// What the account lacks, in the order of a list that is the same for all.
pub fn missing(account: &Account, wanted: Wanted) -> Vec<Missing> {
    let known: BTreeSet<String> = account.known.iter().map(|name| plain(name)).collect();
    // A server that does not tell what it knows is taken for a current one.
    let knows = |name: &str| known.is_empty() || known.contains(&plain(name));
    let held = Held::parse(&account.grants);
    let mut found: Vec<Missing> = NEEDS
        .iter()
        .filter(|need| need.family == account.family)
        .filter(|need| match need.in_place_of {
            Some(part) => !knows(part),
            None => need.on != "*.*" || knows(need.privilege),
        })
        .filter(|need| !held.covers(need.privilege, need.on))
        .filter(|need| !need.or.is_some_and(|or| held.covers(or, need.on) && includes(account, need.privilege)))
        .map(|need| Missing { privilege: need.privilege, on: need.on, purpose: need.purpose, required: need.required })
        .collect();
    if wanted.pseudo_gtid && !held.covers("DROP", PSEUDO_GTID) {
        let purpose = "injecting pseudo-GTID entries (AutoPseudoGTID)";
        found.push(Missing { privilege: "DROP", on: PSEUDO_GTID, purpose, required: true });
    }
    found
}

/// The statements that grant what is missing, one for each object.
pub fn statements(missing: &[Missing], account: &str) -> Vec<String> {
    let mut objects: Vec<&str> = Vec::new();
    for one in missing {
        if !objects.contains(&one.on) {
            objects.push(one.on);
        }
    }
    let grant = |on: &&str| {
        let privileges: Vec<&str> = missing.iter().filter(|one| one.on == *on).map(|one| one.privilege).collect();
        format!("GRANT {} ON {on} TO {};", privileges.join(", "), quoted(account))
    };
    objects.iter().map(grant).collect()
}

/// `SUPER` includes its former parts in MySQL; in MariaDB it does until 11.0, but for `READ_ONLY ADMIN` until 10.11 only.
fn includes(account: &Account, privilege: &str) -> bool {
    match (account.family, privilege) {
        (Family::Mysql, _) => true,
        (Family::Mariadb, "READ_ONLY ADMIN") => account.version < (10, 11),
        (Family::Mariadb, _) => account.version < (11, 0),
    }
}

/// `user@host` as `GRANT` takes it.
fn quoted(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    format!("{}@{}", quote(user), quote(host))
}

/// A privilege's name without regard to case, underscores, and which of two names is used.
fn plain(name: &str) -> String {
    let name = name.trim().to_uppercase().replace('_', " ");
    match name.as_str() {
        "REPLICATION CLIENT" | "BINLOG MONITOR" => "REPLICATION CLIENT".to_owned(),
        "REPLICA MONITOR" => "SLAVE MONITOR".to_owned(),
        "REPLICATION REPLICA" => "REPLICATION SLAVE".to_owned(),
        "REPLICATION REPLICA ADMIN" => "REPLICATION SLAVE ADMIN".to_owned(),
        "ALL" => "ALL PRIVILEGES".to_owned(),
        _ => name,
    }
}

/// What the lines of `SHOW GRANTS` come to.
#[derive(Debug, Default)]
struct Held {
    /// Object and privileges.
    granted: Vec<(String, BTreeSet<String>)>,
    /// The same of partial revokes, which are of schemas.
    revoked: Vec<(String, BTreeSet<String>)>,
}

impl Held {
    fn parse(lines: &[String]) -> Self {
        let mut held = Self::default();
        for line in lines {
            if let Some(entry) = line.strip_prefix("GRANT ").and_then(|rest| entry(rest, " TO ")) {
                held.granted.push(entry);
            } else if let Some(entry) = line.strip_prefix("REVOKE ").and_then(|rest| entry(rest, " FROM ")) {
                held.revoked.push(entry);
            }
        }
        held
    }

    fn covers(&self, privilege: &str, on: &str) -> bool {
        let privilege = plain(privilege);
        let has = |(object, privileges): &(String, BTreeSet<String>)| {
            reaches(object, on) && (privileges.contains(&privilege) || privileges.contains("ALL PRIVILEGES"))
        };
        let granted: Vec<_> = self.granted.iter().filter(|entry| has(entry)).collect();
        let taken = self.revoked.iter().any(has);
        // What is revoked of a schema was granted on everything; a grant on the schema itself stands.
        granted.iter().any(|(object, _)| object != "*.*" || !taken)
    }
}

/// Object and privileges of a line behind its first word; `None` for one about roles or proxies.
fn entry(line: &str, ends: &str) -> Option<(String, BTreeSet<String>)> {
    let (privileges, rest) = line.split_once(" ON ")?;
    let (object, _account) = rest.split_once(ends)?;
    let object = object.trim().trim_start_matches("TABLE ").replace(['`', '\\', '"'], "");
    Some((object, listed(privileges)))
}

/// The privileges of a list; those of single columns are left out, for a column is not the whole.
fn listed(text: &str) -> BTreeSet<String> {
    let mut depth = 0_u32;
    let parts = text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.filter(|part| !part.contains('(')).map(plain).collect()
}

/// A grant on `object` is one on `on`, too.
fn reaches(object: &str, on: &str) -> bool {
    let schema = on.split('.').next().unwrap_or_default();
    object == "*.*" || object == on || (schema != "*" && object == format!("{schema}.*"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MYSQL_8: &str = "PROCESS,RELOAD,REPLICATION CLIENT,REPLICATION SLAVE,REPLICATION_SLAVE_ADMIN,SYSTEM_VARIABLES_ADMIN,\
                           BINLOG_ADMIN,CONNECTION_ADMIN,SUPER,SELECT,DROP";
    const MYSQL_57: &str = "Process,Reload,Replication client,Replication slave,Super,Select,Drop";
    const MARIADB: &str = "Process,Reload,Binlog monitor,Slave monitor,Replication slave admin,Replication master admin,\
                           Binlog admin,Connection admin,Read_only admin,Super";
    const MARIADB_10_5: &str = "Process,Reload,Binlog monitor,Slave monitor,Replication slave admin,\
                                Replication master admin,Binlog admin,Connection admin,Super";

    fn account(family: Family, version: (u32, u32), known: &str, grants: &[&str]) -> Account {
        Account {
            family,
            version,
            name: "orc@%".to_owned(),
            known: known.split(',').map(|name| name.trim().to_owned()).collect(),
            grants: grants.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn names(account: &Account) -> Vec<&'static str> {
        missing(account, Wanted::default()).iter().map(|one| one.privilege).collect()
    }

    #[rstest]
    #[case::everything_of_mysql(Family::Mysql, (8, 4), MYSQL_8, &["GRANT ALL PRIVILEGES ON *.* TO `orc`@`%`"], &[])]
    #[case::parts_of_super(
        Family::Mysql, (8, 4), MYSQL_8,
        &["GRANT RELOAD, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `orc`@`%`",
          "GRANT BINLOG_ADMIN,CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO `orc`@`%`",
          "GRANT SELECT ON `performance_schema`.* TO `orc`@`%`", "GRANT SELECT ON `mysql`.`slave_master_info` TO `orc`@`%`"],
        &[],
    )]
    #[case::the_original_told_people_to_grant_this(
        Family::Mysql, (8, 0), MYSQL_8,
        &["GRANT RELOAD, PROCESS, SUPER, REPLICATION SLAVE ON *.* TO 'orc'@'%'", "GRANT SELECT ON mysql.slave_master_info TO 'orc'@'%'"],
        &["REPLICATION CLIENT", "SELECT"],
    )]
    #[case::old_mysql_has_no_parts(
        Family::Mysql, (5, 7), MYSQL_57, &["GRANT PROCESS, RELOAD, REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO 'orc'@'%'"],
        &["SUPER", "SELECT", "SELECT"],
    )]
    #[case::nothing(
        Family::Mysql, (9, 7), MYSQL_8, &["GRANT USAGE ON *.* TO `orc`@`%`"],
        &["PROCESS", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE", "REPLICATION_SLAVE_ADMIN", "SYSTEM_VARIABLES_ADMIN",
          "BINLOG_ADMIN", "CONNECTION_ADMIN", "SELECT", "SELECT"],
    )]
    #[case::a_column_is_no_table(
        Family::Mysql, (8, 4), MYSQL_8,
        &["GRANT ALL PRIVILEGES ON *.* TO `orc`@`%`", "REVOKE SELECT ON `mysql`.* FROM `orc`@`%`",
          "GRANT SELECT (`Host`, `User_name`) ON `mysql`.`slave_master_info` TO `orc`@`%`"],
        &["SELECT"],
    )]
    #[case::a_schema_that_was_taken_out(
        Family::Mysql, (8, 4), MYSQL_8,
        &["GRANT ALL PRIVILEGES ON *.* TO `orc`@`%`", "REVOKE SELECT ON `mysql`.* FROM `orc`@`%`",
          "GRANT SELECT ON `mysql`.`slave_master_info` TO `orc`@`%`"],
        &[],
    )]
    #[case::roles_and_proxies_are_passed_over(
        Family::Mysql, (8, 4), MYSQL_8,
        &["GRANT `dba`@`%` TO `orc`@`%`", "GRANT PROXY ON ``@`` TO `orc`@`%`", "GRANT ALL PRIVILEGES ON *.* TO `orc`@`%`"],
        &[],
    )]
    #[case::everything_of_mariadb(
        Family::Mariadb, (11, 8), MARIADB, &["GRANT ALL PRIVILEGES ON *.* TO `orc`@`%` IDENTIFIED BY PASSWORD '*X'"], &[],
    )]
    #[case::super_includes_its_parts(
        Family::Mariadb, (10, 6), MARIADB_10_5, &["GRANT RELOAD, PROCESS, SUPER ON *.* TO `orc`@`%`"], &[],
    )]
    #[case::but_for_read_only(
        Family::Mariadb, (10, 11), MARIADB, &["GRANT RELOAD, PROCESS, SUPER ON *.* TO `orc`@`%`"], &["READ_ONLY ADMIN"],
    )]
    #[case::and_later_none(
        Family::Mariadb, (11, 4), MARIADB, &["GRANT RELOAD, PROCESS, SUPER ON *.* TO `orc`@`%`"],
        &["BINLOG MONITOR", "SLAVE MONITOR", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "BINLOG ADMIN",
          "CONNECTION ADMIN", "READ_ONLY ADMIN"],
    )]
    #[case::read_only_was_a_part_of_super(
        Family::Mariadb, (10, 5), MARIADB_10_5,
        &["GRANT PROCESS, RELOAD, BINLOG MONITOR, SLAVE MONITOR, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, BINLOG ADMIN, \
           CONNECTION ADMIN ON *.* TO `orc`@`%`"],
        &["SUPER"],
    )]
    #[case::other_names_of_the_same(
        Family::Mariadb, (11, 4), MARIADB,
        &["GRANT PROCESS, RELOAD, REPLICATION CLIENT, REPLICA MONITOR, REPLICATION REPLICA ADMIN, REPLICATION MASTER ADMIN, \
           BINLOG ADMIN, CONNECTION ADMIN, READ_ONLY ADMIN ON *.* TO `orc`@`%`"],
        &[],
    )]
    fn what_is_missing_is_named(
        #[case] family: Family,
        #[case] version: (u32, u32),
        #[case] known: &str,
        #[case] grants: &[&str],
        #[case] expected: &[&str],
    ) {
        assert_eq!(names(&account(family, version, known, grants)), expected);
    }

    #[test]
    fn what_is_switched_on_is_asked_for() {
        let account = account(Family::Mysql, (8, 4), MYSQL_8, &["GRANT ALL PRIVILEGES ON app.* TO `orc`@`%`"]);
        let on = missing(&account, Wanted { pseudo_gtid: true });
        assert_eq!(on.last().map(|one| (one.privilege, one.on)), Some(("DROP", "_pseudo_gtid_.*")));
        assert_eq!(on.len(), missing(&account, Wanted::default()).len() + 1);
    }

    #[test]
    fn one_statement_for_each_object() {
        let account = account(Family::Mysql, (5, 7), MYSQL_57, &["GRANT PROCESS ON *.* TO 'orc'@'%'"]);
        let missing = missing(&account, Wanted::default());
        assert_eq!(
            statements(&missing, "o'rc@10.0.0.%"),
            [
                "GRANT RELOAD, REPLICATION CLIENT, REPLICATION SLAVE, SUPER ON *.* TO 'o''rc'@'10.0.0.%';",
                "GRANT SELECT ON performance_schema.* TO 'o''rc'@'10.0.0.%';",
                "GRANT SELECT ON mysql.slave_master_info TO 'o''rc'@'10.0.0.%';",
            ]
        );
        assert!(statements(&[], "a@b").is_empty());
    }
}
