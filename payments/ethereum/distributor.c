/*
 * Solidity's ABI, as far as it is needed: a selector of 4 bytes, then words of 32. A list stands behind the other
 * arguments, its place a word among them. Selectors and topics are made from the signatures, not written down.
 */
#include "payments/ethereum/distributor.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"
#include "common/keccak.h"
#include "payments/u256.h"

#define SELECTOR 4
#define WORD 32
#define ADDRESS 20

static const uint8_t zeros[WORD];

static void signature_hash(const char *signature, struct bytes32 *ret)
{
	keccak_once(signature, strlen(signature), ret);
}

static void write_selector(struct writer *w, const char *signature)
{
	struct bytes32 hash;

	signature_hash(signature, &hash);
	write_raw(w, hash.b, SELECTOR);
}

static void write_word(struct writer *w, const struct bytes32 *word)
{
	write_raw(w, word->b, WORD);
}

static void write_number(struct writer *w, uint64_t number)
{
	struct bytes32 word = u256_of(number);

	write_word(w, &word);
}

static void write_address(struct writer *w, const struct address *address)
{
	write_raw(w, zeros, WORD - ADDRESS);
	write_raw(w, address->b, ADDRESS);
}

void distributor_claim(const struct payout_leaf *leaf, const struct bytes32 *root, const struct bytes32 *proof,
		       size_t count, struct writer *w)
{
	write_selector(w, "claim(address,uint256,bytes32,bytes32[])");
	write_address(w, &leaf->payee);
	write_word(w, &leaf->cumulative);
	write_word(w, root);
	write_number(w, 4 * WORD); /* where the list is, counted from the first argument */
	write_number(w, count);
	for (size_t i = 0; i < count; i++)
		write_word(w, &proof[i]);
}

void distributor_ask_root(struct writer *w)
{
	write_selector(w, "root()");
}

void distributor_ask_token(struct writer *w)
{
	write_selector(w, "token()");
}

void distributor_ask_claimed(const struct address *payee, struct writer *w)
{
	write_selector(w, "claimed(address)");
	write_address(w, payee);
}

void token_ask_balance(const struct address *account, struct writer *w)
{
	write_selector(w, "balanceOf(address)");
	write_address(w, account);
}

static void read_word(struct reader *r, struct bytes32 *ret)
{
	read_raw(r, ret->b, WORD);
}

static void read_address(struct reader *r, struct address *ret)
{
	struct bytes32 word;

	read_word(r, &word);
	if (memcmp(word.b, zeros, WORD - ADDRESS) != 0)
		reader_fail(r, ERR_FORMAT);
	memcpy(ret->b, word.b + WORD - ADDRESS, ADDRESS);
}

enum err word_parse(struct bytes returned, struct bytes32 *ret)
{
	struct bytes32 word;
	struct reader r;

	reader_init(&r, returned);
	read_word(&r, &word);
	if (reader_end(&r) != ERR_OK)
		return ERR_FORMAT;
	*ret = word;
	return ERR_OK;
}

enum err word_parse_address(struct bytes returned, struct address *ret)
{
	struct address address;
	struct reader r;

	reader_init(&r, returned);
	read_address(&r, &address);
	if (reader_end(&r) != ERR_OK)
		return ERR_FORMAT;
	*ret = address;
	return ERR_OK;
}

enum err claimed_parse(const struct bytes32 *topics, size_t count, struct bytes data, struct claimed *ret)
{
	struct bytes32 event;
	struct claimed claimed;
	struct reader r;

	signature_hash("Claimed(address,uint256,uint256)", &event);
	if (count == 0 || !bytes32_equal(&topics[0], &event))
		return ERR_NOT_FOUND;
	if (count != CLAIMED_TOPICS || word_parse_address(bytes_of(topics[1].b, WORD), &claimed.payee) != ERR_OK)
		return ERR_FORMAT;
	reader_init(&r, data);
	read_word(&r, &claimed.amount);
	read_word(&r, &claimed.cumulative);
	if (reader_end(&r) != ERR_OK)
		return ERR_FORMAT;
	*ret = claimed;
	return ERR_OK;
}

/* UnexpectedRoot(bytes32 expected, bytes32 current). */
static void explain_root(struct reader *r, char *out, size_t room)
{
	struct bytes32 expected, current;
	char hex[2 * WORD + 1];

	read_word(r, &expected);
	read_word(r, &current);
	hex_encode(bytes_of(current.b, WORD), hex);
	snprintf(out, room, "the contract's root changed to 0x%s", hex);
}

static void explain_proof(struct reader *r, char *out, size_t room)
{
	(void)r;
	snprintf(out, room, "the contract's tree has no such payee and amount");
}

/* NothingToClaim(address payee, uint256 claimed). */
static void explain_nothing(struct reader *r, char *out, size_t room)
{
	char text[KEY_ADDRESS_TEXT];
	struct address payee;

	read_address(r, &payee);
	read_view(r, WORD); /* what it was paid */
	address_to_text(&payee, text);
	snprintf(out, room, "%s has been paid all of it already", text);
}

/* ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed), of OpenZeppelin's ERC20. */
static void explain_balance(struct reader *r, char *out, size_t room)
{
	struct bytes32 balance, needed;
	struct address sender;
	char has[U256_TEXT], wants[U256_TEXT];

	read_address(r, &sender);
	read_word(r, &balance);
	read_word(r, &needed);
	snprintf(out, room, "the contract holds %.40s base units, %.40s are needed", u256_print(&balance, has),
		 u256_print(&needed, wants));
}

/* Error(string), what require() and revert() say. Text from anyone: shown as far as it is printable ASCII. */
static void explain_text(struct reader *r, char *out, size_t room)
{
	struct bytes32 place, len;
	struct bytes text;
	uint64_t number = 0;
	size_t at;

	read_word(r, &place);
	read_word(r, &len);
	if (u256_to_u64(&place, &number) != ERR_OK || number != WORD || u256_to_u64(&len, &number) != ERR_OK ||
	    number > r->left) {
		reader_fail(r, ERR_FORMAT);
		return;
	}
	text = read_view(r, (size_t)number);
	read_view(r, r->left); /* padding */
	at = (size_t)snprintf(out, room, "it says: ");
	for (size_t i = 0; i < text.len && at + 1 < room; i++)
		out[at++] = isprint(text.data[i]) ? (char)text.data[i] : '?';
	out[at] = '\0';
}

/* Panic(uint256), of the compiler's own checks. */
static void explain_panic(struct reader *r, char *out, size_t room)
{
	struct bytes32 code;
	uint64_t number = 0;

	read_word(r, &code);
	if (u256_to_u64(&code, &number) != ERR_OK)
		reader_fail(r, ERR_FORMAT);
	snprintf(out, room, "a check of the compiler failed, panic 0x%" PRIx64, number);
}

static const struct {
	const char *signature;
	void (*explain)(struct reader *r, char *out, size_t room);
} reasons[] = {
	{"UnexpectedRoot(bytes32,bytes32)", explain_root},
	{"InvalidProof()", explain_proof},
	{"NothingToClaim(address,uint256)", explain_nothing},
	{"ERC20InsufficientBalance(address,uint256,uint256)", explain_balance},
	{"Error(string)", explain_text},
	{"Panic(uint256)", explain_panic},
};

char *distributor_reason(struct bytes revert, char out[DISTRIBUTOR_REASON])
{
	char text[DISTRIBUTOR_REASON], selector[2 * SELECTOR + 1];
	struct bytes32 hash;
	struct reader r;

	if (revert.len < SELECTOR) {
		snprintf(out, DISTRIBUTOR_REASON, "it gives no reason");
		return out;
	}
	hex_encode(bytes_of(revert.data, SELECTOR), selector);
	snprintf(out, DISTRIBUTOR_REASON, "for the reason 0x%s, which is unknown here", selector);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		signature_hash(reasons[i].signature, &hash);
		if (memcmp(hash.b, revert.data, SELECTOR) != 0)
			continue;
		reader_init(&r, bytes_of(revert.data + SELECTOR, revert.len - SELECTOR));
		reasons[i].explain(&r, text, sizeof(text));
		if (reader_end(&r) == ERR_OK)
			memcpy(out, text, sizeof(text));
	}
	return out;
}
