//! Downloading attached files.

use std::time::Duration;

use tokio::time::{self, Instant};
use ureq::Agent;
use ureq::http::Uri;

use crate::backoff::Backoff;
use crate::config::Discord;

/// How long a download may take, with all attempts. After that it is retried whenever the history is read.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Attempts begin within this time.
const ATTEMPTS_TIME: Duration = Duration::from_secs(5);

/// An attached file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The file name.
    pub name: String,
    /// Where it can be downloaded.
    pub url: String,
    /// Its size, as Discord reports it.
    pub size_bytes: u64,
}

/// Why a file was not downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The settings forbid it, so a retry would not help.
    #[error("{0}")]
    Forbidden(String),
    /// The network or the host failed. It may work later, with the URL that the message contains then.
    #[error("{0}")]
    Unreachable(String),
}

/// Downloads files from the allowed hosts.
#[derive(Debug, Clone)]
pub struct Downloader {
    agent: Agent,
    time_max: Duration,
}

impl Default for Downloader {
    fn default() -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(5)))
            .build()
            .into();
        Self {
            agent,
            time_max: TIME_MAX,
        }
    }
}

impl Downloader {
    /// The content of an attached file. `retried` gets each error that is followed by another attempt, and the wait in between
    /// in milliseconds.
    ///
    /// # Errors
    /// [`DownloadError::Forbidden`] for a wrong host or size, else [`DownloadError::Unreachable`].
    pub async fn fetch(
        &self,
        attachment: &Attachment,
        settings: &Discord,
        mut retried: impl FnMut(&DownloadError, u128),
    ) -> Result<Vec<u8>, DownloadError> {
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(500), ATTEMPTS_TIME);
        loop {
            let time_left = self.time_max.saturating_sub(started.elapsed());
            let error = match self.attempt(attachment, settings, time_left).await {
                Err(error @ DownloadError::Unreachable(_)) => error,
                result => return result,
            };
            let wait = backoff.next_wait();
            if started.elapsed() + wait > ATTEMPTS_TIME.min(self.time_max) {
                return Err(error);
            }
            retried(&error, wait.as_millis());
            time::sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        attachment: &Attachment,
        settings: &Discord,
        time_left: Duration,
    ) -> Result<Vec<u8>, DownloadError> {
        let limit = settings.max_attachment_bytes;
        if attachment.size_bytes > limit {
            return Err(DownloadError::Forbidden(format!(
                "the file has {} bytes, more than discord.max_attachment_bytes = {limit}",
                attachment.size_bytes
            )));
        }
        check_url(&attachment.url, &settings.cdn_hosts)?;
        let (agent, url) = (self.agent.clone(), attachment.url.clone());
        tokio::task::spawn_blocking(move || get(&agent, &url, limit, time_left))
            .await
            .map_err(|e| DownloadError::Unreachable(e.to_string()))?
    }
}

/// Only these hosts are allowed, and only HTTPS except on this machine.
fn check_url(url: &str, hosts: &[String]) -> Result<(), DownloadError> {
    let forbidden = |why: &str| Err(DownloadError::Forbidden(why.to_owned()));
    let Ok(uri) = url.parse::<Uri>() else {
        return forbidden("the attachment's URL cannot be parsed");
    };
    let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme_str()) else {
        return forbidden("the attachment's URL has no host");
    };
    if !hosts.iter().any(|h| h == authority.as_str()) {
        return forbidden("the attachment's host is not in discord.cdn_hosts");
    }
    match scheme {
        "https" => Ok(()),
        "http" if ["127.0.0.1", "localhost", "[::1]"].contains(&authority.host()) => Ok(()),
        _ => forbidden("the attachment's URL is not https"),
    }
}

fn get(
    agent: &Agent,
    url: &str,
    limit: u64,
    time_left: Duration,
) -> Result<Vec<u8>, DownloadError> {
    // The URL contains a signature of Discord, so error texts must not contain the URL.
    let failed = |e: ureq::Error| match e {
        ureq::Error::BodyExceedsLimit(_) => {
            DownloadError::Forbidden(format!("the file is larger than {limit} bytes"))
        }
        e => DownloadError::Unreachable(format!("downloading the attachment: {e}")),
    };
    let request = agent.get(url).config().timeout_global(Some(time_left));
    let mut response = request.build().call().map_err(failed)?;
    match response.status().as_u16() {
        200 => response
            .body_mut()
            .with_config()
            // It is reached when nothing is left of it, and not beyond it.
            .limit(limit.saturating_add(1))
            .read_to_vec()
            .map_err(failed),
        // Also 403 and 404: an expired URL and an overloaded host answer with these.
        status => Err(DownloadError::Unreachable(format!(
            "the attachment's host answers {status}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use gametimes_discord_standin::{Discord as Standin, FileAnswer};

    use super::*;
    use crate::Config;

    /// Settings that allow downloads from this host, of 64 bytes at most.
    fn settings(host: String) -> Discord {
        let text = "discord.token = 't'\ndiscord.channel_id = 1";
        let settings = Config::parse(text, std::collections::BTreeMap::new());
        let mut settings = settings.unwrap().discord.unwrap();
        settings.cdn_hosts = vec![host];
        settings.max_attachment_bytes = 64;
        settings
    }

    const NAME: &str = "gametime-room1-R1-1795179043.json";

    /// A message with this file attached, which it says has 2 bytes.
    fn attached(discord: &Standin, content: &[u8]) -> Attachment {
        let webhook = discord.webhook().id;
        let message = discord.post(webhook, &serde_json::json!({}), &[(NAME, content)]);
        let url = &message.unwrap().json["attachments"][0]["url"];
        Attachment {
            name: NAME.into(),
            url: url.as_str().unwrap().into(),
            size_bytes: 2,
        }
    }

    /// Each byte arrives in time, but the whole file never does.
    #[tokio::test]
    async fn a_dripping_download_ends_at_its_deadline() {
        let discord = Standin::start().unwrap();
        discord.set_file(NAME, FileAnswer::Dripping);
        let attachment = attached(&discord, b"{}");
        let downloader = Downloader {
            time_max: Duration::from_millis(500),
            ..Downloader::default()
        };
        let settings = settings(discord.host());
        let fetched = downloader.fetch(&attachment, &settings, |_, _| {});
        let fetched = time::timeout(Duration::from_secs(30), fetched).await;
        let error = fetched.expect("it ends").unwrap_err();
        assert!(
            matches!(&error, DownloadError::Unreachable(why) if why.contains("timeout")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn file_that_is_larger_than_its_message_says_is_refused() {
        let discord = Standin::start().unwrap();
        let settings = settings(discord.host());
        let download = async |size| {
            let attachment = attached(&discord, &vec![b' '; size]);
            let downloader = Downloader::default();
            downloader.fetch(&attachment, &settings, |_, _| {}).await
        };
        assert_eq!(download(64).await.unwrap().len(), 64);
        let error = download(65).await.unwrap_err();
        assert!(matches!(error, DownloadError::Forbidden(_)), "{error}");
    }

    #[tokio::test]
    async fn redirect_of_a_download_is_not_followed() {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let location = format!("http://{}/x", elsewhere.local_addr().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
        });
        let attachment = Attachment {
            name: NAME.into(),
            url: format!("http://{host}/x"),
            size_bytes: 2,
        };
        let downloader = Downloader::default();
        let error = downloader
            .attempt(&attachment, &settings(host), Duration::from_secs(30))
            .await
            .unwrap_err();
        answering.join().unwrap();
        assert!(error.to_string().contains("302"), "{error}");
        let found = elsewhere.accept().unwrap_err();
        assert_eq!(found.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn only_https_urls_of_known_hosts_are_allowed() {
        let hosts = ["cdn.discordapp.com".to_owned(), "127.0.0.1:99".to_owned()];
        assert!(
            check_url(
                "https://cdn.discordapp.com/attachments/1/2/x.json?ex=1",
                &hosts
            )
            .is_ok()
        );
        assert!(check_url("http://127.0.0.1:99/x", &hosts).is_ok());
        for bad in [
            "http://cdn.discordapp.com/x",
            "https://cdn.discordapp.com.evil.example/x",
            "https://cdn.discordapp.com@evil.example/x",
            "http://127.0.0.1:98/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(check_url(bad, &hosts).is_err(), "{bad}");
        }
    }
}
