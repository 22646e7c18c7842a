/*
 * Who may see and command the node from a browser: a password, one-time codes, sessions and read-only tokens.
 *
 * All of it stands in DIR/dashboard.json, mode 0600, as hashes: the password under Argon2id, the others, which are
 * random, under BLAKE2b. The daemon and its commands change the file alike, under a lock, and the daemon sees at once
 * what a command changed. So a code can be made while the node does not run, and a session outlives a restart.
 *
 * Tries are limited: five failures a minute from one address, and sixty in all. Safe from any thread. Times are Unix
 * seconds.
 */
#ifndef GRANARY_NODE_DASHBOARD_LOGIN_H
#define GRANARY_NODE_DASHBOARD_LOGIN_H

#include <jansson.h>

#include "common/bytes.h"

#define LOGIN_FILE "dashboard.json"
#define LOGIN_CODE_TEXT 10  /* "K7QM-2XRD" and a NUL */
#define LOGIN_TOKEN_TEXT 65 /* 32 random bytes in hex and a NUL */
#define LOGIN_CODE_SECONDS (15 * 60)
#define LOGIN_SESSION_SECONDS (30 * 24 * 3600)
#define LOGIN_PASSWORD_LEAST 8 /* characters */
#define LOGIN_PASSWORD_MOST 200
#define LOGIN_NAME_MOST 64 /* bytes of UTF-8 */

struct login;

struct login *login_new(const char *dir);
void login_free(struct login *login);

/* What a code is good for: it works once. */
enum login_purpose {
	LOGIN_TO_ENTER, /* a session of a browser */
	LOGIN_TO_PAIR,	/* a read-only token for another node's page */
};

/*
 * For the operator. All: ERR_BUSY when the file stays locked, ERR_FORMAT when it does not parse, ERR_IO and its kind.
 */
/* Ends all sessions, too. NULL: no password any more. ERR_RANGE: too short or too long. Takes part of a second. */
enum err login_set_password(struct login *login, const char *password) WARN_UNUSED;
enum err login_make_code(struct login *login, enum login_purpose purpose, uint64_t now,
			 char ret_code[LOGIN_CODE_TEXT]) WARN_UNUSED;
/* A read-only token under a new name. ERR_EXISTS; ERR_RANGE: the name is empty, too long, or no line of text;
 * ERR_LIMIT: 64 there are. */
enum err login_make_token(struct login *login, const char *name, uint64_t now,
			  char ret_token[LOGIN_TOKEN_TEXT]) WARN_UNUSED;
/* ERR_NOT_FOUND. */
enum err login_drop_token(struct login *login, const char *name) WARN_UNUSED;
enum err login_drop_sessions(struct login *login) WARN_UNUSED;
/* {"password": B, "sessions": N, "tokens": [{name, made}]}, without what has expired; NULL when it cannot be read. */
json_t *login_facts(struct login *login, uint64_t now);

/* For visitors, from `peer`. ERR_DENIED: wrong, used or expired; ERR_LIMIT: too many tries, wait a minute; and the
 * errors above. The first takes a good part of a second. */
enum err login_by_password(struct login *login, const char *password, const char *peer, uint64_t now,
			   char ret_session[LOGIN_TOKEN_TEXT]) WARN_UNUSED;
enum err login_by_code(struct login *login, const char *code, const char *peer, uint64_t now,
		       char ret_session[LOGIN_TOKEN_TEXT]) WARN_UNUSED;
/* A code that was made to pair gives a token, which gets the name or one that is free. ERR_RANGE as above. */
enum err login_pair(struct login *login, const char *code, const char *peer, const char *name, uint64_t now,
		    char ret_token[LOGIN_TOKEN_TEXT]) WARN_UNUSED;

bool login_has_session(struct login *login, const char *session, uint64_t now);
bool login_has_token(struct login *login, const char *token);
enum err login_end_session(struct login *login, const char *session) WARN_UNUSED;

/* What forms of a session carry, so that no other page can send them. */
void login_form_token(const char *session, char out[LOGIN_TOKEN_TEXT]);
bool login_form_fits(const char *session, const char *token);

#endif
