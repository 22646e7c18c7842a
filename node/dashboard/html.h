/*
 * Writing HTML: a template in which each $ is the next argument, escaped. So nothing from outside can become markup.
 *
 *	html_put(to, "<td title=\"$\">$</td>", address, name);
 *
 * And how figures read: sizes, times, money, each into a buffer of the caller's.
 */
#ifndef GRANARY_NODE_DASHBOARD_HTML_H
#define GRANARY_NODE_DASHBOARD_HTML_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define HTML_TEXT 64 /* room for any figure */

/* As many arguments as there are $; asserted. */
#define html_put(to, ...) html_put_list(to, __VA_ARGS__, (const char *)NULL)
void html_put_list(FILE *to, const char *template, ...) __attribute__((sentinel));

/* "1.23 GB"; the exact number stands in a title. */
void html_size(FILE *to, uint64_t bytes);
/* "2026-01-31 12:00" in UTC, with a machine's form beside it for the page to show in local time; "never" for 0, and
 * words for what is past the year 9999. */
void html_time(FILE *to, uint64_t seconds);
/* "12.50" of "12.50000000"; all decimals when it is no whole number of hundredths. Returns out. */
const char *html_money(const char *amount, char out[HTML_TEXT]);
/* "1,234,567". Returns out. */
const char *html_number(uint64_t number, char out[HTML_TEXT]);
/* "98.7 %", of so many; "–" when the whole is 0. Returns out. */
const char *html_percent(uint64_t part, uint64_t whole, char out[HTML_TEXT]);
/* "3 days", "2 hours", "40 seconds". Returns out. */
const char *html_span(uint64_t seconds, char out[HTML_TEXT]);
/* "0x52908400…", with the whole in a title. */
void html_address(FILE *to, const char *address);

/* Members of an object; 0, "", false when they are missing. */
uint64_t json_u64(const json_t *json, const char *name);
const char *json_text(const json_t *json, const char *name);
int json_yes(const json_t *json, const char *name);
/* Members of one object into another, which shares them; null for what is missing. */
void json_share(json_t *to, const json_t *from, const char *const names[], size_t count);

#endif
