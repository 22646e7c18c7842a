/*
 * BOLT #8 against its own Appendix A, line by line: every handshake case as it is published, then the message
 * encryption with its two key rotations; and two of our own ends against each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/hex.h"
#include "common/noise.h"

#define RESPONDER_SECRET 0x21

static json_t *cases;

static int load_vectors(void **state)
{
	char path[4096];
	json_t *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/bolt8.json", getenv("GRANARY_VECTORS"));
	file = json_load_file(path, 0, NULL);
	assert_non_null(file);
	cases = json_incref(json_object_get(file, "cases"));
	json_decref(file);
	return 0;
}

static int free_vectors(void **state)
{
	(void)state;
	json_decref(cases);
	return 0;
}

/* The bytes of hex digits at `text`, up to the first character that is none. */
static size_t take_hex(const char *text, uint8_t *out, size_t room)
{
	char digits[256];
	size_t len;

	if (strncmp(text, "0x", 2) == 0)
		text += 2;
	len = strspn(text, "0123456789abcdef");
	assert_true(len % 2 == 0 && len / 2 <= room && len < sizeof(digits));
	memcpy(digits, text, len);
	digits[len] = '\0';
	assert_int_equal(hex_decode(digits, out, len / 2), ERR_OK);
	return len / 2;
}

/* The value after "name:" or "name=" on a line; NULL when it is another line. */
static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0 || (line[len] != ':' && line[len] != '='))
		return NULL;
	return line + len + 1 + strspn(line + len + 1, " ");
}

static struct key *key_of(uint8_t fill)
{
	uint8_t secret[32];
	struct key *key;

	memset(secret, fill, sizeof(secret));
	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	return key;
}

/* One published case being acted out. */
struct play {
	bool initiator;
	struct key *key;
	struct id remote;
	struct noise_handshake *h;
	int act;      /* acts written or read so far */
	enum err err; /* of the last act read */
	bool shorter; /* the last input was shorter than its act */
};

static void play_input(struct play *p, const char *value)
{
	static const size_t lengths[] = {NOISE_ACT_ONE, NOISE_ACT_TWO, NOISE_ACT_THREE};
	uint8_t in[NOISE_ACT_THREE];
	size_t len = take_hex(value, in, sizeof(in));

	p->shorter = len < lengths[p->act];
	if (p->shorter)
		return; /* whoever reads from the wire waits for the rest: no act to hand over */
	assert_int_equal(len, lengths[p->act]);
	if (p->act == 0)
		p->err = noise_read_act_one(p->h, in);
	else if (p->act == 1)
		p->err = noise_read_act_two(p->h, in);
	else
		p->err = noise_read_act_three(p->h, in);
	p->act++;
}

/* "ERROR (ACT2_BAD_TAG)": what must have gone wrong. */
static void play_error(const struct play *p, const char *value)
{
	static const struct {
		const char *word;
		enum err err;
	} words[] = {
		{"BAD_VERSION", ERR_UNSUPPORTED},
		{"BAD_PUBKEY", ERR_FORMAT},
		{"BAD_TAG", ERR_AUTH},
		{"BAD_CIPHERTEXT", ERR_AUTH},
	};

	if (strstr(value, "READ_FAILED") != NULL) {
		assert_true(p->shorter);
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strstr(value, words[i].word) != NULL) {
			assert_int_equal(p->err, words[i].err);
			return;
		}
	}
	fail_msg("unknown error in the vectors: %s", value);
}

/* "sk,rk=0x…,0x…", from the initiator's side or the responder's. */
static void play_keys(const struct play *p, const char *value)
{
	const char *first = strchr(value, '=') + 1, *second = strchr(first, ',') + 1;
	struct noise_cipher send, receive;
	uint8_t expected[2][32];

	assert_int_equal(p->err, ERR_OK);
	take_hex(first, expected[0], 32);
	take_hex(second, expected[1], 32);
	noise_split(p->h, &send, &receive);
	assert_memory_equal(p->initiator ? send.key : receive.key, expected[0], 32);
	assert_memory_equal(p->initiator ? receive.key : send.key, expected[1], 32);
	noise_cipher_wipe(&send);
	noise_cipher_wipe(&receive);
}

static void play_output(struct play *p, const char *value)
{
	uint8_t expected[NOISE_ACT_THREE], out[NOISE_ACT_THREE];
	size_t len;

	if (strncmp(value, "ERROR", 5) == 0) {
		play_error(p, value);
		return;
	}
	if (strstr(value, "k=") != NULL) {
		play_keys(p, value);
		return;
	}
	assert_int_equal(p->err, ERR_OK);
	len = take_hex(value, expected, sizeof(expected));
	if (p->act == 0)
		noise_write_act_one(p->h, out);
	else if (p->act == 1)
		assert_int_equal(noise_write_act_two(p->h, out), ERR_OK);
	else
		assert_int_equal(noise_write_act_three(p->h, out), ERR_OK);
	assert_int_equal(len, p->act == 2 ? NOISE_ACT_THREE : NOISE_ACT_ONE);
	assert_memory_equal(out, expected, len);
	p->act++;
}

static void play_secret(struct play *p, const char *value, bool ephemeral)
{
	uint8_t secret[32];
	struct key *key;

	assert_int_equal(take_hex(value, secret, sizeof(secret)), 32);
	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	if (!ephemeral) {
		p->key = key;
		return;
	}
	p->h = p->initiator ? noise_initiator(p->key, &p->remote) : noise_responder(p->key);
	noise_set_ephemeral(p->h, key);
}

static void play_line(struct play *p, const char *line)
{
	const char *value;

	value = value_of(line, "rs.pub");
	if (value != NULL)
		take_hex(value, p->remote.b, sizeof(p->remote.b));
	value = value_of(line, "ls.priv");
	if (value != NULL)
		play_secret(p, value, false);
	value = value_of(line, "e.priv");
	if (value != NULL)
		play_secret(p, value, true);
	value = value_of(line, "input");
	if (value != NULL)
		play_input(p, value);
	value = value_of(line, "output");
	if (value != NULL)
		play_output(p, value);
}

/* Every case named after `role`; at least `least` of them, so that a renamed file cannot pass for a test. */
static void play_cases(const char *role, bool initiator, int least)
{
	size_t index, row;
	json_t *one, *line;
	int played = 0;

	json_array_foreach(cases, index, one)
	{
		struct play p = {.initiator = initiator};

		if (strstr(json_string_value(json_object_get(one, "name")), role) == NULL)
			continue;
		json_array_foreach(json_object_get(one, "lines"), row, line) play_line(&p, json_string_value(line));
		assert_true(p.act > 0 || p.shorter);
		noise_free(p.h);
		key_free(p.key);
		played++;
	}
	assert_true(played >= least);
}

static void test_initiator_vectors(void **state)
{
	(void)state;
	play_cases("transport-initiator", true, 5);
}

static void test_responder_vectors(void **state)
{
	(void)state;
	play_cases("transport-responder", false, 10);
}

static void load_ciphers(json_t *lines, struct noise_cipher *send)
{
	size_t row;
	json_t *line;
	const char *value;

	memset(send, 0, sizeof(*send));
	json_array_foreach(lines, row, line)
	{
		value = value_of(json_string_value(line), "ck");
		if (value != NULL)
			take_hex(value, send->chaining, sizeof(send->chaining));
		value = value_of(json_string_value(line), "sk");
		if (value != NULL)
			take_hex(value, send->key, sizeof(send->key));
	}
}

/* The frame published for message `number`; 0 when there is none. */
static size_t published(json_t *lines, int number, uint8_t *out, size_t room)
{
	char name[32];
	size_t row;
	json_t *line;
	const char *value;

	snprintf(name, sizeof(name), "output %d", number);
	json_array_foreach(lines, row, line)
	{
		value = value_of(json_string_value(line), name);
		if (value != NULL)
			return take_hex(value, out, room);
	}
	return 0;
}

static json_t *lines_of(const char *name)
{
	size_t index;
	json_t *one;

	json_array_foreach(cases, index, one)
	{
		if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
			return json_object_get(one, "lines");
	}
	fail_msg("no case %s", name);
	return NULL;
}

static void test_message_vectors(void **state)
{
	json_t *lines = lines_of("transport-message test");
	struct noise_cipher send, receive;
	uint8_t frame[64], expected[64];
	size_t len, compared = 0;

	(void)state;
	load_ciphers(lines, &send);
	receive = send;
	for (int i = 0; i <= 1001; i++) {
		size_t frame_len = NOISE_HEADER + 5 + NOISE_TAG;

		noise_encrypt(&send, (const uint8_t *)"hello", 5, frame);
		len = published(lines, i, expected, sizeof(expected));
		if (len > 0) {
			assert_int_equal(len, frame_len);
			assert_memory_equal(frame, expected, len);
			compared++;
		}
		assert_int_equal(noise_decrypt_header(&receive, frame, &len), ERR_OK);
		assert_int_equal(len, 5);
		assert_int_equal(noise_decrypt_body(&receive, frame + NOISE_HEADER, len), ERR_OK);
		assert_memory_equal(frame + NOISE_HEADER, "hello", 5);
	}
	assert_int_equal(compared, 6);
}

/* A whole handshake of ours; ciphers and the learned id must fit crosswise. */
static void test_both_ends(void **state)
{
	struct key *a = key_of(0x11), *b = key_of(RESPONDER_SECRET);
	struct noise_handshake *i = noise_initiator(a, key_id(b)), *r = noise_responder(b);
	struct noise_cipher a_send, a_receive, b_send, b_receive;
	uint8_t act[NOISE_ACT_THREE];

	(void)state;
	noise_write_act_one(i, act);
	assert_int_equal(noise_read_act_one(r, act), ERR_OK);
	assert_int_equal(noise_write_act_two(r, act), ERR_OK);
	assert_int_equal(noise_read_act_two(i, act), ERR_OK);
	assert_int_equal(noise_write_act_three(i, act), ERR_OK);
	assert_int_equal(noise_read_act_three(r, act), ERR_OK);
	assert_true(id_equal(noise_remote(r), key_id(a)) && id_equal(noise_remote(i), key_id(b)));
	noise_split(i, &a_send, &a_receive);
	noise_split(r, &b_send, &b_receive);
	assert_memory_equal(&a_send, &b_receive, sizeof(a_send));
	assert_memory_equal(&a_receive, &b_send, sizeof(a_send));
	noise_cipher_wipe(&a_send);
	for (size_t at = 0; at < sizeof(a_send); at++)
		assert_int_equal(((const uint8_t *)&a_send)[at], 0);
	noise_free(i);
	noise_free(r);
	key_free(a);
	key_free(b);
}

static void test_wrong_responder(void **state)
{
	struct key *a = key_of(0x11), *b = key_of(RESPONDER_SECRET), *other = key_of(0x31);
	struct noise_handshake *i = noise_initiator(a, key_id(other)), *r = noise_responder(b);
	uint8_t act[NOISE_ACT_ONE];

	(void)state;
	noise_write_act_one(i, act);
	assert_int_equal(noise_read_act_one(r, act), ERR_AUTH);
	noise_free(i);
	noise_free(r);
	noise_free(NULL);
	key_free(a);
	key_free(b);
	key_free(other);
}

/* Any flipped bit of a frame is noticed, in the header or in the body; all lengths work, in place too. */
static void test_tampering(void **state)
{
	static uint8_t frame[NOISE_HEADER + NOISE_MESSAGE + NOISE_TAG], broken[sizeof(frame)];
	static const size_t lengths[] = {0, 1, 63, 64, 65, 1000, NOISE_MESSAGE};
	struct noise_cipher send = {.key = {1}, .chaining = {2}}, receive = send, fresh;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(frame, 0x5a, sizeof(frame));
		noise_encrypt(&send, frame + NOISE_HEADER, lengths[i], frame);
		memcpy(broken, frame, sizeof(frame));
		broken[i] ^= 0x80;
		broken[NOISE_HEADER + lengths[i]] ^= 1;
		fresh = receive;
		assert_int_equal(noise_decrypt_header(&fresh, broken, &len), ERR_AUTH);
		assert_int_equal(noise_decrypt_header(&receive, frame, &len), ERR_OK);
		assert_int_equal(len, lengths[i]);
		fresh = receive;
		assert_int_equal(noise_decrypt_body(&fresh, broken + NOISE_HEADER, len), ERR_AUTH);
		assert_int_equal(noise_decrypt_body(&receive, frame + NOISE_HEADER, len), ERR_OK);
		for (size_t at = 0; at < len; at++)
			assert_int_equal(frame[NOISE_HEADER + at], 0x5a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initiator_vectors), cmocka_unit_test(test_responder_vectors),
		cmocka_unit_test(test_message_vectors),	  cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_wrong_responder),	  cmocka_unit_test(test_tampering),
	};

	return cmocka_run_group_tests(tests, load_vectors, free_vectors);
}
