/* opening.h -- one object on its way to a verified message.
 *
 * The body from the blob cache, else from S3; its key from the keyring, else
 * the seal, else by its envelope from KMS; decrypted whole and verified. What
 * is held on this machine and does not fit (a damaged file, an old key) is
 * dropped and had anew: S3 and KMS decide. For source.c alone. Threads: any,
 * one per opening. */
#ifndef SESFS_STORE_OPENING_H
#define SESFS_STORE_OPENING_H

#include <stdatomic.h>

#include "store/fetch.h"
#include "store/plain.h"
#include "store/unwrap.h"

struct opener {
	struct fetch_opts fetch; /* constant */
	struct unwrap *unwrap;	 /* constant */
	struct plain *plain;	 /* constant */
	atomic_uint_fast64_t decrypts, auth_failures;
};

struct opening {
	struct object *o;
	bool is_local;	     /* nothing but what is at hand: no waiting */
	bool asked_kms;	     /* the key is as fresh as can be */
	char kms_request[KMS_REQUEST_MAX]; /* its id, once asked */
	bool has_new_box;    /* o->key_sealed is not what the index has */
	enum refusal why;    /* with -EBADMSG and -ENOKEY */
	bool has_held;	     /* held is the key, by ring or seal */
	struct content_key held;
	struct unwrap_early early;
	struct envelope *envelope; /* of the body being opened; NULL when a
				    * held key made it needless */
	bool is_ciphertext;  /* the body that was opened */
	struct message *message; /* decrypted, not yet published */
	size_t len;		 /* bytes of it */
};

/* Open op->o; the caller has taken 2 * o->size bytes of the plain budget. On 0
 * op->message is there (one reference) with op->len bytes, and op->o has what
 * was learnt on the way. -EINPROGRESS: is_local, and it is not to be had
 * without asking S3 or KMS. -EBADMSG and -ENOKEY: refused, op->why says why.
 * Others as source_open. */
int opening_run(struct opener *p, struct opening *op) MUST_CHECK;

/* The bit of enum accept that let this envelope in. Pure. */
uint8_t opening_accept_bit(const struct envelope *e);

#endif
