#include "fs/held.h"

#include <stdlib.h>

#define WORD_BITS 64

void
held_init(struct held *h)
{
	atomic_init(&h->misses, 0);
	/* Zero pages of the kernel's until they are written to. */
	h->word = calloc(HELD_MAX / WORD_BITS, sizeof(*h->word));
}

void
held_destroy(struct held *h)
{
	free(h->word);
}

static atomic_uint_fast64_t *
word_of(const struct held *h, int64_t ino)
{
	if (h->word == NULL || ino < 0 || ino >= HELD_MAX)
		return NULL;
	return &h->word[ino / WORD_BITS];
}

static uint64_t
bit_of(int64_t ino)
{
	return (uint64_t)1 << (ino % WORD_BITS);
}

bool
held_has(const struct held *h, int64_t ino)
{
	atomic_uint_fast64_t *w = word_of(h, ino);

	return w != NULL &&
	    (atomic_load_explicit(w, memory_order_relaxed) & bit_of(ino)) != 0;
}

/* Returns whether it was there. */
static bool
add(struct held *h, int64_t ino)
{
	atomic_uint_fast64_t *w = word_of(h, ino);

	return w != NULL && (atomic_fetch_or_explicit(w, bit_of(ino),
				 memory_order_relaxed) & bit_of(ino)) != 0;
}

void
held_add(struct held *h, int64_t ino)
{
	(void)add(h, ino);
}

void
held_remove(struct held *h, int64_t ino)
{
	/* Pages that were never written to stay so. */
	if (held_has(h, ino))
		atomic_fetch_and_explicit(word_of(h, ino), ~bit_of(ino),
		    memory_order_relaxed);
}

void
held_asked(struct held *h, int64_t ino)
{
	if (add(h, ino))
		atomic_fetch_add_explicit(&h->misses, 1, memory_order_relaxed);
}

unsigned
held_misses(const struct held *h)
{
	return atomic_load_explicit(&h->misses, memory_order_relaxed);
}
