/* One parser per type of option, in a table; limits are checked in one place. */
#include "common/option_value.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/amount.h"
#include "common/fields.h"
#include "common/log.h"
#include "common/nearest.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* The plain SI names come first: printing takes the first unit that fits. */
static const struct unit size_units[] = {
	{"B", 1},
	{"KB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"TB", 1000000000000},
	{"PB", 1000000000000000},
	{"EB", 1000000000000000000},
	{"KiB", 1ull << 10},
	{"MiB", 1ull << 20},
	{"GiB", 1ull << 30},
	{"TiB", 1ull << 40},
	{"PiB", 1ull << 50},
	{"EiB", 1ull << 60},
	{"K", 1000},
	{"M", 1000000},
	{"G", 1000000000},
	{"T", 1000000000000},
	{"P", 1000000000000000},
	{"", 1},
};
#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))

static const struct unit duration_units[] = {
	{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}, {"", 1},
};
#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

/* Decimal digits at *at, moved past them. ERR_FORMAT when there are none. */
static enum err parse_digits(const char **at, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return ERR_FORMAT;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return ERR_OVERFLOW;
	}
	*at = p;
	*ret = value;
	return ERR_OK;
}

/* The digits after a point as billionths; further ones would be below one byte of any unit here. */
static enum err parse_fraction(const char **at, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0, place = 100000000;

	if (*p < '0' || *p > '9')
		return ERR_FORMAT;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (place == 0)
			return ERR_FORMAT;
		value += (uint64_t)(*p - '0') * place;
		place /= 10;
	}
	*at = p;
	*ret = value;
	return ERR_OK;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name, bool any_case)
{
	for (size_t i = 0; i < count; i++) {
		if ((any_case ? strcasecmp : strcmp)(units[i].name, name) == 0)
			return &units[i];
	}
	return NULL;
}

enum err option_parse_size(const char *text, uint64_t *ret)
{
	const struct unit *unit;
	uint64_t whole, billionths = 0;
	uint128 value;
	enum err err = parse_digits(&text, &whole);

	if (err == ERR_OK && *text == '.') {
		text++;
		err = parse_fraction(&text, &billionths);
	}
	if (err != ERR_OK)
		return err;
	if (*text == ' ')
		text++;
	unit = find_unit(size_units, SIZE_UNITS, text, true);
	if (unit == NULL)
		return ERR_FORMAT;
	value = (uint128)whole * unit->factor + (uint128)billionths * unit->factor / 1000000000;
	if (value > UINT64_MAX)
		return ERR_OVERFLOW;
	*ret = (uint64_t)value;
	return ERR_OK;
}

enum err option_parse_duration(const char *text, uint64_t *ret)
{
	const struct unit *unit;
	uint64_t value;
	enum err err = parse_digits(&text, &value);

	if (err != ERR_OK)
		return err;
	unit = find_unit(duration_units, DURATION_UNITS, text, false);
	if (unit == NULL)
		return ERR_FORMAT;
	if (__builtin_mul_overflow(value, unit->factor, &value))
		return ERR_OVERFLOW;
	*ret = value;
	return ERR_OK;
}

char *option_print_size(uint64_t bytes, char out[16])
{
	uint64_t factor = 1;
	unsigned hundredths; /* below 100,000 */
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, 16, "%" PRIu64 " B", bytes);
		return out;
	}
	while (unit < 6 && bytes / factor >= 1000) {
		factor *= 1000;
		unit++;
	}
	/* Rounded down, so that nothing shows as more than it is and 999.99 does not become 1000. */
	hundredths = (unsigned)((uint128)bytes * 100 / factor);
	if (hundredths < 1000)
		snprintf(out, 16, "%u.%02u %s", hundredths / 100, hundredths % 100, size_units[unit].name);
	else if (hundredths < 10000)
		snprintf(out, 16, "%u.%u %s", hundredths / 100, hundredths % 100 / 10, size_units[unit].name);
	else
		snprintf(out, 16, "%u %s", hundredths / 100, size_units[unit].name);
	return out;
}

/* A limit exactly, in the largest unit that divides it: "64KiB", "30d". */
static void print_exact(uint64_t value, const struct unit *units, size_t count, char out[32])
{
	const struct unit *best = NULL;

	for (size_t i = 0; i < count && value > 0; i++) {
		if (value % units[i].factor == 0 && (best == NULL || units[i].factor > best->factor))
			best = &units[i];
	}
	if (best == NULL)
		snprintf(out, 32, "%" PRIu64, value);
	else
		snprintf(out, 32, "%" PRIu64 "%s", value / best->factor, best->name);
}

static void print_limit(const struct option_spec *spec, uint64_t value, char out[32])
{
	switch (spec->type) {
	case OPTION_SIZE:
		print_exact(value, size_units, SIZE_UNITS, out);
		return;
	case OPTION_DURATION:
		print_exact(value, duration_units, DURATION_UNITS, out);
		return;
	case OPTION_AMOUNT:
		amount_print(amount_of(value), out);
		return;
	case OPTION_FLAG:
	case OPTION_INT:
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_HOSTPORT:
	case OPTION_ENDPOINT:
	case OPTION_ADDRESS:
	case OPTION_CHOICE:
		break;
	}
	snprintf(out, 32, "%" PRIu64, value);
}

bool option_next_word(const char **at, char separator, struct bytes *ret)
{
	const char *end;

	while (**at == separator)
		(*at)++;
	if (**at == '\0')
		return false;
	end = strchr(*at, separator);
	if (end == NULL)
		end = *at + strlen(*at);
	*ret = bytes_of(*at, (size_t)(end - *at));
	*at = end;
	return true;
}

bool option_word_in(const char *words, char separator, const char *text)
{
	struct bytes word;

	while (option_next_word(&words, separator, &word)) {
		if (bytes_equal(word, bytes_of_text(text)))
			return true;
	}
	return false;
}

static enum err parse_flag(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	ret->number = strcmp(text, "true") == 0;
	return ret->number == 1 || strcmp(text, "false") == 0 ? ERR_OK : ERR_FORMAT;
}

static enum err parse_int(const struct option_spec *spec, const char *text, union option_value *ret)
{
	enum err err = parse_digits(&text, &ret->number);

	(void)spec;
	return err == ERR_OK && *text != '\0' ? ERR_FORMAT : err;
}

static enum err parse_size(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	return option_parse_size(text, &ret->number);
}

static enum err parse_duration(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	return option_parse_duration(text, &ret->number);
}

static enum err parse_text(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	ret->number = strlen(text); /* what the limits are about */
	return ERR_OK;
}

static enum err parse_path(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	(void)ret;
	return text[0] == '\0' ? ERR_FORMAT : ERR_OK;
}

static enum err parse_hostport(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	return hostport_parse(text, &ret->at);
}

static enum err parse_endpoint(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	return endpoint_parse(text, &ret->endpoint);
}

static enum err parse_address(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)spec;
	return address_from_text(text, &ret->address);
}

static enum err parse_choice(const struct option_spec *spec, const char *text, union option_value *ret)
{
	(void)ret;
	return option_word_in(spec->choices, '|', text) ? ERR_OK : ERR_FORMAT;
}

static enum err parse_amount(const struct option_spec *spec, const char *text, union option_value *ret)
{
	struct amount amount;
	enum err err = amount_parse(text, &amount);

	(void)spec;
	if (err == ERR_OK)
		ret->number = amount_units(amount);
	return err;
}

static const struct {
	enum err (*parse)(const struct option_spec *spec, const char *text, union option_value *ret);
	const char *wrong;   /* after the quoted value */
	const char *limited; /* what `min` and `max` count; NULL when they do not apply */
} types[] = {
	[OPTION_FLAG] = {parse_flag, "is neither true nor false", NULL},
	[OPTION_INT] = {parse_int, "is not a whole number", "it"},
	[OPTION_SIZE] = {parse_size, "is not a size; write it like 500GB, 1.5TiB or 4096", "it"},
	[OPTION_DURATION] = {parse_duration, "is not a duration; write it like 90s, 10m, 2h or 30d", "it"},
	[OPTION_TEXT] = {parse_text, "is not a text", "its length"},
	[OPTION_PATH] = {parse_path, "is not a path", NULL},
	[OPTION_HOSTPORT] = {parse_hostport, "is not HOST:PORT (IPv6 in brackets, port at most 65535)", NULL},
	[OPTION_ENDPOINT] = {parse_endpoint, "is not an endpoint: 66 hex digits of an id, @, HOST:PORT", NULL},
	[OPTION_ADDRESS] = {parse_address,
			    "is not an address: 0x and 40 hex digits, a right EIP-55 checksum when of "
			    "mixed case",
			    NULL},
	[OPTION_CHOICE] = {parse_choice, "is none of ", NULL},
	[OPTION_AMOUNT] = {parse_amount, "is not an amount: tokens with at most 8 decimals", "it"},
};

static void explain_choice(const struct option_spec *spec, const char *quoted, const char *text, char *why, size_t room)
{
	char words[16][NEAREST_MAX + 1];
	const char *at = spec->choices;
	struct nearest nearest;
	struct bytes word;

	nearest_init(&nearest, text);
	for (size_t i = 0; i < 16 && option_next_word(&at, '|', &word) && word.len <= NEAREST_MAX; i++) {
		memcpy(words[i], word.data, word.len);
		words[i][word.len] = '\0';
		nearest_offer(&nearest, words[i]);
	}
	if (nearest.best != NULL)
		snprintf(why, room, "%s is none of %s; did you mean \"%s\"?", quoted, spec->choices, nearest.best);
	else
		snprintf(why, room, "%s is none of %s", quoted, spec->choices);
}

static enum err check_limits(const struct option_spec *spec, uint64_t number, const char *quoted, char *why,
			     size_t room)
{
	const char *of = types[spec->type].limited;
	char limit[32];

	if (of == NULL)
		return ERR_OK;
	if (number < spec->min) {
		print_limit(spec, spec->min, limit);
		snprintf(why, room, "%s is too small; %s must be at least %s", quoted, of, limit);
		return ERR_RANGE;
	}
	if (spec->max > 0 && number > spec->max) {
		print_limit(spec, spec->max, limit);
		snprintf(why, room, "%s is too large; %s may be at most %s", quoted, of, limit);
		return ERR_RANGE;
	}
	return ERR_OK;
}

enum err option_value_parse(const struct option_spec *spec, const char *text, union option_value *ret, char *why,
			    size_t room)
{
	union option_value value = {0};
	char quoted[200];
	enum err err;

	assert((size_t)spec->type < sizeof(types) / sizeof(types[0]));
	log_quote(text, quoted, sizeof(quoted));
	if (!text_is_printable(bytes_of_text(text))) {
		snprintf(why, room, "%s holds control characters or is not UTF-8", quoted);
		return ERR_FORMAT;
	}
	err = types[spec->type].parse(spec, text, &value);
	if (err == ERR_OVERFLOW) {
		snprintf(why, room, "%s is too large a number", quoted);
		return ERR_RANGE;
	}
	if (err != ERR_OK) {
		if (spec->type == OPTION_CHOICE)
			explain_choice(spec, quoted, text, why, room);
		else
			snprintf(why, room, "%s %s", quoted, types[spec->type].wrong);
		return err;
	}
	err = check_limits(spec, value.number, quoted, why, room);
	if (err == ERR_OK)
		*ret = value;
	return err;
}
