/* Encrypted names: what can be read, by whom, what shows, and what is refused. */
#include "tests/kit/vectors.h"

#include "common/components.h"
#include "uplink/path.h"

/* The keys of two buckets under one root. */
struct fixture {
	struct secret *photos;
	struct secret *videos;
};

static int setup(void **state)
{
	static const uint8_t root_bytes[SECRET_BYTES] = {1, 2, 3};
	struct fixture *f = calloc(1, sizeof(*f));
	struct secret *root = secret_from(root_bytes);

	f->photos = path_bucket_key(root, bytes_of_text("photos"));
	f->videos = path_bucket_key(root, bytes_of_text("videos"));
	secret_free(root);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	secret_free(f->photos);
	secret_free(f->videos);
	free(f);
	return 0;
}

struct encrypted {
	uint8_t bytes[MESSAGE_PATH_MAX];
	struct bytes path;
};

static void encrypt(const struct secret *folder, const char *plain, struct encrypted *ret)
{
	struct writer w;

	writer_init(&w, ret->bytes, sizeof(ret->bytes));
	assert_int_equal(path_encrypt(folder, bytes_of_text(plain), &w), ERR_OK);
	ret->path = writer_bytes(&w);
	assert_int_equal(components_check(ret->path), ERR_OK);
}

static const char *const names[] = {
	"a",
	"a/b",
	"2024/holiday/beach.jpg",
	"a//b",
	"a/",
	"/a",
	"/",
	"fifteen bytes!!",
	"sixteen bytes !!!",
	"grün/\xf0\x9f\x8c\xbe",
	"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	char plain[PATH_TEXT], longest[PATH_NAME_MAX + 1] = {0};
	struct encrypted e;

	for (size_t i = 0; i < NAMES; i++) {
		encrypt(f->photos, names[i], &e);
		assert_int_equal(path_decrypt(f->photos, e.path, plain), ERR_OK);
		assert_string_equal(plain, names[i]);
		assert_int_equal(path_decrypt(f->videos, e.path, plain), ERR_AUTH);
	}
	memset(longest, 'x', PATH_NAME_MAX);
	for (size_t len = 1; len <= PATH_NAME_MAX; len++) {
		encrypt(f->photos, longest + PATH_NAME_MAX - len, &e);
		assert_int_equal(e.path.len, 2 + PATH_IV + (len + 15) / 16 * 16);
		assert_int_equal(path_decrypt(f->photos, e.path, plain), ERR_OK);
		assert_int_equal(strlen(plain), len);
	}
}

/* The encrypted form of a folder is a prefix of what is in it, and its key reads the rest and nothing beside. */
static void test_prefixes(void **state)
{
	struct fixture *f = *state;
	struct secret *holiday = path_key(f->photos, bytes_of_text("2024/holiday"));
	struct secret *year = path_key(f->photos, bytes_of_text("2024")), *same;
	struct encrypted folder, file, below, beside;
	char plain[PATH_TEXT];

	encrypt(f->photos, "2024/holiday", &folder);
	encrypt(f->photos, "2024/holiday/beach.jpg", &file);
	assert_memory_equal(file.path.data, folder.path.data, folder.path.len);
	encrypt(holiday, "beach.jpg", &below);
	assert_true(
		bytes_equal(below.path, bytes_of(file.path.data + folder.path.len, file.path.len - folder.path.len)));
	assert_int_equal(path_decrypt(holiday, below.path, plain), ERR_OK);
	assert_string_equal(plain, "beach.jpg");
	encrypt(f->photos, "2024/other", &beside);
	assert_int_equal(path_decrypt(holiday, beside.path, plain), ERR_AUTH);
	assert_int_equal(path_decrypt(holiday, folder.path, plain), ERR_AUTH);
	same = path_key(year, bytes_of_text("holiday"));
	assert_true(secret_equal(same, holiday));
	secret_free(same);
	same = path_key(holiday, bytes_of_text(""));
	assert_true(secret_equal(same, holiday));
	secret_free(same);
	secret_free(year);
	secret_free(holiday);
}

/* Equal names show within one folder, and nowhere else. */
static void test_equality(void **state)
{
	struct fixture *f = *state;
	struct encrypted a, b;
	struct bytes first, second, third;

	encrypt(f->photos, "x", &a);
	encrypt(f->photos, "x", &b);
	assert_true(bytes_equal(a.path, b.path));
	encrypt(f->videos, "x", &b);
	assert_false(bytes_equal(a.path, b.path));
	encrypt(f->photos, "x/x/x", &a);
	assert_true(components_next(&a.path, &first) && components_next(&a.path, &second) &&
		    components_next(&a.path, &third));
	assert_false(bytes_equal(first, second));
	assert_false(bytes_equal(second, third));
	/* Lengths show in steps of 16 only. */
	encrypt(f->photos, "1", &a);
	encrypt(f->photos, "0123456789abcdef", &b);
	assert_int_equal(a.path.len, b.path.len);
}

static void test_tampering(void **state)
{
	struct fixture *f = *state;
	struct encrypted e, other;
	uint8_t moved[MESSAGE_PATH_MAX];
	char plain[PATH_TEXT] = "untouched";
	struct bytes rest, first, second;

	encrypt(f->photos, "a/b", &e);
	for (size_t i = 0; i < e.path.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			e.bytes[i] ^= (uint8_t)(1 << bit);
			assert_int_not_equal(path_decrypt(f->photos, e.path, plain), ERR_OK);
			e.bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t len = 0; len < e.path.len; len++) {
		if (len != 2 + PATH_IV + PATH_PAD) /* which is "a" */
			assert_int_equal(path_decrypt(f->photos, bytes_of(e.bytes, len), plain), ERR_FORMAT);
	}
	assert_string_equal(plain, "untouched");
	/* Components changed over, and a component of another folder. */
	rest = e.path;
	assert_true(components_next(&rest, &first) && components_next(&rest, &second));
	memcpy(moved, second.data - 2, second.len + 2);
	memcpy(moved + second.len + 2, first.data - 2, first.len + 2);
	assert_int_equal(path_decrypt(f->photos, bytes_of(moved, e.path.len), plain), ERR_AUTH);
	encrypt(f->photos, "c/b", &other);
	memcpy(moved, e.bytes, first.len + 2);
	memcpy(moved + first.len + 2, other.bytes + first.len + 2, second.len + 2);
	assert_int_equal(path_decrypt(f->photos, bytes_of(moved, e.path.len), plain), ERR_AUTH);
}

static enum err check(const char *plain, size_t len)
{
	const char *why = NULL;
	enum err err = path_check(bytes_of(plain, len), &why);

	assert_int_equal(err != ERR_OK, why != NULL);
	return err;
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	char plain[2 * PATH_PLAIN_MAX];
	uint8_t small[41];
	struct writer w;

	assert_int_equal(check("", 0), ERR_FORMAT);
	assert_int_equal(check("a\0b", 3), ERR_FORMAT);
	assert_int_equal(check("a\nb", 3), ERR_FORMAT);
	assert_int_equal(check("a\xff", 2), ERR_FORMAT);
	memset(plain, 'x', sizeof(plain));
	assert_int_equal(check(plain, PATH_NAME_MAX), ERR_OK);
	assert_int_equal(check(plain, PATH_NAME_MAX + 1), ERR_RANGE);
	for (size_t at = 200; at < sizeof(plain); at += 200)
		plain[at] = '/';
	assert_int_equal(check(plain, PATH_PLAIN_MAX), ERR_OK);
	assert_int_equal(check(plain, PATH_PLAIN_MAX + 1), ERR_RANGE);
	/* 48 components of 42 bytes fit 2048, 49 do not. */
	memset(plain, '/', sizeof(plain));
	writer_init(&w, (uint8_t[MESSAGE_PATH_MAX]){0}, MESSAGE_PATH_MAX);
	assert_int_equal(path_encrypt(f->photos, bytes_of(plain, 48), &w), ERR_LIMIT);
	assert_int_equal(w.len, 0);
	assert_int_equal(path_encrypt(f->photos, bytes_of(plain, 47), &w), ERR_OK);
	assert_int_equal(w.len, 48 * 42);
	writer_init(&w, small, sizeof(small));
	assert_int_equal(path_encrypt(f->photos, bytes_of("a", 1), &w), ERR_OVERFLOW);
	writer_init(&w, small, sizeof(small));
	assert_int_equal(path_encrypt(f->photos, bytes_of("a\n", 2), &w), ERR_FORMAT);
	assert_int_equal(path_encrypt(f->photos, bytes_of("", 0), &w), ERR_OK);
	assert_int_equal(w.len, 0);
}

static void test_vectors(void **state)
{
	json_t *file = vectors_load("objects"), *vector;
	uint8_t bytes[SECRET_BYTES];
	struct secret *root, *bucket;
	struct encrypted e;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "paths"), i, vector)
	{
		vector_bytes(vector, "root", bytes, sizeof(bytes));
		root = secret_from(bytes);
		bucket = path_bucket_key(root, bytes_of_text(vector_text(vector, "bucket")));
		encrypt(bucket, vector_text(vector, "plain"), &e);
		vector_expect(vector, "encrypted", e.path);
		secret_free(root);
		secret_free(bucket);
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_equality),
		cmocka_unit_test(test_tampering),  cmocka_unit_test(test_limits),   cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
