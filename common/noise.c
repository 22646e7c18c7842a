/*
 * BOLT #8, "Encrypted and Authenticated Transport": the handshake state machine and the message ciphers.
 *
 * The names follow the specification: `chaining` is ck, `hash` is h, `temporary` is temp_k1 to temp_k3; es, ee and se
 * are the three ECDHs of Noise_XK. Every act is an ephemeral point or an encrypted static one, and a tag over the
 * hash so far.
 */
#include "common/noise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/memory.h"

#define NOISE_MAGIC 0x6e6f6973u
#define ROTATE_AFTER 1000 /* uses of one key */

static const char protocol_name[] = "Noise_XK_secp256k1_ChaChaPoly_SHA256";
static const char prologue[] = "lightning";

/* Where a handshake stands: the act that comes next. */
enum noise_step { STEP_ONE, STEP_TWO, STEP_THREE, STEP_DONE, STEP_DEAD };

struct noise_handshake {
	uint32_t magic;
	enum noise_step step;
	bool initiates;
	const struct key *key; /* our static key */
	struct key *ephemeral; /* made when it is first needed: a stranger who only connects costs no point */
	struct id remote;
	struct id remote_ephemeral;
	uint8_t chaining[32];
	uint8_t hash[32];
	uint8_t temporary[32];
};

static void hmac(const uint8_t key[32], struct bytes a, struct bytes b, uint8_t out[32])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, 32);
	crypto_auth_hmacsha256_update(&state, a.data, a.len);
	crypto_auth_hmacsha256_update(&state, b.data, b.len);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

/* HKDF of RFC 5869 with SHA-256, empty info and 64 bytes of output in two halves. The outputs may be the inputs. */
static void hkdf(const uint8_t salt[32], struct bytes secret, uint8_t ret_first[32], uint8_t ret_second[32])
{
	static const uint8_t counter[] = {1, 2};
	uint8_t extracted[32], first[32];

	hmac(salt, secret, bytes_of(NULL, 0), extracted);
	hmac(extracted, bytes_of(NULL, 0), bytes_of(&counter[0], 1), first);
	hmac(extracted, bytes_of(first, sizeof(first)), bytes_of(&counter[1], 1), ret_second);
	memcpy(ret_first, first, sizeof(first));
	sodium_memzero(extracted, sizeof(extracted));
	sodium_memzero(first, sizeof(first));
}

/* 32 zero bits and the counter in little-endian (BOLT #8, "encryptWithAD"). */
static void make_nonce(uint64_t counter, uint8_t nonce[12])
{
	memset(nonce, 0, 4);
	for (size_t i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> 8 * i);
}

/* Encrypt len bytes to `out`, which may be `in`, and put the tag behind them. */
static void encrypt(const uint8_t key[32], uint64_t counter, struct bytes ad, struct bytes in, uint8_t *out)
{
	uint8_t nonce[12];

	make_nonce(counter, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(out, out + in.len, NULL, in.data, in.len, ad.data, ad.len,
							   NULL, nonce, key);
}

/* Decrypt `in`, which ends with the tag, to `out`, which may be in.data. */
static enum err decrypt(const uint8_t key[32], uint64_t counter, struct bytes ad, struct bytes in, uint8_t *out)
{
	uint8_t nonce[12];
	size_t len = in.len - NOISE_TAG;
	int failed;

	make_nonce(counter, nonce);
	failed = crypto_aead_chacha20poly1305_ietf_decrypt_detached(out, NULL, in.data, len, in.data + len, ad.data,
								    ad.len, nonce, key);
	return failed == 0 ? ERR_OK : ERR_AUTH;
}

/* h = SHA-256(h ‖ data) */
static void mix_hash(struct noise_handshake *h, struct bytes data)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, h->hash, sizeof(h->hash));
	crypto_hash_sha256_update(&state, data.data, data.len);
	crypto_hash_sha256_final(&state, h->hash);
}

static void mix_id(struct noise_handshake *h, const struct id *id)
{
	mix_hash(h, bytes_of(id->b, sizeof(id->b)));
}

/* ck, temp_k = HKDF(ck, ECDH(key, point)) */
static enum err mix_key(struct noise_handshake *h, const struct key *key, const struct id *point)
{
	struct bytes32 secret;
	enum err err = key_ecdh(key, point, &secret);

	if (err != ERR_OK)
		return ERR_FORMAT;
	hkdf(h->chaining, bytes_of(secret.b, sizeof(secret.b)), h->chaining, h->temporary);
	sodium_memzero(&secret, sizeof(secret));
	return ERR_OK;
}

/* Encrypt and hash what was encrypted; `out` takes in.len + NOISE_TAG bytes. */
static void seal(struct noise_handshake *h, uint64_t counter, struct bytes in, uint8_t *out)
{
	encrypt(h->temporary, counter, bytes_of(h->hash, sizeof(h->hash)), in, out);
	mix_hash(h, bytes_of(out, in.len + NOISE_TAG));
}

static enum err unseal(struct noise_handshake *h, uint64_t counter, struct bytes in, uint8_t *out)
{
	enum err err = decrypt(h->temporary, counter, bytes_of(h->hash, sizeof(h->hash)), in, out);

	if (err == ERR_OK)
		mix_hash(h, in);
	return err;
}

static struct noise_handshake *begin(const struct key *key, bool initiates, const struct id *responder)
{
	struct noise_handshake *h = memory_new(1, sizeof(*h));

	h->magic = NOISE_MAGIC;
	h->key = key;
	h->initiates = initiates;
	crypto_hash_sha256(h->chaining, (const uint8_t *)protocol_name, strlen(protocol_name));
	memcpy(h->hash, h->chaining, sizeof(h->hash));
	mix_hash(h, bytes_of_text(prologue));
	mix_id(h, responder);
	return h;
}

struct noise_handshake *noise_initiator(const struct key *key, const struct id *remote)
{
	struct noise_handshake *h = begin(key, true, remote);

	h->remote = *remote;
	return h;
}

struct noise_handshake *noise_responder(const struct key *key)
{
	return begin(key, false, key_id(key));
}

void noise_free(struct noise_handshake *h)
{
	if (h == NULL)
		return;
	assert(h->magic == NOISE_MAGIC);
	key_free(h->ephemeral);
	sodium_memzero(h, sizeof(*h));
	free(h);
}

void noise_set_ephemeral(struct noise_handshake *h, struct key *ephemeral)
{
	key_free(h->ephemeral);
	h->ephemeral = ephemeral;
}

static void need_ephemeral(struct noise_handshake *h)
{
	if (h->ephemeral == NULL)
		h->ephemeral = key_generate();
}

static void expect(const struct noise_handshake *h, enum noise_step step, bool initiator)
{
	assert(h->magic == NOISE_MAGIC && h->step == step && h->initiates == initiator);
}

/* Go on to the next act, or to the grave. */
static enum err advance(struct noise_handshake *h, enum err err, enum noise_step next)
{
	h->step = err == ERR_OK ? next : STEP_DEAD;
	return err;
}

/* Acts one and two are alike: version, our ephemeral point, and a tag of nothing. */
static enum err write_point(struct noise_handshake *h, const struct key *ours, const struct id *theirs, uint8_t *out)
{
	struct writer w;
	enum err err;

	writer_init(&w, out, NOISE_ACT_ONE);
	write_u8(&w, 0);
	write_raw(&w, key_id(h->ephemeral)->b, KEY_ID_BYTES);
	mix_id(h, key_id(h->ephemeral));
	err = mix_key(h, ours, theirs);
	if (err == ERR_OK)
		seal(h, 0, bytes_of(NULL, 0), out + w.len);
	return err;
}

static enum err read_point(struct noise_handshake *h, const struct key *ours, const uint8_t *in)
{
	struct reader r;
	struct bytes tag;
	uint8_t version, none[1];
	enum err err;

	reader_init(&r, bytes_of(in, NOISE_ACT_ONE));
	version = read_u8(&r);
	read_raw(&r, h->remote_ephemeral.b, KEY_ID_BYTES);
	tag = read_view(&r, NOISE_TAG);
	if (version != 0)
		return ERR_UNSUPPORTED;
	mix_id(h, &h->remote_ephemeral);
	err = mix_key(h, ours, &h->remote_ephemeral);
	return err == ERR_OK ? unseal(h, 0, tag, none) : err;
}

void noise_write_act_one(struct noise_handshake *h, uint8_t out[NOISE_ACT_ONE])
{
	enum err err;

	expect(h, STEP_ONE, true);
	need_ephemeral(h);
	err = write_point(h, h->ephemeral, &h->remote, out); /* es */
	assert(err == ERR_OK);				     /* an id is a point: id_check */
	advance(h, err, STEP_TWO);
}

enum err noise_read_act_one(struct noise_handshake *h, const uint8_t in[NOISE_ACT_ONE])
{
	expect(h, STEP_ONE, false);
	return advance(h, read_point(h, h->key, in), STEP_TWO); /* es */
}

enum err noise_write_act_two(struct noise_handshake *h, uint8_t out[NOISE_ACT_TWO])
{
	expect(h, STEP_TWO, false);
	need_ephemeral(h);
	return advance(h, write_point(h, h->ephemeral, &h->remote_ephemeral, out), STEP_THREE); /* ee */
}

enum err noise_read_act_two(struct noise_handshake *h, const uint8_t in[NOISE_ACT_TWO])
{
	expect(h, STEP_TWO, true);
	return advance(h, read_point(h, h->ephemeral, in), STEP_THREE); /* ee */
}

/* Act three: version, our static point encrypted, and a tag of nothing under the third key. */
enum err noise_write_act_three(struct noise_handshake *h, uint8_t out[NOISE_ACT_THREE])
{
	const struct id *id = key_id(h->key);
	enum err err;

	expect(h, STEP_THREE, true);
	out[0] = 0;
	seal(h, 1, bytes_of(id->b, sizeof(id->b)), out + 1);
	err = mix_key(h, h->key, &h->remote_ephemeral); /* se */
	if (err == ERR_OK)
		seal(h, 0, bytes_of(NULL, 0), out + NOISE_ACT_THREE - NOISE_TAG);
	return advance(h, err, STEP_DONE);
}

static enum err read_static(struct noise_handshake *h, struct reader *r)
{
	uint8_t version = read_u8(r), none[1];
	struct bytes sealed = read_view(r, KEY_ID_BYTES + NOISE_TAG);
	struct bytes tag = read_view(r, NOISE_TAG);
	enum err err;

	if (version != 0)
		return ERR_UNSUPPORTED;
	err = unseal(h, 1, sealed, h->remote.b);
	if (err == ERR_OK)
		err = mix_key(h, h->ephemeral, &h->remote); /* se */
	return err == ERR_OK ? unseal(h, 0, tag, none) : err;
}

enum err noise_read_act_three(struct noise_handshake *h, const uint8_t in[NOISE_ACT_THREE])
{
	struct reader r;

	expect(h, STEP_THREE, false);
	reader_init(&r, bytes_of(in, NOISE_ACT_THREE));
	return advance(h, read_static(h, &r), STEP_DONE);
}

void noise_split(const struct noise_handshake *h, struct noise_cipher *ret_send, struct noise_cipher *ret_receive)
{
	struct noise_cipher *first = h->initiates ? ret_send : ret_receive;
	struct noise_cipher *second = h->initiates ? ret_receive : ret_send;

	assert(h->magic == NOISE_MAGIC && h->step == STEP_DONE);
	hkdf(h->chaining, bytes_of(NULL, 0), first->key, second->key);
	memcpy(first->chaining, h->chaining, sizeof(first->chaining));
	memcpy(second->chaining, h->chaining, sizeof(second->chaining));
	first->nonce = 0;
	second->nonce = 0;
}

const struct id *noise_remote(const struct noise_handshake *h)
{
	assert(h->magic == NOISE_MAGIC && h->step == STEP_DONE);
	return &h->remote;
}

/* Count one use of the key; after the last allowed one it is replaced (BOLT #8, "Lightning Message Key Rotation"). */
static void count_use(struct noise_cipher *c)
{
	if (++c->nonce < ROTATE_AFTER)
		return;
	hkdf(c->chaining, bytes_of(c->key, sizeof(c->key)), c->chaining, c->key);
	c->nonce = 0;
}

void noise_encrypt(struct noise_cipher *c, const uint8_t *message, size_t len, uint8_t *out)
{
	uint8_t prefix[2];

	assert(len <= NOISE_MESSAGE);
	put_be16(prefix, (uint16_t)len);
	encrypt(c->key, c->nonce, bytes_of(NULL, 0), bytes_of(prefix, sizeof(prefix)), out);
	count_use(c);
	encrypt(c->key, c->nonce, bytes_of(NULL, 0), bytes_of(message, len), out + NOISE_HEADER);
	count_use(c);
}

enum err noise_decrypt_header(struct noise_cipher *c, const uint8_t header[NOISE_HEADER], size_t *ret_len)
{
	uint8_t prefix[2];
	enum err err;

	err = decrypt(c->key, c->nonce, bytes_of(NULL, 0), bytes_of(header, NOISE_HEADER), prefix);
	if (err != ERR_OK)
		return err;
	count_use(c);
	*ret_len = get_be16(prefix);
	return ERR_OK;
}

enum err noise_decrypt_body(struct noise_cipher *c, uint8_t *body, size_t len)
{
	enum err err = decrypt(c->key, c->nonce, bytes_of(NULL, 0), bytes_of(body, len + NOISE_TAG), body);

	if (err == ERR_OK)
		count_use(c);
	return err;
}

void noise_cipher_wipe(struct noise_cipher *c)
{
	sodium_memzero(c, sizeof(*c));
}
