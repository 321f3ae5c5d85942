/* Runs a fuzz target over the files of the folder named by its argument. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static int
replay(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *data = NULL;
	long len = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if ((f = fopen(path, "rb")) != NULL && fseek(f, 0, SEEK_END) == 0 &&
	    (len = ftell(f)) >= 0) {
		rewind(f);
		/* Exactly as long, so that a sanitizer sees what is behind. */
		data = malloc((size_t)len);
		if (fread(data, 1, (size_t)len, f) != (size_t)len)
			len = -1;
	}
	if (f != NULL)
		fclose(f);
	if (len < 0) {
		perror(path);
	} else {
		printf("%s\n", name);
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, (size_t)len);
	}
	free(data);
	return len < 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct dirent *d;
	size_t n = 0;
	DIR *dir;
	int r = 0;

	if (argc != 2 || (dir = opendir(argv[1])) == NULL) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		if (replay(argv[1], d->d_name) < 0)
			r = 1;
		n++;
	}
	closedir(dir);
	if (n == 0)
		fprintf(stderr, "%s: nothing to replay\n", argv[1]);
	return n == 0 ? 1 : r;
}
