/* plain.h -- verified messages in memory, within a budget.
 *
 * Plaintext (and the bodies on their way to it) is bounded over all threads: a
 * caller takes bytes before it fetches and waits while others hold too many.
 * A message is reference-counted and wiped when its last user lets go, unless
 * only a part of it was served (message_served): then it is held until all of
 * it was, it has been idle for some seconds, or its bytes are wanted. Large
 * messages are in undumpable memory, locked as far as RLIMIT_MEMLOCK allows.
 * Threads: any. */
#ifndef SESFS_STORE_PLAIN_H
#define SESFS_STORE_PLAIN_H

#include "crypto/base.h"

#define PLAIN_MAP_MIN (128 * 1024) /* bytes; from here on a mapping, locked */
#define PLAIN_IDLE_S 3		   /* seconds a held message may be idle */

struct plain;
struct message;

int plain_new(uint64_t limit, struct plain **ret) MUST_CHECK;
void plain_free(struct plain *p); /* no message may be in use */
DEFINE_FREEP(struct plain, plain_free)

/* Take `bytes` of the budget, waiting while others hold it. Granted in the
 * order of asking: small ones would starve a large one for as long as they
 * keep coming. More than the whole budget is granted when nobody else holds
 * any. Who holds some must not ask for more. */
void plain_take(struct plain *p, uint64_t bytes);
/* The same without waiting: false when others wait or hold too many. */
bool plain_try_take(struct plain *p, uint64_t bytes);
void plain_give(struct plain *p, uint64_t bytes);

/* A held message of this id, with a reference, or NULL. */
struct message *plain_find(struct plain *p, int64_t id);

/* A new message of `len` bytes to be filled through message_buf, one reference,
 * not yet to be found. The caller has taken the budget for it and keeps it
 * until plain_publish. -ENOMEM. */
int plain_message(struct plain *p, int64_t id, size_t len,
    struct message **ret) MUST_CHECK;
uint8_t *message_buf(struct message *m);
/* Cut to the bytes that decryption made and hold it. The message now owns the `len` of
 * plain_message bytes of budget and gives them back when it goes. */
void plain_publish(struct message *m, size_t len);
void message_ref(struct message *m);
/* message_data, message_served, message_unref: source.h. */

void plain_wipe_all(struct plain *p);	      /* all that is held idle */
void plain_expire(struct plain *p, int64_t now_s);
void plain_get_stats(struct plain *p, uint64_t *ret_bytes, uint64_t *ret_held);

#endif
