/* delay.h -- calls back later, so that a slow reply costs no thread. */
#ifndef CLOUD_DELAY_H
#define CLOUD_DELAY_H

#include "base.h"

struct delay;

/* `fire` runs in the thread of the timer. */
struct delay *delay_new(void (*fire)(void *arg)) MUST_CHECK;

/* Call fire(arg) after `ms`; at once when stopped. */
void delay_add(struct delay *d, long ms, void *arg);

/* Fire all that wait, and from now on everything at once. */
void delay_stop(struct delay *d);

/* Only after delay_stop(), and when nobody can add any more. */
void delay_free(struct delay *d);

#endif
