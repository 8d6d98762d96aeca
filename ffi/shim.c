/* The boundary between the engine and the stock game: all C code of the module.
 *
 * A call of the engine takes these steps:
 *   1. engine -> vmMain (a naked jump in src/ffi.rs) -> gametimes_shim_vm_main
 *   2. for the commands that the module needs: into Rust and back (gametimes_before_call)
 *   3. on to the stock game's vmMain, with all arguments unchanged
 *   4. the game's traps pass through gate: into Rust and back, on to the engine, into Rust and back
 *   5. into Rust and back (gametimes_after_call), and back to the engine
 *
 * Why C: any trap may raise the game's error, which re-enters vmMain and then longjmps over every frame on the stack. Frames
 * that are left this way must own nothing. So while a call is forwarded, only frames of this file, of the game and of the
 * engine are on the stack, never one of Rust. */

#include <stdarg.h>
#include <stdint.h>

#include "gametimes.h"

typedef intptr_t (*trap_fn)(intptr_t trap, ...);
typedef void (*dll_entry_fn)(trap_fn engine);
typedef intptr_t (*vm_main_fn)(int32_t command, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t,
                               intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

enum { GAME_INIT = 0, GAME_SHUTDOWN = 1, G_ERROR = 1, ARGUMENTS_END = -1337 };
enum { TRAP_ARGUMENTS = 15, CALL_ARGUMENTS = 16 };

static trap_fn engine;
static vm_main_fn game;
/* How many calls are inside the game now. The engine re-enters vmMain from inside traps. */
static int32_t depth;

static inline int listens(uint32_t mask, intptr_t number)
{
    return (uintptr_t)number < 32 && ((mask >> number) & 1u);
}

/* Receives every trap of the game. The engine reads up to 15 arguments, or up to the sentinel that newer games add. Only the
 * engine knows how many there are, so all 15 are passed on unchanged. */
static intptr_t gate(intptr_t trap, ...)
{
    intptr_t a[TRAP_ARGUMENTS];
    va_list args;
    va_start(args, trap);
    for (int i = 0; i < TRAP_ARGUMENTS; i++)
        a[i] = va_arg(args, intptr_t);
    va_end(args);

    if (listens(GAMETIMES_TRAPS_BEFORE, trap))
        gametimes_before_trap(trap, a);
    intptr_t result = engine(trap, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14]);
    if (listens(GAMETIMES_TRAPS_AFTER, trap))
        gametimes_after_trap(trap, a);
    return result;
}

/* Opens the stock game, or raises an error, which does not return. */
static void open_game(void)
{
    GametimesGame opened = gametimes_open_game();
    if (!opened.vm_main) {
        engine(G_ERROR, (intptr_t)opened.error, (intptr_t)ARGUMENTS_END);
        return;
    }
    game = (vm_main_fn)(intptr_t)opened.vm_main;
    ((dll_entry_fn)(intptr_t)opened.dll_entry)(gate);
}

/* The module's dllEntry. No trap can be called yet: to the engine, this is not the current module yet. */
void gametimes_shim_dll_entry(trap_fn syscall)
{
    engine = syscall;
    game = 0;
    depth = 0;
    gametimes_bind((void *)(intptr_t)syscall);
}

/* The module's vmMain. */
intptr_t gametimes_shim_vm_main(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3, intptr_t a4, intptr_t a5,
                                intptr_t a6, intptr_t a7, intptr_t a8, intptr_t a9, intptr_t a10, intptr_t a11, intptr_t a12,
                                intptr_t a13, intptr_t a14, intptr_t a15)
{
    if (game && !listens(GAMETIMES_CALLS_BEFORE | GAMETIMES_CALLS_AFTER, command)) {
        depth++;
        intptr_t result = game(command, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15);
        depth--;
        return result;
    }

    const intptr_t a[CALL_ARGUMENTS] = { a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15 };

    if (command == GAME_INIT)
        open_game();
    if (!game)
        return 0; /* the shutdown that follows a failed start */
    if (listens(GAMETIMES_CALLS_BEFORE, command) && gametimes_before_call(command, a, depth))
        return 1; /* a console command of the module */

    depth++;
    intptr_t result = game(command, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15);
    depth--;

    if (listens(GAMETIMES_CALLS_AFTER, command))
        gametimes_after_call(command, a, result, depth);
    if (command == GAME_SHUTDOWN) {
        game = 0;
        gametimes_close_game(depth);
    }
    return result;
}
