/* Templates and figures. */
#include "node/dashboard/html.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/clock.h"
#include "common/options.h"

static void put_escaped(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc(*text, to);
		}
	}
}

void html_put_list(FILE *to, const char *template, ...)
{
	const char *argument;
	va_list list;

	va_start(list, template);
	for (; *template != '\0'; template ++) {
		if (*template != '$') {
			fputc(*template, to);
			continue;
		}
		argument = va_arg(list, const char *);
		assert(argument != NULL);
		put_escaped(to, argument);
	}
	argument = va_arg(list, const char *);
	assert(argument == NULL);
	va_end(list);
}

void html_size(FILE *to, uint64_t bytes)
{
	char size[16], exact[HTML_TEXT];

	html_put(to, "<span title=\"$ bytes\">$</span>", html_number(bytes, exact), option_print_size(bytes, size));
}

void html_time(FILE *to, uint64_t seconds)
{
	char text[32], shown[20];

	if (seconds == 0) {
		fputs("never", to);
		return;
	}
	clock_format(seconds, text, sizeof(text));
	if (strlen(text) != strlen("2026-01-31T12:00:00Z")) {
		fputs("at no time of this calendar", to); /* others may tell us any number */
		return;
	}
	snprintf(shown, sizeof(shown), "%.10s %.5s", text, text + 11);
	html_put(to, "<time datetime=\"$\">$ UTC</time>", text, shown);
}

const char *html_money(const char *amount, char out[HTML_TEXT])
{
	const char *point;
	size_t whole;

	snprintf(out, HTML_TEXT, "%s", amount);
	point = strchr(out, '.');
	whole = point == NULL ? 0 : (size_t)(point - out);
	/* Sums of less than a hundredth keep all decimals, so that columns stay in line. */
	if (point != NULL && strlen(point) > 3 && strspn(point + 3, "0") == strlen(point + 3))
		out[whole + 3] = '\0';
	return out;
}

const char *html_number(uint64_t number, char out[HTML_TEXT])
{
	char plain[24];
	size_t len = (size_t)snprintf(plain, sizeof(plain), "%" PRIu64, number), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = plain[i];
	}
	out[at] = '\0';
	return out;
}

const char *html_percent(uint64_t part, uint64_t whole, char out[HTML_TEXT])
{
	if (whole == 0)
		snprintf(out, HTML_TEXT, "–");
	else
		snprintf(out, HTML_TEXT, "%.*f %%", part == whole ? 0 : 1, 100.0 * (double)part / (double)whole);
	return out;
}

const char *html_span(uint64_t seconds, char out[HTML_TEXT])
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	uint64_t count = seconds;
	size_t i = 3;

	for (size_t u = 0; u < 3; u++) {
		if (seconds >= 2 * units[u].seconds) {
			i = u;
			count = seconds / units[u].seconds;
			break;
		}
	}
	snprintf(out, HTML_TEXT, "%" PRIu64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
	return out;
}

void html_address(FILE *to, const char *address)
{
	char brief[24];

	snprintf(brief, sizeof(brief), "%.10s…", address);
	html_put(to, "<code title=\"$\">$</code>", address, brief);
}

uint64_t json_u64(const json_t *json, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(json, name));

	return value > 0 ? (uint64_t)value : 0;
}

const char *json_text(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

int json_yes(const json_t *json, const char *name)
{
	return json_is_true(json_object_get(json, name));
}

void json_share(json_t *to, const json_t *from, const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *value = json_object_get(from, names[i]);

		json_object_set(to, names[i], value != NULL ? value : json_null());
	}
}
