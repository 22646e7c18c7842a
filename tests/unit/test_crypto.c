/* The encryption of objects: what a satellite or a node could do to it is refused. */
#include "tests/kit/vectors.h"

#include "common/random.h"
#include "uplink/crypto.h"
#include "uplink/path.h"

/* A segment of an object, and keys to its path. */
struct fixture {
	struct secret *path_key;
	struct secret *other_path;
	struct secret *segment_key;
	struct crypto_place place;
	uint8_t wrapped[CRYPTO_WRAPPED];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct secret *root = secret_generate(), *bucket = path_bucket_key(root, bytes_of_text("photos"));
	struct key *satellite = key_generate();

	f->path_key = path_key(bucket, bytes_of_text("a/b"));
	f->other_path = path_key(bucket, bytes_of_text("a/c"));
	f->segment_key = secret_generate();
	f->place = (struct crypto_place){*key_id(satellite), bytes_of_text("photos"), {{1}}, 3, false, 60000000};
	crypto_wrap_key(f->path_key, &f->place, f->segment_key, f->wrapped);
	secret_free(root);
	secret_free(bucket);
	key_free(satellite);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	secret_free(f->path_key);
	secret_free(f->other_path);
	secret_free(f->segment_key);
	free(f);
	return 0;
}

static void test_units(void **state)
{
	struct fixture *f = *state;
	static uint8_t unit[32768], open[32768], zeros[32768];
	static const size_t sizes[] = {16, 64, 128, 4096, 32768};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i], plain = (size - CRYPTO_TAG) / 2;

		memset(unit, 0x77, sizeof(unit));
		memset(unit + plain, 0xff, size - plain); /* must be padded over */
		crypto_seal_unit(f->segment_key, 9, unit, size, plain);
		assert_int_equal(crypto_open_unit(f->segment_key, 9, bytes_of(unit, size), open), ERR_OK);
		for (size_t at = 0; at < plain; at++)
			assert_int_equal(open[at], 0x77);
		assert_memory_equal(open + plain, zeros, size - CRYPTO_TAG - plain);
		assert_int_equal(crypto_open_unit(f->segment_key, 8, bytes_of(unit, size), open), ERR_AUTH);
		assert_int_equal(crypto_open_unit(f->path_key, 9, bytes_of(unit, size), open), ERR_AUTH);
		assert_int_equal(crypto_open_unit(f->segment_key, 9, bytes_of(unit, size - 1), open), ERR_AUTH);
		assert_int_equal(crypto_open_unit(f->segment_key, 9, bytes_of(unit, 15), open), ERR_AUTH);
		unit[size - 1] ^= 1;
		assert_int_equal(crypto_open_unit(f->segment_key, 9, bytes_of(unit, size), open), ERR_AUTH);
		assert_memory_equal(open, zeros, size - CRYPTO_TAG);
		unit[size - 1] ^= 1;
		/* In place. */
		assert_int_equal(crypto_open_unit(f->segment_key, 9, bytes_of(unit, size), unit), ERR_OK);
	}
}

static enum err unwrap(const struct fixture *f, const struct crypto_place *place)
{
	struct secret *found = NULL;
	enum err err = crypto_unwrap_key(f->path_key, place, bytes_of(f->wrapped, sizeof(f->wrapped)), &found);

	assert_int_equal(err == ERR_OK, found != NULL);
	if (found != NULL)
		assert_true(secret_equal(found, f->segment_key));
	secret_free(found);
	return err;
}

/* A segment swapped with another, the last one cut off, a size changed, another bucket, another version of the object,
 * another satellite, another path: none unwraps. */
static void test_places(void **state)
{
	struct fixture *f = *state;
	struct crypto_place place = f->place;
	struct secret *found = NULL;

	assert_int_equal(unwrap(f, &place), ERR_OK);
	place.number = 4;
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	place = f->place;
	place.last = true;
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	place = f->place;
	place.plain_size--;
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	place = f->place;
	place.bucket = bytes_of_text("videos");
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	place.bucket = bytes_of_text("photo");
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	place = f->place;
	place.version.b[0] = 2;
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	place = f->place;
	place.satellite.b[32] ^= 1;
	assert_int_equal(unwrap(f, &place), ERR_AUTH);
	assert_int_equal(crypto_unwrap_key(f->other_path, &f->place, bytes_of(f->wrapped, CRYPTO_WRAPPED), &found),
			 ERR_AUTH);
	assert_null(found);
}

static void test_wrapped_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t again[CRYPTO_WRAPPED], longer[CRYPTO_WRAPPED + 1] = {0};
	struct secret *found = NULL;

	for (size_t i = 0; i < CRYPTO_WRAPPED; i++) {
		f->wrapped[i] ^= 0x40;
		assert_int_equal(unwrap(f, &f->place), ERR_AUTH);
		f->wrapped[i] ^= 0x40;
	}
	memcpy(longer, f->wrapped, CRYPTO_WRAPPED);
	for (size_t len = 0; len <= sizeof(longer); len++) {
		if (len == CRYPTO_WRAPPED)
			continue;
		assert_int_equal(crypto_unwrap_key(f->path_key, &f->place, bytes_of(longer, len), &found), ERR_FORMAT);
	}
	/* A fresh nonce each time. */
	crypto_wrap_key(f->path_key, &f->place, f->segment_key, again);
	assert_memory_not_equal(again, f->wrapped, CRYPTO_WRAPPED);
	assert_memory_not_equal(again, f->wrapped, 24);
}

static void test_metadata(void **state)
{
	struct fixture *f = *state;
	struct crypto_metadata in = {{{1}}, 12345, 1700000000, bytes_of_text("text/plain")}, out;
	uint8_t sealed[CRYPTO_METADATA_MAX + 1], buffer[CRYPTO_METADATA_MAX];
	struct crypto_place place = f->place;
	struct writer w;
	struct bytes found;

	writer_init(&w, sealed, CRYPTO_METADATA_MAX);
	assert_int_equal(crypto_seal_metadata(f->path_key, &place, &in, &w), ERR_OK);
	found = writer_bytes(&w);
	/* A listing knows neither version nor segment. */
	place = (struct crypto_place){.satellite = f->place.satellite, .bucket = f->place.bucket};
	assert_int_equal(crypto_open_metadata(f->path_key, &place, found, buffer, &out), ERR_OK);
	assert_memory_equal(out.version.b, in.version.b, 32);
	assert_int_equal(out.plain_size, 12345);
	assert_int_equal(out.modified, 1700000000);
	assert_true(bytes_equal(out.type, in.type));
	for (size_t i = 0; i < found.len; i++) {
		sealed[i] ^= 1;
		assert_int_equal(crypto_open_metadata(f->path_key, &place, found, buffer, &out), ERR_AUTH);
		sealed[i] ^= 1;
	}
	for (size_t len = 0; len < found.len; len++)
		assert_int_not_equal(crypto_open_metadata(f->path_key, &place, bytes_of(sealed, len), buffer, &out),
				     ERR_OK);
	assert_int_equal(crypto_open_metadata(f->path_key, &place, bytes_of(sealed, sizeof(sealed)), buffer, &out),
			 ERR_FORMAT);
	assert_int_equal(crypto_open_metadata(f->other_path, &place, found, buffer, &out), ERR_AUTH);
	place.bucket = bytes_of_text("videos");
	assert_int_equal(crypto_open_metadata(f->path_key, &place, found, buffer, &out), ERR_AUTH);
}

static void test_metadata_refused(void **state)
{
	struct fixture *f = *state;
	char type[CRYPTO_TYPE_MAX + 1];
	struct crypto_metadata in = {{{1}}, 1, 1, bytes_of_text("a\nb")};
	uint8_t sealed[CRYPTO_METADATA_MAX];
	struct writer w;

	writer_init(&w, sealed, sizeof(sealed));
	assert_int_equal(crypto_seal_metadata(f->path_key, &f->place, &in, &w), ERR_FORMAT);
	memset(type, 'x', sizeof(type));
	in.type = bytes_of(type, sizeof(type));
	assert_int_equal(crypto_seal_metadata(f->path_key, &f->place, &in, &w), ERR_RANGE);
	assert_int_equal(w.len, 0);
	in.type = bytes_of(type, CRYPTO_TYPE_MAX);
	assert_int_equal(crypto_seal_metadata(f->path_key, &f->place, &in, &w), ERR_OK);
	assert_int_equal(w.len, CRYPTO_METADATA_MAX);
	assert_int_equal(crypto_seal_metadata(f->path_key, &f->place, &in, &w), ERR_OVERFLOW);
}

static struct secret *vector_path_key(const json_t *vector)
{
	uint8_t bytes[SECRET_BYTES];
	struct secret *root, *bucket, *key;

	vector_bytes(vector, "root", bytes, sizeof(bytes));
	root = secret_from(bytes);
	bucket = path_bucket_key(root, bytes_of_text(vector_text(vector, "bucket")));
	key = path_key(bucket, bytes_of_text(vector_text(vector, "path")));
	secret_free(root);
	secret_free(bucket);
	return key;
}

static void check_unit_vector(const json_t *vector)
{
	uint8_t key[SECRET_BYTES], unit[1024];
	size_t size = vector_number(vector, "unit_size");
	struct secret *secret;

	vector_bytes(vector, "key", key, sizeof(key));
	secret = secret_from(key);
	crypto_seal_unit(secret, vector_number(vector, "number"), unit, size,
			 vector_bytes(vector, "plain", unit, sizeof(unit)));
	vector_expect(vector, "sealed", bytes_of(unit, size));
	secret_free(secret);
}

static void check_wrapped_vector(const json_t *vector)
{
	struct crypto_place place = {.bucket = bytes_of_text(vector_text(vector, "bucket")),
				     .number = (uint32_t)vector_number(vector, "number"),
				     .last = vector_number(vector, "last") == 1,
				     .plain_size = vector_number(vector, "plain_size")};
	struct secret *path = vector_path_key(vector), *found = NULL;
	uint8_t wrapped[CRYPTO_WRAPPED];

	vector_bytes(vector, "satellite", place.satellite.b, sizeof(place.satellite.b));
	vector_bytes(vector, "version", place.version.b, sizeof(place.version.b));
	assert_int_equal(vector_bytes(vector, "wrapped", wrapped, sizeof(wrapped)), CRYPTO_WRAPPED);
	assert_int_equal(crypto_unwrap_key(path, &place, bytes_of(wrapped, sizeof(wrapped)), &found), ERR_OK);
	vector_expect(vector, "segment_key", bytes_of(secret_bytes(found), SECRET_BYTES));
	secret_free(found);
	secret_free(path);
}

static void check_metadata_vector(const json_t *vector)
{
	struct crypto_place place = {.bucket = bytes_of_text(vector_text(vector, "bucket"))};
	struct secret *path = vector_path_key(vector);
	uint8_t sealed[CRYPTO_METADATA_MAX], buffer[CRYPTO_METADATA_MAX];
	size_t len = vector_bytes(vector, "sealed", sealed, sizeof(sealed));
	struct crypto_metadata found;

	vector_bytes(vector, "satellite", place.satellite.b, sizeof(place.satellite.b));
	assert_int_equal(crypto_open_metadata(path, &place, bytes_of(sealed, len), buffer, &found), ERR_OK);
	vector_expect(vector, "version", bytes_of(found.version.b, 32));
	assert_int_equal(found.plain_size, vector_number(vector, "plain_size"));
	assert_int_equal(found.modified, vector_number(vector, "modified"));
	assert_true(bytes_equal(found.type, bytes_of_text(vector_text(vector, "type"))));
	secret_free(path);
}

static void test_vectors(void **state)
{
	json_t *file = vectors_load("objects"), *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "units"), i, vector) check_unit_vector(vector);
	json_array_foreach(vectors_list(file, "wrapped_keys"), i, vector) check_wrapped_vector(vector);
	json_array_foreach(vectors_list(file, "metadata"), i, vector) check_metadata_vector(vector);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_wrapped_bytes),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_metadata_refused),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
