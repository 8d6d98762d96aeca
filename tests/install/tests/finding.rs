//! install.sh without a server's folder: it finds the server that runs, or the systemd unit that starts one.
//!
//! Each test has its own process namespace, because the servers of other tests run at the same time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use gametimes_install_tests::{MODULE, TestServer, fails, is_root, printed, succeeds, text, write};

/// A shell script in its own process namespace, in the folder that holds the server. `install` is install.sh; `terminal WORDS`
/// runs it in a terminal on which WORDS are typed, and which stays open; `start FOLDER ARGS` starts `./etlded` in FOLDER.
fn isolated(server: &TestServer, script: &str) -> Command {
    let root = fs::canonicalize(server.dir.path()).unwrap();
    write(&root.join("unpacked/etlded"), b"#!/bin/sh\nsleep 60\n:\n");
    let prelude = format!(
        "install() {{ sh '{0}/install.sh' \"$@\"; }}\n\
         terminal() {{ rm -f keys; mkfifo keys; {{ printf '%s\\n' \"$1\"; exec sleep 100; }} >keys &\n\
         script -qec \"sh '{0}/install.sh'\" /dev/null <keys; }}\n\
         start() {{ cp unpacked/etlded \"$1/etlded\"; chmod 755 \"$1/etlded\"\n\
         ( cd \"$1\"; shift; exec ./etlded \"$@\" ) </dev/null >/dev/null 2>&1 &\n\
         until grep -q \"$(printf %s \"$2\" | tr ' ' .)\" /proc/$!/cmdline 2>/dev/null; do sleep 0.05; done; }}\n",
        server.package().display()
    );
    let mut command = Command::new("timeout");
    command.args(["120", "unshare"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .args(["sh", "-c", &format!("{prelude}{script}")])
        .current_dir(&root)
        .env("HOME", root.join("user"));
    command
}

#[test]
fn running_server_is_found_and_its_cfg_edited() {
    // A script, as servers on other architectures have one, is found by its argument.
    let server = TestServer::new("the server", "a home");
    write(
        &server.base.join("etmain/vektor.cfg"),
        b"set sv_hostname \"v\"\n",
    );
    let start = "start 'the server' +set fs_homepath '../a home' +exec vektor.cfg\n";
    // Nobody can be asked, so a server that was not named is left alone.
    let said = fails(&mut isolated(&server, &format!("{start} install")));
    assert!(said.contains("pass --yes"), "{said}");
    assert!(!server.game(MODULE).exists());
    let said = succeeds(&mut isolated(
        &server,
        &format!("{start} install --dry-run"),
    ));
    assert!(said.contains("(the running server)"), "{said}");

    succeeds(&mut isolated(&server, &format!("{start} install --yes")));
    assert!(server.game(MODULE).exists());
    assert!(text(&server.base.join("etmain/vektor.cfg")).contains("exec gametimes.cfg"));
    assert!(!server.cfg().contains("gametimes"));
    succeeds(&mut isolated(&server, &format!("{start} install --check")));
    let said = succeeds(&mut isolated(&server, &format!("{start} install --yes")));
    assert!(said.contains("nothing to do"), "{said}");

    let uninstall = format!("{start} install --uninstall --yes");
    succeeds(&mut isolated(&server, &uninstall));
    assert!(!server.game(MODULE).exists());
}

/// Found on a machine where other servers stopped at the same time.
#[test]
fn server_that_ends_while_it_is_looked_at_stops_nothing() {
    let server = TestServer::new("the server", "a home");
    // It ends when its command line has been read.
    let path = server.tool(
        "tr",
        "/usr/bin/tr \"$@\"\ncase $(readlink /proc/self/fd/0) in /proc/$ENDING/cmdline) kill -9 \"$ENDING\"\n\
         while [ -e \"/proc/$ENDING\" ]; do sleep 0.01; done ;; esac\n",
    );
    let said = succeeds(&mut isolated(
        &server,
        &format!(
            "start 'the server' +set fs_homepath '../a home' +exec etl_server.cfg\n\
             export ENDING=$! PATH='{path}'\n\
             install --dry-run --homepath \"$PWD/a home\" \"$PWD/the server\"\n\
             test ! -e \"/proc/$ENDING\"\n"
        ),
    ));
    assert!(!said.contains("/proc"), "{said}");
    assert!(!said.contains("belongs to"), "{said}");
}

#[test]
fn answer_at_the_terminal_decides() {
    let server = TestServer::new("base", "user/.etlegacy");
    let start = "start base +exec etl_server.cfg\n";
    let said = printed(
        &isolated(&server, &format!("{start} terminal n"))
            .output()
            .unwrap(),
    );
    assert!(said.contains("Nothing was changed"), "{said}");
    assert!(!server.game(MODULE).exists());
    let said = succeeds(&mut isolated(&server, &format!("{start} terminal y")));
    assert!(server.game(MODULE).exists(), "{said}");
}

#[test]
fn several_servers_are_listed_and_one_can_be_chosen() {
    let server = TestServer::new("base", "home one");
    fs::create_dir_all(server.home.with_file_name("home two").join("legacy")).unwrap();
    let start = "start base +set fs_homepath '../home one' +exec etl_server.cfg\n\
                 start base +set fs_homepath '../home two' +exec etl_server.cfg\n";
    let said = fails(&mut isolated(&server, &format!("{start} install --yes")));
    for home in ["home one", "home two", "Nothing was changed"] {
        assert!(said.contains(home), "{said}");
    }
    let said = succeeds(&mut isolated(&server, &format!("{start} terminal '2\ny'")));
    assert!(!server.game(MODULE).exists(), "{said}");
    let second = server.home.with_file_name("home two").join("legacy");
    assert!(second.join(MODULE).exists(), "{said}");
}

/// A relay shows the match of another server; the servers' cfgs are the same.
#[test]
fn relay_is_left_out() {
    let server = TestServer::new("base", "home");
    let relay = "start base +set fs_homepath ../relay +exec etl_server.cfg +tv connect 127.0.0.1\n";
    let said = fails(&mut isolated(&server, &format!("{relay} install --yes")));
    assert!(said.contains("ETLTV relay"), "{said}");
    let start = "start base +set fs_homepath ../home +exec etl_server.cfg\n";
    succeeds(&mut isolated(
        &server,
        &format!("{relay}{start} install --yes"),
    ));
    assert!(server.game(MODULE).exists());
}

/// ET:Legacy's own unit writes "+ set", and has its folders in another file.
#[test]
fn unit_that_starts_a_server_is_found() {
    for (unit, script) in [
        (
            "EnvironmentFile=ROOT/etlegacy.conf\nExecStart=/usr/bin/etlded +set fs_basepath $FS_BASEPATH + set fs_homepath \
             $FS_HOMEPATH + set fs_game $FS_GAME +exec $EXEC\n",
            "",
        ),
        (
            "WorkingDirectory=ROOT/base\nExecStart=taskset -c 0,1 ./etlded.x86_64 +set fs_homepath ../home +exec other.cfg\n",
            "",
        ),
        (
            "ExecStart=ROOT/start.sh\n",
            "#!/bin/bash\nDIR=ROOT/base\ncd $DIR\npgrep etlded || \
             screen -dmS one ./etlded.x86_64 +set fs_homepath ROOT/home +exec other.cfg\n\
             screen -dmS two $DIR/etlded.x86_64 +set fs_homepath ROOT/home +set net_port 27961 +exec aim.cfg\n",
        ),
    ] {
        let server = TestServer::new("base", "home");
        let root = server.base.parent().unwrap();
        let own = |text: &str| text.replace("ROOT", root.to_str().unwrap());
        write(
            &root.join("etlegacy.conf"),
            own("FS_BASEPATH=\"ROOT/base\"\nFS_HOMEPATH=ROOT/home\nFS_GAME=legacy\nEXEC=other\n")
                .as_bytes(),
        );
        write(
            &root.join("user/.config/systemd/user/et.service"),
            own(&format!("[Service]\n{unit}")).as_bytes(),
        );
        write(&root.join("start.sh"), own(script).as_bytes());
        for cfg in ["other.cfg", "aim.cfg"] {
            write(&server.base.join("etmain").join(cfg), b"map oasis\n");
        }
        let said = succeeds(&mut isolated(&server, "install --yes"));
        assert!(server.game(MODULE).exists(), "{said}");
        for (cfg, executed) in [
            ("other.cfg", true),
            ("aim.cfg", !script.is_empty()),
            ("etl_server.cfg", false),
        ] {
            let cfg = text(&server.base.join("etmain").join(cfg));
            assert_eq!(cfg.contains("exec gametimes.cfg"), executed, "{said}");
        }
    }
}

/// Its home would be another one.
#[test]
fn unit_of_another_user_is_refused() {
    let server = TestServer::new("base", "home");
    let root = server.base.parent().unwrap();
    let unit = "[Service]\nUser=etlegacy\nExecStart=ROOT/base/etlded.x86_64 +exec etl_server.cfg\n";
    write(
        &root.join("user/.config/systemd/user/et.service"),
        unit.replace("ROOT", root.to_str().unwrap()).as_bytes(),
    );
    let before = server.tree();
    let said = fails(&mut isolated(&server, "install --yes"));
    assert!(said.contains("sudo -u 'etlegacy'"), "{said}");
    assert_eq!(server.tree(), before);
}

#[test]
fn server_of_another_user_is_not_touched() {
    if !is_root() {
        return; // only root can run a server as another user
    }
    let server = TestServer::new("base", "home");
    fs::set_permissions(server.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = "start base +set fs_homepath ../home +exec etl_server.cfg\n\
                  setpriv --reuid=65534 --regid=65534 --clear-groups sh 'the package/install.sh' --yes";
    let said = fails(&mut isolated(&server, script));
    assert!(
        said.contains("belongs to root; to install there, run this as that user"),
        "{said}"
    );
}

#[test]
fn folder_without_a_server_is_refused() {
    let server = TestServer::new("base", "home");
    fs::remove_file(server.base.join("etlded.i386")).unwrap();
    let before = server.tree();
    let said = server.fails(&[]);
    assert!(said.contains("contains no etlded"), "{said}");
    assert_eq!(server.tree(), before);
    let said = fails(&mut isolated(&server, "install --yes"));
    assert!(said.contains("no server is running"), "{said}");
}

/// A server keeps the module that it has loaded, until it is restarted.
#[test]
fn check_tells_whether_the_running_server_has_loaded_the_module() {
    let server = TestServer::new("base", "home");
    // A library that can be loaded, recognized as the module.
    let mut library = fs::read("/lib/x86_64-linux-gnu/libm.so.6").unwrap();
    library.extend(b"gametimes_module");
    write(&server.package().join(MODULE), &library);
    let start = "start base +set fs_homepath ../home +exec etl_server.cfg\n";
    let note = "has not loaded this module yet; restart it";
    let fresh = format!("{start} install --yes; install --check");
    let said = succeeds(&mut isolated(&server, &fresh));
    assert!(said.contains(note), "{said}");
    let preload = format!("export LD_PRELOAD='{}'\n", server.game(MODULE).display());
    let restarted = format!("{preload}{start} unset LD_PRELOAD; install --check");
    let said = succeeds(&mut isolated(&server, &restarted));
    assert!(!said.contains(note), "{said}");
    // An upgrade.
    let newer = format!(
        "{preload}{start} unset LD_PRELOAD; echo gametimes_module 2 >>'the package/{MODULE}'; install --yes; install --check"
    );
    let said = succeeds(&mut isolated(&server, &newer));
    assert!(said.contains(note), "{said}");
}

/// A container whose folder is mounted from outside, as Pterodactyl has it: install.sh edits the folder outside.
#[test]
fn folder_of_a_container_is_found_where_it_is_mounted_from() {
    let server = TestServer::new("volumes/one", "volumes/one/home");
    write(
        &server.base.join("legacy/other.cfg"),
        b"set sv_hostname \"c\"\n",
    );
    // A patched game in the home folder: the settings name its path.
    write(
        &server.game(MODULE),
        &gametimes_install_tests::elf(62, "a patched game"),
    );
    let root = fs::canonicalize(server.dir.path()).unwrap();
    let container = root.join("container");
    fs::create_dir(&container).unwrap();
    let inside = |mounts: &str| {
        format!(
            "cp unpacked/etlded volumes/one/etlded; chmod 755 volumes/one/etlded\n\
             unshare --mount sh -c 'mount --bind volumes/one container && {mounts} cd \"$PWD/container\" && \
             exec ./etlded +set fs_basepath . +set fs_homepath home +exec other.cfg' &\n\
             until grep -q other.cfg /proc/$!/cmdline && readlink /proc/$!/cwd | grep -q container; do sleep 0.05; done\n"
        )
    };
    // A part of it exists only in the container.
    let apart = inside("mount -t tmpfs none container/home &&") + "install --yes";
    let said = fails(&mut isolated(&server, &apart));
    assert!(
        said.contains("run install.sh inside of the container"),
        "{said}"
    );
    let said = succeeds(&mut isolated(
        &server,
        &(inside("") + "install --yes && install --check"),
    ));
    assert!(has_block(&server.base.join("legacy/other.cfg")), "{said}");
    let settings = text(&server.game("gametimes.cfg"));
    let real = container.join("home/legacy/qagame_real.mp.x86_64.so");
    assert!(settings.contains(real.to_str().unwrap()), "{settings}");
}

fn has_block(path: &Path) -> bool {
    text(path).contains("exec gametimes.cfg")
}
