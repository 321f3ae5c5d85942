/* server.h -- HTTP on loopback, by libmicrohttpd: two polling threads, and a
 * timer for replies that are to be late. */
#ifndef CLOUD_SERVER_H
#define CLOUD_SERVER_H

#include "cloud.h"

struct server;

/* Listen on 127.0.0.1:`port` (0 for any). With `cert` and `key` (PEM texts),
 * TLS. Returns 0 or a negative errno. */
int server_start(struct cloud *c, uint16_t port, const char *cert,
    const char *key, struct server **ret) MUST_CHECK;

uint16_t server_port(const struct server *s);

/* Answer what is delayed, then close. */
void server_stop(struct server *s);

#endif
