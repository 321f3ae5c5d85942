/* walk -- reads every file of a directory that holds files alone, and says how
 * fast.
 *
 * The directory is listed first, then each file is opened, read to its end and
 * closed, as tar and grep do. One reader for all that is compared, in C, so
 * that the reader's own time stays small beside what it measures. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define BUFFER (1u << 20)
#define MAX_THREADS 256

enum order { BY_DIRECTORY, BY_INODE, BY_NAME, REVERSE, RANDOM, ORDERS };

static const char *const order_names[ORDERS] = {
	[BY_DIRECTORY] = "directory",
	[BY_INODE] = "inode",
	[BY_NAME] = "name",
	[REVERSE] = "reverse",
	[RANDOM] = "random",
};

struct file {
	char *name;
	ino_t inode;
	uint64_t ns; /* of its open, read, close */
};

struct walk {
	enum order order;
	unsigned threads;
	size_t limit; /* files to read at most */
	int dir_fd;
	struct file *files;
	size_t n, cap;
	size_t next; /* atomic: the file to be taken by a thread */
	uint64_t bytes; /* atomic */
};

static void
die(const char *what)
{
	fprintf(stderr, "walk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
add(struct walk *w, const struct dirent *e)
{
	if (w->n == w->cap) {
		w->cap = w->cap > 0 ? 2 * w->cap : 1024;
		w->files = realloc(w->files, w->cap * sizeof *w->files);
		if (w->files == NULL)
			die("memory");
	}
	w->files[w->n] = (struct file){ strdup(e->d_name), e->d_ino, 0 };
	if (w->files[w->n++].name == NULL)
		die("memory");
}

/* s3fs does not say what is a file. */
static bool
may_be_file(const struct dirent *e)
{
	return e->d_type != DT_DIR && strcmp(e->d_name, ".") != 0 &&
	    strcmp(e->d_name, "..") != 0;
}

static void
list(struct walk *w, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (d == NULL || (w->dir_fd = dup(dirfd(d))) < 0)
		die(path);
	while (errno = 0, (e = readdir(d)) != NULL)
		if (may_be_file(e))
			add(w, e);
	if (errno != 0)
		die(path);
	closedir(d);
}

static int
compare_inodes(const void *va, const void *vb)
{
	const struct file *a = va, *b = vb;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

static int
compare_names(const void *va, const void *vb)
{
	const struct file *a = va, *b = vb;

	return strcmp(a->name, b->name);
}

static int
compare_backwards(const void *va, const void *vb)
{
	return compare_names(vb, va);
}

/* The same order in every run: xorshift from a constant. */
static void
shuffle(struct file *files, size_t n)
{
	uint64_t x = 88172645463325252u;
	struct file f;
	size_t j;

	for (size_t i = n; i > 1; i--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = x % i;
		f = files[i - 1];
		files[i - 1] = files[j];
		files[j] = f;
	}
}

static void
arrange(struct walk *w)
{
	static int (*const compare[ORDERS])(const void *, const void *) = {
		[BY_INODE] = compare_inodes,
		[BY_NAME] = compare_names,
		[REVERSE] = compare_backwards,
		/* The directory's order may depend on the file system; the
		 * random one does not. */
		[RANDOM] = compare_names,
	};

	if (w->n > 0 && compare[w->order] != NULL)
		qsort(w->files, w->n, sizeof *w->files, compare[w->order]);
	if (w->order == RANDOM)
		shuffle(w->files, w->n);
}

static void
read_file(struct walk *w, struct file *f, char *buf)
{
	uint64_t start = now_ns(), bytes = 0;
	int fd = openat(w->dir_fd, f->name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		die(f->name);
	while ((n = read(fd, buf, BUFFER)) > 0)
		bytes += (uint64_t)n;
	if (n < 0)
		die(f->name);
	close(fd);
	f->ns = now_ns() - start;
	__atomic_add_fetch(&w->bytes, bytes, __ATOMIC_RELAXED);
}

static void *
reader(void *vw)
{
	struct walk *w = vw;
	char *buf = malloc(BUFFER);
	size_t i;

	if (buf == NULL)
		die("memory");
	while ((i = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED)) <
	    w->limit)
		read_file(w, &w->files[i], buf);
	free(buf);
	return NULL;
}

static void
read_all(struct walk *w)
{
	pthread_t threads[MAX_THREADS];

	if (w->limit > w->n)
		w->limit = w->n;
	for (unsigned i = 1; i < w->threads; i++)
		if ((errno = pthread_create(&threads[i], NULL, reader, w)) != 0)
			die("thread");
	reader(w);
	for (unsigned i = 1; i < w->threads; i++)
		pthread_join(threads[i], NULL);
}

static int
compare_times(const void *va, const void *vb)
{
	const struct file *a = va, *b = vb;

	return (a->ns > b->ns) - (a->ns < b->ns);
}

/* Microseconds that so many per cent of the files took at most. */
static double
percentile(const struct walk *w, size_t percent)
{
	size_t rank = (w->limit * percent + 99) / 100;

	return rank == 0 ? 0 : (double)w->files[rank - 1].ns / 1000;
}

static void
report(struct walk *w, double list_s, double read_s)
{
	qsort(w->files, w->limit, sizeof *w->files, compare_times);
	printf("listed=%zu files=%zu bytes=%llu list_s=%.6f read_s=%.6f "
	       "seconds=%.6f files_per_s=%.1f p50_us=%.1f p99_us=%.1f "
	       "max_us=%.1f\n",
	    w->n, w->limit, (unsigned long long)w->bytes, list_s, read_s,
	    list_s + read_s, (double)w->limit / (list_s + read_s),
	    percentile(w, 50), percentile(w, 99), percentile(w, 100));
}

static void
usage(void)
{
	fputs("usage: walk [-o directory|inode|name|reverse|random] "
	      "[-t THREADS] [-k FILES] DIRECTORY\n", stderr);
	exit(2);
}

static size_t
number(const char *s, size_t max)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0 || v == 0 ||
	    v > max)
		usage();
	return (size_t)v;
}

static enum order
order_of(const char *name)
{
	for (int i = 0; i < ORDERS; i++)
		if (strcmp(name, order_names[i]) == 0)
			return (enum order)i;
	usage();
	return ORDERS;
}

int
main(int argc, char **argv)
{
	struct walk w = { .threads = 1, .limit = SIZE_MAX };
	uint64_t start, listed;
	int opt;

	while ((opt = getopt(argc, argv, "o:t:k:")) != -1) {
		if (opt == 'o')
			w.order = order_of(optarg);
		else if (opt == 't')
			w.threads = (unsigned)number(optarg, MAX_THREADS);
		else if (opt == 'k')
			w.limit = number(optarg, SIZE_MAX - 1);
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
	start = now_ns();
	list(&w, argv[optind]);
	listed = now_ns();
	arrange(&w);
	read_all(&w);
	report(&w, (double)(listed - start) / 1e9,
	    (double)(now_ns() - listed) / 1e9);
	for (size_t i = 0; i < w.n; i++)
		free(w.files[i].name);
	free(w.files);
	close(w.dir_fd);
	return 0;
}
