#!/bin/sh
# Installs gametimes on an ET:Legacy server, removes it, or checks the installation. See --help and docs/setup.md.
#
# Rules:
# - Everything is checked before anything is changed.
# - Every file is replaced by a rename, so that a server never finds a half-written file or no game at all. The exception is
#   a text file that is a mount point, which cannot be renamed: it is written in place, and finished by the next run.
# - A second run changes nothing.
# - Changes made by the admin are kept.
# - A file is copied to <homepath>/<game>/gametimes-install/ before it is edited. The stock game is copied there before the
#   module takes its name; this copy is never removed.
# - Only one install.sh at a time changes a server.

set -eu
# Lengths and patterns count bytes, as the engine does.
LC_ALL=C
export LC_ALL

usage() {
  cat <<'END'
usage: install.sh [options] [SERVER_FOLDER]

Installs gametimes (module, fallback script, settings) for an ET:Legacy server. Without SERVER_FOLDER (its fs_basepath),
finds the running server, or the systemd unit that starts it, and asks if there are several.

  --webhook URL    a webhook that gets the messages; may be given several times. "-" reads the URLs from standard input,
                   or asks for one without showing it, so that it is not kept in the shell's history
  --yes            do not ask; needed if there is no terminal and no SERVER_FOLDER
  --keep-old       keep stats_discord_webhook.lua, which is otherwise replaced: its webhooks are taken over, and it is
                   removed from lua_modules
  --homepath DIR   fs_homepath of the server (default: found automatically); needed if there are several servers
  --game NAME      fs_game (default: that of the running server, or legacy)
  --cfg FILE       the server's cfg, which will execute gametimes.cfg (default: the cfg that the running server or its
                   start script executes; if there is neither, etl_server.cfg or server.cfg)
  --start-script FILE
                   the script or systemd unit that starts the server; its +set and +exec are used instead of those of
                   the running server
  --check          change nothing; show what is installed and what is wrong; exit code 0 if all is well
  --dry-run        change nothing; show what would be done (also with --uninstall)
  --uninstall      remove everything that was installed, except changed settings and recorded rounds
  --no-module      install only the script and the settings
  --no-script      install only the module and the settings
  --version        show the version
  --help           show this text
END
}

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

VERSION=0.2.0
MODULE=qagame.mp.x86_64.so
REAL=qagame_real.mp.x86_64.so
SCRIPT=luascripts/gametimes.lua
BEGIN='// >>> gametimes (install.sh)'
END='// <<< gametimes'
# The game cannot start if a cvar that it registers, such as lua_modules, is longer.
CVAR_MAX=255
NL='
'
TAB=$(printf '\t')

# ----------------------------------------------------------------------------------------------------------------------
# Arguments

# Every user of the host can see the arguments of a process. So start again with the URLs on descriptor 3.
urls='' left=$#
while [ "$left" -gt 0 ]; do
  argument=$1 left=$((left - 1))
  shift
  if [ "$argument" = --webhook ] && [ "$left" -gt 0 ] && [ "$1" != - ]; then
    urls=$urls$1$NL left=$((left - 1))
    shift
  else set -- "$@" "$argument"; fi
done
if [ -n "$urls" ]; then
  exec /bin/sh "$0" "$@" --webhook-descriptor 3<<END_OF_URLS
$urls
END_OF_URLS
fi

mode=install dry_run=0 base='' home='' game='' cfg='' start_script='' with_module=1 with_script=1 yes=0 keep_old=0
webhook_from=''
while [ $# -gt 0 ]; do
  case $1 in
    --webhook) [ $# -ge 2 ] || die "--webhook needs a URL, or - to read it from standard input"; webhook_from=stdin; shift ;;
    --webhook-descriptor) urls=$(cat <&3); exec 3<&- ;;
    --keep-old) keep_old=1 ;;
    --homepath) [ $# -ge 2 ] || die "--homepath needs a folder"; home=$2; shift ;;
    --game) [ $# -ge 2 ] || die "--game needs a name"; game=$2; shift ;;
    --cfg) [ $# -ge 2 ] || die "--cfg needs a file"; cfg=$2; shift ;;
    --start-script) [ $# -ge 2 ] || die "--start-script needs a file"; start_script=$2; shift ;;
    --check) mode=check ;;
    --dry-run) dry_run=1 ;;
    --uninstall) mode=uninstall ;;
    --yes) yes=1 ;;
    --no-module) with_module=0 ;;
    --no-script) with_script=0 ;;
    --version) say "install.sh $VERSION"; exit 0 ;;
    --help | -h) usage; exit 0 ;;
    -*) die "unknown option ${1%%=*} (see --help)" ;;
    *://*) die "a URL needs --webhook before it" ;;
    *) [ -z "$base" ] || die "more than one server folder given; quote paths that contain spaces"; base=$1 ;;
  esac
  shift
done

# Paths are kept one to a line.
one_line() { # what path
  case $2 in *"$NL"* | *"$TAB"*) die "$1 contains a line break or a tab: $(printf '%s' "$2" | tr '\n\t' '??'). Nothing was changed." ;; esac
}
one_line "the server folder" "$base"
one_line "--homepath" "$home"
one_line "--cfg" "$cfg"
case $game in */* | .* | *"$NL"* | *"$TAB"*) die "--game must be a name, not a path: $game" ;; esac
if [ -n "$base" ]; then
  [ -d "$base" ] || die "$base is not a folder"
  base=$(cd "$base" && pwd -P)
fi
if [ -n "$start_script" ]; then
  [ -r "$start_script" ] || die "--start-script $start_script: cannot read this file"
fi

work=$(mktemp -d) temp=''
trap 'rm -rf "$work" ${temp:+"$temp"}' EXIT
trap 'exit 1' INT TERM HUP

# Can questions be asked?
interactive() { [ "$yes" = 0 ] && [ -t 0 ]; }

plural() { if [ "$1" = 1 ]; then echo "1 $2"; else echo "$1 ${2}s"; fi; } # number noun
lines_in() { awk 'END { print NR }' "$1"; }

# Lets the user choose one of the lines of a file; $answer is the line. Without a terminal, only lists them.
choose() { # what file
  awk -F "$TAB" '{ print "  " NR ") " (NF == 3 ? "homepath " $2 ", game " $3 ", basepath " $1 : $0) }' "$2" >"$work/list"
  if ! interactive; then
    die "$1:
$(cat "$work/list")
Choose one with SERVER_FOLDER, --homepath, --game or --start-script. Nothing was changed."
  fi
  say "$1:"
  cat "$work/list"
  answer=''
  while [ -z "$answer" ]; do
    printf 'Which one? ' >&2
    read -r answer || die "nothing was chosen"
    case $answer in *[!0-9]* | '') answer='' ;; *) answer=$(sed -n "${answer}p" "$2") ;; esac
  done
}

# ----------------------------------------------------------------------------------------------------------------------
# Command lines

# The values of "+set NAME VALUE" (set NAME) or the names of "+exec NAME" (exec), read from a command line with one
# argument per line. The engine splits at each "+", also if it stands alone ("+ set").
plus() {
  awk -v command="$1" -v name="${2:-}" '
    function add(word) {
      if (current == "?") { current = tolower(word); return }
      count++
      if (count == 1) first = word
      else value = value (count == 2 ? "" : " ") word
    }
    function finish() {
      gsub(/^"|"$/, "", first); gsub(/^"|"$/, "", value)
      if (current == "exec" && command == "exec" && first != "") print first
      if (current == "set" && command == "set" && tolower(first) == tolower(name)) print value
      if (current == command) found = 1
      current = first = value = ""; count = 0
    }
    /^\+/ { finish(); n = split(substr($0, 2), words, / +/); current = "?"; for (i = 1; i <= n; i++) if (words[i] != "") add(words[i]); next }
    current != "" { add($0) }
    END { finish(); exit !found }'
}
set_on() { plus set "$2" <"$1" | tail -n 1; } # command-line-file cvar

# Makes a path absolute, without symlinks if it exists.
absolute() { # folder path
  case $2 in /*) path=$2 ;; *) path=$1/$2 ;; esac
  if [ -d "$path" ]; then (cd "$path" && pwd -P); else printf '%s\n' "$path"; fi
}

# The first of the words of a command line that is the program of a dedicated server. A shell or an emulator may run it.
server_program() { # command-line-file
  awk 'NR > 4 { exit }
    { name = $0; sub(/.*\//, "", name) }
    name ~ /^etlded([._-]?(x86_64|x86|i[3-6]86|64|aarch64|arm[a-z0-9]*))?$/ { print; exit }
    NR == 1 && name !~ /^(-?(sh|dash|bash|busybox)|qemu-.*|box(64|86)|FEX.*|ld-linux.*)$/ { exit }' "$1"
}

# Reads the command lines from a start script or systemd unit, to one file each in $work/script. Variables that it sets, itself
# or through EnvironmentFile, are replaced. The folder that it changes to is written to $work/script-folder.
script_words() {
  : >"$work/script-folder"
  awk -v folder_file="$work/script-folder" -v command_lines="$work/script" '
    function expand(text,   out, name) {
      out = ""
      while (match(text, /\$\{?[A-Za-z_][A-Za-z_0-9]*\}?/)) {
        name = substr(text, RSTART, RLENGTH); gsub(/[${}]/, "", name)
        out = out substr(text, 1, RSTART - 1) (name in set ? set[name] : name == "HOME" ? ENVIRON["HOME"] : substr(text, RSTART, RLENGTH))
        text = substr(text, RSTART + RLENGTH)
      }
      return out text
    }
    function split_words(text,   i, c, quote, word, started) {
      words = 0; quote = ""; word = ""; started = 0
      for (i = 1; i <= length(text) + 1; i++) {
        c = substr(text, i, 1)
        if (quote != "" && c != "") { if (c == quote) quote = ""; else word = word c; continue }
        if (c == "\"" || c == "\047") { quote = c; started = 1; continue }
        if (c == "\\") { i++; word = word substr(text, i, 1); started = 1; continue }
        if (c == "" || c ~ /[ \t;|&<>()]/) { if (started) list[++words] = word; word = ""; started = 0; continue }
        if (c == "#" && !started) break
        word = word c; started = 1
      }
    }
    function assigns(word,   name) {
      if (word !~ /^[A-Za-z_][A-Za-z_0-9]*=/) return 0
      name = word; sub(/=.*/, "", name); sub(/^[^=]*=/, "", word); set[name] = word
      return 1
    }
    function environment(file,   line) {
      sub(/^-/, "", file)
      while ((getline line <file) > 0) if (line !~ /^[ \t]*[#;]/) { split_words(line); assigns(list[1]) }
      close(file)
    }
    {
      sub(/\r$/, "")
      if (sub(/\\$/, "")) { held = held $0 " "; next }
      line = held $0; held = ""
      if (line ~ /^[ \t]*[#;]/) next
      if (line ~ /^EnvironmentFile=/) { sub(/^[^=]*=/, "", line); environment(line); next }
      if (line ~ /^(User|Group|Type|Restart)=/) next
      sub(/^WorkingDirectory=-?/, "cd ", line); sub(/^Environment=/, "", line)
      sub(/^ExecStart=[-@:+!]*/, "", line); sub(/^[ \t]*(export|local|readonly)[ \t]+/, "", line)
      line = expand(line); split_words(line)
      if (words > 1 && list[1] == "cd") print list[2] >folder_file
      for (i = 1; i <= words; i++) if (!assigns(list[i])) break
      if (i > words) next
      # Each server that the script starts has its own command line.
      if (line ~ /etlded.*\+(exec|set)/ && started_one++) n++
      if (line ~ /etlded|\+exec|\+set/) for (i = 1; i <= words; i++) print list[i] >(command_lines "/" (n + 1))
    }' "$1"
}

# ----------------------------------------------------------------------------------------------------------------------
# The running servers

# Does this process see the same files as this script? If that cannot be found out, it does.
same_view() { # pid
  its_view=$(readlink "/proc/$1/ns/mnt" 2>/dev/null) || return 0
  [ "$its_view" = "$(readlink /proc/self/ns/mnt)" ] || return 1
  its_root=$(readlink "/proc/$1/root" 2>/dev/null) || return 0
  [ "$its_root" = / ] || [ "$its_root" = "$(readlink /proc/self/root)" ]
}

# Where a path of a process is found from here. In a container, only what is mounted from outside can be changed to last:
# prints nothing for a path that is part of its image, or that has parts which are mounted from elsewhere.
outside() { # pid path
  if same_view "$1"; then printf '%s\n' "$2"; return; fi
  { sed 's/^/in /' "/proc/$1/mountinfo"; sed 's/^/here /' /proc/self/mountinfo; } 2>/dev/null | path=$2 awk '
    function plain(text) { gsub(/\\040/, " ", text); gsub(/\\011/, "\t", text); gsub(/\\134/, "\\", text); return text }
    function under(path, top) { return top == "/" || path == top || index(path, top "/") == 1 }
    function join(top, path, skip) { return (top == "/" ? "" : top) substr(path, (skip == "/" ? 0 : length(skip)) + 1) }
    BEGIN { path = ENVIRON["path"]; sub(/(\/\.?)+$/, "", path) }
    { top = plain($5); at = plain($6) }
    $1 == "in" {
      if (under(path, at)) { if (length(at) >= best) { best = length(at); device = $4; inner = join(top, path, at); image = / - overlay /; apart = 0 } }
      else if (under(at, path)) apart = 1
      next
    }
    !image && !apart && $4 == device && under(inner, top) { print length(top) "\t" join(at, inner, top) }' |
    sort -rn | cut -f 2- | while IFS= read -r found; do
    # Another mount may hide it.
    its=$(stat -Lc %d:%i "/proc/$1/root$2" 2>/dev/null) || its=''
    if [ -e "$found" ] && [ "${its:-x}" = "$(stat -Lc %d:%i "$found")" ]; then printf '%s\n' "$found"; break; fi
  done
}
# The same, for a path that may be relative to the folder in which the process runs.
located() { # pid path
  path=$2
  case $path in /*) ;; *) path=$(readlink "/proc/$1/cwd" 2>/dev/null)/$path ;; esac
  path=$(outside "$1" "$path")
  if [ -n "$path" ]; then absolute / "$path"; fi
}

# The fs_basepath of a running server; empty if it cannot be found out. A packaged server's program is elsewhere, for
# example /usr/bin/etlded: the game data that it keeps open shows it.
base_of() { # pid command-line-file
  set_base=$(set_on "$2" fs_basepath)
  if [ -n "$set_base" ]; then located "$1" "$set_base"; return; fi
  program=$(readlink "/proc/$1/exe" 2>/dev/null) || program=''
  program=${program% (deleted)}
  case ${program##*/} in etlded*) ;; *) program=$(server_program "$2") ;; esac
  case $program in */*) folder=$(located "$1" "${program%/*}/") ;; *) folder='' ;; esac
  if [ -n "$folder" ] && [ -d "$folder/etmain" ]; then printf '%s\n' "$folder"; return; fi
  for file in /proc/"$1"/fd/*; do
    file=$(readlink "$file" 2>/dev/null) || continue
    case $file in
      */etmain/*) folder=$(located "$1" "${file%/etmain/*}") ;;
      *) continue ;;
    esac
    if [ -n "$folder" ] && [ "$folder" != "$(home_of "$1" "$2")" ]; then printf '%s\n' "$folder"; return; fi
  done
}

# The fs_homepath of a running server; empty if it cannot be found out.
home_of() { # pid command-line-file
  set_home=$(set_on "$2" fs_homepath)
  if [ -n "$set_home" ]; then located "$1" "$set_home"; return; fi
  user_home=$({ tr '\n\0' '\001\n' <"/proc/$1/environ"; } 2>/dev/null | sed -n 's/^HOME=//p' | tail -n 1)
  if [ -n "$user_home" ]; then located "$1" "$user_home/.etlegacy"; fi
}

# An ETLTV relay shows the match of another server. Nothing is recorded there.
is_relay() { plus tv <"$2" || grep -q /tvgame "/proc/$1/maps" 2>/dev/null; } # pid command-line-file

# $work/running: the command lines of the servers that run, one argument per line. $work/servers: for each of them
# "PID<tab>BASE<tab>HOME<tab>GAME". $work/left-out: why others are left out.
find_servers() {
  mkdir "$work/running"
  : >"$work/servers"
  : >"$work/left-out"
  grep -l etlded /proc/[0-9]*/cmdline 2>/dev/null >"$work/processes" || true
  while IFS= read -r file; do
    pid=${file#/proc/} pid=${pid%/cmdline}
    line=$work/running/$pid
    # A line break inside an argument would start a new one.
    { tr '\n\0' '\001\n' <"$file"; } >"$line" 2>/dev/null || true
    why='' its_base='' its_home='' its_game=''
    if [ -z "$(server_program "$line")" ]; then rm -f "$line"; continue; fi
    if [ ! -r "/proc/$pid/cwd" ]; then
      its_user=$(owner "/proc/$pid" 2>/dev/null) || its_user=''
      why="belongs to $its_user; to install there, run this as that user"
    elif is_relay "$pid" "$line"; then
      why="is an ETLTV relay, which records nothing"
    else
      its_base=$(base_of "$pid" "$line") its_home=$(home_of "$pid" "$line") its_game=$(set_on "$line" fs_game)
      its_game=${its_game:-legacy}
      if [ -z "$its_base" ] || [ -z "$its_home" ]; then
        if same_view "$pid"; then why="has a folder that cannot be found out; pass SERVER_FOLDER and --homepath"
        else why="runs in a container, and a part of its folders exists only there; run install.sh inside of the container"; fi
      fi
      case $its_base$its_home$its_game in *"$(printf '\001')"* | *"$TAB"*) why="has a line break or a tab in its folders" ;; esac
    fi
    # One that has ended meanwhile has no command line.
    if ! grep -q '' "/proc/$pid/cmdline" 2>/dev/null; then
      rm -f "$line"
    elif [ -n "$why" ]; then
      printf 'process %s %s\n' "$pid" "$why" >>"$work/left-out"
      rm -f "$line"
    else
      printf '%s\t%s\t%s\t%s\n' "$pid" "$its_base" "$its_home" "$its_game" >>"$work/servers"
    fi
  done <"$work/processes"
}

# ----------------------------------------------------------------------------------------------------------------------
# Which server?

# The systemd units that start a server, themselves or through a script.
find_units() {
  for file in "${HOME:-/nonexistent}"/.config/systemd/user/*.service /etc/systemd/system/*.service \
    /run/systemd/system/*.service /usr/local/lib/systemd/system/*.service /usr/lib/systemd/system/*.service; do
    if [ -r "$file" ] && [ -n "$(started_by "$file")" ]; then printf '%s\n' "$file"; fi
  done | awk '{ name = $0; sub(/.*\//, "", name) } !seen[name]++'
}
# What contains the command line of the server that a unit starts: the unit, or the script that it runs.
started_by() { # unit
  program=$(sed -n 's/^ExecStart=[-@:+!]*\([^ ]*\).*/\1/p' "$1" | head -n 1)
  if grep -q '^ExecStart=.*etlded' "$1"; then printf '%s\n' "$1"
  elif [ -f "$program" ] && [ -r "$program" ] && head -n 1 "$program" | grep -aq '^#!.*sh' && grep -aq etlded "$program"; then printf '%s\n' "$program"; fi
}

# Takes from the script or unit that starts the server what is not given.
use_start_script() {
  mkdir "$work/script"
  script_words "$start_script"
  cat "$work"/script/* >"$work/script-words" 2>/dev/null || true
  folder=$(tail -n 1 "$work/script-folder")
  folder=${folder:-$(sed -n 's/^WorkingDirectory=-\{0,1\}//p' "$unit" | tail -n 1)}
  if [ -z "$base" ]; then
    base=$(set_on "$work/script-words" fs_basepath)
    if [ -z "$base" ]; then
      base=$(awk '{ name = $0; sub(/.*\//, "", name) } /\// && name ~ /^etlded[^\/]*$/ && name !~ /\.(sh|cfg|log|pid)$/ { sub(/\/[^\/]*$/, "/"); print; exit }' "$work/script-words")
    fi
    case $base in /*) ;; *) base=${folder:-$(dirname "$start_script")}/$base ;; esac
    if [ ! -d "$base/etmain" ]; then die "$start_script starts a server, but its folder was not found; pass SERVER_FOLDER. Nothing was changed."; fi
    base=$(cd "$base" && pwd -P)
  fi
  game=${game:-$(set_on "$work/script-words" fs_game)}
  if [ -n "$home" ]; then return; fi
  home=$(set_on "$work/script-words" fs_homepath)
  case $home in
    '') home=${HOME:+$HOME/.etlegacy}; home=${home:-$base} ;;
    /*) ;;
    *) home=${folder:+$folder/$home} ;;
  esac
  case $home in
    *'$'* | *'`'* | *%* | [!/]* | '') die "$start_script sets fs_homepath to $(set_on "$work/script-words" fs_homepath), which install.sh cannot resolve; pass it as --homepath. Nothing was changed." ;;
  esac
}

# The servers that run with the folders that are known so far, as "BASE<tab>HOME<tab>GAME".
matching_servers() {
  base=$base home=$home game=$game awk -F "$TAB" '
    function wanted(name, value) { return ENVIRON[name] == "" || ENVIRON[name] == value }
    wanted("base", $2) && wanted("home", $3) && wanted("game", $4) { print $2 "\t" $3 "\t" $4 }' "$work/servers" | sort -u
}

owner() { # file
  its_owner=$(stat -Lc %U "$1")
  if [ "$its_owner" = UNKNOWN ]; then its_owner="#$(stat -Lc %u "$1")"; fi
  printf '%s\n' "$its_owner"
}

find_servers
if [ -n "$home" ]; then home=$(absolute "$PWD" "$home"); fi
# What chose the server, if it was not named.
origin='' unit=$start_script
if [ -z "$start_script" ]; then
  matching_servers >"$work/choices"
  case $(lines_in "$work/choices") in
    0)
      if [ -z "$base" ]; then
        if [ -s "$work/left-out" ]; then die "$(cat "$work/left-out")"; fi
        find_units >"$work/units"
        case $(lines_in "$work/units") in
          0) die "no server is running and no systemd unit starts one; start it, or pass SERVER_FOLDER (see --help)" ;;
          1) unit=$(cat "$work/units") ;;
          *) choose "several services start a server" "$work/units"; unit=$answer ;;
        esac
        start_script=$(started_by "$unit") origin=$unit
      fi ;;
    1) origin="the running server" ;;
    *) choose "several servers are running" "$work/choices" ;;
  esac
  if [ -s "$work/choices" ]; then
    chosen=${answer:-$(cat "$work/choices")}
    game=${chosen##*"$TAB"} chosen=${chosen%"$TAB"*}
    if [ -n "$base" ]; then origin=''; fi
    base=${chosen%"$TAB"*} home=${chosen#*"$TAB"}
  fi
fi
if [ -n "$start_script" ]; then
  its_user=$(sed -n 's/^User=//p' "$unit" | tail -n 1)
  case $its_user in '' | "$(id -un)" | "$(id -u)") ;; *) die "$unit starts the server as user $its_user; run this as that user (sudo -u '$its_user' $0 ...). Nothing was changed." ;; esac
  use_start_script
fi
game=${game:-legacy}
case $game in */* | .*) die "fs_game must be a name, not a path: $game" ;; esac

# A server's folder contains its program, unless it is packaged.
if [ ! -s "$work/choices" ] && [ -z "$start_script" ]; then
  program=''
  for file in "$base"/etlded* /usr/bin/etlded* /usr/local/bin/etlded* /usr/games/etlded*; do
    if [ -e "$file" ]; then program=$file; fi
  done
  [ -n "$program" ] || die "$base contains no etlded, so it is not the folder of an ET:Legacy server. If its program is elsewhere, start the server first, or use --start-script."
fi
[ -d "$base/$game" ] || die "$base contains no folder $game; is it the fs_basepath of an ET:Legacy server? For another fs_game use --game."

if [ -z "$home" ]; then
  # Our block in a cfg lists the homepaths for which it was installed.
  sed -n 's|^// for \(/.*\)|\1|p' "$base"/etmain/*.cfg "$base/$game"/*.cfg 2>/dev/null | tr -d '\r' | sort -u >"$work/choices"
  case $mode$(lines_in "$work/choices") in
    *1) home=$(cat "$work/choices") ;;
    *0 | install*)
      if [ -d "${HOME:-/nonexistent}/.etlegacy/$game" ]; then home=$HOME/.etlegacy; else home=$base; fi ;;
    *) choose "gametimes is installed for several homepaths" "$work/choices"; home=$answer ;;
  esac
fi
# The server's user could not read or replace files that root installs.
if [ "$(id -u)" = 0 ] && [ "$mode" != check ]; then
  owner=$(if [ -d "$home" ]; then owner "$home"; else owner "$base"; fi)
  [ "$owner" = root ] || die "this server belongs to user $owner; run this as that user (sudo -u '$owner' $0 ...). Nothing was changed."
fi
if [ -d "$home" ]; then
  home=$(cd "$home" && pwd -P)
elif [ "$mode" = check ] || [ "$mode" = uninstall ]; then
  die "$home is not a folder"
fi
one_line "fs_homepath" "$home"
dir=$home/$game
state=$dir/gametimes-install
same_folder=0
if [ "$home" = "$base" ]; then same_folder=1; fi

# Only the servers with this fs_homepath and fs_game matter from here on. A server in a container has other names for them.
servers='' container=''
while IFS="$TAB" read -r pid its_base its_home its_game; do
  if [ "$its_base$TAB$its_home$TAB$its_game" = "$base$TAB$home$TAB$game" ]; then
    servers="$servers $pid"
    same_view "$pid" || container=$pid
  else rm -f "$work/running/$pid"; fi
done <"$work/servers"

# ----------------------------------------------------------------------------------------------------------------------
# The package

here=$(cd "$(dirname "$0")" && pwd -P)
find_source() {
  for candidate in "$@"; do
    if [ -f "$here/$candidate" ]; then printf '%s\n' "$here/$candidate"; return; fi
  done
}
module_source=$(find_source "$MODULE" target/module/libgametimes.so)
script_source=$(find_source gametimes.lua fallback-lua/gametimes.lua)
cfg_source=$(find_source gametimes.cfg server-cfg/gametimes.cfg)

is_ours() { [ -f "$1" ] && grep -aq gametimes_module "$1"; }

# Is this library shorter than its header says? A server that loads it crashes. The engine passes over what is no library.
is_cut_off() {
  [ -s "$1" ] || return 1
  [ "$(head -c 4 "$1" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || return 1
  # The end of the section headers, which are last in the file: their offset, size and number.
  # shellcheck disable=SC2046 # three numbers
  set -- "$1" $(od -An -tu8 -j40 -N8 "$1" 2>/dev/null) $(od -An -tu2 -j58 -N4 "$1" 2>/dev/null)
  [ $# = 4 ] || return 0
  [ $(($2 + $3 * $4)) -gt "$(wc -c <"$1")" ]
}
# A game that is complete and not ours.
is_stock() { [ -f "$1" ] && ! is_ours "$1" && ! is_cut_off "$1"; }

# ----------------------------------------------------------------------------------------------------------------------
# Which cfg does the server execute?

# Prints the file that the engine reads under this name: it looks in fs_game before etmain, and in fs_homepath before
# fs_basepath.
find_file() {
  case $1 in *..* | '') return ;; esac
  for folder in "$dir" "$base/$game" "$home/etmain" "$base/etmain"; do
    if [ -f "$folder/${1#/}" ]; then resolved "$folder/${1#/}"; return; fi
  done
}
# Prints the path without symlinks; prints nothing if it contains a line break.
resolved() {
  path=$(readlink -f "$1"; echo x)
  path=${path%"$NL"x}
  case $path in *"$NL"*) ;; *) printf '%s\n' "$path" ;; esac
}

# The commands of a cfg, one per line, without comments, split as the engine splits them.
commands() {
  awk '{
      out = ""; quoted = 0
      for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1); pair = substr($0, i, 2)
        if (comment) { if (pair == "*/") { comment = 0; i++; print out; out = "" } continue }
        if (c == "\"") quoted = !quoted
        if (!quoted && pair == "//") break
        if (!quoted && pair == "/*") { comment = 1; i++; continue }
        if (c == "\r" || !quoted && c == ";") { print out; out = ""; continue }
        out = out c
      }
      print out
    }' "$1"
}

# The names that a cfg executes, with their extension.
execs() {
  commands "$1" | awk 'tolower($1) == "exec" || tolower($1) == "execq" {
      sub(/^[ \t]*[^ \t]+[ \t]+/, ""); sub(/[ \t]+$/, "")
      if (substr($0, 1, 1) == "\"") { $0 = substr($0, 2); sub(/".*/, "") } else sub(/[ \t].*/, "")
      if ($0 != "") print
    }' | with_extension
}
with_extension() { sed 's|\\|/|g; /\.[^/]*$/!s/$/.cfg/'; }

# The cfgs that are executed if this one is: itself and all that it executes.
executed() {
  set -- "$1"
  : >"$work/executed"
  while [ $# -gt 0 ]; do
    if ! grep -qxF -e "$1" "$work/executed"; then
      printf '%s\n' "$1" >>"$work/executed"
      execs "$1" >"$work/names"
      while IFS= read -r name; do
        found=$(find_file "$name")
        if [ -n "$found" ]; then set -- "$@" "$found"; fi
      done <"$work/names"
    fi
    shift
  done
  cat "$work/executed"
}

# Does this cfg execute gametimes.cfg, itself or through others?
executes_ours() {
  executed "$1" >"$work/through"
  while IFS= read -r through; do
    if execs "$through" | grep -qx 'gametimes\.cfg'; then return 0; fi
  done <"$work/through"
  return 1
}

# Reports a cfg that was given with --cfg although the server executes others.
not_executed() { # command that reports, cfg
  if [ "$how" != given ] || [ ! -s "$work/started" ]; then return; fi
  while IFS= read -r started; do executed "$started"; done <"$work/started" >"$work/all"
  if ! grep -qxF -e "$2" "$work/all"; then
    "$1" "$2 is not executed by the server, which executes $(awk '{ printf "%s%s", sep, $0; sep = ", " }' "$work/started")"
  fi
}

# $work/cfgs: the cfgs that must execute gametimes.cfg, one for each command line. $work/started: the cfgs that the command
# lines execute. $work/missing: those that were not found.
for list in cfgs started missing on-line; do : >"$work/$list"; done
bare_start=0
command_lines() { if [ -n "$start_script" ]; then find "$work/script" -type f; else find "$work/running" -type f; fi; }
command_lines >"$work/lines"
while IFS= read -r line; do
  plus exec <"$line" | with_extension >"$work/wanted"
  cat "$work/wanted" >>"$work/on-line"
  # The engine executes this cfg before those of the command line.
  if [ ! -s "$work/wanted" ]; then
    if [ -n "$(find_file autoexec.cfg)" ]; then echo autoexec.cfg >"$work/wanted"; else bare_start=1; fi
  fi
  first='' ours=''
  while IFS= read -r name; do
    found=$(find_file "$name")
    if [ "$name" = gametimes.cfg ]; then ours=-; continue; fi
    if [ -z "$found" ]; then printf '%s\n' "$name" >>"$work/missing"; continue; fi
    printf '%s\n' "$found" >>"$work/started"
    # The first one: a later one could come after the command "map".
    first=${first:-$found}
    executed "$found" >"$work/inside"
    while IFS= read -r inside; do
      if [ -z "$ours" ] && grep -qF "$BEGIN" "$inside"; then ours=$inside; fi
    done <"$work/inside"
  done <"$work/wanted"
  if [ "$ours" != - ] && [ -n "$ours$first" ]; then printf '%s\n' "${ours:-$first}" >>"$work/cfgs"; fi
done <"$work/lines"

how=''
# A cfg that is gone needs no uninstalling.
if [ "$mode" = uninstall ] && [ ! -f "$cfg" ]; then cfg=''; fi
if [ -n "$cfg" ]; then
  [ -f "$cfg" ] || die "--cfg $cfg: no such file"
  given=$cfg
  cfg=$(resolved "$cfg")
  [ -n "$cfg" ] || die "--cfg $given: the path contains a line break. Nothing was changed."
  printf '%s\n' "$cfg" >"$work/cfgs"
  how=given
elif [ -n "$start_script" ]; then how="executed by $start_script"
elif [ -n "$servers" ]; then how="executed by the running server"
else
  for folder in "$dir" "$home/etmain" "$base/$game" "$base/etmain"; do
    for name in etl_server.cfg server.cfg; do
      if [ ! -s "$work/cfgs" ] && [ -f "$folder/$name" ]; then resolved "$folder/$name" >"$work/cfgs"; fi
    done
  done
  how=assumed
fi
awk '!seen[$0]++' "$work/cfgs" >"$work/unique"
mv -f "$work/unique" "$work/cfgs"

# Every cfg and config that may set lua_modules, without duplicates.
config_files() {
  {
    cat "$work/cfgs"
    while IFS= read -r file; do executed "$file"; done <"$work/started"
    if [ -f "$state/cfgs" ]; then cat "$state/cfgs"; fi
    for folder in "$dir" "$home/etmain" "$base/$game" "$base/etmain"; do
      for file in "$folder"/*.cfg "$folder"/configs/*.config; do
        if [ -f "$file" ]; then resolved "$file"; fi
      done
    done
  } | awk '!seen[$0]++' | while IFS= read -r file; do
    if [ -f "$file" ] && [ -r "$file" ]; then printf '%s\n' "$file"; fi
  done
}

# ----------------------------------------------------------------------------------------------------------------------
# Can the module run here?

version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# The version of glibc that the server uses; empty if it uses another libc.
glibc_version() {
  if [ -z "$container" ]; then getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //'; return; fi
  libc=$(sed -n 's|.* \(/[^ ]*/libc[.-][^/]*\)$|\1|p' "/proc/$container/maps" 2>/dev/null | head -n 1)
  grep -ao 'GNU C Library .* version [0-9.]*[0-9]' "/proc/$container/root$libc" 2>/dev/null | sed 's/.* //' | head -n 1
}

# Prints why the module cannot run on this machine; prints nothing if it can.
module_problem() {
  if [ -z "$module_source" ]; then echo "this package contains no module"; return; fi
  machine=$(uname -m)
  if [ "$machine" != x86_64 ]; then echo "the module needs x86_64, but this machine is $machine"; return; fi
  if is_cut_off "$module_source"; then echo "the module in this package is incomplete; unpack the package again"; return; fi
  # Byte 19 of an ELF file identifies the architecture; 62 is x86_64.
  if [ "$(od -An -tu1 -j18 -N1 "$module_source" | tr -d ' ')" != 62 ]; then echo "the module was not built for x86_64"; return; fi
  needs=$(grep -ao 'GLIBC_2\.[0-9.]*' "$module_source" | sed 's/GLIBC_//' | sort -V | tail -n 1)
  has=$(glibc_version)
  if [ -z "$has" ]; then echo "the module needs glibc, but this system uses another libc"; return; fi
  if [ -n "$needs" ] && ! version_at_least "$has" "$needs"; then
    echo "the module needs glibc $needs, but this system has $has"; return
  fi
  for stock in "$base/$game/$MODULE" "$dir/$REAL" "$dir/$MODULE"; do
    if is_stock "$stock"; then return; fi
  done
  if is_ours "$dir/$MODULE" && [ -n "$(kept_stock)" ]; then return; fi
  echo "the stock game $base/$game/$MODULE is missing or incomplete (the module needs a 64-bit server)"
}

# ----------------------------------------------------------------------------------------------------------------------
# Changing files

changes=0
dry() { [ "$dry_run" = 1 ]; }
step() { # description; announces and counts a change; fails in a dry run
  changes=$((changes + 1))
  if dry; then say "would $1"; return 1; fi
  say "$1"
}

# Creates a file beside this one, under a name that cannot be prepared; $temp is its path.
new_temp() {
  temp=$(mktemp "$(dirname "$1")/.gametimes-tmp.XXXXXX") || die "cannot create a file in $(dirname "$1")"
}

# Copies a file to its destination through a temporary file.
put() { # source destination mode
  if is_mount "$2"; then write_in_place "$1" "$2"; return; fi
  new_temp "$2"
  cp "$1" "$temp"
  chmod "$3" "$temp"
  mv -fT "$temp" "$2"
  temp=''
}

# The same for a stock game, with a second look at what was copied.
put_game() { # source destination
  new_temp "$2"
  cp "$1" "$temp"
  if is_ours "$temp" || ! cmp -s "$1" "$temp"; then
    die "$1 changed while it was copied; is an upgrade or another install.sh running? Run this again when it is done."
  fi
  chmod 755 "$temp"
  mv -fT "$temp" "$2"
  temp=''
}

# A file that is a mount point (a bind mount, as containers have them) can be written, but not renamed or removed.
is_mount() {
  path=$1 awk '{
      file = $5
      gsub(/\\040/, " ", file); gsub(/\\011/, "\t", file); gsub(/\\134/, "\\", file)
      if (file == ENVIRON["path"]) found = 1
    }
    END { exit !found }' /proc/self/mountinfo 2>/dev/null
}

# Writes a text file in place. What is to be written is kept until it is done, for finish_writing.
write_in_place() { # source file
  mkdir -p "$state"
  put "$1" "$state/unfinished" 600
  printf '%s\n' "$2" >"$work/name"
  put "$work/name" "$state/unfinished.name" 600
  cat "$1" >"$2" || die "cannot write $2; run this again to finish it"
  rm -f "$state/unfinished.name" "$state/unfinished"
}

# Finishes a text file that an interrupted run has written only in part.
finish_writing() {
  if [ ! -f "$state/unfinished.name" ]; then return; fi
  file=$(cat "$state/unfinished.name")
  if [ -f "$file" ] && head -c "$(wc -c <"$file")" "$state/unfinished" | cmp -s - "$file"; then
    if ! cmp -s "$state/unfinished" "$file" && step "finish writing $file"; then cat "$state/unfinished" >"$file"; fi
  fi
  dry || rm -f "$state/unfinished.name" "$state/unfinished"
}

# Removes a file; one that is a mount point stays.
remove() {
  if is_mount "$1"; then say "kept: $1, because it is a mount point"; else rm -f "$1"; fi
}

checksum() { sha256sum <"$1" | cut -c1-64; }
# $state/manifest contains the checksums of our files as they were installed.
was_installed() { grep -qxF -e "$(checksum "$1")  $2" "$state/manifest" 2>/dev/null; } # file, name under which it is installed
is_installed() { [ -f "$dir/$1" ] && was_installed "$dir/$1" "$1"; } # name
# Installs a file of ours. Its checksum is noted before, and the older one is removed after, in case this is interrupted.
put_ours() { # source name mode
  mkdir -p "$state"
  { cat "$state/manifest" 2>/dev/null || true; echo "$(checksum "$1")  $2"; } >"$work/manifest"
  put "$work/manifest" "$state/manifest" 644
  put "$1" "$dir/$2" "$3"
  { grep -v "  $2\$" "$state/manifest" || true; echo "$(checksum "$1")  $2"; } >"$work/manifest"
  put "$work/manifest" "$state/manifest" 644
}
forget() { # name
  if [ ! -f "$state/manifest" ]; then return; fi
  grep -v "  $1\$" "$state/manifest" >"$work/manifest" || true
  put "$work/manifest" "$state/manifest" 644
}

# The copy of a file from before it was changed.
copy_of() {
  copy=before$(printf '%s' "$1" | tr '/' '_')
  # The name of a file has at most 255 characters.
  if [ "${#copy}" -gt 200 ]; then copy=before_$(printf '%s' "$1" | sha256sum | cut -c1-16)_$(basename "$1" | cut -c1-100); fi
  printf '%s\n' "$state/$copy"
}
take_copy() { # file
  copy=$(copy_of "$1")
  mkdir -p "$state"
  new_temp "$copy"
  cp -p "$1" "$temp"
  mv -fT "$temp" "$copy"
  temp=''
}
# Saves a copy of a file before its first change.
keep_copy() {
  copy=$(copy_of "$1")
  if [ ! -e "$copy" ] && [ ! -L "$copy" ]; then take_copy "$1"; fi
}

# $state/edited contains the checksums with which install.sh has left the edited files. As long as nobody else changes such a
# file, --uninstall puts the copy back.
is_as_edited() { grep -qxF -e "$(checksum "$1")  $1" "$state/edited" 2>/dev/null; } # file
forget_edits() { # file
  if [ ! -f "$state/edited" ]; then return; fi
  path=$1 awk '{ line = $0; sub(/^[^ ]*  /, "") } $0 != ENVIRON["path"] { print line }' "$state/edited" >"$work/noted"
  put "$work/noted" "$state/edited" 600
}
# Prepares a file for its replacement by $work/edited.
record_edit() { # file
  copy=$(copy_of "$1")
  if { [ -f "$copy" ] && cmp -s "$1" "$copy"; } || is_as_edited "$1"; then :
  else
    forget_edits "$1"
    # A file that contains our lines, and was changed by others, cannot be put back.
    if grep -qF -e "$BEGIN" -e "$SCRIPT" "$1"; then keep_copy "$1"; return; fi
    take_copy "$1"
  fi
  { cat "$state/edited" 2>/dev/null || true; printf '%s  %s\n' "$(checksum "$work/edited")" "$1"; } | awk '!seen[$0]++' >"$work/noted"
  put "$work/noted" "$state/edited" 600
}

# Keeps a copy of a stock game that nothing removes.
stock_copy() { echo "$state/stock-game-$(checksum "$1" | cut -c1-16).so"; }
keep_stock() {
  kept=$(stock_copy "$1")
  if ! cmp -s "$1" "$kept"; then
    if step "keep a copy of the stock game as $kept"; then mkdir -p "$state"; put_game "$1" "$kept"; fi
  elif ! dry && [ "$(kept_stock)" != "$kept" ]; then touch "$kept"
  fi
}
# The newest of these copies that is complete.
kept_stock() {
  for copy in "$state"/stock-game-*.so; do
    if [ -f "$copy" ] && ! is_ours "$copy" && [ "$copy" = "$(stock_copy "$copy")" ]; then
      printf '%s %s\n' "$(stat -c %Y "$copy")" "$copy"
    fi
  done | sort -rn | head -n 1 | cut -d ' ' -f 2-
}

# Rewrites a text file with a filter command. Mode and owner stay as they are.
edit() { # description file command...
  what=$1 file=$2
  shift 2
  "$@" <"$file" >"$work/edited" || die "cannot edit $file"
  # A missing newline at the end is not a difference.
  if cmp -s "$work/edited" "$file" || { cat "$file"; echo; } | cmp -s - "$work/edited"; then return; fi
  if step "$what"; then
    record_edit "$file"
    replace_text "$file"
  fi
}
# Replaces a text file by $work/edited.
replace_text() { # file
  if is_mount "$1"; then write_in_place "$work/edited" "$1"; return; fi
  new_temp "$1"
  cp -p "$1" "$temp"
  cat "$work/edited" >"$temp"
  # Some file systems refuse the rename, for example if another container has mounted the file.
  if mv -fT "$temp" "$1" 2>/dev/null; then temp=''; return; fi
  rm -f "$temp"
  temp=''
  write_in_place "$work/edited" "$1"
}

# Puts back every file that nobody has changed since. Lists them in $work/restored.
undo_edits() {
  : >"$work/restored"
  sed 's/^[^ ]*  //' "$state/edited" 2>/dev/null | sort -u >"$work/undo"
  while IFS= read -r file; do
    copy=$(copy_of "$file")
    if [ ! -f "$file" ] || [ ! -f "$copy" ] || ! is_as_edited "$file"; then continue; fi
    printf '%s\n' "$file" >>"$work/restored"
    cat "$copy" >"$work/edited"
    if step "restore $file as it was"; then replace_text "$file"; forget_edits "$file"; fi
  done <"$work/undo"
}

# Adds our script to every line that sets lua_modules, in the place of the old ones, or removes it and puts the old ones back. A
# value that would be too long for the game with our script stays as it is. "length" prints the length of each such value.
edit_modules() { # add | remove | length, names of old scripts, our script or nothing
  awk -v action="$1" -v old="${2:-}" -v script="${3-$SCRIPT}" -v most="$CVAR_MAX" '
    BEGIN { olds = split(old, old_names, " ") }
    # Splits a list into its words and what separates them.
    function split_list(list,   n) {
      n = 0; before[1] = ""
      while (list != "") {
        if (match(list, /^[ ,;]+/)) { before[n + 1] = substr(list, 1, RLENGTH); list = substr(list, RLENGTH + 1); continue }
        match(list, /^[^ ,;]+/)
        words[++n] = substr(list, 1, RLENGTH); list = substr(list, RLENGTH + 1); before[n + 1] = ""
      }
      return n
    }
    function has(list, word,   i, n) {
      n = split_list(list)
      for (i = 1; i <= n; i++) if (words[i] == word) return 1
      return 0
    }
    function replaced(list, word, by,   i, n, out, first) {
      n = split_list(list); out = ""; first = 1
      for (i = 1; i <= n; i++) {
        if (words[i] == word && by == "") { if (first && i < n) { before[i + 1] = before[i] } continue }
        out = out before[i] (words[i] == word ? by : words[i]); first = 0
      }
      return out before[n + 1]
    }
    tolower($0) ~ /^[ \t]*(set|seta|sets|setl)[ \t]+lua_modules[ \t]/ {
      match(tolower($0), /lua_modules[ \t]+/)
      front = substr($0, 1, RSTART + RLENGTH - 1)
      rest = substr($0, RSTART + RLENGTH)
      if (substr(rest, 1, 1) == "\"") {
        rest = substr(rest, 2)
        end = index(rest, "\"")
        value = end ? substr(rest, 1, end - 1) : rest
        rest = end ? substr(rest, end + 1) : ""
      } else {
        # Without quotes, all words up to the end of the command are the value.
        end = match(rest, /[ \t]*(\r|;|\/\/|$)/)
        value = substr(rest, 1, end - 1)
        rest = substr(rest, end)
      }
      whole = value
      # The game appends the extension.
      bare = script; if (sub(/\.lua$/, "", bare)) whole = replaced(whole, bare, script)
      found = has(whole, script)
      if (action == "remove") {
        if (!found) { print; next }
        for (i = 1; i <= olds; i++) if (!has(whole, old_names[i])) whole = replaced(whole, script, old_names[i] " " script)
        print front "\"" replaced(whole, script, "") "\"" rest; next
      }
      for (i = 1; i <= olds; i++) whole = replaced(whole, old_names[i], "")
      if (!found && script != "") whole = whole (whole == "" ? "" : " ") script
      fits = length(whole) <= most
      if (action == "length") { if (!fits) print length(value); next }
      if (fits && whole != value) { print front "\"" whole "\"" rest; next }
      if (!fits && has(value, script)) { print front "\"" replaced(value, script, "") "\"" rest; next }
    }
    action != "length" { print }'
}

# Prints what to do about a value of lua_modules that has no room for our script.
no_room() { # where length
  say "TO DO: $1 has $2 characters; with $SCRIPT it would be longer than the $CVAR_MAX that the game can register, and the"
  say "    server could not start. Write the names of all scripts to $dir/luamodules.txt, one per line, replace lua_modules"
  say "    by: set g_luaModuleList \"luamodules.txt\", and run this again."
}

# Adds or removes our block at the beginning of the server's cfg; at its end it could come after the "map" command that
# starts the game. The block lists the homepath of every server that shares the cfg, and is removed with the last one.
edit_block() { # add | remove, 1 if lua_modules is set nowhere else
  own="// for $home" awk -v action="$1" -v modules="$2" -v first="$BEGIN" -v last="$END" -v script="$SCRIPT" '
    BEGIN { own = ENVIRON["own"] }
    function block() {
      printed = 1
      if (action == "add" && !have) homes = homes own "\n"
      if (homes == "") return
      printf "%s\n%s", first, homes
      if (modules) print "set lua_modules \"" script "\""
      print "exec gametimes.cfg"
      print last
    }
    { text[NR] = $0; bare[NR] = $0; sub(/\r$/, "", bare[NR]) }
    bare[NR] == first { there = 1 }
    END {
      if (!there) block()
      for (i = 1; i <= NR; i++) {
        if (bare[i] == first) inside = 1
        else if (!inside) print text[i]
        else if (bare[i] == last) { inside = 0; block() }
        else if (bare[i] == own) { if (action == "add") { have = 1; homes = homes own "\n" } }
        else if (bare[i] ~ /^\/\/ for /) homes = homes bare[i] "\n"
        else if (bare[i] ~ /^set lua_modules / && action == "remove") modules = 1
      }
      if (inside && !printed) block()
    }'
}

# The cfgs that set lua_modules outside of our block.
sets_modules() {
  config_files | while IFS= read -r file; do
    if awk -v first="$BEGIN" -v last="$END" '
      { sub(/\r$/, "") }
      $0 == first { inside = 1 } $0 == last { inside = 0 }
      !inside && tolower($0) ~ /^[ \t]*(set|seta|sets|setl)[ \t]+lua_modules[ \t]/ { found = 1 }
      END { exit !found }' "$file"; then printf '%s\n' "$file"; fi
  done
}

# The value of a cvar in the cfgs. The last one wins; comments are ignored.
configured() {
  config_files | while IFS= read -r file; do
    sed -n "s/^[[:blank:]]*[sS][eE][tT][aAsSlL]*[[:blank:]]\{1,\}$1[[:blank:]]\{1,\}\"\{0,1\}\([^\"]*\).*/\1/p" "$file"
  done | tr -d '\r' | tail -n 1
}

# The name in g_luaModuleList, and its file, which the game reads instead of lua_modules.
list_name() {
  name=$(command_line_cvar g_luaModuleList | tail -n 1)
  printf '%s\n' "${name:-$(configured g_luaModuleList)}"
}
module_list() { find_file "$(list_name)"; }

# The values of a cvar on the command lines of the servers.
command_line_cvar() {
  while IFS= read -r line; do set_on "$line" "$1"; done <"$work/lines" | awk 'NF && !seen[$0]++'
}

REPLACED='the script that gametimes replaces'
# The scripts that a server loads beside ours and that record or post the same rounds, as "SCRIPT<tab>WHERE<tab>WHAT".
doubles() {
  {
    config_files | while IFS= read -r file; do
      commands "$file" | where=$file awk 'tolower($1) ~ /^set[asl]?$/ && tolower($2) == "lua_modules" {
        sub(/^[ \t]*[^ \t]+[ \t]+[^ \t]+/, ""); gsub(/[",;]/, " "); for (i = 1; i <= NF; i++) print $i "\t" ENVIRON["where"] }'
    done
    list=$(module_list)
    if [ -n "$list" ]; then where=$list awk '{ sub(/\/\/.*/, ""); gsub(/["\r]/, " "); for (i = 1; i <= NF; i++) print $i "\t" ENVIRON["where"] }' "$list"; fi
    command_line_cvar lua_modules | awk '{ gsub(/[,;]/, " "); for (i = 1; i <= NF; i++) print $i "\tthe command line" }'
  } | awk '!seen[$0]++' | while IFS="$TAB" read -r script where; do
    # The game appends the extension.
    file=${script%.lua}.lua
    if [ "$file" = "$SCRIPT" ]; then continue; fi
    loaded=$(find_file "$file")
    if [ -n "$loaded" ] && grep -q gametimes_module "$loaded"; then what='another copy of the gametimes script'
    else
      what=$REPLACED
      case ${file##*/} in
        stats_discord_webhook*) ;;
        *)
          if [ -z "$loaded" ] || ! grep -q STATS_READY "$loaded"; then continue; fi
          grep -q discord_webhook_url "$loaded" || what='a script that posts the same messages' ;;
      esac
    fi
    printf '%s\t%s\t%s\n' "$script" "$where" "$what"
  done
}
edit_list() { # add | remove, names of old scripts, our script or nothing
  awk -v action="$1" -v old="${2:-}" -v script="${3-$SCRIPT}" '
    BEGIN { n = split(old, names, " "); for (i = 1; i <= n; i++) is_old[names[i]] = 1 }
    { bare = $0; gsub(/[ \t\r"]/, "", bare) }
    bare ".lua" == script { bare = script }
    bare in is_old { if (action == "add") next; there[bare] = 1 }
    bare == script { if (action == "remove") { for (i = 1; i <= n; i++) if (!there[names[i]]) print names[i]; next } found = 1 }
    { print }
    END { if (action == "add" && !found && script != "") print script }'
}

# ----------------------------------------------------------------------------------------------------------------------
# Webhooks. A URL is a secret: it is never printed, and never an argument of a program.

# Prints why a URL is not that of a webhook; prints nothing if it is one. The rules are those of the module.
url_problem() { # url
  case $1 in *[!!-~]* | *[\"\\\<\>^\`\{\|\}]*) echo "it contains invalid characters"; return ;; esac
  case $1 in https://* | http://*) ;; *) echo "it does not start with https://"; return ;; esac
  rest=${1#*://}
  host=${rest%%[/?#]*} path=${rest#"${rest%%[/?#]*}"}
  path=${path%%[?#]*}
  case $host in
    *@*) echo "it contains a user name"; return ;;
    '[::1]' | '[::1]:'*) return ;;
    '' | :*) echo "it has no host"; return ;;
  esac
  host=$(printf '%s\n' "${host%%:*}" | tr '[:upper:]' '[:lower:]')
  if [ "${#path}" -lt 2 ]; then echo "it has no path"; return; fi
  for allowed in localhost $(configured gametimes_webhook_hosts | tr '[:upper:]' '[:lower:]'); do
    if [ "$host" = "$allowed" ]; then return; fi
  done
  case $host in
    127.*) return ;;
    discord.com | discordapp.com | ptb.discord.com | canary.discord.com) ;;
    *) echo "its host is not discord.com; gametimes_webhook_hosts can allow it"; return ;;
  esac
  case $1 in http://*) echo "it does not start with https://"; return ;; esac
  # The URL is read from standard input.
  printf '%s\n' "$path" | grep -qE '^/api/(v[0-9]+/)?webhooks/[0-9]+/[^/]+/*$' || echo "its path is not /api/webhooks/ID/TOKEN"
}

# The file of URLs that the settings name, or the usual one.
webhook_file() {
  name=$(configured gametimes_webhook_file)
  case ${name:-webhooks.txt} in /*) printf '%s\n' "$name" ;; *) printf '%s\n' "$dir/${name:-webhooks.txt}" ;; esac
}
# The URLs in text with one per line, as the module reads them.
urls_in() { { cat; echo; } | tr '\r' '\n' | sed "1s/^$(printf '\357\273\277')//; s/#.*//; s/^[[:blank:]]*//; s/[[:blank:]]*\$//; /^\$/d"; }
# All webhooks that are set, one per line.
webhooks_set() {
  webhooks=$(webhook_file)
  if [ -f "$webhooks" ] && [ -r "$webhooks" ]; then urls_in <"$webhooks"; fi
  configured gametimes_webhook_url | tr -s '[:blank:]' '\n' | sed '/^$/d; /^none$/d'
}

# The webhooks in a Lua file, one per line: a list (discord_webhook_urls) counts more than a single one. Comments are ignored.
lua_webhooks() { # file
  awk '
    {
      sub(/\r$/, ""); line = $0; n = length(line)
      for (i = 1; i <= n;) {
        if (closing != "") {
          end = index(substr(line, i), closing)
          if (!end) break
          i += end - 1 + length(closing); closing = ""
          continue
        }
        rest = substr(line, i); c = substr(line, i, 1)
        comment = substr(rest, 1, 2) == "--"
        if (match(comment ? substr(rest, 3) : rest, /^\[=*\[/)) {
          closing = "]" substr("==========", 1, RLENGTH - 2) "]"; i += RLENGTH + (comment ? 2 : 0)
          continue
        }
        if (comment) break
        if (c == "\"" || c == "\047") {
          text = ""
          for (j = i + 1; j <= n && (d = substr(line, j, 1)) != c; j++) { if (d == "\\") { j++; d = substr(line, j, 1) } text = text d }
          if (text ~ /^https?:\/\//) print key "\t" text
          i = j + 1
          continue
        }
        if (match(rest, /^[A-Za-z_][A-Za-z_0-9]*/)) { word = substr(rest, 1, RLENGTH); i += RLENGTH; continue }
        if (c == "=") key = word
        i++
      }
    }' "$1" | while IFS= read -r line; do
    if [ -z "$(url_problem "${line#*"$TAB"}")" ]; then printf '%s\n' "$line"; fi
  done >"$work/lua"
  for key in discord_webhook_urls discord_webhook_url; do
    if grep -q "^$key$TAB" "$work/lua"; then sed -n "s/^$key$TAB//p" "$work/lua"; return; fi
  done
  cut -f 2- "$work/lua"
}

# $work/old: what the settings load of the old script, as "SCRIPT<tab>FILE<tab>WHAT". $work/urls: the webhooks to set: those
# that were given and those of the old script, which has them in itself or in a file beside it.
gather_webhooks() {
  printf '%s\n' "$urls" | urls_in >"$work/urls"
  : >"$work/old"
  if [ "$keep_old" = 0 ]; then doubles | grep "$TAB$REPLACED\$" >"$work/old" || true; fi
  cut -f 1 "$work/old" | awk '!seen[$0]++' >"$work/scripts"
  while IFS= read -r script; do
    loaded=$(find_file "${script%.lua}.lua")
    : >"$work/found"
    for config in "$dir/luascripts" "$base/$game/luascripts" "${loaded%/*}"; do
      config=$config/stats_discord_webhook_config.lua
      if [ ! -e "$config" ]; then continue; fi
      if [ -r "$config" ]; then lua_webhooks "$config" >"$work/found"
      else say "TO DO: $config cannot be read; pass its webhooks with --webhook -"; fi
      break
    done
    if [ ! -s "$work/found" ] && [ -n "$loaded" ]; then lua_webhooks "$loaded" >"$work/found"; fi
    if [ -s "$work/found" ]; then cat "$work/found" >>"$work/urls"; else say "note: $script has no webhook"; fi
  done <"$work/scripts"
  if [ "$webhook_from" = stdin ]; then
    if [ -t 0 ]; then ask_webhook; else urls_in >>"$work/urls"; fi
  elif ! dry && interactive && [ ! -s "$work/urls" ] && [ -z "$(webhooks_set)" ]; then ask_webhook; fi
  webhooks_set >"$work/known"
  awk '!seen[$0]++' "$work/urls" | grep -vxF -f "$work/known" >"$work/new" || true
  mv -f "$work/new" "$work/urls"
  number=0
  while IFS= read -r url; do
    number=$((number + 1))
    problem=$(url_problem "$url")
    [ -z "$problem" ] || die "webhook $number is not a webhook URL ($problem); expected https://discord.com/api/webhooks/ID/TOKEN. Nothing was changed."
  done <"$work/urls"
}
ask_webhook() {
  printf 'Webhook URL (it is not shown; empty for none): ' >&2
  trap 'stty echo; rm -rf "$work"' EXIT
  stty -echo
  read -r url || url=''
  stty echo
  trap 'rm -rf "$work" ${temp:+"$temp"}' EXIT
  echo >&2
  printf '%s\n' "$url" | urls_in >>"$work/urls"
}

install_webhooks() {
  if [ ! -s "$work/urls" ]; then return; fi
  target=$(webhook_file)
  what="set $(plural "$(lines_in "$work/urls")" webhook) in $target"
  if [ ! -f "$target" ]; then
    if step "$what"; then
      { echo "# Webhook URLs, one per line. Whoever knows a URL can post."; cat "$work/urls"; } >"$work/webhooks"
      if [ "$target" = "$dir/webhooks.txt" ]; then put_ours "$work/webhooks" webhooks.txt 600; else put "$work/webhooks" "$target" 600; fi
    fi
  else
    # The last line may have no end.
    awk '{ print }' "$target" "$work/urls" >"$work/webhooks"
    if [ "$target" != "$dir/webhooks.txt" ] || ! is_installed webhooks.txt; then edit "$what" "$target" cat "$work/webhooks"
    elif step "$what"; then put_ours "$work/webhooks" webhooks.txt 600; fi
  fi
}

# The entries of the old script in a file.
old_in() { file=$1 awk -F "$TAB" '$2 == ENVIRON["file"] { printf "%s%s", separator, $1; separator = " " }' "$work/old"; }
# Notes which entries of the old script were replaced, for --uninstall.
note_old() { # file, names
  if [ -z "$2" ] || dry; then return; fi
  { cat "$state/replaced" 2>/dev/null || true; for name in $2; do printf '%s\t%s\n' "$name" "$1"; done; } | awk '!seen[$0]++' >"$work/replaced"
  put "$work/replaced" "$state/replaced" 600
}
replaced_in() { file=$1 awk -F "$TAB" '$2 == ENVIRON["file"] { printf "%s%s", separator, $1; separator = " " }' "$state/replaced" 2>/dev/null || true; }

# ----------------------------------------------------------------------------------------------------------------------
# Installing and uninstalling

# Stops with an error if a path cannot be written. Called for all paths before the first change.
must_write() {
  if [ -e "$1" ]; then
    [ -w "$1" ] || die "cannot write $1; run this as the server's user. Nothing was changed."
    if is_mount "$1"; then
      case $1 in *.so) die "$1 is a mount point, so it cannot be replaced while a server may use it; mount its folder instead. Nothing was changed." ;; esac
      return
    fi
    case $1 in */"$game") return ;; esac
  fi
  parent=$(dirname "$1")
  while [ ! -e "$parent" ]; do parent=$(dirname "$parent"); done
  [ -w "$parent" ] || die "cannot write in $parent; run this as the server's user. Nothing was changed."
}
must_write_all() { # files with one path per line
  while IFS= read -r path; do must_write "$path"; done <"$1"
}

# Waits until no other install.sh changes this folder. Needs no file: a lock of the folder itself ends with this process.
lock() { # folder, open as descriptor 8 or 9
  command -v flock >/dev/null || die "the program flock is missing; install the package util-linux. Nothing was changed."
  waited=0
  while ! problem=$(flock -n "$2" 2>&1); do
    if [ -n "$problem" ]; then say "note: $1 cannot be locked ($problem); make sure that no other install.sh runs"; return; fi
    if [ "$waited" = 0 ]; then say "waiting for another install.sh that is changing $1"; fi
    waited=$((waited + 1))
    [ "$waited" -le 300 ] || die "another install.sh is still changing $1. Nothing was changed."
    sleep 0.2 2>/dev/null || sleep 1
  done
}
lock_server() {
  exec 8<"$base/$game"
  lock "$base/$game" 8
  if [ -d "$dir" ] && [ "$(stat -Lc %d:%i "$dir")" != "$(stat -Lc %d:%i "$base/$game")" ]; then
    exec 9<"$dir"
    lock "$dir" 9
  fi
  # What an interrupted run has left.
  {
    printf '%s\n' "$dir" "$dir/luascripts" "$state"
    { config_files; webhook_file; module_list; } | sed 's|/[^/]*$||'
  } | awk '!seen[$0]++' | while IFS= read -r folder; do
    for file in "$folder"/.gametimes-tmp.??????; do
      if [ -f "$file" ] && [ -w "$folder" ]; then rm -f "$file"; fi
    done
  done
}

install_module() {
  target=$dir/$MODULE
  if is_stock "$target"; then
    if [ "$same_folder" = 1 ]; then
      say "note: fs_homepath and fs_basepath are the same folder; the stock game is kept there as $REAL"
    else
      say "note: $dir contains another game; it is kept as $REAL and gametimes_qagame is set to it"
    fi
    keep_stock "$target"
    # Copy the stock game completely before the module takes its name.
    if [ -f "$dir/$REAL" ] && ! cmp -s "$target" "$dir/$REAL"; then
      if step "replace $dir/$REAL with the newer stock game"; then
        is_ours "$dir/$REAL" || keep_copy "$dir/$REAL"
        put_game "$target" "$dir/$REAL"
      fi
    elif [ ! -f "$dir/$REAL" ]; then
      if step "copy the stock game to $dir/$REAL"; then put_game "$target" "$dir/$REAL"; fi
    fi
  elif [ "$same_folder" = 1 ] || { [ -f "$dir/$REAL" ] && ! is_stock "$dir/$REAL"; }; then
    if ! is_stock "$dir/$REAL"; then
      kept=$(kept_stock)
      [ -n "$kept" ] || die "the stock game is missing: neither $dir/$REAL nor a copy in $state has it. Copy $MODULE of ET:Legacy to $dir/$REAL, then run this again."
      if step "restore the stock game: copy $kept to $dir/$REAL"; then put_game "$kept" "$dir/$REAL"; fi
    else
      keep_stock "$dir/$REAL"
    fi
  fi
  if ! cmp -s "$module_source" "$target"; then
    if step "install $target"; then
      # A second look: an upgrade may have replaced the game since.
      if is_stock "$target" && ! cmp -s "$target" "$dir/$REAL"; then
        die "$target changed while install.sh ran; is an upgrade of ET:Legacy running? Run this again when it is done."
      fi
      put_ours "$module_source" "$MODULE" 755
    fi
  fi
}

install_script() {
  target=$dir/$SCRIPT
  if ! cmp -s "$script_source" "$target"; then
    if step "install $target"; then
      if [ -f "$target" ] && ! is_installed "$SCRIPT"; then keep_copy "$target"; fi
      mkdir -p "$dir/luascripts"
      put_ours "$script_source" "$SCRIPT" 644
    fi
  fi
  if [ -n "$(configured lua_allowedModules)" ]; then
    say "TO DO: lua_allowedModules is set; add $(sha1sum <"$script_source" | cut -c1-40) to it"
  fi
}

# Adds our script to the lists of scripts that the game loads, and removes the old one from them.
load_script() {
  ours=$SCRIPT added="add $SCRIPT to"
  if [ "$with_script" = 0 ]; then ours='' added='remove the old script from'; fi
  list=$(module_list)
  if [ -n "$list" ]; then
    old=$(old_in "$list")
    note_old "$list" "$old"
    edit "$added $list${old:+ in the place of $old}" "$list" edit_list add "$old" "$ours"
  elif [ -n "$ours" ]; then
    name=$(list_name)
    if [ -n "$name" ]; then say "TO DO: g_luaModuleList is set to $name, which was not found; create it in $dir with one script per line, then run this again"; fi
    command_line_cvar lua_modules >"$work/values"
    while IFS= read -r value; do
      case " $value " in *[\ ,\;]"$SCRIPT"[\ ,\;]*) continue ;; esac
      if [ $((${#value} + 1 + ${#SCRIPT})) -gt "$CVAR_MAX" ]; then no_room "lua_modules on the server's command line" "${#value}"
      else say "TO DO: the server is started with +set lua_modules \"$value\"; add $SCRIPT to it"; fi
    done <"$work/values"
  fi
  config_files >"$work/files"
  while IFS= read -r file; do
    old=$(old_in "$file")
    if [ -z "$ours$old" ]; then continue; fi
    note_old "$file" "$old"
    edit "$added lua_modules in $file${old:+ in the place of $old}" "$file" edit_modules add "$old" "$ours"
    if [ -z "$list" ] && [ -n "$ours" ]; then
      edit_modules length "$old" <"$file" >"$work/lengths"
      while IFS= read -r length; do no_room "lua_modules in $file" "$length"; done <"$work/lengths"
    fi
  done <"$work/files"
}

# The path of the game that was kept, as the server calls it.
inner_real() {
  if [ -z "$container" ]; then printf '%s\n' "$dir/$REAL"; return; fi
  set_home=$(set_on "$work/running/$container" fs_homepath)
  case $set_home in /*) ;; *) set_home=$(readlink "/proc/$container/cwd")/$set_home ;; esac
  printf '%s\n' "$set_home/$game/$REAL"
}

# Sets gametimes_qagame to the game that was kept, and gametimes_webhook_file to the file of URLs, unless they are set.
edit_settings() {
  real=''
  if [ "$with_module" = 1 ] && [ "$same_folder" = 0 ] && [ -f "$dir/$REAL" ]; then real=$(inner_real); fi
  real=$real webhooks=$(if [ -f "$dir/webhooks.txt" ]; then echo webhooks.txt; fi) awk '
    function fill(value,   at) { at = index($0, "\"\""); $0 = substr($0, 1, at) value substr($0, at + 1) }
    /^set gametimes_qagame ""/ { fill(ENVIRON["real"]) }
    /^set gametimes_webhook_file ""/ { fill(ENVIRON["webhooks"]) }
    { print }'
}

install_cfg() {
  target=$dir/gametimes.cfg
  wanted=$work/gametimes.cfg
  edit_settings <"$cfg_source" >"$wanted"
  if [ ! -f "$target" ]; then
    if step "install $target"; then put_ours "$wanted" gametimes.cfg 600; fi
  elif ! cmp -s "$wanted" "$target"; then
    if is_installed gametimes.cfg; then
      if step "update $target"; then put_ours "$wanted" gametimes.cfg 600; fi
    else
      if ! was_installed "$wanted" gametimes.cfg && ! cmp -s "$wanted" "$target.new"; then
        if step "save the settings of this version as $target.new, because $target was changed"; then put "$wanted" "$target.new" 600; fi
      fi
      edit "set gametimes_qagame and gametimes_webhook_file in $target" "$target" edit_settings
    fi
  fi
  while IFS= read -r name; do
    say "TO DO: the server executes $name, which was not found in etmain or $game; give the file with --cfg if it is elsewhere"
  done <"$work/missing"
  if [ ! -s "$work/cfgs" ]; then
    if grep -qx 'gametimes\.cfg' "$work/on-line"; then return; fi
    if [ "$bare_start" = 1 ]; then say "TO DO: the server is started without +exec; add +exec gametimes.cfg to its command line, before +map"
    else say "TO DO: no etl_server.cfg or server.cfg found; add these lines to the cfg that the server executes:"
    fi
    say "    exec gametimes.cfg"
    if [ "$with_script" = 1 ]; then say "    set lua_modules \"... $SCRIPT\""; fi
    return
  fi
  set_modules=0
  if [ "$with_script" = 1 ] && [ -z "$(sets_modules)" ] && [ -z "$(list_name)" ] && [ -z "$(command_line_cvar lua_modules)" ]; then
    set_modules=1
  fi
  while IFS= read -r file; do
    not_executed to_do "$file"
    edit "add \"exec gametimes.cfg\" to $file" "$file" edit_block add "$set_modules"
    if ! dry && ! grep -qxF -e "$file" "$state/cfgs" 2>/dev/null; then
      { cat "$state/cfgs" 2>/dev/null || true; printf '%s\n' "$file"; } >"$work/known"
      put "$work/known" "$state/cfgs" 644
    fi
  done <"$work/cfgs"
}

# Where the recorded rounds are.
rounds_folder() {
  name=$(configured gametimes_dir)
  case ${name:-gametimes} in /*) printf '%s\n' "$name" ;; *) printf '%s\n' "$dir/${name:-gametimes}" ;; esac
}

# Prints what is wrong with the scripts that are loaded beside ours.
report_doubles() { # command that reports
  doubles >"$work/doubles"
  while IFS="$TAB" read -r script where what; do
    if [ "$what" = "$REPLACED" ] && [ "$keep_old" = 1 ]; then
      note "$script in $where stays (--keep-old); if it has the same webhook, every round is posted twice"
    else
      "$1" "$script in $where is $what; $(if [ "$1" = bad ] && [ "$what" = "$REPLACED" ] && [ -f "$where" ]; then echo "run install.sh, or "; fi)remove it there, or every round is recorded and posted twice"
    fi
  done <"$work/doubles"
}
to_do() { say "TO DO: $*"; }

# A running server keeps the module loaded, even if the file is gone, and opens the stock game again at every map.
remove_real() {
  if [ -z "$servers" ]; then rm -f "$dir/$REAL"
  else say "kept: $dir/$REAL, because the running server still uses it; restart the server, then run this again"; fi
}

uninstall() {
  target=$dir/$MODULE
  real=$dir/$REAL
  if is_ours "$target"; then
    if { [ ! -f "$real" ] && [ "$same_folder" = 1 ]; } || is_ours "$real"; then real=$(kept_stock); fi
    if [ -n "$real" ] && [ -f "$real" ]; then
      if step "restore the game: copy $real to $target"; then
        keep_stock "$real"
        put_game "$real" "$target"
        forget "$MODULE"
        if [ -f "$dir/$REAL" ]; then remove_real; fi
      fi
    elif [ "$same_folder" = 1 ]; then
      die "$dir/$REAL is missing; without it the server would have no game. Restore the stock game to $target by hand first."
    else
      if step "remove $target"; then rm -f "$target"; forget "$MODULE"; fi
    fi
  elif [ -f "$real" ] && [ -f "$target" ]; then
    if [ -n "$servers" ]; then remove_real
    elif step "remove $real, which is no longer used"; then keep_copy "$real"; remove_real; fi
  fi
  undo_edits
  config_files | grep -vxF -f "$work/restored" >"$work/files" || true
  shared=0
  while IFS= read -r file; do
    if grep -qF "$BEGIN" "$file"; then
      edit "remove \"exec gametimes.cfg\" from $file" "$file" edit_block remove 0
      if grep -qF "$BEGIN" "$file"; then shared=1; fi
    fi
  done <"$work/files"
  while IFS= read -r file; do
    # A cfg outside of the home folder is still needed while our block lists another server.
    case $file in "$home"/*) ;; *) if [ "$shared" = 1 ]; then continue; fi ;; esac
    edit "remove $SCRIPT from lua_modules in $file" "$file" edit_modules remove "$(replaced_in "$file")"
  done <"$work/files"
  list=$(module_list)
  if [ -n "$list" ] && ! grep -qxF -e "$list" "$work/restored"; then
    edit "remove $SCRIPT from $list" "$list" edit_list remove "$(replaced_in "$list")"
  fi
  if [ "$shared" = 0 ] && ! dry; then rm -f "$state/edited" "$state/replaced"; fi
  if [ -f "$dir/$SCRIPT" ]; then
    if step "remove $dir/$SCRIPT"; then remove "$dir/$SCRIPT"; forget "$SCRIPT"; rmdir "$dir/luascripts" 2>/dev/null || true; fi
  fi
  for name in gametimes.cfg webhooks.txt; do
    if [ ! -f "$dir/$name" ]; then continue; fi
    if is_installed "$name"; then
      if step "remove $dir/$name"; then remove "$dir/$name"; rm -f "$dir/$name.new"; forget "$name"; fi
    else
      say "kept: $dir/$name, because it was changed"
    fi
  done
  if [ -d "$rounds" ]; then say "kept: the recorded rounds in $rounds"; fi
  waiting=$(waiting_messages)
  if [ "$waiting" -gt 0 ]; then say "kept: $(plural "$waiting" message) that were not sent yet, in $rounds/outbox; they are sent if gametimes is installed again"; fi
}

# The messages that wait: those of the module and of the script.
waiting_messages() {
  find "$rounds/outbox" -type f \( -path '*/queue/*' -o -path '*/lua/*.curl' \) 2>/dev/null | awk 'END { print NR }'
}

# ----------------------------------------------------------------------------------------------------------------------
# Checking

problems=0
good() { say "ok      $*"; }
bad() { problems=$((problems + 1)); say "WRONG   $*"; }
note() { say "note    $*"; }

check() {
  problem=$(module_problem)
  if [ "$with_module" = 0 ]; then
    note "module: not checked (--no-module)"
  elif [ -n "$problem" ]; then
    if is_ours "$dir/$MODULE"; then note "module: installed, but $problem"; else note "module: $problem; the script records"; fi
    [ "$with_script" = 1 ] || bad "neither the module nor the script can record"
  elif is_cut_off "$dir/$MODULE"; then
    bad "module: $dir/$MODULE is incomplete, and the server crashes when it loads it; run install.sh"
  elif [ ! -f "$dir/$MODULE" ]; then
    bad "module: $dir/$MODULE is missing; run install.sh"
  elif ! is_ours "$dir/$MODULE"; then
    bad "module: $dir/$MODULE is another game, not from gametimes; run install.sh, which keeps it"
  elif ! cmp -s "$module_source" "$dir/$MODULE"; then
    bad "module: $dir/$MODULE is another version than in this package; run install.sh"
  else
    good "module: $dir/$MODULE"
    # A server keeps the module that it has loaded. One that was replaced is marked "(deleted)".
    module=$(inner_real) module=${module%"$REAL"}$MODULE
    for pid in $servers; do
      if [ -r "/proc/$pid/maps" ] && ! grep -q "$(printf '%s' "$module" | sed 's/[].[*^$\\]/\\&/g')\$" "/proc/$pid/maps"; then
        note "the running server (process $pid) has not loaded this module yet; restart it"
      fi
    done
  fi
  if is_ours "$dir/$MODULE"; then
    if is_stock "$base/$game/$MODULE"; then good "stock game: $base/$game/$MODULE"
    elif is_stock "$dir/$REAL"; then good "stock game: $dir/$REAL"
    else bad "stock game: found neither at $base/$game/$MODULE nor at $dir/$REAL; the server cannot start. Run install.sh, or install ET:Legacy again"; fi
  fi
  if [ "$with_script" = 1 ]; then
    if cmp -s "$script_source" "$dir/$SCRIPT"; then good "script: $dir/$SCRIPT"; else bad "script: $dir/$SCRIPT is missing or another version; run install.sh"; fi
    list=$(module_list)
    if [ -n "$list" ]; then
      if grep -qE "${SCRIPT%.lua}(\.lua)?([[:space:]\"]|\$)" "$list"; then good "g_luaModuleList $list contains $SCRIPT"; else bad "g_luaModuleList $list does not contain $SCRIPT; run install.sh"; fi
    fi
    if [ -z "$list" ]; then
      name=$(list_name)
      if [ -n "$name" ]; then bad "g_luaModuleList is set to $name, which was not found; the game loads no script"; fi
      command_line_cvar lua_modules >"$work/values"
      while IFS= read -r value; do
        case " $value " in
          *[\ ,\;]"$SCRIPT"[\ ,\;]*) good "lua_modules on the command line contains $SCRIPT" ;;
          *) bad "lua_modules on the server's command line does not contain $SCRIPT; add it there" ;;
        esac
      done <"$work/values"
      sets_modules >"$work/files"
      while IFS= read -r file; do
        if grep -q "^set lua_modules \"$SCRIPT\"" "$file"; then printf '%s\n' "$file" >>"$work/files"; fi
      done <"$work/cfgs"
      if [ ! -s "$work/files" ] && [ ! -s "$work/values" ]; then bad "no cfg sets lua_modules; add: set lua_modules \"$SCRIPT\""; fi
      while IFS= read -r file; do
        edit_modules length <"$file" >"$work/lengths"
        if [ -s "$work/lengths" ]; then
          while IFS= read -r length; do
            if [ "$length" -gt "$CVAR_MAX" ]; then bad "lua_modules in $file has $length characters; the game cannot start with more than $CVAR_MAX. Run install.sh, or list the scripts in a file (g_luaModuleList)"
            else bad "lua_modules in $file has $length characters and no room for $SCRIPT; list the scripts in a file instead (install.sh says how)"; fi
          done <"$work/lengths"
        elif grep -qi "lua_modules.*$SCRIPT" "$file"; then good "lua_modules in $file contains $SCRIPT"
        else bad "lua_modules in $file does not contain $SCRIPT; run install.sh"; fi
      done <"$work/files"
    fi
    command -v curl >/dev/null || note "curl is not installed; the script writes files but sends no messages"
  fi
  report_doubles bad
  if [ -f "$dir/gametimes.cfg" ]; then good "settings: $dir/gametimes.cfg"; else bad "settings: $dir/gametimes.cfg is missing; run install.sh"; fi
  while IFS= read -r name; do bad "the server executes $name, which was not found in etmain or $game"; done <"$work/missing"
  if grep -qx 'gametimes\.cfg' "$work/on-line"; then good "gametimes.cfg is executed by the command line"
  elif [ "$bare_start" = 1 ]; then bad "the server is started without +exec; add +exec gametimes.cfg to its command line, before +map"
  elif [ ! -s "$work/cfgs" ] && [ ! -s "$work/missing" ]; then note "no etl_server.cfg or server.cfg found; use --cfg to check whether gametimes.cfg is executed"; fi
  while IFS= read -r file; do
    if executes_ours "$file"; then good "$file executes gametimes.cfg"; else bad "$file does not execute gametimes.cfg; run install.sh"; fi
    not_executed bad "$file"
  done <"$work/cfgs"
  if [ "$how" = assumed ] && [ -s "$work/cfgs" ]; then
    note "no server is running, so its cfg was assumed; start the server or use --start-script to be sure"
  fi
  if [ -w "$dir" ]; then good "$dir is writable"; else bad "$dir is not writable for $(id -un)"; fi
  check_webhooks
  check_lengths
  waiting=$(waiting_messages)
  if [ "$waiting" -gt 0 ]; then
    if [ "$waiting" = 1 ]; then what="1 message waits"; else what="$waiting messages wait"; fi
    bad "$what in $rounds/outbox; the log says why (see docs/troubleshooting.md). They are sent when a server runs that can reach the webhook"
  fi
}

check_webhooks() {
  file=$(webhook_file)
  if [ -n "$(configured gametimes_webhook_file)" ]; then
    if [ ! -r "$file" ]; then bad "gametimes_webhook_file: $file is missing or cannot be read; run install.sh --webhook -"
    elif [ -n "$(find "$file" -maxdepth 0 -perm /044)" ]; then bad "gametimes_webhook_file: other users can read $file; run chmod 600 on it"
    else good "webhook file: $file"; fi
  elif [ -f "$file" ]; then
    bad "gametimes_webhook_file is not set, so the webhooks in $file are not used; run install.sh"
  fi
  webhooks_set >"$work/urls"
  number=0 usable=0
  while IFS= read -r url; do
    number=$((number + 1))
    problem=$(url_problem "$url")
    if [ -z "$problem" ]; then usable=1
    else bad "webhook $number is not a webhook URL ($problem); expected https://discord.com/api/webhooks/ID/TOKEN. Correct it in $file or gametimes_webhook_url"; fi
  done <"$work/urls"
  if [ "$usable" = 1 ]; then good "webhooks: $number"
  elif [ "$number" = 0 ]; then bad "no webhook is set; rounds are saved but not posted. Run install.sh --webhook -"; fi
}

# The game cannot start if a cvar that it registers has too long a value.
check_lengths() {
  {
    config_files | while IFS= read -r file; do
      commands "$file" | file=$file awk -v most="$CVAR_MAX" 'tolower($1) ~ /^set[asl]?$/ && tolower($2) ~ /^(gametimes_|g_luamodulelist$|lua_allowedmodules$)/ {
        name = $2; sub(/^[ \t]*[^ \t]+[ \t]+[^ \t]+[ \t]*/, ""); gsub(/^"|"[ \t]*$/, "")
        if (length($0) > most) print name " in " ENVIRON["file"] " has " length($0) }'
    done
    while IFS= read -r line; do
      for name in gametimes_webhook_url gametimes_webhook_file gametimes_qagame gametimes_dir lua_allowedModules; do
        value=$(set_on "$line" "$name")
        if [ "${#value}" -gt "$CVAR_MAX" ]; then echo "$name on the command line has ${#value}"; fi
      done
    done <"$work/lines"
  } >"$work/long"
  while IFS= read -r long; do bad "$long characters; a cvar can have $CVAR_MAX. Put webhooks into a file (gametimes_webhook_file)"; done <"$work/long"
}

# ----------------------------------------------------------------------------------------------------------------------

say "server: basepath $base, homepath $home, game $game${origin:+ ($origin)}"
while IFS= read -r file; do say "cfg: $file ($how)"; done <"$work/cfgs"
for folder in "$dir" "$home/etmain" "$base/$game" "$base/etmain"; do
  for file in "$folder"/*.cfg "$folder"/configs/*.config; do
    if [ -f "$file" ] && [ -z "$(resolved "$file")" ]; then
      say "note: $(printf '%s' "$file" | tr '\n' '?') is left out, because its name contains a line break"
    fi
  done
done

rounds=$(rounds_folder)

# Installs or uninstalls, after all checks.
perform() {
  changes=0
  dry || lock_server
  if [ "$mode" = uninstall ]; then
    finish_writing
    {
      config_files | while IFS= read -r file; do
        if grep -qF -e "$BEGIN" -e "$SCRIPT" "$file"; then printf '%s\n' "$file"; fi
      done
      sed 's/^[^ ]*  //' "$state/edited" 2>/dev/null || true
      printf '%s\n' "$dir/$MODULE" "$dir/$SCRIPT" "$dir/gametimes.cfg" "$dir/webhooks.txt"
    } >"$work/edits"
    must_write_all "$work/edits"
    uninstall
    if [ "$changes" = 0 ]; then say "nothing to do"
    elif ! dry && [ -n "$servers" ]; then say "done; restart the server to complete the removal"; fi
    return
  fi
  if [ "$with_module" = 1 ]; then
    problem=$(module_problem)
    if [ -n "$problem" ]; then
      [ "$with_script" = 1 ] || die "nothing can record: $problem, and --no-script leaves out the script"
      say "note: the module is not installed: $problem. The script records instead."
      with_module=0
    fi
  fi
  {
    printf '%s\n' "$dir" "$dir/$MODULE" "$dir/$REAL" "$dir/$SCRIPT" "$dir/gametimes.cfg"
    cat "$work/cfgs"
    if [ -s "$work/urls" ]; then webhook_file; fi
    cut -f 2 "$work/old" | grep / || true
    if [ "$with_script" = 1 ]; then sets_modules; module_list; fi
  } >"$work/edits"
  must_write_all "$work/edits"
  if [ "$with_module" = 1 ] && [ "$same_folder" = 0 ] && is_stock "$dir/$MODULE"; then
    kept=$(inner_real)
    [ "${#kept}" -le "$CVAR_MAX" ] || die "$dir contains another game, and the path $kept is longer than the $CVAR_MAX characters that gametimes_qagame can have. Nothing was changed."
  fi
  finish_writing
  dry || mkdir -p "$state"
  # The lines that activate everything are added last.
  if [ "$with_script" = 1 ]; then install_script; fi
  if [ "$with_module" = 1 ]; then install_module; fi
  install_webhooks
  install_cfg
  load_script
  report_doubles to_do
  if [ "$changes" = 0 ]; then say "nothing to do"; fi
  if [ -z "$(webhooks_set)" ] && [ ! -s "$work/urls" ]; then say "TO DO: no webhook is set, so rounds are saved but not posted; run this again with --webhook -"; fi
  if [ "$changes" -gt 0 ] && ! dry; then say "done; restart the server"; fi
}

if [ -z "$servers$start_script" ]; then sed 's/^/note: /' "$work/left-out"; fi

if [ "$mode" = check ]; then
  check
  case $problems in
    0) say "all is well"; exit 0 ;;
    1) say "1 problem found"; exit 1 ;;
    *) say "$problems problems found"; exit 1 ;;
  esac
fi
if [ "$mode" = install ]; then
  [ -n "$cfg_source" ] || die "gametimes.cfg is missing next to install.sh; unpack the whole package"
  if [ "$with_script" = 1 ] && [ -z "$script_source" ]; then die "gametimes.lua is missing next to install.sh; unpack the whole package"; fi
  gather_webhooks
fi
if ! dry && interactive; then
  # Show the changes before they are made.
  status=0
  (
    dry_run=1
    perform
    [ "$changes" -gt 0 ] || exit 3
  ) || status=$?
  case $status in
    0) ;;
    3) exit 0 ;;
    *) exit "$status" ;;
  esac
  printf 'Shall I do this? [Y/n] ' >&2
  read -r answer || answer=n
  case $answer in '' | [yY]*) ;; *) die "stopped. Nothing was changed." ;; esac
elif ! dry && [ -n "$origin" ] && [ "$yes" = 0 ]; then
  die "pass --yes to $mode there, or SERVER_FOLDER to choose a server. Nothing was changed."
fi
perform
