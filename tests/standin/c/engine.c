/* The C half of the stand-in engine: variadic traps and longjmp, which Rust does not have. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

enum { GAME_SHUTDOWN = 1, GAME_CLIENT_DISCONNECT = 5, G_ERROR = 1, CVAR_STRING = 7, ARGUMENTS_END = -1337, ARGUMENTS = 16 };
enum { G_SEND_CONSOLE_COMMAND = 16, EXEC_NOW = 0, G_DROP_CLIENT = 18, G_GET_CONFIGSTRING = 21, MAX_CONFIGSTRINGS = 1024 };
/* A trap that no engine has: raises a signal. */
enum { RAISE = 4710 };

typedef intptr_t (*vm_main_fn)(int32_t command, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t,
                               intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

/* In Rust: carries out a trap. Never leaves through longjmp. */
extern intptr_t standin_trap(const intptr_t *arguments);

static _Thread_local vm_main_fn vm_main;
static _Thread_local jmp_buf top;
static _Thread_local int depth;
/* For measurements: traps are counted and answered with 0 at once, and every cvar is "20". */
static _Thread_local int quiet;
static _Thread_local uint64_t quiet_traps;

void standin_set_quiet(int on)
{
    quiet = on;
}

uint64_t standin_quiet_traps(void)
{
    return quiet_traps;
}

static intptr_t enter(int32_t command, const intptr_t *a)
{
    return vm_main(command, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]);
}

/* The game's `syscall`. Like the engine, it reads up to the sentinel, at most 15 arguments. */
intptr_t standin_syscall(intptr_t trap, ...)
{
    static const intptr_t none[ARGUMENTS];
    if (quiet) {
        quiet_traps++;
        if (trap == CVAR_STRING) {
            va_list args;
            va_start(args, trap);
            (void)va_arg(args, const char *);
            strcpy(va_arg(args, char *), "20");
            va_end(args);
        }
        return 0;
    }
    intptr_t a[ARGUMENTS] = { trap };
    va_list args;
    va_start(args, trap);
    for (int i = 1; i < ARGUMENTS; i++) {
        a[i] = va_arg(args, intptr_t);
        if ((int32_t)a[i] == ARGUMENTS_END) {
            a[i] = 0;
            break;
        }
    }
    va_end(args);
    intptr_t result = standin_trap(a);
    if (trap == RAISE)
        raise((int)a[1]);
    if (trap == G_SEND_CONSOLE_COMMAND && a[1] == EXEC_NOW && a[2] && strcmp((const char *)a[2], "quit\n") == 0)
        enter(GAME_SHUTDOWN, none);
    if (trap == G_ERROR || (trap == G_GET_CONFIGSTRING && (a[1] < 0 || a[1] >= MAX_CONFIGSTRINGS))) {
        /* The game's error, or the engine's: it shuts the game down from inside the trap, and jumps over every frame on the
         * stack. */
        enter(GAME_SHUTDOWN, none);
        depth = 0;
        longjmp(top, 1);
    }
    if (trap == G_DROP_CLIENT) {
        intptr_t slot[ARGUMENTS] = { a[1] };
        enter(GAME_CLIENT_DISCONNECT, slot);
    }
    return result;
}

/* Calls the game. Returns 0 and its result, or 1 if it raised its error and is shut down. */
int standin_call(vm_main_fn entry, int32_t command, const intptr_t *arguments, intptr_t *result)
{
    vm_main = entry;
    if (depth == 0 && setjmp(top))
        return 1;
    depth++;
    *result = enter(command, arguments);
    depth--;
    return 0;
}
