//! Compares the lanes with what the module counted, and renders pictures of all rounds.

use gametimes_format::{EventKind, GametimesFile};
use serde_json::json;

use super::*;
use crate::db::players::Player;
use crate::db::rounds::{Recorded, RoundSummary};

/// The gametimes files that the module wrote for the recorded matches.
fn recorded() -> Vec<GametimesFile> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/native");
    let mut files = Vec::new();
    for tape in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(tape.unwrap().path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            files.push(serde_json::from_slice(&bytes).unwrap());
        }
    }
    assert!(files.len() >= 6);
    files
}

fn chart_of(file: &GametimesFile) -> Chart {
    let meta = &file.meta;
    let players = meta.spawn_stats.iter().map(|s| Player {
        guid: s.guid.clone(),
        name: s.name.clone(),
        team: Some(s.team.into()),
        spawns: Some(s.spawns.into()),
        dead_ms: Some(s.dead_ms),
        denied_ms: Some(s.denied_ms),
        ..Player::default()
    });
    let detail = RoundDetail {
        round: RoundSummary {
            id: 1,
            match_id: meta.match_id.clone(),
            round_number: meta.round.into(),
            map_name: meta.map.clone(),
            server_name: Some(meta.server_hostname.clone()),
            server_address: None,
            round_start_unix: Some(meta.round_start_unix),
            round_end_unix: Some(meta.round_end_unix),
            actual_duration_seconds: Some(meta.actual_duration_seconds),
            duration_ms: Some(meta.duration_ms),
            total_pause_seconds: Some(meta.pause_seconds),
            pause_count: Some(meta.pause_count),
            winner_team: Some(meta.winner.into()),
            defender_team: Some(meta.defender.into()),
            end_reason: Some(meta.end_reason.as_str().into()),
            round_status: None,
            stats_file: None,
            recorder: Some("native".into()),
            flags: None,
        },
        recorded: Some(Recorded {
            axis_players: json!([]),
            allies_players: json!([]),
            pauses: serde_json::to_value(&meta.pauses).unwrap(),
            time_limit_minutes: None,
            warmup_seconds: None,
            surrender_team: None,
            surrender_caller_name: None,
            axis_score: Some(0),
            allies_score: Some(1),
            version: None,
        }),
        players: players.collect(),
    };
    Chart::new(&detail, &meta.events)
}

#[test]
fn the_lanes_add_up_to_the_times_that_the_module_counted() {
    let mut players = 0;
    for file in recorded() {
        let chart = chart_of(&file);
        for stats in &file.meta.spawn_stats {
            let lane = chart.lanes.iter().find(|l| l.guid == stats.guid).unwrap();
            let sum = |f: &dyn Fn(&&Span) -> bool| -> i64 {
                lane.spans
                    .iter()
                    .filter(f)
                    .map(|s| s.to_ms - s.from_ms)
                    .sum()
            };
            let who = format!("{} {}", file.file_name(), stats.name);
            assert_eq!(
                sum(&|s| s.state == State::Alive),
                stats.alive_ms,
                "{who}: alive"
            );
            assert_eq!(sum(&|s| s.dead), stats.dead_ms, "{who}: dead");
            assert_eq!(
                sum(&|s| s.state != State::Absent),
                stats.played_ms,
                "{who}: played"
            );
            assert_eq!(lane.kills.len(), stats.kills as usize, "{who}: kills");
            assert_eq!(lane.revives.len(), stats.revives as usize, "{who}: revives");
            players += 1;
        }
    }
    assert!(players >= 100, "{players}");
}

#[test]
fn pauses_are_drawn_where_the_play_clock_stopped() {
    let mut file = recorded()
        .into_iter()
        .find(|f| f.meta.pause_count == 2)
        .unwrap();
    let at = |file: &GametimesFile| -> Vec<(i64, i64)> {
        let pause_marks = chart_of(file).pauses;
        pause_marks.iter().map(|s| (s.at_ms, s.seconds)).collect()
    };
    // In the tape the round begins at level time 140,150 and is paused at 155,150 and 185,150.
    assert_eq!(at(&file), [(15_000, 16), (28_950, 14)]);
    // Older files contain unix times only.
    for pause in &mut file.meta.pauses {
        pause.at_play_ms = None;
    }
    assert_eq!(at(&file), [(14_000, 16), (28_000, 14)]);
}

#[test]
fn rounds_with_unusual_names_are_rendered_without_markup_from_them() {
    let names = [
        "<script>alert(1)</script>",
        "^1Ev\"il&'",
        "日本語プレイヤー",
        "שלום עולם",
        "مرحبا",
        "한국어",
        "🦩🦩",
        "a\u{202E}b",
        "",
    ];
    for file in recorded() {
        for theme in [Theme::Auto, Theme::Dark] {
            let mut chart = chart_of(&file);
            for (lane, name) in chart.lanes.iter_mut().zip(names.iter().cycle()) {
                lane.name = displayable(name);
            }
            let svg = chart.svg(theme);
            assert!(!svg.contains("<script"), "{svg}");
            let png = png::render(&svg, 1.0).unwrap();
            assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        }
    }
}

#[test]
fn a_round_without_players_or_timeline_is_rendered() {
    let file = &recorded()[0];
    let mut chart = chart_of(file);
    chart.lanes.clear();
    chart.duration_ms = 0;
    png::render(&chart.svg(Theme::Auto), 1.0).unwrap();
    chart.has_timeline = false;
    assert!(chart.svg(Theme::Auto).contains("No timeline"));
}

/// The round with more players and events, in turns.
fn enlarged(mut file: GametimesFile, players: usize, events: usize) -> GametimesFile {
    let stats = file.meta.spawn_stats.clone();
    let known = file.meta.events.clone();
    for (n, stats) in (stats.len()..players).zip(stats.iter().cycle()) {
        let mut stats = stats.clone();
        stats.guid = format!("{n:032X}");
        file.meta.spawn_stats.push(stats);
    }
    for (n, event) in (known.len()..events).zip(known.iter().cycle()) {
        let mut event = event.clone();
        event
            .guid
            .clone_from(&file.meta.spawn_stats[n % players].guid);
        event.t_ms = n as i64;
        file.meta.events.push(event);
    }
    file
}

#[test]
fn round_that_is_too_large_is_not_drawn_but_says_so() {
    let file = recorded()
        .into_iter()
        .find(|f| f.meta.spawn_stats.len() == 40)
        .unwrap();
    let events = file.meta.events.len();
    assert!(chart_of(&enlarged(file.clone(), PLAYERS_MAX, EVENTS_MAX)).has_timeline);
    let highest = chart_of(&enlarged(file.clone(), PLAYERS_MAX, events));
    png::render(&highest.svg(Theme::Auto), PNG_SCALE).unwrap();
    for (players, events) in [
        (40, EVENTS_MAX + 1),
        (PLAYERS_MAX + 1, 1_000),
        (512, 65_536),
    ] {
        let chart = chart_of(&enlarged(file.clone(), players, events));
        assert!(!chart.has_timeline && chart.lanes.is_empty());
        let svg = chart.svg(Theme::Auto);
        let text = format!(
            "No timeline: {events} events of {players} players are too many for a picture."
        );
        assert!(svg.contains(&text), "{svg}");
        png::render(&svg, PNG_SCALE).unwrap();
    }
}

#[test]
fn made_up_players_in_a_timeline_add_a_limited_number_of_lanes() {
    let mut file = recorded().remove(0);
    let players = chart_of(&file).lanes.len();
    let event = file.meta.events[0].clone();
    for n in 0..EVENTS_MAX - file.meta.events.len() {
        file.meta.events.push(TimelineEvent {
            guid: format!("{n:032X}"),
            kind: EventKind::Spawn,
            ..event.clone()
        });
    }
    let chart = chart_of(&file);
    assert_eq!(chart.lanes.len(), lanes::LANES_MAX);
    assert!(players < lanes::LANES_MAX);
    png::render(&chart.svg(Theme::Auto), PNG_SCALE).unwrap();
}

#[test]
fn objectives_are_shapes_in_the_lane_of_their_player_or_beside_their_team() {
    use gametimes_format::ObjectiveAction::*;
    let mut file = recorded().remove(0);
    let legend = Shape::ALL[0].1;
    assert!(!chart_of(&file).svg(Theme::Auto).contains(legend));
    let lanes = chart_of(&file).lanes.len();
    let mut players = file.meta.spawn_stats.iter();
    let player = players.find(|s| s.name == "Player06").unwrap();
    let (guid, name) = (player.guid.clone(), player.name.clone());
    let mut add = |action, guid: &str, text: Option<&str>| {
        file.meta.events.push(TimelineEvent {
            t_ms: 5000,
            kind: EventKind::Objective,
            guid: guid.to_owned(),
            team: Some(Team::Allies.into()),
            action: Some(action),
            text: text.map(str::to_owned),
            ..TimelineEvent::default()
        });
    };
    for (action, text) in [
        (PickedUp, Some("the <Gold>")),
        (Planted, Some("the Gun")),
        (Repaired, None),
    ] {
        add(action, &guid, text);
    }
    add(Stolen, "", Some("the <Gold>")); // is in the player's lane
    add(Returned, "", None);
    add(Announce, "", Some("not drawn"));
    let chart = chart_of(&file);
    assert_eq!(chart.lanes.len(), lanes);
    let lane = chart.lanes.iter().find(|lane| lane.guid == guid).unwrap();
    let shapes: Vec<Shape> = lane.objectives.iter().map(|o| o.shape).collect();
    assert_eq!(shapes, [Shape::Flag, Shape::Bomb, Shape::Wrench]);
    let svg = chart.svg(Theme::Auto);
    for title in [
        format!("{name} planted dynamite at the Gun"),
        format!("{name} built or repaired something"),
        "Allies returned an objective".to_owned(),
    ] {
        assert_eq!(svg.matches(&title).count(), 1, "{title}");
    }
    assert_eq!(svg.matches("the &#60;Gold&#62;").count(), 1);
    assert!(!svg.contains("not drawn"));
    for (_, label) in Shape::ALL {
        assert!(svg.contains(label), "{label}");
    }
    png::render(&svg, 1.0).unwrap();
}

/// Everything of one kind in a picture, with its place: the labels of ticks, or other texts.
fn places(
    picture: roxmltree::Node<'_, '_>,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let texts = picture
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let wanted = texts.filter_map(|node| {
        let text = node.text()?.to_owned();
        is_wanted(&text).then(|| (text, node.attribute("x").unwrap().to_owned()))
    });
    wanted.collect()
}

/// The rounds last 55 and 39.95 seconds, and round 2 has two pauses of 30 seconds together.
#[test]
fn rounds_of_a_match_have_one_scale_and_both_show_the_time_to_beat() {
    let files: Vec<GametimesFile> = recorded()
        .into_iter()
        .filter(|f| f.meta.map == "room2")
        .collect();
    let lasting = |ms| files.iter().find(|f| f.meta.duration_ms == ms).unwrap();
    let round = |number| lasting(if number == 1 { 55_000 } else { 39_950 });
    let mut charts = vec![chart_of(round(1)), chart_of(round(2))];
    let scale = |svg: &str, at: usize| {
        let svg = roxmltree::Document::parse(svg).unwrap();
        let nested = svg
            .root_element()
            .children()
            .filter(|node| node.has_tag_name("svg"));
        let picture = nested.collect::<Vec<_>>()[at];
        let ticks = places(picture, |text| ["0:05", "0:10"].contains(&text));
        (ticks, places(picture, |text| text == "to beat: 0:55.0"))
    };
    let svg = match_svg(charts.clone(), Some(55_000), Theme::Auto);
    let (first, second) = (scale(&svg, 0), scale(&svg, 1));
    assert_eq!(first.0.len(), 2, "{svg}");
    assert_eq!(first.0, second.0);
    assert_eq!((first.1.len(), second.1.len()), (1, 1), "{svg}");
    assert_eq!(
        svg.matches("killed an enemy</text>").count(),
        1,
        "one legend"
    );
    png::render(&svg, 1.0).unwrap();
    // Alone, each round fills the width, so the same time is at other places.
    charts.truncate(1);
    let alone = match_svg(charts, Some(55_000), Theme::Auto);
    assert_eq!(alone, chart_of(round(1)).svg(Theme::Auto));
}
