/* graph.h -- the objects of a run, made from its configuration.
 *
 * The one place that knows which module is given what. A command says which
 * parts it needs; graph_close takes them apart in the reverse order. */
#ifndef SESFS_FS_GRAPH_H
#define SESFS_FS_GRAPH_H

#include "fs/config.h"
#include "fs/mailbox.h"
#include "store/keyring.h"
#include "store/pool.h"
#include "store/prefetch.h"
#include "store/sts.h"

enum {
	GRAPH_CLOUD = 1 << 0,	 /* http .. kms; starts the network thread */
	GRAPH_INDEX = 1 << 1,	 /* the state directory must be locked */
	GRAPH_INDEX_RO = 1 << 2, /* instead: beside a daemon */
	GRAPH_SOURCE = 1 << 3,	 /* needs cloud and an index */
	GRAPH_MAILBOX = 1 << 4,	 /* needs an index */
	GRAPH_SYNC = 1 << 5,	 /* needs all of them */
	GRAPH_NO_CACHE = 1 << 6, /* every body comes from S3 */
	GRAPH_AHEAD = 1 << 7,	 /* pool and prefetch; needs a source */
	GRAPH_TRY = 1 << 8,	 /* a region that cannot be learnt is no
				  * obstacle, and KMS is not waited for
				  * long; for who looks what is wrong */
	GRAPH_STS = 1 << 9,	 /* instead of cloud: who am I, asked briefly */
};

/* Where the region of KMS and STS was taken from. */
enum graph_region {
	GRAPH_REGION_UNKNOWN,	  /* GRAPH_TRY: us-east-1 was guessed */
	GRAPH_REGION_GIVEN,	  /* --region or what stands for it */
	GRAPH_REGION_OF_KEY,	  /* the ARN of --kms-key or --seal-key */
	GRAPH_REGION_REMEMBERED,  /* the bucket's, when it was last seen */
	GRAPH_REGION_OF_ENDPOINT, /* what AWS's own host tells, us-east-1 for
				   * an endpoint of one's own */
	GRAPH_REGION_OF_BUCKET,
	GRAPH_REGION_OF_INSTANCE,
};

struct graph {
	const struct config *c;
	struct http *http;
	struct creds *creds;
	struct aws *aws;
	struct s3 *s3;
	struct kms *kms;
	struct keypolicy *keys;
	struct index *index;
	struct blobcache *cache;
	struct keyring *keyring;
	struct seal *seal;
	struct source *source;
	struct mailbox *mailbox;
	struct pool *pool;
	struct prefetch *prefetch;
	struct sync *sync;
	char region[64]; /* of KMS and STS */
	enum graph_region region_from;
	/* of sync; may be NULL */
	void (*progress)(void *arg, const struct sync_progress *p);
	void *progress_arg;
};

/* Build. g must stay where it is. Returns 0; -errno after a log line that says
 * why; then g needs no graph_close. */
int graph_open(const struct config *c, unsigned parts, struct graph *g)
    MUST_CHECK;
/* Before the end: who waits for the network, or for a program that gives
 * credentials, waits no more, and nobody will. Any thread. */
void graph_stop(struct graph *g);
void graph_close(struct graph *g);

/* Is the bucket there for us? 0; the error of s3_reach. The region
 * learnt is kept in the index. */
int graph_reach(struct graph *g) MUST_CHECK;
/* May a mount begin although graph_reach failed with err: is it only the
 * network that is missing? */
bool graph_is_offline(int err);

/* An error of store/ in words, and what to do about it: "; ..." or "". */
const char *graph_error(int err);
const char *graph_advice(int err);

/* The options of the bucket in this configuration; g->aws must be there. */
struct s3_opts graph_s3_opts(const struct graph *g);

/* The options of GetCallerIdentity in this configuration. */
struct sts_opts graph_sts_opts(const struct graph *g);

/* Monotonic seconds. */
int64_t graph_now_s(void);

#endif
