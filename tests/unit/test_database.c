/*
 * The database layer: values come back as they went in, migrations run once and in order, failures roll back, and
 * two writers wait for each other.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/database.h"
#include "common/file.h"

static const struct migration migrations[] = {
	{1, "CREATE TABLE thing (id @int PRIMARY KEY, name @text NOT NULL UNIQUE, data @bytes) @strict;"
	    "CREATE TABLE part (thing @int NOT NULL REFERENCES thing (id), size @int CHECK (size < 10)) @strict"},
	{2, "ALTER TABLE thing ADD COLUMN note @text NOT NULL DEFAULT 'it''s @int'"},
	{3, "CREATE TABLE counter (value @int NOT NULL) @strict; INSERT INTO counter (value) VALUES (0);"
	    "CREATE TABLE diary (line @int NOT NULL) @strict; @append_only(diary)"},
};

struct fixture {
	char dir[64];
	char *path;
	struct database *db;
};

static struct database *open_database(const char *path, size_t versions)
{
	struct database *db = NULL;
	char why[DATABASE_MESSAGE] = "";

	if (database_open(path, migrations, versions, &db, why) != ERR_OK)
		fail_msg("%s", why);
	return db;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strncpy(f->dir, "/tmp/granary-test-XXXXXX", sizeof(f->dir) - 1);
	assert_non_null(mkdtemp(f->dir));
	f->path = file_join(f->dir, "test.db");
	f->db = open_database(f->path, 3);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	database_close(f->db);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0); /* closing left neither log nor index of the WAL behind */
	free(f->path);
	free(f);
	return 0;
}

/* What a transaction is to insert, and what became of it. */
struct insertion {
	uint64_t id;
	const char *name;
	struct bytes data;
	enum err fail_with; /* returned after inserting */
	int runs;
};

static enum err insert(struct database *db, void *arg)
{
	struct insertion *in = arg;
	struct query *q = database_query(db, "INSERT INTO thing (id, name, data) VALUES ($id, $name, $data)");
	enum err err;

	in->runs++;
	query_int(q, "id", in->id);
	query_text(q, "name", in->name);
	query_bytes(q, "data", in->data);
	err = query_run(q);
	return err == ERR_OK ? in->fail_with : err;
}

static enum err insert_thing(struct database *db, uint64_t id, const char *name)
{
	struct insertion in = {id, name, bytes_of("\0\1", 2), ERR_OK, 0};

	return database_transaction(db, insert, &in);
}

static uint64_t count_things(struct database *db)
{
	struct query *q = database_query(db, "SELECT count(*) FROM thing");
	uint64_t count;

	assert_int_equal(query_one(q), ERR_OK);
	count = query_get_int(q, 0);
	query_reset(q);
	return count;
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct insertion in = {INT64_MAX, "na'me @int", bytes_of("a\0b", 3), ERR_OK, 0};
	uint8_t exact[3];
	struct query *q;
	bool row = false;

	assert_int_equal(database_transaction(f->db, insert, &in), ERR_OK);
	assert_true(database_changes(f->db) == 1);
	q = database_query(f->db, "SELECT id, name, data, note, NULL FROM thing WHERE id = $id");
	query_int(q, "id", INT64_MAX);
	assert_int_equal(query_step(q, &row), ERR_OK);
	assert_true(row);
	assert_true(query_get_int(q, 0) == INT64_MAX);
	assert_string_equal(query_get_text(q, 1), "na'me @int");
	assert_true(bytes_equal(query_get_bytes(q, 2), in.data));
	assert_string_equal(query_get_text(q, 3), "it's @int");
	assert_true(query_is_null(q, 4) && !query_is_null(q, 3));
	assert_string_equal(query_get_text(q, 4), "");
	assert_int_equal(query_get_exact(q, 2, exact, 3), ERR_OK);
	assert_memory_equal(exact, "a\0b", 3);
	assert_int_equal(query_get_exact(q, 2, exact, 2), ERR_CORRUPT);
	assert_int_equal(query_get_exact(q, 0, exact, 3), ERR_CORRUPT);
	assert_int_equal(query_get_exact(q, 4, exact, 0), ERR_CORRUPT);
	assert_int_equal(query_step(q, &row), ERR_OK);
	assert_false(row);
}

static void test_no_row(void **state)
{
	struct fixture *f = *state;
	struct query *q = database_query(f->db, "SELECT id FROM thing WHERE name = $name");

	query_text(q, "name", "nobody");
	assert_int_equal(query_one(q), ERR_NOT_FOUND);
}

static enum err insert_null_and_empty(struct database *db, void *arg)
{
	const char *sql = "INSERT INTO thing (id, name, data) VALUES ($id, $name, $data)";
	struct query *q = database_query(db, sql);
	enum err err;

	(void)arg;
	query_int(q, "id", 1);
	query_text(q, "name", "null");
	query_null(q, "data");
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	assert_ptr_equal(database_query(db, sql), q);
	query_int(q, "id", 2);
	query_text(q, "name", "empty");
	query_bytes(q, "data", bytes_of(NULL, 0));
	return query_run(q);
}

static void test_null_is_not_empty(void **state)
{
	struct fixture *f = *state;
	struct query *q;
	bool row = false;

	assert_int_equal(database_transaction(f->db, insert_null_and_empty, NULL), ERR_OK);
	q = database_query(f->db, "SELECT data FROM thing ORDER BY id");
	assert_int_equal(query_step(q, &row), ERR_OK);
	assert_true(query_is_null(q, 0));
	assert_int_equal(query_step(q, &row), ERR_OK);
	assert_true(!query_is_null(q, 0) && query_get_bytes(q, 0).len == 0);
	query_reset(q);
}

static void test_number_too_large(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(insert_thing(f->db, (uint64_t)INT64_MAX + 1, "large"), ERR_RANGE);
	assert_string_equal(database_message(f->db), "$id: 9223372036854775808 does not fit in 63 bits");
	assert_true(count_things(f->db) == 0);
}

static void test_bad_sql(void **state)
{
	struct fixture *f = *state;
	struct query *q = database_query(f->db, "SELECT a FROM nowhere WHERE x = $x");
	bool row = true;

	query_int(q, "x", 1);
	assert_int_equal(query_step(q, &row), ERR_DATABASE);
	assert_string_equal(database_message(f->db), "no such table: nowhere");
	/* "name" in double quotes is a column, not a text. */
	q = database_query(f->db, "SELECT \"text\"");
	assert_int_equal(query_one(q), ERR_DATABASE);
}

static enum err insert_part(struct database *db, void *arg)
{
	const uint64_t *values = arg;
	struct query *q = database_query(db, "INSERT INTO part (thing, size) VALUES ($thing, $size)");

	query_int(q, "thing", values[0]);
	query_int(q, "size", values[1]);
	return query_run(q);
}

static enum err insert_wrong_type(struct database *db, void *arg)
{
	struct query *q = database_query(db, "INSERT INTO thing (id, name) VALUES (5, $name)");

	(void)arg;
	query_bytes(q, "name", bytes_of("x", 1));
	return query_run(q);
}

static void test_constraints(void **state)
{
	struct fixture *f = *state;
	uint64_t orphan[] = {9, 1}, large[] = {1, 10}, good[] = {1, 9};

	assert_int_equal(insert_thing(f->db, 1, "one"), ERR_OK);
	assert_int_equal(insert_thing(f->db, 1, "other"), ERR_EXISTS);
	assert_int_equal(insert_thing(f->db, 2, "one"), ERR_EXISTS);
	assert_non_null(strstr(database_message(f->db), "thing.name"));
	assert_int_equal(database_transaction(f->db, insert_part, orphan), ERR_CONFLICT);
	assert_int_equal(database_transaction(f->db, insert_part, large), ERR_CONFLICT);
	assert_int_equal(database_transaction(f->db, insert_part, good), ERR_OK);
	assert_int_equal(database_transaction(f->db, insert_wrong_type, NULL), ERR_CONFLICT);
	assert_true(count_things(f->db) == 1);
}

static enum err run_sql(struct database *db, void *arg)
{
	return query_run(database_query(db, arg));
}

/* What an append-only table holds stays. */
static void test_append_only(void **state)
{
	static char insert_line[] = "INSERT INTO diary (line) VALUES (1)", update[] = "UPDATE diary SET line = 2",
		    delete[] = "DELETE FROM diary";
	struct fixture *f = *state;
	struct query *q;

	assert_int_equal(database_transaction(f->db, run_sql, insert_line), ERR_OK);
	assert_int_equal(database_transaction(f->db, run_sql, update), ERR_CONFLICT);
	assert_string_equal(database_message(f->db), "diary is append-only");
	assert_int_equal(database_transaction(f->db, run_sql, delete), ERR_CONFLICT);
	q = database_query(f->db, "SELECT COUNT(*), MAX(line) FROM diary");
	assert_int_equal(query_one(q), ERR_OK);
	assert_int_equal(query_get_int(q, 0), 1);
	assert_int_equal(query_get_int(q, 1), 1);
	query_reset(q);
}

static void test_rolled_back(void **state)
{
	struct fixture *f = *state;
	struct insertion in = {1, "one", bytes_of("x", 1), ERR_LIMIT, 0};

	assert_int_equal(database_transaction(f->db, insert, &in), ERR_LIMIT);
	assert_true(count_things(f->db) == 0);
	/* A callback's own ERR_BUSY is its answer, not a reason to try again. */
	in.fail_with = ERR_BUSY;
	in.runs = 0;
	assert_int_equal(database_transaction(f->db, insert, &in), ERR_BUSY);
	assert_int_equal(in.runs, 1);
	assert_true(count_things(f->db) == 0);
	in.fail_with = ERR_OK;
	assert_int_equal(database_transaction(f->db, insert, &in), ERR_OK);
	assert_true(count_things(f->db) == 1);
}

/* A view sees one state of things, whatever another connection commits meanwhile. */
static enum err look_twice(struct database *db, void *arg)
{
	struct database *other = arg;
	struct query *q = database_query(db, "SELECT id FROM thing");
	uint64_t before = count_things(db);
	bool row = false;

	assert_int_equal(query_step(q, &row), ERR_OK); /* left open, to be reset for us */
	assert_int_equal(insert_thing(other, 50, "fifty"), ERR_OK);
	assert_true(count_things(db) == before);
	return ERR_OK;
}

static void test_view(void **state)
{
	struct fixture *f = *state;
	struct database *other = open_database(f->path, 3);

	assert_int_equal(insert_thing(f->db, 1, "one"), ERR_OK);
	assert_int_equal(insert_thing(f->db, 2, "two"), ERR_OK);
	assert_int_equal(database_view(f->db, look_twice, other), ERR_OK);
	assert_true(count_things(f->db) == 3);
	database_close(other);
}

static void test_migrates_older(void **state)
{
	struct fixture *f = *state;
	struct query *q;

	database_close(f->db);
	unlink(f->path);
	f->db = open_database(f->path, 1);
	assert_int_equal(insert_thing(f->db, 7, "seven"), ERR_OK);
	assert_int_equal(query_one(database_query(f->db, "SELECT note FROM thing")), ERR_DATABASE);
	database_close(f->db);
	f->db = open_database(f->path, 3);
	q = database_query(f->db, "SELECT name, note, (SELECT number FROM schema_version) FROM thing");
	assert_int_equal(query_one(q), ERR_OK);
	assert_string_equal(query_get_text(q, 0), "seven");
	assert_string_equal(query_get_text(q, 1), "it's @int");
	assert_int_equal(query_get_int(q, 2), 3);
	query_reset(q);
}

static void test_newer_refused(void **state)
{
	struct fixture *f = *state;
	struct database *db = NULL;
	char why[DATABASE_MESSAGE];

	assert_int_equal(database_open(f->path, migrations, 2, &db, why), ERR_UNSUPPORTED);
	assert_string_equal(why, "its version is 3, newer than this program's 2; use a newer program");
	assert_null(db);
}

/* A migration that fails leaves the database at the one before, whole. */
static void test_failed_migration(void **state)
{
	static const struct migration broken[] = {
		{1, "CREATE TABLE one (a @int) @strict"},
		{2, "CREATE TABLE two (a @int) @strict; INSERT INTO nowhere VALUES (1)"},
	};
	static const struct migration mended[] = {
		{1, "CREATE TABLE one (a @int) @strict"},
		{2, "CREATE TABLE two (a @int) @strict"},
	};
	struct fixture *f = *state;
	char *path = file_join(f->dir, "broken.db"), why[DATABASE_MESSAGE];
	struct database *db = NULL;

	assert_int_equal(database_open(path, broken, 2, &db, why), ERR_DATABASE);
	assert_string_equal(why, "migration 2: no such table: nowhere");
	assert_int_equal(database_open(path, mended, 2, &db, why), ERR_OK);
	database_close(db);
	unlink(path);
	free(path);
}

static void test_not_a_database(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, "text"), *below = file_join(f->dir, "no/such"), why[DATABASE_MESSAGE], text[200];
	struct database *db = NULL;

	memset(text, 'x', sizeof(text));
	assert_int_equal(file_create(path, bytes_of(text, sizeof(text)), 0600), ERR_OK);
	assert_int_equal(database_open(path, migrations, 3, &db, why), ERR_CORRUPT);
	assert_string_equal(why, "file is not a database");
	assert_int_equal(database_open(below, migrations, 3, &db, why), ERR_IO);
	assert_null(db);
	unlink(path);
	free(path);
	free(below);
}

static enum err count_up(struct database *db, void *arg)
{
	struct query *q = database_query(db, "SELECT value FROM counter");
	uint64_t value;
	enum err err = query_one(q);

	(void)arg;
	if (err != ERR_OK)
		return err;
	value = query_get_int(q, 0);
	query_reset(q);
	q = database_query(db, "UPDATE counter SET value = $value");
	query_int(q, "value", value + 1);
	return query_run(q);
}

#define COUNTS 100

static void *count_in_thread(void *arg)
{
	struct database *db = open_database(arg, 3);
	intptr_t failures = 0;

	for (int i = 0; i < COUNTS; i++)
		failures += database_transaction(db, count_up, NULL) != ERR_OK;
	database_close(db);
	return (void *)failures;
}

static void test_two_writers(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[2];
	struct query *q;

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, f->path), 0);
	for (int i = 0; i < 2; i++) {
		void *failures;

		assert_int_equal(pthread_join(threads[i], &failures), 0);
		assert_null(failures);
	}
	q = database_query(f->db, "SELECT value FROM counter");
	assert_int_equal(query_one(q), ERR_OK);
	assert_int_equal(query_get_int(q, 0), 2 * COUNTS);
	query_reset(q);
}

/* While one connection holds the write lock, another gives up after its patience; afterwards it gets through. */
static enum err try_from_another(struct database *db, void *arg)
{
	struct insertion in = {1, "one", bytes_of("x", 1), ERR_OK, 0};
	struct database *other = arg;

	(void)db;
	assert_int_equal(database_transaction(other, insert, &in), ERR_BUSY);
	assert_int_equal(in.runs, 0);
	return ERR_OK;
}

static void test_busy(void **state)
{
	struct fixture *f = *state;
	struct database *other = open_database(f->path, 3);

	database_set_patience(other, 1);
	assert_int_equal(database_transaction(f->db, try_from_another, other), ERR_OK);
	assert_int_equal(insert_thing(other, 1, "one"), ERR_OK);
	database_close(other);
}

static void test_durability_settings(void **state)
{
	struct fixture *f = *state;
	struct query *q = database_query(f->db, "SELECT journal_mode FROM pragma_journal_mode");

	assert_int_equal(query_one(q), ERR_OK);
	assert_string_equal(query_get_text(q, 0), "wal");
	query_reset(q);
	q = database_query(f->db, "SELECT synchronous, (SELECT foreign_keys FROM pragma_foreign_keys) "
				  "FROM pragma_synchronous");
	assert_int_equal(query_one(q), ERR_OK);
	assert_int_equal(query_get_int(q, 0), 2);
	assert_int_equal(query_get_int(q, 1), 1);
	query_reset(q);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_values),
		WITH_FIXTURE(test_no_row),
		WITH_FIXTURE(test_null_is_not_empty),
		WITH_FIXTURE(test_number_too_large),
		WITH_FIXTURE(test_bad_sql),
		WITH_FIXTURE(test_constraints),
		WITH_FIXTURE(test_append_only),
		WITH_FIXTURE(test_rolled_back),
		WITH_FIXTURE(test_view),
		WITH_FIXTURE(test_migrates_older),
		WITH_FIXTURE(test_newer_refused),
		WITH_FIXTURE(test_failed_migration),
		WITH_FIXTURE(test_not_a_database),
		WITH_FIXTURE(test_two_writers),
		WITH_FIXTURE(test_busy),
		WITH_FIXTURE(test_durability_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
