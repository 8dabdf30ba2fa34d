//! `Webhooks`: addresses that are told what happens.

use serde_json::{Map, Value};

use super::secret::Secret;
use super::value::{Kind, Mismatch, Secrets, Setting, describe};

/// What a webhook can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WebhookEvent {
    /// A problem was detected.
    Detection,
    /// A recovery or takeover began.
    RecoveryBegun,
    /// It ended with a successor.
    RecoveryEnded,
    /// It ended without one.
    RecoveryFailed,
    /// A problem is not recovered because an earlier recovery blocks it.
    Blocked,
}

impl WebhookEvent {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Detection, Self::RecoveryBegun, Self::RecoveryEnded, Self::RecoveryFailed, Self::Blocked];

    /// Name in the configuration and in the message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::RecoveryBegun => "recovery-begun",
            Self::RecoveryEnded => "recovery-ended",
            Self::RecoveryFailed => "recovery-failed",
            Self::Blocked => "blocked",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `http://` or `https://`.
    pub url: String,
    /// What it is told; empty = everything.
    pub events: Vec<WebhookEvent>,
    /// The key of the signature; empty = messages are not signed.
    pub secret: Secret,
}

impl Webhook {
    /// It wants to be told this.
    #[must_use]
    pub fn wants(&self, event: WebhookEvent) -> bool {
        self.events.is_empty() || self.events.contains(&event)
    }

    /// The address without what may be secret in it: for the log and for people.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.url)
    }
}

/// Scheme and host; paths and queries of webhooks carry tokens.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/…")
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Webhooks(Vec<Webhook>);

impl Webhooks {
    /// The addresses, in order.
    #[must_use]
    pub fn list(&self) -> &[Webhook] {
        &self.0
    }
}

impl Setting for Webhooks {
    const KIND: Kind = Kind::Objects;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        self.0 = match value {
            Value::Null => vec![],
            Value::Array(items) => items.iter().map(webhook).collect::<Result<_, _>>()?,
            other => return Err(Mismatch::new(Self::KIND, other)),
        };
        Ok(())
    }

    fn to_json(&self, secrets: Secrets) -> Value {
        let one = |hook: &Webhook| {
            let url = match secrets {
                Secrets::Reveal => hook.url.clone(),
                Secrets::Redact => hook.shown(),
            };
            let events: Vec<&str> = hook.events.iter().map(|event| event.as_str()).collect();
            serde_json::json!({ "URL": url, "Events": events, "Secret": hook.secret.to_json(secrets) })
        };
        self.0.iter().map(one).collect()
    }
}

fn webhook(value: &Value) -> Result<Webhook, Mismatch> {
    let Value::Object(fields) = value else { return Err(Mismatch::new(Kind::Objects, value)) };
    if let Some(name) = fields.keys().find(|name| !["URL", "Events", "Secret"].contains(&name.as_str())) {
        return Err(expected(&format!("the field {name:?}"), "the fields URL, Events and Secret"));
    }
    let url = text(fields, "URL")?;
    let is_url = (url.starts_with("http://") || url.starts_with("https://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
        && url.len() > "https://".len();
    if !is_url {
        return Err(expected(&format!("URL {:?}", shown(&url)), "an address that begins with http:// or https://"));
    }
    let events = match fields.get("Events") {
        None | Some(Value::Null) => vec![],
        Some(Value::Array(names)) => names.iter().map(event).collect::<Result<_, _>>()?,
        Some(other) => return Err(expected(&format!("Events {}", describe(other)), "an array of names of events")),
    };
    Ok(Webhook { url, events, secret: Secret::new(text(fields, "Secret")?) })
}

pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Result<String, Mismatch> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        // The value may be a secret.
        Some(_) => Err(expected(&format!("{name} that is no string"), "a string")),
    }
}

fn event(value: &Value) -> Result<WebhookEvent, Mismatch> {
    let names: Vec<&str> = WebhookEvent::ALL.iter().map(|event| event.as_str()).collect();
    value
        .as_str()
        .and_then(WebhookEvent::parse)
        .ok_or_else(|| expected(&format!("the event {}", describe(value)), &format!("one of {}", names.join(", "))))
}

pub(super) fn expected(given: &str, expected: &str) -> Mismatch {
    Mismatch { given: given.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_of_webhooks_are_not_shown() {
        let mut hooks = Webhooks::default();
        let given = json!([{"URL": "https://u:p@chat.example/T1/token", "Events": ["blocked"], "Secret": "s3cret"}]);
        hooks.assign(&given).unwrap();
        assert_eq!(hooks.to_json(Secrets::Reveal), given);
        let shown = hooks.to_json(Secrets::Redact).to_string();
        assert!(!shown.contains("s3cret") && !shown.contains("token") && !shown.contains("u:p"), "{shown}");
        assert!(shown.contains("chat.example"), "{shown}");
        assert!(hooks.list()[0].wants(WebhookEvent::Blocked) && !hooks.list()[0].wants(WebhookEvent::Detection));
    }

    #[rstest]
    #[case(json!("https://a"), "an array of objects")]
    #[case(json!(["https://a"]), "an array of objects")]
    #[case(json!([{"URL": "ftp://a"}]), "an address that begins with http:// or https://")]
    #[case(json!([{"Url": "https://a"}]), "the fields URL, Events and Secret")]
    #[case(json!([{"URL": "https://a", "Events": ["all"]}]), "one of detection, recovery-begun, recovery-ended, recovery-failed, blocked")]
    #[case(json!([{"URL": "https://a", "Secret": 1}]), "a string")]
    fn what_is_no_webhook_is_refused(#[case] given: Value, #[case] expected: &str) {
        assert_eq!(Webhooks::default().assign(&given).unwrap_err().expected, expected);
    }
}
