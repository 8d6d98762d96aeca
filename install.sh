#!/bin/sh
# Installs gametimes on an ET:Legacy server, removes it, or checks the installation. See --help and docs/setup.md.
#
# Rules:
# - Everything is checked before anything is changed.
# - Every file is replaced by a rename, so that a server never finds a half-written file or no game at all.
# - A second run changes nothing.
# - Changes made by the admin are kept.
# - A file is copied to <homepath>/<game>/gametimes-install/ before it is edited.

set -eu

usage() {
  cat <<'END'
usage: install.sh [options] SERVER_FOLDER

Installs gametimes (module, fallback script, settings) for the ET:Legacy server in SERVER_FOLDER, its fs_basepath.

  --homepath DIR   fs_homepath of the server (default: found automatically); needed if there are several servers
  --game NAME      fs_game (default: legacy)
  --cfg FILE       the server's cfg, which will execute gametimes.cfg (default: etl_server.cfg or server.cfg, if found)
  --check          change nothing; show what is installed and what is wrong; exit code 0 if all is well
  --dry-run        change nothing; show what would be done
  --uninstall      remove everything that was installed, except changed settings and recorded rounds
  --no-module      install only the script and the settings
  --no-script      install only the module and the settings
  --help           show this text
END
}

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

MODULE=qagame.mp.x86_64.so
REAL=qagame_real.mp.x86_64.so
SCRIPT=luascripts/gametimes.lua
BEGIN='// >>> gametimes (install.sh)'
END='// <<< gametimes'

# ----------------------------------------------------------------------------------------------------------------------
# Arguments

mode=install base='' home='' game=legacy cfg='' with_module=1 with_script=1
while [ $# -gt 0 ]; do
  case $1 in
    --homepath) [ $# -ge 2 ] || die "--homepath needs a folder"; home=$2; shift ;;
    --game) [ $# -ge 2 ] || die "--game needs a name"; game=$2; shift ;;
    --cfg) [ $# -ge 2 ] || die "--cfg needs a file"; cfg=$2; shift ;;
    --check) mode=check ;;
    --dry-run) mode=dry ;;
    --uninstall) mode=uninstall ;;
    --no-module) with_module=0 ;;
    --no-script) with_script=0 ;;
    --help | -h) usage; exit 0 ;;
    -*) die "unknown option $1 (see --help)" ;;
    *) [ -z "$base" ] || die "more than one server folder given; quote paths that contain spaces"; base=$1 ;;
  esac
  shift
done
[ -n "$base" ] || { usage >&2; exit 2; }
[ -d "$base" ] || die "$base is not a folder"
base=$(cd "$base" && pwd -P)
case $game in */* | .* | '') die "--game must be a name, not a path: $game" ;; esac

# ----------------------------------------------------------------------------------------------------------------------
# Paths

here=$(cd "$(dirname "$0")" && pwd -P)
find_source() {
  for candidate in "$@"; do
    if [ -f "$here/$candidate" ]; then printf '%s\n' "$here/$candidate"; return; fi
  done
}
module_source=$(find_source "$MODULE" target/module/libgametimes.so)
script_source=$(find_source gametimes.lua fallback-lua/gametimes.lua)
cfg_source=$(find_source gametimes.cfg server-cfg/gametimes.cfg)

# The processes (/proc/PID) of this folder's servers.
servers=
for process in /proc/[0-9]*/exe; do
  case $(readlink "$process" 2>/dev/null) in "$base"/etlded*) servers="$servers ${process%/exe}" ;; esac
done

# The value that their command lines set for a cvar: "+set name value".
running_cvar() {
  for process in $servers; do
    { tr '\0' '\n' <"$process/cmdline"; } 2>/dev/null |
      awk -v name="$1" 'want == 2 { print; exit } want == 1 { want = tolower($0) == name ? 2 : 0 } /^\+set/ { want = 1 }'
  done | sort -u
}

[ -d "$base/$game" ] || die "$base contains no folder $game; is it the fs_basepath of an ET:Legacy server? For another fs_game use --game."
if [ -z "$home" ]; then
  home=$(running_cvar fs_homepath)
  case $home in
    *"
"*) die "several servers are running from this folder, with these homepaths:
$home
Run this once for each, with --homepath." ;;
  esac
fi
if [ -z "$home" ]; then
  if [ -d "${HOME:-/nonexistent}/.etlegacy/$game" ]; then home=$HOME/.etlegacy; else home=$base; fi
fi
case $home in /*) ;; *) home=$PWD/$home ;; esac
# The server's user could not read or replace files that root installs.
if [ "$(id -u)" = 0 ] && [ "$mode" != check ]; then
  owner=$(stat -c %U "$home" 2>/dev/null || stat -c %U "$base")
  [ "$owner" = root ] || die "this server belongs to user $owner; run this as that user (sudo -u $owner $0 ...). Nothing was changed."
fi
if [ -d "$home" ]; then
  home=$(cd "$home" && pwd -P)
elif [ "$mode" = check ] || [ "$mode" = uninstall ]; then
  die "$home is not a folder"
fi
dir=$home/$game
state=$dir/gametimes-install
same_folder=0
if [ "$home" = "$base" ]; then same_folder=1; fi

is_ours() { [ -f "$1" ] && LC_ALL=C grep -aq gametimes_module "$1"; }

if [ -z "$cfg" ]; then
  for folder in "$dir" "$home/etmain" "$base/$game" "$base/etmain"; do
    for name in etl_server.cfg server.cfg; do
      if [ -z "$cfg" ] && [ -f "$folder/$name" ]; then cfg=$folder/$name; fi
    done
  done
elif [ ! -f "$cfg" ]; then
  die "--cfg $cfg: no such file"
fi
if [ -n "$cfg" ]; then cfg=$(readlink -f "$cfg"); fi

# Every cfg and config that may set lua_modules, without duplicates.
config_files() {
  {
    if [ -n "$cfg" ]; then printf '%s\n' "$cfg"; fi
    for folder in "$dir" "$home/etmain" "$base/$game" "$base/etmain"; do
      for file in "$folder"/*.cfg "$folder"/configs/*.config; do
        if [ -f "$file" ]; then readlink -f "$file"; fi
      done
    done
  } | awk '!seen[$0]++'
}

# ----------------------------------------------------------------------------------------------------------------------
# Can the module run here?

version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# Prints why the module cannot run on this machine; prints nothing if it can.
module_problem() {
  if [ -z "$module_source" ]; then echo "this package contains no module"; return; fi
  machine=$(uname -m)
  if [ "$machine" != x86_64 ]; then echo "the module needs x86_64, but this machine is $machine"; return; fi
  # Byte 19 of an ELF file identifies the architecture; 62 is x86_64.
  if [ "$(od -An -tu1 -j18 -N1 "$module_source" | tr -d ' ')" != 62 ]; then echo "the module was not built for x86_64"; return; fi
  needs=$(LC_ALL=C grep -ao 'GLIBC_2\.[0-9.]*' "$module_source" | sed 's/GLIBC_//' | sort -V | tail -n 1)
  has=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')
  if [ -z "$has" ]; then echo "the module needs glibc, but this system uses another libc"; return; fi
  if [ -n "$needs" ] && ! version_at_least "$has" "$needs"; then
    echo "the module needs glibc $needs, but this system has $has"; return
  fi
  for stock in "$base/$game/$MODULE" "$dir/$REAL" "$dir/$MODULE"; do
    if [ -f "$stock" ] && ! is_ours "$stock"; then return; fi
  done
  echo "the stock game $base/$game/$MODULE is missing (the module needs a 64-bit server)"
}

# ----------------------------------------------------------------------------------------------------------------------
# Changing files

changes=0
dry() { [ "$mode" = dry ]; }
step() { # description; announces and counts a change; fails in a dry run
  changes=$((changes + 1))
  if dry; then say "would $1"; return 1; fi
  say "$1"
}

# Copies a file to its destination through a temporary name.
put() { # source destination mode
  cp "$1" "$2.gametimes-tmp"
  chmod "$3" "$2.gametimes-tmp"
  mv -f "$2.gametimes-tmp" "$2"
}

checksum() { sha256sum <"$1" | cut -c1-64; }
installed_as() { sed -n "s/^\([0-9a-f]*\)  $1\$/\1/p" "$state/manifest" 2>/dev/null | tail -n 1; }
remember() { # name; notes the file's checksum as installed by us
  { grep -v "  $1\$" "$state/manifest" 2>/dev/null || true; echo "$(checksum "$dir/$1")  $1"; } >"$state/manifest.tmp"
  mv -f "$state/manifest.tmp" "$state/manifest"
}
forget() { # name
  if [ ! -f "$state/manifest" ]; then return; fi
  grep -v "  $1\$" "$state/manifest" >"$state/manifest.tmp" || true
  mv -f "$state/manifest.tmp" "$state/manifest"
}

# Saves a copy of a file before its first change.
keep_copy() {
  copy=$state/before$(printf '%s' "$1" | tr '/' '_')
  if [ ! -e "$copy" ]; then mkdir -p "$state"; cp -p "$1" "$copy"; fi
}

# Rewrites a text file with a filter command. Mode and owner stay as they are.
edit() { # description file command...
  what=$1 file=$2
  shift 2
  new=$("$@" <"$file"; echo x)
  new=${new%x}
  old=$(cat "$file"; echo x)
  old=${old%x}
  # A missing newline at the end is not a difference.
  if [ "$new" = "$old" ] || [ "$new" = "$old
" ]; then return; fi
  if step "$what"; then
    keep_copy "$file"
    cp -p "$file" "$file.gametimes-tmp"
    printf '%s' "$new" >"$file.gametimes-tmp"
    mv -f "$file.gametimes-tmp" "$file"
  fi
}

# Adds our script to every line that sets lua_modules, or removes it.
edit_modules() { # add | remove
  awk -v action="$1" -v script="$SCRIPT" '
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
        match(rest, /^[^ \t\r;\/]*(\/[^ \t\r;\/]+)*/)
        value = substr(rest, 1, RLENGTH)
        rest = substr(rest, RLENGTH + 1)
      }
      count = split(value, words, /[ ,;]+/)
      list = ""; found = 0
      for (i = 1; i <= count; i++) {
        if (words[i] == script) { found = 1; if (action == "remove") continue }
        if (words[i] != "") list = list (list == "" ? "" : " ") words[i]
      }
      if (action == "add" && !found) { print front "\"" (value == "" ? "" : value " ") script "\"" rest; next }
      if (action == "remove" && found) { print front "\"" list "\"" rest; next }
    }
    { print }'
}

# Adds or removes our block at the beginning of the server's cfg; at its end it could come after the "map" command that
# starts the game. The block lists the homepath of every server that shares the cfg, and is removed with the last one.
edit_block() { # add | remove, 1 if lua_modules is set nowhere else
  awk -v action="$1" -v modules="$2" -v own="// for $home" -v first="$BEGIN" -v last="$END" -v script="$SCRIPT" '
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

# The file named by g_luaModuleList, which the game reads instead of lua_modules.
module_list() {
  name=$(configured g_luaModuleList)
  if [ -z "$name" ]; then return; fi
  for folder in "$dir" "$base/$game"; do
    if [ -f "$folder/$name" ]; then readlink -f "$folder/$name"; return; fi
  done
}
edit_list() { # add | remove
  awk -v action="$1" -v script="$SCRIPT" '
    { bare = $0; gsub(/[ \t\r]/, "", bare) }
    bare == script { if (action == "remove") next; found = 1 }
    { print }
    END { if (action == "add" && !found) print script }'
}

# ----------------------------------------------------------------------------------------------------------------------
# Installing and uninstalling

# Stops with an error if a path cannot be written. Called for all paths before the first change.
must_write() {
  if [ -e "$1" ]; then
    [ -w "$1" ] || die "cannot write $1; run this as the server's user. Nothing was changed."
    case $1 in */"$game") return ;; esac
  fi
  parent=$(dirname "$1")
  while [ ! -e "$parent" ]; do parent=$(dirname "$parent"); done
  [ -w "$parent" ] || die "cannot write in $parent; run this as the server's user. Nothing was changed."
}

install_module() {
  target=$dir/$MODULE
  if [ -f "$target" ] && ! is_ours "$target"; then
    if [ "$same_folder" = 1 ]; then
      say "note: fs_homepath and fs_basepath are the same folder; the stock game is kept there as $REAL"
    else
      say "note: $dir contains another game; it is kept as $REAL and gametimes_qagame is set to it"
    fi
    # Copy the stock game completely before the module takes its name.
    if [ -f "$dir/$REAL" ] && ! cmp -s "$target" "$dir/$REAL"; then
      if step "replace $dir/$REAL with the newer stock game"; then keep_copy "$dir/$REAL"; put "$target" "$dir/$REAL" 755; fi
    elif [ ! -f "$dir/$REAL" ]; then
      if step "copy the stock game to $dir/$REAL"; then put "$target" "$dir/$REAL" 755; fi
    fi
  fi
  if ! cmp -s "$module_source" "$target"; then
    if step "install $target"; then put "$module_source" "$target" 755; remember "$MODULE"; fi
  fi
}

install_script() {
  target=$dir/$SCRIPT
  if ! cmp -s "$script_source" "$target"; then
    if step "install $target"; then
      if [ -f "$target" ] && [ "$(installed_as "$SCRIPT")" != "$(checksum "$target")" ]; then keep_copy "$target"; fi
      mkdir -p "$dir/luascripts"
      put "$script_source" "$target" 644
      remember "$SCRIPT"
    fi
  fi
  on_line=$(running_cvar lua_modules)
  case " $on_line " in
    '  ' | *[\ ,\;]"$SCRIPT"[\ ,\;]*) ;;
    *) say "TO DO: the server is started with +set lua_modules \"$on_line\"; add $SCRIPT to it" ;;
  esac
  list=$(module_list)
  if [ -n "$list" ]; then
    edit "add $SCRIPT to $list" "$list" edit_list add
  fi
  config_files >"$files"
  while IFS= read -r file; do
    edit "add $SCRIPT to lua_modules in $file" "$file" edit_modules add
  done <"$files"
  if [ -n "$(configured lua_allowedModules)" ]; then
    say "TO DO: lua_allowedModules is set; add $(sha1sum <"$script_source" | cut -c1-40) to it"
  fi
}

# Sets gametimes_qagame to the game that was kept, unless it is already set.
edit_qagame() {
  awk -v path="$dir/$REAL" '/^set gametimes_qagame ""/ { print "set gametimes_qagame \"" path "\""; next } { print }'
}

install_cfg() {
  target=$dir/gametimes.cfg
  wanted=$cfg_source
  if [ "$with_module" = 1 ] && [ "$same_folder" = 0 ] && [ -f "$dir/$REAL" ]; then
    wanted=$files.cfg
    edit_qagame <"$cfg_source" >"$wanted"
  fi
  if [ ! -f "$target" ]; then
    if step "install $target"; then put "$wanted" "$target" 600; remember gametimes.cfg; fi
  elif ! cmp -s "$wanted" "$target"; then
    before=$(installed_as gametimes.cfg)
    if [ "$before" = "$(checksum "$target")" ]; then
      if step "update $target"; then put "$wanted" "$target" 600; remember gametimes.cfg; fi
    else
      if [ "$before" != "$(checksum "$wanted")" ] && ! cmp -s "$wanted" "$target.new"; then
        if step "save the settings of this version as $target.new, because $target was changed"; then put "$wanted" "$target.new" 600; fi
      fi
      if [ "$wanted" != "$cfg_source" ]; then
        edit "set gametimes_qagame in $target to $dir/$REAL" "$target" edit_qagame
      fi
    fi
  fi
  if [ -z "$cfg" ]; then
    say "TO DO: no etl_server.cfg or server.cfg found; add these lines to the cfg that the server executes:"
    say "    exec gametimes.cfg"
    if [ "$with_script" = 1 ]; then say "    set lua_modules \"... $SCRIPT\""; fi
    return
  fi
  set_modules=0
  if [ "$with_script" = 1 ] && [ -z "$(sets_modules)" ] && [ -z "$(module_list)" ] && [ -z "$(running_cvar lua_modules)" ]; then
    set_modules=1
  fi
  edit "add \"exec gametimes.cfg\" to $cfg" "$cfg" edit_block add "$set_modules"
}

# A running server keeps the module loaded, even if the file is gone, and opens the stock game again at every map.
remove_real() {
  if [ -z "$servers" ]; then rm -f "$dir/$REAL"
  else say "kept: $dir/$REAL, because the running server still uses it; restart the server, then run this again"; fi
}

uninstall() {
  target=$dir/$MODULE
  if is_ours "$target"; then
    if [ -f "$dir/$REAL" ]; then
      if step "restore the game: copy $dir/$REAL to $target"; then
        put "$dir/$REAL" "$target" 755
        forget "$MODULE"
        remove_real
      fi
    elif [ "$same_folder" = 1 ]; then
      die "$dir/$REAL is missing; without it the server would have no game. Restore the stock game to $target by hand first."
    else
      if step "remove $target"; then rm -f "$target"; forget "$MODULE"; fi
    fi
  elif [ -f "$dir/$REAL" ] && [ -f "$target" ]; then
    if [ -n "$servers" ]; then remove_real
    elif step "remove $dir/$REAL, which is no longer used"; then keep_copy "$dir/$REAL"; remove_real; fi
  fi
  if [ -n "$cfg" ]; then edit "remove \"exec gametimes.cfg\" from $cfg" "$cfg" edit_block remove 0; fi
  config_files >"$files"
  while IFS= read -r file; do
    # A cfg outside of the home folder is still needed while our block lists another server.
    case $file in "$home"/*) ;; *) if [ -n "$cfg" ] && grep -qF "$BEGIN" "$cfg"; then continue; fi ;; esac
    edit "remove $SCRIPT from lua_modules in $file" "$file" edit_modules remove
  done <"$files"
  list=$(module_list)
  if [ -n "$list" ]; then edit "remove $SCRIPT from $list" "$list" edit_list remove; fi
  if [ -f "$dir/$SCRIPT" ]; then
    if step "remove $dir/$SCRIPT"; then rm -f "$dir/$SCRIPT"; forget "$SCRIPT"; rmdir "$dir/luascripts" 2>/dev/null || true; fi
  fi
  if [ -f "$dir/gametimes.cfg" ]; then
    if [ "$(installed_as gametimes.cfg)" = "$(checksum "$dir/gametimes.cfg")" ]; then
      if step "remove $dir/gametimes.cfg"; then rm -f "$dir/gametimes.cfg" "$dir/gametimes.cfg.new"; forget gametimes.cfg; fi
    else
      say "kept: $dir/gametimes.cfg, because it was changed"
    fi
  fi
  if [ -d "$dir/gametimes" ]; then say "kept: the recorded rounds in $dir/gametimes"; fi
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
  elif ! is_ours "$dir/$MODULE"; then
    bad "module: $dir/$MODULE is missing or not from gametimes"
  elif ! cmp -s "$module_source" "$dir/$MODULE"; then
    bad "module: $dir/$MODULE is another version than in this package"
  else
    good "module: $dir/$MODULE"
  fi
  if is_ours "$dir/$MODULE"; then
    if [ -f "$base/$game/$MODULE" ] && ! is_ours "$base/$game/$MODULE"; then good "stock game: $base/$game/$MODULE"
    elif [ -f "$dir/$REAL" ] && ! is_ours "$dir/$REAL"; then good "stock game: $dir/$REAL"
    else bad "stock game: found neither at $base/$game/$MODULE nor at $dir/$REAL; the server cannot start"; fi
  fi
  if [ "$with_script" = 1 ]; then
    if cmp -s "$script_source" "$dir/$SCRIPT"; then good "script: $dir/$SCRIPT"; else bad "script: $dir/$SCRIPT is missing or another version"; fi
    list=$(module_list)
    if [ -n "$list" ]; then
      if grep -qF "$SCRIPT" "$list"; then good "g_luaModuleList $list contains $SCRIPT"; else bad "g_luaModuleList $list does not contain $SCRIPT"; fi
    fi
    sets_modules >"$files"
    if [ -n "$cfg" ] && grep -q "^set lua_modules \"$SCRIPT\"" "$cfg"; then printf '%s\n' "$cfg" >>"$files"; fi
    if [ ! -s "$files" ] && [ -z "$list" ]; then bad "no cfg sets lua_modules; add: set lua_modules \"$SCRIPT\""; fi
    while IFS= read -r file; do
      if grep -qi "lua_modules.*$SCRIPT" "$file"; then good "lua_modules in $file contains $SCRIPT"; else bad "lua_modules in $file does not contain $SCRIPT"; fi
    done <"$files"
    command -v curl >/dev/null || note "curl is not installed; the script writes files but sends no messages"
  fi
  if [ -f "$dir/gametimes.cfg" ]; then good "settings: $dir/gametimes.cfg"; else bad "settings: $dir/gametimes.cfg is missing"; fi
  if [ -z "$cfg" ]; then note "no etl_server.cfg or server.cfg found; use --cfg to check whether gametimes.cfg is executed"
  elif grep -q '^[[:blank:]]*exec[[:blank:]]\{1,\}"\{0,1\}gametimes\.cfg' "$cfg"; then good "$cfg executes gametimes.cfg"
  else bad "$cfg does not execute gametimes.cfg"; fi
  if [ -w "$dir" ]; then good "$dir is writable"; else bad "$dir is not writable for $(id -un)"; fi
  urls=$(configured gametimes_webhook_file)
  if [ -n "$urls" ]; then
    case $urls in /*) ;; *) urls=$dir/$urls ;; esac
    if [ ! -f "$urls" ]; then bad "gametimes_webhook_file: $urls is missing"
    elif [ -n "$(find "$urls" -maxdepth 0 -perm /044)" ]; then bad "gametimes_webhook_file: other users can read $urls; run chmod 600 on it"
    else good "webhook file: $urls"; fi
  elif [ -z "$(configured gametimes_webhook_url)" ]; then
    note "no webhook is set; rounds are saved but not posted (set gametimes_webhook_file in $dir/gametimes.cfg)"
  fi
}

# ----------------------------------------------------------------------------------------------------------------------

say "server: basepath $base, homepath $home, game $game"
files=$(mktemp)
trap 'rm -f "$files" "$files.cfg"' EXIT
trap 'exit 1' INT TERM HUP

case $mode in
  check)
    check
    case $problems in
      0) say "all is well" ;;
      1) say "1 problem found"; exit 1 ;;
      *) say "$problems problems found"; exit 1 ;;
    esac ;;
  uninstall)
    for path in "$dir/$MODULE" "$dir/$SCRIPT" "$dir/gametimes.cfg" "$cfg"; do [ -z "$path" ] || must_write "$path"; done
    uninstall
    if [ "$changes" = 0 ]; then say "nothing to do"
    elif ! dry && [ -n "$servers" ]; then say "done; restart the server to complete the removal"; fi ;;
  *)
    [ -n "$cfg_source" ] || die "gametimes.cfg is missing next to install.sh; unpack the whole package"
    if [ "$with_script" = 1 ] && [ -z "$script_source" ]; then die "gametimes.lua is missing next to install.sh; unpack the whole package"; fi
    if [ "$with_module" = 1 ]; then
      problem=$(module_problem)
      if [ -n "$problem" ]; then
        [ "$with_script" = 1 ] || die "nothing can record: $problem, and --no-script leaves out the script"
        say "note: the module is not installed: $problem. The script records instead."
        with_module=0
      fi
    fi
    for path in "$dir" "$dir/$MODULE" "$dir/$SCRIPT" "$dir/gametimes.cfg" "$cfg"; do [ -z "$path" ] || must_write "$path"; done
    if [ "$with_script" = 1 ]; then sets_modules | while IFS= read -r file; do must_write "$file"; done; fi
    dry || mkdir -p "$state"
    # The line that activates everything is added last.
    if [ "$with_script" = 1 ]; then install_script; fi
    if [ "$with_module" = 1 ]; then install_module; fi
    install_cfg
    if [ "$changes" = 0 ]; then say "nothing to do"; elif ! dry; then
      say "done; set a webhook in $dir/gametimes.cfg, then restart the server"
    fi ;;
esac
