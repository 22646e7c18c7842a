/*
 * A thin layer over SQLite: numbered migrations, cached statements, named parameters, one transaction shape.
 *
 * SQL is written in what PostgreSQL reads too, with parameters $name and this layer's own type words, translated per
 * engine: @int (64-bit integer), @text, @bytes, @strict (after a table's closing bracket); and @append_only(TABLE), a
 * statement of a migration, after which the table's rows are neither changed nor deleted (ERR_CONFLICT). Unsigned
 * 64-bit values above INT64_MAX are refused when bound. A database belongs to one thread at a time; several processes
 * and threads each open their own.
 */
#ifndef GRANARY_COMMON_DATABASE_H
#define GRANARY_COMMON_DATABASE_H

#include "common/bytes.h"

#define DATABASE_MESSAGE 256

struct address;
struct database;
struct query;

/* Append-only: a migration that has shipped is never changed or moved. */
struct migration {
	unsigned number; /* 1, 2, 3, … */
	const char *sql; /* statements, separated by semicolons */
};

/* Open or make the database at `path` (WAL, foreign keys on, synchronous FULL, busy timeout 10 s) and bring it to
 * the last migration, in one transaction each. ERR_UNSUPPORTED when it is newer than the program, ERR_CORRUPT, ERR_IO;
 * `why` gets a sentence. */
enum err database_open(const char *path, const struct migration *migrations, size_t count, struct database **ret,
		       char why[DATABASE_MESSAGE]) WARN_UNUSED;
/* Whether a database that may be open elsewhere is whole; reads all of it and changes nothing. ERR_CORRUPT, ERR_IO,
 * with a sentence in `why`, ERR_BUSY. */
enum err database_check(const char *path, char why[DATABASE_MESSAGE]) WARN_UNUSED;
/* A copy of one that may be open elsewhere, as it stands at one moment, into a new file. ERR_CORRUPT, ERR_FULL, ERR_IO
 * and its kind, with a sentence in `why`; then there is no copy. */
enum err database_copy(const char *from, const char *to, char why[DATABASE_MESSAGE]) WARN_UNUSED;
void database_close(struct database *db);
/* Wait so long, in milliseconds, for another writer in each try; 10,000 unless said otherwise. */
void database_set_patience(struct database *db, unsigned ms);
/* What the engine said about the last failure. */
const char *database_message(const struct database *db);

/* Run calls(db, arg) inside a transaction that takes the write lock at once; committed when it returns ERR_OK, else
 * rolled back. Retried from the start, at most 20 times, when another writer was in the way; ERR_BUSY after that.
 * Every statement is reset at the end. Transactions do not nest. */
enum err database_transaction(struct database *db, enum err (*calls)(struct database *db, void *arg), void *arg)
	WARN_UNUSED;
/* The same without the write lock: one consistent view for several queries. */
enum err database_view(struct database *db, enum err (*calls)(struct database *db, void *arg), void *arg) WARN_UNUSED;

/* A statement, prepared at first use and kept; `sql` must be a string that outlives the database, and the same
 * pointer gives the same statement, reset. Writing statements assert that a transaction is open. A failure to
 * prepare is remembered and told by query_step. All parameters must be bound anew before the first step. */
struct query *database_query(struct database *db, const char *sql);
/* Bind by name, without the $; the value is copied. Asserts that the statement has such a parameter. */
void query_int(struct query *q, const char *name, uint64_t value);
void query_text(struct query *q, const char *name, const char *text);
void query_bytes(struct query *q, const char *name, struct bytes value);
void query_bytes32(struct query *q, const char *name, const struct bytes32 *value);
void query_address(struct query *q, const char *name, const struct address *value);
void query_null(struct query *q, const char *name);
/* The next row: ERR_OK with *ret_row true when there is one. After false or a failure the statement is reset.
 * ERR_EXISTS for a uniqueness conflict, ERR_CONFLICT for other constraints, ERR_BUSY, ERR_FULL, ERR_DATABASE. */
enum err query_step(struct query *q, bool *ret_row) WARN_UNUSED;
/* For statements without rows: step once and reset. */
enum err query_run(struct query *q) WARN_UNUSED;
/* One row expected: ERR_NOT_FOUND when there is none. Read the columns, then query_reset; rows behind the first are
 * not looked at. */
enum err query_one(struct query *q) WARN_UNUSED;
void query_reset(struct query *q);
/* Rows changed by the last writing statement. */
uint64_t database_changes(const struct database *db);

/* Columns of the current row, from 0. Views live until the next step or reset. NULL is 0 and an empty view. */
uint64_t query_get_int(struct query *q, int column);
struct bytes query_get_bytes(struct query *q, int column);
const char *query_get_text(struct query *q, int column); /* "" for NULL */
bool query_is_null(struct query *q, int column);
/* Exactly len bytes into out; ERR_CORRUPT when the column holds anything else. */
enum err query_get_exact(struct query *q, int column, void *out, size_t len) WARN_UNUSED;

#endif
