/* settings.h -- what a test can change while the emulator runs.
 *
 * Numbers, each an atomic; one table gives their names (as POST /_cloud/set
 * and --set take them), ranges and help. And the IAM actions that are denied.
 * Threads: any. */
#ifndef CLOUD_SETTINGS_H
#define CLOUD_SETTINGS_H

#include "request.h"

enum setting {
	SET_S3_LATENCY, SET_KMS_LATENCY, SET_STS_LATENCY, SET_JITTER,
	SET_S3_THROTTLE, SET_S3_500, SET_S3_503, SET_S3_RESET, SET_S3_TRUNCATE,
	SET_S3_STALL, SET_S3_BITFLIP, SET_S3_FROM_START,
	SET_KMS_THROTTLE, SET_KMS_500, SET_KMS_503, SET_KMS_RESET,
	SET_KMS_TRUNCATE, SET_KMS_STALL,
	SET_STS_THROTTLE, SET_STS_500, SET_STS_503, SET_STS_RESET,
	SET_STS_TRUNCATE, SET_STS_STALL, SET_STS_GARBAGE,
	SET_SQS_LATENCY, SET_SQS_THROTTLE, SET_SQS_500, SET_SQS_503,
	SET_SQS_RESET, SET_SQS_TRUNCATE, SET_SQS_STALL,
	SET_ID_LATENCY, SET_ID_THROTTLE, SET_ID_500, SET_ID_503, SET_ID_RESET,
	SET_ID_TRUNCATE, SET_ID_STALL, SET_ID_GARBAGE,
	SET_STS_LIFE, SET_IMDS_LIFE, SET_IMDS_TOKEN_LIFE, SET_IMDS_ROLE,
	SET_CONTAINER_LIFE, SET_SSO_LIFE, SET_SSO_TOKEN_LIFE,
	SET_STALL_SECONDS, SET_FAULT_LIMIT, SET_RETRY_AFTER, SET_KMS_RATE,
	SET_CLOCK_OFFSET, SET_SEED,
	SET_COUNT
};

struct settings {
	long values[SET_COUNT]; /* atomic */
	unsigned char denied[OP_COUNT]; /* atomic */
	uint64_t dice; /* atomic */
};

void settings_init(struct settings *s);

/* Percentages are kept in thousandths of one. */
long settings_get(const struct settings *s, enum setting which);

/* Set by name, or `deny`/`allow` an IAM action (`*` for all). Returns 0;
 * -ENOENT unknown name; -EINVAL bad value, with the reason in `why`. */
int settings_set(struct settings *s, const char *name, const char *value,
    char why[128]) MUST_CHECK;

/* Everything back to its default. */
void settings_reset(struct settings *s);

/* Is the action of `op` denied? */
bool settings_is_denied(const struct settings *s, enum op op);

/* The next random number; repeatable after setting `seed`. */
uint64_t settings_roll(struct settings *s);

/* Does an event of setting `which`, a percentage, happen now? Uses up
 * fault_limit when it does. */
bool settings_happens(struct settings *s, enum setting which);

/* One line of help per setting. */
void settings_help(struct buf *b);

/* {"name": value, ...} */
void settings_json(const struct settings *s, struct buf *b);

#endif
