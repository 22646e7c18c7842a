/*
 * main() of a fuzz target where there is no fuzzer: feed it every file of its corpus, printing TAP.
 *
 * Without arguments the corpus of fuzz_X is $GRANARY_CORPORA/X; arguments are files to feed instead, such as the
 * crash that a fuzzer left behind.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"

#define INPUT_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count, failures;

static void feed(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	enum err err = file_read(path, INPUT_MAX, &text, &len);

	/* A fault in the target ends the program; prove then says which input comes next in the numbering. */
	printf("# %s\n", path);
	fflush(stdout);
	if (err == ERR_OK)
		LLVMFuzzerTestOneInput((const uint8_t *)text, len);
	else
		failures++;
	printf("%s %u - %s\n", err == ERR_OK ? "ok" : "not ok", ++count, path);
	free(text);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void feed_corpus(const char *program)
{
	const char *corpora = getenv("GRANARY_CORPORA"), *name = strstr(program, "fuzz_");
	struct dirent **entries = NULL;
	char *dir;
	int found;

	if (corpora == NULL || name == NULL) {
		fprintf(stderr, "set GRANARY_CORPORA to tests/fuzz/corpus, or name the files to feed\n");
		exit(2);
	}
	dir = file_join(corpora, name + strlen("fuzz_"));
	found = scandir(dir, &entries, is_visible, alphasort);
	if (found <= 0) {
		printf("not ok 1 - %s: %s\n", dir, found < 0 ? strerror(errno) : "empty");
		failures++;
		count++;
	}
	for (int i = 0; i < found; i++) {
		char *path = file_join(dir, entries[i]->d_name);

		feed(path);
		free(path);
		free(entries[i]);
	}
	free(entries);
	free(dir);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	if (argc == 1)
		feed_corpus(slash == NULL ? argv[0] : slash + 1);
	for (int i = 1; i < argc; i++)
		feed(argv[i]);
	printf("1..%u\n", count);
	return failures == 0 ? 0 : 1;
}
