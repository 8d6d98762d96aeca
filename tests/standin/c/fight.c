/* A fight, for measurements: answers the calls of a server frame as a real game does, without steps and without an allocation.
 *
 * The traps, their number and their order are those that the game of a 2.83.1 server made while its players fought: updates of
 * cvars (4), the clock (2), cvars and tags read (6, 33), server commands (19), points and areas (26 to 28), traces (32, 45, 47),
 * links (34), user commands (38), cylinders (46). What happens in which call was planned by src/fight.rs. */

#include <stddef.h>
#include <string.h>

#include "game.h"

enum { KILL = 0, LIMBO = 1, REVIVE = 2, SPAWN = 3, SAY = 4, WAVES = 5, END = 6, FRAME = 64 };
enum { PM_TYPE = 4, PM_FLAGS = 12, CLASS = 208 + 16, SPAWNS = 272 + 16, ATTACKER = 272 + 20, DEATHS = 272 + 24, REVIVES = 272 + 36 };
enum { DEAD = 3, IN_LIMBO = 16384, INTERMISSION = 12, SCORES = 22, SHOT_EVERY = 5 };

/* The types of src/fight.rs. */
struct event {
    int32_t frame;    /* counted from 0 */
    int32_t caller;   /* the slot in whose CLIENT_THINK it happens, or FRAME */
    int32_t kind;
    int32_t slot;     /* the player to whom it happens */
    int32_t by;       /* KILL: the attacker. SPAWN: the class */
    const char *text; /* what the game prints; WAVES: the cvar's value */
};

struct fight {
    const struct event *events;
    intptr_t count;
    intptr_t players;
    /* How many lines of the cache the game reads in a call: code and data that are not in the first level, data that are not in
     * the second level. */
    intptr_t code, data, far_data;
};

static const struct fight *fight;
static int32_t frame;
static intptr_t next;

/* Memory of a game, in lines of the cache: code and data that fit into a second level of 1 MiB, and data that do not. The code is
 * functions that only return. They are read in strides, which no processor foresees. */
enum { LINE = 64, CODE = 4096, DATA = 8192, FAR_DATA = 1 << 17, STRIDE = 97 };
static uint8_t data[DATA * LINE], far_data[FAR_DATA * LINE];
extern uint8_t fight_code[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
        ".balign 64\n"
        "fight_code:\n"
        ".rept 4096\n"
        "ret\n"
        ".balign 64, 0xcc\n"
        ".endr\n"
        ".popsection\n");
/* Where to read on. */
static intptr_t code_at, data_at, far_data_at;

static uint8_t *line(uint8_t *memory, intptr_t *at, intptr_t size)
{
    *at = (*at + STRIDE) % size;
    return memory + *at * LINE;
}

/* Makes the caches as cold as a real game does. */
static void read_memory(void)
{
    for (intptr_t i = 0; i < fight->code; i++)
        ((void (*)(void))(uintptr_t)line(fight_code, &code_at, CODE))();
    for (intptr_t i = 0; i < fight->data; i++)
        *(volatile uint8_t *)line(data, &data_at, DATA) += 1;
    for (intptr_t i = 0; i < fight->far_data; i++)
        *(volatile uint8_t *)line(far_data, &far_data_at, FAR_DATA) += 1;
}

static int32_t get(int32_t slot, int32_t offset)
{
    int32_t value;
    memcpy(&value, game_clients + slot * game_client_size + offset, sizeof value);
    return value;
}

static void put(int32_t slot, int32_t offset, int32_t value)
{
    memcpy(game_clients + slot * game_client_size + offset, &value, sizeof value);
}

static void count(int32_t slot, int32_t offset)
{
    put(slot, offset, get(slot, offset) + 1);
}

static void repeat(intptr_t times, const uint8_t *traps, size_t traps_count)
{
    for (intptr_t n = 0; n < times; n++)
        for (size_t i = 0; i < traps_count; i++)
            game_syscall(traps[i], (intptr_t)0, (intptr_t)0, (intptr_t)0, (intptr_t)ARGUMENTS_END);
}
#define TRAPS(times, ...) repeat(times, (const uint8_t[]){ __VA_ARGS__ }, sizeof (const uint8_t[]){ __VA_ARGS__ })

static void print(const char *text)
{
    game_syscall(PRINT, (intptr_t)text, (intptr_t)ARGUMENTS_END);
}

/* The score of both teams and of the best players, which the game sends four times around a kill. */
static void send_scores(void)
{
    for (int n = 0; n < 2; n++) {
        TRAPS(1, 19);
        for (intptr_t string = SCORES; string < SCORES + 3; string++)
            game_syscall(SET_CONFIGSTRING, string, (intptr_t)"12 10", (intptr_t)ARGUMENTS_END);
        game_syscall(CVAR_SET, (intptr_t)"P", (intptr_t)"1212", (intptr_t)ARGUMENTS_END);
    }
}

static void happens(const struct event *e)
{
    switch (e->kind) {
    case KILL:
        send_scores();
        put(e->slot, PM_TYPE, DEAD);
        put(e->slot, ATTACKER, e->by);
        count(e->slot, DEATHS);
        print(e->text);
        send_scores();
        break;
    case LIMBO:
        put(e->slot, PM_FLAGS, IN_LIMBO);
        break;
    case REVIVE:
        print(e->text);
        count(e->slot, REVIVES);
        count(e->slot, SPAWNS);
        put(e->slot, PM_TYPE, 0);
        break;
    case SPAWN:
        count(e->slot, SPAWNS);
        put(e->slot, CLASS, e->by);
        put(e->slot, PM_TYPE, 0);
        put(e->slot, PM_FLAGS, 0);
        break;
    case SAY:
        print(e->text);
        break;
    case WAVES:
        game_syscall(CVAR_SET, (intptr_t)"g_redlimbotime", (intptr_t)e->text, (intptr_t)ARGUMENTS_END);
        break;
    default:
        print(e->text);
        game_syscall(SET_CONFIGSTRING, (intptr_t)INTERMISSION, (intptr_t)"1", (intptr_t)ARGUMENTS_END);
    }
}

/* Lets everything happen that is planned for this call. */
static void play(int32_t caller)
{
    for (; next < fight->count; next++) {
        const struct event *e = fight->events + next;
        if (e->frame != frame || e->caller != caller)
            break;
        happens(e);
    }
}

/* Two movements; while dead, one on the ground; in limbo, none. */
static void move(int32_t slot)
{
    TRAPS(1, 38, 2);
    if (get(slot, PM_FLAGS) & IN_LIMBO)
        return;
    TRAPS(1, 2, 27);
    if (get(slot, PM_TYPE) == DEAD) {
        TRAPS(10, 45);
        TRAPS(1, 27, 32, 26, 26, 26);
        return;
    }
    TRAPS(4, 45);
    TRAPS(1, 27, 32, 34, 2, 27);
    TRAPS(4, 45);
    TRAPS(1, 27);
    if ((frame + slot) % SHOT_EVERY == 0) {
        /* A shot: all other players are moved back to where the shooter saw them, hit, and moved forward again. */
        intptr_t players = fight->players;
        TRAPS(players, 47, 32);
        TRAPS(players - 2, 32);
        TRAPS(1, 26);
        TRAPS(players - 8, 32);
        TRAPS(players, 33, 6, 6, 6);
        TRAPS(1, 47, 32, 26, 33, 6, 6, 6, 32);
    }
    TRAPS(1, 32, 34);
}

static void run_frame(void)
{
    intptr_t players = fight->players;
    TRAPS(207, 4);
    TRAPS(players / 2, 2);
    TRAPS(players / 6, 33, 6, 6, 6);
    TRAPS(players / 4, 45, 46);
    TRAPS(players - 8, 34);
    TRAPS((players - 11) / 3, 26);
}

void fight_start(const struct fight *started)
{
    fight = started;
    frame = 0;
    next = 0;
}

int fight_is_running(void)
{
    return fight && game_clients;
}

void fight_call(int32_t command, intptr_t slot)
{
    switch (command) {
    case GAME_CLIENT_THINK:
        read_memory();
        move((int32_t)slot);
        play((int32_t)slot);
        break;
    case GAME_RUN_FRAME:
        read_memory();
        run_frame();
        play(FRAME);
        frame++;
        break;
    default:
        break;
    }
}
