//! The part of `init` about the files of game servers: folders on this machine, and servers reached over SSH.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::prompt::{Prompt, Question};
use super::settings::{Settings, Ssh};
use super::{Options, checked};
use crate::config;
use crate::files::folder::LocalDirectory;
use crate::files::host_key::HostKey;
use crate::files::poller::Directory;
use crate::files::sftp::{FolderKind, RemoteDirectory};
use crate::files::ssh::{SshServer, check_key_file};

/// How long each step of a connection may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The folders that recorders and stats scripts write to, in the folder of the game.
const STATS: &str = "gamestats";
const GAMETIMES: &str = "gametimes";

/// Asks for folders and servers.
pub(super) async fn ask(
    options: &Options,
    prompt: &mut dyn Prompt,
    beside: &Path,
    settings: &mut Settings,
) -> Result<(), String> {
    for folder in &options.folders {
        let found = check_folder(folder).await;
        settings
            .folders
            .extend(found.map_err(|e| format!("--folder: {e}"))?);
    }
    let is_asked = options.folders.is_empty() && options.ssh.is_none();
    if is_asked && prompt.confirm("Does a game server run on this machine?", false)? {
        let question = Question {
            text: "Folder of the game on this machine (<fs_homepath>/<fs_game>):",
            option: "folder",
            default: None,
        };
        let folders = checked(prompt, None, question, async |path| {
            check_folder(Path::new(path)).await
        });
        settings.folders.extend(folders.await?);
    }
    let mut given = options.ssh.clone();
    let question = "Read the files of a game server on another machine, over SSH?";
    while given.is_some() || (is_asked && prompt.confirm(question, false)?) {
        let ssh = ask_ssh(given.take(), options, prompt, beside).await?;
        settings.ssh.push(ssh);
    }
    Ok(())
}

/// The folders of the game's files in a folder, or the folder itself.
async fn check_folder(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = std::path::absolute(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let inside = [STATS, GAMETIMES].map(|name| folder.join(name));
    let mut folders: Vec<PathBuf> = inside.into_iter().filter(|path| path.is_dir()).collect();
    if folders.is_empty() {
        folders.push(folder);
    }
    for folder in &folders {
        LocalDirectory::new(folder).list().await?;
    }
    Ok(folders)
}

async fn ask_ssh(
    given: Option<String>,
    options: &Options,
    prompt: &mut dyn Prompt,
    beside: &Path,
) -> Result<Ssh, String> {
    let question = Question {
        text: "Server (USER@HOST or USER@HOST:PORT):",
        option: "ssh",
        default: None,
    };
    let timeout = TIMEOUT;
    let (user, host, port, key) = checked(prompt, given, question, async |text| {
        let (user, host, port) = parse_server(text)?;
        let key = HostKey::of(&host, port, timeout).await?;
        Ok((user, host, port, key))
    })
    .await?;
    let known_hosts = beside.join("known_hosts");
    trust(options, prompt, &host, port, &key, &known_hosts)?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let default = home.map(|home| home.join(".ssh/id_ed25519"));
    let default = default.filter(|path| path.is_file());
    let default = default.map(|path| path.display().to_string());
    let question = Question {
        text: "Private key for the server (if you have none: ssh-keygen -t ed25519 -f bot_key):",
        option: "ssh-key",
        default: default.as_deref(),
    };
    let given = options.ssh_key.as_ref().map(|p| p.display().to_string());
    let key_file = checked(prompt, given, question, async |path| {
        let path = std::path::absolute(path).map_err(|e| e.to_string())?;
        check_key_file(&path)?;
        Ok(path)
    })
    .await?;
    let ssh = Ssh {
        host,
        port,
        user,
        key_file,
        known_hosts,
        stats_dir: None,
        gametimes_dir: None,
    };
    let question = Question {
        text: "Folder of the game on the server (<fs_homepath>/<fs_game>):",
        option: "ssh-folder",
        default: None,
    };
    let given = options.ssh_folder.clone();
    let (stats_dir, gametimes_dir) = checked(prompt, given, question, async |path| {
        remote_folders(&ssh, path).await
    })
    .await?;
    for (name, found) in [(STATS, &stats_dir), (GAMETIMES, &gametimes_dir)] {
        if found.is_none() {
            prompt.say(&format!(
                "  there is no folder {name} yet; when it is there, add it to the settings file"
            ));
        }
    }
    Ok(Ssh {
        stats_dir,
        gametimes_dir,
        ..ssh
    })
}

/// The folders with stats files and with gametimes files in the folder of the game.
async fn remote_folders(ssh: &Ssh, path: &str) -> Result<(Option<String>, Option<String>), String> {
    let server = SshServer::new(config::Ssh {
        host: ssh.host.clone(),
        port: ssh.port,
        user: ssh.user.clone(),
        key_file: ssh.key_file.clone(),
        key_passphrase: None,
        known_hosts: ssh.known_hosts.clone(),
        stats_dir: None,
        gametimes_dir: None,
        server: String::new(),
        timeout: TIMEOUT,
    });
    let mut found = Vec::new();
    let mut failed = Vec::new();
    for (name, kind) in [
        (STATS, FolderKind::Stats),
        (GAMETIMES, FolderKind::Gametimes),
    ] {
        let folder = format!("{}/{name}", path.trim_end_matches('/'));
        let listed = RemoteDirectory::new(server.clone(), &folder, kind);
        let listed = { listed }.list().await;
        failed.extend(listed.as_ref().err().cloned());
        found.push(listed.is_ok().then_some(folder));
    }
    let gametimes = found.pop().flatten();
    let stats = found.pop().flatten();
    if stats.is_none() && gametimes.is_none() {
        return Err(failed.join("; "));
    }
    Ok((stats, gametimes))
}

/// Makes sure that the host key is in the known_hosts file.
fn trust(
    options: &Options,
    prompt: &mut dyn Prompt,
    host: &str,
    port: u16,
    key: &HostKey,
    known_hosts: &Path,
) -> Result<(), String> {
    if key.is_known(host, port, known_hosts)? {
        return Ok(());
    }
    let fingerprint = key.fingerprint();
    match &options.host_key {
        Some(expected) if *expected == fingerprint => {}
        Some(expected) => {
            return Err(format!(
                "--host-key: the server has {fingerprint}, not {expected}"
            ));
        }
        None => {
            prompt.say(&format!(
                "  {host}:{port} has the {} key {fingerprint}",
                key.algorithm()
            ));
            let question = "Is that the fingerprint that `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints there?";
            if !prompt.confirm(question, false)? {
                return Err(format!(
                    "{host}:{port}: the host key {fingerprint} is not trusted; compare it and pass --host-key {fingerprint}"
                ));
            }
        }
    }
    key.store(host, port, known_hosts)
}

/// Splits `USER@HOST:PORT`.
fn parse_server(text: &str) -> Result<(String, String, u16), String> {
    let error = || format!("{text:?} is not like et@game.example.org or et@game.example.org:22");
    let (user, address) = text.split_once('@').ok_or_else(error)?;
    let (host, port) = match address.rsplit_once(':') {
        // More colons are an IPv6 address.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().map_err(|_| error())?)
        }
        _ => (address, 22),
    };
    let host = host.trim_matches(['[', ']']);
    if user.is_empty() || host.is_empty() {
        return Err(error());
    }
    Ok((user.to_owned(), host.to_owned(), port))
}
