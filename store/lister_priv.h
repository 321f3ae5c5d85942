/* lister_priv.h -- what the files of lister share; nobody else includes it. */
#ifndef SESFS_STORE_LISTER_PRIV_H
#define SESFS_STORE_LISTER_PRIV_H

#include <pthread.h>

#include "store/keyspace.h"
#include "store/lister.h"

#define WAITING_MAX 32 /* pages that came and nobody took yet */

/* What one thread lists. */
struct range {
	char *after, *until; /* [lock] NULL: the start, the end */
	char *token;	     /* its thread's: how to go on after `after` */
	char *seen;	     /* its thread's: the last key it was given, NULL
			      * before the first */
	double left;	     /* [lock] pages, a guess; 0 when none is known */
	bool is_open;	     /* [lock] */
};

struct lister {
	struct lister_opts o; /* constant, but .threads and .cuts [lock] */
	char **cut;	      /* [lock] those not taken yet are here */
	size_t next_cut;      /* [lock] the range before it is the next one */
	bool has_begun_all;   /* [lock] the range after the last cut, too */
	pthread_mutex_t lock;
	pthread_cond_t work; /* [lock] a range may be had, or nothing more */
	pthread_cond_t room; /* [lock] a page was taken */
	pthread_cond_t came; /* [lock] a page came, or the end */
	struct keyspace space; /* [lock] */
	char *first;	     /* [lock] the least key seen */
	struct lister_page waiting[WAITING_MAX]; /* [lock] a ring */
	size_t waiting_at, waiting_n;		 /* [lock] */
	uint64_t requests, pages, divisions;	 /* [lock] */
	bool is_undivided; /* [lock] a range can only begin at the start */
	pthread_t thread[LISTER_THREADS_MAX];
	struct range range[LISTER_THREADS_MAX];
	unsigned threads; /* [lock] in being */
	unsigned begun;	  /* [lock] that were given a range number */
	unsigned idle;	  /* [lock] that wait for work */
	unsigned open;	  /* [lock] ranges */
	int error;	  /* [lock] ends it all */
};

/* lister_divide.c: all with l->lock held. */

/* The next range between cuts. -ENOENT: they have all begun; -ENOMEM. */
int lister_begin_next_locked(struct lister *l, struct range *to) MUST_CHECK;
/* Give `to` the farther half of the largest range. -ENOENT: it is not worth a
 * request, or nobody knows where; -ENOMEM. */
int lister_divide_locked(struct lister *l, struct range *to) MUST_CHECK;
/* No range may be begun at a key: none is from now on, and `r`, which was, is
 * left to the range before it. Returns false when that one has ended: r has to
 * be listed from the start of the bucket. */
bool lister_undivide_locked(struct lister *l, struct range *r);
/* Would one of them succeed, as far as can be seen? */
bool lister_has_work_locked(struct lister *l);
/* How many more pages like this one, of n keys from `from` to r->after, are in
 * its range. */
double lister_guess_locked(const struct lister *l, const struct range *r,
    const char *from, size_t n);
/* Learn how keys look where they differ. */
void lister_learn_locked(struct lister *l, const struct s3_page *p);

#endif
