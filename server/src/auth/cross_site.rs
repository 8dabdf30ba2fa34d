//! Changes that another site's page asks for in its visitor's name.
//!
//! The compatible API changes things by GET, and browsers send credentials they remember with a GET from anywhere: an image on
//! a page would do for a failover. Browsers say where a request comes from; tools say nothing and are not
//! held up. A browser that says nothing either is: without TLS it sends no `Sec-Fetch-Site`, and the other page can have
//! it leave out `Origin` and `Referer`.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

/// The request comes from another site's page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a change was asked for by a page of another site ({from}); open this service's own page, or use a tool")]
pub struct CrossSite {
    from: String,
}

/// Refuses a request that a page of another site made, or may have made. To be called for what changes something.
///
/// # Errors
/// [`CrossSite`], naming what gave it away.
pub fn refuse_cross_site(headers: &HeaderMap) -> Result<(), CrossSite> {
    let says_where = refuse_stated_cross_site(headers)?;
    if !says_where && is_browser(headers) {
        return Err(CrossSite { from: "a browser that does not say which".to_owned() });
    }
    Ok(())
}

/// Refuses a request whose headers say that a page of another site made it, and tells whether they say anything. For what is
/// opened by typing an address: without TLS a browser says nothing then.
///
/// # Errors
/// [`CrossSite`], naming what gave it away.
pub fn refuse_stated_cross_site(headers: &HeaderMap) -> Result<bool, CrossSite> {
    // The browser's own word, which no page can forge. `none` is somebody typing the address.
    if let Some(site) = headers.get("sec-fetch-site") {
        let site = String::from_utf8_lossy(site.as_bytes());
        return match site.as_ref() {
            "same-origin" | "none" => Ok(true),
            other => Err(CrossSite { from: format!("Sec-Fetch-Site: {other}") }),
        };
    }
    let host = headers.get(header::HOST).map(|h| String::from_utf8_lossy(h.as_bytes()).into_owned());
    let mut says_where = false;
    for (name, title) in [(header::ORIGIN, "Origin"), (header::REFERER, "Referer")] {
        let Some(value) = headers.get(&name) else { continue };
        says_where = true;
        let value = String::from_utf8_lossy(value.as_bytes());
        let same = authority(&value).is_some_and(|a| host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(a)));
        if !same {
            return Err(CrossSite { from: format!("{title}: {value}") });
        }
    }
    Ok(says_where)
}

/// A browser knows this service by a name that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this service is for this machine only, and a browser came to it by the name {0}, which may be anybody's; open it as localhost, list \
     the name in ServedNames, or set an AuthenticationMethod"
)]
pub struct ForeignName(String);

/// Refuses a browser that came by somebody else's name. For a service that only this machine can connect to, and that asks nobody who
/// they are: the owner of any name can have it point at this machine, and a page of that name is then of the same origin for
/// whoever visits it here.
///
/// # Errors
/// [`ForeignName`].
pub fn refuse_foreign_name(headers: &HeaderMap, served: &[String]) -> Result<(), ForeignName> {
    let is_browsing =
        is_browser(headers) || headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    let Some(host) = headers.get(header::HOST).filter(|_| is_browsing) else { return Ok(()) };
    let host = String::from_utf8_lossy(host.as_bytes());
    if is_ours(&host, served) { Ok(()) } else { Err(ForeignName(host.into_owned())) }
}

/// Addresses, names that stand in nobody's zone, and those that the configuration lists.
fn is_ours(host: &str, served: &[String]) -> bool {
    if host.starts_with('[') {
        return true;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name).trim_end_matches('.').to_ascii_lowercase();
    let is_nobodys = !name.contains('.') || name.ends_with(".localhost");
    is_nobodys || name.parse::<IpAddr>().is_ok() || served.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

/// Every browser calls itself that, and no page can have it do otherwise for another site.
fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

/// `host:port` of an address; `None` for `null` and whatever else has none.
fn authority(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.get(..end).filter(|authority| !authority.is_empty())
}
