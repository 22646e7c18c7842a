/*
 * The Lightning transport, BOLT #8: Noise_XK_secp256k1_ChaChaPoly_SHA256. Pure: bytes in, bytes out.
 *
 * The initiator knows the responder's id beforehand. Acts are 50, 50 and 66 bytes. After them each direction has
 * its own cipher, whose key rotates after 1000 uses of it (two per message).
 */
#ifndef GRANARY_COMMON_NOISE_H
#define GRANARY_COMMON_NOISE_H

#include "common/bytes.h"
#include "common/key.h"

#define NOISE_ACT_ONE 50
#define NOISE_ACT_TWO 50
#define NOISE_ACT_THREE 66
#define NOISE_HEADER 18	    /* encrypted length of a message */
#define NOISE_TAG 16	    /* after the encrypted message */
#define NOISE_MESSAGE 65535 /* most bytes of a message */

/* One direction of an established transport. Plain data that holds secrets: wipe with noise_cipher_wipe. */
struct noise_cipher {
	uint8_t key[32];
	uint8_t chaining[32];
	uint64_t nonce;
};

struct noise_handshake;

/* Begin as the side that connects, or that accepts. `key` must outlive the handshake. */
struct noise_handshake *noise_initiator(const struct key *key, const struct id *remote);
struct noise_handshake *noise_responder(const struct key *key);
void noise_free(struct noise_handshake *h);
/* For tests against published vectors: fix the ephemeral key. Takes ownership of `ephemeral`. */
void noise_set_ephemeral(struct noise_handshake *h, struct key *ephemeral);

/* The acts in order; the initiator writes one, reads two, writes three; the responder the other way.
 * Reading fails with ERR_UNSUPPORTED for a version byte other than 0, ERR_FORMAT for a bad point, ERR_AUTH for a
 * bad tag; the handshake is dead then. */
void noise_write_act_one(struct noise_handshake *h, uint8_t out[NOISE_ACT_ONE]);
enum err noise_read_act_one(struct noise_handshake *h, const uint8_t in[NOISE_ACT_ONE]) WARN_UNUSED;
enum err noise_write_act_two(struct noise_handshake *h, uint8_t out[NOISE_ACT_TWO]) WARN_UNUSED;
enum err noise_read_act_two(struct noise_handshake *h, const uint8_t in[NOISE_ACT_TWO]) WARN_UNUSED;
enum err noise_write_act_three(struct noise_handshake *h, uint8_t out[NOISE_ACT_THREE]) WARN_UNUSED;
enum err noise_read_act_three(struct noise_handshake *h, const uint8_t in[NOISE_ACT_THREE]) WARN_UNUSED;

/* After act three: the two ciphers and who the peer is. */
void noise_split(const struct noise_handshake *h, struct noise_cipher *ret_send, struct noise_cipher *ret_receive);
const struct id *noise_remote(const struct noise_handshake *h);

/* Encrypt one message of len bytes, at most NOISE_MESSAGE: header, ciphertext and tag into out, which has room for
 * NOISE_HEADER + len + NOISE_TAG bytes. message may be out + NOISE_HEADER: encryption in place. */
void noise_encrypt(struct noise_cipher *c, const uint8_t *message, size_t len, uint8_t *out);
/* Decrypt a header into the length of the message that follows. ERR_AUTH. */
enum err noise_decrypt_header(struct noise_cipher *c, const uint8_t header[NOISE_HEADER], size_t *ret_len) WARN_UNUSED;
/* Decrypt a body of len + NOISE_TAG bytes in place. ERR_AUTH. */
enum err noise_decrypt_body(struct noise_cipher *c, uint8_t *body, size_t len) WARN_UNUSED;
void noise_cipher_wipe(struct noise_cipher *c);

#endif
