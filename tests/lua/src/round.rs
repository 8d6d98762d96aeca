//! A short made-up round, for tests that need no whole match.

use crate::world::Server;

/// A round of two players with one kill, a little more than a minute long, then the intermission.
pub struct Round<'a> {
    pub server: &'a mut Server,
    pub level: i64,
}

impl<'a> Round<'a> {
    /// Begins a map whose round is played at once, without a warmup.
    pub fn start(server: &'a mut Server, restart: i64) -> Self {
        server.set("gamestate", "0");
        server.configstring(11, "1000");
        server.configstring(13, "d\\0");
        server.configstring(14, "w\\-1");
        server.configstring(32, "0");
        server.load();
        server.call("et_InitGame", (1000, 1, restart));
        let mut round = Self {
            server,
            level: 1000,
        };
        round.frames(10);
        for (slot, team) in [(0, 1), (1, 2)] {
            round.join(
                slot,
                team,
                &format!("{:032X}", 0xA0 + slot),
                &format!("^1Player^7{slot}"),
            );
        }
        round.frames(1);
        round
    }

    /// Lets a player join a team and spawn.
    pub fn join(&mut self, slot: i64, team: i64, guid: &str, name: &str) {
        {
            let mut world = self.server.world.borrow_mut();
            let client = &mut world.clients[slot as usize];
            client.userinfo = format!("\\name\\x\\cl_guid\\{guid}").into_bytes();
            client.name = name.as_bytes().to_vec();
            (client.team, client.pm_flags) = (team, 0);
        }
        self.server.call("et_ClientBegin", slot);
        self.spawn(slot, false);
    }

    pub fn spawn(&mut self, slot: i64, revived: bool) {
        {
            let mut world = self.server.world.borrow_mut();
            let client = &mut world.clients[slot as usize];
            (client.spawn_ms, client.death_ms) = (self.level, 0);
        }
        self.server
            .call("et_ClientSpawn", (slot, i64::from(revived), 0, 1));
    }

    pub fn kill(&mut self, victim: i64, killer: i64) {
        self.hidden_kill(victim, killer);
        self.server.call("et_Obituary", (victim, killer, 9));
    }

    /// Like [`Round::kill`], with a script before this one that returns a value from its `et_Obituary`.
    pub fn hidden_kill(&mut self, victim: i64, killer: i64) {
        self.server.world.borrow_mut().clients[victim as usize].death_ms = self.level;
        self.server.print(
            format!("Kill: {killer} {victim} 9: ^7a^7 killed b^7 by MOD_THOMPSON\n").as_bytes(),
        );
    }

    /// A player calls a vote.
    pub fn call_vote(&mut self, slot: i64, vote: &str) {
        self.server
            .print(format!("callvote: {slot} {vote}\n").as_bytes());
        self.server.configstring(7, vote);
        self.server.configstring(6, &self.level.to_string());
        self.frames(1);
    }

    /// The running vote ends with this print.
    pub fn end_vote(&mut self, text: &str) {
        self.server.print(format!("{text}\n").as_bytes());
        self.server.configstring(6, "");
        self.frames(1);
    }

    pub fn frames(&mut self, count: i64) {
        for _ in 0..count {
            self.level += 50;
            self.server.world.borrow_mut().unix_ms += 50;
            self.server.call("et_RunFrame", self.level);
        }
    }

    /// Ends the round with this `Exit:` print.
    pub fn exit(&mut self, text: &str) {
        self.server.configstring(14, "w\\1");
        self.print_exit(text);
        self.frames(1);
        self.server.set("gamestate", "3");
    }

    /// The game prints the end of the round and queues the intermission.
    pub fn print_exit(&mut self, text: &str) {
        self.server.print(format!("Exit: {text}\n").as_bytes());
        self.server.configstring(12, "1");
        self.server.print(b"axis:12  allies:-3\n");
    }

    /// Plays the rest of the round, up to the last frame of the intermission.
    pub fn play_to_the_end(&mut self) {
        self.frames(200);
        self.kill(1, 0);
        self.frames(100);
        self.spawn(1, false);
        self.frames(1000);
        self.exit("Wolf EndRound.");
        self.frames(200);
    }

    /// Ends the map.
    pub fn shutdown(self, restart: i64) {
        self.server.call("et_ShutdownGame", restart);
        self.server.unload();
    }
}

/// Plays a whole map, from init to shutdown.
pub fn play_round(server: &mut Server, restart: i64) {
    let mut round = Round::start(server, restart);
    round.play_to_the_end();
    round.shutdown(1);
}
