"""What the files of a recorded match must say about waves, classes and objectives, computed from the tape alone.

It shares no code with gametimes and takes other paths where it can: deaths and spawns come from hooks inside the game
(`NAME.hooks.jsonl.gz`), pauses from `NAME.expected.json`, classes from the players' configstrings (gametimes reads the players'
records). Usage:

    play.py TAPE HOOKS EXPECTED   prints the results as JSON, and on stderr how many spawns were in the frame of a wave
"""

import gzip
import json
import re
import sys

CLASSES = ["soldier", "medic", "engineer", "field_ops", "covert_ops"]
DIVISORS = [11, 3, 13, 7, 2, 5, 1, 17]
TEAMS = {1: "axis", 2: "allies"}
CVARS = {"g_redlimbotime": "axis", "g_bluelimbotime": "allies"}
VERBS = {"stole": "stolen", "returned": "returned", "planted": "planted", "defused": "defused"}
LINES = [
    (re.compile(r"Item: (?P<slot>\d+) team_CTF_(?P<flag>red|blue)flag\n"), "picked_up"),
    (re.compile(r"Dynamite_Plant: (?P<slot>\d+)(?: (?P<text>.*))?\n"), "planted"),
    (re.compile(r"Dynamite_Diffuse: (?P<slot>\d+)(?: (?P<text>.*))?\n"), "defused"),
    (re.compile(r"Objective_Destroyed: (?P<slot>\d+)(?: (?P<text>.*))?\n"), "destroyed"),
    (re.compile(r"Repair: (?P<slot>\d+)\n"), "repaired"),
    (re.compile(r'legacy popup: \^7(?P<team>axis|allies|)\^7 (?P<verb>\w+) "(?P<text>.*)"\n'), None),
    (re.compile(r'legacy announce: "\^7(?P<text>.*)"\n'), "announce"),
]


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("}\n")]


def info(text):
    parts = text.lstrip("\\").split("\\")
    return dict(zip(parts[0::2], parts[1::2]))


class Level:
    """One map or restart of the tape, from its init to its shutdown."""

    def __init__(self, start, playing):
        self.start, self.playing = start, playing
        self.frames = []
        self.seeds = None
        self.intervals = {"axis": [], "allies": []}  # (level time of the frame from which it counts, ms)
        self.classes, self.guids, self.names, self.teams = {}, {}, {}, {}  # slot: [(level time, value)]
        self.prints = []  # (level time, text)

    def at(self, values, slot, time):
        known = [value for since, value in values.get(slot, []) if since <= time]
        return known[-1] if known else None


def read_tape(path):
    levels, gamestate, level, now, waiting = [], None, None, 0, []
    guids = {}
    for line in lines(path):
        kind = line["e"]
        if kind == "cvars":
            gamestate = line["values"]["gamestate"]
        elif kind == "userinfo":
            guids[line["n"]] = info(line["value"]).get("cl_guid", "")
            if level:
                level.guids.setdefault(line["n"], []).append((now, guids[line["n"]]))
        elif kind == "call" and line["cmd"] == "init":
            now = line["args"][0]
            level = Level(now, gamestate == "0")
            level.guids = {slot: [(now, guid)] for slot, guid in guids.items()}
            levels.append(level)
            waiting = []
            in_init = True
        elif kind == "call" and line["cmd"] == "frame":
            in_init = False
            now = line["args"][0]
            level.frames.append(now)
            # The game reads its cvars at the beginning of a frame.
            for team, value in dict(waiting).items():
                level.intervals[team].append((now, value))
            waiting = []
        elif kind == "cvar_set" and line["name"] in CVARS:
            team, value = CVARS[line["name"]], int(line["value"])
            if in_init:
                level.intervals[team] = [(level.start, value)]
            else:
                waiting.append((team, value))
        elif kind == "configstring" and line["n"] == 31:
            level.seeds = [int(n) for n in line["value"].split()]
        elif kind == "configstring" and 689 <= line["n"] < 753:
            slot, keys = line["n"] - 689, info(line["value"])
            if "c" in keys:
                level.classes.setdefault(slot, []).append((now, CLASSES[int(keys["c"])]))
                level.teams.setdefault(slot, []).append((now, int(keys["t"])))
        elif kind == "print":
            level.prints.append((now, line["text"]))
    return levels


def read_hooks(path):
    """Deaths and spawns of each level, in order, up to the exit."""
    levels = []
    for line in lines(path):
        if line["e"] == "init":
            levels.append([])
            over = False
        elif line["e"] == "exit":
            over = True
        elif line["e"] in ("death", "spawn") and line["gs"] == 0 and not over:
            levels[-1].append(line)
    return levels


class Round:
    def __init__(self, level, hooks, expected):
        self.level, self.hooks, self.expected = level, hooks, expected
        self.offsets = {}
        values = level.seeds[2:]
        for team, index in (("axis", level.seeds[1] >> 2), ("allies", level.seeds[0] >> 3)):
            self.offsets[team] = 1000 * values[index] // DIVISORS[index]

    def clock(self, time):
        paused = 0
        for pause in self.expected["pauses"]:
            paused += max(0, min(time, pause["end_ms"]) - pause["start_ms"])
        return time - self.expected["start_t"] - paused

    def interval(self, team, time):
        return [ms for since, ms in self.level.intervals[team] if since <= time][-1]

    def phase(self, team, time):
        return (self.offsets[team] + self.clock(time)) % self.interval(team, time)

    def wave_frames(self, team):
        frames = self.level.frames
        return {b for a, b in zip(frames, frames[1:]) if self.phase(team, b) < self.phase(team, a)}

    def waves(self):
        waves = {}
        for team in TEAMS.values():
            intervals = []
            for since, ms in self.level.intervals[team]:
                if since <= self.expected["end_t"] and (not intervals or intervals[-1]["interval_ms"] != ms):
                    intervals.append({"from_ms": self.clock(since), "interval_ms": ms})
            waves[team] = {"offset_ms": self.offsets[team], "intervals": intervals}
        return waves

    def wave_in(self, team, time):
        return self.interval(team, time) - self.phase(team, time)

    def deaths(self):
        deaths = []
        for hook in self.hooks:
            if hook["e"] != "death":
                continue
            time, victim, killer = hook["t"], hook["victim"], hook["killer"]
            by_player = killer < 64
            killer_team = TEAMS.get(hook["kteam"]) if by_player else None
            deaths.append({
                "t_ms": self.clock(time),
                "guid": self.level.at(self.level.guids, victim, time),
                "by": self.level.at(self.level.guids, killer, time) if by_player else None,
                "class": self.class_of_life(victim, time),
                "wave_in_ms": self.wave_in(TEAMS[hook["vteam"]], time),
                "killer_wave_in_ms": self.wave_in(killer_team, time) if killer_team else None,
            })
        return deaths

    def class_of_life(self, slot, time):
        """A class counts from the spawn on."""
        spawns = [s["t"] for s in self.spawn_hooks() if s["n"] == slot and s["t"] <= time]
        return self.level.at(self.level.classes, slot, spawns[-1]) if spawns else None

    def is_alive(self, slot, time):
        lives = [h for h in self.hooks if h["t"] <= time and slot in (h.get("n"), h.get("victim"))]
        return bool(lives) and lives[-1]["e"] == "spawn" and lives[-1]["limbo"] == 0

    def player_can(self, action, slot, time):
        if self.level.at(self.level.teams, slot, time) not in TEAMS:
            return False
        if action == "destroyed":
            return True
        if not self.is_alive(slot, time):
            return False
        return action == "picked_up" or self.class_of_life(slot, time) == "engineer"

    def objectives(self):
        """One entry for each line that can be true; of two lines about one thing, one entry with all that they say."""
        found, repaired, refused = [], {}, 0
        for time, line in self.level.prints:
            match, action = next(((m, a) for m, a in ((r.fullmatch(line), a) for r, a in LINES) if m), (None, None))
            if line.startswith("Exit: "):
                break
            if not match:
                continue
            said = match.groupdict()
            entry = {"t_ms": self.clock(time), "level": time, "guid": "", "team": None, "text": said.get("text") or None}
            if entry["text"] == "(null)":
                entry["text"] = None
            if entry["text"]:
                whole = entry["text"].encode("latin-1")[:104].decode("latin-1")
                entry["text"] = re.sub(r"\^[^^]", "", whole)
            slot = said.get("slot")
            if slot is None:
                action = action or VERBS[said["verb"]]
                entry["team"] = {"axis": 1, "allies": 2}.get(said.get("team"))
            else:
                slot = int(slot)
                if not self.player_can(action, slot, time):
                    refused += 1
                    continue
                entry["guid"], entry["team"] = self.level.at(self.level.guids, slot, time), self.level.at(self.level.teams, slot, time)
                if action == "picked_up" and entry["team"] == {"red": 1, "blue": 2}[said["flag"]]:
                    action = "returned"
                if action == "repaired":
                    if entry["t_ms"] - repaired.get(entry["guid"], -5000) < 5000:
                        continue
                    repaired[entry["guid"]] = entry["t_ms"]
            entry["action"] = action
            now = [e for e in found if e["level"] == time]
            if action == "stolen":
                for taken in (e for e in now if e["action"] == "picked_up" and e["team"] == entry["team"]):
                    taken["text"] = taken["text"] or entry["text"]
            whole = [e for e in now if e["action"] == action and bool(e["guid"]) != bool(entry["guid"]) and not e.get("whole")]
            if whole:
                first = whole[0]
                for key in ("guid", "team", "text"):
                    first[key] = first[key] or entry[key]
                first["whole"] = True
            else:
                found.append(entry)
        entries = [{k: v for k, v in e.items() if k not in ("level", "whole")} for e in found]
        return entries, refused

    def spawn_hooks(self):
        return [s for s in self.hooks if s["e"] == "spawn" and s["limbo"] == 0 and s["team"] in TEAMS]

    def spawns(self):
        spawns = []
        for hook in self.spawn_hooks():
            if not hook["revived"]:
                spawns.append({
                    "t_ms": self.clock(hook["t"]),
                    "guid": self.level.at(self.level.guids, hook["n"], hook["t"]),
                    "class": self.level.at(self.level.classes, hook["n"], hook["t"]),
                })
        return spawns

    def check_waves(self):
        """How many spawns are in the frame of a wave, and how many there are, without revives and the spawns at the start."""
        frames = {team: self.wave_frames(team) for team in TEAMS.values()}
        spawns = [s for s in self.spawn_hooks() if not s["revived"] and self.clock(s["t"]) > 1000]
        return sum(s["t"] in frames[TEAMS[s["team"]]] for s in spawns), len(spawns)

    def wave_waits(self):
        waits = {}
        for death in self.deaths():
            waits[death["guid"]] = waits.get(death["guid"], 0) + death["wave_in_ms"]
        return waits


def main(tape, hooks, expected):
    with open(expected, encoding="utf-8") as file:
        expected = json.load(file)
    played = [(level, hooks) for level, hooks in zip(read_tape(tape), read_hooks(hooks), strict=True) if level.playing]
    rounds, good, all_spawns = [], 0, 0
    for (level, hooks), want in zip(played, expected, strict=True):
        assert level.start == want["start_t"]
        r = Round(level, hooks, want)
        counts = r.check_waves()
        objectives, refused = r.objectives()
        good, all_spawns = good + counts[0], all_spawns + counts[1]
        rounds.append({"waves": r.waves(), "deaths": r.deaths(), "spawns": r.spawns(), "wave_wait_ms": r.wave_waits(),
                       "objectives": objectives, "refused": refused})
    print(f"{good} of {all_spawns} spawns in the frame of a wave", file=sys.stderr)
    result = {"spawns_in_waves": good, "spawns_to_check": all_spawns, "rounds": rounds}
    json.dump(result, sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
