#include "store/blobtable.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SESFTAB1"
#define NAME "table"
#define TMP_NAME "table.tmp"
#define HASH_LEN 32
#define BUFFER (64 * 1024)

struct head {
	char magic[8];
	uint32_t segs; /* little-endian, as all numbers here */
	uint32_t reserved;
	uint64_t items;
};

struct seg {
	uint32_t seq, is_big;
	uint64_t len;
};

struct item {
	uint16_t id[3]; /* low part first */
	uint16_t seg;
	uint32_t place; /* unit, and from bit 17 on the number of units */
};
_Static_assert(sizeof(struct head) == 24 && sizeof(struct seg) == 16 &&
    sizeof(struct item) == 12, "no padding");

uint64_t
blobtable_len(uint64_t segs, uint64_t items)
{
	return sizeof(struct head) + segs * sizeof(struct seg) +
	    items * sizeof(struct item) + HASH_LEN;
}

/* ---- writing ---- */

struct blobtable_out {
	int dirfd;
	FILE *file;
	int err;
	uint64_t segs_left, items_left;
	crypto_generichash_state hash;
};

static void
put(struct blobtable_out *t, const void *p, size_t len)
{
	crypto_generichash_update(&t->hash, p, len);
	if (t->err == 0 && fwrite(p, len, 1, t->file) != 1)
		t->err = errno != 0 ? -errno : -EIO;
}

int
blobtable_create(int dirfd, uint32_t segs, uint64_t items,
    struct blobtable_out **ret)
{
	struct head h = { .magic = MAGIC, .segs = htole32(segs),
		.items = htole64(items) };
	struct blobtable_out *t;
	int fd, r = -ENOMEM;

	*ret = NULL;
	if ((t = malloc(sizeof(*t))) == NULL)
		return -ENOMEM;
	*t = (struct blobtable_out){ .dirfd = dirfd, .segs_left = segs,
		.items_left = items };
	fd = openat(dirfd, TMP_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd < 0)
		r = -errno;
	else if ((t->file = fdopen(fd, "w")) == NULL)
		close(fd);
	if (t->file == NULL) {
		free(t);
		return r;
	}
	setvbuf(t->file, NULL, _IOFBF, BUFFER);
	crypto_generichash_init(&t->hash, NULL, 0, HASH_LEN);
	put(t, &h, sizeof(h));
	*ret = t;
	return 0;
}

void
blobtable_put_seg(struct blobtable_out *t, const struct blobtable_seg *s)
{
	struct seg out = { htole32(s->seq), htole32(s->is_big),
		htole64(s->len) };

	put(t, &out, sizeof(out));
	t->segs_left--;
}

void
blobtable_put_item(struct blobtable_out *t, const struct blobtable_item *i)
{
	struct item out = { .seg = htole16(i->at.slot),
		.place = htole32(i->at.unit | i->at.units << 17) };

	for (int k = 0; k < 3; k++)
		out.id[k] = htole16((uint16_t)(i->id >> (16 * k)));
	put(t, &out, sizeof(out));
	t->items_left--;
}

int
blobtable_finish(struct blobtable_out *t)
{
	uint8_t hash[HASH_LEN];
	int r;

	crypto_generichash_final(&t->hash, hash, HASH_LEN);
	if (t->err == 0 && fwrite(hash, HASH_LEN, 1, t->file) != 1)
		t->err = -EIO;
	r = t->segs_left == 0 && t->items_left == 0 ? t->err : -EINVAL;
	if (fclose(t->file) != 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(t->dirfd, TMP_NAME, t->dirfd, NAME) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(t->dirfd, TMP_NAME, 0);
	free(t);
	return r;
}

/* ---- reading ---- */

struct blobtable_in {
	FILE *file;
	uint32_t segs, segs_left;
	uint64_t items_left;
};

int
blobtable_take(int dirfd, int *ret_fd)
{
	int r = 0;

	unlinkat(dirfd, TMP_NAME, 0);
	*ret_fd = openat(dirfd, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (*ret_fd < 0)
		r = -errno;
	if (r == -ENOENT || unlinkat(dirfd, NAME, 0) == 0)
		return r;
	/* It would be believed the next time, too. */
	r = -errno;
	if (*ret_fd >= 0)
		close(*ret_fd);
	*ret_fd = -1;
	return r;
}

/* All but the hash goes into it. */
static bool
has_right_hash(FILE *f, uint64_t len)
{
	uint8_t buf[BUFFER / 16], want[HASH_LEN], got[HASH_LEN];
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, HASH_LEN);
	for (uint64_t left = len - HASH_LEN; left > 0;) {
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		if (fread(buf, n, 1, f) != 1)
			return false;
		crypto_generichash_update(&st, buf, n);
		left -= n;
	}
	crypto_generichash_final(&st, got, HASH_LEN);
	return fread(want, HASH_LEN, 1, f) == 1 &&
	    memcmp(want, got, HASH_LEN) == 0;
}

/* Do the numbers add up to the file's length? Done before anything is read, so
 * that what follows is bounded by it. */
static bool
parse_head(struct blobtable_in *t, uint64_t len, uint64_t max_items)
{
	struct head h;

	if (fread(&h, sizeof(h), 1, t->file) != 1 ||
	    memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 ||
	    le64toh(h.items) > max_items ||
	    le32toh(h.segs) > BLOBTABLE_SEGS_MAX)
		return false;
	t->segs = t->segs_left = le32toh(h.segs);
	t->items_left = le64toh(h.items);
	return blobtable_len(t->segs, t->items_left) == len;
}

int
blobtable_open(int fd, uint64_t max_items, struct blobtable_in **ret)
{
	CLEANUP(blobtable_closep) struct blobtable_in *t = NULL;
	struct stat st;
	int r = -ENOMEM;

	*ret = NULL;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EBADMSG;
	else if ((t = calloc(1, sizeof(*t))) != NULL)
		t->file = fdopen(fd, "r");
	if (t == NULL || t->file == NULL) {
		close(fd);
		return r;
	}
	setvbuf(t->file, NULL, _IOFBF, BUFFER);
	if (!parse_head(t, (uint64_t)st.st_size, max_items) ||
	    fseeko(t->file, 0, SEEK_SET) < 0 ||
	    !has_right_hash(t->file, (uint64_t)st.st_size) ||
	    fseeko(t->file, sizeof(struct head), SEEK_SET) < 0)
		return -EBADMSG;
	*ret = TAKE(t);
	return 0;
}

void
blobtable_close(struct blobtable_in *t)
{
	if (t == NULL)
		return;
	if (t->file != NULL)
		fclose(t->file);
	free(t);
}

uint32_t
blobtable_segs(const struct blobtable_in *t)
{
	return t->segs;
}

bool
blobtable_get_seg(struct blobtable_in *t, struct blobtable_seg *ret)
{
	struct seg in;

	if (t->segs_left == 0 || fread(&in, sizeof(in), 1, t->file) != 1)
		return false;
	t->segs_left--;
	*ret = (struct blobtable_seg){ le32toh(in.seq), in.is_big != 0,
		le64toh(in.len) };
	return true;
}

bool
blobtable_get_item(struct blobtable_in *t, struct blobtable_item *ret)
{
	uint32_t place;
	struct item in;

	if (t->segs_left > 0 || t->items_left == 0 ||
	    fread(&in, sizeof(in), 1, t->file) != 1)
		return false;
	t->items_left--;
	place = le32toh(in.place);
	*ret = (struct blobtable_item){ .at = { le16toh(in.seg),
		place & BLOBLRU_UNIT_MAX, place >> 17 } };
	for (int k = 0; k < 3; k++)
		ret->id |= (int64_t)le16toh(in.id[k]) << (16 * k);
	return true;
}
