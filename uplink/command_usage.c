/* granary usage: what the satellite has counted of us this month. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "payments/price.h"
#include "uplink/client.h"
#include "uplink/commands.h"
#include "uplink/metadata.h"

#define LAST_SECOND UINT64_C(253402300799) /* of the year 9999 */

struct asking {
	struct client *client;
	struct msg_account account;
};

static bool on_account(const struct message *message, enum err err, const char *why, void *arg)
{
	struct asking *asking = arg;

	if (message != NULL) {
		asking->account = message->account;
		if (asking->account.from > asking->account.until || asking->account.until > LAST_SECOND) {
			err = ERR_PROTOCOL;
			why = "the satellite names a month that cannot be";
		}
	}
	client_finish(asking->client, err, why);
	return false;
}

/* What the month has come to, by what the satellite charges now. */
static struct charged charged_of(const struct msg_account *a)
{
	const struct charges charges = {amount_of(a->charge_storage), amount_of(a->charge_egress)};

	return charges_of(&charges, byte_seconds_from(a->byte_seconds), a->egress, month_start(a->from));
}

static void add_amount(json_t *json, const char *name, struct amount amount)
{
	char text[AMOUNT_TEXT];

	json_object_set_new(json, name, json_string(amount_print(amount, text)));
}

static void print_json(const struct msg_account *a)
{
	json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "from",
				 (json_int_t)a->from, "until", (json_int_t)a->until, "objects", (json_int_t)a->objects,
				 "segments", (json_int_t)a->segments, "stored", (json_int_t)a->stored, "uploading",
				 (json_int_t)a->uploading, "reserved", (json_int_t)a->reserved, "byte_hours",
				 (json_int_t)(a->byte_seconds / 3600), "egress", (json_int_t)a->egress, "allocated",
				 (json_int_t)a->allocated, "downloads", (json_int_t)a->downloads, "storage_quota",
				 (json_int_t)a->storage_quota, "egress_quota", (json_int_t)a->egress_quota);
	struct charged charged = charged_of(a);

	add_amount(json, "charge_storage", amount_of(a->charge_storage));
	add_amount(json, "charge_egress", amount_of(a->charge_egress));
	add_amount(json, "charged_storage", charged.storage);
	add_amount(json, "charged_egress", charged.egress);
	add_amount(json, "charged", charged.total);
	json_dumpf(json, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(json);
}

/* "   of 1.00 TB", or nothing without a quota. */
static void print_line(const char *name, uint64_t bytes, uint64_t quota)
{
	char size[16], of[16];

	printf("%-12s %10s", name, option_print_size(bytes, size));
	if (quota > 0)
		printf("  of %s", option_print_size(quota, of));
	printf("\n");
}

static void print_charged(const struct msg_account *a)
{
	struct charged charged = charged_of(a);
	char total[AMOUNT_TEXT], storage[AMOUNT_TEXT], egress[AMOUNT_TEXT];

	printf("%-12s %s tokens: %s for storage, %s for downloads\n", "charged", amount_print(charged.total, total),
	       amount_print(charged.storage, storage), amount_print(charged.egress, egress));
	printf("%-12s at %s a TB stored for a month, ", "", amount_print(amount_of(a->charge_storage), storage));
	printf("%s a TB downloaded\n", amount_print(amount_of(a->charge_egress), egress));
}

static void print_account(const struct msg_account *a)
{
	char from[32], until[32];

	printf("%s to %s UTC\n", client_print_time(a->from, from), client_print_time(a->until, until));
	printf("%-12s %10" PRIu64 "  in %" PRIu64 " segments\n", "objects", a->objects, a->segments);
	print_line("stored", a->stored, a->storage_quota);
	if (a->uploading + a->reserved > 0)
		print_line("uploading", a->uploading + a->reserved, 0);
	printf("%-12s %10.3f  GB hours this month\n", "storage", (double)(a->byte_seconds / 3600) / 1e9);
	print_line("downloaded", a->egress, a->egress_quota);
	if (a->allocated > 0)
		print_line("allocated", a->allocated, 0);
	print_charged(a);
}

int command_usage(struct options *options)
{
	struct message ask = {.type = MSG_ASK_ACCOUNT};
	struct client client;
	struct asking asking = {.client = &client};
	int status = client_open(options, &client);

	if (status != 0)
		return status;
	metadata_ask(client.uplink->metadata, &ask, MSG_ACCOUNT, on_account, &asking);
	if (client_wait(&client) != ERR_OK)
		status = client_fail(&client, "cannot ask for the usage");
	else if (option_flag(options, "json"))
		print_json(&asking.account);
	else
		print_account(&asking.account);
	return client_close(&client, status);
}
