/*
 * Lines of a sheet: sorted insertion, sums, bytes.
 *
 * One table says of each kind what it is called and into which sum its amount goes, so adding, checking and printing
 * cannot disagree.
 */
#include "payments/sheet.h"

#include <string.h>

#include "common/keccak.h"

struct kind {
	const char *name;
	size_t sum;  /* the member of struct sheet_sums that its amounts go to */
	bool work;   /* quantity * price, keyed by price */
	bool earned; /* its amounts go to `earned`, too */
};

#define SUM(member) offsetof(struct sheet_sums, member)

static const struct kind kinds[] = {
	[LINE_STORAGE] = {"storage", SUM(work), true, true},
	[LINE_EGRESS] = {"egress", SUM(work), true, true},
	[LINE_AUDIT] = {"audit", SUM(work), true, true},
	[LINE_REPAIR] = {"repair", SUM(work), true, true},
	[LINE_BONUS] = {"bonus", SUM(bonus), false, true},
	[LINE_CORRECTION] = {"correction", SUM(corrections), false, true},
	[LINE_HELD] = {"held", SUM(held), false, false},
	[LINE_RELEASED] = {"released", SUM(released), false, false},
	[LINE_FORFEITED] = {"forfeited", SUM(forfeited), false, false},
	[LINE_CARRIED] = {"carried", SUM(carried), false, false},
	[LINE_DEDUCTED] = {"deducted", SUM(deducted), false, false},
};

static const struct kind *kind_of(unsigned kind)
{
	return kind >= LINE_STORAGE && kind <= LINE_DEDUCTED ? &kinds[kind] : NULL;
}

const char *sheet_kind_name(enum line_kind kind)
{
	const struct kind *k = kind_of(kind);

	return k == NULL ? "unknown" : k->name;
}

char *sheet_codes_print(uint8_t codes, char out[SHEET_CODES_TEXT])
{
	static const char letters[] = "DXIOEB";
	char *at = out;

	for (size_t i = 0; i < sizeof(letters) - 1; i++) {
		if (codes >> i & 1)
			*at++ = letters[i];
	}
	*at = '\0';
	return out;
}

/* What tells lines of one kind apart. */
static uint128 key_of(const struct sheet_line *line)
{
	const struct kind *kind = kind_of(line->kind);

	if (kind != NULL && kind->work)
		return amount_units(line->price);
	return line->kind == LINE_CORRECTION ? line->quantity : 0;
}

static int compare_lines(const struct sheet_line *a, const struct sheet_line *b)
{
	uint128 key_a = key_of(a), key_b = key_of(b);

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return key_a < key_b ? -1 : key_a > key_b;
}

/* The line of this kind and key, put in its place when there is none; NULL when there is no room. */
static struct sheet_line *line_for(struct sheet *sheet, const struct sheet_line *like)
{
	size_t at = 0;

	while (at < sheet->count && compare_lines(&sheet->lines[at], like) < 0)
		at++;
	if (at < sheet->count && compare_lines(&sheet->lines[at], like) == 0)
		return &sheet->lines[at];
	if (sheet->count == SHEET_LINES)
		return NULL;
	memmove(&sheet->lines[at + 1], &sheet->lines[at], (sheet->count - at) * sizeof(sheet->lines[0]));
	sheet->lines[at] = (struct sheet_line){
		.kind = like->kind, .quantity = like->quantity, .price = like->price, .amount = amount_of(0)};
	sheet->count++;
	return &sheet->lines[at];
}

enum err sheet_add_work(struct sheet *sheet, enum line_kind kind, uint128 quantity, struct amount price)
{
	struct sheet_line like = {.kind = (uint8_t)kind, .price = price}, *line;
	uint128 sum;

	if (quantity == 0)
		return ERR_OK;
	line = line_for(sheet, &like);
	if (line == NULL)
		return ERR_LIMIT;
	if (__builtin_add_overflow(line->quantity, quantity, &sum))
		return ERR_OVERFLOW;
	line->quantity = sum;
	return ERR_OK;
}

enum err sheet_add_money(struct sheet *sheet, enum line_kind kind, uint128 quantity, struct amount amount)
{
	struct sheet_line like = {.kind = (uint8_t)kind, .quantity = quantity}, *line;

	if (amount_units(amount) == 0 && (kind != LINE_DEDUCTED || quantity == 0))
		return ERR_OK;
	line = line_for(sheet, &like);
	return line == NULL ? ERR_LIMIT : amount_add(line->amount, amount, &line->amount);
}

enum err sheet_line_amount(const struct sheet_line *line, uint64_t at, struct amount *ret)
{
	if (line->kind == LINE_STORAGE)
		return tally_storage(byte_seconds_from(line->quantity), line->price, at, ret);
	if (line->quantity > UINT64_MAX)
		return ERR_OVERFLOW;
	return tally_traffic((uint64_t)line->quantity, line->price, ret);
}

enum err sheet_price(struct sheet *sheet, uint64_t at)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < sheet->count && err == ERR_OK; i++) {
		const struct kind *kind = kind_of(sheet->lines[i].kind);

		if (kind != NULL && kind->work)
			err = sheet_line_amount(&sheet->lines[i], at, &sheet->lines[i].amount);
	}
	return err;
}

/* payable = earned - held + released + carried - deducted. Additions first: nothing is below zero unless the whole
 * is. */
static enum err sum_payable(struct sheet_sums *sums)
{
	enum err err = amount_add(sums->earned, sums->released, &sums->payable);

	if (err == ERR_OK)
		err = amount_add(sums->payable, sums->carried, &sums->payable);
	if (err == ERR_OK)
		err = amount_sub(sums->payable, sums->held, &sums->payable);
	return err == ERR_OK ? amount_sub(sums->payable, sums->deducted, &sums->payable) : err;
}

enum err sheet_sum(const struct sheet *sheet, struct sheet_sums *ret)
{
	struct sheet_sums sums = {.work = amount_of(0)};
	enum err err = ERR_OK;

	for (size_t i = 0; i < sheet->count && err == ERR_OK; i++) {
		const struct sheet_line *line = &sheet->lines[i];
		const struct kind *kind = kind_of(line->kind);
		struct amount *sum;

		if (kind == NULL)
			return ERR_FORMAT;
		sum = (struct amount *)((char *)&sums + kind->sum);
		err = amount_add(*sum, line->amount, sum);
		if (err == ERR_OK && kind->earned)
			err = amount_add(sums.earned, line->amount, &sums.earned);
	}
	if (err == ERR_OK)
		err = sum_payable(&sums);
	if (err == ERR_OK)
		*ret = sums;
	return err;
}

void sheet_encode(const struct sheet *sheet, struct writer *w)
{
	write_u8(w, sheet->codes);
	for (size_t i = 0; i < sheet->count; i++) {
		const struct sheet_line *line = &sheet->lines[i];

		write_u8(w, line->kind);
		write_u128(w, line->quantity);
		write_u64(w, amount_units(line->price));
		write_u64(w, amount_units(line->amount));
	}
}

/* A line that can stand on a sheet: kinds that have no price or quantity say 0, and empty lines are left out. */
static bool line_is_plain(const struct sheet_line *line)
{
	const struct kind *kind = kind_of(line->kind);
	bool quantified = line->kind == LINE_CORRECTION || line->kind == LINE_HELD || line->kind == LINE_DEDUCTED;

	if (kind == NULL)
		return false;
	if (kind->work)
		return line->quantity > 0;
	if (amount_units(line->price) != 0 || (!quantified && line->quantity != 0))
		return false;
	return amount_units(line->amount) > 0 || (line->kind == LINE_DEDUCTED && line->quantity > 0);
}

static struct sheet_line read_line(struct reader *r)
{
	struct sheet_line line = {.kind = read_u8(r)};

	line.quantity = read_u128(r);
	line.price = amount_of(read_u64(r));
	line.amount = amount_of(read_u64(r));
	return line;
}

enum err sheet_decode(struct bytes from, struct sheet *ret)
{
	struct sheet sheet = {.count = 0};
	struct reader r;

	reader_init(&r, from);
	sheet.codes = read_u8(&r);
	if (r.err != ERR_OK || sheet.codes > SHEET_CODES || r.left % SHEET_LINE_BYTES != 0)
		return ERR_FORMAT;
	if (r.left / SHEET_LINE_BYTES > SHEET_LINES)
		return ERR_LIMIT;
	for (; r.left > 0; sheet.count++) {
		struct sheet_line *line = &sheet.lines[sheet.count];

		*line = read_line(&r);
		if (!line_is_plain(line) || (sheet.count > 0 && compare_lines(line - 1, line) >= 0))
			return ERR_FORMAT;
	}
	*ret = sheet;
	return ERR_OK;
}

void sheet_commit(const struct sheet *sheet, struct bytes32 *ret)
{
	uint8_t encoded[SHEET_BYTES];
	struct writer w;

	writer_init(&w, encoded, sizeof(encoded));
	sheet_encode(sheet, &w);
	keccak_once(encoded, w.len, ret);
}

static bool lines_equal(const struct sheet_line *a, const struct sheet_line *b)
{
	return a->quantity == b->quantity && amount_units(a->price) == amount_units(b->price) &&
	       amount_units(a->amount) == amount_units(b->amount);
}

/* Which comes first of the i-th line of a and the j-th of b, where the end comes last; 0: they are about the same. */
static int compare_at(const struct sheet *a, size_t i, const struct sheet *b, size_t j)
{
	if (i == a->count)
		return 1;
	if (j == b->count)
		return -1;
	return compare_lines(&a->lines[i], &b->lines[j]);
}

size_t sheet_compare(const struct sheet *ours, const struct sheet *theirs, sheet_differ_fn *differ, void *arg)
{
	size_t i = 0, j = 0, found = 0;

	while (i < ours->count || j < theirs->count) {
		int order = compare_at(ours, i, theirs, j);
		const struct sheet_line *our = order <= 0 ? &ours->lines[i++] : NULL;
		const struct sheet_line *their = order >= 0 ? &theirs->lines[j++] : NULL;

		if (our != NULL && their != NULL && lines_equal(our, their))
			continue;
		differ(arg, our, their);
		found++;
	}
	return found;
}
