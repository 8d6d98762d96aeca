//! Fetching attachments.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use super::message::Attachment;
use crate::config::Discord;

/// Why an attachment was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Trying again changes nothing: the settings forbid it.
    #[error("{0}")]
    Refused(String),
    /// The network or the host failed; later it may work, with the URL that the message has then.
    #[error("{0}")]
    Unreachable(String),
}

/// Fetches attachments from the hosts that are allowed.
#[derive(Debug, Clone)]
pub struct Downloader {
    agent: Agent,
}

impl Default for Downloader {
    fn default() -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .timeout_connect(Some(Duration::from_secs(5)))
            .build()
            .into();
        Self { agent }
    }
}

impl Downloader {
    /// The bytes of an attachment.
    ///
    /// # Errors
    /// [`DownloadError::Refused`] for a wrong host or size; [`DownloadError::Unreachable`] otherwise.
    pub async fn fetch(
        &self,
        attachment: &Attachment,
        settings: &Discord,
    ) -> Result<Vec<u8>, DownloadError> {
        let most = settings.max_attachment_bytes;
        if attachment.size_bytes > most {
            return Err(DownloadError::Refused(format!(
                "{} bytes are more than discord.max_attachment_bytes = {most}",
                attachment.size_bytes
            )));
        }
        allowed(&attachment.url, &settings.cdn_hosts)?;
        let (agent, url) = (self.agent.clone(), attachment.url.clone());
        tokio::task::spawn_blocking(move || get(&agent, &url, most))
            .await
            .map_err(|e| DownloadError::Unreachable(e.to_string()))?
    }
}

/// Only these hosts, and only encrypted unless it is this machine.
fn allowed(url: &str, hosts: &[String]) -> Result<(), DownloadError> {
    let refused = |why: &str| Err(DownloadError::Refused(why.to_owned()));
    let Ok(uri) = url.parse::<Uri>() else {
        return refused("the attachment's URL cannot be read");
    };
    let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme_str()) else {
        return refused("the attachment's URL names no host");
    };
    if !hosts.iter().any(|h| h == authority.as_str()) {
        return refused("the attachment does not come from a host of discord.cdn_hosts");
    }
    match scheme {
        "https" => Ok(()),
        "http" if ["127.0.0.1", "localhost", "[::1]"].contains(&authority.host()) => Ok(()),
        _ => refused("the attachment would not come encrypted"),
    }
}

fn get(agent: &Agent, url: &str, most: u64) -> Result<Vec<u8>, DownloadError> {
    // The URL holds a signature of Discord's; error texts must not carry it.
    let broken = |e: ureq::Error| match e {
        ureq::Error::BodyExceedsLimit(_) => {
            DownloadError::Refused(format!("the file is larger than {most} bytes"))
        }
        e => DownloadError::Unreachable(format!("fetching the attachment: {e}")),
    };
    let mut response = agent.get(url).call().map_err(broken)?;
    match response.status().as_u16() {
        200 => response
            .body_mut()
            .with_config()
            .limit(most)
            .read_to_vec()
            .map_err(broken),
        // Also 403 and 404: that is how a URL answers that has expired, and a host in trouble.
        status => Err(DownloadError::Unreachable(format!(
            "the attachment's host answers {status}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_and_only_encrypted() {
        let hosts = ["cdn.discordapp.com".to_owned(), "127.0.0.1:99".to_owned()];
        assert!(
            allowed(
                "https://cdn.discordapp.com/attachments/1/2/x.json?ex=1",
                &hosts
            )
            .is_ok()
        );
        assert!(allowed("http://127.0.0.1:99/x", &hosts).is_ok());
        for bad in [
            "http://cdn.discordapp.com/x",
            "https://cdn.discordapp.com.evil.example/x",
            "https://cdn.discordapp.com@evil.example/x",
            "http://127.0.0.1:98/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(allowed(bad, &hosts).is_err(), "{bad}");
        }
    }
}
