/* The stand-in for the stock game: does on every call what the stand-in engine has it do.
 *
 * It asks for its next step with a trap that no engine has (STEP) and carries it out: makes a trap of the game through the
 * `syscall` it was given, which is the module's gate; writes into the records of its clients; or returns. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 4711, LOCATE_GAME_DATA = 17, ARGUMENTS_END = -1337 };
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

static intptr_t (*syscall_)(intptr_t trap, ...);
static uint8_t *clients, *entities;
static intptr_t client_size;

__attribute__((visibility("default"))) void dllEntry(intptr_t (*engine)(intptr_t, ...))
{
    syscall_ = engine;
}

__attribute__((destructor)) static void unload(void)
{
    free(clients);
    free(entities);
}

__attribute__((visibility("default"))) intptr_t vmMain(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3,
                                                      intptr_t a4, intptr_t a5, intptr_t a6)
{
    (void)a5, (void)a6;
    for (;;) {
        struct step s;
        memset(&s, 0, sizeof s);
        syscall_(STEP, (intptr_t)&s, (intptr_t)command, a0, a1, a2, a3, a4, (intptr_t)ARGUMENTS_END);
        const intptr_t *a = s.arguments;
        switch (s.kind) {
        case MAKE_TRAP:
            syscall_(s.number, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14]);
            break;
        case LOCATE:
            if (!clients) {
                client_size = a[1];
                clients = calloc(64, (size_t)client_size);
                entities = calloc(1024, (size_t)a[0]);
            }
            syscall_(LOCATE_GAME_DATA, (intptr_t)entities, s.number, a[0], (intptr_t)clients, a[1], (intptr_t)ARGUMENTS_END);
            break;
        case WRITE:
            for (intptr_t i = 0; clients && i < a[1]; i++) {
                const struct field *f = (const struct field *)a[0] + i;
                int32_t value = (int32_t)f->value;
                memcpy(clients + s.number * client_size + f->offset, &value, sizeof value);
            }
            break;
        default:
            return s.number;
        }
    }
}
