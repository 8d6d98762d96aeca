//! Which URLs are accepted: of webhooks, and of what receives snapshots.

use std::net::{IpAddr, Ipv4Addr};

use gametimes_format::Secret;
use ureq::http::Uri;

/// The hosts of Discord's webhooks.
const DISCORD_HOSTS: [&str; 4] = [
    "discord.com",
    "discordapp.com",
    "ptb.discord.com",
    "canary.discord.com",
];
/// Where snapshots are posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveUrl {
    url: Secret,
    host: String,
    is_private: bool,
}

impl LiveUrl {
    /// Checks a URL: https, or http to a private address, so that nobody on the way can read who is alive.
    ///
    /// # Errors
    /// What is wrong with it, without the URL.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let (parsed, host) = parse(url)?;
        let is_private = is_private(&host);
        if !is_https(&parsed) && !is_private {
            return Err("it does not start with https://, and its host is not a private address");
        }
        let authority = parsed.authority().map_or("", |a| a.as_str());
        Ok(Self {
            url: Secret::new(url),
            host: format!("{}://{authority}", parsed.scheme_str().unwrap_or_default()),
            is_private,
        })
    }

    /// The URL itself, for the request.
    pub fn url(&self) -> &Secret {
        &self.url
    }

    /// Scheme, host and port, for the log.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is an address of this host or of its own network, which no proxy can reach.
    pub fn is_private(&self) -> bool {
        self.is_private
    }
}

/// A URL and its host in lower case. The error never contains the URL, which is a secret.
fn parse(url: &str) -> Result<(Uri, String), &'static str> {
    // The parser accepts what copied text can contain: non-breaking spaces, quotes of a word processor.
    let is_url_byte = |b: u8| b.is_ascii_graphic() && !br#""\<>^`{|}"#.contains(&b);
    if !url.bytes().all(is_url_byte) {
        return Err("it contains invalid characters");
    }
    let parsed: Uri = url.parse().map_err(|_| "it cannot be parsed")?;
    let Some("https" | "http") = parsed.scheme_str() else {
        return Err("it does not start with https://");
    };
    let Some(host) = parsed.host().filter(|host| !host.is_empty()) else {
        return Err("it has no host");
    };
    if parsed.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("it contains a user name");
    }
    let host = host.to_ascii_lowercase();
    Ok((parsed, host))
}

fn is_https(url: &Uri) -> bool {
    url.scheme_str() == Some("https")
}

/// The address in a host that is not a name.
fn address(host: &str) -> Option<IpAddr> {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse().ok()
}

/// Whether a host is this one, or an address that is never routed on the internet.
fn is_private(host: &str) -> bool {
    // Of providers, and of private networks such as Tailscale's.
    let is_shared = |a: Ipv4Addr| a.octets()[0] == 100 && a.octets()[1] & 0xc0 == 64;
    is_loopback(host)
        || address(host).is_some_and(|address| match address.to_canonical() {
            IpAddr::V4(a) => a.is_private() || a.is_link_local() || is_shared(a),
            IpAddr::V6(a) => a.is_unique_local() || a.is_unicast_link_local(),
        })
}

/// Checks that a URL is that of a webhook at Discord, on this host, or on one of the allowed hosts. The error never contains the
/// URL, which is a secret.
pub(super) fn check_url(url: &str, allowed_hosts: &[String]) -> Result<(), &'static str> {
    let (parsed, host) = parse(url)?;
    if parsed.path().len() < 2 {
        return Err("it has no path");
    }
    if allowed_hosts.contains(&host) || is_loopback(&host) {
        return Ok(());
    }
    if !DISCORD_HOSTS.contains(&host.as_str()) {
        return Err("its host is not discord.com; gametimes_webhook_hosts can allow it");
    }
    if !is_https(&parsed) {
        return Err("it does not start with https://");
    }
    if !is_webhook_path(parsed.path()) {
        return Err("its path is not /api/webhooks/ID/TOKEN");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a path is `/api/webhooks/ID/TOKEN`, or `/api/v10/webhooks/ID/TOKEN` with any version.
fn is_webhook_path(path: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts = path.split('/').skip(1).peekable();
    let api = parts.next() == Some("api");
    let _version = parts.next_if(|part| part.strip_prefix('v').is_some_and(is_number));
    api && parts.next() == Some("webhooks")
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(|token| !token.is_empty())
        && parts.all(str::is_empty)
}

#[cfg(test)]
mod tests {
    use gametimes_test_support::webhook::WEBHOOK_URLS;

    use super::*;

    #[test]
    fn only_urls_of_webhooks_at_discord_or_on_allowed_hosts_are_accepted() {
        for &(url, is_valid) in WEBHOOK_URLS {
            let hosts = ["hooks.example.org".to_owned()];
            assert_eq!(check_url(url, &hosts).is_ok(), is_valid, "{url}");
        }
    }

    #[test]
    fn snapshots_are_posted_only_over_tls_or_to_a_private_address() {
        for url in [
            "https://stats.example.org/api/live",
            "HTTPS://stats.example.org:8443/api/live",
            "https://203.0.113.7/api/live",
            "http://127.0.0.1:8080/api/live",
            "http://localhost:8080/api/live",
            "http://10.0.0.2/api/live",
            "http://172.16.0.1/api/live",
            "http://192.168.1.7:80/api/live",
            "http://100.100.1.2/api/live",
            "http://169.254.1.1/api/live",
            "http://[::1]:8080/api/live",
            "http://[fd00::1]/api/live",
            "http://[fe80::1]/api/live",
            "http://[::ffff:10.0.0.2]/api/live",
        ] {
            assert!(LiveUrl::parse(url).is_ok(), "{url}");
        }
        for url in [
            "http://stats.example.org/api/live",
            "http://8.8.8.8/api/live",
            "http://100.128.0.1/api/live",
            "http://172.32.0.1/api/live",
            "http://192.169.1.1/api/live",
            "http://[2001:db8::1]/api/live",
            "http://[::ffff:8.8.8.8]/api/live",
            "http://10.0.0.2.example.org/api/live",
            "http://localhost.example.org/api/live",
            "https://user:secret@stats.example.org/api/live",
            "ftp://10.0.0.2/api/live",
            "stats.example.org",
            "https://",
            "https://a b/",
        ] {
            assert!(LiveUrl::parse(url).is_err(), "{url}");
        }
        let url = LiveUrl::parse("https://stats.example.org:8443/api/live?token=hunter2").unwrap();
        assert_eq!(url.host(), "https://stats.example.org:8443");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
