/*
 * SQLite under a small interface.
 *
 * Statements are kept in a hash table by the address of their SQL. A transaction ends with every statement reset,
 * so that no forgotten reader holds an old snapshot. What SQLite cannot do now because of another connection is
 * ERR_BUSY, and only that is retried: a callback's own ERR_BUSY is its answer.
 */
#include "common/database.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>
#include <uthash.h>

#include "common/key.h"
#include "common/memory.h"

#define BUSY_TIMEOUT_MS 10000
#define TRANSACTION_TRIES 20
#define PARAMETERS_MAX 64

struct query {
	const char *sql; /* the key: the address itself */
	struct database *db;
	sqlite3_stmt *statement; /* NULL when it could not be prepared */
	enum err err;		 /* sticky until the next database_query: preparing or binding failed */
	uint64_t bound;		 /* a bit per parameter */
	UT_hash_handle hh;
};

enum transaction { TRANSACTION_NONE, TRANSACTION_VIEW, TRANSACTION_WRITE };

struct database {
	sqlite3 *handle;
	struct query *queries;
	enum transaction open;
	bool contended; /* another connection was in the way since the transaction began */
	char message[DATABASE_MESSAGE];
};

static enum err constraint_err(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return ERR_EXISTS;
	default:
		return ERR_CONFLICT;
	}
}

static enum err err_of(int extended)
{
	switch (extended & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_CONSTRAINT:
		return constraint_err(extended);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return ERR_IO;
	case SQLITE_READONLY:
		return ERR_READ_ONLY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_DENIED;
	case SQLITE_NOMEM:
		abort();
	default:
		return ERR_DATABASE;
	}
}

/* What a call's result means; the engine's words are kept when it failed. */
static enum err note(struct database *db, int result)
{
	enum err err = err_of(result);

	if (err != ERR_OK)
		snprintf(db->message, sizeof(db->message), "%s", sqlite3_errmsg(db->handle));
	if (err == ERR_BUSY)
		db->contended = true;
	return err;
}

static const struct {
	const char *word, *engine;
} type_words[] = {
	{"@int", "INTEGER"},
	{"@text", "TEXT"},
	{"@bytes", "BLOB"},
	{"@strict", "STRICT"},
};

/* "@append_only(TABLE)", from the bracket on: its rows stay as they were inserted. The letters read are returned. */
static size_t translate_append_only(const char *from, FILE *to)
{
	char table[64];
	size_t len = strspn(from + 1, "abcdefghijklmnopqrstuvwxyz_");

	assert(from[0] == '(' && len > 0 && len < sizeof(table) && from[1 + len] == ')');
	snprintf(table, sizeof(table), "%.*s", (int)len, from + 1);
	for (int i = 0; i < 2; i++) {
		const char *verb = i == 0 ? "UPDATE" : "DELETE";

		fprintf(to,
			"%sCREATE TRIGGER %s_no_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, '%s is append-only'); END",
			i == 0 ? "" : ";", table, verb, verb, table, table);
	}
	return len + 2;
}

/* Put the engine's words for the type word at `at`; the letters read are returned. Any other word behind an @ is our
 * mistake. */
static size_t translate_word(const char *at, FILE *to)
{
	static const char append_only[] = "@append_only";
	size_t len = 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");

	for (size_t i = 0; i < sizeof(type_words) / sizeof(type_words[0]); i++) {
		if (strlen(type_words[i].word) == len && memcmp(type_words[i].word, at, len) == 0) {
			fputs(type_words[i].engine, to);
			return len;
		}
	}
	assert(len == strlen(append_only) && memcmp(append_only, at, len) == 0);
	return len + translate_append_only(at + len, to);
}

/* `sql` with its type words in SQLite's; quoted text is left alone. The caller frees it. */
static char *translate(const char *sql)
{
	char *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&out, &len);
	bool quoted = false;

	if (to == NULL)
		abort();
	while (*sql != '\0') {
		size_t part = 1;

		if (*sql == '\'')
			quoted = !quoted;
		if (*sql == '@' && !quoted)
			part = translate_word(sql, to);
		else
			fputc(*sql, to);
		sql += part;
	}
	if (fclose(to) != 0)
		abort();
	return out;
}

static enum err execute(struct database *db, const char *sql)
{
	return note(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static void reset_all(struct database *db)
{
	struct query *q, *next;

	HASH_ITER(hh, db->queries, q, next)
		query_reset(q);
}

static void roll_back(struct database *db)
{
	char message[DATABASE_MESSAGE];

	/* The engine rolls back by itself after some failures. */
	if (sqlite3_get_autocommit(db->handle))
		return;
	/* Keep the words about what went wrong rather than those about rolling back. */
	memcpy(message, db->message, sizeof(message));
	if (execute(db, "ROLLBACK") == ERR_OK)
		memcpy(db->message, message, sizeof(message));
}

static enum err attempt(struct database *db, enum transaction kind, enum err (*calls)(struct database *db, void *arg),
			void *arg)
{
	enum err err = execute(db, kind == TRANSACTION_WRITE ? "BEGIN IMMEDIATE" : "BEGIN");

	if (err != ERR_OK)
		return err;
	db->open = kind;
	err = calls(db, arg);
	reset_all(db);
	if (err == ERR_OK)
		err = execute(db, "COMMIT");
	if (err != ERR_OK)
		roll_back(db);
	db->open = TRANSACTION_NONE;
	return err;
}

static enum err transact(struct database *db, enum transaction kind, enum err (*calls)(struct database *db, void *arg),
			 void *arg)
{
	enum err err = ERR_BUSY;

	assert(db->open == TRANSACTION_NONE);
	for (int i = 0; i < TRANSACTION_TRIES; i++) {
		db->contended = false;
		err = attempt(db, kind, calls, arg);
		if (err != ERR_BUSY || !db->contended)
			break;
	}
	return err;
}

enum err database_transaction(struct database *db, enum err (*calls)(struct database *db, void *arg), void *arg)
{
	return transact(db, TRANSACTION_WRITE, calls, arg);
}

enum err database_view(struct database *db, enum err (*calls)(struct database *db, void *arg), void *arg)
{
	return transact(db, TRANSACTION_VIEW, calls, arg);
}

struct migrating {
	const struct migration *next; /* NULL: only ask for the version */
	unsigned newest;	      /* what the program knows */
	uint64_t version;
};

static enum err run_migration(struct database *db, struct migrating *m)
{
	struct query *q;
	char *sql = translate(m->next->sql);
	enum err err = execute(db, sql);

	free(sql);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "UPDATE schema_version SET number = $number");
	query_int(q, "number", m->next->number);
	return query_run(q);
}

/* One step, in one transaction: another process may be doing the same, so the version is read inside it. */
static enum err migrate_step(struct database *db, void *arg)
{
	struct migrating *m = arg;
	struct query *q;
	char *sql = translate("CREATE TABLE IF NOT EXISTS schema_version (number @int NOT NULL) @strict;"
			      "INSERT INTO schema_version (number) "
			      "SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)");
	enum err err = execute(db, sql);

	free(sql);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "SELECT number FROM schema_version");
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	m->version = query_get_int(q, 0);
	query_reset(q);
	if (m->version > m->newest)
		return ERR_UNSUPPORTED;
	if (m->next != NULL && m->version + 1 == m->next->number)
		return run_migration(db, m);
	return ERR_OK;
}

static enum err migrate(struct database *db, const struct migration *migrations, size_t count,
			char why[DATABASE_MESSAGE])
{
	struct migrating m = {NULL, (unsigned)count, 0};
	enum err err = database_transaction(db, migrate_step, &m);

	for (size_t i = m.version; err == ERR_OK && i < count; i++) {
		assert(migrations[i].number == i + 1);
		m.next = &migrations[i];
		err = database_transaction(db, migrate_step, &m);
	}
	if (err == ERR_UNSUPPORTED)
		snprintf(why, DATABASE_MESSAGE,
			 "its version is %llu, newer than this program's %zu; use a newer program",
			 (unsigned long long)m.version, count);
	else if (err != ERR_OK)
		snprintf(why, DATABASE_MESSAGE, "migration %u: %.200s", m.next == NULL ? 0 : m.next->number,
			 db->message);
	return err;
}

static enum err configure(struct database *db)
{
	enum err err;

	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	/* "x" is a name, never a text; a hostile database file cannot make the schema run functions. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	err = execute(db, "PRAGMA journal_mode = WAL");
	if (err == ERR_OK)
		err = execute(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
	return err;
}

enum err database_open(const char *path, const struct migration *migrations, size_t count, struct database **ret,
		       char why[DATABASE_MESSAGE])
{
	struct database *db = memory_new(1, sizeof(*db));
	int result = sqlite3_open_v2(path, &db->handle,
				     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	enum err err;

	if (db->handle == NULL)
		abort();
	err = note(db, result);
	if (err == ERR_OK)
		err = configure(db);
	if (err != ERR_OK)
		snprintf(why, DATABASE_MESSAGE, "%s", db->message);
	else
		err = migrate(db, migrations, count, why);
	if (err != ERR_OK) {
		database_close(db);
		return err;
	}
	*ret = db;
	return ERR_OK;
}

static enum err check_pages(sqlite3 *handle, char why[DATABASE_MESSAGE])
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &statement, NULL);
	enum err err;

	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	err = err_of(result);
	if (result == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
		snprintf(why, DATABASE_MESSAGE, "%s", sqlite3_column_text(statement, 0));
		why[strcspn(why, "\n")] = '\0';
		err = ERR_CORRUPT;
	} else if (err != ERR_OK) {
		snprintf(why, DATABASE_MESSAGE, "%s", sqlite3_errmsg(handle));
	}
	sqlite3_finalize(statement);
	return err;
}

enum err database_check(const char *path, char why[DATABASE_MESSAGE])
{
	sqlite3 *handle = NULL;
	int result = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL);
	enum err err = err_of(result);

	if (err == ERR_OK) {
		sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
		err = check_pages(handle, why);
	} else {
		snprintf(why, DATABASE_MESSAGE, "%s", sqlite3_errstr(result));
	}
	sqlite3_close(handle);
	return err;
}

static int copy_into(sqlite3 *handle, const char *to)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(handle, "VACUUM INTO ?1", -1, &statement, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_bind_text(statement, 1, to, -1, SQLITE_STATIC);
	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

enum err database_copy(const char *from, const char *to, char why[DATABASE_MESSAGE])
{
	sqlite3 *handle = NULL;
	int result = sqlite3_open_v2(from, &handle, SQLITE_OPEN_READWRITE, NULL);

	if (result == SQLITE_OK) {
		sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
		result = copy_into(handle, to);
	}
	if (result != SQLITE_OK) {
		snprintf(why, DATABASE_MESSAGE, "%s", handle == NULL ? sqlite3_errstr(result) : sqlite3_errmsg(handle));
	} else if (chmod(to, 0600) != 0) {
		result = SQLITE_IOERR;
		snprintf(why, DATABASE_MESSAGE, "its rights cannot be set");
	}
	sqlite3_close(handle);
	if (result != SQLITE_OK)
		unlink(to);
	return err_of(result);
}

void database_close(struct database *db)
{
	struct query *q, *next;

	if (db == NULL)
		return;
	assert(db->open == TRANSACTION_NONE);
	HASH_ITER(hh, db->queries, q, next) {
		HASH_DEL(db->queries, q);
		sqlite3_finalize(q->statement);
		free(q);
	}
	if (sqlite3_close(db->handle) != SQLITE_OK)
		abort(); /* a statement that is not in the table: our mistake */
	free(db);
}

const char *database_message(const struct database *db)
{
	return db->message;
}

void database_set_patience(struct database *db, unsigned ms)
{
	sqlite3_busy_timeout(db->handle, (int)ms);
}

uint64_t database_changes(const struct database *db)
{
	return (uint64_t)sqlite3_changes64(db->handle);
}

static void prepare(struct query *q)
{
	char *sql = translate(q->sql);

	q->err =
		note(q->db, sqlite3_prepare_v3(q->db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->statement, NULL));
	free(sql);
	assert(q->statement == NULL || sqlite3_bind_parameter_count(q->statement) <= PARAMETERS_MAX);
}

struct query *database_query(struct database *db, const char *sql)
{
	struct query *q;

	HASH_FIND_PTR(db->queries, &sql, q);
	if (q == NULL) {
		q = memory_new(1, sizeof(*q));
		q->sql = sql;
		q->db = db;
		HASH_ADD_PTR(db->queries, sql, q);
	}
	q->err = ERR_OK;
	q->bound = 0;
	if (q->statement == NULL) {
		prepare(q);
	} else {
		query_reset(q);
		sqlite3_clear_bindings(q->statement);
	}
	/* A write outside a transaction would be one of its own, and nobody would roll back its neighbours. */
	assert(q->statement == NULL || sqlite3_stmt_readonly(q->statement) || db->open == TRANSACTION_WRITE);
	return q;
}

/* The index of a parameter, marked as bound; 0 when the statement cannot run anyway. */
static int parameter(struct query *q, const char *name)
{
	char full[64];
	int index;

	if (q->statement == NULL)
		return 0;
	snprintf(full, sizeof(full), "$%s", name);
	index = sqlite3_bind_parameter_index(q->statement, full);
	assert(index > 0);
	q->bound |= (uint64_t)1 << (index - 1);
	return index;
}

static void note_bound(struct query *q, int result)
{
	if (result != SQLITE_OK && q->err == ERR_OK)
		q->err = note(q->db, result);
}

void query_int(struct query *q, const char *name, uint64_t value)
{
	int index = parameter(q, name);

	if (value > INT64_MAX && q->err == ERR_OK) {
		snprintf(q->db->message, sizeof(q->db->message), "$%.40s: %llu does not fit in 63 bits", name,
			 (unsigned long long)value);
		q->err = ERR_RANGE;
	} else if (index > 0) {
		note_bound(q, sqlite3_bind_int64(q->statement, index, (sqlite3_int64)value));
	}
}

void query_text(struct query *q, const char *name, const char *text)
{
	int index = parameter(q, name);

	if (index > 0)
		note_bound(q, sqlite3_bind_text(q->statement, index, text, -1, SQLITE_TRANSIENT));
}

void query_bytes(struct query *q, const char *name, struct bytes value)
{
	int index = parameter(q, name);

	/* No pointer would mean NULL, which an empty value is not. */
	if (index > 0)
		note_bound(q, sqlite3_bind_blob64(q->statement, index, value.len == 0 ? (const void *)"" : value.data,
						  value.len, SQLITE_TRANSIENT));
}

void query_bytes32(struct query *q, const char *name, const struct bytes32 *value)
{
	query_bytes(q, name, bytes_of(value->b, sizeof(value->b)));
}

void query_address(struct query *q, const char *name, const struct address *value)
{
	query_bytes(q, name, bytes_of(value->b, sizeof(value->b)));
}

void query_null(struct query *q, const char *name)
{
	int index = parameter(q, name);

	if (index > 0)
		note_bound(q, sqlite3_bind_null(q->statement, index));
}

static bool all_bound(const struct query *q)
{
	int count = sqlite3_bind_parameter_count(q->statement);

	return count == 0 || q->bound == UINT64_MAX >> (PARAMETERS_MAX - count);
}

enum err query_step(struct query *q, bool *ret_row)
{
	int result;
	enum err err;

	if (q->err != ERR_OK) {
		query_reset(q);
		return q->err;
	}
	assert(all_bound(q));
	result = sqlite3_step(q->statement);
	if (result == SQLITE_ROW) {
		*ret_row = true;
		return ERR_OK;
	}
	err = note(q->db, result);
	query_reset(q);
	if (err == ERR_OK)
		*ret_row = false;
	return err;
}

enum err query_run(struct query *q)
{
	bool row = false;
	enum err err = query_step(q, &row);

	query_reset(q);
	return err;
}

enum err query_one(struct query *q)
{
	bool row = false;
	enum err err = query_step(q, &row);

	return err == ERR_OK && !row ? ERR_NOT_FOUND : err;
}

void query_reset(struct query *q)
{
	/* It repeats the failure of the last step, which was told then. */
	if (q->statement != NULL)
		(void)sqlite3_reset(q->statement);
}

uint64_t query_get_int(struct query *q, int column)
{
	return (uint64_t)sqlite3_column_int64(q->statement, column);
}

struct bytes query_get_bytes(struct query *q, int column)
{
	/* The pointer first: it settles the form in which the length is then counted. */
	const void *data = sqlite3_column_blob(q->statement, column);

	return bytes_of(data, (size_t)sqlite3_column_bytes(q->statement, column));
}

const char *query_get_text(struct query *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q->statement, column);

	return text == NULL ? "" : text;
}

bool query_is_null(struct query *q, int column)
{
	return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

enum err query_get_exact(struct query *q, int column, void *out, size_t len)
{
	struct bytes value = query_get_bytes(q, column);

	if (sqlite3_column_type(q->statement, column) != SQLITE_BLOB || value.len != len)
		return ERR_CORRUPT;
	if (len > 0)
		memcpy(out, value.data, len);
	return ERR_OK;
}
