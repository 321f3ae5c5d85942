#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/sigv4.h"
#include "store/aws_sign.h"
#include "store/lock.h"

#define SLOTS 8

struct aws_signer {
	pthread_mutex_t lock;
	struct sigv4_key *slot; /* [lock] SLOTS of them, locked memory */
	unsigned next;		/* [lock] slot to overwrite */
};

int
aws_signer_new(struct aws_signer **ret)
{
	struct aws_signer *s;

	*ret = NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	if ((s->slot = sodium_allocarray(SLOTS, sizeof(*s->slot))) == NULL) {
		free(s);
		return -ENOMEM;
	}
	memset(s->slot, 0, SLOTS * sizeof(*s->slot));
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void
aws_signer_free(struct aws_signer *s)
{
	if (s == NULL)
		return;
	sodium_free(s->slot);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct sigv4_key *
find_locked(struct aws_signer *s, const char *service, const char *region)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (strcmp(s->slot[i].service, service) == 0 &&
		    strcmp(s->slot[i].region, region) == 0)
			return &s->slot[i];
	return NULL;
}

static void
key_get(struct aws_signer *s, const struct aws_request *req,
    struct sigv4_key *ret)
{
	struct sigv4_key *k;

	LOCK_SCOPE(&s->lock);
	k = find_locked(s, req->service, req->region);
	*ret = k != NULL ? *k : (struct sigv4_key){ .day = "" };
}

static void
key_put(struct aws_signer *s, const struct aws_request *req,
    const struct sigv4_key *key)
{
	struct sigv4_key *k;

	LOCK_SCOPE(&s->lock);
	k = find_locked(s, req->service, req->region);
	if (k == NULL)
		k = &s->slot[s->next++ % SLOTS];
	*k = *key;
}

/* The buffers of one signing, in one allocation. */
struct room {
	char *raw_path;
	struct sigv4_signed out;
	char host[ENDPOINT_HOST_MAX + 8];
	char payload_hash[SHA256_HEX_LEN + 1];
};

static size_t
query_room(const struct aws_request *req)
{
	size_t n = 1;

	for (size_t i = 0; i < req->query_len; i++)
		n += 3 * (strlen(req->query[i].name) +
		    strlen(req->query[i].value)) + 2;
	return n;
}

static int
make_room(const struct aws_request *req, struct aws_signed *s, struct room **ret)
{
	size_t raw = strlen(req->endpoint->base) + strlen(req->path) + 1;
	size_t path = 3 * raw, query = query_room(req);
	struct room *r;
	char *at;

	s->strings_size_ = sizeof(*r) + raw + path + query;
	if ((s->strings_ = calloc(1, s->strings_size_)) == NULL)
		return -ENOMEM;
	r = (struct room *)(void *)s->strings_;
	at = s->strings_ + sizeof(*r);
	r->raw_path = at;
	r->out.path = at + raw;
	r->out.path_size = path;
	r->out.query = at + raw + path;
	r->out.query_size = query;
	snprintf(r->raw_path, raw, "%s%s", req->endpoint->base, req->path);
	endpoint_host_header(req->endpoint, r->host);
	*ret = r;
	return sha256_hex(req->body.ptr != NULL ? (const void *)req->body.ptr :
	    "", req->body.len, r->payload_hash);
}

static int
add(struct aws_signed *s, const char *name, const char *value)
{
	if (s->header_len >= AWS_SIGNED_HEADERS)
		return -EMSGSIZE;
	s->header[s->header_len++] = (struct pair){ name, value };
	return 0;
}

static int
add_request_headers(struct aws_signed *s, const struct aws_request *req,
    const struct room *room)
{
	int r = add(s, "host", room->host);

	for (size_t i = 0; i < req->header_len && r == 0; i++)
		r = add(s, req->header[i].name, req->header[i].value);
	return r;
}

static int
add_signature_headers(struct aws_signed *s, const struct aws_request *req,
    const struct creds_value *creds, const struct room *room)
{
	int r;

	if ((r = add(s, "x-amz-date", room->out.date)) < 0 ||
	    (r = add(s, "authorization", room->out.authorization)) < 0)
		return r;
	if (strcmp(req->service, "s3") == 0)
		r = add(s, "x-amz-content-sha256", room->payload_hash);
	if (r == 0 && creds->token[0] != '\0')
		r = add(s, "x-amz-security-token", creds->token);
	return r;
}

static int
make_url(struct aws_signed *s, const struct aws_request *req,
    const struct room *room)
{
	int n = asprintf(&s->url, "%s://%s%s%s%s",
	    req->endpoint->is_tls ? "https" : "http", room->host,
	    room->out.path, room->out.query[0] != '\0' ? "?" : "",
	    room->out.query);

	if (n < 0)
		s->url = NULL;
	return n < 0 ? -ENOMEM : 0;
}

static int
sign(struct aws_signer *s, const struct aws_request *req,
    const struct creds_value *creds, int64_t at_unix, struct aws_signed *ret)
{
	struct sigv4_creds sc = { creds->key_id, creds->secret,
		creds->token[0] != '\0' ? creds->token : NULL };
	struct sigv4_key key;
	struct sigv4_request sr;
	struct room *room;
	int r;

	if ((r = make_room(req, ret, &room)) < 0 ||
	    (r = add_request_headers(ret, req, room)) < 0)
		return r;
	sr = (struct sigv4_request){
		.method = req->method,
		.region = req->region,
		.service = req->service,
		.path = { (const uint8_t *)room->raw_path,
		    strlen(room->raw_path) },
		.query = req->query,
		.query_len = req->query_len,
		.headers = ret->header,
		.headers_len = ret->header_len,
		.payload_hash = room->payload_hash,
		.at_unix = at_unix,
	};
	key_get(s, req, &key);
	r = sigv4_sign(&sr, &sc, &key, &room->out);
	if (r == 0)
		key_put(s, req, &key);
	sodium_memzero(&key, sizeof(key));
	if (r == 0)
		r = add_signature_headers(ret, req, creds, room);
	return r < 0 ? r : make_url(ret, req, room);
}

int
aws_sign(struct aws_signer *s, const struct aws_request *req,
    const struct creds_value *creds, int64_t at_unix, struct aws_signed *ret)
{
	int r;

	*ret = (struct aws_signed){ .url = NULL };
	if ((r = sign(s, req, creds, at_unix, ret)) < 0)
		aws_signed_free(ret);
	return r;
}

void
aws_signed_free(struct aws_signed *s)
{
	if (s->strings_ != NULL)
		sodium_memzero(s->strings_, s->strings_size_);
	free(s->strings_);
	free(s->url);
	*s = (struct aws_signed){ .url = NULL };
}
