/* Values of a program's options, layer by layer, and how to read and save them. */
#include "common/options.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/options_private.h"

static const char *const layer_names[LAYERS] = {"default", "file", "environment", "flag"};

struct option_values *option_layer_new(const struct options *options)
{
	struct option_values *layer = calloc(options->program->option_count + 1, sizeof(*layer));

	if (layer == NULL)
		abort();
	return layer;
}

void option_layer_free(const struct options *options, struct option_values *layer)
{
	if (layer == NULL)
		return;
	for (size_t i = 0; i < options->program->option_count; i++) {
		for (size_t j = 0; j < layer[i].count; j++)
			free(layer[i].entries[j].text);
		free(layer[i].entries);
	}
	free(layer);
}

size_t options_find(const struct program *program, const char *name)
{
	size_t index = 0;

	while (index < program->option_count && strcmp(program->options[index].name, name) != 0)
		index++;
	return index;
}

bool command_takes(const struct command *command, const char *name)
{
	return option_word_in(command->options, ' ', name);
}

const char *options_flag(const struct option_spec *spec)
{
	return spec->flag != NULL ? spec->flag : spec->name;
}

void options_environment_name(const struct option_spec *spec, char *out, size_t room)
{
	snprintf(out, room, "GRANARY_%s", spec->name);
	for (; *out != '\0'; out++)
		*out = *out == '-' ? '_' : (char)toupper((unsigned char)*out);
}

enum err options_add(const struct options *options, struct option_values *layer, size_t index, const char *what,
		     const char *text, char *why, size_t room)
{
	const struct option_spec *spec = &options->program->options[index];
	struct option_values *values = &layer[index];
	union option_value value;
	char wrong[OPTION_WHY];
	enum err err;

	if (values->count > 0 && !spec->repeated) {
		snprintf(why, room, "%s is given twice", what);
		return ERR_USAGE;
	}
	err = option_value_parse(spec, text, &value, wrong, sizeof(wrong));
	if (err != ERR_OK) {
		snprintf(why, room, "%s: %s", what, wrong);
		return err;
	}
	values->entries = reallocarray(values->entries, values->count + 1, sizeof(*values->entries));
	if (values->entries == NULL)
		abort();
	values->entries[values->count].text = strdup(text);
	if (values->entries[values->count].text == NULL)
		abort();
	values->entries[values->count++].value = value;
	return ERR_OK;
}

struct options *options_new(const struct program *program, const struct command *command)
{
	struct options *options = calloc(1, sizeof(*options));

	if (options == NULL)
		abort();
	options->program = program;
	options->command = command;
	for (size_t i = 0; i < LAYERS; i++)
		options->layers[i] = option_layer_new(options);
	for (size_t i = 0; i < program->option_count; i++) {
		const struct option_spec *spec = &program->options[i];
		char why[OPTION_WHY];

		if (spec->fallback != NULL && options_add(options, options->layers[LAYER_DEFAULT], i, spec->name,
							  spec->fallback, why, sizeof(why)) != ERR_OK)
			assert(!"the table's defaults keep its limits");
	}
	return options;
}

void options_free(struct options *options)
{
	if (options == NULL)
		return;
	for (size_t i = 0; i < LAYERS; i++)
		option_layer_free(options, options->layers[i]);
	free(options->dir);
	free(options);
}

/* The values of a repeated option stand in one variable, separated by spaces. */
static enum err add_words(const struct options *options, struct option_values *layer, size_t index, const char *what,
			  const char *text, char *why, size_t room)
{
	struct bytes word;
	enum err err = ERR_OK;

	while (err == ERR_OK && option_next_word(&text, ' ', &word)) {
		char *copy = strndup((const char *)word.data, word.len);

		if (copy == NULL)
			abort();
		err = options_add(options, layer, index, what, copy, why, room);
		free(copy);
	}
	return err;
}

static enum err read_environment(const struct options *options, struct option_values *layer, char *why, size_t room)
{
	const struct program *program = options->program;
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < program->option_count; i++) {
		const struct option_spec *spec = &program->options[i];
		char name[128];
		const char *text;

		options_environment_name(spec, name, sizeof(name));
		text = spec->command_only ? NULL : getenv(name);
		if (text == NULL || text[0] == '\0')
			continue;
		if (spec->repeated)
			err = add_words(options, layer, i, name, text, why, room);
		else
			err = options_add(options, layer, i, name, text, why, room);
	}
	return err;
}

static void replace_layer(struct options *options, enum option_layer which, struct option_values *layer)
{
	option_layer_free(options, options->layers[which]);
	options->layers[which] = layer;
}

enum err options_read_sources(struct options *options, char *why, size_t room)
{
	struct option_values *environment = option_layer_new(options), *file = option_layer_new(options);
	enum err err = read_environment(options, environment, why, room);

	if (err == ERR_OK && options->dir != NULL)
		err = options_read_file(options, file, why, room);
	if (err != ERR_OK) {
		option_layer_free(options, environment);
		option_layer_free(options, file);
		return err;
	}
	replace_layer(options, LAYER_ENVIRONMENT, environment);
	replace_layer(options, LAYER_FILE, file);
	return ERR_OK;
}

enum err options_reload(struct options *options, char *why, size_t room)
{
	return options_read_sources(options, why, room);
}

static size_t index_of(const struct options *options, const char *name)
{
	size_t index = options_find(options->program, name);

	assert(index < options->program->option_count);
	return index;
}

/* The layer that rules: the highest with a value. */
static enum option_layer ruling_layer(const struct options *options, size_t index)
{
	enum option_layer layer = LAYER_FLAG;

	while (layer > LAYER_DEFAULT && options->layers[layer][index].count == 0)
		layer--;
	return layer;
}

static const struct option_values *values_of(const struct options *options, size_t index)
{
	return &options->layers[ruling_layer(options, index)][index];
}

/* The entry of an option of one of the types in `mask`; NULL when it has no value. */
static const struct option_entry *entry_of(const struct options *options, const char *name, size_t at, unsigned mask)
{
	size_t index = index_of(options, name);
	const struct option_values *values = values_of(options, index);

	assert((mask & 1u << options->program->options[index].type) != 0);
	return at < values->count ? &values->entries[at] : NULL;
}

bool option_given(const struct options *options, const char *name)
{
	return ruling_layer(options, index_of(options, name)) != LAYER_DEFAULT;
}

bool option_flag(const struct options *options, const char *name)
{
	const struct option_entry *entry = entry_of(options, name, 0, 1u << OPTION_FLAG);

	return entry != NULL && entry->value.number != 0;
}

uint64_t option_int(const struct options *options, const char *name)
{
	const struct option_entry *entry = entry_of(
		options, name, 0, 1u << OPTION_INT | 1u << OPTION_SIZE | 1u << OPTION_DURATION | 1u << OPTION_AMOUNT);

	return entry == NULL ? 0 : entry->value.number;
}

const char *option_text(const struct options *options, const char *name)
{
	return option_text_at(options, name, 0);
}

const struct hostport *option_hostport(const struct options *options, const char *name)
{
	const struct option_entry *entry = entry_of(options, name, 0, 1u << OPTION_HOSTPORT);

	return entry == NULL ? NULL : &entry->value.at;
}

const struct endpoint *option_endpoint(const struct options *options, const char *name, size_t index)
{
	const struct option_entry *entry = entry_of(options, name, index, 1u << OPTION_ENDPOINT);

	return entry == NULL ? NULL : &entry->value.endpoint;
}

const struct address *option_address(const struct options *options, const char *name)
{
	const struct option_entry *entry = entry_of(options, name, 0, 1u << OPTION_ADDRESS);

	return entry == NULL ? NULL : &entry->value.address;
}

size_t option_count(const struct options *options, const char *name)
{
	return values_of(options, index_of(options, name))->count;
}

const char *option_text_at(const struct options *options, const char *name, size_t index)
{
	const struct option_entry *entry = entry_of(options, name, index, ~0u);

	return entry == NULL ? NULL : entry->text;
}

const char *option_source(const struct options *options, const char *name)
{
	return layer_names[ruling_layer(options, index_of(options, name))];
}

int options_argument_count(const struct options *options)
{
	return options->argument_count;
}

const char *options_argument(const struct options *options, int index)
{
	assert(index >= 0 && index < options->argument_count);
	return options->arguments[index];
}

const struct command *options_command(const struct options *options)
{
	return options->command;
}

const char *options_dir(const struct options *options)
{
	return options->dir;
}
