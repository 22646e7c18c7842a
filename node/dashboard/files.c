/* Embedded files, or those of a directory in their place. */
#include "node/dashboard/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/hash.h"
#include "common/hex.h"

#define FILE_MOST (4 * 1024 * 1024)

static const struct web_file *find_file(const char *name)
{
	for (size_t i = 0; i < web_file_count; i++)
		if (strcmp(web_files[i].name, name) == 0)
			return &web_files[i];
	return NULL;
}

/* False when the directory has no such file. */
static bool answer_from(struct http_request *request, const struct web_file *known, const char *dir)
{
	char *path = file_join(dir, known->name), *text = NULL, etag[65];
	struct bytes32 hash;
	size_t len = 0;
	bool found = file_read(path, FILE_MOST, &text, &len) == ERR_OK;

	if (found) {
		struct http_file file = {known->file.type, etag, bytes_of(text, len), bytes_of(NULL, 0)};

		hash_once("granary.file", text, len, &hash);
		hex_encode(bytes_of(hash.b, sizeof(hash.b)), etag);
		http_answer_file(request, &file);
	}
	free(text);
	free(path);
	return found;
}

void files_answer(struct http_request *request, const char *name, const char *dir)
{
	const struct web_file *known = find_file(name);

	if (known == NULL)
		http_answer_error(request, 404, "no such file");
	else if (dir == NULL || !answer_from(request, known, dir))
		http_answer_file(request, &known->file);
}
