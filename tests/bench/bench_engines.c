/*
 * The piece store beside what one would use instead: LMDB, RocksDB and SQLite, each holding pieces as values under
 * their ids, each put durable before it is answered. The same writers, the same bytes, the same disk, one after the
 * other.
 *
 * The others are loaded when they are there (Debian's liblmdb0, librocksdb7.8) and passed over with a word when not, so
 * nothing needs them to build. Each is used as its manual says for durable single writes: LMDB a transaction each,
 * RocksDB writes with sync (which it groups by itself), SQLite a transaction each in WAL mode, synchronous FULL.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "node/store/store.h"
#include "tests/bench/bench.h"
#include "tests/kit/pieces.h"

#define WRITERS 128
#define READERS 16
#define SECONDS 10.0
#define GET_PIECES 8192
#define GET_SIZE 65536
#define PUTS_MOST (1u << 22)

/* One way of keeping values under 32-byte keys. put and get are called from many threads. */
struct engine {
	const char *name;
	bool (*open)(const char *dir); /* false: it is not installed */
	void (*put)(const struct bytes32 *key, const void *value, size_t len);
	void (*get)(const struct bytes32 *key, void *value, size_t len);
	void (*close)(void);
};

/* The store. */

static struct store *store;

static bool store_start(const char *dir)
{
	const struct store_options options = {.allocation = 32ull << 30, .no_upkeep = true};
	char why[STORE_MESSAGE];

	if (store_init(dir, options.allocation, 0, &seam_system, why) != ERR_OK ||
	    store_open(dir, &options, &seam_system, &store, why) != ERR_OK)
		bench_die(why);
	return true;
}

struct answer {
	sem_t come;
	enum err err;
};

static void answered(void *arg, enum err err)
{
	struct answer *answer = arg;

	answer->err = err;
	sem_post(&answer->come);
}

static void store_put(const struct bytes32 *key, const void *value, size_t len)
{
	struct allocation allocation = pieces_allocation(0, len);
	struct signature signature = {{1}};
	struct bytes32 hash = {{2}};
	struct order order = {hash, len};
	struct store_upload *upload;
	struct answer answer;

	allocation.piece = *key;
	if (store_put_begin(store, 0, &allocation, &signature, &hash, &upload) != ERR_OK)
		bench_die("the store has no room");
	for (size_t at = 0; at < len; at += TREE_BLOCK) {
		size_t part = len - at < TREE_BLOCK ? len - at : TREE_BLOCK;

		if (store_put_block(upload, (const uint8_t *)value + at, part) != ERR_OK)
			bench_die("the store cannot write");
	}
	sem_init(&answer.come, 0, 0);
	store_put_end(upload, &order, &signature, 1, answered, &answer);
	while (sem_wait(&answer.come) != 0) /* a signal came */
		;
	sem_destroy(&answer.come);
	if (answer.err != ERR_OK)
		bench_die("the store cannot commit");
}

static void store_read(const struct bytes32 *key, void *value, size_t len)
{
	struct store_key id = {0, *key};
	struct store_reader *reader;
	size_t got;

	if (store_get(store, &id, &reader) != ERR_OK ||
	    store_reader_blocks(reader, 0, tree_blocks(len), value, &got) != ERR_OK || got != len)
		bench_die("the store has lost a piece");
	store_reader_free(reader);
}

static void store_stop(void)
{
	store_close(store);
}

/* A function of a library, into a pointer of its type. */
static bool find(void *library, const char *name, void *ret)
{
	void *symbol = dlsym(library, name);

	memcpy(ret, &symbol, sizeof(symbol));
	return symbol != NULL;
}

/* LMDB, as lmdb.h has it. */

struct mdb_value {
	size_t size;
	void *data;
};

static struct {
	int (*env_create)(void **env);
	int (*env_set_mapsize)(void *env, size_t size);
	int (*env_set_maxreaders)(void *env, unsigned readers);
	int (*env_open)(void *env, const char *path, unsigned flags, mode_t mode);
	void (*env_close)(void *env);
	int (*txn_begin)(void *env, void *parent, unsigned flags, void **txn);
	int (*txn_commit)(void *txn);
	void (*txn_abort)(void *txn);
	int (*dbi_open)(void *txn, const char *name, unsigned flags, unsigned *dbi);
	int (*put)(void *txn, unsigned dbi, struct mdb_value *key, struct mdb_value *value, unsigned flags);
	int (*get)(void *txn, unsigned dbi, struct mdb_value *key, struct mdb_value *value);
	void *env;
	unsigned dbi;
} mdb;

#define MDB_RDONLY 0x20000
#define MDB_NORDAHEAD 0x800000

static bool lmdb_load(void)
{
	void *library = dlopen("liblmdb.so.0", RTLD_NOW);

	return library != NULL && find(library, "mdb_env_create", &mdb.env_create) &&
	       find(library, "mdb_env_set_mapsize", &mdb.env_set_mapsize) &&
	       find(library, "mdb_env_set_maxreaders", &mdb.env_set_maxreaders) &&
	       find(library, "mdb_env_open", &mdb.env_open) && find(library, "mdb_env_close", &mdb.env_close) &&
	       find(library, "mdb_txn_begin", &mdb.txn_begin) && find(library, "mdb_txn_commit", &mdb.txn_commit) &&
	       find(library, "mdb_txn_abort", &mdb.txn_abort) && find(library, "mdb_dbi_open", &mdb.dbi_open) &&
	       find(library, "mdb_put", &mdb.put) && find(library, "mdb_get", &mdb.get);
}

static bool lmdb_open(const char *dir)
{
	void *txn;

	if (!lmdb_load())
		return false;
	if (mdb.env_create(&mdb.env) != 0 || mdb.env_set_mapsize(mdb.env, 32ull << 30) != 0 ||
	    mdb.env_set_maxreaders(mdb.env, 1024) != 0 || mdb.env_open(mdb.env, dir, MDB_NORDAHEAD, 0600) != 0 ||
	    mdb.txn_begin(mdb.env, NULL, 0, &txn) != 0 || mdb.dbi_open(txn, NULL, 0, &mdb.dbi) != 0 ||
	    mdb.txn_commit(txn) != 0)
		bench_die("LMDB cannot be opened");
	return true;
}

static void lmdb_put(const struct bytes32 *key, const void *value, size_t len)
{
	struct mdb_value k = {sizeof(key->b), (void *)(uintptr_t)key->b}, v = {len, (void *)(uintptr_t)value};
	void *txn;

	if (mdb.txn_begin(mdb.env, NULL, 0, &txn) != 0 || mdb.put(txn, mdb.dbi, &k, &v, 0) != 0 ||
	    mdb.txn_commit(txn) != 0)
		bench_die("LMDB cannot write");
}

static void lmdb_get(const struct bytes32 *key, void *value, size_t len)
{
	struct mdb_value k = {sizeof(key->b), (void *)(uintptr_t)key->b}, v;
	void *txn;

	if (mdb.txn_begin(mdb.env, NULL, MDB_RDONLY, &txn) != 0 || mdb.get(txn, mdb.dbi, &k, &v) != 0 || v.size != len)
		bench_die("LMDB has lost a value");
	memcpy(value, v.data, len);
	mdb.txn_abort(txn);
}

static void lmdb_close(void)
{
	mdb.env_close(mdb.env);
}

/* RocksDB, as rocksdb/c.h has it. */

static struct {
	void *(*options_create)(void);
	void (*options_set_create_if_missing)(void *options, unsigned char on);
	void (*options_set_compression)(void *options, int type);
	void *(*open)(const void *options, const char *path, char **error);
	void (*close)(void *db);
	void *(*writeoptions_create)(void);
	void (*writeoptions_set_sync)(void *options, unsigned char on);
	void *(*readoptions_create)(void);
	void (*put)(void *db, const void *options, const char *key, size_t key_len, const char *value, size_t len,
		    char **error);
	char *(*get)(void *db, const void *options, const char *key, size_t key_len, size_t *len, char **error);
	void (*free)(void *value);
	void *db, *write_options, *read_options;
} rocks;

static bool rocks_load(void)
{
	static const char *const names[] = {"librocksdb.so.7.8", "librocksdb.so.7", "librocksdb.so"};
	void *library = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && library == NULL; i++)
		library = dlopen(names[i], RTLD_NOW);
	return library != NULL && find(library, "rocksdb_options_create", &rocks.options_create) &&
	       find(library, "rocksdb_options_set_create_if_missing", &rocks.options_set_create_if_missing) &&
	       find(library, "rocksdb_options_set_compression", &rocks.options_set_compression) &&
	       find(library, "rocksdb_open", &rocks.open) && find(library, "rocksdb_close", &rocks.close) &&
	       find(library, "rocksdb_writeoptions_create", &rocks.writeoptions_create) &&
	       find(library, "rocksdb_writeoptions_set_sync", &rocks.writeoptions_set_sync) &&
	       find(library, "rocksdb_readoptions_create", &rocks.readoptions_create) &&
	       find(library, "rocksdb_put", &rocks.put) && find(library, "rocksdb_get", &rocks.get) &&
	       find(library, "rocksdb_free", &rocks.free);
}

static bool rocks_open(const char *dir)
{
	char *error = NULL;
	void *options;

	if (!rocks_load())
		return false;
	options = rocks.options_create();
	rocks.options_set_create_if_missing(options, 1);
	rocks.options_set_compression(options, 0); /* what it keeps is encrypted */
	rocks.db = rocks.open(options, dir, &error);
	if (error != NULL)
		bench_die(error);
	rocks.write_options = rocks.writeoptions_create();
	rocks.writeoptions_set_sync(rocks.write_options, 1);
	rocks.read_options = rocks.readoptions_create();
	return true;
}

static void rocks_put(const struct bytes32 *key, const void *value, size_t len)
{
	char *error = NULL;

	rocks.put(rocks.db, rocks.write_options, (const char *)key->b, sizeof(key->b), value, len, &error);
	if (error != NULL)
		bench_die(error);
}

static void rocks_get(const struct bytes32 *key, void *value, size_t len)
{
	char *error = NULL, *found;
	size_t got;

	found = rocks.get(rocks.db, rocks.read_options, (const char *)key->b, sizeof(key->b), &got, &error);
	if (error != NULL || found == NULL || got != len)
		bench_die("RocksDB has lost a value");
	memcpy(value, found, len);
	rocks.free(found);
}

static void rocks_close(void)
{
	rocks.close(rocks.db);
}

/* SQLite: a connection to each thread. */

static char sqlite_path[128];

struct connection {
	sqlite3 *db;
	sqlite3_stmt *put, *get;
};

static void connection_free(void *arg)
{
	struct connection *c = arg;

	sqlite3_finalize(c->put);
	sqlite3_finalize(c->get);
	sqlite3_close(c->db);
	free(c);
}

static pthread_key_t connections;

static struct connection *connection(void)
{
	struct connection *c = pthread_getspecific(connections);

	if (c != NULL)
		return c;
	c = memory_new(1, sizeof(*c));
	if (sqlite3_open(sqlite_path, &c->db) != SQLITE_OK)
		bench_die("SQLite cannot be opened");
	sqlite3_busy_timeout(c->db, 600000);
	if (sqlite3_exec(c->db,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS "
			 "pieces (id BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(c->db, "INSERT INTO pieces VALUES (?, ?)", -1, &c->put, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(c->db, "SELECT value FROM pieces WHERE id = ?", -1, &c->get, NULL) != SQLITE_OK)
		bench_die(sqlite3_errmsg(c->db));
	pthread_setspecific(connections, c);
	return c;
}

static bool sqlite_open(const char *dir)
{
	snprintf(sqlite_path, sizeof(sqlite_path), "%s/pieces.db", dir);
	if (pthread_key_create(&connections, connection_free) != 0)
		bench_die("no more keys of threads");
	connection();
	return true;
}

static void sqlite_put(const struct bytes32 *key, const void *value, size_t len)
{
	struct connection *c = connection();

	sqlite3_bind_blob(c->put, 1, key->b, sizeof(key->b), SQLITE_STATIC);
	sqlite3_bind_blob(c->put, 2, value, (int)len, SQLITE_STATIC);
	if (sqlite3_step(c->put) != SQLITE_DONE)
		bench_die(sqlite3_errmsg(c->db));
	sqlite3_reset(c->put);
}

static void sqlite_get(const struct bytes32 *key, void *value, size_t len)
{
	struct connection *c = connection();

	sqlite3_bind_blob(c->get, 1, key->b, sizeof(key->b), SQLITE_STATIC);
	if (sqlite3_step(c->get) != SQLITE_ROW || sqlite3_column_bytes(c->get, 0) != (int)len)
		bench_die("SQLite has lost a value");
	memcpy(value, sqlite3_column_blob(c->get, 0), len);
	sqlite3_reset(c->get);
}

static void sqlite_close(void)
{
	connection_free(pthread_getspecific(connections));
	pthread_setspecific(connections, NULL);
	pthread_key_delete(connections);
}

static const struct engine engines[] = {
	{"store", store_start, store_put, store_read, store_stop},
	{"lmdb", lmdb_open, lmdb_put, lmdb_get, lmdb_close},
	{"rocksdb", rocks_open, rocks_put, rocks_get, rocks_close},
	{"sqlite", sqlite_open, sqlite_put, sqlite_get, sqlite_close},
};

/* What all do. */

struct run {
	const struct engine *engine;
	uint8_t *content;
	size_t len;
	uint8_t series; /* first byte of the keys: pieces of each measurement have their own */
	double until;
	uint32_t most;
	atomic_uint next;
	bool reads;
};

static struct bytes32 key_of(const struct run *run, uint32_t number)
{
	struct bytes32 key;

	/* As scattered as hashes are. */
	memset(&key, run->series, sizeof(key));
	for (int i = 0; i < 4; i++)
		key.b[i] = (uint8_t)((number * 2654435761u) >> (8 * i));
	memcpy(key.b + 8, &number, sizeof(number));
	return key;
}

static void *work(void *arg)
{
	struct run *run = arg;
	uint8_t *out = memory_new(1, GET_SIZE);

	while (bench_now() < run->until) {
		uint32_t number = atomic_fetch_add(&run->next, 1);
		struct bytes32 key;

		if (number >= run->most)
			break;
		/* Another order than that of writing, each once. */
		key = key_of(run, run->reads ? (number * 4099u) % run->most : number);
		if (run->reads)
			run->engine->get(&key, out, run->len);
		else
			run->engine->put(&key, run->content, run->len);
	}
	free(out);
	return NULL;
}

/* Operations per second. */
static double rate_of(struct run *run, unsigned threads, double seconds)
{
	pthread_t ids[WRITERS];
	double start = bench_now();
	uint32_t done;

	run->until = start + seconds;
	atomic_store(&run->next, 0);
	for (unsigned i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, work, run) != 0)
			bench_die("cannot start a thread");
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	done = atomic_load(&run->next);
	return (done < run->most ? done : run->most) / (bench_now() - start);
}

static void walk(const char *path, void (*each)(const char *path))
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL) {
		each(path);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		char *inner;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		inner = file_join(path, entry->d_name);
		walk(inner, each);
		free(inner);
	}
	closedir(dir);
	rmdir(path); /* fails while there is something in it */
}

static void make_cold(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		bench_die("cannot drop a file from the page cache");
	close(fd);
}

static void remove_file(const char *path)
{
	unlink(path);
}

static void report(const char *what, const struct engine *engine, double rate)
{
	char name[64];

	snprintf(name, sizeof(name), "engine_%s_%s", what, engine->name);
	bench_result(name, rate, "pieces/s", 0, BENCH_NO_SHARE);
}

static void measure(const struct engine *engine, uint8_t *content, double seconds)
{
	struct run run = {.engine = engine, .content = content, .len = 1024, .series = 1, .most = PUTS_MOST};
	char dir[] = "bench-engine.XXXXXX";

	if (mkdtemp(dir) == NULL)
		bench_die("cannot make a directory here");
	if (!engine->open(dir)) {
		bench_say("%s: not installed, passed over", engine->name);
		rmdir(dir);
		return;
	}
	report("put_1kib", engine, rate_of(&run, WRITERS, seconds));
	run.len = 16384;
	run.series = 2;
	report("put_16kib", engine, rate_of(&run, WRITERS, seconds));
	run.len = GET_SIZE;
	run.series = 3;
	run.most = GET_PIECES;
	rate_of(&run, WRITERS, 3600);
	walk(dir, make_cold);
	run.reads = true;
	report("get_64kib", engine, rate_of(&run, READERS, 3600));
	engine->close();
	walk(dir, remove_file);
}

int main(void)
{
	const char *given = getenv("GRANARY_BENCH_SECONDS");
	double seconds = given != NULL && atof(given) > 0 ? atof(given) : SECONDS;
	uint8_t *content = memory_new(1, GET_SIZE);

	pieces_fill(1, 1, content, GET_SIZE);
	bench_say("durable puts of 1 KiB and 16 KiB from %u threads; cold gets of 64 KiB from %u", WRITERS, READERS);
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		measure(&engines[i], content, seconds);
	free(content);
	return 0;
}
