/* Transcripts: an honest one holds, in all three forms and after thinning; any other verdict, answer or challenge than
 * those that were signed is found out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/transcript.h"

#define PIECES 4
#define ROOM 200000

/* A node that holds pieces of different sizes, of which the last but one is missing. */
struct fixture {
	uint8_t data[PIECES][90000];
	struct bytes32 blocks[PIECES][3];
	struct bytes32 roots[PIECES];
	uint8_t proofs[PIECES][ROOM];
	uint8_t wire[200];
	struct transcript t;
	struct transcript_claim claim;
};

static const uint64_t sizes[PIECES] = {90000, 1025, 500, 40000};
#define MISSING 2

struct disk {
	const uint8_t *data;
	uint64_t size;
};

static enum err read_block(void *arg, uint32_t block, uint8_t *out, size_t *ret_len)
{
	const struct disk *disk = arg;

	*ret_len = tree_block_size(disk->size, block);
	memcpy(out, disk->data + (size_t)block * TREE_BLOCK, *ret_len);
	return ERR_OK;
}

static void answer(struct fixture *f, uint32_t i)
{
	struct disk disk = {f->data[i], sizes[i]};
	struct samples samples;
	struct writer w;

	challenge_samples(&f->t.challenge, i, sizes[i], i > 0 ? &f->t.pieces[i - 1].hash : NULL, &samples);
	writer_init(&w, f->proofs[i], ROOM);
	assert_int_equal(proof_make(f->blocks[i], sizes[i], &samples, read_block, &disk, &w), ERR_OK);
	transcript_take(&f->t, i, AUDIT_HELD, writer_bytes(&w));
}

/* What an honest satellite would sign. */
static void sign(struct fixture *f)
{
	f->claim.bytes = 0;
	for (uint32_t i = 0; i < PIECES; i++) {
		uint64_t bytes;

		f->t.pieces[i].verdict = (uint8_t)transcript_judge(&f->t, i, &bytes);
		f->claim.bytes += bytes;
	}
	keccak_once(f->t.wire.data, f->t.wire.len, &f->claim.challenge);
	transcript_answer(&f->t, &f->claim.answer);
	transcript_verdicts(&f->t, &f->claim.verdicts);
}

static void begin(struct fixture *f, enum challenge_form form)
{
	struct challenge_piece pieces[PIECES] = {{{{1}}, 3}, {{{2}}, 2}, {{{3}}, 4}, {{{4}}, 5}};
	const struct challenge challenge = {{{7}}, (uint8_t)form, 1000, PIECES, pieces};
	struct writer w;

	transcript_free(&f->t);
	writer_init(&w, f->wire, sizeof(f->wire));
	challenge_encode(&challenge, &w);
	assert_int_equal(transcript_begin(writer_bytes(&w), &f->t), ERR_OK);
	for (uint32_t i = 0; i < PIECES; i++) {
		f->t.pieces[i].root = f->roots[i];
		f->t.pieces[i].size = sizes[i];
		if (i == MISSING)
			transcript_take(&f->t, i, AUDIT_MISSING, bytes_of(NULL, 0));
		else
			answer(f, i);
	}
	sign(f);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	for (uint32_t i = 0; i < PIECES; i++) {
		for (size_t at = 0; at < sizeof(f->data[i]); at++)
			f->data[i][at] = (uint8_t)(at * 31 + i * 7 + (at >> 8));
		for (uint32_t block = 0; block < tree_blocks(sizes[i]); block++)
			tree_block_hash(f->data[i] + (size_t)block * TREE_BLOCK, tree_block_size(sizes[i], block),
					&f->blocks[i][block]);
		tree_root(f->blocks[i], sizes[i], &f->roots[i]);
	}
	begin(f, CHALLENGE_LISTED);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	transcript_free(&f->t);
	free(f);
	return 0;
}

static enum transcript_fault check(const struct fixture *f)
{
	uint32_t piece = PIECES;
	enum transcript_fault fault = transcript_check(&f->t, &f->claim, &piece);

	assert_int_equal(piece != PIECES, fault == TRANSCRIPT_VERDICT);
	return fault;
}

static void test_honest(void **state)
{
	static const enum challenge_form forms[] = {CHALLENGE_LISTED, CHALLENGE_WHOLE, CHALLENGE_CHAINED};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		begin(f, forms[i]);
		assert_int_equal(f->t.pieces[0].verdict, AUDITED_PROVEN);
		assert_int_equal(f->t.pieces[MISSING].verdict, AUDITED_MISSING);
		assert_int_equal(f->t.pieces[3].verdict, AUDITED_PROVEN);
		assert_int_equal(check(f), TRANSCRIPT_SOUND);
		/* The node's own claim is the same without verdicts. */
		memset(&f->claim.verdicts, 0, sizeof(f->claim.verdicts));
		assert_int_equal(check(f), TRANSCRIPT_SOUND);
	}
}

/* In a chain, a proof made without the one before it proves nothing. */
static void test_chain(void **state)
{
	struct fixture *f = *state;
	struct bytes proofs[PIECES];
	uint64_t bytes;

	for (uint32_t i = 0; i < PIECES; i++)
		proofs[i] = f->t.pieces[i].proof;
	transcript_free(&f->t);
	f->wire[32] = CHALLENGE_CHAINED;
	assert_int_equal(transcript_begin(bytes_of(f->wire, 32 + 9 + PIECES * 33), &f->t), ERR_OK);
	for (uint32_t i = 0; i < PIECES; i++) {
		f->t.pieces[i].root = f->roots[i];
		f->t.pieces[i].size = sizes[i];
		transcript_take(&f->t, i, AUDIT_HELD, proofs[i]);
	}
	assert_int_equal(transcript_judge(&f->t, 0, &bytes), AUDITED_PROVEN);
	assert_int_equal(transcript_judge(&f->t, 3, &bytes), AUDITED_CORRUPT);
	assert_int_equal(bytes, 0);
}

static void test_wrong_verdicts(void **state)
{
	/* By what the answer shows, which verdicts go with it. */
	static const bool goes[][AUDITED_UNKNOWN + 1] = {
		[AUDITED_PROVEN] = {[AUDITED_PROVEN] = true, [AUDITED_LATE] = true},
		[AUDITED_MISSING] = {[AUDITED_MISSING] = true, [AUDITED_UNKNOWN] = true},
		[AUDITED_CORRUPT] = {[AUDITED_CORRUPT] = true, [AUDITED_UNKNOWN] = true},
		[AUDITED_UNREACHABLE] = {[AUDITED_UNREACHABLE] = true, [AUDITED_LATE] = true, [AUDITED_UNKNOWN] = true},
		[AUDITED_UNKNOWN] = {[AUDITED_UNKNOWN] = true},
	};
	struct fixture *f = *state;

	f->proofs[1][0] ^= 1;
	transcript_take(&f->t, 1, AUDIT_HELD, f->t.pieces[1].proof);
	f->t.pieces[3].answer = AUDIT_FAILED;
	for (uint32_t i = 0; i < PIECES; i++) {
		uint64_t bytes;
		enum audit_verdict shown = transcript_judge(&f->t, i, &bytes);

		for (uint8_t verdict = 1; verdict <= AUDITED_UNKNOWN; verdict++) {
			sign(f);
			f->t.pieces[i].verdict = verdict;
			transcript_verdicts(&f->t, &f->claim.verdicts);
			f->claim.bytes = 0;
			assert_int_equal(check(f), goes[shown][verdict] ? TRANSCRIPT_SOUND : TRANSCRIPT_VERDICT);
		}
	}
}

static void test_other_hashes(void **state)
{
	struct fixture *f = *state;

	f->claim.bytes++;
	assert_int_equal(check(f), TRANSCRIPT_BYTES);
	f->claim.bytes = 0;
	assert_int_equal(check(f), TRANSCRIPT_SOUND);
	f->t.pieces[1].size++;
	assert_int_equal(check(f), TRANSCRIPT_VERDICTS);
	f->t.pieces[1].size--;
	f->proofs[0][5] ^= 1;
	transcript_take(&f->t, 0, AUDIT_HELD, f->t.pieces[0].proof);
	assert_int_equal(check(f), TRANSCRIPT_ANSWER);
	f->wire[3] ^= 1;
	assert_int_equal(check(f), TRANSCRIPT_CHALLENGE);
}

/* Silence from some piece on. */
static void test_cut_short(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 1; i < PIECES; i++)
		f->t.pieces[i] = (struct transcript_piece){.root = f->roots[i], .size = sizes[i]};
	sign(f);
	assert_int_equal(f->t.pieces[3].verdict, AUDITED_UNREACHABLE);
	assert_int_equal(check(f), TRANSCRIPT_SOUND);
}

static void check_round_trip(const struct fixture *f)
{
	size_t len = transcript_size(&f->t);
	uint8_t *wire = malloc(len), *again = malloc(len);
	struct transcript copy;
	struct writer w;
	uint32_t piece;

	writer_init(&w, wire, len);
	transcript_encode(&f->t, &w);
	assert_int_equal(w.err, ERR_OK);
	assert_int_equal(w.len, len);
	assert_int_equal(transcript_decode(bytes_of(wire, len), &copy), ERR_OK);
	assert_int_equal(transcript_check(&copy, &f->claim, &piece), TRANSCRIPT_SOUND);
	writer_init(&w, again, len);
	transcript_encode(&copy, &w);
	assert_memory_equal(again, wire, len);
	transcript_free(&copy);
	for (size_t cut = 0; cut < len; cut += cut < 300 ? 1 : 97)
		assert_int_not_equal(transcript_decode(bytes_of(wire, cut), &copy), ERR_OK);
	free(wire);
	free(again);
}

static void test_encoding(void **state)
{
	struct fixture *f = *state;
	size_t before = transcript_size(&f->t);

	check_round_trip(f);
	/* Thinned, it holds as before, and its failures still are shown. */
	transcript_thin(&f->t);
	assert_in_range(transcript_size(&f->t), 1, before / 5);
	assert_int_equal(check(f), TRANSCRIPT_SOUND);
	check_round_trip(f);
	f->t.pieces[MISSING].verdict = AUDITED_LATE;
	transcript_verdicts(&f->t, &f->claim.verdicts);
	assert_int_equal(check(f), TRANSCRIPT_VERDICT);
}

/* An answer behind a silence, a proof of what is missing, a proof left out of what was not proven. */
static void test_decoding_refuses(void **state)
{
	struct fixture *f = *state;
	uint8_t *wire = malloc(ROOM);

	for (int change = 0; change < 5; change++) {
		struct transcript copy;
		struct writer w;

		begin(f, CHALLENGE_LISTED);
		if (change == 0)
			transcript_take(&f->t, 0, 0, bytes_of(NULL, 0));
		else if (change == 1)
			transcript_take(&f->t, 3, AUDIT_MISSING, f->t.pieces[3].proof);
		else if (change == 2)
			f->t.pieces[MISSING].thinned = true;
		else if (change == 3)
			f->t.pieces[1].size = TREE_PIECE + 1;
		else
			f->t.pieces[1].verdict = AUDITED_UNKNOWN + 1;
		writer_init(&w, wire, ROOM);
		transcript_encode(&f->t, &w);
		assert_int_equal(w.err, ERR_OK);
		assert_int_equal(transcript_decode(writer_bytes(&w), &copy), ERR_RANGE);
	}
	free(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_honest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_verdicts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_hashes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_encoding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_decoding_refuses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
