//! Changes that another site's page asks for in its visitor's name.
//!
//! The compatible API changes things by GET, and browsers send credentials they remember with a GET from anywhere: an image on
//! a page would do for a failover. Browsers say where a request comes from; tools say nothing and are not
//! held up. A browser that says nothing either is: without TLS it sends no `Sec-Fetch-Site`, and the other page can have
//! it leave out `Origin` and `Referer`.

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
