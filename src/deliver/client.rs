//! One post to one webhook, and what its answer means.

use std::time::Duration;

use gametimes_format::{Message, Secret, text};
use once_cell::sync::Lazy;
use ureq::Agent;
use ureq::unversioned::multipart::{Form, Part};

/// How much of an answer is read.
const ANSWER_LIMIT: u64 = 64 << 10;
/// The longest that a 429 is obeyed.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(3600);
/// Discord's code for a webhook that was deleted. Any other 404 comes from a proxy, or is over soon.
const UNKNOWN_WEBHOOK: i64 = 10015;
/// What is shorter is no secret: Discord's tokens have 68 characters.
const SECRET_LENGTH: usize = 10;

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: the target took it. How long to wait before the next, when the answer says that the bucket is empty.
    Delivered(Duration),
    /// 429: wait. `global`: all targets must.
    RateLimited {
        /// How long.
        pause: Duration,
        /// For the whole application, not just this webhook.
        global: bool,
    },
    /// 5xx, a timeout, the network, or somebody in between who refuses: try again later. A line for the log.
    RetryLater(String),
    /// 400 and the like: this message will never be taken as it is.
    Rejected {
        /// The answer's text.
        why: String,
        /// 413: because of its size.
        too_large: bool,
    },
    /// 401, or 404 as Discord says it: this target is no target any more. The answer's text.
    WebhookGone(String),
}

/// The file beside a message.
#[derive(Debug, Clone, Copy)]
pub struct Attachment<'a> {
    /// `gametime-....json`.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// One client for all webhooks: every phase has a timeout; proxies come from the environment.
static AGENT: Lazy<Agent> = Lazy::new(|| {
    let seconds = |n| Some(Duration::from_secs(n));
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(seconds(10))
        .timeout_connect(seconds(10))
        .timeout_send_request(seconds(15))
        .timeout_send_body(seconds(30))
        .timeout_recv_response(seconds(30))
        .timeout_recv_body(seconds(15))
        .timeout_global(seconds(120))
        // A message and its file go out in some packets; the default, 128 KiB each, is for downloads.
        .input_buffer_size(16 * 1024)
        .output_buffer_size(16 * 1024)
        .user_agent(format!("gametimes/{}", crate::VERSION))
        .build();
    config.into()
});

/// Posts a message. Never panics, never repeats the URL.
pub fn post(url: &Secret, message: &Message, attachment: Option<Attachment<'_>>) -> Answer {
    let json = match serde_json::to_string(message) {
        Ok(json) => json,
        Err(e) => {
            return refused(format!("the message cannot be written as JSON: {e}"));
        }
    };
    let asked = with_wait(url.reveal());
    let sent = match attachment {
        None => AGENT
            .post(&asked)
            .header("Content-Type", "application/json")
            .send(json),
        Some(file) => {
            let part = Part::text(file.text)
                .file_name(file.name)
                .mime_str("application/json");
            match part {
                Ok(part) => {
                    let form = Form::new()
                        .text("payload_json", &json)
                        .part("files[0]", part);
                    AGENT.post(&asked).send(form)
                }
                Err(e) => return refused(e.to_string()),
            }
        }
    };
    match sent {
        Ok(response) => read(response, url.reveal()),
        Err(e) => Answer::RetryLater(describe(&e)),
    }
}

/// Asks Discord to answer when the message stands, with the message, instead of at once.
fn with_wait(url: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}wait=true")
}

/// An error of the network in words, without the URL.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(phase) => format!("timeout ({phase})"),
        ureq::Error::HostNotFound => "the host's name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(e) => match e.get_ref().map(ToString::to_string) {
            // What TLS makes of the bytes of the other side comes as an error of the network, with its own words inside.
            Some(why) if e.kind() == std::io::ErrorKind::InvalidData => format!("TLS: {why}"),
            // An answer of the resolver has no kind of its own.
            Some(why) if why.starts_with("failed to lookup address") => {
                "the host's name is not known".to_owned()
            }
            _ => format!("network: {}", e.kind()),
        },
        ureq::Error::Tls(e) => format!("TLS: {e}"),
        ureq::Error::Rustls(e) => format!("TLS: {e}"),
        ureq::Error::BadUri(_) => "the URL cannot be used".to_owned(),
        _ => "the answer was no HTTP".to_owned(),
    }
}

fn read(response: ureq::http::Response<ureq::Body>, url: &str) -> Answer {
    let (head, mut body) = response.into_parts();
    let header = |name: &str| head.headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |name: &str| header(name)?.parse().ok().and_then(pause);
    let status = head.status.as_u16();
    if (200..300).contains(&status) {
        // The message stands, whatever comes of the body.
        let empty = header("x-ratelimit-remaining") == Some("0");
        let pause = empty.then(|| seconds("x-ratelimit-reset-after")).flatten();
        return Answer::Delivered(pause.unwrap_or_default());
    }
    let text = body
        .with_config()
        .limit(ANSWER_LIMIT)
        .lossy_utf8(true)
        .read_to_string()
        .unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let said = format!("{status} {}", short(&json, &text, url));
    match status {
        429 => {
            let in_body = json["retry_after"].as_f64().and_then(pause);
            let longest = in_body.max(seconds("retry-after"));
            Answer::RateLimited {
                pause: longest.unwrap_or(Duration::from_secs(5)),
                global: json["global"] == true
                    || header("x-ratelimit-global").is_some_and(|v| v == "true"),
            }
        }
        401 => Answer::WebhookGone(said),
        404 if json["code"] == UNKNOWN_WEBHOOK => Answer::WebhookGone(said),
        403 | 404 | 408 | 425 | 300..=399 | 500.. => Answer::RetryLater(said),
        413 => Answer::Rejected {
            why: said,
            too_large: true,
        },
        _ => refused(said),
    }
}

fn refused(why: String) -> Answer {
    Answer::Rejected {
        why,
        too_large: false,
    }
}

fn pause(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .map(|pause| pause.min(RETRY_AFTER_LIMIT))
}

/// Discord's own words, short enough for a line of the log, and without the URL.
fn short(json: &serde_json::Value, body: &str, url: &str) -> String {
    let words = match (json["message"].as_str(), json["code"].as_i64()) {
        (Some(message), Some(code)) => format!("{message} (code {code})"),
        (Some(message), None) => message.to_owned(),
        _ => body.to_owned(),
    };
    text::one_line(&without_url(words, url), 300)
}

/// Proxies like to repeat the path that was asked for: the URL, its path, and each part of it that is long enough for a secret
/// are replaced by `…`.
fn without_url(words: String, url: &str) -> String {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let mut secrets: Vec<&str> = path.split(['/', '?', '&', '=']).collect();
    secrets.extend([url, path]);
    secrets.retain(|secret| secret.len() >= SECRET_LENGTH);
    // What is part of another goes after it.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
        .into_iter()
        .fold(words, |words, secret| words.replace(secret, "…"))
}
