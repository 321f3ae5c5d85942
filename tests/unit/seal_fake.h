/* seal_fake.h -- a KMS, a clock and an index for the tests of seal.
 *
 * The KMS has no state: a blob says under which key and context it was made,
 * and holds the data key with its bits turned. */
#ifndef SESFS_TESTS_SEAL_FAKE_H
#define SESFS_TESTS_SEAL_FAKE_H

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "merge_page.h"
#include "store/index.h"
#include "store/seal.h"

#define KEY_A "arn:aws:kms:eu-west-1:111122223333:key/a"
#define KEY_B "arn:aws:kms:eu-west-1:111122223333:key/b"
#define KEY_EVIL "arn:aws:kms:eu-west-1:666666666666:key/a"
#define SOURCE "s3://bucket/mail/"
#define TTL_S 100

struct fake {
	atomic_int generates, decrypts;
	int err;		  /* what KMS answers with; 0: properly */
	int good_calls;		  /* so many go well before err; 0: none */
	int names_err;		  /* policy cannot tell */
	const char *name[3];	  /* by which keys are named; none: ARNs */
	const char *answer_arn;	  /* instead of the true one */
	size_t answer_len;	  /* likewise */
	struct seal *forget;	  /* forget this in the middle of a call */
	enum seal_state seen;	  /* its state in the middle of the next */
	pthread_mutex_t *gate;	  /* held by the test: a call waits */
	struct seal *disturb;	  /* try to reset and rekey it in a call */
	int reset, rekey;	  /* what came of that */
	int (*hook)(void *arg);	  /* run once in call number hook_at */
	void *hook_arg;
	int hook_at, hooked;	  /* hooked: what came of it, 1: not yet */
};

static atomic_llong fake_now_s;
static int fake_tick_s;	    /* each look at the clock takes so long */
static int fake_die_at;	    /* exit at this look at the clock, 0: never */

static inline int64_t
fake_clock(void)
{
	if (fake_die_at > 0 && --fake_die_at == 0)
		_exit(77);
	return atomic_fetch_add(&fake_now_s, fake_tick_s);
}

static inline int
fake_middle(struct fake *f, enum refusal *why)
{
	char arn[KMS_ARN_MAX];

	if (f->gate != NULL) {
		pthread_mutex_lock(f->gate);
		pthread_mutex_unlock(f->gate);
	}
	if (f->forget != NULL) {
		f->seen = seal_get_state(f->forget, arn);
		seal_forget(f->forget);
		f->forget = NULL;
	}
	if (f->disturb != NULL) {
		f->reset = seal_reset(f->disturb);
		f->rekey = seal_rekey(f->disturb, KEY_A);
	}
	if (f->hook != NULL && f->generates + f->decrypts == f->hook_at)
		f->hooked = f->hook(f->hook_arg);
	*why = f->err == -ENOKEY ? KMS_ACCESS : REFUSAL_NONE;
	if (f->good_calls > 0) {
		f->good_calls--;
		return 0;
	}
	return f->err;
}

static inline bool
fake_context_ok(const struct pair *context, size_t n)
{
	return n == 1 && strcmp(context[0].name, "sesfs:state") == 0 &&
	    strlen(context[0].value) == 36;
}

static inline int
fake_generate(void *arg, const char *key_id, const struct pair *context,
    size_t context_len, uint8_t ret_key[KMS_DATA_KEY_LEN], uint8_t *ret_blob,
    size_t *ret_blob_len, char ret_arn[KMS_ARN_MAX], enum refusal *ret_why)
{
	struct fake *f = arg;
	int r;

	f->generates++;
	if (!fake_context_ok(context, context_len))
		return -EPROTO;
	if ((r = fake_middle(f, ret_why)) < 0)
		return r;
	randombytes_buf(ret_key, KMS_DATA_KEY_LEN);
	for (size_t i = 0; i < KMS_DATA_KEY_LEN; i++)
		ret_blob[i] = (uint8_t)~ret_key[i];
	*ret_blob_len = KMS_DATA_KEY_LEN +
	    (size_t)sprintf((char *)ret_blob + KMS_DATA_KEY_LEN, "%s %s",
		key_id, context[0].value);
	snprintf(ret_arn, KMS_ARN_MAX, "%s",
	    f->answer_arn != NULL ? f->answer_arn : key_id);
	return 0;
}

static inline int
fake_decrypt(void *arg, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why)
{
	struct fake *f = arg;
	char want[2 * KMS_ARN_MAX];
	int r;

	f->decrypts++;
	if (!fake_context_ok(context, context_len))
		return -EPROTO;
	if ((r = fake_middle(f, ret_why)) < 0)
		return r;
	snprintf(want, sizeof(want), "%s %s", key_id, context[0].value);
	*ret_why = KMS_REJECTED;
	if (blob.len != KMS_DATA_KEY_LEN + strlen(want) ||
	    memcmp(blob.ptr + KMS_DATA_KEY_LEN, want, strlen(want)) != 0)
		return -ENOKEY;
	*ret_why = REFUSAL_NONE;
	for (size_t i = 0; i < KMS_DATA_KEY_LEN; i++)
		ret[i] = (uint8_t)~blob.ptr[i];
	*ret_len = f->answer_len > 0 ? f->answer_len : KMS_DATA_KEY_LEN;
	snprintf(ret_arn, KMS_ARN_MAX, "%s",
	    f->answer_arn != NULL ? f->answer_arn : key_id);
	return 0;
}

/* Any key of the own account may be used, by the names set or its ARN. */
static inline int
fake_names(void *arg, const char *arn, const char **ret, size_t max)
{
	struct fake *f = arg;
	int n = 0;

	if (f->names_err < 0)
		return f->names_err;
	if (strstr(arn, ":111122223333:") == NULL)
		return 0;
	for (; n < (int)NELEMS(f->name) && f->name[n] != NULL; n++)
		ret[n] = f->name[n];
	if (n == 0)
		ret[n++] = arn;
	return n;
}

static inline struct seal *
fake_seal(struct index *ix, struct fake *f, const char *key_id)
{
	struct seal_opts o = {
		.index = ix, .key_id = key_id, .generate = fake_generate,
		.decrypt = fake_decrypt, .kms_arg = f, .names = fake_names,
		.names_arg = f, .ttl_s = TTL_S, .now_s = fake_clock,
	};
	struct seal *s;

	CHECK_EQ(seal_new(&o, &s), 0);
	if (s == NULL)
		exit(1);
	return s;
}

static inline struct index *
fake_index(const char *dir)
{
	struct index *ix;

	CHECK_EQ(index_open(dir, SOURCE, false, 1, &ix), 0);
	if (ix == NULL)
		exit(1);
	return ix;
}

/* A new directory for an index. */
static inline void
fake_dir(char ret[32])
{
	strcpy(ret, "/tmp/test_seal.XXXXXX");
	if (mkdtemp(ret) == NULL)
		exit(1);
}

static inline int
fake_dir_unlink(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	return remove(path);
}

static inline void
fake_dir_remove(const char *dir)
{
	CHECK_EQ(nftw(dir, fake_dir_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
