"""Makes the two cases in tests/data/cases about waves and objectives from recorded matches.
Usage: make_cases.py [FOLDER], by default tests/data/cases.

* wave-interval (from `timelimit`): the map's script changes the interval of both teams and changes it back. The shorter intervals
  divide the recorded ones, so all recorded spawns are still in waves.
* objectives (from `stopwatch`): the game prints lines about objectives, in the forms of several versions, and names of players
  look like such lines. One player changes class.
"""

import gzip
import json
import sys
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "cases"
LIMBO_OR_FOLLOWING = 16384 | 4096


def read(name):
    with gzip.open(DATA / f"tapes/{name}.tape.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("}\n")]


def write(name, lines):
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    path = FOLDER / f"{name}.tape.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def cvar_set(name, value):
    return {"e": "cvar_set", "name": name, "value": value}


def printed(text):
    return {"e": "print", "text": text}


def wave_interval():
    """The changes come at different places: in a frame, in a call between two frames, twice in one frame, and without an effect."""
    changes = [
        (40_000, "frame", [cvar_set("g_redlimbotime", "5000")]),
        (61_000, "think", [cvar_set("g_bluelimbotime", "1000")]),
        (70_000, "frame", [cvar_set("g_redlimbotime", "5000")]),
        (80_000, "frame", [cvar_set("g_redlimbotime", "30000"), cvar_set("g_redlimbotime", "10000")]),
        (100_000, "frame", [cvar_set("g_bluelimbotime", "7000")]),
    ]
    out, start, now = [], None, 0
    gamestate = None
    for line in read("timelimit"):
        out.append(line)
        if line["e"] == "cvars":
            gamestate = line["values"]["gamestate"]
        if line["e"] == "call" and line["cmd"] in ("init", "frame"):
            now = line["args"][0]
            if line["cmd"] == "init":
                start = now if gamestate == "0" and start is None else start
        if changes and start is not None and line["e"] == "call" and now - start >= changes[0][0] and line["cmd"] == changes[0][1]:
            out.extend(changes.pop(0)[2])
    assert not changes
    write("wave-interval", out)


class Players:
    """Who can do what, from the records of the tape."""

    def __init__(self):
        self.records = {}

    def see(self, line):
        for record in line["c"]:
            self.records[record["n"]] = record

    def find(self, team=None, number=None, dead=False):
        found = []
        for n, r in sorted(self.records.items()):
            hidden = r["pm_flags"] & LIMBO_OR_FOLLOWING
            lives = not hidden and r["pm_type"] == 0 and r["stats"][0] > 0 and r["pers"][3] in (1, 2)
            lies = not hidden and r["pm_type"] == 3 and r["pers"][3] in (1, 2)
            if (lies if dead else lives) and team in (None, r["pers"][3]) and number in (None, r["stats"][4]):
                found.append(n)
        return found[0] if found else None


def objectives():
    names = {1: "axis", 2: "allies"}

    def taken(p):
        n = p.find(team=2)
        return n is not None and [
            f"Item: {n} team_CTF_redflag\n",
            'legacy announce: "^7The Allies have ^1stolen^7 the Gold!"\n',
            'legacy popup: ^7allies^7 stole "the Gold"\n',
        ]

    def brought_back(p):
        n = p.find(team=1)
        return n is not None and [f"Item: {n} team_CTF_redflag\n", 'legacy popup: ^7axis^7 returned "the Gold"\n']

    def timed_out(_):
        return ['legacy popup: ^7axis^7 returned "the Gold"\n']

    def engineer(team, *texts):
        def lines(p):
            n = p.find(team=team, number=2)
            return n is not None and [t.format(n=n, team=names[team]) for t in texts]
        return lines

    def forged(**who):
        def lines(p):
            n = p.find(**who)
            return n is not None and [f"Repair: {n}\n", f"Dynamite_Plant: {n} x\n", f"Dynamite_Diffuse: {n}\n"]
        return lines

    def dead_takes(p):
        n = p.find(dead=True)
        return n is not None and [f"Item: {n} team_CTF_redflag\n"]

    def destroyed(p):
        n = p.find(dead=True)  # whoever armed it can be dead meanwhile
        return n is not None and [f"Objective_Destroyed: {n} the Gun\n"]

    plan = [
        (2000, taken),
        (3000, brought_back),
        (4000, timed_out),
        (5000, engineer(1, 'legacy popup: ^7{team}^7 planted "the Gun"\n', "Dynamite_Plant: {n} the Gun\n")),
        (5500, engineer(2, "Dynamite_Diffuse: {n} the Gun\n", 'legacy announce: "^7Defused!"\n', 'legacy popup: ^7{team}^7 defused "the Gun"\n')),
        (6000, engineer(2, 'legacy popup: ^7^7 planted "the Wall"\n', "Dynamite_Plant: {n}\n")),
        (6500, engineer(1, "Dynamite_Diffuse: {n}\n")),
        (7000, engineer(1, "Repair: {n}\n", "Repair: {n}\n")),
        (9000, engineer(1, "Repair: {n}\n")),
        (12_050, engineer(1, "Repair: {n}\n")),
        (13_000, forged(number=1)),
        (13_500, forged(dead=True)),
        (14_000, dead_takes),
        (14_500, destroyed),
        (15_000, lambda _: ["Item: 15 team_CTF_redflag\n", "Repair: 14\n", "Objective_Destroyed: 13 x\n"]),
        (15_500, lambda _: ['legacy announce: "^7' + "x" * 150 + '"\n', 'legacy popup: ^7axis^7 planted "(null)"\n']),
        (15_700, lambda p: p.find(team=2, number=2) == 1 and ["Repair: 1\n"]),  # the soldier who became an engineer
        (16_000, lambda _: ["Item: 3 weapon_mp40\n", "Item: 3 team_CTF_redflag ^7just lost 3 skill points\n", "Repair: 3 has been made a referee.\n"]),
    ]
    # At these times somebody spawns or dies: who is alive then depends on the order within the frame.
    busy = set()
    with gzip.open(DATA / "tapes/stopwatch.hooks.jsonl.gz", "rt", encoding="utf-8") as file:
        hooks = [json.loads(line) for line in file]
    for hook in hooks:
        if hook["e"] in ("spawn", "death"):
            busy.add(hook["t"])
    out, players, gamestate, start, now = [], Players(), None, None, 0
    changer, changed_at, info = 1, None, ""
    for line in read("stopwatch"):
        kind = line["e"]
        if kind == "cvars":
            gamestate = line["values"]["gamestate"]
        if kind == "call" and line["cmd"] in ("init", "frame"):
            now = line["args"][0]
            if line["cmd"] == "init":
                players = Players()
                if start is None and gamestate == "0":
                    start = now
                    spawns = [h["t"] for h in hooks if h["e"] == "spawn" and h["n"] == changer and h["gs"] == 0 and not h["limbo"]]
                    changed_at = spawns[1]
        # A soldier becomes an engineer with the second spawn.
        has_changed = changed_at is not None and now >= changed_at
        if kind == "configstring" and line["n"] == 689 + changer:
            info = line["value"]
            if has_changed:
                line["value"] = info.replace("\\c\\0", "\\c\\2")
        if kind == "ps":
            for record in line["c"]:
                if has_changed and record["n"] == changer:
                    record["stats"][4] = 2
            players.see(line)
        out.append(line)
        if kind == "call" and line["cmd"] == "frame" and now == changed_at:
            out.append({"e": "configstring", "n": 689 + changer, "value": info.replace("\\c\\0", "\\c\\2")})
        ready = start is not None and kind == "call" and line["cmd"] == "frame" and now not in busy
        if plan and ready and now - start >= plan[0][0]:
            texts = plan[0][1](players)
            if texts:
                plan.pop(0)
                out.extend(printed(text) for text in texts)
    assert not plan, plan
    write("objectives", out)


if __name__ == "__main__":
    wave_interval()
    objectives()
