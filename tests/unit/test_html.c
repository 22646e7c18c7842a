/* Nothing from outside becomes markup, and figures read as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/dashboard/html.h"

static char *text;
static size_t len;

static FILE *begin(void)
{
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	return to;
}

static void expect(FILE *to, const char *expected)
{
	assert_int_equal(fclose(to), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void test_escapes(void **state)
{
	FILE *to = begin();

	(void)state;
	html_put(to, "<a title=\"$\">$</a>", "\"' onload=x", "<script>&</script>");
	expect(to, "<a title=\"&quot;&#39; onload=x\">&lt;script&gt;&amp;&lt;/script&gt;</a>");
	to = begin();
	html_put(to, "plain");
	expect(to, "plain");
	to = begin();
	html_address(to, "<b>\"attack\"</b>");
	expect(to, "<code title=\"&lt;b&gt;&quot;attack&quot;&lt;/b&gt;\">&lt;b&gt;&quot;attack…</code>");
}

static void test_figures(void **state)
{
	char out[HTML_TEXT];

	(void)state;
	assert_string_equal(html_number(0, out), "0");
	assert_string_equal(html_number(999, out), "999");
	assert_string_equal(html_number(1000, out), "1,000");
	assert_string_equal(html_number(1234567, out), "1,234,567");
	assert_string_equal(html_number(UINT64_MAX, out), "18,446,744,073,709,551,615");
	assert_string_equal(html_money("12.50000000", out), "12.50");
	assert_string_equal(html_money("12.00000000", out), "12.00");
	assert_string_equal(html_money("0.00000034", out), "0.00000034");
	assert_string_equal(html_money("-3.10000000", out), "-3.10");
	assert_string_equal(html_money("0.00000340", out), "0.00000340");
	assert_string_equal(html_money("1.00000010", out), "1.00000010");
	assert_string_equal(html_money("7", out), "7");
	assert_string_equal(html_money("", out), "");
	assert_string_equal(html_percent(1, 1, out), "100 %");
	assert_string_equal(html_percent(999, 1000, out), "99.9 %");
	assert_string_equal(html_percent(0, 0, out), "–");
	assert_string_equal(html_span(1, out), "1 second");
	assert_string_equal(html_span(59, out), "59 seconds");
	assert_string_equal(html_span(150, out), "2 minutes");
	assert_string_equal(html_span(3 * 3600, out), "3 hours");
	assert_string_equal(html_span(86400 * 30, out), "30 days");
}

static void test_times(void **state)
{
	FILE *to = begin();

	(void)state;
	html_time(to, 0);
	expect(to, "never");
	to = begin();
	html_time(to, 1800000000);
	expect(to, "<time datetime=\"2027-01-15T08:00:00Z\">2027-01-15 08:00 UTC</time>");
	/* As a satellite or another node may tell it: a year of five digits, and one that no calendar has. */
	to = begin();
	html_time(to, 400000000000);
	expect(to, "at no time of this calendar");
	to = begin();
	html_time(to, INT64_MAX);
	expect(to, "at no time of this calendar");
	to = begin();
	html_size(to, 1234567);
	expect(to, "<span title=\"1,234,567 bytes\">1.23 MB</span>");
}

static void test_members(void **state)
{
	json_t *json =
		json_pack("{s:I, s:s, s:b, s:I}", "n", (json_int_t)5, "t", "word", "b", 1, "neg", (json_int_t)-1);

	(void)state;
	assert_int_equal(json_u64(json, "n"), 5);
	assert_int_equal(json_u64(json, "neg"), 0);
	assert_int_equal(json_u64(json, "t"), 0);
	assert_int_equal(json_u64(NULL, "n"), 0);
	assert_string_equal(json_text(json, "t"), "word");
	assert_string_equal(json_text(json, "n"), "");
	assert_true(json_yes(json, "b"));
	assert_false(json_yes(json, "none"));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
