/*
 * Grants and accesses as text.
 *
 * An access is `granary-access-1-` and base64url, without padding, of its fields and a checksum (doc/formats.md,
 * section 7). The checksum is for slips of the hand; whoever can write an access needs no forgery.
 */
#include "uplink/access.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/file.h"
#include "common/hash.h"
#include "common/hex.h"
#include "common/memory.h"

#define CHECKSUM 4
#define BINARY_MAX (KEY_ID_BYTES + 1 + ENDPOINT_HOST_MAX + 2 + 8 + 20 + 32 + SECRET_BYTES + CHECKSUM)
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define PASSPHRASE_MAX 1024
#define FILE_MAX (ACCESS_TEXT + 64)

_Static_assert(sizeof(ACCESS_PREFIX) + sodium_base64_ENCODED_LEN(BINARY_MAX, BASE64) <= ACCESS_TEXT, "room");

/* Copy text without the white space around it to out. False when it does not fit. */
static bool trim(const char *text, char *out, size_t room)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len >= room)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

enum err grant_parse(const char *text, struct grant *ret, const char **ret_why)
{
	char line[GRANT_TEXT], *slash;
	struct grant grant;
	enum err err;

	*ret_why = "a grant looks like ID@HOST:PORT/CODE";
	if (!trim(text, line, sizeof(line)))
		return ERR_FORMAT;
	slash = strrchr(line, '/');
	if (slash == NULL)
		return ERR_FORMAT;
	*slash = '\0';
	if (strlen(slash + 1) != 2 * GRANT_CODE || hex_decode(slash + 1, grant.code, GRANT_CODE) != ERR_OK) {
		*ret_why = "the grant's code, after the '/', is not 32 hexadecimal digits";
		return ERR_FORMAT;
	}
	err = endpoint_parse(line, &grant.satellite);
	if (err != ERR_OK) {
		*ret_why = "the grant's satellite, before the '/', is not ID@HOST:PORT";
		return err;
	}
	*ret = grant;
	return ERR_OK;
}

void grant_print(const struct grant *grant, char out[GRANT_TEXT])
{
	size_t len;

	endpoint_print(&grant->satellite, out);
	len = strlen(out);
	out[len] = '/';
	hex_encode(bytes_of(grant->code, sizeof(grant->code)), out + len + 1);
}

struct access *access_generate(const struct endpoint *satellite)
{
	struct access *access = memory_new(1, sizeof(*access));

	access->satellite = *satellite;
	access->key = key_generate();
	access->root = secret_generate();
	return access;
}

/* The salt is the satellite's alone: with the client's key in it, the words would not bring the root back on a machine
 * with another key, which is what they are for. */
enum err access_set_passphrase(struct access *access, struct bytes passphrase)
{
	uint8_t root[SECRET_BYTES];
	struct bytes32 salt;

	_Static_assert(crypto_pwhash_SALTBYTES <= sizeof(salt.b), "salt");
	if (passphrase.len == 0 || passphrase.len > PASSPHRASE_MAX)
		return ERR_RANGE;
	hash_once("granary.salt", access->satellite.id.b, sizeof(access->satellite.id.b), &salt);
	if (crypto_pwhash(root, sizeof(root), (const char *)passphrase.data, passphrase.len, salt.b,
			  crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE,
			  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return ERR_SYSTEM;
	secret_free(access->root);
	access->root = secret_from(root);
	sodium_memzero(root, sizeof(root));
	return ERR_OK;
}

void access_free(struct access *access)
{
	if (access == NULL)
		return;
	key_free(access->key);
	secret_free(access->root);
	free(access);
}

static void checksum_of(struct bytes content, uint8_t ret[CHECKSUM])
{
	struct bytes32 hash;

	hash_once("granary.access", content.data, content.len, &hash);
	memcpy(ret, hash.b, CHECKSUM);
}

static void write_access(const struct access *access, struct writer *w)
{
	const struct hostport *at = &access->satellite.at;
	uint8_t secret[32], checksum[CHECKSUM];

	write_raw(w, access->satellite.id.b, sizeof(access->satellite.id.b));
	write_u8(w, (uint8_t)strlen(at->host));
	write_raw(w, at->host, strlen(at->host));
	write_u16(w, at->port);
	write_u64(w, access->chain_id);
	write_raw(w, access->contract.b, sizeof(access->contract.b));
	key_export_secret(access->key, secret);
	write_raw(w, secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
	write_raw(w, secret_bytes(access->root), SECRET_BYTES);
	checksum_of(writer_bytes(w), checksum);
	write_raw(w, checksum, sizeof(checksum));
}

void access_print(const struct access *access, char out[ACCESS_TEXT])
{
	const size_t prefix = strlen(ACCESS_PREFIX);
	uint8_t binary[BINARY_MAX];
	struct writer w;

	writer_init(&w, binary, sizeof(binary));
	write_access(access, &w);
	assert(w.err == ERR_OK);
	memcpy(out, ACCESS_PREFIX, prefix);
	sodium_bin2base64(out + prefix, ACCESS_TEXT - prefix, binary, w.len, BASE64);
	sodium_memzero(binary, sizeof(binary));
}

/* A host is taken as it would be from text, so that nothing odd hides in it. */
static enum err read_satellite(struct reader *r, struct endpoint *ret)
{
	char text[HOSTPORT_TEXT];
	struct endpoint satellite = {0};
	struct hostport again;
	uint8_t len;

	read_raw(r, satellite.id.b, sizeof(satellite.id.b));
	len = read_u8(r);
	if (len > ENDPOINT_HOST_MAX)
		return ERR_FORMAT;
	read_raw(r, satellite.at.host, len);
	satellite.at.port = read_u16(r);
	if (r->err != ERR_OK || id_check(&satellite.id) != ERR_OK || strlen(satellite.at.host) != len)
		return ERR_FORMAT;
	hostport_print(&satellite.at, text);
	if (hostport_parse(text, &again) != ERR_OK || strcmp(again.host, satellite.at.host) != 0)
		return ERR_FORMAT;
	*ret = satellite;
	return ERR_OK;
}

/* The content of an access whose checksum fits. */
static enum err read_access(struct reader *r, struct access *access)
{
	uint8_t secret[32];
	enum err err = read_satellite(r, &access->satellite);

	access->chain_id = read_u64(r);
	read_raw(r, access->contract.b, sizeof(access->contract.b));
	read_raw(r, secret, sizeof(secret));
	if (err == ERR_OK && key_from_secret(secret, &access->key) != ERR_OK)
		err = ERR_FORMAT;
	read_raw(r, secret, sizeof(secret));
	access->root = secret_from(secret);
	sodium_memzero(secret, sizeof(secret));
	if (err == ERR_OK)
		err = reader_end(r);
	return err;
}

static enum err parse_binary(struct bytes binary, struct access **ret, const char **ret_why)
{
	uint8_t checksum[CHECKSUM];
	struct access *access;
	struct bytes content;
	struct reader r;
	enum err err;

	*ret_why = "the access is cut short";
	if (binary.len < CHECKSUM)
		return ERR_FORMAT;
	content = bytes_of(binary.data, binary.len - CHECKSUM);
	checksum_of(content, checksum);
	if (memcmp(checksum, binary.data + content.len, CHECKSUM) != 0) {
		*ret_why = "the access has a slip in it: its checksum does not fit";
		return ERR_CORRUPT;
	}
	access = memory_new(1, sizeof(*access));
	reader_init(&r, content);
	err = read_access(&r, access);
	if (err != ERR_OK) {
		*ret_why = "the access has a good checksum but no sensible content";
		access_free(access);
		return err;
	}
	*ret = access;
	return ERR_OK;
}

enum err access_parse(const char *text, struct access **ret, const char **ret_why)
{
	static const char family[] = "granary-access-";
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const size_t prefix = strlen(ACCESS_PREFIX);
	char line[ACCESS_TEXT];
	uint8_t binary[BINARY_MAX];
	size_t len = 0;
	enum err err = ERR_FORMAT;

	*ret_why = "an access is one line that begins with " ACCESS_PREFIX;
	if (!trim(text, line, sizeof(line)))
		return ERR_FORMAT;
	if (strncmp(line, ACCESS_PREFIX, prefix) == 0) {
		*ret_why = "the access has characters that do not belong in it, or is cut short";
		/* libsodium takes some bytes above 127 for digits. */
		if (strspn(line + prefix, digits) == strlen(line + prefix) &&
		    sodium_base642bin(binary, sizeof(binary), line + prefix, strlen(line + prefix), NULL, &len, NULL,
				      BASE64) == 0)
			err = parse_binary(bytes_of(binary, len), ret, ret_why);
	} else if (strncmp(line, family, strlen(family)) == 0) {
		*ret_why = "the access is of a version that this program does not know";
		err = ERR_UNSUPPORTED;
	}
	sodium_memzero(line, sizeof(line));
	sodium_memzero(binary, sizeof(binary));
	return err;
}

enum err access_save(const struct access *access, const char *path)
{
	char text[ACCESS_TEXT + 1];
	size_t len;
	enum err err;

	access_print(access, text);
	len = strlen(text);
	text[len++] = '\n';
	err = file_create(path, bytes_of(text, len), 0600);
	sodium_memzero(text, sizeof(text));
	return err;
}

/* Up to FILE_MAX bytes of a file that is its owner's alone, as text. */
static enum err read_private(const char *path, char text[FILE_MAX + 1], const char **ret_why)
{
	struct stat st;
	ssize_t got = -1;
	enum err err = ERR_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*ret_why = "the access file cannot be read";
	if (fd < 0)
		return err_from_errno(errno);
	if (fstat(fd, &st) == 0)
		got = read(fd, text, FILE_MAX);
	if (got < 0)
		err = err_from_errno(errno);
	close(fd);
	if (err != ERR_OK)
		return err;
	text[got] = '\0';
	if ((st.st_mode & 077) != 0) {
		*ret_why = "the access file can be read by others: its mode must be 0600";
		return ERR_DENIED;
	}
	return ERR_OK;
}

enum err access_load(const char *path, struct access **ret, const char **ret_why)
{
	char text[FILE_MAX + 1];
	enum err err = read_private(path, text, ret_why);

	if (err == ERR_OK)
		err = access_parse(text, ret, ret_why);
	sodium_memzero(text, sizeof(text));
	return err;
}
