//! Plays a tape through the module.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::tape::{self, Bytes, Line, Record, Tape};
use crate::{Arg, Server, Step};

/// How a tape is played.
#[derive(Debug, Clone)]
pub struct Options {
    /// The built module.
    pub module: PathBuf,
    /// `<fs_homepath>`; gametimes files go to `<home>/legacy/gametimes/`.
    pub home: PathBuf,
    /// Play at the pace of the match instead of as fast as possible.
    pub realtime: bool,
    /// Play it as if it had begun at this time, in unix milliseconds.
    pub starting_at: Option<i64>,
    /// After the last map, wait at most half a minute until the outbox is empty, as a server that keeps running would
    /// send it.
    pub drain_outbox: bool,
    /// Cvars to set before the first map, in place of those of the tape.
    pub cvars: Vec<(String, String)>,
}

impl Options {
    /// Options to play as fast as possible.
    pub fn new(module: &Path, home: &Path) -> Self {
        Self {
            module: module.to_owned(),
            home: home.to_owned(),
            realtime: false,
            starting_at: None,
            drain_outbox: false,
            cvars: Vec::new(),
        }
    }

    /// Sets a cvar.
    #[must_use]
    pub fn cvar(mut self, name: &str, value: &str) -> Self {
        self.cvars.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Plays a whole tape on a new server and returns its console. The base folder is `<home>/base`.
///
/// # Errors
/// When something cannot be loaded or written.
pub fn play(tape: &Tape, options: &Options) -> Result<String, String> {
    let base = options.home.join("base");
    let mut server = Server::new(&options.module, &options.home, &base)?;
    for (name, value) in &options.cvars {
        server.set_cvar(name, value);
    }
    let mut player = Player::new(tape, options.realtime);
    if let Some(unix_ms) = options.starting_at {
        player = player.starting_at(unix_ms);
    }
    while player.step(&mut server, |_| {})? {}
    if options.drain_outbox {
        drain_outbox(&options.home)?;
    }
    let console = server.take_console();
    wait_for_disk(&options.home, &console)?;
    Ok(console)
}

/// Waits until the outbox is empty.
fn drain_outbox(home: &Path) -> Result<(), String> {
    let queued =
        |instance: &Path| std::fs::read_dir(instance.join("queue")).map_or(0, Iterator::count);
    wait_for_instances(home, "messages still wait to be sent", queued)
}

/// Waits until everything is written, if the module has reported a slow disk and lets the game continue without it.
///
/// # Errors
/// After a minute.
pub fn wait_for_disk(home: &Path, console: &str) -> Result<(), String> {
    if !console.contains("the disk is slow") {
        return Ok(());
    }
    let running = |instance: &Path| usize::from(instance.join("round.journal").exists());
    wait_for_instances(home, "rounds are still to be written", running)
}

/// Waits until a count is 0 in the outbox of every instance.
fn wait_for_instances(
    home: &Path,
    what: &str,
    count: impl Fn(&Path) -> usize,
) -> Result<(), String> {
    let outbox = home.join("legacy/gametimes/outbox");
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let instances =
            std::fs::read_dir(&outbox).map_err(|e| format!("{}: {e}", outbox.display()))?;
        let left: usize = instances.flatten().map(|i| count(&i.path())).sum();
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{left} {what}: {}", outbox.display()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Plays a tape call by call.
pub struct Player<'a> {
    lines: &'a [Line],
    at: usize,
    realtime: bool,
    last_unix_ms: Option<i64>,
    last_call: Duration,
    /// The difference between the played and the recorded wall clock.
    shift_ms: i64,
}

impl<'a> Player<'a> {
    /// A player at the beginning of a tape.
    pub fn new(tape: &'a Tape, realtime: bool) -> Self {
        Self {
            lines: &tape.lines,
            at: 0,
            realtime,
            last_unix_ms: None,
            last_call: Duration::ZERO,
            shift_ms: 0,
        }
    }

    /// The lines of the tape that were played so far.
    pub fn played(&self) -> &[Line] {
        &self.lines[..self.at]
    }

    /// The command of the next call; `None` at the end of the tape.
    pub fn next_call(&self) -> Option<&str> {
        self.lines[self.at..].iter().find_map(|line| match line {
            Line::Call { cmd, .. } => Some(cmd.as_str()),
            _ => None,
        })
    }

    /// Whether the game closes a stats file in the next call.
    pub fn next_closes_stats_file(&self) -> bool {
        let (before, next) = self.lines.split_at(self.at);
        let is_call = |line: &Line| matches!(line, Line::Call { .. });
        let begin = next.iter().position(is_call).unwrap_or(next.len());
        let is_end = |line: &Line| matches!(line, Line::Ret { .. });
        let end = next[begin..]
            .iter()
            .position(is_end)
            .map_or(next.len(), |n| begin + n);
        next[begin..end].iter().enumerate().any(|(n, line)| {
            let Line::FsClose { handle: closed } = line else {
                return false;
            };
            let earlier = before.iter().chain(&next[..begin + n]).rev();
            let opened = earlier.into_iter().find_map(|line| match line {
                Line::FsOpen { path, handle, .. } if handle == closed => Some(&path.0),
                _ => None,
            });
            opened.is_some_and(|path| path.starts_with(b"gamestats/"))
        })
    }

    /// The duration of the last call, with everything that the game did in it.
    pub fn last_call(&self) -> Duration {
        self.last_call
    }

    /// Plays the match as if it had begun at this time.
    #[must_use]
    pub fn starting_at(mut self, unix_ms: i64) -> Self {
        let first = self.lines.iter().find_map(|line| match line {
            Line::Call { unix_ms, .. } => Some(*unix_ms),
            _ => None,
        });
        self.shift_ms = first.map_or(0, |first| unix_ms - first);
        self
    }

    /// The match's wall clock at the last call.
    pub fn unix_ms(&self) -> i64 {
        self.last_unix_ms.unwrap_or(0)
    }

    /// Plays up to the end of the next call, and returns false at the end of the tape. `before` gets the command and the
    /// arguments first.
    ///
    /// # Errors
    /// When the module cannot be loaded.
    pub fn step(
        &mut self,
        server: &mut Server,
        mut before: impl FnMut(&Call<'_>),
    ) -> Result<bool, String> {
        while let Some(line) = self.lines.get(self.at) {
            self.at += 1;
            match line {
                Line::Cvars { values } => {
                    for (name, value) in values {
                        // Folders are those of this server, not those of the recorded one.
                        if !matches!(name.as_str(), "fs_basepath" | "fs_homepath") {
                            server.set_cvar(name, &value.0);
                        }
                    }
                }
                Line::Userinfo { n, value } => server.set_userinfo(*n, &value.0),
                Line::Clientcmd { text, .. } => server.set_command(&text.0),
                Line::Call { cmd, args, unix_ms } => {
                    let call = Call { cmd, args };
                    before(&call);
                    self.call(server, &call, *unix_ms)?;
                    return Ok(true);
                }
                _ => {} // nothing else stands outside of calls
            }
        }
        Ok(false)
    }

    fn call(&mut self, server: &mut Server, call: &Call<'_>, unix_ms: i64) -> Result<(), String> {
        let command = tape::command(call.cmd)
            .ok_or_else(|| format!("{}: no call of the engine", call.cmd))?;
        let arguments: Vec<isize> = call.args.iter().map(|&a| a as isize).collect();
        let unix_ms = unix_ms + self.shift_ms;
        if let Some(last) = self.last_unix_ms.replace(unix_ms)
            && self.realtime
        {
            std::thread::sleep(Duration::from_millis((unix_ms - last).clamp(0, 2000) as u64));
        }
        server.set_unix_ms(unix_ms);
        match call.cmd {
            "init" => server.load()?,
            "shutdown" => self.prepare_shutdown(server),
            "console" => server.set_command(b"recorded"),
            _ => {}
        }
        let steps = self.steps(server);
        let began = Instant::now();
        server.call(command, &arguments, steps);
        self.last_call = began.elapsed();
        if call.cmd == "shutdown" {
            server.unload();
        }
        Ok(())
    }

    /// Before the engine ends a map, it sets `gamestate` for the next one. The tape has that value right before the next
    /// `init`; after a `quit` there is no next one.
    fn prepare_shutdown(&self, server: &Server) {
        let next = self.lines[self.at..].iter().find_map(|line| match line {
            Line::Cvars { values } => values.get("gamestate"),
            _ => None,
        });
        if let Some(gamestate) = next {
            server.set_cvar("gamestate", &gamestate.0);
        }
    }

    /// Collects the steps inside the call that has just begun, up to its return.
    fn steps(&mut self, server: &Server) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut depth = 1;
        while let Some(line) = self.lines.get(self.at) {
            self.at += 1;
            let text = |b: &Bytes| Arg::Text(b.0.clone());
            match line {
                Line::Ret { value } => {
                    steps.push(Step::Return(*value as isize));
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Line::Call { args, .. } => {
                    // The engine drops a client from inside a trap.
                    depth += 1;
                    let slot = args.first().copied().unwrap_or(0) as isize;
                    steps.push(Step::Trap(
                        18,
                        vec![Arg::Int(slot), Arg::Text(Vec::new()), Arg::Int(0)],
                    ));
                }
                Line::Ps { c } => steps.extend(c.iter().map(write)),
                Line::Locate {
                    num_entities,
                    entity_size,
                    client_size,
                } => steps.push(Step::Locate {
                    entities: *num_entities as isize,
                    entity_size: *entity_size as isize,
                    client_size: *client_size as isize,
                }),
                Line::Print { text: t } => steps.push(Step::Trap(0, vec![text(t)])),
                Line::CvarSet { name, value } => {
                    steps.push(Step::Trap(5, vec![text(name), text(value)]));
                }
                Line::Configstring { n, value } => {
                    steps.push(Step::Trap(20, vec![Arg::Int(*n as isize), text(value)]));
                }
                Line::Servercmd { text: t } => {
                    steps.push(Step::Trap(19, vec![Arg::Int(-1), text(t)]));
                }
                Line::FsOpen { path, mode, handle } => steps.push(Step::Trap(
                    11,
                    vec![
                        text(path),
                        Arg::Handle(*handle as i32),
                        Arg::Int(*mode as isize),
                    ],
                )),
                Line::FsClose { handle } => {
                    steps.push(Step::Trap(15, vec![Arg::Int(*handle as isize)]));
                }
                Line::Userinfo { n, value } => server.set_userinfo(*n, &value.0),
                Line::Cvars { .. } | Line::Clientcmd { .. } => {}
            }
        }
        steps
    }
}

/// A call of a tape.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// `frame`.
    pub cmd: &'a str,
    /// Its arguments.
    pub args: &'a [i64],
}

/// The fields of the record at the offsets of `playerState_t`.
fn write(record: &Record) -> Step {
    let array = |at: i64, values: &[i64]| -> Vec<(i64, i64)> {
        (0..).zip(values).map(|(i, &v)| (at + 4 * i, v)).collect()
    };
    let mut fields = vec![
        (4, record.pm_type),
        (12, record.pm_flags),
        (104, record.eflags),
        (160, record.cnum),
    ];
    fields.extend(array(208, &record.stats));
    fields.extend(array(272, &record.pers));
    Step::Write(record.n as isize, fields)
}
