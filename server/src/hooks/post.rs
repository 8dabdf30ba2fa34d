//! Calls an address as a hook: a POST whose answer says how it went.

use std::sync::OnceLock;
use std::time::Duration;

use super::{Ended, OUTPUT_KEPT, Post};
use crate::http::{self, Trust};

/// What has no limit of its own ends with this one: a client without any would wait for ever.
const LONGEST: Duration = Duration::from_secs(3600);

/// The client, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Poster(OnceLock<Result<reqwest::Client, String>>);

impl Poster {
    /// Sends it, and waits for the whole answer or the limit. Any answer but 2xx is a failure.
    pub async fn run(&self, post: Post, limit: Option<Duration>) -> Ended {
        let limit = limit.unwrap_or(LONGEST);
        let client = self.0.get_or_init(|| http::client(LONGEST, Trust::default()).map_err(|error| error.to_string()));
        let client = match client {
            Ok(client) => client,
            Err(error) => return Ended { error: error.clone(), ..Ended::default() },
        };
        let mut request = client.post(&post.url).timeout(limit).body(post.body);
        for (name, value) in post.headers {
            request = request.header(name, value);
        }
        let failed = |error: &reqwest::Error| match error.is_timeout() {
            true => format!("did not answer within {} s", limit.as_secs()),
            false => http::told(error),
        };
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Ended { error: failed(&error), ..Ended::default() },
        };
        let status = answer.status();
        let mut output = Vec::new();
        let read = loop {
            match answer.chunk().await {
                Ok(Some(_)) if output.len() >= OUTPUT_KEPT => break Ok(()),
                Ok(Some(chunk)) => output.extend(chunk.iter().take(OUTPUT_KEPT.saturating_sub(output.len()))),
                Ok(None) => break Ok(()),
                Err(error) => break Err(failed(&error)),
            }
        };
        let error = match (status.is_success(), read) {
            (false, _) => format!("answered {status}"),
            (true, Err(error)) => error,
            (true, Ok(())) => String::new(),
        };
        Ended { exit_code: None, error, output: String::from_utf8_lossy(&output).into_owned() }
    }
}
