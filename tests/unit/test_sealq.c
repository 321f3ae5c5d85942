/* Sealed columns that wait to be written. */
#include "check.h"
#include "index_util.h"
#include "store/sealq.h"

#define TOGETHER 64 /* store/sealq.c writes so many at once */

static void
put(struct sealq *q, int64_t id, uint8_t key, int64_t kms_key_id)
{
	sealq_put(q, id, (struct slice){ &key, 1 }, kms_key_id,
	    (struct slice){ NULL, 0 });
}

/* The first byte of an object's sealed key, 0 when there is none. */
static uint8_t
key_of(struct index *ix, int64_t id, int64_t *ret_kms_key)
{
	struct object o;
	uint8_t key;

	CHECK_EQ(index_object(ix, id, &o), 0);
	key = o.key_sealed != NULL ? o.key_sealed[0] : 0;
	*ret_kms_key = o.kms_key_id;
	object_clear(&o);
	return key;
}

/* Nothing is written before there are enough, then all of them; whoever is
 * gone is no trouble to the others. */
static void
test_together(void)
{
	char *dir = tmpdir_make(), name[16];
	struct index *ix = ix_open(dir);
	int64_t id[TOGETHER], kms_key;
	struct sealq *q;

	CHECK_EQ(sealq_new(ix, &q), 0);
	for (int i = 0; i < TOGETHER; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		id[i] = add_object(ix, name);
	}
	for (int i = 1; i < TOGETHER; i++)
		put(q, id[i], (uint8_t)i, 7);
	CHECK_EQ(key_of(ix, id[1], &kms_key), 0);
	put(q, 999999, 1, 7);
	for (int i = 1; i < TOGETHER; i++) {
		CHECK_EQ(key_of(ix, id[i], &kms_key), i);
		CHECK_EQ(kms_key, 7);
	}
	CHECK_EQ(key_of(ix, id[0], &kms_key), 0);

	/* the latest counts; 0 leaves the KMS key as it is */
	put(q, id[1], 100, 0);
	put(q, id[1], 101, 0);
	sealq_flush(q);
	CHECK_EQ(key_of(ix, id[1], &kms_key), 101);
	CHECK_EQ(kms_key, 7);
	sealq_flush(q);

	/* what waits at the end is written */
	put(q, id[0], 102, 8);
	sealq_free(q);
	CHECK_EQ(key_of(ix, id[0], &kms_key), 102);
	CHECK_EQ(kms_key, 8);
	index_close(ix);
	tmpdir_free(dir);
}

/* An index that cannot be written loses what waits, and only that. */
static void
test_failure(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	int64_t id = add_object(ix, "k"), kms_key;
	struct sealq *q;

	index_close(ix);
	CHECK_EQ(index_open(dir, "s3://bucket/p", true, NOW, &ix), 0);
	CHECK_EQ(sealq_new(ix, &q), 0);
	put(q, id, 1, 7);
	sealq_flush(q);
	sealq_flush(q);
	CHECK_EQ(key_of(ix, id, &kms_key), 0);
	sealq_free(q);
	sealq_free(NULL);
	index_close(ix);
	tmpdir_free(dir);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_ERR);
	test_together();
	test_failure();
	return check_done();
}
