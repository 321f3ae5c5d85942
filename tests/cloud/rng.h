/* rng.h -- small, fast, repeatable random numbers (splitmix64). */
#ifndef CLOUD_RNG_H
#define CLOUD_RNG_H

#include "base.h"

struct rng {
	uint64_t state;
};

static inline uint64_t
rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t
rng_next(struct rng *r)
{
	return rng_mix(r->state += 0x9e3779b97f4a7c15u);
}

/* 0 <= result < n; the bias of the multiplication is below 2^-32. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* A stream of its own for item `index` of series `seed`. */
static inline struct rng
rng_for(uint64_t seed, uint64_t index)
{
	return (struct rng){ rng_mix(seed + 0x632be59bd9b4e019u) ^
	    rng_mix(index * 0x9e3779b97f4a7c15u + 1) };
}

static inline void
rng_fill(struct rng *r, void *p, size_t len)
{
	unsigned char *out = p;
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++, v >>= 8) {
		if (i % 8 == 0)
			v = rng_next(r);
		out[i] = (unsigned char)v;
	}
}

#endif
