//! Texts of which only a few are known.

use engine::recovery::SessionPolicy;
use serde_json::Value;

use super::value::{Kind, Mismatch, Secrets, Setting, describe};

/// `kill` or `wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionPolicyText(SessionPolicy);

impl SessionPolicyText {
    /// The policy for takeovers.
    #[must_use]
    pub fn policy(self) -> SessionPolicy {
        self.0
    }
}

impl Setting for SessionPolicyText {
    const KIND: Kind = Kind::String;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        self.0 = match value {
            Value::Null => return Ok(()),
            Value::String(text) if text == "kill" => SessionPolicy::Kill,
            Value::String(text) if text == "wait" => SessionPolicy::Wait,
            other => {
                return Err(Mismatch { given: describe(other), expected: "\"kill\" or \"wait\"".to_owned() });
            }
        };
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        Value::from(match self.0 {
            SessionPolicy::Kill => "kill",
            SessionPolicy::Wait => "wait",
        })
    }
}
