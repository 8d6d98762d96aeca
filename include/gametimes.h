/* What the shim (ffi/shim.c) can call in Rust. Written by cbindgen from src/ffi.rs; do not edit. */

#ifndef GAMETIMES_H
#define GAMETIMES_H

#include <stdint.h>

/**
 * Calls that Rust sees before the game does, one bit for each number: INIT, SHUTDOWN, CLIENT_DISCONNECT,
 * RUN_FRAME, CONSOLE_COMMAND.
 */
#define GAMETIMES_CALLS_BEFORE 803

/**
 * Traps that Rust sees before the engine does: PRINT, ERROR, CVAR_SET, SEND_CONSOLE_COMMAND,
 * LOCATE_GAME_DATA, SET_CONFIGSTRING.
 */
#define GAMETIMES_TRAPS_BEFORE 1245219

/**
 * Traps that Rust sees after the engine: FS_FOPEN, FS_FCLOSE, SEND_CONSOLE_COMMAND.
 */
#define GAMETIMES_TRAPS_AFTER 100352

/**
 * How many arguments of a call Rust sees.
 */
#define GAMETIMES_CALL_ARGUMENTS 5

/**
 * The stock game, as the shim needs it. If the game could not be opened, `vm_main` is null and `error` contains the reason.
 */
typedef struct {
  /**
   * The address of the game's `dllEntry`.
   */
  void *dll_entry;
  /**
   * The address of the game's `vmMain`.
   */
  void *vm_main;
  /**
   * The text of the error to raise.
   */
  const char *error;
} GametimesGame;

/**
 * Called by `dllEntry` with the engine's traps, of which none can be called yet.
 *
 * # Safety
 * `syscall` is the engine's, or null, in which case the module never does anything.
 */
void gametimes_bind(void *syscall);

/**
 * Opens the stock game for a new map.
 */
GametimesGame gametimes_open_game(void);

/**
 * Closes the stock game after its shutdown. If calls of it are still on the stack, as after a shutdown from inside a trap,
 * it stays open until the next map.
 */
void gametimes_close_game(int32_t depth);

/**
 * Called before a call reaches the game. `depth` is the number of calls that are inside the game already. Returns non-zero for
 * a console command of the module, which the game must not see.
 *
 * # Safety
 * `arguments` points to the first [`GAMETIMES_CALL_ARGUMENTS`].
 */
int32_t gametimes_before_call(int32_t command,
                              const intptr_t *arguments,
                              int32_t depth);

/**
 * Called after a call has returned from the game. `depth` is the number of calls that are still inside the game. Returns the
 * slots, one bit for each, of which every CLIENT_THINK must be reported; others only if a trap was seen in it.
 *
 * # Safety
 * `arguments` points to the first [`GAMETIMES_CALL_ARGUMENTS`].
 */
uint64_t gametimes_after_call(int32_t command,
                              const intptr_t *arguments,
                              intptr_t result,
                              int32_t depth);

/**
 * Called before a trap reaches the engine.
 *
 * # Safety
 * `arguments` points to 15 arguments, and what they point to is what the trap of this number takes.
 */
void gametimes_before_trap(intptr_t number, const intptr_t *arguments);

/**
 * Called after a trap has returned from the engine.
 *
 * # Safety
 * As for [`gametimes_before_trap`].
 */
void gametimes_after_trap(intptr_t number, const intptr_t *arguments);

/**
 * The game's way to the engine. A server with 44 players makes 3,000 traps a frame, nearly all of which the module does not
 * need: those are a comparison and a jump, with all registers and the stack as the game left them. Only r10 and r11 are free,
 * because a variadic function gets a number in al.
 *
 * # Safety
 * Called by the game, as its `syscall`.
 */
void gametimes_gate(void);

#endif  /* GAMETIMES_H */
