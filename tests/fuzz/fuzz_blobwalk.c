/* A segment of the blob cache: records one behind the other, and each whole or
 * refused. Where the input says so (an odd last byte) the hashes of heads are
 * made right first, so that what is behind them is reached. */
#include <endian.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/blobwalk.h"
#include "tests/fuzz/fuzz.h"

#define SEQ 1
#define FILE_MAX (64 * 1024)
#define HASHED 48 /* bytes of a head before its hash */

static void
make_right(uint8_t *p, size_t len)
{
	for (size_t at = 0; at + BLOBREC_UNIT <= len; at += BLOBREC_UNIT) {
		uint64_t place[2] = { htole64(SEQ), htole64(at) };
		uint8_t in[HASHED + sizeof(place)];
		uint32_t text;

		memcpy(&text, p + at + 24, sizeof(text));
		text = le32toh(text);
		if (memcmp(p + at, "SESFREC1", 8) != 0)
			continue;
		if (text <= len - at - BLOBREC_HEAD_LEN)
			crypto_generichash(p + at + 32, 16,
			    p + at + BLOBREC_HEAD_LEN, text, NULL, 0);
		memcpy(in, p + at, HASHED);
		memcpy(in + HASHED, place, sizeof(place));
		crypto_generichash(p + at + HASHED, 16, in, sizeof(in), NULL,
		    0);
	}
}

static void
read_one(int fd, uint64_t offset, const struct blobrec_head *h)
{
	struct blobrec_place at = { SEQ, offset };
	struct blob b;
	int r = blobrec_read(fd, at, h->len, h->id, h->body_len, &b);

	MUST(r == 0 || r == -EBADMSG);
	if (r == 0) {
		MUST(b.len == h->body_len && b.meta_len <= BLOBREC_META_MAX);
		for (size_t i = 0; i < b.meta_len; i++)
			MUST(strlen(b.meta[i].name) +
			    strlen(b.meta[i].value) < h->text_len);
		MUST(b.len == 0 || b.body[b.len - 1] == b.body[b.len - 1]);
	}
	blob_clear(&b);
	MUST(blobrec_read(fd, at, h->len, h->id + 1, UINT64_MAX, &b) ==
	    -EBADMSG);
	MUST(blobrec_read(fd, at, h->len + BLOBREC_UNIT, h->id, UINT64_MAX,
	    &b) == -EBADMSG);
	MUST(h->body_len == 0 || blobrec_read(fd, at, h->len, h->id,
	    h->body_len - 1, &b) == -EBADMSG);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t file[FILE_MAX];
	uint64_t offset, end = 0;
	struct blobrec_head h;
	struct blobwalk w;
	int fd;

	len = len < sizeof(file) ? len : sizeof(file);
	if (len == 0)
		return 0;
	memcpy(file, data, len);
	if (data[len - 1] & 1)
		make_right(file, len);
	MUST((fd = memfd_create("fuzz", MFD_CLOEXEC)) >= 0);
	MUST(write(fd, file, len) == (ssize_t)len);
	blobwalk_init(&w, fd, SEQ, len);
	while (blobwalk_next(&w, &h, &offset) == 1) {
		MUST(offset % BLOBREC_UNIT == 0 && offset >= end);
		MUST(h.len >= BLOBREC_UNIT && h.len % BLOBREC_UNIT == 0);
		end = offset + h.len;
		MUST(end <= len && h.id > 0);
		read_one(fd, offset, &h);
	}
	close(fd);
	return 0;
}
