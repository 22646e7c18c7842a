/*
 * Hostile bytes as everything that comes from a socket before a message does: the acts of the handshake, from either
 * side, and the frames behind it. The first byte chooses where to begin. Keys are those of BOLT #8's Appendix A, so
 * that its acts and frames are the corpus.
 */
#include <stdlib.h>
#include <string.h>

#include "common/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key *key_of(uint8_t fill)
{
	uint8_t secret[32];
	struct key *key;

	memset(secret, fill, sizeof(secret));
	if (key_from_secret(secret, &key) != ERR_OK)
		abort();
	return key;
}

/* Decrypt frame after frame until one is wrong or the input ends. */
static void take_frames(struct noise_cipher *cipher, struct reader *r)
{
	size_t len = 0;
	enum err err = ERR_OK;

	while (err == ERR_OK) {
		struct bytes header = read_view(r, NOISE_HEADER), body;
		uint8_t *copy;

		if (r->err != ERR_OK || noise_decrypt_header(cipher, header.data, &len) != ERR_OK)
			return;
		body = read_view(r, len + NOISE_TAG);
		if (r->err != ERR_OK)
			return;
		copy = malloc(body.len);
		if (copy == NULL)
			abort();
		memcpy(copy, body.data, body.len);
		err = noise_decrypt_body(cipher, copy, len);
		free(copy);
	}
}

static void finish(struct noise_handshake *h, struct reader *r)
{
	struct noise_cipher send, receive;

	noise_split(h, &send, &receive);
	take_frames(&receive, r);
}

static void respond(struct reader *r)
{
	struct key *key = key_of(0x21);
	struct noise_handshake *h = noise_responder(key);
	uint8_t one[NOISE_ACT_ONE], two[NOISE_ACT_TWO], three[NOISE_ACT_THREE];

	noise_set_ephemeral(h, key_of(0x22));
	read_raw(r, one, sizeof(one));
	read_raw(r, three, sizeof(three));
	if (noise_read_act_one(h, one) == ERR_OK && noise_write_act_two(h, two) == ERR_OK &&
	    noise_read_act_three(h, three) == ERR_OK)
		finish(h, r);
	noise_free(h);
	key_free(key);
}

static void initiate(struct reader *r)
{
	struct key *key = key_of(0x11), *remote = key_of(0x21);
	struct noise_handshake *h = noise_initiator(key, key_id(remote));
	uint8_t one[NOISE_ACT_ONE], two[NOISE_ACT_TWO], three[NOISE_ACT_THREE];

	noise_set_ephemeral(h, key_of(0x12));
	noise_write_act_one(h, one);
	read_raw(r, two, sizeof(two));
	if (noise_read_act_two(h, two) == ERR_OK && noise_write_act_three(h, three) == ERR_OK)
		finish(h, r);
	noise_free(h);
	key_free(key);
	key_free(remote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct noise_cipher cipher = {.key = {1}, .chaining = {2}};
	struct reader r;

	if (size == 0)
		return 0;
	reader_init(&r, bytes_of(data + 1, size - 1));
	if (data[0] % 3 == 0)
		respond(&r);
	else if (data[0] % 3 == 1)
		initiate(&r);
	else
		take_frames(&cipher, &r);
	return 0;
}
