/* gen_maker.h -- makes the contents of one generated message. */
#ifndef CLOUD_GEN_MAKER_H
#define CLOUD_GEN_MAKER_H

#include "kms.h"
#include "objects.h"

#define GEN_ID_LEN 40

enum gen_format { GEN_KMS_GCM, GEN_KMSCTX_GCM, GEN_COMMIT, GEN_CBC, GEN_PLAIN };

struct gen_opts {
	uint64_t seed;
	unsigned spam, virus; /* percent */
	const char *format, *key;
	const char *cmk_id; /* "" for the key's ARN */
	const char *region, *account;
};

struct gen {
	struct maker maker;
	uint64_t seed;
	unsigned spam, virus;
	enum gen_format format;
	char arn[KMS_ARN_MAX], cmk_id[KMS_ARN_MAX];
	char region[32], account[16];
};

/* 0; -EINVAL, with the reason in `why`, for a format or key nobody knows. */
int gen_new(struct kms *kms, const struct gen_opts *opts, char why[128],
    struct gen **ret) MUST_CHECK;
void gen_unref(struct gen *g);

/* How long the body of a message of `len` bytes is. */
size_t gen_body_len(const struct gen *g, size_t len);

#endif
