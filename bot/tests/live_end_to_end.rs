//! A recorded match in real time: built module, live file, bot, browser. One bot reads the server's folder, another reads it over SFTP from a
//! real OpenSSH server. What their pages showed is compared with the files that the module wrote at the end of each round.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gametimes_bot::Config;
use gametimes_bot::config::Folder;
use gametimes_format::live::Life;
use gametimes_format::{GametimesFile, Team};
use gametimes_standin::{Options, play, recorded};
use gametimes_test_support::bot::browser::Browser;
use gametimes_test_support::bot::config_in;
use gametimes_test_support::bot::sshd::Sshd;
use gametimes_test_support::game::gametimes_files;
use gametimes_test_support::live::lives_at;
use jiff::Timestamp;
use serde::Deserialize;

/// What a page shows at one moment.
#[derive(Debug, Deserialize)]
struct Shown {
    map: String,
    round: String,
    state: String,
    /// The play clock of the snapshot, and as the page shows it now.
    clock: Option<(i64, f64)>,
    /// The countdowns to the next waves, of the snapshot.
    waves: BTreeMap<String, i64>,
    /// Each player's name, and whether the player lives.
    lives: Vec<(String, String)>,
    /// When this was read, on the wall clock.
    unix_ms: i64,
}

const READ: &str = "const card = document.querySelector('article.live');
    if (!card) return null;
    const text = selector => card.querySelector(selector)?.textContent ?? '';
    const clock = card.querySelector('.clock > [data-ms]');
    const waves = {}, lives = [];
    for (const team of ['Axis', 'Allies']) {
      const wave = card.querySelector(`section.${team} .wave [data-ms]`);
      if (wave) waves[team] = Number(wave.dataset.ms);
    }
    for (const row of card.querySelectorAll('tbody tr')) {
      const life = row.querySelector('.life').firstChild.textContent.trim();
      lives.push([row.querySelector('bdi').textContent, life]);
    }
    return {map: text('.map'), round: text('.what > span:not(.state)'), state: text('.state'),
      clock: clock ? [Number(clock.dataset.ms), clock.now] : null, waves, lives, unix_ms: Date.now()};";

/// Reads a page again and again until the match is over.
fn watch(browser: &Browser, is_over: impl Fn() -> bool) -> Vec<Shown> {
    let mut all = Vec::new();
    while !is_over() {
        if let Ok(Some(shown)) = serde_json::from_value(browser.run(READ)) {
            all.push(shown);
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    all
}

/// The word for a player's life on the page.
fn word(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Wounded => "wounded",
        Life::Limbo => "dead",
        Life::Waiting => "waiting",
        Life::Unknown => "?",
    }
}

/// Compares what a page showed with the files of the rounds. Returns how many moments of each round were compared, and how far the page's
/// clock was from the play clock each time.
fn compare(which: &str, all: &[Shown], files: &[GametimesFile]) -> (Vec<usize>, Vec<f64>) {
    let mut compared = vec![0; files.len()];
    let mut off_ms = Vec::new();
    for shown in all.iter().filter(|shown| shown.state == "Playing") {
        let Some((t_ms, now_ms)) = shown.clock else {
            continue;
        };
        let file = files.iter().enumerate().find(|(_, file)| {
            let meta = &file.meta;
            let unix = shown.unix_ms / 1000;
            (meta.round_start_unix..=meta.round_end_unix).contains(&unix)
                && (shown.round.is_empty() || shown.round == format!("round {}", meta.round))
        });
        // A page that is read in the second in which a round begins or ends may still show the one before.
        let Some((n, file)) = file.filter(|(_, file)| t_ms <= file.meta.duration_ms) else {
            continue;
        };
        let meta = &file.meta;
        assert_eq!(shown.map, meta.map, "{which}");
        // Of several things in the same millisecond, some may follow.
        if meta.events.iter().any(|event| event.t_ms == t_ms) {
            continue;
        }
        let names: BTreeMap<&str, &str> = meta
            .spawn_stats
            .iter()
            .map(|player| (player.guid.as_str(), player.name.as_str()))
            .collect();
        let expected: Vec<(String, String)> = lives_at(meta, t_ms)
            .into_iter()
            .map(|(key, life)| {
                let name = names.get(key.as_str()).copied().unwrap_or(&key);
                (name.to_owned(), word(life).to_owned())
            })
            .collect();
        // The file has the last names of those who changed theirs: for them, how many live and how many do not is compared.
        let all = |lives: &[(String, String)]| {
            let mut all: Vec<String> = lives.iter().map(|(_, life)| life.clone()).collect();
            all.sort();
            all
        };
        assert_eq!(all(&shown.lives), all(&expected), "{which}, {t_ms} ms");
        for (name, life) in &shown.lives {
            let same = expected.iter().filter(|(other, _)| other == name);
            if let [(_, expected)] = same.collect::<Vec<_>>()[..] {
                assert_eq!(life, expected, "{which}, {t_ms} ms: {name}");
            }
        }
        let wave = |team: Team| {
            let waves = meta.waves.as_ref()?.of(team)?;
            Some((team.name().to_owned(), waves.next_in_ms(t_ms)?))
        };
        let waves: BTreeMap<String, i64> = Team::ALL.into_iter().filter_map(wave).collect();
        assert_eq!(shown.waves, waves, "{which}, {t_ms} ms");
        compared[n] += 1;
        if meta.pauses.is_empty() {
            let end_ms = meta.round_end_unix as f64 * 1000.0;
            off_ms.push(now_ms - (meta.duration_ms as f64 - (end_ms - shown.unix_ms as f64)));
        }
    }
    (compared, off_ms)
}

#[tokio::test(flavor = "multi_thread")]
async fn match_in_real_time_is_shown_in_a_browser_as_it_is_recorded() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let gametimes = home.join("legacy/gametimes");
    let stats = folder.path().join("gamestats");
    std::fs::create_dir_all(&gametimes).unwrap();
    std::fs::create_dir_all(&stats).unwrap();
    let (by_folder, by_sftp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let with = |folder, change: &dyn Fn(&mut Config)| {
        let mut config = config_in(folder);
        config.live_delay = Duration::ZERO;
        change(&mut config);
        config
    };
    let from_folder = with(&by_folder, &|config| {
        config.folders = vec![Folder {
            path: gametimes.clone(),
            server: String::new(),
        }];
    });
    let from_sftp = with(&by_sftp, &|config| {
        config.ssh = vec![sshd.settings(&stats, Some(&gametimes))];
    });
    let mut bots = Vec::new();
    for (which, config) in [("folder", from_folder), ("SFTP", from_sftp)] {
        let bot = gametimes_bot::start(config).await.unwrap();
        bots.push((which, bot));
    }
    let playing = {
        let home = home.clone();
        tokio::task::spawn_blocking(move || play_in_real_time(&home))
    };
    let playing = std::sync::Arc::new(playing);
    let watching: Vec<_> = bots
        .iter()
        .map(|(which, bot)| {
            let (which, url) = (*which, bot.url("/live"));
            let playing = std::sync::Arc::clone(&playing);
            tokio::task::spawn_blocking(move || {
                let browser = Browser::start();
                browser.open(&url);
                (which, watch(&browser, || playing.is_finished()))
            })
        })
        .collect();
    let mut shown = Vec::new();
    for watching in watching {
        shown.push(watching.await.unwrap());
    }
    let files = gametimes_files(&home);
    assert!(!files.is_empty(), "the match was not recorded");
    for (which, all) in &shown {
        let (compared, mut off_ms) = compare(which, all, &files);
        off_ms.sort_by(f64::total_cmp);
        // Whole seconds are what the file knows of the wall clock; the differences of the differences are the page's.
        let spread = |share: usize| off_ms.get(off_ms.len() * share / 100).copied();
        println!(
            "{which}: {compared:?} moments; clock off by {:?} to {:?} ms",
            spread(5),
            spread(95)
        );
        assert!(
            compared.iter().sum::<usize>() >= 20,
            "{which}: {compared:?}"
        );
    }
    for (_, bot) in bots {
        bot.stop().await.unwrap();
    }
}

fn play_in_real_time(home: &Path) {
    let tape = recorded::tape("public40").unwrap();
    let mut options = Options::new(&recorded::built_module(), home).cvar("gametimes_live", "1");
    options.realtime = true;
    options.starting_at = Some(Timestamp::now().as_millisecond());
    play(&tape, &options).unwrap();
}
