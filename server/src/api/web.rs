//! The page: files that Trunk built, embedded in the binary, under a strict content security policy.
//!
//! Every address below `/web/` is answered with the same document; the page's own router shows what belongs there
//! (`spec/web-ui.md` 2). Files carry an entity tag and are revalidated, so that a browser never runs a stale page.

use std::borrow::Cow;

use app::api::ErrorBody;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

/// What Trunk built. A debug build reads the folder at each request; a release build carries the files.
#[derive(RustEmbed)]
#[folder = "../frontend/dist/"]
#[allow_missing = true]
struct Page;

/// Nothing inline, nothing from elsewhere. Styles that the page computes are set through the CSSOM, which
/// `style-src` does not restrict; `wasm-unsafe-eval` permits compiling WebAssembly and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; \
     frame-ancestors 'none'";

const SECURITY_HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// The page was built into this binary. A release without it is a packaging error.
pub fn is_embedded() -> bool {
    Page::get("index.html").is_some()
}

/// Answers everything that no other route answers: the page, its files, and a fitting "not found".
///
/// `url_prefix` is `URLPrefix` of the configuration, without a slash at its end; addresses are understood with and
/// without it. Use as the fallback of the whole service.
pub fn router(url_prefix: &str) -> Router {
    let prefix = format!("/{}", url_prefix.trim_matches('/'));
    let prefix = if prefix == "/" { String::new() } else { prefix };
    Router::new().fallback(serve).layer(CompressionLayer::new()).with_state(Prefix(prefix.into()))
}

#[derive(Clone)]
struct Prefix(std::sync::Arc<str>);

async fn serve(State(Prefix(prefix)): State<Prefix>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let path =
        path.strip_prefix(prefix.as_ref()).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    let mut response = if path.starts_with("/api/") || path == "/api" {
        no_such_path(path)
    } else if method != Method::GET && method != Method::HEAD {
        StatusCode::METHOD_NOT_ALLOWED.into_response()
    } else {
        match path {
            "" | "/" | "/web" | "/web/" => Redirect::temporary(&format!("{prefix}/web/clusters")).into_response(),
            page if page.starts_with("/web/") => document(&prefix, StatusCode::OK),
            other => match Page::get(other.trim_start_matches('/')) {
                Some(file) if other != "/index.html" => asset(other, file, &headers),
                _ => document(&prefix, StatusCode::NOT_FOUND),
            },
        }
    };
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    response
}

/// The document, with `<base href>` pointing at the prefix so that each relative address works under it.
fn document(prefix: &str, status: StatusCode) -> Response {
    let Some(file) = Page::get("index.html") else {
        return (StatusCode::NOT_FOUND, "The page is not part of this build; the API is at api/v2/.\n").into_response();
    };
    let html = String::from_utf8_lossy(&file.data);
    let html = with_base(&html, &format!("{prefix}/"));
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (status, headers, html.into_owned()).into_response()
}

fn with_base<'a>(html: &'a str, base: &str) -> Cow<'a, str> {
    const OPEN: &str = "<base href=\"";
    let split = html.split_once(OPEN).and_then(|(before, rest)| Some((before, rest.split_once('"')?.1)));
    match split {
        Some((before, after)) => {
            let base = base.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            Cow::Owned(format!("{before}{OPEN}{base}\"{after}"))
        }
        None => Cow::Borrowed(html),
    }
}

fn asset(path: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let tag = entity_tag(&file);
    let same = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .any(|v| v.split(',').any(|t| t.trim().trim_start_matches("W/") == tag));
    let cache = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if same {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    let body = match file.data {
        Cow::Borrowed(bytes) => Body::from(Bytes::from_static(bytes)),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    (cache, [(header::CONTENT_TYPE, content_type(path))], body).into_response()
}

fn entity_tag(file: &EmbeddedFile) -> String {
    let digest: String = file.metadata.sha256_hash().iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("\"{digest}\"")
}

/// The kinds of files that the page consists of; browsers refuse WASM and modules of another type.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

fn no_such_path(path: &str) -> Response {
    let body = ErrorBody { code: "not-found".to_owned(), message: format!("no such path: {path}"), refusal: None, plan: None };
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get(prefix: &str, path: &str) -> Response {
        let request = Request::get(path).body(Body::empty()).expect("request");
        router(prefix).oneshot(request).await.expect("infallible")
    }

    #[tokio::test]
    async fn the_root_leads_to_the_dashboard_under_the_prefix() {
        for (prefix, path, to) in [
            ("", "/", "/web/clusters"),
            ("", "/web", "/web/clusters"),
            ("/orc", "/orc/", "/orc/web/clusters"),
            ("orc/", "/orc", "/orc/web/clusters"),
        ] {
            let response = get(prefix, path).await;
            assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
            assert_eq!(response.headers()[header::LOCATION], to, "{path}");
        }
    }

    #[tokio::test]
    async fn every_answer_carries_the_policy_and_it_allows_nothing_inline() {
        for path in ["/", "/web/clusters", "/nothing", "/api/nothing"] {
            let response = get("", path).await;
            let policy = response.headers()["content-security-policy"].to_str().expect("text").to_owned();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{path}: {policy}");
        }
    }

    #[tokio::test]
    async fn an_unknown_api_path_is_json_and_an_unknown_file_is_not_found() {
        let response = get("", "/api/v2/nothing").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await.expect("body");
        let body: ErrorBody = serde_json::from_slice(&bytes).expect("json");
        assert_eq!((body.code.as_str(), body.message.as_str()), ("not-found", "no such path: /api/v2/nothing"));
        assert_eq!(get("", "/../Cargo.toml").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(get("", "/index.html").await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_base_is_rewritten_and_escaped() {
        let html = "<head><base href=\"/\"><title>x</title></head>";
        assert_eq!(with_base(html, "/orc/"), "<head><base href=\"/orc/\"><title>x</title></head>");
        assert!(with_base(html, "/\"><script>/").contains("/&quot;>&lt;script>/"));
        assert_eq!(with_base("<head></head>", "/orc/"), "<head></head>");
    }

    #[test]
    fn what_a_browser_refuses_under_another_type_has_the_right_one() {
        assert_eq!(content_type("/frontend_bg.wasm"), "application/wasm");
        assert_eq!(content_type("/frontend.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("/style/base.css"), "text/css; charset=utf-8");
        assert_eq!(content_type("/LICENSE"), "application/octet-stream");
    }
}
