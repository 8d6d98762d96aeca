#!/usr/bin/env python3
"""What a tape says about the match: config, line-ups at the start, substitutions, who paused.

    tests/expected/matches.py tests/data/tapes/stopwatch.tape.jsonl.gz > tests/expected/stopwatch.matches.json

It shares no code with the recorders, and reads nothing but the tape: the players' configstrings (689 and on) say who is on which
team, the userinfo says which guid is in which slot, configstring 32 says when the match is paused.
"""
import gzip
import json
import re
import sys

START_MS = 1000


def info(text):
    parts = text.lstrip("\\").split("\\")
    return dict(zip(parts[0::2], parts[1::2]))


class Round:
    def __init__(self, begin_ms, slots):
        self.begin_ms = begin_ms
        self.paused_ms = 0
        self.paused_at = None
        self.team_of = {}  # guid -> 1 or 2
        self.start = {1: set(), 2: set()}
        self.free = {1: [], 2: []}
        self.substitutions = []
        self.pauses = []
        self.bots = set()

    def clock(self, level_ms):
        return (self.paused_at or level_ms) - self.begin_ms - self.paused_ms

    def moves(self, level_ms, guid, team):
        before = self.team_of.get(guid)
        if before == team:
            return
        now = self.clock(level_ms)
        if now <= START_MS:
            if before:
                self.start[before].discard(guid)
            if team:
                self.start[team].add(guid)
        elif before and not team:
            self.free[before].append(guid)
        elif team and not before:
            if guid in self.free[team]:
                self.free[team].remove(guid)
            elif self.free[team]:
                out = self.free[team].pop(0)
                self.substitutions.append({"t_ms": now, "team": team, "out": out, "in": guid})
        if team in (1, 2):
            self.team_of[guid] = team
        else:
            self.team_of.pop(guid, None)


def read(path):
    rounds = []
    cvars, userinfo, connected, level_ms = {}, {}, set(), 0
    current, calls, mod_version, command = None, [], "", ""
    referee = {}
    with gzip.open(path, "rt") as file:
        for line in file:
            e = json.loads(line)
            kind = e["e"]
            if kind == "cvars":
                cvars.update(e["values"])
            elif kind == "cvar_set":
                cvars[e["name"]] = e["value"]
                if e["name"] == "gamestate" and e["value"] != "0":
                    current = None
            elif kind == "userinfo":
                userinfo[e["n"]] = info(e["value"])
            elif kind == "call":
                calls.append((e["cmd"], e["args"]))
                if e["cmd"] == "init":
                    level_ms = e["args"][0]
                    connected = set()
                    current = None
                    if cvars.get("gamestate") == "0":
                        current = Round(level_ms, {})
                        rounds.append((current, cvars))
                elif e["cmd"] == "frame":
                    level_ms = e["args"][0]
                elif e["cmd"] == "shutdown":
                    current = None
                elif e["cmd"] == "disconnect":
                    slot = e["args"][0]
                    guid = userinfo.get(slot, {}).get("cl_guid")
                    if current and slot in connected and guid:
                        current.moves(level_ms, guid, None)
                    connected.discard(slot)
            elif kind == "ret":
                cmd, args = calls.pop()
                if cmd == "connect" and e["value"] == 0:
                    connected.add(args[0])
                if cmd == "init" and current is not None:
                    current.config = cvars.get("g_customConfig", "")
                    current.mod_version = cvars.get("mod_version", "")
            elif kind == "print":
                if current and re.match(r"Exit: ", e["text"]):
                    current = None
            elif kind == "configstring":
                slot = e["n"] - 689
                if 0 <= slot < 64 and current is not None:
                    fields = info(e["value"])
                    referee[slot] = fields.get("ref", "0") != "0"
                    guid = userinfo.get(slot, {}).get("cl_guid")
                    if e["value"] == "":
                        if slot in connected and guid:
                            current.moves(level_ms, guid, None)
                        connected.discard(slot)
                    elif guid:
                        team = int(fields["t"])
                        current.moves(level_ms, guid, team if team in (1, 2) else None)
                        if guid.upper().startswith("OMNIBOT") and team in (1, 2):
                            current.bots.add(guid)
                elif e["n"] == 32 and current is not None:
                    paused = int(e["value"]) & 16 != 0
                    if paused and current.paused_at is None:
                        current.paused_at = level_ms
                        cmd, args = calls[-1]
                        if cmd == "command":
                            current.pauses.append("referee" if referee.get(args[0]) else "player")
                        else:
                            current.pauses.append("server")
                    elif not paused and current.paused_at is not None:
                        current.paused_ms += level_ms - current.paused_at
                        current.paused_at = None
    for found, _ in rounds:
        yield {
            "config": found.config,
            "mod_version": found.mod_version,
            "start": {"axis": sorted(found.start[1]), "allies": sorted(found.start[2])},
            "substitutions": found.substitutions,
            "pauses": found.pauses,
            "bots": len(found.bots),
        }


if __name__ == "__main__":
    json.dump(list(read(sys.argv[1])), sys.stdout, indent=1)
    print()
