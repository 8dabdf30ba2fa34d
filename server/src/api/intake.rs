//! What is done with every request and every answer, whatever the address: the client's certificate, the body within its limits, the
//! headers that keep browsers from mistakes.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body::Body as _;

use super::error::{ApiError, ErrorKind};
use crate::auth::Caller;
use crate::config::{AuthMethod, Config};
use crate::node::random_hex;
use crate::serve::ClientCertificate;

/// Bodies are small: a server's name, a reason.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// A body is whole within this time, however slowly it drips.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// For every answer; the page sets its own policy for what may be loaded.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// A browser that has been here by TLS comes by TLS for a year.
const HSTS: &str = "max-age=31536000";

/// Under mutual TLS: the request comes with a verified certificate of one of the units, or it gets no further. Only the status
/// endpoint is open to load balancers without one, unless `StatusOUVerify` closes it: its very address, and no address that
/// merely holds it (`spec/ha.md` 15.7).
pub(super) fn check_certificate(
    config: &Config,
    request: &Request<Body>,
    is_status: bool,
) -> Result<(), Box<Response>> {
    let tls = &config.tls;
    if !tls.use_mutual_tls || (is_status && !config.general.status_ou_verify) {
        return Ok(());
    }
    let why = match request.extensions().get::<ClientCertificate>() {
        Some(certificate) if certificate.is_of(&tls.valid_ous) => return Ok(()),
        Some(certificate) => format!(
            "the certificate of {} is of unit {}, which SSLValidOUs does not list",
            certificate.name,
            if certificate.units.is_empty() { "none".to_owned() } else { certificate.units.join(", ") }
        ),
        None => "a client certificate is needed here, of a unit that SSLValidOUs lists".to_owned(),
    };
    Err(Box::new(ApiError::new(ErrorKind::Unauthenticated, why).into_response()))
}

/// Where nobody has to say who they are, the certificate does: its subject is the caller.
pub(super) fn name_by_certificate(config: &Config, caller: &mut Caller, certificate: Option<&ClientCertificate>) {
    let is_open = config.auth.method() == Ok(AuthMethod::Open);
    if let Some(certificate) = certificate.filter(|_| config.tls.use_mutual_tls && is_open && caller.user.is_empty()) {
        caller.user.clone_from(&certificate.name);
        "certificate".clone_into(&mut caller.method);
    }
}

/// The same request with its body read to the end.
pub(super) async fn take_body(request: Request<Body>) -> Result<Request<Body>, Box<Response>> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let refused = |kind: ErrorKind, why: String| Box::new(ApiError::new(kind, why).into_response());
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => Err(refused(
            ErrorKind::TooLarge,
            format!("the body is longer than {BODY_LIMIT} bytes, or it broke off before its end"),
        )),
        Err(_) => {
            Err(refused(ErrorKind::TooSlow, format!("the body did not come within {} seconds", BODY_WITHIN.as_secs())))
        }
    }
}

/// The headers of an answer. `is_data`: of the API rather than of the page, which may be kept by nobody.
pub(super) fn protect(headers: &mut HeaderMap, is_data: bool, over_tls: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_data {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    if over_tls {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(HSTS));
    }
}

/// A handler panicked: a bug of ours, which must not take the connection with it. Answer and log have the same number.
pub(super) fn broken(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let number: String = random_hex().chars().take(12).collect();
    tracing::error!(number, panic = text.unwrap_or("without words"), "a handler panicked");
    let mut response =
        (StatusCode::INTERNAL_SERVER_ERROR, format!("500 Internal Server Error: number {number} in the log\n"))
            .into_response();
    protect(response.headers_mut(), true, false);
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), 4096).await.expect("a body");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_with_a_number_and_the_service_goes_on() {
        async fn panics() -> &'static str {
            panic!("secret detail")
        }
        let router = Router::new()
            .route("/bad", get(panics))
            .route("/good", get(async || "fine"))
            .layer(CatchPanicLayer::custom(broken));
        for _ in 0..3 {
            let request = Request::get("/bad").body(Body::empty()).expect("a request");
            let response = router.clone().oneshot(request).await.expect("infallible");
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            let body = text(response).await;
            assert!(body.contains(" number ") && !body.contains("secret"), "{body}");
        }
        let request = Request::get("/good").body(Body::empty()).expect("a request");
        assert_eq!(text(router.oneshot(request).await.expect("infallible")).await, "fine");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_or_never_ends_is_given_up() {
        let drip = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        let request = Request::post("/").body(Body::from_stream(drip)).expect("a request");
        let refused = take_body(request).await.expect_err("too slow");
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
        let flood = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 10_000]));
        let request = Request::post("/").body(Body::from_stream(flood)).expect("a request");
        assert_eq!(take_body(request).await.expect_err("too long").status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
