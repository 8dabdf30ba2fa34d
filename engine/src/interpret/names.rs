//! How a server is named, and what its name tells of it (`spec/discovery.md` 2.1, 4.2 steps 8 and 16).

use app::InstanceKey;
use app::topology::Instance;
use regex::Regex;

use super::InterpretError;
use super::record::Record;

/// `MySQLHostnameResolveMethod`: whose word counts for a server's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameMethod {
    /// The name that it was connected by.
    AsGiven,
    /// Its variable `hostname`.
    #[default]
    Hostname,
    /// Its variable `report_host`; a server that has none cannot be probed.
    ReportHost,
}

impl NameMethod {
    /// The method for a setting's text, in any case; an unknown text is [`Self::AsGiven`].
    pub fn from_setting(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "default" | "hostname" | "@@hostname" => Self::Hostname,
            "report_host" | "@@report_host" => Self::ReportHost,
            _ => Self::AsGiven,
        }
    }
}

/// Naming rules. The default takes the server's `hostname` and reads nothing into it.
#[derive(Debug, Clone, Default)]
pub struct Names {
    method: NameMethod,
    data_center: Option<Regex>,
    region: Option<Regex>,
    environment: Option<Regex>,
}

impl Names {
    /// Rules from `MySQLHostnameResolveMethod`, `DataCenterPattern`, `RegionPattern` and `PhysicalEnvironmentPattern`.
    /// An empty pattern, one that is no regular expression and one without a group tell nothing: whoever read the
    /// settings has complained about the latter two.
    pub fn new(method: NameMethod, data_center: &str, region: &str, environment: &str) -> Self {
        Self { method, data_center: pattern(data_center), region: pattern(region), environment: pattern(environment) }
    }

    /// The server's host name.
    pub(super) fn own_hostname(&self, given: &InstanceKey, variables: &Record) -> Result<String, InterpretError> {
        match self.method {
            NameMethod::AsGiven => Ok(given.hostname.clone()),
            NameMethod::Hostname => {
                Ok(variables.get("hostname").filter(|h| !h.is_empty()).unwrap_or(&given.hostname).to_owned())
            }
            NameMethod::ReportHost => variables
                .get("report_host")
                .filter(|h| !h.is_empty())
                .map(str::to_owned)
                .ok_or(InterpretError::NoReportHost),
        }
    }

    /// Data centre, region and environment as the host name tells them. A name that does not match leaves the
    /// last known value.
    pub(super) fn classify(&self, instance: &mut Instance) {
        let host = instance.key.hostname.clone();
        for (pattern, field) in [
            (&self.data_center, &mut instance.data_center),
            (&self.region, &mut instance.region),
            (&self.environment, &mut instance.environment),
        ] {
            let found = pattern.as_ref().and_then(|p| p.captures(&host)).and_then(|groups| groups.get(1));
            if let Some(found) = found {
                *field = found.as_str().to_owned();
            }
        }
    }
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok().filter(|regex| regex.captures_len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_read_in_every_spelling() {
        assert_eq!(NameMethod::from_setting("@@Hostname"), NameMethod::Hostname);
        assert_eq!(NameMethod::from_setting("default"), NameMethod::Hostname);
        assert_eq!(NameMethod::from_setting("report_host"), NameMethod::ReportHost);
        assert_eq!(NameMethod::from_setting(""), NameMethod::AsGiven);
        assert_eq!(NameMethod::from_setting("none"), NameMethod::AsGiven);
    }

    #[test]
    fn a_server_without_report_host_is_refused_only_if_it_is_named_by_it() {
        let row = Record::new([("hostname".to_owned(), Some("h1".to_owned())), ("report_host".to_owned(), None)]);
        let given = InstanceKey::new("given", 3306);
        let name = |method| Names::new(method, "", "", "").own_hostname(&given, &row);
        assert_eq!(name(NameMethod::Hostname).expect("name"), "h1");
        assert_eq!(name(NameMethod::AsGiven).expect("name"), "given");
        assert_eq!(name(NameMethod::ReportHost), Err(InterpretError::NoReportHost));
    }

    #[test]
    fn a_pattern_needs_a_group_and_keeps_what_is_known_where_it_does_not_match() {
        let mut untouched = Instance::unseen(InstanceKey::new("dc", 3306));
        Names::new(NameMethod::AsGiven, "dc", "(", "").classify(&mut untouched);
        assert_eq!((untouched.data_center.as_str(), untouched.region.as_str()), ("", ""));
        let names = Names::new(NameMethod::AsGiven, r"[.]([a-z]+\d)[.]", "", "");
        let mut instance = Instance::unseen(InstanceKey::new("db.ams1.example", 3306));
        names.classify(&mut instance);
        assert_eq!(instance.data_center, "ams1");
        instance.key.hostname = "10.0.0.1".to_owned();
        names.classify(&mut instance);
        assert_eq!(instance.data_center, "ams1");
    }
}
