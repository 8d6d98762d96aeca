/* The stand-in for the stock game. In every call it does what the stand-in engine tells it.
 *
 * It asks for its next step with a trap that no engine has (STEP). A step is a trap through the `syscall` it was given,
 * which is the module's gate; a write into the records of its clients; or the return from the call.
 *
 * For measurements it can also play a fight without steps (FIGHT), which needs no memory, or make one trap many times
 * (TRAPS). */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GAME_RUN_FRAME = 8, FIGHT = 4712, TRAPS = 4713, PRINT = 0 };
enum { CVAR_SET = 5, STEP = 4711, LOCATE_GAME_DATA = 17, SET_CONFIGSTRING = 20, INTERMISSION = 12, ARGUMENTS_END = -1337 };
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

/* The number of players in the fight; 0 without one. In every fourth frame one of them dies, and spawns 100 frames later, or before
 * it is that player's turn again, as an engineer or a medic. In some frames the game prints something about an objective, and the
 * map's script changes the interval of the waves. The round ends in frame `last_frame`. */
static int32_t fighters, fought, last_frame, spawn_count[64], deaths[64];
static char kill_text[80], repair_text[80];

static void put(int32_t slot, int32_t offset, int32_t value)
{
    memcpy(clients + slot * client_size + offset, &value, sizeof value);
}

static char *decimal(char *to, int32_t value)
{
    if (value >= 10)
        to = decimal(to, value / 10);
    *to = (char)('0' + value % 10);
    return to + 1;
}

static void print(const char *text)
{
    syscall_(PRINT, (intptr_t)text, (intptr_t)ARGUMENTS_END);
}

static void fight(void)
{
    enum { PM_FLAGS = 12, CLASS = 208 + 16, SPAWN_COUNT = 272 + 16, DEATHS = 272 + 24, LIMBO = 16384, WAVE_FRAMES = 100, DEATH_EVERY = 4 };
    enum { OBJECTIVE_EVERY = 100, INTERVAL_EVERY = 500 };
    if (fought % DEATH_EVERY == 0) {
        int32_t victim = fought / DEATH_EVERY % fighters, killer = (victim + 1) % fighters;
        char *p = kill_text;
        memcpy(p, "Kill: ", 6);
        p = decimal(p + 6, killer);
        *p++ = ' ';
        p = decimal(p, victim);
        strcpy(p, " 9: one killed another by MOD_THOMPSON\n");
        print(kill_text);
        put(victim, PM_FLAGS, LIMBO);
        put(victim, DEATHS, ++deaths[victim]);
        int32_t wave = 2 * fighters < WAVE_FRAMES ? 2 * fighters : WAVE_FRAMES;
        if (fought >= wave) {
            int32_t slot = (fought - wave) / DEATH_EVERY % fighters;
            put(slot, PM_FLAGS, 0);
            put(slot, SPAWN_COUNT, ++spawn_count[slot] + 1);
            put(slot, CLASS, 1 + spawn_count[slot] % 2);
        }
    }
    if (fought % OBJECTIVE_EVERY == 1) {
        /* Now and then of a player who cannot do this. */
        char *p = repair_text;
        memcpy(p, "Repair: ", 8);
        p = decimal(p + 8, fought / OBJECTIVE_EVERY % fighters);
        strcpy(p, "\n");
        print(repair_text);
        print("legacy popup: ^7axis^7 planted \"the Gun\"\n");
        print("legacy announce: \"^7The Gun is gone\"\n");
    }
    if (fought % INTERVAL_EVERY == 2)
        syscall_(CVAR_SET, (intptr_t)"g_redlimbotime", (intptr_t)(fought / INTERVAL_EVERY % 2 ? "20000" : "30000"), (intptr_t)ARGUMENTS_END);
    if (++fought == last_frame) {
        print("Exit: Wolf EndRound.\n");
        syscall_(SET_CONFIGSTRING, (intptr_t)INTERMISSION, (intptr_t)"1", (intptr_t)ARGUMENTS_END);
    }
}

__attribute__((visibility("default"))) intptr_t vmMain(int32_t command, intptr_t a0, intptr_t a1, intptr_t a2, intptr_t a3,
                                                      intptr_t a4, intptr_t a5, intptr_t a6)
{
    (void)a5, (void)a6;
    if (command == FIGHT) {
        fighters = (int32_t)a0;
        last_frame = (int32_t)a1;
        return 0;
    }
    if (command == TRAPS) {
        for (intptr_t i = 0; i < a1; i++)
            syscall_(a0, (intptr_t)ARGUMENTS_END);
        return 0;
    }
    if (fighters > 0 && clients) {
        if (command == GAME_RUN_FRAME)
            fight();
        return 0;
    }
    for (;;) {
        struct step s;
        memset(&s, 0, sizeof s);
        /* By a pointer: an argument can be equal to the sentinel. */
        const intptr_t call[] = { command, a0, a1, a2, a3, a4 };
        syscall_(STEP, (intptr_t)&s, (intptr_t)call, (intptr_t)ARGUMENTS_END);
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
