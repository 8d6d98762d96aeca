/* The boundary between the engine and the stock game: all C code of the module.
 *
 * A call of the engine takes these steps:
 *   1. engine -> vmMain (src/ffi.rs), which jumps to the stock game if the module does not need the call, else to
 *      gametimes_shim_vm_main or gametimes_shim_think
 *   2. for the commands that the module needs: into Rust and back (gametimes_before_call)
 *   3. on to the stock game's vmMain, with all arguments unchanged
 *   4. the game's traps arrive at gametimes_gate (src/ffi.rs), which jumps to the engine if the module does not need the trap,
 *      else to gametimes_shim_trap: into Rust and back, on to the engine, into Rust and back
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
typedef intptr_t (*think_fn)(int32_t command, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

enum { GAME_INIT = 0, GAME_SHUTDOWN = 1, GAME_CLIENT_THINK = 7, G_ERROR = 1, ARGUMENTS_END = -1337 };
enum { TRAP_ARGUMENTS = 15, SLOTS = 64 };

/* Other files of this library may name it, other libraries not: the jumps of src/ffi.rs need the address. */
#define INTERNAL __attribute__((visibility("hidden")))

static intptr_t no_game(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3, intptr_t a4, intptr_t a5, intptr_t a6,
                        intptr_t a7, intptr_t a8, intptr_t a9, intptr_t a10, intptr_t a11, intptr_t a12, intptr_t a13,
                        intptr_t a14, intptr_t a15)
{
    (void)command, (void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7;
    (void)a8, (void)a9, (void)a10, (void)a11, (void)a12, (void)a13, (void)a14, (void)a15;
    return 0;
}

/* The engine's traps, and the stock game's vmMain: where everything is passed on to. */
INTERNAL trap_fn gametimes_shim_engine;
INTERNAL vm_main_fn gametimes_shim_game = no_game;
#define engine gametimes_shim_engine
#define game gametimes_shim_game

/* How many calls are inside the game now, except calls that the module does not need. The engine re-enters vmMain from inside
 * traps. */
static int32_t depth;
/* The slots, one bit for each, whose CLIENT_THINK has to be reported when it returns: those of players whom it may change without
 * a trap that the module needs. All slots, as soon as Rust has seen anything in a call that has not returned. */
static uint64_t watched;
#define ALL_SLOTS UINT64_MAX

static inline int listens(uint32_t mask, intptr_t number)
{
    return (uintptr_t)number < 32 && ((mask >> number) & 1u);
}

/* Receives the traps that the module needs. The engine reads up to 15 arguments, or up to the sentinel that newer games add. Only
 * the engine knows how many there are, so all 15 are passed on unchanged. */
INTERNAL intptr_t gametimes_shim_trap(intptr_t trap, ...)
{
    intptr_t a[TRAP_ARGUMENTS];
    va_list args;
    va_start(args, trap);
    for (int i = 0; i < TRAP_ARGUMENTS; i++)
        a[i] = va_arg(args, intptr_t);
    va_end(args);

    watched = ALL_SLOTS;
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
    ((dll_entry_fn)(intptr_t)opened.dll_entry)((trap_fn)gametimes_gate);
}

/* The module's dllEntry. No trap can be called yet: to the engine, this is not the current module yet. */
INTERNAL void gametimes_shim_dll_entry(trap_fn syscall)
{
    engine = syscall;
    game = no_game;
    depth = 0;
    watched = 0;
    gametimes_bind((void *)(intptr_t)syscall);
}

/* A call has returned from the game. */
static void returned(int32_t command, const intptr_t *a, intptr_t result)
{
    uint64_t waiting = gametimes_after_call(command, a, result, depth);
    watched = depth > 0 ? ALL_SLOTS : waiting;
}

__attribute__((noinline)) static void after_think(intptr_t slot, intptr_t result)
{
    const intptr_t a[GAMETIMES_CALL_ARGUMENTS] = { slot };
    returned(GAME_CLIENT_THINK, a, result);
}

/* vmMain for CLIENT_THINK, which has one argument, and of which the engine makes one or more a frame for every player. The
 * arguments in registers are passed on, the others are not copied. */
INTERNAL intptr_t gametimes_shim_think(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3, intptr_t a4)
{
    depth++;
    intptr_t result = ((think_fn)(void (*)(void))game)(command, a0, a1, a2, a3, a4);
    depth--;
    if ((watched >> (a0 & (SLOTS - 1))) & 1u)
        after_think(a0, result);
    return result;
}

/* vmMain for the other calls that the module needs. */
INTERNAL intptr_t gametimes_shim_vm_main(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3, intptr_t a4,
                                         intptr_t a5, intptr_t a6, intptr_t a7, intptr_t a8, intptr_t a9, intptr_t a10,
                                         intptr_t a11, intptr_t a12, intptr_t a13, intptr_t a14, intptr_t a15)
{
    const intptr_t a[GAMETIMES_CALL_ARGUMENTS] = { a0, a1, a2, a3, a4 };

    if (command == GAME_INIT)
        open_game();
    if (game == no_game)
        return 0; /* the shutdown that follows a failed start */
    if (listens(GAMETIMES_CALLS_BEFORE, command) && gametimes_before_call(command, a, depth))
        return 1; /* a console command of the module */

    depth++;
    intptr_t result = game(command, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15);
    depth--;

    returned(command, a, result);
    if (command == GAME_SHUTDOWN) {
        game = no_game;
        gametimes_close_game(depth);
    }
    return result;
}
