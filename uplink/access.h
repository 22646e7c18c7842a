/*
 * What a client needs to use a satellite, and how it gets it.
 *
 * A satellite's operator hands out a grant, one line `ID@HOST:PORT/CODE`: where the satellite is and a code that
 * enrols one key. The client makes the rest itself: its key, and the encryption root, which never leaves it but
 * inside an access. The access is kept in a file (mode 0600) and exported as the same one line of text,
 * `granary-access-1-…`: it is the whole secret of a client.
 */
#ifndef GRANARY_UPLINK_ACCESS_H
#define GRANARY_UPLINK_ACCESS_H

#include "common/endpoint.h"
#include "uplink/secret.h"

#define GRANT_CODE 16
#define GRANT_TEXT (ENDPOINT_TEXT + 1 + 2 * GRANT_CODE)
#define ACCESS_PREFIX "granary-access-1-"
#define ACCESS_TEXT 600

struct grant {
	struct endpoint satellite;
	uint8_t code[GRANT_CODE]; /* as ENROL carries it */
};

/* ERR_FORMAT, ERR_RANGE, with words for a person in *ret_why. White space around the text is ignored. */
enum err grant_parse(const char *text, struct grant *ret, const char **ret_why) WARN_UNUSED;
void grant_print(const struct grant *grant, char out[GRANT_TEXT]);

struct access {
	struct endpoint satellite;
	uint64_t chain_id;	 /* the EIP-712 domain that this satellite was first met with: */
	struct address contract; /* signatures are checked against it, another one is refused */
	struct key *key;	 /* owned */
	struct secret *root;	 /* owned */
};

/* A new access: a fresh key, and a root that is random. */
struct access *access_generate(const struct endpoint *satellite);
/* Replace the root by one made from a passphrase (Argon2id), so that the same words give the same root at the same
 * satellite on another machine. ERR_RANGE for an empty passphrase or one over 1024 bytes; ERR_SYSTEM when there is
 * not the memory it takes (256 MiB). */
enum err access_set_passphrase(struct access *access, struct bytes passphrase) WARN_UNUSED;
void access_free(struct access *access);

/* The one line, without a newline: a secret, so the caller wipes it. */
void access_print(const struct access *access, char out[ACCESS_TEXT]);
/* Read it. ERR_FORMAT, ERR_UNSUPPORTED for another version, ERR_CORRUPT for a checksum that does not fit, with words
 * in *ret_why. White space around the text is ignored. */
enum err access_parse(const char *text, struct access **ret, const char **ret_why) WARN_UNUSED;

/* Write a new file, durably, with mode 0600; ERR_EXISTS rather than replacing one: a lost root is lost data. */
enum err access_save(const struct access *access, const char *path) WARN_UNUSED;
/* Read it; ERR_DENIED when others can read the file; as access_parse besides. */
enum err access_load(const char *path, struct access **ret, const char **ret_why) WARN_UNUSED;

#endif
