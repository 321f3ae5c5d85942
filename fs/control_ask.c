#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/control.h"
#include "fs/sockline.h"

/* A daemon that loads a million objects still answers within this. */
#define ANSWER_MS 120000

/* One line of the reply. 1: it was the last. */
static int
take_line(const char *line, size_t len, control_progress_fn *progress,
    void *arg, json_t **ret, char why[256])
{
	json_t *j = json_loadb(line, len, 0, NULL), *ok, *p;
	int r = -EPROTO;

	ok = json_object_get(j, "ok");
	p = json_object_get(j, "progress");
	if (p != NULL) {
		if (progress != NULL)
			progress(arg, p);
		r = 0;
	} else if (json_is_true(ok)) {
		*ret = json_incref(json_object_get(j, "result"));
		r = 1;
	} else if (json_is_false(ok)) {
		const char *e =
		    json_string_value(json_object_get(j, "error"));

		snprintf(why, 256, "%s", e != NULL ? e : "refused");
		r = -EREMOTEIO;
	}
	json_decref(j);
	return r;
}

int
control_ask(const char *state_dir, const char *request,
    control_progress_fn *progress, void *arg, json_t **ret, char why[256])
{
	struct sockline in = { 0 };
	int fd = sockline_connect(state_dir), r;
	char *line;
	size_t len;

	*ret = NULL;
	why[0] = '\0';
	if (fd < 0)
		return fd;
	r = sockline_send(fd, -1, request, strlen(request),
	    CONTROL_TIMEOUT_MS);
	if (r == 0)
		r = sockline_send(fd, -1, "\n", 1, CONTROL_TIMEOUT_MS);
	while (r == 0) {
		r = sockline_read(fd, -1, &in, CONTROL_REPLY_MAX, ANSWER_MS,
		    &line, &len);
		if (r == 0)
			r = take_line(line, len, progress, arg, ret, why);
	}
	sockline_free(&in);
	close(fd);
	return r > 0 ? 0 : r;
}

uint64_t
control_u64(const json_t *j, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(j, name));
}
