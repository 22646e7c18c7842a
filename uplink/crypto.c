/* Objects' ciphers, through libsodium. */
#include "uplink/crypto.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "common/random.h"

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define BUCKET_MAX 255
/* Room for the associated data of a wrapped key: id, bucket with its length, version, number, last, size. */
#define BOUND_MAX (KEY_ID_BYTES + 1 + BUCKET_MAX + 32 + 4 + 1 + 8)

_Static_assert(CRYPTO_TAG == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag of a unit");
_Static_assert(CRYPTO_WRAPPED == NONCE + SECRET_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES, "wrapped key");

static void unit_nonce(uint64_t number, uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
	put_be32(nonce, 0);
	put_be64(nonce + 4, number);
}

void crypto_seal_unit(const struct secret *segment_key, uint64_t number, uint8_t *unit, size_t unit_size,
		      size_t plain_len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	assert(unit_size >= CRYPTO_TAG && plain_len <= unit_size - CRYPTO_TAG);
	memset(unit + plain_len, 0, unit_size - CRYPTO_TAG - plain_len);
	unit_nonce(number, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt(unit, NULL, unit, unit_size - CRYPTO_TAG, NULL, 0, NULL, nonce,
						  secret_bytes(segment_key));
}

enum err crypto_open_unit(const struct secret *segment_key, uint64_t number, struct bytes unit, uint8_t *out)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	if (unit.len < CRYPTO_TAG)
		return ERR_AUTH;
	unit_nonce(number, nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, unit.data, unit.len, NULL, 0, nonce,
						      secret_bytes(segment_key)) != 0)
		return ERR_AUTH;
	return ERR_OK;
}

/* The part of a place that metadata are bound to: satellite and bucket. */
static void write_bucket(struct writer *w, const struct crypto_place *place)
{
	assert(place->bucket.len <= BUCKET_MAX);
	write_raw(w, place->satellite.b, sizeof(place->satellite.b));
	write_u8(w, (uint8_t)place->bucket.len);
	write_raw(w, place->bucket.data, place->bucket.len);
}

static void write_place(struct writer *w, const struct crypto_place *place)
{
	write_bucket(w, place);
	write_raw(w, place->version.b, sizeof(place->version.b));
	write_u32(w, place->number);
	write_u8(w, place->last ? 1 : 0);
	write_u64(w, place->plain_size);
}

/* nonce ‖ ciphertext ‖ tag; out has room for NONCE + plain.len + CRYPTO_TAG. */
static void seal(const struct secret *key, struct bytes bound, struct bytes plain, uint8_t *out)
{
	random_bytes(out, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, plain.data, plain.len, bound.data, bound.len,
						   NULL, out, secret_bytes(key));
}

/* out has room for sealed.len - NONCE - CRYPTO_TAG, which is not negative. */
static enum err open_sealed(const struct secret *key, struct bytes bound, struct bytes sealed, uint8_t *out)
{
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data + NONCE, sealed.len - NONCE,
						       bound.data, bound.len, sealed.data, secret_bytes(key)) != 0)
		return ERR_AUTH;
	return ERR_OK;
}

void crypto_wrap_key(const struct secret *path_key, const struct crypto_place *place, const struct secret *segment_key,
		     uint8_t ret[CRYPTO_WRAPPED])
{
	struct secret *content_key = secret_derive(path_key, "granary.content", bytes_of(NULL, 0));
	uint8_t bound[BOUND_MAX];
	struct writer w;

	writer_init(&w, bound, sizeof(bound));
	write_place(&w, place);
	seal(content_key, writer_bytes(&w), bytes_of(secret_bytes(segment_key), SECRET_BYTES), ret);
	secret_free(content_key);
}

enum err crypto_unwrap_key(const struct secret *path_key, const struct crypto_place *place, struct bytes wrapped,
			   struct secret **ret_segment_key)
{
	struct secret *content_key;
	uint8_t bound[BOUND_MAX], key[SECRET_BYTES];
	struct writer w;
	enum err err;

	if (wrapped.len != CRYPTO_WRAPPED)
		return ERR_FORMAT;
	content_key = secret_derive(path_key, "granary.content", bytes_of(NULL, 0));
	writer_init(&w, bound, sizeof(bound));
	write_place(&w, place);
	err = open_sealed(content_key, writer_bytes(&w), wrapped, key);
	if (err == ERR_OK)
		*ret_segment_key = secret_from(key);
	sodium_memzero(key, sizeof(key));
	secret_free(content_key);
	return err;
}

static const struct field metadata_list[] = {
	FIELD(crypto_metadata, version, FIELD_BYTES32),
	FIELD(crypto_metadata, plain_size, FIELD_U64),
	FIELD(crypto_metadata, modified, FIELD_U64),
	FIELD_MAX(crypto_metadata, type, FIELD_TEXT, CRYPTO_TYPE_MAX),
};
static const struct fields metadata_fields = {
	"metadata", metadata_list, sizeof(metadata_list) / sizeof(metadata_list[0]), sizeof(struct crypto_metadata)};

enum err crypto_seal_metadata(const struct secret *path_key, const struct crypto_place *place,
			      const struct crypto_metadata *metadata, struct writer *ret)
{
	struct secret *key;
	uint8_t bound[BOUND_MAX], plain[CRYPTO_METADATA_MAX], sealed[CRYPTO_METADATA_MAX];
	struct writer bound_w, plain_w;

	if (!text_is_printable(metadata->type))
		return ERR_FORMAT;
	writer_init(&plain_w, plain, sizeof(plain) - NONCE - CRYPTO_TAG);
	fields_encode(&metadata_fields, metadata, &plain_w);
	if (plain_w.err != ERR_OK)
		return plain_w.err;
	key = secret_derive(path_key, "granary.metadata", bytes_of(NULL, 0));
	writer_init(&bound_w, bound, sizeof(bound));
	write_bucket(&bound_w, place);
	seal(key, writer_bytes(&bound_w), writer_bytes(&plain_w), sealed);
	secret_free(key);
	write_raw(ret, sealed, NONCE + plain_w.len + CRYPTO_TAG);
	return ret->err;
}

enum err crypto_open_metadata(const struct secret *path_key, const struct crypto_place *place, struct bytes sealed,
			      uint8_t buffer[CRYPTO_METADATA_MAX], struct crypto_metadata *ret)
{
	struct crypto_metadata metadata;
	struct secret *key;
	uint8_t bound[BOUND_MAX];
	struct writer w;
	struct reader r;
	enum err err;

	if (sealed.len < NONCE + CRYPTO_TAG || sealed.len > CRYPTO_METADATA_MAX)
		return ERR_FORMAT;
	key = secret_derive(path_key, "granary.metadata", bytes_of(NULL, 0));
	writer_init(&w, bound, sizeof(bound));
	write_bucket(&w, place);
	err = open_sealed(key, writer_bytes(&w), sealed, buffer);
	secret_free(key);
	if (err != ERR_OK)
		return err;
	reader_init(&r, bytes_of(buffer, sealed.len - NONCE - CRYPTO_TAG));
	fields_decode(&metadata_fields, &r, &metadata);
	if (reader_end(&r) != ERR_OK)
		return ERR_FORMAT;
	*ret = metadata;
	return ERR_OK;
}
