/* What the shim (ffi/shim.c) can call in Rust. Written by cbindgen from src/ffi.rs; do not edit. */

#ifndef GAMETIMES_H
#define GAMETIMES_H

#include <stdint.h>

/**
 * Calls that Rust sees before the game does, a bit for each number: INIT, SHUTDOWN, CLIENT_DISCONNECT, RUN_FRAME,
 * CONSOLE_COMMAND.
 */
#define GAMETIMES_CALLS_BEFORE 803

/**
 * Calls that Rust sees after the game: INIT, SHUTDOWN, CLIENT_CONNECT, CLIENT_BEGIN, CLIENT_USERINFO_CHANGED,
 * CLIENT_COMMAND, CLIENT_THINK, RUN_FRAME, CONSOLE_COMMAND.
 */
#define GAMETIMES_CALLS_AFTER 991

/**
 * Traps that Rust sees before the engine does: PRINT, ERROR, CVAR_SET, LOCATE_GAME_DATA, SET_CONFIGSTRING.
 */
#define GAMETIMES_TRAPS_BEFORE 1179683

/**
 * Traps that Rust sees after the engine: FS_FOPEN, FS_FCLOSE.
 */
#define GAMETIMES_TRAPS_AFTER 34816

/**
 * The stock game, as the shim needs it. `vm_main` is null when it could not be opened; then `error` says why.
 */
typedef struct {
  /**
   * The game's `dllEntry`.
   */
  void *dll_entry;
  /**
   * The game's `vmMain`.
   */
  void *vm_main;
  /**
   * A line for the game's error.
   */
  const char *error;
} GametimesGame;

/**
 * `dllEntry`: the engine's traps. None may be called yet.
 *
 * # Safety
 * `syscall` is the engine's, or null (then nothing is ever done).
 */
void gametimes_bind(void *syscall);

/**
 * Opens the stock game for a new map.
 */
GametimesGame gametimes_open_game(void);

/**
 * Closes the stock game after its shutdown, unless calls of it are still on the stack (a shutdown from inside a trap):
 * then it stays until the next map.
 */
void gametimes_close_game(int32_t depth);

/**
 * Before a call reaches the game. Non-zero: it was ours, the game does not get it.
 *
 * # Safety
 * `arguments` points to 16 arguments.
 */
int32_t gametimes_before_call(int32_t command, const intptr_t *arguments);

/**
 * After a call has come back from the game. `depth`: how many calls are still inside the game.
 *
 * # Safety
 * `arguments` points to 16 arguments.
 */
void gametimes_after_call(int32_t command,
                          const intptr_t *arguments,
                          intptr_t result,
                          int32_t depth);

/**
 * Before a trap reaches the engine.
 *
 * # Safety
 * `arguments` points to 15 arguments, and what they point to is what the trap of this number takes.
 */
void gametimes_before_trap(intptr_t number, const intptr_t *arguments);

/**
 * After a trap has come back from the engine.
 *
 * # Safety
 * As for [`gametimes_before_trap`].
 */
void gametimes_after_trap(intptr_t number, const intptr_t *arguments);

#endif  /* GAMETIMES_H */
