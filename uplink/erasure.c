/*
 * Reed–Solomon through ISA-L.
 *
 * Rebuilding: the rows of the encoding matrix that made the units at hand, inverted, turn these units into the data;
 * a wanted parity unit is its own row of the encoding matrix over that. ISA-L multiplies through tables that it
 * expands from a matrix; those of the latest pairs (units at hand, units wanted) are kept.
 */
#include "uplink/erasure.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/erasure_code.h>

#include "common/memory.h"

#define TABLE 32 /* bytes that ISA-L expands one coefficient to */
#define CACHE 8

struct decoder {
	struct erasure_set from; /* exactly `required` units */
	struct erasure_set want; /* none of them in `from` */
	uint8_t *tables;	 /* NULL: an unused slot */
};

struct erasure {
	uint32_t required;
	uint32_t total;
	uint8_t *matrix; /* total rows of `required` coefficients, the first `required` rows the identity */
	uint8_t *parity_tables;
	struct decoder decoders[CACHE];
	uint32_t next; /* the slot to be used again next */
};

uint32_t erasure_set_count(const struct erasure_set *set)
{
	uint32_t count = 0;

	for (size_t i = 0; i < sizeof(set->bits) / sizeof(set->bits[0]); i++)
		count += (uint32_t)__builtin_popcountll(set->bits[i]);
	return count;
}

static bool sets_equal(const struct erasure_set *a, const struct erasure_set *b)
{
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

static bool length_allowed(size_t len)
{
	return len > 0 && len <= ERASURE_UNIT && len % ERASURE_ALIGN == 0;
}

enum err erasure_new(uint32_t required, uint32_t total, struct erasure **ret)
{
	struct erasure *e;
	uint32_t parity;

	if (required < 1 || required > total || total > ERASURE_TOTAL)
		return ERR_RANGE;
	parity = total - required;
	e = memory_new(1, sizeof(*e));
	e->required = required;
	e->total = total;
	e->matrix = memory_new(total, required);
	gf_gen_cauchy1_matrix(e->matrix, (int)total, (int)required);
	if (parity > 0) {
		e->parity_tables = memory_new((size_t)parity * required, TABLE);
		ec_init_tables((int)required, (int)parity, e->matrix + (size_t)required * required, e->parity_tables);
	}
	*ret = e;
	return ERR_OK;
}

void erasure_free(struct erasure *erasure)
{
	if (erasure == NULL)
		return;
	for (uint32_t i = 0; i < CACHE; i++)
		free(erasure->decoders[i].tables);
	free(erasure->parity_tables);
	free(erasure->matrix);
	free(erasure);
}

uint32_t erasure_required(const struct erasure *erasure)
{
	return erasure->required;
}

uint32_t erasure_total(const struct erasure *erasure)
{
	return erasure->total;
}

enum err erasure_encode(const struct erasure *erasure, uint8_t *const *units, size_t len)
{
	/* ISA-L takes its sources as pointers to pointers without const, and writes to neither. */
	uint8_t **all = (uint8_t **)(uintptr_t)units;
	uint32_t parity = erasure->total - erasure->required;

	if (!length_allowed(len))
		return ERR_RANGE;
	if (parity > 0)
		ec_encode_data((int)len, (int)erasure->required, (int)parity, erasure->parity_tables, all,
			       all + erasure->required);
	return ERR_OK;
}

/* One row: the coefficients that make unit `unit` from the units at hand, whose rows were inverted to `inverse`. */
static void decode_row(const struct erasure *e, const uint8_t *inverse, uint32_t unit, uint8_t *row)
{
	const uint8_t *encode = e->matrix + (size_t)unit * e->required;

	for (uint32_t column = 0; column < e->required; column++) {
		row[column] = 0;
		for (uint32_t i = 0; i < e->required; i++)
			row[column] ^= gf_mul(encode[i], inverse[(size_t)i * e->required + column]);
	}
}

static void decoder_fill(const struct erasure *e, struct decoder *d)
{
	uint32_t k = e->required, want = erasure_set_count(&d->want), row = 0;
	uint8_t *rows = memory_new(k, k), *inverse = memory_new(k, k), *matrix = memory_new(want, k);

	for (uint32_t unit = 0; unit < e->total; unit++) {
		if (erasure_set_has(&d->from, unit))
			memcpy(rows + (size_t)row++ * k, e->matrix + (size_t)unit * k, k);
	}
	/* A Cauchy matrix over part of an identity is always invertible. */
	if (gf_invert_matrix(rows, inverse, (int)k) != 0)
		assert(!"singular matrix");
	row = 0;
	for (uint32_t unit = 0; unit < e->total; unit++) {
		if (erasure_set_has(&d->want, unit))
			decode_row(e, inverse, unit, matrix + (size_t)row++ * k);
	}
	d->tables = memory_new((size_t)want * k, TABLE);
	ec_init_tables((int)k, (int)want, matrix, d->tables);
	free(rows);
	free(inverse);
	free(matrix);
}

static struct decoder *decoder_find(struct erasure *e, const struct erasure_set *from, const struct erasure_set *want)
{
	struct decoder *d;

	for (uint32_t i = 0; i < CACHE; i++) {
		d = &e->decoders[i];
		if (d->tables != NULL && sets_equal(&d->from, from) && sets_equal(&d->want, want))
			return d;
	}
	d = &e->decoders[e->next];
	e->next = (e->next + 1) % CACHE;
	free(d->tables);
	d->from = *from;
	d->want = *want;
	decoder_fill(e, d);
	return d;
}

static bool set_within(const struct erasure_set *set, uint32_t total)
{
	for (uint32_t unit = total; unit < 256; unit++) {
		if (erasure_set_has(set, unit))
			return false;
	}
	return true;
}

/* The `required` lowest units of `have`, and `want` without what is there already. */
static void choose_units(const struct erasure *e, const struct erasure_set *have, struct erasure_set *from,
			 struct erasure_set *want)
{
	uint32_t chosen = 0;

	for (uint32_t unit = 0; unit < e->total; unit++) {
		if (!erasure_set_has(have, unit))
			continue;
		erasure_set_remove(want, unit);
		if (chosen++ < e->required)
			erasure_set_add(from, unit);
	}
}

enum err erasure_rebuild(struct erasure *erasure, const struct erasure_set *have, const struct erasure_set *want,
			 uint8_t *const *units, size_t len)
{
	struct erasure_set from = {{0}}, missing = *want;
	uint8_t *sources[ERASURE_TOTAL], *targets[ERASURE_TOTAL];
	int source_count = 0, target_count = 0;

	if (!length_allowed(len) || !set_within(have, erasure->total) || !set_within(want, erasure->total))
		return ERR_RANGE;
	if (erasure_set_count(have) < erasure->required)
		return ERR_RANGE;
	choose_units(erasure, have, &from, &missing);
	for (uint32_t unit = 0; unit < erasure->total; unit++) {
		if (erasure_set_has(&from, unit))
			sources[source_count++] = units[unit];
		else if (erasure_set_has(&missing, unit))
			targets[target_count++] = units[unit];
	}
	if (target_count > 0)
		ec_encode_data((int)len, source_count, target_count, decoder_find(erasure, &from, &missing)->tables,
			       sources, targets);
	return ERR_OK;
}
