/* The stand-in for the stock game. In every call it does what the stand-in engine tells it.
 *
 * It asks for its next step with a trap that no engine has (STEP). A step is a trap through the `syscall` it was given,
 * which is the module's gate; a write into the records of its clients; or the return from the call.
 *
 * For measurements it can also play a fight without steps (FIGHT, see fight.c), or make one trap many times (TRAPS). */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "game.h"

enum { STEP = 4711, FIGHT = 4712, TRAPS = 4713 };
enum { MAKE_TRAP = 0, LOCATE = 1, WRITE = 2, RETURN = 3 };

struct field {
    int64_t offset;
    int64_t value;
};

struct step {
    int64_t kind;
    intptr_t number;        /* MAKE_TRAP: the trap. LOCATE: how many entities. WRITE: the slot. RETURN: the value */
    intptr_t arguments[15]; /* MAKE_TRAP: the trap's. LOCATE: sizes of an entity and a client. WRITE: fields, their number */
};

intptr_t (*game_syscall)(intptr_t trap, ...);
uint8_t *game_clients;
intptr_t game_client_size;
static uint8_t *entities;

__attribute__((visibility("default"))) void dllEntry(intptr_t (*engine)(intptr_t, ...))
{
    game_syscall = engine;
}

__attribute__((destructor)) static void unload(void)
{
    free(game_clients);
    free(entities);
}

__attribute__((visibility("default"))) intptr_t vmMain(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3,
                                                      intptr_t a4, intptr_t a5, intptr_t a6)
{
    (void)a5, (void)a6;
    if (command == FIGHT) {
        fight_start((const struct fight *)a0);
        return 0;
    }
    if (command == TRAPS) {
        for (intptr_t i = 0; i < a1; i++)
            game_syscall(a0, (intptr_t)ARGUMENTS_END);
        return 0;
    }
    if (fight_is_running()) {
        fight_call(command, a0);
        return 0;
    }
    for (;;) {
        struct step s;
        memset(&s, 0, sizeof s);
        /* By a pointer: an argument can be equal to the sentinel. */
        const intptr_t call[] = { command, a0, a1, a2, a3, a4 };
        game_syscall(STEP, (intptr_t)&s, (intptr_t)call, (intptr_t)ARGUMENTS_END);
        const intptr_t *a = s.arguments;
        switch (s.kind) {
        case MAKE_TRAP:
            game_syscall(s.number, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14]);
            break;
        case LOCATE:
            if (!game_clients) {
                game_client_size = a[1];
                game_clients = calloc(64, (size_t)game_client_size);
                entities = calloc(1024, (size_t)a[0]);
            }
            game_syscall(LOCATE_GAME_DATA, (intptr_t)entities, s.number, a[0], (intptr_t)game_clients, a[1], (intptr_t)ARGUMENTS_END);
            break;
        case WRITE:
            for (intptr_t i = 0; game_clients && i < a[1]; i++) {
                const struct field *f = (const struct field *)a[0] + i;
                int32_t value = (int32_t)f->value;
                memcpy(game_clients + s.number * game_client_size + f->offset, &value, sizeof value);
            }
            break;
        default:
            return s.number;
        }
    }
}
