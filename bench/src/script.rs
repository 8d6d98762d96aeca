//! The fallback script in a real Lua 5.4, in the same fight as the module.

use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::world::Server;
use gametimes_standin::fight::{Event, Kind, Plan};

/// The bit of `pm_flags` of a player in limbo.
const LIMBO: i64 = 16384;
/// The length of a frame.
const FRAME_MS: i64 = 50;

/// The script, at a frame of a fight. What it takes includes the stub of the game's Lua interface, as on a server it includes the
/// real one.
pub struct Script {
    server: Server,
    /// The next frame of the fight, and the next event.
    frame: i32,
    event: usize,
    _home: tempfile::TempDir,
}

impl Script {
    /// A script at the start of a fight. `live` is the value of `gametimes_live`.
    pub fn new(players: usize, live: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut server = Server::new(home.path(), SCRIPT);
        for (name, value) in [
            ("sv_maxclients", "64"),
            ("gamestate", "0"),
            ("gametimes_live", live),
        ] {
            server.set(name, value);
        }
        server.configstring(32, "0");
        server.load();
        server.call("et_InitGame", (0, 1, 1));
        for slot in 0..players as i64 {
            {
                let mut world = server.world.borrow_mut();
                let client = &mut world.clients[slot as usize];
                client.userinfo = format!("\\name\\x\\cl_guid\\{slot:032X}").into_bytes();
                client.name = format!("p{slot}").into_bytes();
                (client.team, client.pm_flags) = (1 + slot % 2, 0);
            }
            server.call("et_ClientBegin", slot);
            server.call("et_ClientSpawn", (slot, 0, 0, 1));
        }
        Self {
            server,
            frame: 0,
            event: 0,
            _home: home,
        }
    }

    /// Makes the callbacks of the next frame.
    pub fn frame(&mut self, plan: &Plan) {
        while let Some(event) = plan.events().get(self.event)
            && event.frame <= self.frame
        {
            self.happens(event);
            self.event += 1;
        }
        self.server.world.borrow_mut().unix_ms += FRAME_MS;
        self.frame += 1;
        let level_ms = i64::from(self.frame) * FRAME_MS;
        self.server.call("et_RunFrame", level_ms);
    }

    fn happens(&self, event: &Event) {
        if !event.text().is_empty() && event.kind != Kind::Waves {
            self.server.print(event.text());
        }
        let spawns = |revived: i64| {
            self.server
                .call("et_ClientSpawn", (event.slot, revived, 0, 1));
        };
        match event.kind {
            Kind::Kill => {
                let level_ms = i64::from(event.frame) * FRAME_MS;
                self.client(event, |client| client.death_ms = level_ms);
                let means = 9;
                self.server
                    .call("et_Obituary", (event.slot, event.by, means));
            }
            Kind::Limbo => self.client(event, |client| client.pm_flags = LIMBO),
            Kind::Revive => {
                self.client(event, |client| client.death_ms = 0);
                spawns(1);
            }
            Kind::Spawn => {
                self.client(event, |client| {
                    (client.death_ms, client.pm_flags) = (0, 0);
                });
                spawns(0);
            }
            Kind::Say | Kind::Waves | Kind::End => {}
        }
    }

    fn client(&self, event: &Event, change: impl FnOnce(&mut gametimes_lua_tests::world::Client)) {
        change(&mut self.server.world.borrow_mut().clients[event.slot as usize]);
    }
}
