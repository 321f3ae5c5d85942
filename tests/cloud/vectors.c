#include "vectors.h"

#include "kms.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META "x-amz-meta-"
#define ALL_POSITIVE "vectors-positive"

static const char *
text(json_t *v, const char *name)
{
	return json_string_value(json_object_get(v, name));
}

static int
decode(json_t *v, const char *name, struct buf *ret)
{
	const char *s = text(v, name);

	return s != NULL ? buf_unbase64(ret, s, strlen(s)) : -EINVAL;
}

static void
add_headers(struct object *o, json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach (headers, name, value)
		if (strncmp(name, META, strlen(META)) == 0)
			object_add_meta(o, name + strlen(META),
			    json_string_value(value));
}

/* The object of a vector; NULL when its body cannot be read. */
static struct object *
vector_object(struct cloud *c, json_t *v)
{
	struct object *o = object_new(text(v, "object_key"), cloud_now(c));
	struct buf body = { 0 }, plain = { 0 };

	if (decode(v, "body_base64", &body) < 0) {
		object_unref(o);
		return NULL;
	}
	add_headers(o, json_object_get(v, "headers"));
	object_set_body(o, &body);
	if (decode(v, "plaintext_base64", &plain) == 0)
		o->stored->plain = bytes_new(&plain);
	return o;
}

static struct object *
instruction_object(struct cloud *c, json_t *v)
{
	json_t *file = json_object_get(v, "instruction_file");
	const char *key = text(file, "object_key"), *body = text(file, "body");
	struct buf b = { 0 };
	struct object *o;

	if (key == NULL || body == NULL)
		return NULL;
	o = object_new(key, cloud_now(c));
	add_headers(o, json_object_get(file, "headers"));
	buf_str(&b, body);
	object_set_body(o, &b);
	return o;
}

static void
add_kms(struct cloud *c, json_t *v)
{
	json_t *kms = json_object_get(v, "kms");
	const char *arn = text(kms, "key_id");
	CLEANUP(buf_free) struct buf context = { 0 }, blob = { 0 },
				     plain = { 0 };

	if (arn == NULL || decode(kms, "ciphertext_blob_base64", &blob) < 0 ||
	    decode(kms, "plaintext_key_base64", &plain) < 0)
		return;
	kms_canonical(json_object_get(kms, "encryption_context"), &context);
	kms_add_opaque(c->kms, arn, &context, &blob, &plain);
}

/* Put into the vector's own bucket, and, for the first positive that has the
 * key, into the one of all. */
static void
put(struct cloud *c, const char *bucket, bool positive, struct object *o)
{
	static const struct store_if absent = { .absent = true };

	if (o == NULL)
		return;
	cloud_need_bucket(c, bucket);
	if (positive)
		store_put(c->store, ALL_POSITIVE, object_ref(o), &absent);
	store_put(c->store, bucket, o, NULL);
}

static void
load(struct cloud *c, json_t *v)
{
	const char *kind = text(v, "kind");
	bool positive = kind != NULL && strcmp(kind, "positive") == 0;
	struct arena a = { 0 };
	char *bucket = arena_fmt(&a, "v-%s", text(v, "name"));

	cloud_need_bucket(c, ALL_POSITIVE);
	put(c, bucket, positive, vector_object(c, v));
	put(c, bucket, positive, instruction_object(c, v));
	add_kms(c, v);
	arena_free(&a);
}

int
vectors_load_file(struct cloud *c, const char *path, char why[128])
{
	json_error_t err;
	json_t *v = json_load_file(path, 0, &err);

	if (v == NULL) {
		snprintf(why, 128, "%.60s: %.60s", path, err.text);
		return -EINVAL;
	}
	if (text(v, "name") != NULL && text(v, "object_key") != NULL)
		load(c, v);
	json_decref(v);
	return 0;
}

static int
is_json(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return dot != NULL && strcmp(dot, ".json") == 0;
}

static int
load_folder(struct cloud *c, const char *dir, char why[128])
{
	struct dirent **names;
	struct arena a = { 0 };
	int n = scandir(dir, &names, is_json, alphasort), r = 0;

	if (n < 0)
		return 0;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = vectors_load_file(c, arena_fmt(&a, "%s/%s", dir,
			    names[i]->d_name), why);
		free(names[i]);
	}
	free(names);
	arena_free(&a);
	return r < 0 ? r : n;
}

int
vectors_load(struct cloud *c, const char *dir, char why[128])
{
	static const char *const folders[] = { "", "/positive", "/negative" };
	struct arena a = { 0 };
	int total = 0, n = 0;

	for (size_t i = 0; i < NELEMS(folders) && n >= 0; i++) {
		n = load_folder(c, arena_fmt(&a, "%s%s", dir, folders[i]), why);
		total += n;
	}
	arena_free(&a);
	if (n >= 0 && total == 0)
		snprintf(why, 128, "%.100s: no vectors", dir);
	return n < 0 || total == 0 ? -EINVAL : total;
}
