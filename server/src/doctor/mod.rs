//! `doctor`: reads a configuration and a backend of the original and says what will be different here, which keys do nothing, and
//! which grants are missing on which server. Nothing is changed, neither on a server nor in the backend.

mod backend;
mod host;
mod keys;
mod report;
mod servers;

use app::InstanceKey;
use chrono::Utc;

use crate::config::Loaded;
use crate::lookup::split_list;
use crate::mysql::Connector;
use crate::settings;
use crate::store::inspect;

pub use report::{Advice, Report, Topic, Weight};

/// Looks at everything. `only` names servers (`-i`) to look at in place of those on record.
///
/// # Errors
/// A name in `only` that is none.
pub async fn examine(loaded: &Loaded, only: &str) -> Result<Report, app::key::KeyError> {
    let config = &loaded.config;
    let port = config.general.default_port();
    let mut named: Vec<InstanceKey> = Vec::new();
    for text in split_list(only) {
        named.push(InstanceKey::parse(text, port)?);
    }
    let mut report = Report { files: loaded.files.clone(), ..Report::default() };
    report.topics.push(Topic { title: "configuration".to_owned(), advice: keys::advice(loaded) });

    let place = settings::backend(config);
    let now = Utc::now();
    let inspection = inspect(&place, now).await;
    let backend = match &inspection {
        Ok(found) => backend::advice(found, config),
        Err(error) => vec![Advice::must(error.to_string())],
    };
    report.topics.push(Topic { title: format!("backend {place}"), advice: backend });
    let on_record = inspection.map(|found| found.servers).unwrap_or_default();
    let servers = if named.is_empty() { on_record } else { named };

    report.topics.push(Topic { title: "this machine".to_owned(), advice: host::advice(servers.len()) });
    let connector = Connector::new(settings::connect(config));
    let wanted = engine::grants::Wanted { pseudo_gtid: config.pseudo_gtid.auto };
    report.topics.extend(servers::advice(&connector, servers, wanted, now).await);
    Ok(report)
}
