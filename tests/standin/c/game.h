/* What the files of the stand-in game share. */

#ifndef GAME_H
#define GAME_H

#include <stdint.h>

enum { GAME_CLIENT_THINK = 7, GAME_RUN_FRAME = 8 };
enum { PRINT = 0, CVAR_SET = 5, LOCATE_GAME_DATA = 17, SET_CONFIGSTRING = 20, ARGUMENTS_END = -1337 };

/* The way to the engine, which is the module's gate. */
extern intptr_t (*game_syscall)(intptr_t trap, ...);
extern uint8_t *game_clients;
extern intptr_t game_client_size;

struct fight;

/* Starts a fight, see fight.c. From then on, calls are answered by `fight_call`. */
void fight_start(const struct fight *fight);
int fight_is_running(void);
void fight_call(int32_t command, intptr_t slot);

#endif
