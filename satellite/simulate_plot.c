/* Panels one below the other, each a line over the same years with an axis of its own. */
#include "satellite/simulate_plot.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH 900
#define LEFT 80
#define RIGHT 30
#define TOP 60
#define PANEL 130 /* height of a panel */
#define GAP 50
#define PANELS 4

struct panel {
	const char *title;
	const char *colour;
	double (*value)(const struct simulate_plan *, const struct simulate_result *, uint32_t month);
	bool from_zero;
};

static double month_days(void)
{
	return SIMULATE_YEAR / 12.0;
}

static double failures(const struct simulate_plan *plan, const struct simulate_result *result, uint32_t month)
{
	(void)plan;
	return (double)result->months[month].failures / month_days();
}

static double repairs(const struct simulate_plan *plan, const struct simulate_result *result, uint32_t month)
{
	(void)plan;
	return (double)result->months[month].repairs / month_days();
}

/* A month without repairs is no news: nothing was lower than the threshold. */
static double lowest(const struct simulate_plan *plan, const struct simulate_result *result, uint32_t month)
{
	uint32_t healthy = result->months[month].lowest;

	return healthy == 0 && result->months[month].lost == 0 ? plan->redundancy.repair : healthy;
}

static double lost(const struct simulate_plan *plan, const struct simulate_result *result, uint32_t month)
{
	double sum = 0;

	(void)plan;
	for (uint32_t i = 0; i <= month; i++)
		sum += (double)result->months[i].lost;
	return sum;
}

static const struct panel panels[PANELS] = {
	{"drives failing a day", "#b5541c", failures, true},
	{"segments repaired a day", "#1f6f8b", repairs, true},
	{"fewest healthy pieces of any segment that was repaired", "#3f7d3a", lowest, false},
	{"segments lost so far", "#a11d33", lost, true},
};

/* The least round number that is not below `value`. */
static double round_up(double value)
{
	static const double steps[] = {1, 1.5, 2, 2.5, 3, 4, 5, 6, 8};
	double power = pow(10, floor(log10(value)));

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (value <= steps[i] * power * (1 + 1e-9))
			return steps[i] * power;
	return 10 * power;
}

struct scale {
	double low, high;
};

static struct scale scale_of(const struct panel *panel, const struct simulate_plan *plan,
			     const struct simulate_result *result)
{
	struct scale scale = {0, 0};

	for (uint32_t i = 0; i < result->month_count; i++)
		scale.high = fmax(scale.high, panel->value(plan, result, i));
	if (!panel->from_zero) {
		scale.high = plan->redundancy.success;
		return scale;
	}
	scale.high = scale.high > 0 ? round_up(scale.high) : 1;
	return scale;
}

static void print_text(FILE *out, double x, double y, const char *anchor, const char *text)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	for (; *text != '\0'; text++) {
		if (*text == '<' || *text == '&' || *text == '>')
			fprintf(out, "&#%d;", *text);
		else
			fputc(*text, out);
	}
	fputs("</text>\n", out);
}

static double y_of(const struct scale *scale, double top, double value)
{
	return top + PANEL - (value - scale->low) / (scale->high - scale->low) * PANEL;
}

/* A line across the panel; returns where. */
static double print_rule(FILE *out, const struct scale *scale, double top, double value)
{
	double y = y_of(scale, top, value);

	fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ccc\"/>\n", LEFT, WIDTH - RIGHT, y,
		y);
	return y;
}

static void print_limit(FILE *out, const struct scale *scale, double top, double value)
{
	double y = print_rule(out, scale, top, value);
	char text[32];

	snprintf(text, sizeof(text), "%g", value);
	print_text(out, LEFT - 8, y + 4, "end", text);
}

/* The threshold is told above its line, what a segment needs below: they may be close. */
static void print_policy(FILE *out, const struct scale *scale, double top, const struct redundancy *redundancy)
{
	double repair = print_rule(out, scale, top, redundancy->repair);
	double required = print_rule(out, scale, top, redundancy->required);
	char text[32];

	snprintf(text, sizeof(text), "repair at %u", redundancy->repair);
	print_text(out, WIDTH - RIGHT, repair - 5, "end", text);
	snprintf(text, sizeof(text), "%u are needed", redundancy->required);
	print_text(out, WIDTH - RIGHT, required + 14, "end", text);
}

static void print_line(FILE *out, const struct panel *panel, const struct simulate_plan *plan,
		       const struct simulate_result *result, const struct scale *scale, double top)
{
	double step = (double)(WIDTH - LEFT - RIGHT) / result->month_count;

	fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", panel->colour);
	for (uint32_t i = 0; i < result->month_count; i++)
		fprintf(out, "%.1f,%.1f ", LEFT + (i + 0.5) * step, y_of(scale, top, panel->value(plan, result, i)));
	fputs("\"/>\n", out);
}

static void print_panel(FILE *out, const struct panel *panel, const struct simulate_plan *plan,
			const struct simulate_result *result, double top)
{
	struct scale scale = scale_of(panel, plan, result);

	print_text(out, LEFT, top - 8, "start", panel->title);
	print_limit(out, &scale, top, scale.low);
	print_limit(out, &scale, top, scale.high);
	if (panel->value == lowest)
		print_policy(out, &scale, top, &plan->redundancy);
	print_line(out, panel, plan, result, &scale, top);
}

static void print_years(FILE *out, uint32_t years, double y)
{
	uint32_t step = (uint32_t)ceil(round_up(years / 12.0));

	for (uint32_t year = 0; year <= years; year += step) {
		double x = LEFT + (double)(WIDTH - LEFT - RIGHT) * year / years;
		char text[32];

		snprintf(text, sizeof(text), "%u", (unsigned)year);
		print_text(out, x, y, "middle", text);
	}
	print_text(out, WIDTH / 2.0, y + 20, "middle", "years");
}

char *simulate_plot(const struct simulate_plan *plan, const struct simulate_result *result, const char *title)
{
	int height = TOP + PANELS * (PANEL + GAP) + 30;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out != NULL); /* it only takes memory */
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
		WIDTH, height, WIDTH, height);
	fprintf(out, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, height);
	print_text(out, LEFT, 24, "start", title);
	for (int i = 0; i < PANELS; i++)
		print_panel(out, &panels[i], plan, result, TOP + i * (PANEL + GAP));
	print_years(out, plan->years, TOP + PANELS * (PANEL + GAP) - GAP + 18);
	fputs("</svg>\n", out);
	fclose(out);
	return text;
}
