//! Refuses requests that a browser was tricked into sending.
//!
//! Without a token, everything that this machine's browsers can reach is readable. A website could point its own name at a
//! loopback address (DNS rebinding) and have its visitors read the pages for it. Such requests carry the website's name.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::state::App;

/// Refuses requests for host names that are not allowed. With a token this is not checked: a website does not know it.
///
/// Browsers always send a `Host`. A request without one comes from a program, such as a load balancer's health check.
pub(super) async fn check_host(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.token.is_none() {
        let in_header = request.headers().get_all(header::HOST).iter();
        let in_header = in_header.map(|host| host.to_str().unwrap_or_default());
        let in_uri = request.uri().authority().map(Authority::as_str);
        for host in in_header.chain(in_uri) {
            if !is_allowed(host, app.listen, &app.allowed_hosts) {
                return ApiError::wrong_host(host, app.listen).into_response();
            }
        }
    }
    next.run(request).await
}

/// Whether a `Host`, with or without a port, is a name of this machine or one of the allowed names.
fn is_allowed(host: &str, listen: SocketAddr, allowed_hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost"
        || allowed_hosts.contains(&name)
        || name
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip == listen.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_and_allowed_names_are_accepted_with_any_port() {
        let listen = "127.0.0.1:8650".parse().unwrap();
        let allowed = ["stats.example.org".to_owned(), "2001:db8::1".to_owned()];
        for good in [
            "localhost",
            "LocalHost:8650",
            "localhost.",
            "127.0.0.1:80",
            "127.0.0.2",
            "[::1]:8650",
            "stats.example.org",
            "Stats.Example.ORG.:443",
            "[2001:db8::1]:443",
        ] {
            assert!(is_allowed(good, listen, &allowed), "{good}");
        }
        for bad in [
            "",
            "rebind.example.com",
            "rebind.example.com:8650",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "stats.example.org.example.com",
            "192.0.2.1",
            "localhost/",
            "localhost:8650:1",
            "a b",
        ] {
            assert!(!is_allowed(bad, listen, &allowed), "{bad}");
        }
    }
}
