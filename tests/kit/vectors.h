/* Frozen vectors, tests/vectors/NAME.json, for the unit tests that check them. Every missing thing fails the test. */
#ifndef GRANARY_TESTS_KIT_VECTORS_H
#define GRANARY_TESTS_KIT_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/hex.h"

/* The caller calls json_decref. */
static inline json_t *vectors_load(const char *name)
{
	const char *dir = getenv("GRANARY_VECTORS");
	char path[1024];
	json_t *file;

	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/%s.json", dir, name);
	file = json_load_file(path, 0, NULL);
	assert_non_null(file);
	return file;
}

/* A list that is not empty, so that a loop over it checks something. */
static inline json_t *vectors_list(json_t *file, const char *name)
{
	json_t *list = json_object_get(file, name);

	assert_true(json_array_size(list) > 0);
	return list;
}

static inline const char *vector_text(const json_t *vector, const char *name)
{
	const char *text = json_string_value(json_object_get(vector, name));

	assert_non_null(text);
	return text;
}

static inline uint64_t vector_number(const json_t *vector, const char *name)
{
	const json_t *number = json_object_get(vector, name);

	assert_true(json_is_integer(number));
	return (uint64_t)json_integer_value(number);
}

/* Hex of any length into `out`; returns how many bytes. */
static inline size_t vector_bytes(const json_t *vector, const char *name, void *out, size_t room)
{
	const char *hex = vector_text(vector, name);
	size_t len = strlen(hex) / 2, done = 0;
	char part[3] = {0};

	assert_true(len <= room && strlen(hex) % 2 == 0);
	for (; done < len; done++) {
		memcpy(part, hex + 2 * done, 2);
		assert_int_equal(hex_decode(part, (uint8_t *)out + done, 1), ERR_OK);
	}
	return len;
}

static inline void vector_expect(const json_t *vector, const char *name, struct bytes found)
{
	char *hex = malloc(2 * found.len + 1);

	assert_non_null(hex);
	hex_encode(found, hex);
	assert_string_equal(hex, vector_text(vector, name));
	free(hex);
}

#endif
