/*
 * Encrypted names.
 *
 * A component is IV ‖ XChaCha20(name padded with zeros to 16), where the IV is a keyed hash of the padded name. It
 * serves as nonce and, made again after decryption, as the authenticator (SIV), so no tag is needed beside it.
 * Names hold no zero byte, so the padding comes off unmistakably.
 */
#include "uplink/path.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "common/components.h"

#define PADDED_MAX ((PATH_NAME_MAX + PATH_PAD - 1) / PATH_PAD * PATH_PAD)

_Static_assert(PATH_IV == crypto_stream_xchacha20_NONCEBYTES, "the IV is the nonce");

/* Take the first component off *plain; `more` tells whether another follows, for one may be empty. */
static struct bytes next_name(struct bytes *plain, bool *more)
{
	const uint8_t *slash = plain->len > 0 ? memchr(plain->data, '/', plain->len) : NULL;
	struct bytes name = *plain;

	*more = slash != NULL;
	if (slash != NULL) {
		name.len = (size_t)(slash - plain->data);
		plain->data += name.len + 1;
		plain->len -= name.len + 1;
	}
	return name;
}

enum err path_check(struct bytes plain, const char **ret_why)
{
	bool more = true;

	if (plain.len == 0) {
		*ret_why = "the path is empty";
		return ERR_FORMAT;
	}
	if (plain.len > PATH_PLAIN_MAX) {
		*ret_why = "the path is longer than 1024 bytes";
		return ERR_RANGE;
	}
	if (!text_is_printable(plain)) {
		*ret_why = "the path is not printable UTF-8";
		return ERR_FORMAT;
	}
	while (more) {
		if (next_name(&plain, &more).len > PATH_NAME_MAX) {
			*ret_why = "a name in the path is longer than 255 bytes";
			return ERR_RANGE;
		}
	}
	return ERR_OK;
}

struct secret *path_bucket_key(const struct secret *root, struct bytes bucket)
{
	return secret_derive(root, "granary.bucket", bucket);
}

struct secret *path_key(const struct secret *folder, struct bytes plain)
{
	struct secret *key = secret_from(secret_bytes(folder)), *child;
	bool more = plain.len > 0;

	while (more) {
		child = secret_derive(key, "granary.folder", next_name(&plain, &more));
		secret_free(key);
		key = child;
	}
	return key;
}

static size_t padded_length(size_t name_len)
{
	return name_len == 0 ? PATH_PAD : (name_len + PATH_PAD - 1) / PATH_PAD * PATH_PAD;
}

static void synthetic_iv(const struct secret *folder, struct bytes padded, uint8_t iv[PATH_IV])
{
	static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = "granary.name.iv";

	if (crypto_generichash_blake2b_salt_personal(iv, PATH_IV, padded.data, padded.len, secret_bytes(folder),
						     SECRET_BYTES, NULL, personal) != 0)
		assert(!"BLAKE2b parameters");
}

/* XChaCha20 both ways, from iv to whatever is at `data`. */
static void cipher_name(const struct secret *folder, const uint8_t iv[PATH_IV], uint8_t *data, size_t len)
{
	struct secret *key = secret_derive(folder, "granary.name.key", bytes_of(NULL, 0));

	crypto_stream_xchacha20_xor(data, data, len, iv, secret_bytes(key));
	secret_free(key);
}

static void encrypt_name(const struct secret *folder, struct bytes name, struct writer *w)
{
	uint8_t padded[PADDED_MAX] = {0}, iv[PATH_IV];
	size_t len = padded_length(name.len);

	if (name.len > 0)
		memcpy(padded, name.data, name.len);
	synthetic_iv(folder, bytes_of(padded, len), iv);
	cipher_name(folder, iv, padded, len);
	write_u16(w, (uint16_t)(PATH_IV + len));
	write_raw(w, iv, PATH_IV);
	write_raw(w, padded, len);
}

enum err path_encrypt(const struct secret *folder, struct bytes plain, struct writer *ret)
{
	uint8_t buffer[MESSAGE_PATH_MAX];
	struct secret *key, *child;
	bool more = plain.len > 0;
	struct bytes name;
	struct writer w;
	const char *why;
	enum err err;

	if (!more)
		return ERR_OK;
	err = path_check(plain, &why);
	if (err != ERR_OK)
		return err;
	writer_init(&w, buffer, sizeof(buffer));
	key = secret_from(secret_bytes(folder));
	while (more && w.err == ERR_OK) {
		name = next_name(&plain, &more);
		encrypt_name(key, name, &w);
		child = secret_derive(key, "granary.folder", name);
		secret_free(key);
		key = child;
	}
	secret_free(key);
	if (w.err != ERR_OK)
		return ERR_LIMIT;
	write_raw(ret, buffer, w.len);
	return ret->err;
}

/* The name in a component, into `padded`; ERR_AUTH unless encrypt_name made exactly these bytes from it. */
static enum err decrypt_name(const struct secret *folder, struct bytes component, uint8_t padded[PADDED_MAX],
			     struct bytes *ret_name)
{
	uint8_t iv[PATH_IV];
	size_t len;

	if (component.len < PATH_IV + PATH_PAD || component.len > PATH_IV + PADDED_MAX)
		return ERR_FORMAT;
	len = component.len - PATH_IV;
	if (len % PATH_PAD != 0)
		return ERR_FORMAT;
	memcpy(padded, component.data + PATH_IV, len);
	cipher_name(folder, component.data, padded, len);
	synthetic_iv(folder, bytes_of(padded, len), iv);
	if (sodium_memcmp(iv, component.data, PATH_IV) != 0)
		return ERR_AUTH;
	*ret_name = bytes_of(padded, len);
	while (ret_name->len > 0 && padded[ret_name->len - 1] == 0)
		ret_name->len--;
	if (padded_length(ret_name->len) != len || ret_name->len > PATH_NAME_MAX)
		return ERR_AUTH;
	if (!text_is_printable(*ret_name) || memchr(padded, '/', ret_name->len) != NULL)
		return ERR_AUTH;
	return ERR_OK;
}

enum err path_decrypt(const struct secret *folder, struct bytes encrypted, char ret[PATH_TEXT])
{
	struct secret *key, *child;
	uint8_t plain[PATH_PLAIN_MAX], padded[PADDED_MAX];
	struct bytes component, name;
	struct writer w;
	enum err err = ERR_OK;

	if (encrypted.len == 0 || encrypted.len > MESSAGE_PATH_MAX || components_check(encrypted) != ERR_OK)
		return ERR_FORMAT;
	writer_init(&w, plain, sizeof(plain));
	key = secret_from(secret_bytes(folder));
	for (bool first = true; err == ERR_OK && components_next(&encrypted, &component); first = false) {
		err = decrypt_name(key, component, padded, &name);
		if (err != ERR_OK)
			break;
		if (!first)
			write_u8(&w, '/');
		write_raw(&w, name.data, name.len);
		err = w.err == ERR_OK ? ERR_OK : ERR_AUTH;
		child = secret_derive(key, "granary.folder", name);
		secret_free(key);
		key = child;
	}
	secret_free(key);
	if (err != ERR_OK)
		return err;
	memcpy(ret, plain, w.len);
	ret[w.len] = '\0';
	return ERR_OK;
}
