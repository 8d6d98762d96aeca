//! One post to one webhook, and the meaning of its answer.

use std::time::Duration;

use gametimes_format::{Message, Secret, text};
use once_cell::sync::Lazy;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::unversioned::multipart::{Form, Part};

/// How many bytes of an answer are read.
const ANSWER_LIMIT: u64 = 64 << 10;
/// The longest pause that a 429 can ask for.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(3600);
/// Discord's code for a deleted webhook. Any other 404 comes from a proxy or is temporary.
const UNKNOWN_WEBHOOK: i64 = 10015;
/// Discord's code for a wrong token.
const INVALID_TOKEN: i64 = 50027;
/// Discord's code for a request that is too large.
const TOO_LARGE: i64 = 40005;
/// Discord's codes for rate limits of a channel, of slow mode, and of the service.
const RATE_LIMITS: [i64; 4] = [20016, 20028, 20029, 40062];
/// Shorter parts of a URL are not secret: Discord's tokens have 68 characters.
const SECRET_LENGTH: usize = 10;

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: delivered. The time is how long to wait before the next post, if the answer reports an empty bucket.
    Delivered(Duration),
    /// 429: rate limited.
    RateLimited {
        /// How long to wait. A banned address gets no time.
        pause: Option<Duration>,
        /// Whether the limit is for all webhooks.
        global: bool,
    },
    /// 5xx, a timeout, a network error, or a proxy that refuses: retry later. The text is for the log.
    RetryLater(String),
    /// 400 and similar: the webhook will never accept this message as it is.
    Rejected {
        /// The answer's text.
        why: String,
        /// Whether it was too large (413).
        too_large: bool,
    },
    /// Discord accepts no message at this URL as it is. The message itself is fine.
    WrongUrl {
        /// The answer's text.
        why: String,
        /// What the admin can do.
        cure: &'static str,
    },
    /// 401, or 404 with Discord's code: the webhook does not exist any more. The answer's text.
    WebhookGone(String),
}

/// The file attached to a message.
#[derive(Debug, Clone, Copy)]
pub struct Attachment<'a> {
    /// The file name.
    pub name: &'a str,
    /// The content.
    pub text: &'a str,
}

/// One client for all webhooks. Every phase has a timeout; a proxy is taken from the environment.
static AGENT: Lazy<Agent> = Lazy::new(|| {
    let seconds = |n| Some(Duration::from_secs(n));
    let config = config()
        .timeout_resolve(seconds(10))
        .timeout_connect(seconds(10))
        .timeout_send_request(seconds(15))
        .timeout_send_body(seconds(30))
        .timeout_recv_response(seconds(30))
        .timeout_recv_body(seconds(15))
        .timeout_global(seconds(120))
        .build();
    config.into()
});

/// What is the same for every client: all answers are read, no redirect is followed.
pub(super) fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A message and its file fit into a few packets; the default of 128 KiB each is for downloads.
        .input_buffer_size(16 * 1024)
        .output_buffer_size(16 * 1024)
        .user_agent(format!("gametimes/{}", crate::VERSION))
}

/// Posts a message. The answer never contains the URL, which is a secret.
pub fn post(url: &Secret, message: &Message, attachment: Option<Attachment<'_>>) -> Answer {
    let json = match serde_json::to_string(message) {
        Ok(json) => json,
        Err(e) => {
            return rejected(format!("the message cannot be encoded as JSON: {e}"));
        }
    };
    let wait_url = with_wait(url.reveal());
    let sent = match attachment {
        None => AGENT
            .post(&wait_url)
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
                    AGENT.post(&wait_url).send(form)
                }
                Err(e) => return rejected(e.to_string()),
            }
        }
    };
    match sent {
        Ok(response) => read(response, url.reveal()),
        Err(e) => Answer::RetryLater(describe(&e)),
    }
}

/// Makes Discord answer after it has stored the message, instead of at once.
fn with_wait(url: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}wait=true")
}

/// A network error in words, without the URL.
pub(super) fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(phase) => format!("timeout ({phase})"),
        ureq::Error::HostNotFound => "unknown host".to_owned(),
        ureq::Error::ConnectionFailed => "connection failed".to_owned(),
        ureq::Error::Io(e) => match e.get_ref().map(ToString::to_string) {
            // TLS errors arrive as I/O errors that contain the TLS error's text.
            Some(why) if e.kind() == std::io::ErrorKind::InvalidData => format!("TLS: {why}"),
            // Resolver errors have no error kind.
            Some(why) if why.starts_with("failed to lookup address") => "unknown host".to_owned(),
            _ => format!("network: {}", e.kind()),
        },
        ureq::Error::Tls(e) => format!("TLS: {e}"),
        ureq::Error::Rustls(e) => format!("TLS: {e}"),
        ureq::Error::BadUri(_) => "the URL cannot be used".to_owned(),
        _ => "the answer is not HTTP".to_owned(),
    }
}

fn read(response: ureq::http::Response<ureq::Body>, url: &str) -> Answer {
    let (head, mut body) = response.into_parts();
    let header = |name: &str| head.headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |name: &str| header(name)?.parse().ok().and_then(pause);
    let status = head.status.as_u16();
    if (200..300).contains(&status) {
        // The message is stored, even if the body cannot be read.
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
    let answer = format!("{status} {}", short(&json, &text, url));
    let code = json["code"].as_i64().unwrap_or_default();
    match status {
        _ if status == 429 || RATE_LIMITS.contains(&code) => {
            let in_body = json["retry_after"].as_f64().and_then(pause);
            let longest = in_body.max(seconds("retry-after"));
            Answer::RateLimited {
                pause: longest.filter(|pause| !pause.is_zero()),
                global: json["global"] == true
                    || header("x-ratelimit-global").is_some_and(|v| v == "true"),
            }
        }
        401 => Answer::WebhookGone(answer),
        _ if [UNKNOWN_WEBHOOK, INVALID_TOKEN].contains(&code) => Answer::WebhookGone(answer),
        413 => too_large(answer),
        _ if code == TOO_LARGE => too_large(answer),
        _ => match cure(status, code, &json) {
            Some(cure) => Answer::WrongUrl { why: answer, cure },
            None if matches!(status, 400 | 406 | 411 | 415 | 422 | 431) => rejected(answer),
            None => Answer::RetryLater(answer),
        },
    }
}

/// What the admin can do if an answer is about the webhook's URL or channel, and not about the message. The script has the
/// same list.
fn cure(status: u16, code: i64, json: &serde_json::Value) -> Option<&'static str> {
    // An id in the URL that is not a number: Discord's checks name the parameter, in two formats.
    let names = |id| !json[id].is_null() || !json["errors"][id].is_null();
    Some(match code {
        220_001 => {
            "its channel is a forum: append ?thread_id= and the id of a post to the URL, or use the webhook of a text channel"
        }
        220_002..=220_004 | 50008 | 50024 => {
            "its channel does not take such messages: use the webhook of a text channel"
        }
        40067 => "its forum requires tags: append ?thread_id= and the id of a post to the URL",
        10003 => {
            "the thread_id in the URL is not that of a thread in its channel: correct or remove it"
        }
        50083 | 160_005 => "its thread is closed: open it, or use another thread_id",
        _ if names("thread_id") => "the thread_id in the URL is not a number: correct it",
        _ if names("webhook_id") || names("webhook_token") => "correct the URL",
        _ if matches!(status, 405 | 414) => "correct the URL",
        _ => return None,
    })
}

fn too_large(why: String) -> Answer {
    Answer::Rejected {
        why,
        too_large: true,
    }
}

fn rejected(why: String) -> Answer {
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

/// The answer's error text, short enough for a log line and without the URL.
fn short(json: &serde_json::Value, body: &str, url: &str) -> String {
    let words = match (json["message"].as_str(), json["code"].as_i64()) {
        (Some(message), Some(code)) => format!("{message} (code {code})"),
        (Some(message), None) => message.to_owned(),
        _ => body.to_owned(),
    };
    text::one_line(&without_url(words, url), 300)
}

/// Replaces the URL, its path and every part of it that is long enough to be a secret by `…`, because proxies may repeat the
/// path in their answer.
fn without_url(words: String, url: &str) -> String {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let mut secrets: Vec<&str> = path.split(['/', '?', '&', '=']).collect();
    secrets.extend([url, path]);
    secrets.retain(|secret| secret.len() >= SECRET_LENGTH);
    // Longest first, because one can be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
        .into_iter()
        .fold(words, |words, secret| words.replace(secret, "…"))
}
