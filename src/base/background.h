/* SPDX-License-Identifier: MIT */
/*
 * background: runs one job at a time on a thread of its own.
 *
 * One thread, the owner, makes it, starts jobs, waits for them and frees it. What the job wrote is visible to the owner
 * after background_wait(), and after background_is_busy() returned false.
 */
#ifndef BASE_BACKGROUND_H
#define BASE_BACKGROUND_H

#include <stdbool.h>

struct background;

/* name: of the thread, at most 15 characters. */
struct background *background_new(const char *name);
/* Waits for the running job, ends the thread, frees b. NULL allowed. */
void background_free(struct background *b);

/* Starts job(arg) and returns at once. No job may be running. */
void background_start(struct background *b, void (*job)(void *arg), void *arg);
bool background_is_busy(struct background *b);
/* Blocks while a job runs. */
void background_wait(struct background *b);

#endif
