/*
 * replay - main() of the harnesses where there is no libFuzzer: feeds every file named, or every file of kept/NAME/, and each of them cut
 * off at every length, since that is what connections do.
 */
#include <dirent.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"

#define CUTS_MAX 4096 /* of longer files only the first so many cuts */

static void
feed(const uint8_t *data, size_t n)
{
	/* In memory of its own, so that reading beyond it is seen. */
	uint8_t *copy = malloc(n > 0 ? n : 1);

	PROMISE(copy != NULL);
	if (n > 0)
		memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
feed_file(const char *path)
{
	struct buf in = { .max = 0 };
	char chunk[4096];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&in, chunk, n);
	fclose(f);
	for (size_t cut = 0; cut < in.len && cut < CUTS_MAX; cut++)
		feed((const uint8_t *)in.p, cut);
	feed((const uint8_t *)in.p, in.len);
	buf_fini(&in);
}

static size_t
feed_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	if (dir == NULL) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(dir)) != NULL) {
		struct buf file = { .max = 0 };

		if (entry->d_name[0] == '.')
			continue;
		buf_printf(&file, "%s/%s", path, entry->d_name);
		feed_file(buf_cstr(&file));
		buf_fini(&file);
		n++;
	}
	closedir(dir);
	return n;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir"), *name = strrchr(argv[0], '/');
	char path[4096];

	for (int i = 1; i < argc; i++)
		feed_file(argv[i]);
	if (argc > 1)
		return 0;
	snprintf(path, sizeof(path), "%s/tests/fuzz/kept/%s", srcdir == NULL ? "." : srcdir,
	    name == NULL ? argv[0] : name + 1);
	if (feed_directory(path) == 0) {
		fprintf(stderr, "%s: nothing is kept there\n", path);
		return 1;
	}
	return 0;
}
