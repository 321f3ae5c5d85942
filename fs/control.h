/* control.h -- the socket on which a daemon is asked and told.
 *
 * STATE-DIR/control, mode 0600, for the daemon's user and root. A client sends
 * one line of JSON and reads lines of JSON: any number of {"progress": ...},
 * then {"ok": true, "result": ...} or {"ok": false, "error": "..."}. There is
 * one request per connection. One thread accepts, one more serves each client,
 * at most CONTROL_CLIENTS_MAX at once. A client that says nothing for
 * CONTROL_TIMEOUT_MS is dropped. */
#ifndef SESFS_FS_CONTROL_H
#define SESFS_FS_CONTROL_H

#include <jansson.h>

#include "crypto/base.h"

#define CONTROL_REQUEST_MAX 1024     /* bytes of a request line */
#define CONTROL_REPLY_MAX (16 << 20) /* bytes of a reply line */
#define CONTROL_TIMEOUT_MS 5000
#define CONTROL_CLIENTS_MAX 8

enum control_cmd {
	CONTROL_STATUS,
	CONTROL_SYNC,
	CONTROL_FORGET,
	CONTROL_WARM,
	CONTROL_LOG_LEVEL,
};

enum control_forget { FORGET_KEYS, FORGET_CACHE };

struct control_request {
	enum control_cmd cmd;
	bool all;		    /* status: name every refused object */
	enum control_forget forget; /* forget */
	bool has_folder;	    /* warm: this one only */
	char folder[256];
	unsigned level;		    /* log-level: enum log_level */
};

/* One line, without its newline. Returns 0; -EINVAL with *ret_why. Pure. */
int control_parse(const char *line, size_t len, struct control_request *ret,
    const char **ret_why) MUST_CHECK;

/* ---- the daemon's side ---- */

struct control;
struct control_client;

/* Answer a request: on 0 *ret_result (taken over; NULL is null) is sent, else
 * the error's text. Runs on the client's thread and may block until the daemon
 * ends. Threads: several at once. */
typedef int control_fn(void *arg, const struct control_request *req,
    struct control_client *client, json_t **ret_result);

struct control_opts {
	const char *state_dir;
	control_fn *fn;
	void *arg;
};

/* Make the socket (an old one is replaced: the state directory is locked) and
 * start the thread. Returns 0 or -errno, logged. */
int control_start(const struct control_opts *o, struct control **ret)
    MUST_CHECK;
/* Remove the socket, wait for the clients, end the threads. A handler that
 * blocks is the caller's to wake. */
void control_free(struct control *c);
DEFINE_FREEP(struct control, control_free)

/* Send {"progress": p} (taken over). -EPIPE, -ETIMEDOUT: the client is gone.
 * -ECANCELED: the daemon ends. */
int control_progress(struct control_client *client, json_t *p) MUST_CHECK;

/* ---- the client's side ---- */

/* Ask the daemon of a state directory. progress may be NULL. *ret: the result
 * (json_decref) or NULL. Returns 0; -ECONNREFUSED or -ENOENT when no daemon is
 * there; -EACCES; -ETIMEDOUT; -EPROTO; -EREMOTEIO when it answered with an
 * error, whose text is in why. */
typedef void control_progress_fn(void *arg, const json_t *p);
int control_ask(const char *state_dir, const char *request,
    control_progress_fn *progress, void *arg, json_t **ret, char why[256])
    MUST_CHECK;

/* A member of a result or of progress; 0 when it is absent or no integer. */
uint64_t control_u64(const json_t *j, const char *name);

#endif
