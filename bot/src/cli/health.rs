//! `gametimes-bot health`: asks the running bot, for the health check of a container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long the bot may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the bot that listens on this address how it is, and prints its answer.
///
/// # Errors
/// If it does not answer, or cannot store what arrives.
pub fn check(listen: SocketAddr) -> Result<(), String> {
    let url = format!("http://{}/api/health", reachable(listen));
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        // A proxy would ask another machine.
        .proxy(None)
        .build()
        .new_agent();
    let error = |e: ureq::Error| format!("{url}: {e}");
    let answer = agent.get(&url).call().map_err(error)?;
    let status = answer.status();
    let text = answer.into_body().read_to_string().map_err(error)?;
    if !status.is_success() {
        return Err(format!("{url}: {status}: {text}"));
    }
    println!("{text}");
    Ok(())
}

/// A bot that listens on all addresses is reached over loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
