//! Lists of hooks: commands and addresses, each as the string that the original takes or as an object that says more.

use engine::recovery::FencingPolicy;
use serde_json::{Map, Value, json};

use super::secret::Secret;
use super::value::{Kind, Mismatch, Secrets, Setting, describe};
use super::webhooks::{expected, shown, text};

/// A hook is tried again at most this often: somebody may be waiting for it with writes standing still.
const MOST_RETRIES: u64 = 10;

const FIELDS: [&str; 5] = ["Run", "TimeoutSeconds", "Retries", "Policy", "Secret"];

/// One item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookItem {
    /// A command, or an http(s) address; with a trailing `&` nobody waits for it.
    pub run: String,
    /// How long one attempt may take; 0 = no limit; `None` = as long as the list allows.
    pub timeout_seconds: Option<u64>,
    /// Further attempts after one that failed.
    pub retries: u32,
    /// What its failure means; `None` = what it means in this list.
    pub policy: Option<FencingPolicy>,
    /// The key of the signature of what an address is sent; empty = not signed.
    pub secret: Secret,
}

impl HookItem {
    /// It is an address that is called, and no command.
    #[must_use]
    pub fn is_address(&self) -> bool {
        is_address(&self.run)
    }

    fn is_plain(&self) -> bool {
        *self == Self { run: self.run.clone(), ..Self::default() }
    }

    /// An address without what may be secret in it; a command as it is.
    fn shown(&self) -> String {
        if self.is_address() { shown(self.run.trim()) } else { self.run.clone() }
    }
}

/// Begins with `http://` or `https://`, in any case.
fn is_address(run: &str) -> bool {
    let start = run.trim_start().get(..8).unwrap_or(run.trim_start()).to_ascii_lowercase();
    start.starts_with("http://") || start == "https://"
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookItems(Vec<HookItem>);

impl HookItems {
    /// An empty list.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Its items, in order.
    #[must_use]
    pub fn list(&self) -> &[HookItem] {
        &self.0
    }
}

impl Setting for HookItems {
    const KIND: Kind = Kind::Hooks;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        self.0 = match value {
            Value::Null => vec![],
            Value::Array(items) => items.iter().map(item).collect::<Result<_, _>>()?,
            other => return Err(Mismatch::new(Self::KIND, other)),
        };
        Ok(())
    }

    fn to_json(&self, secrets: Secrets) -> Value {
        self.0.iter().map(|item| one_to_json(item, secrets)).collect()
    }
}

fn one_to_json(item: &HookItem, secrets: Secrets) -> Value {
    let run = match secrets {
        Secrets::Reveal => item.run.clone(),
        Secrets::Redact => item.shown(),
    };
    if item.is_plain() {
        return run.into();
    }
    let mut fields = Map::new();
    fields.insert("Run".to_owned(), run.into());
    if let Some(seconds) = item.timeout_seconds {
        fields.insert("TimeoutSeconds".to_owned(), seconds.into());
    }
    if item.retries > 0 {
        fields.insert("Retries".to_owned(), item.retries.into());
    }
    if let Some(policy) = item.policy {
        fields.insert("Policy".to_owned(), json!(policy));
    }
    if !item.secret.is_empty() {
        fields.insert("Secret".to_owned(), item.secret.to_json(secrets));
    }
    fields.into()
}

fn item(value: &Value) -> Result<HookItem, Mismatch> {
    let item = match value {
        Value::String(run) => HookItem { run: run.clone(), ..HookItem::default() },
        Value::Object(fields) => of_fields(fields)?,
        other => {
            let given = format!("{} in the array", describe(other));
            return Err(expected(&given, "a command or an address, as a string or as an object with Run"));
        }
    };
    let address = item.run.trim().trim_end_matches(|c: char| c == '&' || c.is_whitespace());
    let broken = address.contains(|c: char| c.is_whitespace() || c.is_control()) || address.ends_with("://");
    if item.is_address() && broken {
        // What stands behind the host may be secret.
        let given = format!("the address {}", shown(address));
        return Err(expected(&given, "an address with a host and without blanks"));
    }
    if !item.is_address() && !item.secret.is_empty() {
        return Err(expected("Secret beside a command", "a Secret beside an address only"));
    }
    Ok(item)
}

fn of_fields(fields: &Map<String, Value>) -> Result<HookItem, Mismatch> {
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(expected(
            &format!("the field {name:?}"),
            "the fields Run, TimeoutSeconds, Retries, Policy and Secret",
        ));
    }
    let run = text(fields, "Run")?;
    if run.trim().is_empty() {
        return Err(expected("an object without Run", "a command or an address in Run"));
    }
    let retries = number(fields, "Retries")?.unwrap_or(0);
    let retries = u32::try_from(retries).ok().filter(|_| retries <= MOST_RETRIES);
    let retries =
        retries.ok_or_else(|| expected(&format!("Retries {}", fields["Retries"]), &format!("0 to {MOST_RETRIES}")))?;
    let policy = match text(fields, "Policy")?.as_str() {
        "" => None,
        word => Some(
            FencingPolicy::parse(word)
                .ok_or_else(|| expected(&format!("Policy {word:?}"), "\"required\" or \"optional\""))?,
        ),
    };
    let (timeout_seconds, secret) = (number(fields, "TimeoutSeconds")?, Secret::new(text(fields, "Secret")?));
    Ok(HookItem { run, timeout_seconds, retries, policy, secret })
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<u64>, Mismatch> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(expected(&format!("{name} {}", describe(value)), "a whole number, 0 or more")),
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(value: &Value) -> Result<HookItems, Mismatch> {
        let mut items = HookItems::default();
        items.assign(value).map(|()| items)
    }

    #[test]
    fn strings_stay_strings_and_objects_say_more() {
        let given = json!([
            "echo {failedHost} &",
            "https://chat.example/T1/token",
            {"Run": "fence {failedHost}", "TimeoutSeconds": 5, "Retries": 2, "Policy": "optional"},
            {"Run": "HTTPS://u:p@pager.example/x?key=abc", "Policy": "required", "Secret": "s3cret"},
        ]);
        let items = read(&given).unwrap();
        assert_eq!(items.to_json(Secrets::Reveal), given, "what is dumped can be read again");
        let kinds: Vec<bool> = items.list().iter().map(HookItem::is_address).collect();
        assert_eq!(kinds, [false, true, false, true]);
        let shown = items.to_json(Secrets::Redact).to_string();
        assert!(!shown.contains("token") && !shown.contains("u:p") && !shown.contains("abc"), "{shown}");
        assert!(!shown.contains("s3cret") && shown.contains("pager.example"), "{shown}");
    }

    #[rstest]
    #[case(json!("true"), "an array of commands and addresses: strings, or objects with Run")]
    #[case(json!([1]), "a command or an address, as a string or as an object with Run")]
    #[case(json!([{"run": "true"}]), "the fields Run, TimeoutSeconds, Retries, Policy and Secret")]
    #[case(json!([{"Retries": 1}]), "a command or an address in Run")]
    #[case(json!([{"Run": "true", "Retries": 11}]), "0 to 10")]
    #[case(json!([{"Run": "true", "TimeoutSeconds": -1}]), "a whole number, 0 or more")]
    #[case(json!([{"Run": "true", "Policy": "must"}]), "\"required\" or \"optional\"")]
    #[case(json!([{"Run": "true", "Secret": "x"}]), "a Secret beside an address only")]
    #[case(json!(["https://"]), "an address with a host and without blanks")]
    #[case(json!(["https://a/b {failedHost}"]), "an address with a host and without blanks")]
    fn what_is_no_hook_is_refused(#[case] given: Value, #[case] wanted: &str) {
        assert_eq!(read(&given).unwrap_err().expected, wanted);
    }
}
