/*
 * The file is read when it changed, and changed under a lock: lock, read, edit, replace. In it:
 *
 *	{"version": 1, "password": TEXT or null, "codes": [{hash, pair, expires}], "tokens": [{hash, name, made}],
 *	 "sessions": [{hash, expires}]}
 */
#include "node/dashboard/login.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/hex.h"
#include "common/memory.h"
#include "common/random.h"
#include "node/dashboard/throttle.h"

#define LOCK_FILE "dashboard.lock"
#define LOCK_TRIES 200 /* of 10 ms */
#define FILE_MOST (256 * 1024)
#define CODES_MOST 16 /* the oldest go */
#define TOKENS_MOST 64
#define SESSIONS_MOST 64
#define HASH_TEXT 65
#define SECOND 1000000000ull

/* No 0, 1, I, L, O, U: nothing to mistake, and no words. */
static const char alphabet[] = "23456789ABCDEFGHJKMNPQRSTVWXYZ";

struct login {
	char *dir;
	char *path;
	pthread_mutex_t lock; /* guards what follows */
	struct throttle throttle;
	json_t *state; /* as last read */
	struct stat seen;
};

struct login *login_new(const char *dir)
{
	struct login *login = memory_new(1, sizeof(*login));

	login->dir = memory_copy(dir, strlen(dir));
	login->path = file_join(dir, LOGIN_FILE);
	pthread_mutex_init(&login->lock, NULL);
	return login;
}

void login_free(struct login *login)
{
	if (login == NULL)
		return;
	json_decref(login->state);
	pthread_mutex_destroy(&login->lock);
	free(login->path);
	free(login->dir);
	free(login);
}

/* The file. */

static json_t *empty_state(void)
{
	return json_pack("{s:i, s:n, s:[], s:[], s:[]}", "version", 1, "password", "codes", "tokens", "sessions");
}

static bool is_state(const json_t *state)
{
	return json_integer_value(json_object_get(state, "version")) == 1 &&
	       json_is_array(json_object_get(state, "codes")) && json_is_array(json_object_get(state, "tokens")) &&
	       json_is_array(json_object_get(state, "sessions"));
}

static enum err read_state(struct login *login)
{
	char *text = NULL;
	size_t len = 0;
	json_t *state = NULL;
	enum err err = file_read(login->path, FILE_MOST, &text, &len);

	if (err == ERR_NOT_FOUND) {
		state = empty_state();
		err = ERR_OK;
	} else if (err == ERR_OK) {
		state = json_loadb(text, len, 0, NULL);
		err = is_state(state) ? ERR_OK : ERR_FORMAT;
	}
	if (err == ERR_OK) {
		json_decref(login->state);
		login->state = state;
		state = NULL;
	}
	json_decref(state);
	free(text);
	return err;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Have the state as the file has it. */
static enum err refresh(struct login *login)
{
	struct stat now = {0};
	enum err err;

	(void)!stat(login->path, &now); /* no file: zeros */
	if (login->state != NULL && is_same_file(&now, &login->seen))
		return ERR_OK;
	err = read_state(login);
	if (err == ERR_OK)
		login->seen = now;
	return err;
}

static enum err take_lock(const struct login *login, int *ret_fd)
{
	const struct timespec pause = {0, 10000000};
	enum err err = file_lock(login->dir, LOCK_FILE, ret_fd);

	for (int i = 0; err == ERR_BUSY && i < LOCK_TRIES; i++) {
		nanosleep(&pause, NULL);
		err = file_lock(login->dir, LOCK_FILE, ret_fd);
	}
	return err;
}

static enum err write_state(struct login *login)
{
	char *text = json_dumps(login->state, JSON_INDENT(1));
	enum err err;

	if (text == NULL)
		abort();
	err = file_replace(login->path, bytes_of_text(text), 0600);
	free(text);
	return err;
}

/* Change the state by edit(state, arg), which says whether there is anything to be written. After a failure the file
 * counts. */
static enum err change(struct login *login, enum err (*edit)(json_t *state, void *arg), void *arg)
{
	int fd = -1;
	enum err err = take_lock(login, &fd);

	if (err != ERR_OK)
		return err;
	err = read_state(login);
	if (err == ERR_OK)
		err = edit(login->state, arg);
	if (err == ERR_OK)
		err = write_state(login);
	json_decref(login->state);
	login->state = NULL;
	close(fd);
	return err;
}

/* Rows with hashes. */

static void hash_secret(const char *kind, const char *secret, char out[HASH_TEXT])
{
	struct bytes32 hash;

	hash_once(kind, secret, strlen(secret), &hash);
	hex_encode(bytes_of(hash.b, sizeof(hash.b)), out);
}

static void make_secret(char out[LOGIN_TOKEN_TEXT])
{
	uint8_t secret[(LOGIN_TOKEN_TEXT - 1) / 2];

	random_bytes(secret, sizeof(secret));
	hex_encode(bytes_of(secret, sizeof(secret)), out);
	sodium_memzero(secret, sizeof(secret));
}

static uint64_t expiry_of(const json_t *row)
{
	return (uint64_t)json_integer_value(json_object_get(row, "expires"));
}

/* The row of a secret; hashes are compared in constant time. */
static size_t find_row(const json_t *rows, const char *hash)
{
	const json_t *row;
	size_t i, found = SIZE_MAX;

	json_array_foreach(rows, i, row) {
		const char *known = json_string_value(json_object_get(row, "hash"));

		if (known != NULL && strlen(known) == HASH_TEXT - 1 && sodium_memcmp(known, hash, HASH_TEXT - 1) == 0)
			found = i;
	}
	return found;
}

static void drop_expired(json_t *rows, uint64_t now)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (expiry_of(json_array_get(rows, i)) <= now)
			json_array_remove(rows, i);
}

static void append_row(json_t *rows, json_t *row, size_t most)
{
	while (json_array_size(rows) >= most)
		json_array_remove(rows, 0);
	json_array_append_new(rows, row);
}

/* What an edit works with. */
struct edit {
	const char *text; /* a hash, or a password's hash, or a name */
	const char *name;
	uint64_t now;
	bool pair;
	char *secret; /* made by the edit */
};

static enum err locked_change(struct login *login, enum err (*edit)(json_t *state, void *arg), struct edit *arg)
{
	enum err err;

	pthread_mutex_lock(&login->lock);
	err = change(login, edit, arg);
	pthread_mutex_unlock(&login->lock);
	return err;
}

static void add_session(json_t *state, uint64_t now, char out[LOGIN_TOKEN_TEXT])
{
	json_t *sessions = json_object_get(state, "sessions");
	char hash[HASH_TEXT];

	make_secret(out);
	hash_secret("granary.session", out, hash);
	drop_expired(sessions, now);
	append_row(sessions,
		   json_pack("{s:s, s:I}", "hash", hash, "expires", (json_int_t)(now + LOGIN_SESSION_SECONDS)),
		   SESSIONS_MOST);
}

/* For the operator. */

static enum err edit_password(json_t *state, void *arg)
{
	const struct edit *edit = arg;

	json_object_set_new(state, "password", edit->text != NULL ? json_string(edit->text) : json_null());
	json_array_clear(json_object_get(state, "sessions"));
	return ERR_OK;
}

enum err login_set_password(struct login *login, const char *password)
{
	char hash[crypto_pwhash_STRBYTES];
	size_t len = password == NULL ? 0 : strlen(password);

	if (password == NULL)
		return locked_change(login, edit_password, &(struct edit){.text = NULL});
	if (len < LOGIN_PASSWORD_LEAST || len > LOGIN_PASSWORD_MOST)
		return ERR_RANGE;
	if (crypto_pwhash_str(hash, password, len, crypto_pwhash_OPSLIMIT_INTERACTIVE,
			      crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return ERR_CRYPTO;
	return locked_change(login, edit_password, &(struct edit){.text = hash});
}

static enum err edit_add_code(json_t *state, void *arg)
{
	const struct edit *edit = arg;
	json_t *codes = json_object_get(state, "codes");

	drop_expired(codes, edit->now);
	append_row(codes,
		   json_pack("{s:s, s:b, s:I}", "hash", edit->text, "pair", edit->pair, "expires",
			     (json_int_t)(edit->now + LOGIN_CODE_SECONDS)),
		   CODES_MOST);
	return ERR_OK;
}

enum err login_make_code(struct login *login, enum login_purpose purpose, uint64_t now, char ret_code[LOGIN_CODE_TEXT])
{
	char code[LOGIN_CODE_TEXT], plain[LOGIN_CODE_TEXT - 1], hash[HASH_TEXT];
	enum err err;

	for (size_t i = 0; i < sizeof(plain) - 1; i++)
		plain[i] = alphabet[random_below(sizeof(alphabet) - 1)];
	plain[sizeof(plain) - 1] = '\0';
	hash_secret("granary.code", plain, hash);
	snprintf(code, sizeof(code), "%.4s-%.4s", plain, plain + 4);
	err = locked_change(login, edit_add_code,
			    &(struct edit){.text = hash, .now = now, .pair = purpose == LOGIN_TO_PAIR});
	if (err == ERR_OK)
		memcpy(ret_code, code, sizeof(code));
	return err;
}

/* Names are shown on terminals, and the file has room for text only. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);
	json_t *text = json_string(name); /* NULL: no UTF-8 */
	bool good = text != NULL && len > 0 && len <= LOGIN_NAME_MOST;

	for (size_t i = 0; i < len && good; i++)
		good = !iscntrl((unsigned char)name[i]);
	json_decref(text);
	return good;
}

static bool has_name(const json_t *tokens, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(tokens, i, row) {
		const char *known = json_string_value(json_object_get(row, "name"));

		if (known != NULL && strcmp(known, name) == 0)
			return true;
	}
	return false;
}

static enum err edit_add_token(json_t *state, void *arg)
{
	struct edit *edit = arg;
	json_t *tokens = json_object_get(state, "tokens");
	char hash[HASH_TEXT];

	if (has_name(tokens, edit->name))
		return ERR_EXISTS;
	if (json_array_size(tokens) >= TOKENS_MOST)
		return ERR_LIMIT;
	make_secret(edit->secret);
	hash_secret("granary.token", edit->secret, hash);
	json_array_append_new(
		tokens, json_pack("{s:s, s:s, s:I}", "hash", hash, "name", edit->name, "made", (json_int_t)edit->now));
	return ERR_OK;
}

enum err login_make_token(struct login *login, const char *name, uint64_t now, char ret_token[LOGIN_TOKEN_TEXT])
{
	char secret[LOGIN_TOKEN_TEXT];
	enum err err;

	if (!is_name(name))
		return ERR_RANGE;
	err = locked_change(login, edit_add_token, &(struct edit){.name = name, .now = now, .secret = secret});
	if (err == ERR_OK)
		memcpy(ret_token, secret, sizeof(secret));
	return err;
}

static enum err edit_drop_token(json_t *state, void *arg)
{
	const struct edit *edit = arg;
	json_t *tokens = json_object_get(state, "tokens");

	for (size_t i = 0; i < json_array_size(tokens); i++) {
		const char *name = json_string_value(json_object_get(json_array_get(tokens, i), "name"));

		if (name != NULL && strcmp(name, edit->name) == 0) {
			json_array_remove(tokens, i);
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

enum err login_drop_token(struct login *login, const char *name)
{
	return locked_change(login, edit_drop_token, &(struct edit){.name = name});
}

static enum err edit_drop_sessions(json_t *state, void *arg)
{
	(void)arg;
	json_array_clear(json_object_get(state, "sessions"));
	return ERR_OK;
}

enum err login_drop_sessions(struct login *login)
{
	return locked_change(login, edit_drop_sessions, NULL);
}

static json_t *facts_of(json_t *state, uint64_t now)
{
	json_t *tokens = json_array(), *row;
	size_t i, sessions = 0;

	json_array_foreach(json_object_get(state, "sessions"), i, row)
		sessions += expiry_of(row) > now;
	json_array_foreach(json_object_get(state, "tokens"), i, row)
		json_array_append_new(tokens, json_pack("{s:O, s:O}", "name", json_object_get(row, "name"), "made",
							json_object_get(row, "made")));
	return json_pack("{s:b, s:I, s:o}", "password", json_is_string(json_object_get(state, "password")), "sessions",
			 (json_int_t)sessions, "tokens", tokens);
}

json_t *login_facts(struct login *login, uint64_t now)
{
	json_t *facts = NULL;

	pthread_mutex_lock(&login->lock);
	if (refresh(login) == ERR_OK)
		facts = facts_of(login->state, now);
	pthread_mutex_unlock(&login->lock);
	return facts;
}

/* For visitors. */

static uint64_t throttle_now(void)
{
	return clock_monotonic() / SECOND + THROTTLE_SECONDS;
}

static enum err edit_add_session(json_t *state, void *arg)
{
	struct edit *edit = arg;

	add_session(state, edit->now, edit->secret);
	return ERR_OK;
}

/* The password's hash, in new memory; NULL when there is no password. */
static char *read_password(struct login *login)
{
	const char *hash;

	if (refresh(login) != ERR_OK)
		return NULL;
	hash = json_string_value(json_object_get(login->state, "password"));
	return hash == NULL ? NULL : memory_copy(hash, strlen(hash));
}

/* Whether this address may try; and the outcome of its try noted. */
static bool may_try(struct login *login, const char *peer)
{
	bool allowed;

	pthread_mutex_lock(&login->lock);
	allowed = throttle_allows(&login->throttle, peer, throttle_now());
	pthread_mutex_unlock(&login->lock);
	return allowed;
}

static void note_failure(struct login *login, const char *peer)
{
	pthread_mutex_lock(&login->lock);
	throttle_note(&login->throttle, peer, throttle_now());
	pthread_mutex_unlock(&login->lock);
}

enum err login_by_password(struct login *login, const char *password, const char *peer, uint64_t now,
			   char ret_session[LOGIN_TOKEN_TEXT])
{
	char *hash, secret[LOGIN_TOKEN_TEXT];
	enum err err;
	bool fits;

	if (!may_try(login, peer))
		return ERR_LIMIT;
	pthread_mutex_lock(&login->lock);
	hash = read_password(login);
	pthread_mutex_unlock(&login->lock);
	fits = hash != NULL && strlen(password) <= LOGIN_PASSWORD_MOST &&
	       crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
	free(hash);
	if (!fits) {
		note_failure(login, peer);
		return ERR_DENIED;
	}
	err = locked_change(login, edit_add_session, &(struct edit){.now = now, .secret = secret});
	if (err == ERR_OK)
		memcpy(ret_session, secret, sizeof(secret));
	return err;
}

/* As people type them: in any case, with any strokes and blanks. */
static void hash_code(const char *text, char hash[HASH_TEXT])
{
	char plain[LOGIN_CODE_TEXT];
	size_t len = 0;

	for (; *text != '\0' && len < sizeof(plain) - 1; text++)
		if (isalnum((unsigned char)*text))
			plain[len++] = (char)toupper((unsigned char)*text);
	plain[len] = '\0';
	hash_secret("granary.code", plain, hash);
}

/* Use a code up; ERR_DENIED. */
static enum err use_code(json_t *state, const struct edit *edit)
{
	json_t *codes = json_object_get(state, "codes");
	size_t at;

	drop_expired(codes, edit->now);
	at = find_row(codes, edit->text);
	if (at == SIZE_MAX || json_is_true(json_object_get(json_array_get(codes, at), "pair")) != edit->pair)
		return ERR_DENIED;
	json_array_remove(codes, at);
	return ERR_OK;
}

static enum err edit_enter(json_t *state, void *arg)
{
	struct edit *edit = arg;
	enum err err = use_code(state, edit);

	if (err == ERR_OK)
		add_session(state, edit->now, edit->secret);
	return err;
}

static enum err edit_pair(json_t *state, void *arg)
{
	struct edit *edit = arg;
	enum err err = use_code(state, edit);

	return err == ERR_OK ? edit_add_token(state, edit) : err;
}

static enum err try_code(struct login *login, const char *peer, enum err (*edit)(json_t *state, void *arg),
			 struct edit *arg)
{
	enum err err;

	if (!may_try(login, peer))
		return ERR_LIMIT;
	err = locked_change(login, edit, arg);
	if (err == ERR_DENIED)
		note_failure(login, peer);
	return err;
}

enum err login_by_code(struct login *login, const char *code, const char *peer, uint64_t now,
		       char ret_session[LOGIN_TOKEN_TEXT])
{
	char hash[HASH_TEXT], secret[LOGIN_TOKEN_TEXT];
	enum err err;

	hash_code(code, hash);
	err = try_code(login, peer, edit_enter, &(struct edit){.text = hash, .now = now, .secret = secret});
	if (err == ERR_OK)
		memcpy(ret_session, secret, sizeof(secret));
	return err;
}

enum err login_pair(struct login *login, const char *code, const char *peer, const char *name, uint64_t now,
		    char ret_token[LOGIN_TOKEN_TEXT])
{
	char hash[HASH_TEXT], secret[LOGIN_TOKEN_TEXT], numbered[LOGIN_NAME_MOST + 8];
	struct edit edit = {.text = hash, .name = numbered, .now = now, .pair = true, .secret = secret};
	enum err err = ERR_EXISTS;

	if (!is_name(name))
		return ERR_RANGE;
	hash_code(code, hash);
	/* The code is written off together with the token, so a name that is taken costs nothing. */
	for (unsigned i = 1; err == ERR_EXISTS && i <= TOKENS_MOST; i++) {
		snprintf(numbered, sizeof(numbered), i == 1 ? "%s" : "%s %u", name, i);
		err = try_code(login, peer, edit_pair, &edit);
	}
	if (err == ERR_OK)
		memcpy(ret_token, secret, sizeof(secret));
	return err;
}

static bool has_row(struct login *login, const char *rows, const char *kind, const char *secret, uint64_t now)
{
	char hash[HASH_TEXT];
	size_t at = SIZE_MAX;
	const json_t *row;
	bool valid = false;

	hash_secret(kind, secret, hash);
	pthread_mutex_lock(&login->lock);
	if (refresh(login) == ERR_OK)
		at = find_row(json_object_get(login->state, rows), hash);
	if (at != SIZE_MAX) {
		row = json_array_get(json_object_get(login->state, rows), at);
		valid = json_object_get(row, "expires") == NULL || expiry_of(row) > now;
	}
	pthread_mutex_unlock(&login->lock);
	return valid;
}

bool login_has_session(struct login *login, const char *session, uint64_t now)
{
	return has_row(login, "sessions", "granary.session", session, now);
}

bool login_has_token(struct login *login, const char *token)
{
	return has_row(login, "tokens", "granary.token", token, 0);
}

static enum err edit_end_session(json_t *state, void *arg)
{
	const struct edit *edit = arg;
	json_t *sessions = json_object_get(state, "sessions");
	size_t at = find_row(sessions, edit->text);

	if (at != SIZE_MAX)
		json_array_remove(sessions, at);
	return ERR_OK;
}

enum err login_end_session(struct login *login, const char *session)
{
	char hash[HASH_TEXT];

	hash_secret("granary.session", session, hash);
	return locked_change(login, edit_end_session, &(struct edit){.text = hash});
}

void login_form_token(const char *session, char out[LOGIN_TOKEN_TEXT])
{
	hash_secret("granary.form", session, out);
}

bool login_form_fits(const char *session, const char *token)
{
	char right[LOGIN_TOKEN_TEXT];

	login_form_token(session, right);
	return strlen(token) == sizeof(right) - 1 && sodium_memcmp(token, right, sizeof(right) - 1) == 0;
}
