//! The game as a script sees it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, LuaString, Table, Value, Variadic};

/// The game's data about one client.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The engine's userinfo.
    pub userinfo: Vec<u8>,
    /// `pers.netname`.
    pub name: Vec<u8>,
    /// `sess.sessionTeam`.
    pub team: i64,
    /// `sess.referee`.
    pub referee: i64,
    /// `sess.playerType`.
    pub class: i64,
    /// `ps.pm_flags`.
    pub pm_flags: i64,
    /// `deathTime`: 0, or the level time of the death.
    pub death_ms: i64,
    /// `pers.lastSpawnTime`.
    pub spawn_ms: i64,
}

/// The state of the game.
#[derive(Debug, Default)]
pub struct World {
    /// All cvars.
    pub cvars: HashMap<String, Vec<u8>>,
    /// All configstrings.
    pub configstrings: HashMap<i64, Vec<u8>>,
    /// All slots.
    pub clients: Vec<Client>,
    /// The wall clock.
    pub unix_ms: i64,
    /// Local time minus UTC.
    pub utc_offset_seconds: i64,
    /// Console commands that the script sent.
    pub commands: Vec<String>,
    /// The names of the scripts loaded before this one.
    pub scripts_before: Vec<String>,
    /// The words of the console command that runs.
    pub arguments: Vec<String>,
    /// What the script printed.
    pub log: Vec<String>,
    /// Fields whose reading raises an error, as in a game that does not have them.
    pub broken_fields: Vec<String>,
    /// Whether the game is that of an ETLTV relay, which has one function more.
    pub relay: bool,
}

impl World {
    /// A cvar as text.
    pub fn cvar(&self, name: &str) -> String {
        self.cvars
            .get(name)
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .unwrap_or_default()
    }

    fn field(&self, slot: i64, name: &str) -> mlua::Result<Option<Value>> {
        if self.broken_fields.iter().any(|f| f == name) {
            return Err(mlua::Error::runtime(format!(
                "tried to get invalid gentity field \"{name}\""
            )));
        }
        let max: i64 = self.cvar("sv_maxclients").parse().unwrap_or(64);
        assert!(
            (0..max).contains(&slot),
            "slot {slot} is outside sv_maxclients {max}: the game would read foreign memory"
        );
        let client = &self.clients[slot as usize];
        Ok(Some(Value::Integer(match name {
            "sess.sessionTeam" => client.team,
            "sess.referee" => client.referee,
            "sess.playerType" => client.class,
            "ps.pm_flags" => client.pm_flags,
            "deathTime" => client.death_ms,
            "pers.lastSpawnTime" => client.spawn_ms,
            // The game copies a counter when a player goes into limbo; here it is enough that the number changes then.
            "saved_persistant" => client.pm_flags & 0x4000,
            "pers.netname" => return Ok(None),
            _ => {
                return Err(mlua::Error::runtime(format!(
                    "tried to get invalid gentity field \"{name}\""
                )));
            }
        })))
    }
}

/// A server that runs a script.
pub struct Server {
    /// The state of the game.
    pub world: Rc<RefCell<World>>,
    lua: Option<Lua>,
    script: String,
    home: PathBuf,
}

impl Server {
    /// A server whose `fs_homepath` is this folder and whose `fs_game` is `legacy`. `script` is loaded at every map.
    pub fn new(home: &Path, script: &str) -> Self {
        let server = Self {
            world: Rc::new(RefCell::new(World {
                clients: vec![Client::default(); 64],
                unix_ms: 1_795_177_000_000,
                ..World::default()
            })),
            lua: None,
            script: script.to_owned(),
            home: home.to_owned(),
        };
        std::fs::create_dir_all(server.game_dir()).expect("home folder");
        for (name, value) in [
            ("fs_basepath", "/nowhere/etlegacy"),
            ("fs_homepath", home.to_str().expect("UTF-8 path")),
            ("fs_game", "legacy"),
            ("mapname", "supply"),
            ("g_gametype", "3"),
            ("g_currentRound", "0"),
            ("gamestate", "2"),
            ("timelimit", "12"),
            ("sv_maxclients", "20"),
            ("sv_hostname", "^1Test ^7Server"),
            ("net_ip", "127.0.0.1"),
            ("net_port", "27960"),
            ("mod_version", "v2.83.1"),
        ] {
            server.set(name, value);
        }
        server
    }

    /// `<fs_homepath>/<fs_game>`.
    pub fn game_dir(&self) -> PathBuf {
        self.home.join("legacy")
    }

    /// Sets a cvar.
    pub fn set(&self, name: &str, value: &str) {
        self.world
            .borrow_mut()
            .cvars
            .insert(name.to_owned(), value.as_bytes().to_vec());
    }

    /// Sets a configstring.
    pub fn configstring(&self, n: i64, value: &str) {
        self.world
            .borrow_mut()
            .configstrings
            .insert(n, value.as_bytes().to_vec());
    }

    /// Everything the script printed so far.
    pub fn log(&self) -> String {
        self.world.borrow().log.concat()
    }

    /// Loads the script, as the game does at every map.
    ///
    /// # Panics
    /// When the script cannot be loaded.
    pub fn load(&mut self) {
        self.unload();
        let lua = Lua::new();
        self.install(&lua).expect("stub of et");
        lua.load(self.script.as_str())
            .set_name("gametimes.lua")
            .exec()
            .expect("the script loads");
        self.lua = Some(lua);
    }

    /// Closes the script's state, as the game does at shutdown and at `lua_restart`.
    pub fn unload(&mut self) {
        if let Some(lua) = self.lua.take() {
            // Closing a state runs its finalizers, but the stub is gone by then. So run them before.
            let _ = lua.globals().set("gametimes_keeper", Value::Nil);
            lua.gc_collect().expect("finalizers");
        }
    }

    /// Whether a script is loaded.
    pub fn is_loaded(&self) -> bool {
        self.lua.is_some()
    }

    /// Calls a callback of the script as the game does, and checks that it returns nothing.
    ///
    /// # Panics
    /// When the callback raises an error or returns a value.
    pub fn call(&self, name: &str, args: impl IntoLuaMulti) {
        let lua = self.lua.as_ref().expect("a script is loaded");
        let Ok(function) = lua.globals().get::<Function>(name) else {
            return;
        };
        let results: Variadic<Value> = function
            .call(args)
            .unwrap_or_else(|e| panic!("{name} raised an error: {e}"));
        assert!(results.is_empty(), "{name} returned {results:?}");
    }

    /// Passes a print of the game to the script.
    pub fn print(&self, text: &[u8]) {
        if let Some(lua) = &self.lua {
            let text = lua.create_string(text).expect("string");
            self.call("et_Print", text);
        }
    }

    /// Evaluates an expression in the script's state, for tests of its parts.
    ///
    /// # Panics
    /// When it raises an error.
    pub fn eval<T: FromLuaMulti>(&self, code: &str) -> T {
        self.lua
            .as_ref()
            .expect("a script is loaded")
            .load(code)
            .eval()
            .expect("expression")
    }

    fn install(&self, lua: &Lua) -> mlua::Result<()> {
        let et = lua.create_table()?;
        self.function(lua, &et, "G_Print", |world, _, text: LuaString| {
            let text = text.to_string_lossy();
            assert!(text.len() < 1024, "the game cuts prints at 1023 bytes");
            world.log.push(text);
            Ok(())
        })?;
        self.function(lua, &et, "trap_Argv", |world, _, n: usize| {
            Ok(world.arguments.get(n).cloned().unwrap_or_default())
        })?;
        self.function(lua, &et, "RegisterModname", |_, _, _: LuaString| Ok(()))?;
        self.function(lua, &et, "FindSelf", |world, _, ()| {
            Ok(world.scripts_before.len())
        })?;
        self.function(lua, &et, "FindMod", |world, _, n: usize| {
            assert!(
                n < world.scripts_before.len(),
                "the game would read foreign memory"
            );
            Ok(world.scripts_before[n].clone())
        })?;
        self.function(lua, &et, "trap_Milliseconds", |world, _, ()| {
            Ok(world.unix_ms - 1_795_000_000_000)
        })?;
        self.function(lua, &et, "trap_Cvar_Get", |world, lua, name: String| {
            let value = world.cvars.get(&name).map_or(&b""[..], Vec::as_slice);
            // The game reads cvars into a buffer of 256 bytes.
            lua.create_string(&value[..value.len().min(255)])
        })?;
        self.function(
            lua,
            &et,
            "trap_Cvar_Set",
            |world, _, (name, value): (String, LuaString)| {
                world.cvars.insert(name, value.as_bytes().to_vec());
                Ok(())
            },
        )?;
        self.function(
            lua,
            &et,
            "trap_SendConsoleCommand",
            |world, _, (_, command): (i64, String)| {
                world.commands.push(command);
                Ok(())
            },
        )?;
        self.function(lua, &et, "trap_GetConfigstring", |world, lua, n: i64| {
            lua.create_string(world.configstrings.get(&n).map_or(&b""[..], Vec::as_slice))
        })?;
        self.function(lua, &et, "trap_GetUserinfo", |world, lua, n: i64| {
            lua.create_string(&world.clients[usize::try_from(n).expect("slot")].userinfo)
        })?;
        self.function(
            lua,
            &et,
            "gentity_get",
            |world, lua, (slot, name): (i64, String)| match world.field(slot, &name)? {
                Some(value) => Ok(value),
                None => Ok(Value::String(
                    lua.create_string(&world.clients[slot as usize].name)?,
                )),
            },
        )?;
        if self.world.borrow().relay {
            self.function(lua, &et, "TVG_Say", |_, _, _: LuaString| Ok(()))?;
        }
        lua.globals().set("et", et)?;
        // Time and time zone are those of the match.
        let os: Table = lua.globals().get("os")?;
        let world = Rc::clone(&self.world);
        let time = move |_: &Lua, date: Option<Table>| match date {
            Some(date) => Ok(unix_of(&date)? - world.borrow().utc_offset_seconds),
            None => Ok(world.borrow().unix_ms.div_euclid(1000)),
        };
        os.set("time", lua.create_function(time)?)?;
        let real: Function = os.get("date")?;
        let world = Rc::clone(&self.world);
        let date = move |_: &Lua, (format, unix): (String, i64)| {
            if format.starts_with('!') {
                return real.call::<Value>((format, unix));
            }
            let local = unix + world.borrow().utc_offset_seconds;
            real.call::<Value>((format!("!{format}"), local))
        };
        os.set("date", lua.create_function(date)?)?;
        Ok(())
    }

    fn function<A, R, F>(&self, lua: &Lua, et: &Table, name: &str, f: F) -> mlua::Result<()>
    where
        A: mlua::FromLuaMulti,
        R: IntoLuaMulti,
        F: Fn(&mut World, &Lua, A) -> mlua::Result<R> + 'static,
    {
        let world = Rc::clone(&self.world);
        et.set(
            name,
            lua.create_function(move |lua, args: A| f(&mut world.borrow_mut(), lua, args))?,
        )
    }
}

/// The unix time of a date in a Lua table, taken as UTC.
fn unix_of(date: &Table) -> mlua::Result<i64> {
    let get = |key: &str| date.get::<i64>(key);
    let (year, month, day) = (get("year")?, get("month")?, get("day")?);
    // Days since 1970-01-01, with years that begin in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
            - 1
            - 719_468;
    Ok(((days * 24 + get("hour")?) * 60 + get("min")?) * 60 + get("sec")?)
}
