/* The configuration file of a program with an option of every type: text that people write, read without trust. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/options_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option_spec option_table[] = {
	{.name = "dir", .type = OPTION_PATH, .help = "Where."},
	{.name = "flag", .type = OPTION_FLAG, .help = "Whether."},
	{.name = "int", .type = OPTION_INT, .min = 1, .max = 64, .help = "How many."},
	{.name = "size", .type = OPTION_SIZE, .min = 1000, .help = "How large."},
	{.name = "time", .type = OPTION_DURATION, .max = 86400, .help = "How long."},
	{.name = "text", .type = OPTION_TEXT, .min = 1, .max = 20, .help = "What."},
	{.name = "listen", .type = OPTION_HOSTPORT, .help = "Where to listen."},
	{.name = "satellite", .type = OPTION_ENDPOINT, .help = "Whom to trust.", .repeated = true},
	{.name = "payout", .type = OPTION_ADDRESS, .help = "Whom to pay."},
	{.name = "level", .type = OPTION_CHOICE, .choices = "error|warn|info|debug", .help = "How loud."},
	{.name = "price", .type = OPTION_AMOUNT, .max = 500000000, .help = "How much."},
	{.name = "json", .type = OPTION_FLAG, .help = "JSON.", .command_only = true},
};
#define OPTIONS (sizeof(option_table) / sizeof(option_table[0]))

static const struct command command = {"run", "", "Run.", NULL, "dir", 0, 0, NULL};
static const struct program program = {"fuzz", "Fuzz.", option_table, OPTIONS, &command, 1, "fuzz"};

/* What was accepted keeps the limits of the table. */
static void check_values(const struct option_values *layer)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		assert(layer[i].count <= 1 || option_table[i].repeated);
		assert(layer[i].count == 0 || (i != 0 && !option_table[i].command_only));
	}
	assert(layer[2].count == 0 ||
	       (layer[2].entries[0].value.number >= 1 && layer[2].entries[0].value.number <= 64));
	assert(layer[3].count == 0 || layer[3].entries[0].value.number >= 1000);
	assert(layer[4].count == 0 || layer[4].entries[0].value.number <= 86400);
	assert(layer[5].count == 0 || strlen(layer[5].entries[0].text) <= 20);
	assert(layer[10].count == 0 || layer[10].entries[0].value.number <= 500000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options *options = options_new(&program, &command);
	struct option_values *layer = option_layer_new(options);
	char *text = memory_copy(data, size), why[2 * OPTION_WHY] = "";
	enum err err = options_parse_file(options, layer, "config.ini", bytes_of(text, size), why, sizeof(why));

	if (err == ERR_OK)
		check_values(layer);
	else
		assert(strncmp(why, "config.ini:", 11) == 0);
	free(text);
	option_layer_free(options, layer);
	options_free(options);
	return 0;
}
