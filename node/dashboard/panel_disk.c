/*
 * The disk: what fills it, adding up to what the filesystem says, and how the satellites' count compares.
 *
 * The parts are the store's own figures (store_space). What satellites pay for is taken from their signed usages; the
 * files of others are what is left of the filesystem's used bytes.
 */
#include <string.h>

#include "node/dashboard/chart.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"

/* Live pieces for which no satellite pays, by their last signed days. */
static uint64_t uncounted(const json_t *satellites)
{
	const json_t *satellite;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach(satellites, i, satellite) {
		const json_t *holdings = json_object_get(satellite, "holdings");

		sum += json_u64(json_object_get(holdings, "unlisted"), "bytes");
		sum += json_u64(json_object_get(holdings, "ended"), "bytes");
	}
	return sum;
}

static void add_part(json_t *bar, const char *part, uint64_t bytes)
{
	json_array_append_new(bar, json_pack("{s:s, s:I}", "part", part, "bytes", (json_int_t)bytes));
}

/* All of the filesystem, cut into parts that add up to it. */
static json_t *bar_json(const struct desk_disk *disk, const json_t *space, uint64_t unpaid)
{
	static const char *const ours[] = {"live", "overhead", "dead", "trash", "reserved", "free"};
	uint64_t live = json_u64(space, "live"), used = disk->total - disk->free - disk->kept, sum = 0;
	json_t *bar = json_array();

	if (unpaid > live)
		unpaid = live;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sum += json_u64(space, ours[i]);
	add_part(bar, "paid", live - unpaid);
	add_part(bar, "heads", json_u64(space, "overhead"));
	add_part(bar, "unpaid", unpaid + json_u64(space, "dead"));
	add_part(bar, "trash", json_u64(space, "trash"));
	add_part(bar, "temporary", json_u64(space, "reserved"));
	add_part(bar, "prepared", json_u64(space, "free"));
	add_part(bar, "others", used > sum ? used - sum : 0);
	add_part(bar, "kept", disk->kept);
	add_part(bar, "free", disk->free);
	return bar;
}

struct sums {
	uint64_t durations[METER_CLASSES];
};

static enum err add_durations(void *arg, const struct history_latency *point)
{
	struct sums *sums = arg;

	for (unsigned i = 0; i < METER_CLASSES; i++)
		sums->durations[i] += point->durations[i];
	return ERR_OK;
}

/* Of the last day, in microseconds; null when there was nothing. */
static json_t *latency_json(struct desk *desk, enum action action, uint64_t now)
{
	const struct history_range range = {now - HISTORY_DAY, now + 1, HISTORY_HOUR, NULL};
	struct sums sums = {{0}};
	uint64_t p50;

	if (history_each_latency(desk->history, &range, action, add_durations, &sums) != ERR_OK)
		return json_null();
	p50 = meter_quantile(sums.durations, 500);
	if (p50 == 0)
		return json_null();
	return json_pack("{s:I, s:I}", "p50_us", (json_int_t)(p50 / 1000), "p99_us",
			 (json_int_t)(meter_quantile(sums.durations, 990) / 1000));
}

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	static const char *const names[] = {"space", "damage", "scrub", "held", "missing", "satellites"};
	json_t *json = json_object();
	struct desk_disk disk;

	desk_disk(desk, &disk);
	json_share(json, query->live, names, sizeof(names) / sizeof(names[0]));
	json_object_set_new(json, "disk",
			    json_pack("{s:I, s:I, s:I}", "total", (json_int_t)disk.total, "free", (json_int_t)disk.free,
				      "kept", (json_int_t)disk.kept));
	json_object_set_new(
		json, "bar",
		bar_json(&disk, json_object_get(json, "space"), uncounted(json_object_get(json, "satellites"))));
	json_object_set_new(json, "latency",
			    json_pack("{s:o, s:o, s:o}", "put", latency_json(desk, ACTION_PUT, query->now), "get",
				      latency_json(desk, ACTION_GET, query->now), "audit",
				      latency_json(desk, ACTION_GET_AUDIT, query->now)));
	return json;
}

static const struct part_words {
	const char *part, *name, *words;
} parts[] = {
	{"paid", "Paid", "Pieces that satellites store here; these earn."},
	{"heads", "Heads", "What the store writes beside the pieces: hashes, signatures, directories."},
	{"unpaid", "Unpaid", "Deleted pieces whose room is not yet given back, and pieces that no satellite counts."},
	{"trash", "Trash", "Pieces that satellites no longer want; each goes seven days after it came here."},
	{"temporary", "Uploads", "Room of uploads under way."},
	{"prepared", "Prepared", "Taken from the disk already, for the next pieces."},
	{"others", "Other files", "Everything else on this disk: the system, your files, this node's books and index."},
	{"kept", "Kept back", "Free, but kept by the filesystem for its administrator."},
	{"free", "Free", "Free for everybody."},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static const struct part_words *words_of(const char *part)
{
	for (size_t i = 0; i < PARTS; i++)
		if (strcmp(parts[i].part, part) == 0)
			return &parts[i];
	return &parts[0];
}

/* The bar as a picture; its parts as a table below. Widths are thousandths of it. */
static void put_bar(FILE *to, const json_t *bar, uint64_t total)
{
	const json_t *part;
	double x = 0;
	size_t i;

	fputs("<svg class=\"bar\" viewBox=\"0 0 1000 40\" preserveAspectRatio=\"none\" role=\"img\" "
	      "aria-label=\"What fills the disk; the figures stand below\">",
	      to);
	json_array_foreach(bar, i, part) {
		double width = total > 0 ? 1000.0 * (double)json_u64(part, "bytes") / (double)total : 0;

		fprintf(to, "<rect class=\"p-%s\" x=\"%.2f\" width=\"%.2f\" y=\"0\" height=\"40\"/>",
			words_of(json_text(part, "part"))->part, x, width);
		x += width;
	}
	fputs("</svg>", to);
}

static void put_parts(FILE *to, const json_t *bar, uint64_t total)
{
	const json_t *part;
	char share[HTML_TEXT];
	size_t i;

	fputs("<table class=\"parts\"><thead><tr><th>Part<th class=\"n\">Size<th class=\"n\">Share<th>What it is"
	      "<tbody>",
	      to);
	json_array_foreach(bar, i, part) {
		const struct part_words *words = words_of(json_text(part, "part"));
		uint64_t bytes = json_u64(part, "bytes");

		html_put(to, "<tr data-part=\"$\"><th><span class=\"dot p-$\"></span>$<td class=\"n\">", words->part,
			 words->part, words->name);
		html_size(to, bytes);
		html_put(to, "<td class=\"n\">$<td>$", html_percent(bytes, total, share), words->words);
	}
	fputs("<tfoot><tr><th>The whole disk<td class=\"n\">", to);
	html_size(to, total);
	fputs("<td class=\"n\">100 %<td></table>", to);
}

static void put_views(FILE *to, const json_t *satellites)
{
	const json_t *satellite;
	size_t i;

	fputs("<h2>The satellites' count</h2><p>What each satellite's last signed day says, against the store.</p>"
	      "<div class=\"wide\"><table><thead><tr><th>Satellite<th>Day<th class=\"n\">Alike<th class=\"n\">Held, "
	      "never "
	      "counted<th class=\"n\">Held, counted no more<th class=\"n\">Counted, not held<th>Verdict<tbody>",
	      to);
	json_array_foreach(satellites, i, satellite) {
		static const char *const kinds[] = {"alike", "unlisted", "ended", "absent"};
		const json_t *h = json_object_get(satellite, "holdings");

		fputs("<tr><th>", to);
		html_address(to, json_text(satellite, "address"));
		if (!json_is_object(h)) {
			fputs("<td colspan=\"5\">no day is signed yet<td>–", to);
			continue;
		}
		fputs("<td>", to);
		html_time(to, json_u64(h, "day") * 86400);
		for (size_t k = 0; k < 4; k++) {
			fputs("<td class=\"n\">", to);
			html_size(to, json_u64(json_object_get(h, kinds[k]), "bytes"));
		}
		fputs(json_yes(h, "agrees") ? "<td class=\"good\">agree" : "<td class=\"bad\">differ", to);
	}
	fputs("</table></div>", to);
}

static void put_latency(FILE *to, const json_t *latency)
{
	static const char *const rows[][2] = {{"put", "Store a piece"}, {"get", "Send a piece"}, {"audit", "Prove"}};

	fputs("<h2>Speed, last 24 hours</h2><table><thead><tr><th>To<th class=\"n\">half within<th class=\"n\">99 % "
	      "within"
	      "<tbody>",
	      to);
	for (size_t i = 0; i < 3; i++) {
		const json_t *l = json_object_get(latency, rows[i][0]);

		html_put(to, "<tr><th>$", rows[i][1]);
		if (json_is_object(l))
			fprintf(to, "<td class=\"n\">%.1f ms<td class=\"n\">%.1f ms",
				(double)json_u64(l, "p50_us") / 1e3, (double)json_u64(l, "p99_us") / 1e3);
		else
			fputs("<td class=\"n\">–<td class=\"n\">–", to);
	}
	fputs("</table>", to);
}

static void put_scrub(FILE *to, const json_t *facts)
{
	const json_t *scrub = json_object_get(facts, "scrub"), *round = json_object_get(scrub, "round");
	const json_t *damage = json_object_get(facts, "damage");
	char text[HTML_TEXT], other[HTML_TEXT];

	fputs("<h2>Health of the bytes</h2><dl><dt>Everything is read once in<dd>", to);
	if (json_u64(scrub, "period") == 0)
		fputs("never: the scrubber is switched off", to);
	else
		html_put(to, "$", html_span(json_u64(scrub, "period"), text));
	html_put(to, "<dt>This round<dd>$ read, $ done<dt>Last round ended<dd>",
		 html_percent(json_u64(round, "bytes"), json_u64(round, "total"), text),
		 html_number(json_u64(scrub, "rounds"), other));
	html_time(to, json_u64(scrub, "finished"));
	if (json_u64(damage, "pieces") == 0) {
		fputs("<dt>Damaged pieces<dd class=\"good\">none</dl>", to);
		return;
	}
	html_put(to, "<dt>Damaged pieces<dd class=\"bad\">$, ", html_number(json_u64(damage, "pieces"), text));
	html_size(to, json_u64(damage, "bytes"));
	html_put(to, "; $ of them are not acknowledged by their satellite</dl>",
		 html_number(json_u64(damage, "untold"), text));
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const json_t *space = json_object_get(facts, "space"), *disk = json_object_get(facts, "disk");
	char text[HTML_TEXT];

	(void)query;
	fputs("<h1>Disk</h1>", to);
	if (json_yes(space, "read_only"))
		html_put(to, "<p class=\"bad\" role=\"alert\">The store takes no more writes: $</p>",
			 json_text(space, "reason"));
	fputs("<p>Offered to satellites: ", to);
	html_size(to, json_u64(space, "allocation"));
	fputs("; taken: ", to);
	html_size(to, json_u64(space, "used"));
	fputs("; room for new pieces: ", to);
	html_size(to, json_u64(space, "available"));
	html_put(to, "; $ pieces.</p>", html_number(json_u64(space, "pieces"), text));
	put_bar(to, json_object_get(facts, "bar"), json_u64(disk, "total"));
	put_parts(to, json_object_get(facts, "bar"), json_u64(disk, "total"));
	put_views(to, json_object_get(facts, "satellites"));
	put_latency(to, json_object_get(facts, "latency"));
	put_scrub(to, facts);
}

static void charts(FILE *to, const json_t *facts)
{
	(void)facts;
	chart_put(to, "disk", "What the store takes", true);
	chart_put(to, "stored", "Stored: by this node, and as satellites count it", false);
	chart_put(to, "latency", "Speed, milliseconds", false);
}

const struct panel panel_disk = {"disk", "/disk", "Disk", facts, render, charts};
