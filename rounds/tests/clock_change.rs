//! Rounds of nights in which the clock changes: names of stats files contain local time, which jumps.

use std::path::Path;

use gametimes_rounds::reconcile::{
    Document, Fact, ReconciledRound, possible_times, reconcile, unix_of_civil,
};
use gametimes_rounds::report::Report;
use gametimes_rounds::rows::{PlayerRow, RoundRows, RoundTarget, build};
use gametimes_rounds::stats_file::StatsFile;
use jiff::tz::TimeZone;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");
/// By how much the tape of the clock change is earlier than the tape of the same match in `native/stopwatch`.
const EARLIER_SECONDS: i64 = 1_795_178_024 - 1_761_440_373;

const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// Half an hour, and the seasons of the southern hemisphere.
const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";

fn zone(rule: &str) -> TimeZone {
    TimeZone::posix(rule).unwrap()
}

fn stats_fact(name: &str, bytes: &[u8], zone: &TimeZone) -> Fact {
    let file = StatsFile::parse(name, bytes).unwrap();
    Fact {
        id: 0,
        identity: name.to_owned(),
        server: String::new(),
        webhook: None,
        at_unix: unix_of_civil(file.name.written, zone),
        document: Document::Stats(Box::new(file)),
        foreign: None,
    }
}

fn folder(path: &str, zone: &TimeZone) -> Vec<Fact> {
    let entries = std::fs::read_dir(Path::new(DATA).join(path)).unwrap();
    let facts = entries.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        stats_fact(name, &std::fs::read(&path).unwrap(), zone)
    });
    facts.collect()
}

/// The gametimes files of a recorded match, as a server writes them that plays it in the night of the clock change.
fn reports(with_names: bool) -> Vec<Fact> {
    [
        ("R1-1795178021", "025933-room2-round-1", 7200),
        ("R2-1795178128", "020120-room2-round-2", 3600),
        ("R1-1795178169", "020158-room2-round-2", 3600),
    ]
    .into_iter()
    .map(|(file, stats_file, offset)| {
        let path = format!("{DATA}/native/stopwatch/gametime-room2-{file}.json");
        let mut report = Report::from_file(&std::fs::read(path).unwrap()).unwrap();
        let meta = &mut report.meta;
        meta.round_start_unix -= EARLIER_SECONDS;
        meta.round_end_unix -= EARLIER_SECONDS;
        meta.utc_offset_seconds = offset;
        meta.stats_file = with_names.then(|| format!("2025-10-26-{stats_file}.txt"));
        Fact {
            id: 0,
            identity: file.to_owned(),
            server: report.server(),
            webhook: None,
            at_unix: report.meta.round_end_unix,
            document: Document::Report(Box::new(report)),
            foreign: None,
        }
    })
    .collect()
}

/// The round of the stats file whose name contains `part`.
fn round_of<'a>(facts: &[Fact], rounds: &'a [ReconciledRound], part: &str) -> &'a ReconciledRound {
    let is_it = |i: usize| facts[i].identity.contains(part);
    rounds.iter().find(|r| r.stats.is_some_and(is_it)).unwrap()
}

/// The name of the stats file that is subtracted from the one whose name contains `part`.
fn base_of<'a>(facts: &'a [Fact], zone: &TimeZone, part: &str) -> Option<&'a str> {
    let rounds = reconcile(facts, zone);
    let round = round_of(facts, &rounds, part);
    assert_eq!(round.orphan, round.base.is_none());
    round.base.map(|i| facts[i].identity.as_str())
}

/// The players of the round whose stats file was written at this time of day, without the date.
fn players_of_round_2(facts: &[Fact], zone: &TimeZone, written: &str) -> Vec<PlayerRow> {
    let rows = build(facts, &reconcile(facts, zone), zone);
    let is_it = |rows: &RoundRows| match &rows.round {
        Some(RoundTarget::Own(round)) => round.round_time == written,
        _ => false,
    };
    let round = rows.into_iter().find(is_it).unwrap();
    let without_date = |row| PlayerRow {
        round_date: String::new(),
        ..row
    };
    round
        .players
        .unwrap()
        .into_iter()
        .map(without_date)
        .collect()
}

#[test]
fn reports_link_and_subtract_rounds_over_the_end_of_summer_time_whatever_the_time_zone() {
    let expected = {
        let utc = TimeZone::UTC;
        let facts = folder("samples/gamestats", &utc);
        players_of_round_2(&facts, &utc, "123531")
    };
    for rule in [CENTRAL_EUROPE, NEW_YORK, "UTC0"] {
        let zone = zone(rule);
        for with_names in [true, false] {
            let mut facts = folder("clock-change/gamestats", &zone);
            facts.extend(reports(with_names));
            let rounds = reconcile(&facts, &zone);
            // The last file, saved at a shutdown, still has the old round number: only its name links it.
            let alone = usize::from(!with_names);
            assert_eq!(rounds.len(), 3 + alone, "{rule}: {rounds:?}");
            let of = |part| base_of(&facts, &zone, part);
            let one = "2025-10-26-025933-room2-round-1.txt";
            let two = "2025-10-26-020120-room2-round-2.txt";
            assert_eq!(of("020120"), Some(one), "{rule}");
            assert_eq!(of("020158"), Some(two), "{rule}");
            let found = players_of_round_2(&facts, &zone, "020120");
            assert_eq!(found, expected, "{rule}");
        }
    }
}

#[test]
fn stats_files_alone_are_linked_over_the_end_of_summer_time() {
    let zone = zone(CENTRAL_EUROPE);
    let facts = folder("clock-change/in", &zone);
    assert_eq!(
        base_of(&facts, &zone, "round-2"),
        Some("2025-10-26-025500-etl_sp_delivery-round-1.txt")
    );
    let players = players_of_round_2(&facts, &zone, "020130");
    // 4305 in both rounds, 2420 of them in the first.
    let player = players.iter().find(|p| p.player_guid == "A0000004");
    assert_eq!(player.unwrap().damage_given, 4305 - 2420);
    assert!(players.iter().all(|p| p.gametimes_flags.is_empty()));
    // Without a clock change, a round 2 does not end before its round 1.
    let utc = TimeZone::UTC;
    assert_eq!(
        base_of(&folder("clock-change/in", &utc), &utc, "round-2"),
        None
    );
}

#[test]
fn stats_files_alone_tell_when_rounds_ended_over_the_end_of_summer_time() {
    let zone = zone(CENTRAL_EUROPE);
    let facts = folder("clock-change/in", &zone);
    let rounds = reconcile(&facts, &zone);
    let end = |part| round_of(&facts, &rounds, part).end_unix;
    // 02:55:00 before the clock was set back, and 02:01:30 after it.
    assert_eq!(end("round-1"), 1_761_440_100);
    assert_eq!(end("round-2"), 1_761_440_100 + 390);
    let orders: Vec<String> = build(&facts, &rounds, &zone)
        .into_iter()
        .map(|rows| match rows.round.unwrap() {
            RoundTarget::Own(round) => round.times.gametimes_order,
            RoundTarget::Foreign { .. } => unreachable!(),
        })
        .collect();
    assert_eq!(
        orders,
        ["2025-10-26-025959:2025-10-26-020130", "2025-10-26-025500",]
    );
}

/// A match on `map` by the same player, as two stats files with these local times and this time to beat.
fn pair(one: &str, two: &str, target: &str, zone: &TimeZone) -> Vec<Fact> {
    let fields = "\t1".repeat(38);
    let player = format!("A0000001\\a\\0\\1\\0 {fields}\n");
    let of = |time: &str, round: u8, limits: &str| {
        let name = format!("{time}-m-round-{round}.txt");
        let bytes = format!("s\\m\\c\\{round}\\1\\2\\{limits}\n{player}");
        stats_fact(&name, bytes.as_bytes(), zone)
    };
    vec![
        of(one, 1, &format!("12:00\\{target}")),
        of(two, 2, &format!("{target}\\3:00")),
    ]
}

#[test]
fn rounds_on_either_side_of_any_clock_change_are_linked() {
    for (rule, one, two) in [
        // The clock is set forward.
        (CENTRAL_EUROPE, "2025-03-30-015500", "2025-03-30-030500"),
        (NEW_YORK, "2025-03-09-015500", "2025-03-09-030500"),
        (LORD_HOWE, "2025-10-05-015500", "2025-10-05-024000"),
        // The clock is set back: round 1 before it, round 2 in the second of the two hours.
        (CENTRAL_EUROPE, "2025-10-26-025500", "2025-10-26-020500"),
        (NEW_YORK, "2025-11-02-015500", "2025-11-02-010500"),
        (LORD_HOWE, "2025-04-06-015500", "2025-04-06-013500"),
        // Into the first of the two hours, within one of them, and out of the second.
        (CENTRAL_EUROPE, "2025-10-26-015500", "2025-10-26-020500"),
        (CENTRAL_EUROPE, "2025-10-26-022000", "2025-10-26-023000"),
        (CENTRAL_EUROPE, "2025-10-26-025500", "2025-10-26-030500"),
        (LORD_HOWE, "2025-04-06-015500", "2025-04-06-020500"),
    ] {
        let zone = zone(rule);
        let facts = pair(one, two, "8:00", &zone);
        let base = base_of(&facts, &zone, "round-2");
        assert!(
            base.is_some_and(|b| b.starts_with(one)),
            "{rule} {one} {two}"
        );
        // Neither file is out of reach of the other.
        let times = possible_times(facts[0].at_unix, &zone);
        let near = |t: &i64| (t - facts[1].at_unix).abs() <= 45 * 60;
        assert!(times.iter().any(near), "{rule} {one} {two}: {times:?}");
    }
    assert_eq!(
        possible_times(1_795_178_024, &zone(CENTRAL_EUROPE)).len(),
        1
    );
    assert_eq!(possible_times(i64::MAX, &zone(CENTRAL_EUROPE)), [i64::MAX]);
}

#[test]
fn time_limit_tells_two_matches_of_the_repeated_hour_apart() {
    let zone = zone(CENTRAL_EUROPE);
    let mut facts = pair("2025-10-26-015000", "2025-10-26-020030", "5:00", &zone);
    facts.extend(pair(
        "2025-10-26-025500",
        "2025-10-26-020130",
        "8:00",
        &zone,
    ));
    let of = |part| base_of(&facts, &zone, part);
    assert_eq!(of("020030"), Some("2025-10-26-015000-m-round-1.txt"));
    assert_eq!(of("020130"), Some("2025-10-26-025500-m-round-1.txt"));
}

#[test]
fn round_2_does_not_continue_from_a_round_1_that_ended_after_it() {
    let zone = zone(CENTRAL_EUROPE);
    // On another night, and fifty minutes apart in that night.
    for (one, two) in [
        ("2025-10-27-025500", "2025-10-27-020500"),
        ("2025-10-26-021500", "2025-10-26-020500"),
    ] {
        let facts = pair(one, two, "8:00", &zone);
        assert_eq!(base_of(&facts, &zone, "round-2"), None, "{one} {two}");
    }
}
