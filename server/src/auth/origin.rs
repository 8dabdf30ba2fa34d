//! Where a request comes from, and what a proxy in front may say about that.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use super::doorkeeper::Identity;
use crate::config::{Config, Networks};

/// The other end of the connection is a proxy whose headers count.
pub(super) fn is_from_trusted_proxy(trusted: &Networks, peer: Option<SocketAddr>) -> bool {
    peer.is_some_and(|peer| trusted.contains(peer.ip()))
}

/// Address of the client, for the audit: the other end of the connection, or what a trusted proxy says is behind it. Of a chain
/// the last address counts that is no trusted proxy; what stands before it may be anybody's invention.
pub fn client_address(trusted: &Networks, request: Identity<'_>) -> String {
    let Some(peer) = request.peer else { return String::new() };
    let behind = || {
        let chain = forwarded_for(request.headers);
        chain.into_iter().rev().map_while(|hop| address_of(&hop)).find(|hop| !trusted.contains(*hop))
    };
    let client = if trusted.contains(peer.ip()) { behind() } else { None };
    client.map_or_else(|| peer.to_string(), |client| client.to_string())
}

/// Some proxies write the port as well.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip())).ok()
}

fn forwarded_for(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|hop| hop.trim().to_owned()).collect()
}

/// The client speaks TLS: to us, or to a trusted proxy as far as that says so.
pub fn is_over_tls(config: &Config, request: Identity<'_>) -> bool {
    let says_so = || {
        request.headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
    };
    let to_us = config.tls.use_ssl && config.general.listen_socket.is_empty();
    to_us || (is_from_trusted_proxy(&config.extensions.trusted_proxies, request.peer) && says_so())
}
