use gametimes_format::live::{Server, State};
use proptest::prelude::*;

use super::*;

const UNIX_MS: i64 = 1_795_179_043_000;

fn snapshot(port: u32, seq: u64, unix_ms: i64) -> Snapshot {
    Snapshot {
        schema: 1,
        seq,
        unix_ms,
        server: Server {
            ip: "192.0.2.7".into(),
            port: port.to_string(),
            hostname: String::new(),
        },
        state: State::Playing,
        ..Snapshot::default()
    }
}

fn at(now_ms: i64) -> Moment {
    Moment {
        now_ms,
        unix_ms: UNIX_MS + now_ms,
    }
}

fn offer(board: &mut Board, seq: u64, now_ms: i64) -> Outcome {
    let snapshot = snapshot(27960, seq, UNIX_MS + now_ms);
    board.offer(snapshot, Transport::File, at(now_ms))
}

/// The seq and health of each server in both views.
fn seqs(board: &mut Board, now_ms: i64) -> [Vec<(u64, Health)>; 2] {
    let views = board.views_at(now_ms);
    [views.public, views.undelayed].map(|frame| {
        let servers = frame.servers.iter();
        servers.map(|s| (s.snapshot.seq, s.health)).collect()
    })
}

#[test]
fn the_public_sees_nothing_before_the_delay_and_then_everything_in_order() {
    let mut board = Board::new(60_000);
    for (seq, now_ms) in [(1, 0), (2, 1000), (3, 2000)] {
        assert_eq!(offer(&mut board, seq, now_ms), Outcome::Taken);
    }
    for (now_ms, public, undelayed) in [
        (59_999, None, Some(3)),
        (60_000, Some(1), Some(3)),
        (60_999, Some(1), Some(3)),
        (61_000, Some(2), Some(3)),
        (62_000, Some(3), Some(3)),
    ] {
        let [p, u] = seqs(&mut board, now_ms).map(|seqs| seqs.first().map(|s| s.0));
        assert_eq!((p, u), (public, undelayed), "{now_ms}");
    }
}

/// Its clock must not bring a snapshot forward.
#[test]
fn server_whose_clock_is_an_hour_behind_is_not_shown_before_the_delay() {
    let mut board = Board::new(60_000);
    let first = snapshot(27960, 1, UNIX_MS - 3_600_000);
    board.offer(first, Transport::File, at(0));
    assert_eq!(seqs(&mut board, 59_999)[0], []);
    assert_eq!(seqs(&mut board, 60_000)[0].len(), 1);
}

/// Its first snapshot looks as old as the file of a server that is gone, the next one does not.
#[test]
fn server_whose_clock_is_behind_is_shown_from_its_second_snapshot() {
    let mut board = Board::new(0);
    for (seq, now_ms, health) in [(1, 0, Health::Offline), (2, 2000, Health::Live)] {
        let snapshot = snapshot(27960, seq, UNIX_MS - 3_600_000 + now_ms);
        board.offer(snapshot, Transport::File, at(now_ms));
        assert_eq!(seqs(&mut board, now_ms)[1], [(seq, health)]);
    }
}

#[test]
fn snapshot_of_somebody_who_plays_is_stale_after_ten_seconds_and_then_offline() {
    let mut board = Board::new(0);
    let mut busy = snapshot(27960, 1, UNIX_MS);
    busy.players.push(serde_json::from_str(r#"{"slot":0,"guid":"A","name":"a","team":1,"life":"alive","since_ms":0,"kills":0,"deaths":0,
        "revives":0,"dead_ms":0,"denied_ms":0}"#).unwrap());
    board.offer(busy, Transport::File, at(0));
    for (now_ms, health) in [
        (10_000, Health::Live),
        (10_001, Health::Stale),
        (60_000, Health::Stale),
        (60_001, Health::Offline),
    ] {
        assert_eq!(
            seqs(&mut board, now_ms),
            [vec![(1, health)], vec![(1, health)]],
            "{now_ms}"
        );
    }
    let forgotten = FORGOTTEN_AFTER_MS + 1;
    assert_eq!(seqs(&mut board, forgotten), [vec![], vec![]]);
    assert_eq!(board.next_change_ms(forgotten), None);
}

#[test]
fn old_file_of_a_server_that_is_gone_is_not_shown_as_live() {
    let mut board = Board::new(0);
    let old = snapshot(27960, 9, UNIX_MS - 100_000);
    board.offer(old.clone(), Transport::File, at(0));
    assert_eq!(seqs(&mut board, 0)[1], [(9, Health::Offline)]);
    // Read again, it is no newer.
    assert_eq!(board.offer(old, Transport::File, at(5000)), Outcome::Old);
    assert_eq!(seqs(&mut board, 5000)[1], [(9, Health::Offline)]);
    assert_eq!(offer(&mut board, 10, 6000), Outcome::Taken);
    assert_eq!(seqs(&mut board, 6000)[1], [(10, Health::Live)]);
}

#[test]
fn recorder_that_counts_from_the_start_again_is_believed_after_three_seconds() {
    let mut board = Board::new(0);
    offer(&mut board, 1_000_000, 0);
    assert_eq!(offer(&mut board, 1, 2999), Outcome::Old);
    assert_eq!(offer(&mut board, 2, 3000), Outcome::Taken);
    assert_eq!(offer(&mut board, 3, 3200), Outcome::Taken);
    assert_eq!(seqs(&mut board, 3200)[0], [(3, Health::Live)]);
}

#[test]
fn posted_snapshot_cannot_be_sent_again() {
    let mut board = Board::new(0);
    let post = |board: &mut Board, seq, taken_ms, now_ms| {
        let snapshot = snapshot(27960, seq, UNIX_MS + taken_ms);
        board.offer(snapshot, Transport::Posted, at(now_ms))
    };
    assert_eq!(post(&mut board, 5, 0, 0), Outcome::Taken);
    assert_eq!(post(&mut board, 5, 0, 10_000), Outcome::Old);
    // The clock of the server jumps during play: it continues to count.
    assert_eq!(post(&mut board, 6, -7_200_000, 11_000), Outcome::Taken);
    // Much later, and to a bot that has just started.
    let later = 11 * 60_000;
    assert_eq!(post(&mut board, 5, 0, later), Outcome::WrongClock);
    assert_eq!(post(&mut Board::new(0), 5, 0, later), Outcome::WrongClock);
    let outcomes: Vec<_> = (0..12)
        .map(|n| post(&mut board, 7 + n, later, later + 1000))
        .collect();
    assert_eq!(outcomes[..10], [Outcome::Taken; 10]);
    assert_eq!(outcomes[10..], [Outcome::TooOften; 2]);
}

#[test]
fn a_thousand_servers_and_a_thousand_maps_take_bounded_memory() {
    let mut board = Board::new(3_600_000);
    for n in 0..1000 {
        let new = snapshot(10_000 + n, 1, UNIX_MS);
        let expected = if (n as usize) < SERVERS_MAX {
            Outcome::Taken
        } else {
            Outcome::Full
        };
        assert_eq!(board.offer(new, Transport::File, at(0)), expected);
    }
    let mut board = Board::new(3_600_000);
    for n in 0..20_000_i64 {
        let mut next = snapshot(27960, n as u64, UNIX_MS);
        next.map = format!("map{}", n / 20);
        board.offer(next, Transport::File, at(n * 200));
        board.views_at(n * 200);
        let waiting = board
            .servers
            .values()
            .map(|h| h.waiting.len())
            .sum::<usize>();
        assert!(waiting <= WAITING_MAX as usize + 1, "{waiting}");
    }
    let [public, undelayed] = seqs(&mut board, 20_000 * 200);
    assert_eq!(undelayed[0].0, 19_999);
    assert!((1900..=2000).contains(&public[0].0), "{public:?}");
}

#[test]
fn a_full_board_makes_room_where_a_server_is_offline() {
    let mut board = Board::new(0);
    for n in 0..SERVERS_MAX as u32 {
        board.offer(snapshot(10_000 + n, 1, UNIX_MS), Transport::File, at(0));
    }
    let new = || snapshot(20_000, 1, UNIX_MS + 50_000);
    assert_eq!(
        board.offer(new(), Transport::File, at(50_000)),
        Outcome::Full
    );
    assert_eq!(
        board.offer(new(), Transport::File, at(70_000)),
        Outcome::Taken
    );
    assert_eq!(board.servers.len(), SERVERS_MAX);
}

/// What happens in one step of the model: a pause, then a snapshot of a server, with a step of its seq and of its clock.
fn steps() -> impl Strategy<Value = Vec<(i64, u32, i64, i64)>> {
    let step = (200..5000_i64, 0..3_u32, -3..5_i64, -5000..5000_i64);
    proptest::collection::vec(step, 1..80)
}

proptest! {
    /// The model keeps everything that was taken: the undelayed view is the last of it, and the public one the last that is old enough.
    #[test]
    fn both_views_are_those_of_a_simple_model(steps in steps(), delay_ms in 0..60_000_i64) {
        let mut board = Board::new(delay_ms);
        let mut taken: Vec<(i64, u32, u64, i64)> = Vec::new();
        let mut now_ms = 0;
        let mut seq = [100_i64; 3];
        for (pause, port, seq_step, clock_step) in steps {
            now_ms += pause;
            let next = &mut seq[port as usize];
            *next = (*next + seq_step).max(0);
            let unix_ms = UNIX_MS + now_ms + clock_step;
            let last = taken.iter().rev().find(|t| t.1 == port);
            let is_newer = last.is_none_or(|&(at_ms, _, seq, unix)| {
                let is_higher = *next as u64 > seq;
                let is_reset = now_ms - at_ms >= RESET_AFTER_MS && (*next as u64, unix_ms) != (seq, unix);
                is_higher || is_reset
            });
            if is_newer {
                taken.push((now_ms, port, *next as u64, unix_ms));
            }
            let offered = board.offer(snapshot(port, *next as u64, unix_ms), Transport::File, at(now_ms));
            prop_assert_eq!(offered == Outcome::Taken, is_newer);
            let model = |until_ms: i64| -> Vec<u64> {
                let last = |port| taken.iter().rev().find(|t| t.1 == port && t.0 <= until_ms);
                (0..3).filter_map(last).map(|t| t.2).collect()
            };
            let [public, undelayed] = seqs(&mut board, now_ms).map(|s| s.into_iter().map(|s| s.0).collect::<Vec<_>>());
            prop_assert_eq!(undelayed, model(now_ms));
            prop_assert_eq!(public, model(now_ms - delay_ms));
            if let Some(next_ms) = board.next_change_ms(now_ms) {
                prop_assert!(next_ms > now_ms);
            }
        }
    }
}
