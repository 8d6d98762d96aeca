//! Compares the tracker with a plain model of the same rules in random matches.

use std::collections::HashMap;

use gametimes_format::live::{Life, State};
use proptest::prelude::*;

use super::Play;
use crate::event::What;

/// One step of a random match.
#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Join(u8, u8),
    Leave(u8),
    Kill(u8, u8),
    Spawn(u8, bool),
    Team(u8, u8),
    Pause(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || 0..6u8;
    prop_oneof![
        3 => (0..5000i64).prop_map(Step::Wait),
        2 => (slot(), 0..8u8).prop_map(|(s, g)| Step::Join(s, g)),
        1 => slot().prop_map(Step::Leave),
        4 => (slot(), slot()).prop_map(|(a, b)| Step::Kill(a, b)),
        4 => (slot(), any::<bool>()).prop_map(|(s, r)| Step::Spawn(s, r)),
        1 => (slot(), 1..4u8).prop_map(|(s, t)| Step::Team(s, t)),
        1 => any::<bool>().prop_map(Step::Pause),
    ]
}

/// The same rules in their plainest form: sums over what is true in each interval.
#[derive(Debug, Default)]
struct Model {
    /// Slot to guid and team.
    slots: HashMap<u8, (u8, u8)>,
    /// Guid to the last team.
    last_team: HashMap<u8, u8>,
    /// The slots that are alive, and those that are dead with the guid of the killer.
    alive: HashMap<u8, bool>,
    dead: HashMap<u8, Option<u8>>,
    paused: bool,
    played: i64,
    sums: HashMap<u8, [i64; 7]>,
}

/// Indices of the model's sums.
const SPAWNS: usize = 0;
const DEATHS: usize = 1;
const KILLS: usize = 2;
const DEAD: usize = 3;
const DENIED: usize = 4;
const ALIVE: usize = 5;
const PLAYED: usize = 6;

impl Model {
    fn add(&mut self, guid: u8, what: usize, n: i64) {
        self.sums.entry(guid).or_default()[what] += n;
    }

    fn wait(&mut self, ms: i64) {
        if self.paused {
            return;
        }
        self.played += ms;
        for (slot, (guid, team)) in self.slots.clone() {
            if team == 1 || team == 2 {
                self.add(guid, PLAYED, ms);
                if self.alive.contains_key(&slot) {
                    self.add(guid, ALIVE, ms);
                }
                if let Some(killer) = self.dead.get(&slot).copied() {
                    self.add(guid, DEAD, ms);
                    if let Some(killer) = killer {
                        self.add(killer, DENIED, ms);
                    }
                }
            }
        }
    }

    fn off(&mut self, slot: u8) {
        self.alive.remove(&slot);
        self.dead.remove(&slot);
    }
}

/// The snapshot of a moment shows what the model has summed up until then.
fn compare_snapshot(play: &Play, model: &Model) -> Result<(), TestCaseError> {
    let snapshot = play.tracker.snapshot(play.now_ms);
    prop_assert_eq!(snapshot.played_ms, model.played);
    prop_assert_eq!(snapshot.state == State::Paused, model.paused);
    let on_team = |(_, (_, team)): &(&u8, &(u8, u8))| *team == 1 || *team == 2;
    let expected = model.slots.iter().filter(on_team).count();
    prop_assert_eq!(snapshot.players.len(), expected);
    for p in &snapshot.players {
        let (guid, team) = model.slots[&p.slot];
        let life = if model.dead.contains_key(&p.slot) {
            Life::Wounded
        } else if model.alive.contains_key(&p.slot) {
            Life::Alive
        } else {
            Life::Waiting
        };
        prop_assert_eq!(
            (&p.guid, p.team.number(), p.life),
            (&format!("G{guid}"), team, life)
        );
        let sums = model.sums.get(&guid).copied().unwrap_or_default();
        let shown = [p.deaths.into(), p.kills.into(), p.dead_ms, p.denied_ms];
        prop_assert_eq!(shown, [DEATHS, KILLS, DEAD, DENIED].map(|n| sums[n]));
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_matches_agree_with_the_plain_model(steps in prop::collection::vec(step(), 1..120)) {
        let mut play = Play::start();
        let mut model = Model::default();
        for step in steps {
            compare_snapshot(&play, &model)?;
            match step {
                Step::Wait(ms) => {
                    play.wait(ms);
                    model.wait(ms);
                }
                Step::Join(slot, guid) => {
                    // A guid is in one slot only; there is another test for ghosts.
                    if model.slots.values().any(|(g, _)| *g == guid) || model.slots.contains_key(&slot) {
                        continue;
                    }
                    let team = 1 + guid % 2;
                    play.connect(slot, &format!("G{guid}"));
                    play.team(slot, team, "x");
                    model.slots.insert(slot, (guid, team));
                    model.last_team.insert(guid, team);
                }
                Step::Leave(slot) => {
                    play.what(What::Leave { slot });
                    model.slots.remove(&slot);
                    model.off(slot);
                }
                Step::Kill(by, slot) => {
                    let Some(&(guid, team)) = model.slots.get(&slot) else { continue };
                    if team == 3 {
                        continue;
                    }
                    play.kill(by, slot);
                    model.add(guid, DEATHS, 1);
                    if !model.dead.contains_key(&slot) {
                        let killer = model.slots.get(&by).map(|k| k.0);
                        let killer = killer.filter(|k| by != slot && model.last_team[k] != team);
                        if let Some(killer) = killer {
                            model.add(killer, KILLS, 1);
                        }
                        model.alive.remove(&slot);
                        model.dead.insert(slot, killer);
                    }
                }
                Step::Spawn(slot, revived) => {
                    let Some(&(guid, team)) = model.slots.get(&slot) else { continue };
                    if team == 3 {
                        continue;
                    }
                    play.what(What::Spawn { slot, revived, by: None, class: None });
                    model.add(guid, SPAWNS, 1);
                    model.dead.remove(&slot);
                    model.alive.insert(slot, true);
                }
                Step::Team(slot, team) => {
                    let Some(entry) = model.slots.get_mut(&slot) else { continue };
                    let before = std::mem::replace(&mut entry.1, team);
                    play.team(slot, team, "x");
                    if team == 3 {
                        model.off(slot);
                        continue;
                    }
                    model.last_team.insert(entry.0, team);
                    if before != team {
                        model.alive.remove(&slot); // alive on the other team only after a spawn
                    }
                }
                Step::Pause(paused) => {
                    play.what(What::Pause(paused));
                    model.paused = paused;
                }
            }
        }
        compare_snapshot(&play, &model)?;
        let round = play.exit("Wolf EndRound.");
        prop_assert_eq!(round.played_ms, model.played);
        let mut seen = HashMap::new();
        for p in &round.players {
            let guid: u8 = p.guid[1..].parse().unwrap();
            let sums = [p.spawns.into(), p.deaths.into(), p.kills.into(), p.dead_ms, p.denied_ms, p.alive_ms, p.played_ms];
            prop_assert!(seen.insert(guid, sums).is_none());
        }
        for (guid, sums) in model.sums {
            prop_assert_eq!(seen.remove(&guid).unwrap_or_default(), sums, "guid {}", guid);
        }
        prop_assert!(seen.values().all(|sums| *sums == [0; 7]));
    }
}
