//! The audit: by page, or all of it as a file.

use std::sync::Arc;

use app::api::{AuditRow, ErrorBody};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;

use super::Rooms;
use super::body::{Given, server_key};
use crate::api::error::{ApiError, ApiResult};
use crate::audit::{self, Format};
use crate::auth::Viewer;
use crate::lookup;
use crate::services::Services;
use crate::store::AuditFilter;

/// Which rows of the audit; what is empty does not count.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct WhichRows {
    /// Page, from 0, of 20 each.
    page: u32,
    /// Only those of this server, `host:port`.
    server: String,
    /// Only what this user did: the whole name.
    actor: String,
    /// Only this kind, e.g. `begin-downtime`: the whole name.
    action: String,
    /// Only those of this cluster: its name or alias.
    cluster: String,
    /// Only from this moment on: RFC 3339, or `YYYY-MM-DD`, or `YYYY-MM-DD hh:mm:ss`, in UTC.
    from: String,
    /// Only before this moment, in the same forms.
    until: String,
    /// Only those with this text in message, reason, actor, address or host name.
    text: String,
    /// `csv` or `json`: all of them as a file, instead of a page.
    #[param(inline)]
    format: Option<Format>,
}

/// Who did what, newest first.
#[utoipa::path(
    get,
    path = "/audit",
    params(WhichRows),
    responses(
        (status = 200, body = Vec<AuditRow>),
        (status = 400, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_audit(_: Viewer, State(services): Rooms, Given(which): Given<WhichRows>) -> ApiResult<Response> {
    let filter = which.filter(&services)?;
    match which.format {
        None => Ok(Json(services.audit.rows(&filter, which.page).await?).into_response()),
        Some(format) => whole(&services, filter, format).await,
    }
}

/// All rows as a file.
async fn whole(services: &Arc<Services>, filter: AuditFilter, format: Format) -> ApiResult<Response> {
    // A backend that is away has an answer of its own; once the file has begun there is only breaking off.
    services.audit.first_rows(&filter, 1).await?;
    let name = format!("attachment; filename=\"{}\"", format.file_name());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_DISPOSITION, HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    let body = Body::from_stream(audit::export(services.audit.clone(), filter, format));
    Ok((headers, body).into_response())
}

impl WhichRows {
    fn filter(&self, services: &Services) -> ApiResult<AuditFilter> {
        let config = services.config.current();
        let key = match self.server.trim() {
            "" => None,
            text => Some(server_key(text, &config)?),
        };
        let cluster = match self.cluster.trim() {
            "" => String::new(),
            // A cluster of the past has rows too: its name is taken as it is.
            text => lookup::cluster_by_alias(&services.fleet.snapshot(), &config, text).unwrap_or(text.to_owned()),
        };
        Ok(AuditFilter {
            key,
            cluster,
            actor: self.actor.trim().to_owned(),
            kind: self.action.trim().to_owned(),
            from: moment("from", &self.from)?,
            until: moment("until", &self.until)?,
            text: self.text.trim().to_owned(),
            below: None,
        })
    }
}

fn moment(name: &str, text: &str) -> ApiResult<Option<DateTime<Utc>>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let naive = || {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
        let full = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
        day.or_else(|| full.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()))
    };
    let parsed = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok().or_else(|| Some(naive()?.and_utc()));
    parsed.map(Some).ok_or_else(|| {
        let expected = "expected 2026-01-31T12:00:00Z, 2026-01-31 or 2026-01-31 12:00:00 (UTC)";
        ApiError::bad_input(format!("{name}: got {text:?}, {expected}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_forms_that_people_write() {
        for text in ["2026-01-31T00:00:00Z", "2026-01-31", "2026-01-31 00:00", "2026-01-31T01:00:00+01:00"] {
            let at = moment("from", text).expect("readable").expect("given");
            assert_eq!(at.to_rfc3339(), "2026-01-31T00:00:00+00:00", "{text}");
        }
        assert_eq!(moment("from", " ").map(|at| at.is_none()).ok(), Some(true));
        assert!(moment("until", "yesterday").is_err_and(|error| error.message.contains("yesterday")));
    }
}
