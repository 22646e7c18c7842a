/*
 * granary verify-evidence: judge a dossier, without a network and without an access. Whoever made the file, nothing in
 * it is believed: each item is held against its signature, against the thing that it names and against its list, and
 * all of them against each other.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "payments/dossier.h"
#include "payments/tally.h"
#include "uplink/client.h"
#include "uplink/commands.h"
#include "uplink/evidence_audit.h"

#define FILE_MOST ((size_t)1 << 30)
#define ITEM_TEXT 128

struct judgement {
	const struct dossier *dossier;
	bool *authentic;	/* by item: proves what it says */
	json_t *types;		/* name → {"items", "sound"} */
	json_t *faults;		/* list */
	json_t *contradictions; /* list */
	uint64_t sound;
	uint64_t unnamed;  /* items that name something which is not here */
	uint64_t bare;	   /* items without the list that they were signed over */
	uint64_t rootless; /* pieces that failed audits, without the node's Receipt for what they were */
};

static bool has_list(const struct fields *type)
{
	return type == &typed_usage || type == &typed_statement || type == &typed_settlement ||
	       type == &typed_settled || type == &typed_deletion || type == &typed_loss || type == &typed_audit;
}

static bool has_name(const struct fields *type)
{
	return type == &typed_order || type == &typed_receipt || type == &typed_settled;
}

/* "Statement of 2026-10": what a person calls the item. */
static char *describe(const struct evidence *evidence, char out[ITEM_TEXT])
{
	char period[PERIOD_TEXT], when[24];
	const char *name = evidence->type->name;

	if (evidence->type == &typed_statement)
		snprintf(out, ITEM_TEXT, "%s of %s", name, period_print(evidence->object.statement.period, period));
	else if (evidence->type == &typed_usage)
		snprintf(out, ITEM_TEXT, "%s of %.10s", name,
			 clock_format(evidence->object.usage.day * (uint64_t)86400, when, sizeof(when)));
	else if (evidence->type == &typed_price)
		snprintf(out, ITEM_TEXT, "%s from %.10s on", name,
			 clock_format(evidence->object.price.from, when, sizeof(when)));
	else
		snprintf(out, ITEM_TEXT, "%s", name);
	return out;
}

static void count(json_t *json, const char *name)
{
	json_object_set_new(json, name, json_integer(json_integer_value(json_object_get(json, name)) + 1));
}

static json_t *counts_of(struct judgement *judgement, const char *type)
{
	json_t *counts = json_object_get(judgement->types, type);

	if (counts != NULL)
		return counts;
	counts = json_pack("{s:i, s:i}", "items", 0, "sound", 0);
	json_object_set_new(judgement->types, type, counts);
	return counts;
}

static void add_fault(struct judgement *judgement, size_t i, enum dossier_fault fault, const char *why)
{
	const struct evidence *evidence = dossier_item(judgement->dossier, i);
	char what[ITEM_TEXT], signer[KEY_ADDRESS_TEXT];

	address_to_text(&evidence->signer, signer);
	json_array_append_new(judgement->faults,
			      json_pack("{s:I, s:s, s:s, s:s, s:b, s:s}", "item", (json_int_t)i, "what",
					describe(evidence, what), "signer", signer, "fault", dossier_fault_name(fault),
					"authentic", fault == DOSSIER_SUM, "why", why));
}

static void judge_item(struct judgement *judgement, size_t i)
{
	const struct evidence *evidence = dossier_item(judgement->dossier, i);
	json_t *counts = counts_of(judgement, evidence->type->name);
	char why[DOSSIER_WHY] = "";
	enum dossier_fault fault = dossier_check(judgement->dossier, i, why);
	uint64_t rootless = 0;
	bool there;

	count(counts, "items");
	if (fault == DOSSIER_SOUND && evidence->type == &typed_audit)
		fault = evidence_audit_check(judgement->dossier, i, &rootless, why);
	judgement->rootless += rootless;
	judgement->authentic[i] = fault == DOSSIER_SOUND || fault == DOSSIER_SUM;
	if (fault != DOSSIER_SOUND) {
		add_fault(judgement, i, fault, why);
	} else {
		count(counts, "sound");
		judgement->sound++;
	}
	(void)dossier_data(judgement->dossier, i, &there);
	judgement->bare += has_list(evidence->type) && !there;
	judgement->unnamed += has_name(evidence->type) && dossier_named(judgement->dossier, i) < 0;
}

/* Each pair is told once, by its later item. */
static void judge_rivals(struct judgement *judgement, size_t i)
{
	const struct evidence *evidence = dossier_item(judgement->dossier, i);
	ptrdiff_t rival = judgement->authentic[i] ? dossier_rival(judgement->dossier, i, judgement->authentic) : -1;
	char what[ITEM_TEXT], signer[KEY_ADDRESS_TEXT];

	if (rival < 0 || (size_t)rival > i)
		return;
	address_to_text(&evidence->signer, signer);
	json_array_append_new(judgement->contradictions,
			      json_pack("{s:[I,I], s:s, s:s}", "items", (json_int_t)rival, (json_int_t)i, "what",
					describe(evidence, what), "signer", signer));
}

static void judge(struct judgement *judgement)
{
	size_t items = dossier_count(judgement->dossier);

	judgement->authentic = memory_new(items + 1, sizeof(*judgement->authentic));
	judgement->types = json_object();
	judgement->faults = json_array();
	judgement->contradictions = json_array();
	for (size_t i = 0; i < items; i++)
		judge_item(judgement, i);
	for (size_t i = 0; i < items; i++)
		judge_rivals(judgement, i);
}

static bool holds(const struct judgement *judgement)
{
	return judgement->sound == dossier_count(judgement->dossier) && json_array_size(judgement->contradictions) == 0;
}

static void print_json(const struct judgement *judgement)
{
	json_t *json = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O}", "holds", holds(judgement), "items",
				 (json_int_t)dossier_count(judgement->dossier), "sound", (json_int_t)judgement->sound,
				 "missing", (json_int_t)judgement->unnamed, "without_list", (json_int_t)judgement->bare,
				 "without_receipt", (json_int_t)judgement->rootless, "types", judgement->types,
				 "faults", judgement->faults, "contradictions", judgement->contradictions);

	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static int64_t number_of(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static void print_faults(const struct judgement *judgement)
{
	const json_t *json;
	size_t i;

	json_array_foreach(judgement->faults, i, json) {
		printf("item %" PRId64 ", %s: %s: %s\n", number_of(json, "item"), text_of(json, "what"),
		       json_is_true(json_object_get(json, "authentic")) ? "speaks against its signer"
									: "proves nothing",
		       text_of(json, "why"));
		printf("  said to be signed by %s\n", text_of(json, "signer"));
	}
	json_array_foreach(judgement->contradictions, i, json) {
		const json_t *items = json_object_get(json, "items");

		printf("items %" PRId64 " and %" PRId64 ", %s: both are signed, and exclude each other\n",
		       (int64_t)json_integer_value(json_array_get(items, 0)),
		       (int64_t)json_integer_value(json_array_get(items, 1)), text_of(json, "what"));
		printf("  signed by %s\n", text_of(json, "signer"));
	}
}

static void print_text(const struct judgement *judgement)
{
	size_t items = dossier_count(judgement->dossier);
	const char *name;
	json_t *counts;

	json_object_foreach(judgement->types, name, counts)
	{
		printf("%-12s %8" PRId64 " items, %" PRId64 " sound\n", name, number_of(counts, "items"),
		       number_of(counts, "sound"));
	}
	print_faults(judgement);
	if (judgement->unnamed > 0)
		printf("%" PRIu64 " items name a thing that is not in the file: that link is not checked\n",
		       judgement->unnamed);
	if (judgement->bare > 0)
		printf("%" PRIu64 " items come without the list that they were signed over: it is not checked\n",
		       judgement->bare);
	if (judgement->rootless > 0)
		printf("%" PRIu64
		       " pieces failed an audit by a root that is the satellite's word: the node's receipts are "
		       "not in the file\n",
		       judgement->rootless);
	if (holds(judgement))
		printf("all %zu items hold: signatures, links, lists and sums\n", items);
	else
		printf("%zu of %zu items do not hold; %zu pairs exclude each other\n", items - (size_t)judgement->sound,
		       items, json_array_size(judgement->contradictions));
}

/* 0, or the exit status. */
static int read_file(const char *path, struct dossier **ret)
{
	char *text = NULL, why[DOSSIER_WHY] = "";
	size_t len = 0;
	enum err err = file_read(path, FILE_MOST, &text, &len);

	if (err != ERR_OK)
		snprintf(why, sizeof(why), "%s", err_text(err));
	else
		err = dossier_read(bytes_of(text, len), ret, why);
	free(text);
	if (err == ERR_OK)
		return 0;
	fprintf(stderr, "granary: %s: %s\n", path, why);
	return 2;
}

int command_verify_evidence(struct options *options)
{
	struct judgement judgement = {.dossier = NULL};
	struct dossier *dossier = NULL;
	int status = read_file(options_argument(options, 0), &dossier);

	if (status != 0)
		return status;
	judgement.dossier = dossier;
	judge(&judgement);
	if (option_flag(options, "json"))
		print_json(&judgement);
	else
		print_text(&judgement);
	status = holds(&judgement) ? 0 : 1;
	json_decref(judgement.types);
	json_decref(judgement.faults);
	json_decref(judgement.contradictions);
	free(judgement.authentic);
	dossier_free(dossier);
	return status;
}
