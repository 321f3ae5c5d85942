#include "store/index_memo.h"

#include <stdlib.h>

#include "store/lock.h"

void
memo_init(struct memo *m)
{
	/* Zero pages of the kernel's until they are written to. */
	m->slot = calloc(MEMO_SLOTS, sizeof(*m->slot));
	for (size_t i = 0; i < MEMO_LOCKS; i++)
		pthread_mutex_init(&m->lock[i], NULL);
}

void
memo_destroy(struct memo *m)
{
	for (size_t i = 0; i < MEMO_LOCKS; i++)
		pthread_mutex_destroy(&m->lock[i]);
	free(m->slot);
}

static size_t
place(int64_t ino)
{
	return (uint64_t)ino % MEMO_SLOTS;
}

bool
memo_get(struct memo *m, uint64_t version, int64_t ino, struct node *ret)
{
	size_t at = place(ino);
	const struct memo_slot *s;

	if (m->slot == NULL || ino <= 0)
		return false;
	LOCK_SCOPE(&m->lock[at % MEMO_LOCKS]);
	s = &m->slot[at];
	if (s->node.ino != ino || s->version != version)
		return false;
	*ret = s->node;
	return true;
}

void
memo_put(struct memo *m, uint64_t version, const struct node *n)
{
	size_t at = place(n->ino);

	if (m->slot == NULL)
		return;
	LOCK_SCOPE(&m->lock[at % MEMO_LOCKS]);
	m->slot[at] = (struct memo_slot){ version, *n };
}
