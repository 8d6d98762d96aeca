//! install.sh on made-up server folders: fresh, upgraded, home = base, blanks in paths, no permission, cut off in the middle.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

const MODULE: &str = "qagame.mp.x86_64.so";
const REAL: &str = "qagame_real.mp.x86_64.so";
const SCRIPT: &str = "luascripts/gametimes.lua";

/// The start of a shared object for x86_64 (62) or another machine.
fn elf(machine: u8, text: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([3, 0, machine, 0]);
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

fn module(version: &str) -> Vec<u8> {
    elf(62, &format!("gametimes_module {version} GLIBC_2.17"))
}

/// A package and a server.
struct Place {
    dir: tempfile::TempDir,
    base: PathBuf,
    home: PathBuf,
}

impl Place {
    /// `base` and `home` are names of folders; the same name makes home = base.
    fn new(base: &str, home: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let place = Self {
            base: root.join(base),
            home: root.join(home),
            dir,
        };
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let package = place.package();
        for (from, to) in [
            ("install.sh", "install.sh"),
            ("fallback-lua/gametimes.lua", "fallback-lua/gametimes.lua"),
            ("server-cfg/gametimes.cfg", "server-cfg/gametimes.cfg"),
        ] {
            write(&package.join(to), &fs::read(project.join(from)).unwrap());
        }
        write(&package.join(MODULE), &module("1"));
        write(
            &place.base.join("legacy").join(MODULE),
            &elf(62, "the stock game"),
        );
        write(
            &place.base.join("etmain/etl_server.cfg"),
            b"set sv_hostname \"x\"\nmap oasis\n",
        );
        fs::create_dir_all(place.home.join("legacy")).unwrap();
        place
    }

    fn package(&self) -> PathBuf {
        fs::canonicalize(self.dir.path())
            .unwrap()
            .join("the package")
    }

    fn game(&self, file: &str) -> PathBuf {
        self.home.join("legacy").join(file)
    }

    fn cfg(&self) -> String {
        text(&self.base.join("etmain/etl_server.cfg"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(self.package().join("install.sh"))
            .args(args)
            .arg("--homepath")
            .arg(&self.home)
            .arg(&self.base);
        command
    }

    /// A server of this folder that runs.
    fn start_server(&self) -> Child {
        let server = self.base.join("etlded.x86_64");
        fs::copy(fs::canonicalize("/bin/sh").unwrap(), &server).unwrap();
        Command::new(&server)
            .args(["-c", "sleep 60; :", "x", "+set", "fs_homepath"])
            .arg(&self.home)
            .args([
                "+set",
                "lua_modules",
                "stats.lua",
                "+exec",
                "etl_server.cfg",
            ])
            .spawn()
            .unwrap()
    }

    /// Runs install.sh and expects success.
    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{}", all(&output));
        all(&output)
    }

    /// Runs install.sh and expects failure.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(!output.status.success(), "{}", all(&output));
        all(&output)
    }

    /// Every file of the server with its content and mode, but for the installer's own notes.
    fn tree(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut tree = BTreeMap::new();
        for folder in [&self.base, &self.home] {
            walk(folder, &mut tree);
        }
        tree.retain(|path, _| !path.to_string_lossy().contains("gametimes-install"));
        tree
    }
}

fn walk(dir: &Path, tree: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, tree);
        } else {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            tree.insert(path.clone(), (mode, fs::read(&path).unwrap()));
        }
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn all(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_fresh_server_and_a_second_run_that_changes_nothing() {
    let place = Place::new("base", "home");
    let before = place.tree();
    let said = place.run(&["--dry-run"]);
    assert!(said.contains("would install"), "{said}");
    assert_eq!(place.tree(), before, "a dry run changes nothing");
    assert!(!place.game("gametimes-install").exists());
    assert!(place.fails(&["--check"]).contains("WRONG"));

    place.run(&[]);
    assert_eq!(fs::read(place.game(MODULE)).unwrap(), module("1"));
    assert!(place.game(SCRIPT).exists());
    assert_eq!(
        fs::metadata(place.game("gametimes.cfg"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let cfg = place.cfg();
    // Before the line that starts the server.
    assert!(
        cfg.find("exec gametimes.cfg").unwrap() < cfg.find("map oasis").unwrap(),
        "{cfg}"
    );
    assert_eq!(
        cfg.matches("set lua_modules \"luascripts/gametimes.lua\"")
            .count(),
        1,
        "{cfg}"
    );
    assert!(place.run(&["--check"]).contains("all is well"));

    let installed = place.tree();
    assert!(place.run(&[]).contains("nothing to do"));
    assert_eq!(place.tree(), installed);

    place.run(&["--uninstall"]);
    assert_eq!(place.tree(), before);
    assert!(place.run(&["--uninstall"]).contains("nothing to do"));
}

#[test]
fn scripts_that_are_there_stay_and_ours_comes_last() {
    let place = Place::new("base", "home");
    let server = "seta lua_modules \"c0rnp0rn.lua, combinedfixes.lua\"\r\nmap oasis\r\n// set lua_modules \"no\"\n";
    write(&place.base.join("etmain/etl_server.cfg"), server.as_bytes());
    write(
        &place.base.join("legacy/configs/legacy6.config"),
        b"setl lua_modules endstats.lua // six\n//setl lua_modules \"\"\n",
    );
    write(
        &place.base.join("etmain/configs/empty.config"),
        b"\tsetl  lua_modules \"\"",
    );
    let before = place.tree();
    place.run(&[]);
    let cfg = place.cfg();
    assert!(
        cfg.contains(
            "seta lua_modules \"c0rnp0rn.lua, combinedfixes.lua luascripts/gametimes.lua\"\r\n"
        ),
        "{cfg}"
    );
    assert_eq!(cfg.matches("luascripts/gametimes.lua").count(), 1, "{cfg}");
    assert!(
        cfg.contains("map oasis\r\n// set lua_modules \"no\"\n"),
        "{cfg}"
    );
    let six = text(&place.base.join("legacy/configs/legacy6.config"));
    assert_eq!(
        six,
        "setl lua_modules \"endstats.lua luascripts/gametimes.lua\" // six\n//setl lua_modules \"\"\n"
    );
    assert_eq!(
        text(&place.base.join("etmain/configs/empty.config")),
        "\tsetl  lua_modules \"luascripts/gametimes.lua\"\n"
    );
    let installed = place.tree();
    assert!(place.run(&[]).contains("nothing to do"));
    assert_eq!(place.tree(), installed);
    place.run(&["--check"]);
    place.run(&["--uninstall"]);
    let after = place.tree();
    let words = |tree: &BTreeMap<PathBuf, (u32, Vec<u8>)>| -> Vec<String> {
        let line = |b: &[u8]| String::from_utf8_lossy(b).replace(['"', ','], " ");
        tree.values()
            .map(|(_, b)| line(b).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(
        words(&after),
        words(&before),
        "the same words, if not the same blanks"
    );
}

#[test]
fn a_list_of_modules_is_used_where_there_is_one() {
    let place = Place::new("base", "home");
    write(
        &place.base.join("etmain/etl_server.cfg"),
        b"set g_luaModuleList \"modules.txt\"\nmap oasis\n",
    );
    write(&place.game("modules.txt"), b"stats.lua\n");
    place.run(&[]);
    assert_eq!(
        text(&place.game("modules.txt")),
        "stats.lua\nluascripts/gametimes.lua\n"
    );
    assert!(!place.cfg().contains("lua_modules"), "{}", place.cfg());
    place.run(&["--check"]);
    assert!(place.run(&[]).contains("nothing to do"));
    place.run(&["--uninstall"]);
    assert_eq!(text(&place.game("modules.txt")), "stats.lua\n");
}

#[test]
fn home_is_base_keeps_the_stock_game_and_gives_it_back() {
    let place = Place::new("server", "server");
    let before = place.tree();
    place.run(&[]);
    assert_eq!(
        fs::read(place.game(REAL)).unwrap(),
        elf(62, "the stock game")
    );
    assert_eq!(fs::read(place.game(MODULE)).unwrap(), module("1"));
    place.run(&["--check"]);
    assert!(place.run(&[]).contains("nothing to do"));

    // ET:Legacy is upgraded over it: the new stock game takes our place, and takes the old one's at the next run.
    write(&place.game(MODULE), &elf(62, "a newer stock game"));
    assert!(place.fails(&["--check"]).contains("is not ours"));
    place.run(&[]);
    assert_eq!(
        fs::read(place.game(REAL)).unwrap(),
        elf(62, "a newer stock game")
    );
    assert_eq!(fs::read(place.game(MODULE)).unwrap(), module("1"));

    place.run(&["--uninstall"]);
    let mut expected = before;
    expected.get_mut(&place.game(MODULE)).unwrap().1 = elf(62, "a newer stock game");
    let contents = |t: BTreeMap<PathBuf, (u32, Vec<u8>)>| {
        t.into_iter().map(|(p, (_, b))| (p, b)).collect::<Vec<_>>()
    };
    assert_eq!(contents(place.tree()), contents(expected));
}

/// What is loaded stays loaded until the server ends: the module would find no game any more.
#[test]
fn a_running_server_keeps_the_game_behind_the_module_until_it_is_restarted() {
    for (base, home) in [("server", "server"), ("base", "home")] {
        let place = Place::new(base, home);
        let stock = elf(62, "the stock game");
        write(&place.game(MODULE), &stock);
        place.run(&[]);
        let mut running = place.start_server();
        let said = [place.run(&["--uninstall"]), place.run(&["--uninstall"])];
        let games = [MODULE, REAL].map(|file| fs::read(place.game(file)).ok());
        running.kill().unwrap();
        running.wait().unwrap();
        assert!(said.iter().all(|s| s.contains("kept: ")), "{said:?}");
        assert!(said[1].contains("nothing to do"), "{said:?}");
        assert_eq!(games, [Some(stock.clone()), Some(stock.clone())]);
        // Nothing runs any more.
        place.run(&["--uninstall"]);
        assert!(!place.game(REAL).exists());
        assert_eq!(fs::read(place.game(MODULE)).unwrap(), stock);
        assert!(place.run(&["--uninstall"]).contains("nothing to do"));
    }
}

#[test]
fn uninstalling_never_leaves_a_server_without_a_game() {
    let place = Place::new("server", "server");
    place.run(&[]);
    fs::remove_file(place.game(REAL)).unwrap();
    let before = place.tree();
    assert!(place.fails(&["--uninstall"]).contains("would have no game"));
    assert_eq!(place.tree(), before);
    assert!(place.fails(&["--check"]).contains("cannot start"));
}

#[test]
fn a_game_of_its_own_in_the_home_folder_is_kept_in_front() {
    let place = Place::new("base", "home");
    write(&place.game(MODULE), &elf(62, "a patched game"));
    place.run(&[]);
    assert_eq!(
        fs::read(place.game(REAL)).unwrap(),
        elf(62, "a patched game")
    );
    let cfg = text(&place.game("gametimes.cfg"));
    assert!(
        cfg.contains(&format!(
            "set gametimes_qagame \"{}\"",
            place.game(REAL).display()
        )),
        "{cfg}"
    );
    assert!(place.run(&[]).contains("nothing to do"));
    place.run(&["--check"]);
    // Our own edit does not count as one of the admin: the settings are upgraded, and removed.
    let settings = place.package().join("server-cfg/gametimes.cfg");
    write(&settings, b"// version 2\nset gametimes_qagame \"\"\n");
    place.run(&[]);
    let real = place.game(REAL);
    assert_eq!(
        text(&place.game("gametimes.cfg")),
        format!(
            "// version 2\nset gametimes_qagame \"{}\"\n",
            real.display()
        )
    );
    assert!(place.run(&[]).contains("nothing to do"));
    place.run(&["--uninstall"]);
    assert_eq!(
        fs::read(place.game(MODULE)).unwrap(),
        elf(62, "a patched game")
    );
    assert!(!real.exists());
    assert!(!place.game("gametimes.cfg").exists());
}

#[test]
fn an_upgrade_replaces_what_is_ours_and_keeps_what_the_admin_changed() {
    let place = Place::new("base", "home");
    place.run(&[]);
    let settings = place.package().join("server-cfg/gametimes.cfg");
    write(&place.package().join(MODULE), &module("2"));
    write(
        &place.package().join("fallback-lua/gametimes.lua"),
        b"-- version 2\n",
    );
    write(&settings, b"// version 2\n");
    assert!(place.fails(&["--check"]).contains("another version"));
    place.run(&[]);
    assert_eq!(fs::read(place.game(MODULE)).unwrap(), module("2"));
    assert_eq!(text(&place.game(SCRIPT)), "-- version 2\n");
    assert_eq!(text(&place.game("gametimes.cfg")), "// version 2\n");

    // Now with changed settings.
    write(
        &place.game("gametimes.cfg"),
        b"set gametimes_keep_days \"7\"\n",
    );
    assert!(place.run(&[]).contains("nothing to do"));
    write(&settings, b"// version 3\n");
    place.run(&[]);
    assert_eq!(
        text(&place.game("gametimes.cfg")),
        "set gametimes_keep_days \"7\"\n"
    );
    assert_eq!(text(&place.game("gametimes.cfg.new")), "// version 3\n");
    assert!(place.run(&[]).contains("nothing to do"));
    assert!(place.run(&["--uninstall"]).contains("kept: "));
    assert_eq!(
        text(&place.game("gametimes.cfg")),
        "set gametimes_keep_days \"7\"\n"
    );
}

#[test]
fn blanks_and_quotes_in_paths() {
    let place = Place::new("the base's \"folder\"", "a $HOME; with (blanks) & more");
    let before = place.tree();
    place.run(&[]);
    place.run(&["--check"]);
    assert!(place.run(&[]).contains("nothing to do"));
    place.run(&["--uninstall"]);
    assert_eq!(place.tree(), before);
}

#[test]
fn several_servers_share_a_base_folder_and_its_cfg() {
    let place = Place::new("base", "home one");
    let before = place.tree();
    let other = place.dir.path().join("home two");
    fs::create_dir_all(other.join("legacy")).unwrap();
    let second = |args: &[&str]| {
        let mut command = Command::new("sh");
        command
            .arg(place.package().join("install.sh"))
            .args(args)
            .arg("--homepath")
            .arg(&other)
            .arg(&place.base);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", all(&output));
        all(&output)
    };
    place.run(&[]);
    second(&[]);
    let both = place.cfg();
    assert_eq!(
        (
            both.matches("exec gametimes.cfg").count(),
            both.matches("// for ").count()
        ),
        (1, 2),
        "{both}"
    );
    assert!(place.run(&[]).contains("nothing to do"));
    assert!(second(&[]).contains("nothing to do"));
    assert_eq!(place.cfg(), both);
    place.run(&["--uninstall"]);
    assert!(
        place.cfg().contains("exec gametimes.cfg"),
        "the other one still needs it: {}",
        place.cfg()
    );
    second(&["--check"]);
    second(&["--uninstall"]);
    assert_eq!(place.tree(), before);
}

#[test]
fn what_cannot_run_here_is_not_installed_and_the_script_is() {
    for (bytes, why) in [
        (elf(183, "gametimes_module GLIBC_2.17"), "not for x86_64"),
        (
            elf(62, "gametimes_module GLIBC_2.17 GLIBC_2.99"),
            "needs glibc 2.99",
        ),
    ] {
        let place = Place::new("base", "home");
        write(&place.package().join(MODULE), &bytes);
        let said = place.run(&[]);
        assert!(
            said.contains(why) && said.contains("The script records"),
            "{said}"
        );
        assert!(!place.game(MODULE).exists() && place.game(SCRIPT).exists());
        place.run(&["--check"]);
        assert!(place.run(&[]).contains("nothing to do"));
        assert!(place.fails(&["--no-script"]).contains(why));
    }
    let place = Place::new("base", "home");
    fs::remove_file(place.base.join("legacy").join(MODULE)).unwrap();
    assert!(place.run(&[]).contains("there is no stock game"));
    assert!(!place.game(MODULE).exists());
}

#[test]
fn a_folder_that_is_no_server_is_refused() {
    let place = Place::new("base", "home");
    assert!(
        place
            .fails(&["--game", "nonesuch"])
            .contains("holds no folder nonesuch")
    );
    assert!(place.fails(&["--game", "../x"]).contains("is a name"));
    assert!(
        place
            .fails(&["--cfg", "/nonesuch.cfg"])
            .contains("no such file")
    );
    assert!(place.fails(&["--nonesuch"]).contains("unknown option"));
    fs::remove_file(place.base.join("etmain/etl_server.cfg")).unwrap();
    assert!(place.run(&[]).contains("TO DO: no etl_server.cfg"));
}

/// The home folder and the command line of a server that runs now.
#[test]
fn a_running_server_says_where_its_home_is() {
    let place = Place::new("base", "the home");
    let mut running = place.start_server();
    let mut command = Command::new("sh");
    let output = command
        .arg(place.package().join("install.sh"))
        .arg(&place.base)
        .output();
    running.kill().unwrap();
    running.wait().unwrap();
    let said = all(&output.unwrap());
    assert!(place.game(MODULE).exists(), "{said}");
    assert!(
        said.contains("TO DO: the server is started with +set lua_modules \"stats.lua\""),
        "{said}"
    );
    assert!(
        !place.cfg().contains("lua_modules"),
        "would take the scripts of the command line away: {}",
        place.cfg()
    );
}

#[test]
fn without_permission_nothing_is_touched() {
    let place = Place::new("base", "home");
    let before = place.tree();
    let mode = |mode| {
        for dir in [place.game(""), place.base.join("etmain")] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    // Root can write everywhere; nobody cannot.
    let mut command = Command::new(if is_root() { "setpriv" } else { "env" });
    if is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        fs::set_permissions(place.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    mode(0o555);
    let output = command
        .arg("sh")
        .arg(place.package().join("install.sh"))
        .arg("--homepath")
        .arg(&place.home)
        .arg(&place.base)
        .output();
    mode(0o755);
    let output = output.unwrap();
    assert!(!output.status.success());
    assert!(
        all(&output).contains("Nothing was changed"),
        "{}",
        all(&output)
    );
    assert_eq!(place.tree(), before);
}

#[test]
fn root_does_not_install_for_another_user() {
    if !is_root() {
        return; // nobody else can try
    }
    let place = Place::new("base", "home");
    std::os::unix::fs::chown(&place.home, Some(65534), None).unwrap();
    let before = place.tree();
    assert!(place.fails(&[]).contains("sudo -u nobody"));
    assert_eq!(place.tree(), before);
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout == b"0\n")
}

/// Cuts the installation off before each of its renames and copies: at every moment there is a game to load, no file is half
/// written, and the next run finishes the work.
fn cut_off_at_any_step(base: &str, home: &str, args: &[&str]) {
    let mut steps = 0;
    loop {
        let place = Place::new(base, home);
        if args.contains(&"--uninstall") {
            place.run(&[]);
        }
        // `mv` and `cp` that fail for good from the given call on, as if the power was gone.
        let tools = place.dir.path().join("tools");
        for tool in ["mv", "cp", "rm", "mkdir", "chmod"] {
            let path = tools.join(tool);
            write(
                        &path,
                        format!(
                            "#!/bin/sh\nn=$(cat {0}/n)\n[ \"$n\" -gt 0 ] || exit 1\necho $((n - 1)) >{0}/n\nexec /bin/{tool} \"$@\"\n",
                            tools.display()
                        )
                        .as_bytes(),
                    );
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        write(&tools.join("n"), format!("{steps}\n").as_bytes());
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let output = place.command(args).env("PATH", path).output().unwrap();
        let game = |file: &Path| fs::read(file).ok();
        let stock = elf(62, "the stock game");
        let loaded =
            game(&place.game(MODULE)).or_else(|| game(&place.base.join("legacy").join(MODULE)));
        let real = [place.base.join("legacy").join(MODULE), place.game(REAL)];
        let starts = loaded == Some(stock.clone())
            || loaded == Some(module("1")) && real.iter().any(|f| game(f) == Some(stock.clone()));
        assert!(starts, "{base} {args:?} cut off at step {steps}");
        assert!(place.cfg().contains("map oasis"), "{args:?} {steps}");
        place.run(args);
        if args.is_empty() {
            place.run(&["--check"]);
        } else {
            assert_eq!(game(&place.base.join("legacy").join(MODULE)), Some(stock));
            assert!(!place.cfg().contains("gametimes"), "{}", place.cfg());
        }
        if output.status.success() {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 4, "{args:?}: only {steps} steps");
}

#[test]
fn an_installation_cut_off_leaves_a_server_that_starts() {
    cut_off_at_any_step("base", "home", &[]);
}

#[test]
fn an_installation_cut_off_where_home_is_base() {
    cut_off_at_any_step("server", "server", &[]);
}

#[test]
fn an_uninstallation_cut_off_leaves_a_server_that_starts() {
    cut_off_at_any_step("base", "home", &["--uninstall"]);
}

#[test]
fn an_uninstallation_cut_off_where_home_is_base() {
    cut_off_at_any_step("server", "server", &["--uninstall"]);
}
