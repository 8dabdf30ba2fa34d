//! Keeps secrets of commands and of their output out of log and record.

use regex::Regex;

use crate::config::Config;

const MASK: &str = "********";

/// Knows what must not be shown.
#[derive(Debug, Clone)]
pub(super) struct Redactor {
    /// Secrets of the configuration, longest first.
    known: Vec<String>,
    /// What looks like a secret: the group `s` is kept, what follows is not.
    patterns: Vec<Regex>,
}

/// What a value that is a secret looks like on a command line. Each keeps its first group.
const PATTERNS: [&str; 4] = [
    // password=x, --token x, api_key: x, PASSWD="x y"
    r#"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key)["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s"'&;|]+)"#,
    r#"(?i)(--(?:password|token|secret|api-key)\s+)(?:"[^"]*"|'[^']*'|[^\s"'&;|]+)"#,
    // Authorization: Bearer x
    r#"(?i)(authorization:\s*(?:\w+\s+)?)[^\s"']+"#,
    // scheme://user:x@host, and mysql -px
    r#"(://[^/\s:@]+:)[^/\s@]+"#,
];

impl Redactor {
    pub fn new(config: &Config) -> Self {
        let mut known: Vec<String> =
            [&config.topology.password, &config.backend.password, &config.kv.consul_acl_token, &config.auth.password]
                .into_iter()
                .map(|secret| secret.reveal().to_owned())
                .chain(config.extensions.webhooks.list().iter().map(|hook| hook.secret.reveal().to_owned()))
                .chain(super::all_items(config).map(|item| item.secret.reveal().to_owned()))
                // Shorter ones would be found everywhere, and what is left of the text would tell them.
                .filter(|secret| secret.len() >= 6)
                .collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { known, patterns: PATTERNS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect() }
    }

    /// The text without its secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.known {
            clean = clean.replace(secret.as_str(), MASK);
        }
        for pattern in &self.patterns {
            clean = pattern.replace_all(&clean, format!("${{1}}{MASK}")).into_owned();
        }
        mask_mysql_password(&clean)
    }
}

/// `-pSECRET` of the MySQL programs, which no other program spells so.
fn mask_mysql_password(text: &str) -> String {
    if !["mysql", "mariadb"].iter().any(|program| text.contains(program)) {
        return text.to_owned();
    }
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let bare = word.trim_end();
            let space = &word[bare.len()..];
            if bare.len() > 2 && bare.starts_with("-p") { format!("-p{MASK}{space}") } else { word.to_owned() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_commands_are_masked_and_the_rest_is_kept() {
        let config = Config::from_json(r#"{"MySQLTopologyPassword": "tiger-7"}"#).unwrap();
        let redactor = Redactor::new(&config);
        for (given, expected) in [
            ("echo tiger-7", "echo ********"),
            ("mysql -uroot -pgeheim -e 'select 1'", "mysql -uroot -p******** -e 'select 1'"),
            ("mkdir -pv /tmp/a", "mkdir -pv /tmp/a"),
            ("curl -H 'Authorization: Bearer abc' http://x/", "curl -H 'Authorization: Bearer ********' http://x/"),
            ("tool --password=abc --host db1", "tool --password=******** --host db1"),
            ("tool --token abc db1", "tool --token ******** db1"),
            ("curl http://me:abc@host/x", "curl http://me:********@host/x"),
            ("Detected DeadMaster on db1:3306", "Detected DeadMaster on db1:3306"),
        ] {
            assert_eq!(redactor.clean(given), expected);
        }
    }
}
