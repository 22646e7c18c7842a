/*
 * Migrations: a database left behind by each older program is brought up to date with its rows, and its rules hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/file.h"
#include "satellite/schema.h"

#define ADDRESS "x'000102030405060708090a0b0c0d0e0f10111213'"
#define KEY "x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'"

#define OBJECT                                                                                                         \
	"INSERT INTO objects (version, owner, bucket, path, state, required, repair, success, total, begun, touched, " \
	"committed, expires, segments, plain_size, metadata) VALUES "

#define SEGMENT                                                                                            \
	"INSERT INTO segments (segment, version, number, state, plain_size, piece_size, issued, expires, " \
	"wrapped_key, data) VALUES "

/* A row for each table, by the migration that made the table; in an order that foreign keys allow. */
static const struct {
	unsigned migration;
	const char *table;
	const char *insert;
} rows[] = {
	{1, "nodes",
	 "INSERT INTO nodes (address, id, endpoint, claimed, network, version, allocated, used, available, payee, "
	 "registered, checked_in, dialled, reachable) VALUES (" ADDRESS
	 ", x'02', '192.0.2.1:1', '192.0.2.1:1', '192.0.2.0/24', '0.1', 1, "
	 "2, 3, x'', 4, 5, 6, 1)"},
	{1, "grants", "INSERT INTO grants VALUES (" KEY ", 1, 2, NULL, NULL)"},
	{1, "clients", "INSERT INTO clients (address, id, enrolled) VALUES (" ADDRESS ", x'02', 1)"},
	{1, "leases", "INSERT INTO leases VALUES ('work', x'00', 1)"},
	{2, "buckets", "INSERT INTO buckets VALUES (" ADDRESS ", 'films', 1)"},
	{2, "objects",
	 OBJECT "(" KEY ", " ADDRESS ", 'films', x'000161', 2, 1, 1, 1, 1, 1, 1, 1, 0, 1, "
		"100, x'')"},
	{2, "segments", SEGMENT "(" KEY ", " KEY ", 0, 2, 100, 128, 1, 2, x'00', NULL)"},
	{2, "offers", "INSERT INTO offers VALUES (" KEY ", 0, " ADDRESS ", " KEY ", " KEY ")"},
	{2, "pieces",
	 "INSERT INTO pieces (segment, number, node, piece, root, size, stored, lost, audited, verdict) VALUES (" KEY
	 ", 0, " ADDRESS ", " KEY ", " KEY ", 128, 1, 0, 0, 0)"},
	{3, "ended", "INSERT INTO ended VALUES (" ADDRESS ", x'77', 1, 2, 3)"},
	{3, "deletions", "INSERT INTO deletions VALUES (" ADDRESS ", " KEY ", 1, 2, 3, 4)"},
	{3, "settled", "INSERT INTO settled VALUES (" KEY ", " ADDRESS ", " ADDRESS ", 2, 100, 5)"},
	{3, "traffic", "INSERT INTO traffic VALUES (" ADDRESS ", 1, 2, 3, 4)"},
	{4, "audit_rounds", "INSERT INTO audit_rounds (node, after, due) VALUES (" ADDRESS ", x'', 1)"},
	{4, "audits",
	 "INSERT INTO audits (challenge, node, at, transcript, bytes, proven, missing, corrupt, late, unreachable, "
	 "unknown) VALUES (" KEY ", " ADDRESS ", 1, x'', 2, 3, 4, 5, 6, 7, 8)"},
	{4, "findings", "INSERT INTO findings (challenge, piece, verdict) VALUES (" KEY ", " KEY ", 2)"},
	{5, "losses", "INSERT INTO losses VALUES (" KEY ", " ADDRESS ", 1, 2, x'00', " KEY ")"},
	{6, "changes", "INSERT INTO changes VALUES (" ADDRESS ", 9, " KEY ", 1, 2, 3, 4)"},
	{6, "storage", "INSERT INTO storage VALUES (" ADDRESS ", 9, 1, 2, 3, 4)"},
	{6, "audited", "INSERT INTO audited VALUES (" ADDRESS ", 9, 1, 2, 3)"},
	{7, "prices", "INSERT INTO prices VALUES (" ADDRESS ", 1, x'00')"},
	{7, "payees", "INSERT INTO payees VALUES (" ADDRESS ", x'0000000000000001', x'00')"},
	{7, "standing", "INSERT INTO standing VALUES (" ADDRESS ", 1, 2, 'why')"},
	{7, "months", "INSERT INTO months VALUES (202601, 1, 2, 3)"},
	{7, "statements",
	 "INSERT INTO statements VALUES (" ADDRESS ", 202601, " ADDRESS ", 1, x'00', 2, x'00', x'00')"},
	{7, "entries", "INSERT INTO entries VALUES (" ADDRESS ", 202601, 1, x'', 1, 2, 3, 4)"},
	{7, "adjustments", "INSERT INTO adjustments VALUES (" KEY ", " ADDRESS ", 202601, 5, 0, 1, 2, '')"},
	{7, "payouts", "INSERT INTO payouts VALUES (202601, " KEY ", " KEY ", 1)"},
	{8, "client_storage", "INSERT INTO client_storage VALUES (" ADDRESS ", 9, 1, 2, 3, 4)"},
	{8, "client_traffic", "INSERT INTO client_traffic VALUES (" ADDRESS ", 9, 1, 2, 3)"},
	{8, "client_issued", "INSERT INTO client_issued VALUES (" ADDRESS ", 9, 1, 2)"},
	{9, "usage_days", "INSERT INTO usage_days VALUES (9, 1)"},
	{9, "usages", "INSERT INTO usages VALUES (" ADDRESS ", 9, x'00', 1, x'00')"},
	{10, "reputations", "INSERT INTO reputations VALUES (" ADDRESS ", 2, 1, '', x'', 0, 0, 0, 0)"},
	{10, "notices", "INSERT INTO notices VALUES (" ADDRESS ", 1, 2, 1, 3, 0, x'', x'', 'why')"},
	{10, "contained", "INSERT INTO contained VALUES (" ADDRESS ", x'00', 1, 2, 3)"},
	{10, "transcripts", "INSERT INTO transcripts VALUES (" KEY ", 1, 0, x'00', x'00')"},
	{11, "repairs", "INSERT INTO repairs VALUES (" KEY ", 2, 3, 4, 5, 0, 6, 7, 8, x'', 9, 'why')"},
	{11, "rebuilds", "INSERT INTO rebuilds VALUES (" ADDRESS ", " KEY ", " KEY ", 1)"},
	{11, "repaired", "INSERT INTO repaired VALUES (9, 1, 2, 3, 4, 5, 6)"},
	{11, "watched", "INSERT INTO watched VALUES (" ADDRESS ", 1, '', 0, x'')"},
	{11, "walks", "INSERT INTO walks VALUES ('walk', x'', 1)"},
	{11, "budgets", "INSERT INTO budgets VALUES ('budget', 1)"},
	{11, "exits", "INSERT INTO exits VALUES (" ADDRESS ", 1, 2, 3, 4, 5, 0, '', x'')"},
	{12, "collections",
	 "INSERT INTO collections VALUES (" ADDRESS ", 9, 0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, '')"},
	{13, "experiences", "INSERT INTO experiences VALUES (" ADDRESS ", 9, 1, 2, 3, 4, 5)"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct fixture {
	char dir[64];
	char *path;
};

static int set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/granary-schema-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->path = file_join(f->dir, "satellite.db");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f->path);
	free(f);
	return 0;
}

static enum err execute(struct database *db, void *arg)
{
	return query_run(database_query(db, arg));
}

static enum err run(struct database *db, const char *sql)
{
	return database_transaction(db, execute, (char *)(uintptr_t)sql);
}

static uint64_t rows_of(struct database *db, size_t i)
{
	/* A statement's text must outlive the database. */
	static char sql[ROWS][64];
	struct query *q;
	uint64_t count;

	snprintf(sql[i], sizeof(sql[i]), "SELECT COUNT(*) FROM %s", rows[i].table);
	q = database_query(db, sql[i]);
	assert_int_equal(query_one(q), ERR_OK);
	count = query_get_int(q, 0);
	query_reset(q);
	return count;
}

static struct database *open_all(struct fixture *f)
{
	struct database *db = NULL;
	char why[DATABASE_MESSAGE] = "";

	assert_int_equal(schema_open(f->dir, &db, why), ERR_OK);
	return db;
}

/* A database of the program that knew only the first `count` migrations, with a row in each table. */
static void make_old(struct fixture *f, size_t count)
{
	struct database *db = NULL;
	char why[DATABASE_MESSAGE] = "";
	size_t all;
	const struct migration *migrations = schema_migrations(&all);

	assert_int_equal(database_open(f->path, migrations, count, &db, why), ERR_OK);
	for (size_t i = 0; i < ROWS && rows[i].migration <= count; i++)
		assert_int_equal(run(db, rows[i].insert), ERR_OK);
	database_close(db);
}

/* Tables of which a migration makes a row out of each of those of older ones. */
static const struct {
	const char *table;
	unsigned migration; /* of the older one */
	bool same;	    /* with the key of the row above */
} derived[] = {{"changes", 2, false},	{"changes", 3, false},	      {"storage", 2, false},
	       {"audited", 4, false},	{"client_storage", 2, false}, {"client_traffic", 3, false},
	       {"reputations", 1, true}};

/* Rows of table i in a database that is up to date and was left behind by a program of `count` migrations. */
static unsigned rows_wanted(size_t i, size_t count)
{
	unsigned wanted = 0;

	if (rows[i].migration <= count)
		return 1;
	for (size_t j = 0; j < sizeof(derived) / sizeof(derived[0]); j++)
		wanted += strcmp(derived[j].table, rows[i].table) == 0 && derived[j].migration <= count;
	return wanted;
}

static bool is_same(size_t i)
{
	for (size_t j = 0; j < sizeof(derived) / sizeof(derived[0]); j++)
		if (strcmp(derived[j].table, rows[i].table) == 0)
			return derived[j].same;
	return false;
}

static void check_upgrade(struct fixture *f, size_t count)
{
	struct database *db = open_all(f);

	for (size_t i = 0; i < ROWS; i++) {
		assert_int_equal(rows_of(db, i), rows_wanted(i, count));
		if (rows[i].migration > count && !(is_same(i) && rows_wanted(i, count) > 0))
			assert_int_equal(run(db, rows[i].insert), ERR_OK);
		/* The same key again is refused. */
		assert_int_equal(run(db, rows[i].insert), ERR_EXISTS);
	}
	database_close(db);
}

static void test_each_migration(void **state)
{
	struct fixture *f = *state;
	size_t count;

	schema_migrations(&count);
	assert_int_equal(rows[ROWS - 1].migration, count - 1); /* the last makes no table */
	for (size_t old = 0; old <= count; old++) {
		if (old > 0)
			make_old(f, old);
		check_upgrade(f, old);
		tear_down(state);
		set_up(state);
		f = *state;
	}
}

static void test_newer_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct database *db = NULL;
	char why[DATABASE_MESSAGE] = "";
	size_t count;
	const struct migration *migrations = schema_migrations(&count);

	database_close(open_all(f));
	assert_int_equal(database_open(f->path, migrations, count - 1, &db, why), ERR_UNSUPPORTED);
	assert_null(db);
}

/* One visible object of a path, one committed segment of a number; any number of attempts. */
static void test_rules_of_state(void **state)
{
	static const struct {
		const char *sql;
		enum err wanted;
	} tries[] = {
		{OBJECT "(x'01', " ADDRESS ", 'films', x'000161', 2, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, x'')", ERR_EXISTS},
		{OBJECT "(x'01', " ADDRESS ", 'films', x'000161', 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, x'')", ERR_OK},
		{OBJECT "(x'02', " ADDRESS ", 'films', x'000161', 3, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, x'')", ERR_OK},
		{SEGMENT "(x'01', " KEY ", 0, 2, 100, 128, 1, 2, x'00', NULL)", ERR_EXISTS},
		{SEGMENT "(x'01', " KEY ", 0, 1, 100, 128, 1, 2, x'00', NULL)", ERR_OK},
		{SEGMENT "(x'02', x'7f', 0, 1, 100, 128, 1, 2, x'00', NULL)", ERR_CONFLICT},
		{"INSERT INTO pieces VALUES (x'01', 0, " ADDRESS ", " KEY ", " KEY ", 128, 1, 0, 0, 0, 0, NULL, 0)",
		 ERR_EXISTS},
		{"INSERT INTO leases VALUES ('other', 'text', 1)", ERR_CONFLICT},
	};
	struct fixture *f = *state;
	struct database *db;

	make_old(f, 2);
	db = open_all(f);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		assert_int_equal(run(db, tries[i].sql), tries[i].wanted);
	database_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_newer_database_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rules_of_state, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
