/*
 * Forged proofs: an honest proof of some leaves of a piece is changed step by step, as are the size and the leaves that
 * it is held against. Whatever is accepted must be the honest proof of just those leaves of just that piece. So no
 * proof passes for other data, another leaf, another size, or with hashes cut off, added or in another order.
 *
 * Input: u8 piece, u8 count, count × u16 leaf (taken modulo its leaves), then changes of four bytes: u8 what, u8 place,
 * u16 value.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"
#include "common/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SAMPLES 6 /* most leaves: small proofs, many of them */
#define ROOM (2 * SAMPLES * (TREE_LEAF + 11 * 32))
#define HASH sizeof(struct bytes32)

/* Mostly small ones: what holds for the tree holds for its parts. */
static const uint64_t sizes[] = {0,    1,    1023, 1024,  1025,	 2048,		 3000,		     4096,
				 5000, 7168, 8192, 16384, 30000, TREE_BLOCK + 1, 2 * TREE_BLOCK + 5, TREE_PIECE};
#define PIECES (sizeof(sizes) / sizeof(sizes[0]))

struct piece {
	uint64_t size;
	uint8_t *data;
	struct bytes32 blocks[TREE_BLOCKS];
	struct bytes32 root;
};

static const struct piece *pieces(void)
{
	static struct piece all[PIECES];

	if (all[0].data != NULL)
		return all;
	for (size_t i = 0; i < PIECES; i++) {
		struct piece *p = &all[i];
		uint64_t word = i;

		p->size = sizes[i];
		p->data = memory_new(1, p->size + 8);
		for (uint64_t at = 0; at < p->size; at += 8) {
			word = word * 6364136223846793005ull + 1442695040888963407ull;
			memcpy(p->data + at, &word, p->size - at < 8 ? p->size - at : 8);
		}
		for (uint32_t b = 0; b < tree_blocks(p->size); b++)
			tree_block_hash(p->data + (size_t)b * TREE_BLOCK, tree_block_size(p->size, b), &p->blocks[b]);
		tree_root(p->blocks, p->size, &p->root);
	}
	return all;
}

static enum err read_block(void *arg, uint32_t block, uint8_t *out, size_t *ret_len)
{
	const struct piece *p = arg;

	*ret_len = tree_block_size(p->size, block);
	memcpy(out, p->data + (size_t)block * TREE_BLOCK, *ret_len);
	return ERR_OK;
}

/* The honest proof, if there is one for such samples. */
static bool make(const struct piece *p, const struct samples *samples, uint8_t out[ROOM], size_t *ret_len)
{
	struct writer w;

	writer_init(&w, out, ROOM);
	if (proof_make(p->blocks, p->size, samples, read_block, (void *)p, &w) != ERR_OK)
		return false;
	*ret_len = w.len;
	return true;
}

/* What a proof is held against. */
struct claim {
	const struct piece *piece; /* whose root */
	uint64_t size;
	struct samples samples;
	uint8_t proof[ROOM];
	size_t len;
};

static void insert_sample(struct samples *samples, uint32_t leaf)
{
	uint32_t at = 0;

	while (at < samples->count && samples->leaf[at] < leaf)
		at++;
	if (samples->count == SAMPLES || (at < samples->count && samples->leaf[at] == leaf))
		return;
	memmove(&samples->leaf[at + 1], &samples->leaf[at], (samples->count - at) * sizeof(samples->leaf[0]));
	samples->leaf[at] = leaf;
	samples->count++;
}

static void swap(struct claim *c, size_t a, size_t b, size_t len)
{
	uint8_t kept[TREE_LEAF];

	if (a + len > b || b + len > c->len)
		return;
	memcpy(kept, c->proof + a, len);
	memcpy(c->proof + a, c->proof + b, len);
	memcpy(c->proof + b, kept, len);
}

static void cut(struct claim *c, size_t at, size_t len)
{
	if (at + len > c->len)
		return;
	memmove(c->proof + at, c->proof + at + len, c->len - at - len);
	c->len -= len;
}

static void add(struct claim *c, size_t at, size_t from, size_t len)
{
	uint8_t kept[HASH];

	if (at > c->len || from + len > c->len || c->len + len > ROOM)
		return;
	memcpy(kept, c->proof + from, len);
	memmove(c->proof + at + len, c->proof + at, c->len - at);
	memcpy(c->proof + at, kept, len);
	c->len += len;
}

/* One change. Places count hashes from the end, or leaves from the start. */
static void change(struct claim *c, uint8_t what, uint8_t place, uint16_t value)
{
	size_t hash = c->len > (place + 1) * HASH ? c->len - (place + 1) * HASH : 0;

	switch (what % 12) {
	case 0:
		swap(c, hash, hash + HASH * (1 + value % 12), HASH);
		break;
	case 1:
		swap(c, place % SAMPLES * TREE_LEAF, (place % SAMPLES + 1 + value % SAMPLES) * TREE_LEAF, TREE_LEAF);
		break;
	case 2:
		cut(c, hash, HASH);
		break;
	case 3:
		add(c, hash, value % (c->len + 1), HASH);
		break;
	case 4:
		c->len -= value % (c->len + 1);
		break;
	case 5:
		add(c, c->len, hash, 1 + value % HASH);
		break;
	case 6:
		if (c->len > 0)
			c->proof[((size_t)place << 16 | value) % c->len] ^= (uint8_t)(1 << place % 8);
		break;
	case 7:
		c->size = value % 2 == 0 ? c->size + place : c->size - place;
		break;
	case 8:
		c->size = sizes[place % PIECES];
		break;
	case 9:
		c->samples.leaf[place % SAMPLES] = value;
		break;
	case 10:
		c->samples.count = place % (SAMPLES + 2);
		break;
	default:
		c->piece = &pieces()[place % PIECES];
	}
}

/* Accepted only if it is what an honest node would have sent. */
static void judge(const struct claim *c)
{
	static uint8_t honest[ROOM];
	uint64_t leaf_bytes = 0;
	size_t len;

	if (proof_check(&c->piece->root, c->size, &c->samples, bytes_of(c->proof, c->len), &leaf_bytes) != ERR_OK)
		return;
	if (c->size != c->piece->size || !make(c->piece, &c->samples, honest, &len))
		abort();
	if (len != c->len || memcmp(honest, c->proof, len) != 0 || leaf_bytes > c->size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct claim c;
	struct reader r;
	uint32_t count;

	reader_init(&r, bytes_of(data, size));
	memset(&c.samples, 0, sizeof(c.samples));
	c.piece = &pieces()[read_u8(&r) % PIECES];
	c.size = c.piece->size;
	count = read_u8(&r) % (SAMPLES + 1);
	for (uint32_t i = 0; i < count; i++)
		insert_sample(&c.samples, read_u16(&r) % tree_leaves(c.size));
	if (r.err != ERR_OK || c.samples.count == 0)
		return 0;
	if (!make(c.piece, &c.samples, c.proof, &c.len))
		abort();
	judge(&c);
	for (int i = 0; i < 8 && r.left >= 4; i++) {
		uint8_t what = read_u8(&r), place = read_u8(&r);

		change(&c, what, place, read_u16(&r));
		judge(&c);
	}
	return 0;
}
