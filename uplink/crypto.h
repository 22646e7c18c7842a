/*
 * The encryption of objects (doc/formats.md, section 7, fixes every label and layout).
 *
 * A segment has one random key, never used for other plaintext, so its units are encrypted with their numbers as
 * nonces (ChaCha20-Poly1305-IETF). That key is wrapped (XChaCha20-Poly1305, random nonce) under the content key of
 * the object's path, with all that places the segment as associated data: a satellite that swaps, cuts or rolls
 * back segments, or moves them to another path, makes unwrapping fail. Pure but for randomness.
 */
#ifndef GRANARY_UPLINK_CRYPTO_H
#define GRANARY_UPLINK_CRYPTO_H

#include "common/message.h"
#include "uplink/secret.h"

#define CRYPTO_TAG 16
#define CRYPTO_WRAPPED MESSAGE_WRAPPED_KEY /* nonce 24, key 32, tag 16 */

/* What a segment's key is bound to. */
struct crypto_place {
	struct id satellite;
	struct bytes bucket;	/* name, at most 255 bytes */
	struct bytes32 version; /* of the object, from OBJECT_BEGUN */
	uint32_t number;	/* of the segment in the object */
	bool last;		/* the object's last segment */
	uint64_t plain_size;	/* of the segment */
};

/* Encrypt a unit in place: `unit` has unit_size bytes, of which the first plain_len ≤ unit_size - CRYPTO_TAG are
 * plaintext; what is between them and the tag is padded with zeros first. Anything else is a bug of the caller's. */
void crypto_seal_unit(const struct secret *segment_key, uint64_t number, uint8_t *unit, size_t unit_size,
		      size_t plain_len);
/* Decrypt to `out`, which gets unit.len - CRYPTO_TAG bytes, padding included, and may be unit.data. ERR_AUTH when it
 * is not what was sealed under this key and number; out is then zeroed. */
enum err crypto_open_unit(const struct secret *segment_key, uint64_t number, struct bytes unit,
			  uint8_t *out) WARN_UNUSED;

/* Wrap a segment's key under the path's key (path_key of uplink/path.h). */
void crypto_wrap_key(const struct secret *path_key, const struct crypto_place *place, const struct secret *segment_key,
		     uint8_t ret[CRYPTO_WRAPPED]);
/* ERR_FORMAT for a wrong length, ERR_AUTH when path, place or bytes are not those of the wrapping. */
enum err crypto_unwrap_key(const struct secret *path_key, const struct crypto_place *place, struct bytes wrapped,
			   struct secret **ret_segment_key) WARN_UNUSED;

/* What a client notes of an object beside its bytes. */
struct crypto_metadata {
	struct bytes32 version; /* as in crypto_place */
	uint64_t plain_size;	/* of the whole object */
	uint64_t modified;	/* Unix seconds of the file's last change, 0 when not known */
	struct bytes type;	/* printable text, MIME type; may be empty; at most CRYPTO_TYPE_MAX */
};
#define CRYPTO_TYPE_MAX 255
#define CRYPTO_METADATA_MAX (24 + 32 + 8 + 8 + 2 + CRYPTO_TYPE_MAX + 16)

/* Encrypt metadata for COMMIT_OBJECT. ERR_RANGE, ERR_FORMAT for a bad type; ERR_OVERFLOW when ret has no room. */
enum err crypto_seal_metadata(const struct secret *path_key, const struct crypto_place *place,
			      const struct crypto_metadata *metadata, struct writer *ret) WARN_UNUSED;
/* Decrypt it: ret->type points into `buffer`. Of `place` only satellite and bucket count, so that a listing, which
 * knows no version, can be read; whoever knows version and size compares them with ret's. ERR_FORMAT, ERR_AUTH. */
enum err crypto_open_metadata(const struct secret *path_key, const struct crypto_place *place, struct bytes sealed,
			      uint8_t buffer[CRYPTO_METADATA_MAX], struct crypto_metadata *ret) WARN_UNUSED;

#endif
