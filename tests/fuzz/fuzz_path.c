/*
 * Hostile bytes as an encrypted path, as a plain one, and as components. Whatever decrypts encrypts to the same bytes,
 * and a plain path that may be encrypted comes back; walking components agrees with checking them.
 */
#include <stdlib.h>
#include <string.h>

#include "common/components.h"
#include "uplink/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encrypted(const struct secret *folder, struct bytes from)
{
	uint8_t again[MESSAGE_PATH_MAX];
	char plain[PATH_TEXT];
	struct writer w;

	/* A lone empty name is "a/" seen from "a", and has no other way to be written. */
	if (path_decrypt(folder, from, plain) != ERR_OK || plain[0] == '\0')
		return;
	writer_init(&w, again, sizeof(again));
	if (path_encrypt(folder, bytes_of_text(plain), &w) != ERR_OK || !bytes_equal(writer_bytes(&w), from))
		abort();
}

static void check_plain(const struct secret *folder, struct bytes from)
{
	uint8_t encrypted[MESSAGE_PATH_MAX];
	char plain[PATH_TEXT];
	const char *why = NULL;
	struct writer w;
	enum err err = path_check(from, &why), made;

	writer_init(&w, encrypted, sizeof(encrypted));
	made = path_encrypt(folder, from, &w);
	if (err != ERR_OK) {
		if (why == NULL || (from.len > 0 && made != err))
			abort();
		return;
	}
	if (made == ERR_LIMIT)
		return;
	if (made != ERR_OK || path_decrypt(folder, writer_bytes(&w), plain) != ERR_OK)
		abort();
	if (!bytes_equal(bytes_of_text(plain), from))
		abort();
}

static void check_components(struct bytes from)
{
	struct bytes rest = from, component;
	size_t sum = 0;

	while (components_next(&rest, &component))
		sum += 2 + component.len;
	if ((components_check(from) == ERR_OK) != (rest.len == 0) || sum + rest.len != from.len)
		abort();
	if (components_check(components_parent(from)) != ERR_OK)
		abort();
	if (components_check(components_child(from, bytes_of(NULL, 0))) != ERR_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[SECRET_BYTES] = {1, 2, 3};
	struct secret *folder = secret_from(key);

	check_encrypted(folder, bytes_of(data, size));
	check_plain(folder, bytes_of(data, size));
	check_components(bytes_of(data, size));
	secret_free(folder);
	return 0;
}
