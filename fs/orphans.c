#include "fs/orphans.h"

#include <stdlib.h>

#include "store/lock.h"
#include "store/log.h"

#define CAP_MIN 64 /* slots */

void
orphans_init(struct orphans *o)
{
	*o = (struct orphans){ 0 };
	pthread_mutex_init(&o->lock, NULL);
}

void
orphans_destroy(struct orphans *o)
{
	free(o->slot);
	pthread_mutex_destroy(&o->lock);
}

static size_t
home_of(const struct orphans *o, int64_t ino)
{
	return (size_t)((uint64_t)ino * 0x9e3779b97f4a7c15u >> 32) &
	    (o->cap - 1);
}

/* Where ino is, or the free slot where it would be. There is always one. */
static size_t
find_locked(const struct orphans *o, int64_t ino)
{
	size_t i = home_of(o, ino);

	while (o->slot[i] != 0 && o->slot[i] != ino)
		i = (i + 1) & (o->cap - 1);
	return i;
}

/* Room for one more, at most three quarters full. */
static int
grow_locked(struct orphans *o)
{
	struct orphans to = { .cap = o->cap > 0 ? 2 * o->cap : CAP_MIN };

	if (o->n < o->cap / 4 * 3)
		return 0;
	if ((to.slot = calloc(to.cap, sizeof(*to.slot))) == NULL)
		return -1;
	for (size_t i = 0; i < o->cap; i++)
		if (o->slot[i] != 0)
			to.slot[find_locked(&to, o->slot[i])] = o->slot[i];
	free(o->slot);
	o->slot = to.slot;
	o->cap = to.cap;
	return 0;
}

void
orphans_add(struct orphans *o, int64_t ino)
{
	size_t i;

	LOCK_SCOPE(&o->lock);
	if (grow_locked(o) < 0) {
		log_warn(0, "mailbox: inode %lld stays until the next start: "
		    "out of memory", (long long)ino);
		return;
	}
	i = find_locked(o, ino);
	o->n += o->slot[i] == 0;
	o->slot[i] = ino;
}

/* Free slot i, moving up what was pushed past it. */
static void
remove_locked(struct orphans *o, size_t i)
{
	size_t mask = o->cap - 1;

	for (size_t j = (i + 1) & mask; o->slot[j] != 0; j = (j + 1) & mask) {
		size_t home = home_of(o, o->slot[j]);

		/* May stay when its home lies behind the gap. */
		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		o->slot[i] = o->slot[j];
		i = j;
	}
	o->slot[i] = 0;
	o->n--;
}

bool
orphans_take(struct orphans *o, int64_t ino)
{
	size_t i;

	LOCK_SCOPE(&o->lock);
	if (o->n == 0)
		return false;
	i = find_locked(o, ino);
	if (o->slot[i] == 0)
		return false;
	remove_locked(o, i);
	return true;
}
