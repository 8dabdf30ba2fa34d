//! What a replica is told as the name of its source: the virtual name that is registered for it, if that leads there
//! (`spec/discovery.md` 2.4).

use std::time::Duration;

use app::InstanceKey;
use app::topology::Instance;
use engine::statements::name_source;

use super::hands::HandError;
use super::server_hands::ServerHands;

/// A server has this long to say who it is.
const LIMIT: Duration = Duration::from_secs(2);

impl ServerHands {
    /// Puts the registered name of a source into the statements that point a replica at it.
    ///
    /// A name that does not lead to the source is an error before anything is changed; with `-skip-unresolve-check`, and where a change is
    /// undone (nothing was `planned` then), the name that the source is known by is used.
    pub(super) async fn name_source(
        &self,
        source: &InstanceKey,
        planned: &[String],
        statements: &mut [String],
    ) -> Result<(), HandError> {
        let switches = self.config.switches();
        if switches.skip_unresolve {
            return Ok(());
        }
        let snapshot = self.fleet.snapshot();
        let Some(name) = engine::plan::virtual_name(&snapshot, source) else { return Ok(()) };
        let (from, to) = match self.leads_to(name, source).await {
            Ok(()) => (source.hostname.as_str(), name),
            Err(error) if switches.skip_unresolve_check || planned.is_empty() => {
                tracing::warn!(instance = %source, "{error}: it is passed over");
                (name, source.hostname.as_str())
            }
            Err(what) => return Err(HandError::Condition { what }),
        };
        for statement in statements {
            *statement = name_source(statement, from, to);
        }
        Ok(())
    }

    /// The registered name leads to the server, and a replica that tells it is known to replicate from there.
    async fn leads_to(&self, name: &str, source: &InstanceKey) -> Result<(), String> {
        let wrong =
            |why: String| format!("the name {name} is registered for {} and cannot be used: {why}", source.hostname);
        let server = self.known(source).map_err(|error| wrong(error.to_string()))?;
        let trusted = self.config.current().resolve.skip_binlog_server_unresolve_check;
        if !(server.is_binlog_server() && trusted) {
            self.is_same(&server, &InstanceKey::new(name, source.port)).await.map_err(wrong)?;
        }
        let resolver = self.discovery.resolver();
        resolver.learn(name, &source.hostname);
        match resolver.resolve(name).await {
            Ok(known) if known == source.hostname => Ok(()),
            Ok(known) => {
                let why = format!("it stands for {known}, expected {} (HostnameResolveMethod)", source.hostname);
                Err(wrong(why))
            }
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Whoever answers there is this server.
    async fn is_same(&self, server: &Instance, there: &InstanceKey) -> Result<(), String> {
        let by_uuid = !server.server_uuid.is_empty();
        let question = match by_uuid {
            true => "SELECT @@GLOBAL.server_id, @@GLOBAL.server_uuid",
            false => "SELECT @@GLOBAL.server_id",
        };
        let rows = self.control.query(there, question, LIMIT).await.map_err(|error| error.to_string())?;
        let found = |n| rows.first().and_then(|row| row.nth(n)).unwrap_or_default().to_owned();
        let (id, uuid) = (found(0), found(1));
        if id == server.server_id.to_string() && (!by_uuid || uuid == server.server_uuid) {
            return Ok(());
        }
        Err(format!("{there} is a server with server_id {id}, expected {} of {}", server.server_id, server.key))
    }
}
