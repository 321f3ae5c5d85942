/* keyspace.h -- where in the order of all keys a key stands.
 *
 * To divide a range of keys that nobody has listed yet, one has to guess how
 * keys are spread over it. A keyspace learns from keys that were seen how often
 * each byte occurs and takes every byte of a key as drawn from that: a key then
 * is a number of [0, 1) in the same order, as in arithmetic coding. A guess
 * that is wrong makes an uneven division, never a wrong one.
 *
 * A frame is a number of bytes that all keys in question have in common; they
 * are left out. Pure; threads: the caller's business. */
#ifndef SESFS_STORE_KEYSPACE_H
#define SESFS_STORE_KEYSPACE_H

#include "crypto/base.h"

struct keyspace {
	double count[256]; /* of each byte, with what stands for never seen */
	double below[257]; /* share of the bytes below each, 0 .. 1 */
};

void keyspace_init(struct keyspace *ks);
/* Take a key's bytes from `frame` on into account. */
void keyspace_learn(struct keyspace *ks, const char *key, size_t frame);

/* Where the key stands among those that share its first `frame` bytes. */
double keyspace_at(const struct keyspace *ks, const char *key, size_t frame);

/* How many bytes two keys have in common at their beginnings. */
size_t keyspace_common(const char *a, const char *b);

/* A key about in the middle between lo and hi, lo < ret < hi, that is valid
 * UTF-8 if their frame is (S3 takes no other) and short. They share `frame`
 * bytes at least. hi NULL: the end of all keys that share them with lo. -ENOENT
 * when there is none that could be named. */
int keyspace_middle(const struct keyspace *ks, const char *lo, const char *hi,
    size_t frame, char ret[1025]) MUST_CHECK;

#endif
