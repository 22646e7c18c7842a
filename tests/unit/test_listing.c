/* Listing objects: prefixes, folders, paging, and a random bucket against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/components.h"
#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/office.h"

#define BUCKET "films"

static int set_up(void **state)
{
	struct office *office = memory_new(1, sizeof(*office));

	office_open(office, "2/3/4/6");
	office_make_bucket(office, BUCKET);
	*state = office;
	return 0;
}

/* An empty object: no segments. */
static void put_bytes(struct office *office, struct bytes path)
{
	struct bytes32 version = office_begin_object(office, BUCKET, path, 0);

	assert_int_equal(office_commit_object(office, &version, 0, 0), REFUSAL_NONE);
}

static void put(struct office *office, const char *text)
{
	uint8_t path[256];

	put_bytes(office, bytes_of(path, office_path(text, path)));
}

/* "a b/ c" for objects a and c and folder b, in the order told; "+" at the end when there is more. */
static char *list(struct office *office, const char *prefix, const char *after, bool recursive, uint32_t limit)
{
	static char out[4096];
	uint8_t prefix_path[256], after_path[256];
	struct message message = {.type = MSG_LIST_OBJECTS}, part;
	struct writer w;
	bool more = false;

	message.list_objects = (struct msg_list_objects){
		.bucket = bytes_of_text(BUCKET),
		.prefix = bytes_of(prefix_path, office_path(prefix, prefix_path)),
		.after = bytes_of(after_path, office_path(after, after_path)),
		.recursive = recursive,
		.limit = limit,
	};
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	writer_init(&w, out, sizeof(out) - 1);
	while (office_answer(office, &part)) {
		struct reader r;

		assert_int_equal(part.type, MSG_OBJECTS);
		more = part.objects.more;
		reader_init(&r, part.objects.objects.raw);
		for (uint32_t i = 0; i < part.objects.objects.count; i++) {
			struct item_object item;
			struct bytes component;

			list_next(&item_object_fields, &r, &item);
			if (w.len > 0)
				write_u8(&w, ' ');
			for (int depth = 0; components_next(&item.path, &component); depth++) {
				if (depth > 0)
					write_u8(&w, '/');
				write_raw(&w, component.data, component.len);
			}
			if (item.folder)
				write_u8(&w, '/');
			else
				assert_true(bytes_equal(item.metadata, bytes_of_text("sealed")));
		}
	}
	if (more)
		write_u8(&w, '+');
	assert_int_equal(w.err, ERR_OK);
	out[w.len] = '\0';
	return out;
}

static void test_levels(void **state)
{
	struct office *office = *state;

	put(office, "b/c");
	put(office, "a");
	put(office, "b/e/f");
	put(office, "b/d");
	put(office, "z");
	assert_string_equal(list(office, "", "", false, 0), "a b/ z");
	assert_string_equal(list(office, "b", "", false, 0), "b/c b/d b/e/");
	assert_string_equal(list(office, "b/e", "", false, 0), "b/e/f");
	assert_string_equal(list(office, "b/e/f", "", false, 0), "");
	assert_string_equal(list(office, "nothing", "", false, 0), "");
	assert_string_equal(list(office, "", "", true, 0), "a b/c b/d b/e/f z");
	assert_string_equal(list(office, "b", "", true, 0), "b/c b/d b/e/f");
}

static void test_pages(void **state)
{
	struct office *office = *state;

	put(office, "a");
	put(office, "b/c");
	put(office, "b/d");
	put(office, "z");
	assert_string_equal(list(office, "", "", false, 1), "a+");
	assert_string_equal(list(office, "", "a", false, 1), "b/+");
	assert_string_equal(list(office, "", "b", false, 1), "z");
	assert_string_equal(list(office, "", "z", false, 1), "");
	assert_string_equal(list(office, "", "a", true, 2), "b/c b/d+");
	assert_string_equal(list(office, "", "b/d", true, 2), "z");
	assert_string_equal(list(office, "b", "a", true, 9), "b/c b/d");
	assert_string_equal(list(office, "b", "z", true, 9), "");
}

/* What is an object and a folder at once is told whole, so that `after` is not ambiguous. */
static void test_object_named_like_folder(void **state)
{
	struct office *office = *state;

	put(office, "a");
	put(office, "a/b");
	put(office, "c");
	assert_string_equal(list(office, "", "", false, 0), "a a/ c");
	assert_string_equal(list(office, "", "", false, 1), "a a/+");
	assert_string_equal(list(office, "", "a", false, 1), "c");
	assert_string_equal(list(office, "", "", true, 0), "a a/b c");
}

static void test_unseen(void **state)
{
	struct office *office = *state;
	uint8_t path[256];
	size_t len = office_path("upload", path);
	struct message message = {.type = MSG_REMOVE_OBJECT, .get_object = {bytes_of_text(BUCKET), bytes_of(path, 0)}};

	office_begin_object(office, BUCKET, bytes_of(path, len), 0);
	put(office, "gone");
	message.get_object.path = bytes_of(path, office_path("gone", path));
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	assert_string_equal(list(office, "", "", false, 0), "");
}

static void test_refusals(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_LIST_OBJECTS};

	message.list_objects.bucket = bytes_of_text("others");
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_FOUND);
	message.list_objects.bucket = bytes_of_text(BUCKET);
	message.list_objects.prefix = bytes_of("\0\5abc", 5);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NAME);
	assert_non_null(strstr(office->why, "prefix"));
	message.list_objects.prefix = bytes_of(NULL, 0);
	message.list_objects.after = bytes_of("\0\0", 2);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NAME);
	assert_non_null(strstr(office->why, "after"));
}

#define MODEL_OBJECTS 300

/* A path of one to four components of a tiny alphabet, so that names collide and nest. */
static size_t random_path(struct random_stream *random, uint8_t out[256])
{
	char text[64];
	struct writer w;
	uint64_t depth = 1 + random_stream_below(random, 4);

	writer_init(&w, text, sizeof(text) - 1);
	for (uint64_t i = 0; i < depth; i++) {
		if (i > 0)
			write_u8(&w, '/');
		for (uint64_t j = 0; j <= random_stream_below(random, 2); j++)
			write_u8(&w, (uint8_t)('a' + random_stream_below(random, 3)));
	}
	text[w.len] = '\0';
	return office_path(text, out);
}

struct model_path {
	uint8_t bytes[256];
	size_t len;
};

static int compare_paths(const void *a, const void *b)
{
	const struct model_path *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Everything of one level, told by going over all paths. */
static size_t model_level(const struct model_path *paths, size_t count, struct bytes prefix, struct model_path *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		struct bytes path = bytes_of(paths[i].bytes, paths[i].len);
		struct bytes child = components_child(path, prefix);

		if (child.len == 0 || (found > 0 && ret[found - 1].len == child.len + 1 &&
				       memcmp(ret[found - 1].bytes, child.data, child.len) == 0))
			continue;
		/* A folder is marked by one byte more. */
		memcpy(ret[found].bytes, child.data, child.len);
		ret[found].bytes[child.len] = '/';
		ret[found++].len = child.len + (child.len < path.len);
	}
	return found;
}

static void check_level(struct office *office, const struct model_path *wanted, size_t count, struct bytes prefix,
			uint32_t limit)
{
	struct message message = {.type = MSG_LIST_OBJECTS}, part;
	uint8_t after[256];
	size_t at = 0;
	bool more = true;

	message.list_objects =
		(struct msg_list_objects){.bucket = bytes_of_text(BUCKET), .prefix = prefix, .limit = limit};
	while (more) {
		assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
		while (office_answer(office, &part)) {
			struct reader r;

			more = part.objects.more;
			reader_init(&r, part.objects.objects.raw);
			for (uint32_t i = 0; i < part.objects.objects.count; i++, at++) {
				struct item_object item;

				list_next(&item_object_fields, &r, &item);
				assert_true(at < count);
				assert_int_equal(item.path.len + item.folder, wanted[at].len);
				assert_memory_equal(item.path.data, wanted[at].bytes, item.path.len);
				memcpy(after, item.path.data, item.path.len);
				message.list_objects.after = bytes_of(after, item.path.len);
			}
		}
	}
	assert_int_equal(at, count);
}

static void test_against_model(void **state)
{
	static struct model_path paths[MODEL_OBJECTS], level[MODEL_OBJECTS];
	struct office *office = *state;
	struct random_stream random;
	size_t count = 0;

	random_stream_init(&random, bytes_of_text("listing"));
	while (count < MODEL_OBJECTS) {
		paths[count].len = random_path(&random, paths[count].bytes);
		put_bytes(office, bytes_of(paths[count].bytes, paths[count].len));
		count++;
	}
	qsort(paths, count, sizeof(paths[0]), compare_paths);
	for (size_t i = count; i-- > 1;)
		if (compare_paths(&paths[i], &paths[i - 1]) == 0)
			memmove(&paths[i], &paths[i + 1], (--count - i) * sizeof(paths[0]));
	for (int round = 0; round < 40; round++) {
		const struct model_path *some = &paths[random_stream_below(&random, count)];
		struct bytes prefix = components_parent(bytes_of(some->bytes, some->len));
		uint32_t limit = (uint32_t)random_stream_below(&random, 7);

		check_level(office, level, model_level(paths, count, prefix, level), prefix, limit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_pages, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_object_named_like_folder, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_unseen, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_against_model, set_up, office_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
