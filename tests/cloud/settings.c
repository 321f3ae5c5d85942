#include "settings.h"

#include "rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	long min, max, standard;
	const char *help;
} table[SET_COUNT] = {
#define MS(name, what) { name, 0, 600000, 0, "ms before each " what " reply" }
#define RATE(name, what) { name, 0, 100, 0, "% of requests: " what }
	[SET_S3_LATENCY] = MS("s3_latency_ms", "S3"),
	[SET_KMS_LATENCY] = MS("kms_latency_ms", "KMS"),
	[SET_STS_LATENCY] = MS("sts_latency_ms", "STS"),
	[SET_JITTER] = { "jitter_ms", 0, 600000, 0,
	    "random ms on top of a latency" },
	[SET_S3_THROTTLE] = RATE("s3_throttle", "503 SlowDown"),
	[SET_S3_500] = RATE("s3_500", "500 InternalError"),
	[SET_S3_503] = RATE("s3_503", "503 ServiceUnavailable"),
	[SET_S3_RESET] = RATE("s3_reset", "connection reset, no reply"),
	[SET_S3_TRUNCATE] = RATE("s3_truncate", "closed amid the body"),
	[SET_S3_STALL] = RATE("s3_stall", "silent for stall_seconds first"),
	[SET_S3_BITFLIP] = RATE("s3_bitflip", "GetObject with one bit wrong"),
	[SET_S3_FROM_START] = { "s3_from_start", 0, 1, 0,
	    "ListObjectsV2 ignores start-after" },
	[SET_KMS_THROTTLE] = RATE("kms_throttle", "400 ThrottlingException"),
	[SET_KMS_500] = RATE("kms_500", "500 KMSInternalException"),
	[SET_KMS_503] = RATE("kms_503", "503 ServiceUnavailable"),
	[SET_KMS_RESET] = RATE("kms_reset", "connection reset, no reply"),
	[SET_KMS_TRUNCATE] = RATE("kms_truncate", "closed amid the body"),
	[SET_KMS_STALL] = RATE("kms_stall", "silent for stall_seconds first"),
	[SET_STS_THROTTLE] = RATE("sts_throttle", "400 Throttling"),
	[SET_STS_500] = RATE("sts_500", "500 InternalFailure"),
	[SET_STS_503] = RATE("sts_503", "503 ServiceUnavailable"),
	[SET_STS_RESET] = RATE("sts_reset", "connection reset, no reply"),
	[SET_STS_TRUNCATE] = RATE("sts_truncate", "closed amid the body"),
	[SET_STS_STALL] = RATE("sts_stall", "silent for stall_seconds first"),
	[SET_STS_GARBAGE] = RATE("sts_garbage", "half of the body, as if whole"),
	[SET_SQS_LATENCY] = MS("sqs_latency_ms", "SQS"),
	[SET_SQS_THROTTLE] = RATE("sqs_throttle", "400 RequestThrottled"),
	[SET_SQS_500] = RATE("sqs_500", "500 InternalFailure"),
	[SET_SQS_503] = RATE("sqs_503", "503 ServiceUnavailable"),
	[SET_SQS_RESET] = RATE("sqs_reset", "connection reset, no reply"),
	[SET_SQS_TRUNCATE] = RATE("sqs_truncate", "closed amid the body"),
	[SET_SQS_STALL] = RATE("sqs_stall", "silent for stall_seconds first"),
	[SET_ID_LATENCY] = MS("id_latency_ms",
	    "IMDS, container, SSO and OIDC"),
	[SET_ID_THROTTLE] = RATE("id_throttle", "429 TooManyRequests"),
	[SET_ID_500] = RATE("id_500", "500"),
	[SET_ID_503] = RATE("id_503", "503"),
	[SET_ID_RESET] = RATE("id_reset", "connection reset, no reply"),
	[SET_ID_TRUNCATE] = RATE("id_truncate", "closed amid the body"),
	[SET_ID_STALL] = RATE("id_stall", "silent for stall_seconds first"),
	[SET_ID_GARBAGE] = RATE("id_garbage", "half of the body, as if whole"),
#define LIFE(name, std, what) { name, 0, 1000000, std, "s " what }
	[SET_STS_LIFE] = LIFE("sts_life", 0,
	    "that an assumed role lasts; 0 for what was asked"),
	[SET_IMDS_LIFE] = LIFE("imds_life", 21600,
	    "that credentials of the instance last"),
	[SET_IMDS_TOKEN_LIFE] = LIFE("imds_token_life", 0,
	    "that a token of IMDSv2 lasts; 0 for what was asked"),
	[SET_IMDS_ROLE] = { "imds_role", 0, 1, 1, "the instance has a role" },
	[SET_CONTAINER_LIFE] = LIFE("container_life", 3600,
	    "that credentials of the container last"),
	[SET_SSO_LIFE] = LIFE("sso_life", 3600,
	    "that credentials of GetRoleCredentials last"),
	[SET_SSO_TOKEN_LIFE] = LIFE("sso_token_life", 3600,
	    "that a token of CreateToken lasts"),
	[SET_STALL_SECONDS] = { "stall_seconds", 0, 3600, 30,
	    "how long a stalled request is silent" },
	[SET_FAULT_LIMIT] = { "fault_limit", -1, 1000000000, -1,
	    "faults still to come, then none; -1 for no limit" },
	[SET_RETRY_AFTER] = { "retry_after_ms", 0, 600000, 0,
	    "x-amz-retry-after sent with a throttle; 0 for none" },
	[SET_KMS_RATE] = { "kms_rate", 0, 1000000, 0,
	    "KMS requests a second before throttling; 0 for no limit" },
	[SET_CLOCK_OFFSET] = { "clock_offset", -1000000000, 1000000000, 0,
	    "seconds our clock is ahead" },
	[SET_SEED] = { "seed", 0, 2147483647, 1, "of the faults' dice" },
};

static bool
is_rate(enum setting which)
{
	return table[which].max == 100;
}

static long
stored(enum setting which, double v)
{
	return (long)(is_rate(which) ? v * 1000 : v);
}

void
settings_reset(struct settings *s)
{
	for (int i = 0; i < SET_COUNT; i++)
		__atomic_store_n(&s->values[i],
		    stored((enum setting)i, (double)table[i].standard),
		    __ATOMIC_RELAXED);
	for (int i = 0; i < OP_COUNT; i++)
		__atomic_store_n(&s->denied[i], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->dice, 1, __ATOMIC_RELAXED);
}

void
settings_init(struct settings *s)
{
	settings_reset(s);
}

long
settings_get(const struct settings *s, enum setting which)
{
	return __atomic_load_n(&s->values[which], __ATOMIC_RELAXED);
}

static int
permit(struct settings *s, const char *action, bool denied, char why[128])
{
	bool all = strcmp(action, "*") == 0, found = all;

	for (int i = 0; i < OP_COUNT; i++) {
		if (op_action((enum op)i) == NULL ||
		    (!all && strcmp(op_action((enum op)i), action) != 0))
			continue;
		__atomic_store_n(&s->denied[i], denied, __ATOMIC_RELAXED);
		found = true;
	}
	if (found)
		return 0;
	snprintf(why, 128, "no such action: %.80s", action);
	return -EINVAL;
}

int
settings_set(struct settings *s, const char *name, const char *value,
    char why[128])
{
	char *end;
	double v;

	if (strcmp(name, "deny") == 0 || strcmp(name, "allow") == 0)
		return permit(s, value, *name == 'd', why);
	for (int i = 0; i < SET_COUNT; i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		v = strtod(value, &end);
		if (end == value || *end != '\0' ||
		    !(v >= (double)table[i].min && v <= (double)table[i].max)) {
			snprintf(why, 128, "%s: %ld to %ld, not %.40s", name,
			    table[i].min, table[i].max, value);
			return -EINVAL;
		}
		__atomic_store_n(&s->values[i], stored((enum setting)i, v),
		    __ATOMIC_RELAXED);
		if (i == SET_SEED)
			__atomic_store_n(&s->dice, (uint64_t)v,
			    __ATOMIC_RELAXED);
		return 0;
	}
	snprintf(why, 128, "no such setting: %.80s", name);
	return -ENOENT;
}

bool
settings_is_denied(const struct settings *s, enum op op)
{
	return __atomic_load_n(&s->denied[op], __ATOMIC_RELAXED);
}

uint64_t
settings_roll(struct settings *s)
{
	return rng_mix(__atomic_add_fetch(&s->dice, 0x9e3779b97f4a7c15u,
	    __ATOMIC_RELAXED));
}

static bool
take_one(struct settings *s)
{
	long *limit = &s->values[SET_FAULT_LIMIT];
	long left = __atomic_load_n(limit, __ATOMIC_RELAXED);

	while (left > 0)
		if (__atomic_compare_exchange_n(limit, &left, left - 1, false,
			__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return left < 0;
}

bool
settings_happens(struct settings *s, enum setting which)
{
	long rate = settings_get(s, which);

	if (rate <= 0 ||
	    (long)((settings_roll(s) >> 32) * 100000 >> 32) >= rate)
		return false;
	return take_one(s);
}

void
settings_help(struct buf *b)
{
	for (int i = 0; i < SET_COUNT; i++)
		buf_fmt(b, "    %-16s %s (%ld)\n", table[i].name,
		    table[i].help, table[i].standard);
}

void
settings_json(const struct settings *s, struct buf *b)
{
	long v;

	for (int i = 0; i < SET_COUNT; i++) {
		v = settings_get(s, (enum setting)i);
		buf_fmt(b, "%s\"%s\": %.10g", i > 0 ? ", " : "{",
		    table[i].name,
		    is_rate((enum setting)i) ? (double)v / 1000 : (double)v);
	}
	buf_str(b, "}\n");
}
