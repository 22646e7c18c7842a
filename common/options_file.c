/*
 * DIR/config.ini: `name = value` lines without sections, read through inih and written durably.
 *
 * inih keeps lines in a buffer of 200 bytes and would take the rest of a longer line for a new one, so the length
 * is checked first; what is saved keeps to the same limit.
 */
#include <assert.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/nearest.h"
#include "common/options_private.h"

#define CONFIG_NAME "config.ini"
#define CONFIG_BYTES_MAX (64 * 1024)
#define CONFIG_LINE_MAX 197

/* One file being read. inih tells the line of the first failure at its end only, so `why` waits for it. */
struct config_read {
	const struct options *options;
	struct option_values *layer;
	enum err err;
	char why[OPTION_WHY];
};

static void explain_unknown(struct config_read *read, const char *name)
{
	const struct program *program = read->options->program;
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (size_t i = 0; i < program->option_count; i++) {
		if (!program->options[i].command_only)
			nearest_offer(&nearest, program->options[i].name);
	}
	if (nearest.best != NULL)
		snprintf(read->why, sizeof(read->why), "unknown option \"%.64s\"; did you mean \"%s\"?", name,
			 nearest.best);
	else
		snprintf(read->why, sizeof(read->why), "unknown option \"%.64s\"", name);
}

/* The handler inih calls for each `name = value`: 0 stops at this line. */
static int take_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct config_read *read = arg;
	const struct program *program = read->options->program;
	size_t index;

	if (read->err != ERR_OK)
		return 0;
	read->err = ERR_USAGE;
	index = options_find(program, name);
	if (section[0] != '\0')
		snprintf(read->why, sizeof(read->why), "[%.64s]: there are no sections in this file", section);
	else if (index == program->option_count)
		explain_unknown(read, name);
	else if (program->options[index].command_only || strcmp(name, "dir") == 0)
		snprintf(read->why, sizeof(read->why), "%s belongs on the command line, not in this file", name);
	else
		read->err = options_add(read->options, read->layer, index, name, value, read->why, sizeof(read->why));
	return read->err == ERR_OK;
}

/* The number of the first line that is too long or holds a NUL, 0 when none does. */
static int find_bad_line(struct bytes text)
{
	size_t start = 0;
	int number = 1;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\0' || (text.data[i] != '\n' && i - start >= CONFIG_LINE_MAX))
			return number;
		if (text.data[i] == '\n') {
			start = i + 1;
			number++;
		}
	}
	return 0;
}

enum err options_parse_file(const struct options *options, struct option_values *layer, const char *path,
			    struct bytes text, char *why, size_t room)
{
	struct config_read read = {options, layer, ERR_OK, ""};
	int line = find_bad_line(text);

	if (line > 0) {
		snprintf(why, room, "%s:%d: the line is longer than %d characters, or holds a NUL", path, line,
			 CONFIG_LINE_MAX);
		return ERR_FORMAT;
	}
	line = ini_parse_string((const char *)text.data, take_pair, &read);
	if (line == 0)
		return ERR_OK;
	if (read.err == ERR_OK)
		snprintf(why, room, "%s:%d: neither `name = value` nor a comment", path, line);
	else
		snprintf(why, room, "%s:%d: %s", path, line, read.why);
	return read.err == ERR_OK ? ERR_FORMAT : read.err;
}

enum err options_read_file(const struct options *options, struct option_values *layer, char *why, size_t room)
{
	char *path = file_join(options->dir, CONFIG_NAME), *text = NULL;
	size_t len = 0;
	enum err err = file_read(path, CONFIG_BYTES_MAX, &text, &len);

	if (err == ERR_OK)
		err = options_parse_file(options, layer, path, bytes_of(text, len), why, room);
	else if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	else if (err == ERR_RANGE)
		snprintf(why, room, "%s: larger than %d bytes", path, CONFIG_BYTES_MAX);
	else
		snprintf(why, room, "%s: %s", path, err_text(err));
	free(text);
	free(path);
	return err;
}

/* What inih would not give back as it was: edges of white space, and " ;" which starts a comment. */
static bool survives_file(const char *value)
{
	size_t len = strlen(value);

	return len > 0 && value[0] != ' ' && value[0] != ';' && value[len - 1] != ' ' && strstr(value, " ;") == NULL;
}

static enum err save_value(const struct option_spec *spec, const char *text, FILE *to)
{
	char *absolute = NULL;
	enum err err = ERR_OK;

	if (spec->type == OPTION_PATH && text[0] != '/') {
		char *cwd = getcwd(NULL, 0);

		if (cwd == NULL)
			return ERR_SYSTEM;
		absolute = file_join(cwd, text);
		free(cwd);
		text = absolute;
	}
	if (survives_file(text) && strlen(spec->name) + 3 + strlen(text) <= CONFIG_LINE_MAX)
		fprintf(to, "%s = %s\n", spec->name, text);
	else
		err = ERR_FORMAT;
	free(absolute);
	return err;
}

static enum err print_config(const struct options *options, const char *names, FILE *to)
{
	struct bytes word;
	enum err err = ERR_OK;

	fprintf(to, "# Options of %s; see %s(1). A flag or a GRANARY_ variable overrides what stands here.\n",
		options->program->name, options->program->name);
	while (err == ERR_OK && option_next_word(&names, ' ', &word)) {
		char *name = strndup((const char *)word.data, word.len);
		const struct option_spec *spec;

		if (name == NULL)
			abort();
		spec = &options->program->options[options_find(options->program, name)];
		if (option_given(options, name))
			fprintf(to, "\n# %.*s\n", CONFIG_LINE_MAX - 2, spec->help);
		for (size_t i = 0; option_given(options, name) && err == ERR_OK && i < option_count(options, name); i++)
			err = save_value(spec, option_text_at(options, name, i), to);
		free(name);
	}
	return err;
}

enum err options_save(const struct options *options, const char *names)
{
	char *text = NULL, *path;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	enum err err;

	assert(options->dir != NULL);
	if (to == NULL)
		abort();
	err = print_config(options, names, to);
	if (fclose(to) != 0)
		abort();
	path = file_join(options->dir, CONFIG_NAME);
	if (err == ERR_OK)
		err = file_create(path, bytes_of(text, len), 0600);
	free(path);
	free(text);
	return err;
}

static struct bytes trimmed(struct bytes text)
{
	while (text.len > 0 && strchr(" \t\r", text.data[0]) != NULL)
		text = bytes_of(text.data + 1, text.len - 1);
	while (text.len > 0 && strchr(" \t\r", text.data[text.len - 1]) != NULL)
		text.len--;
	return text;
}

/* Without the comment at the end: for inih one begins with a semicolon after white space. */
static struct bytes without_comment(struct bytes value)
{
	for (size_t i = 1; i < value.len; i++)
		if (value.data[i] == ';' && (value.data[i - 1] == ' ' || value.data[i - 1] == '\t'))
			return bytes_of(value.data, i);
	return value;
}

/* Whether a line of the file gives this option a value, which goes to *ret. */
static bool line_value(struct bytes line, const char *name, struct bytes *ret)
{
	size_t len = strlen(name);
	struct bytes rest = trimmed(line);

	if (rest.len <= len || memcmp(rest.data, name, len) != 0)
		return false;
	rest = trimmed(bytes_of(rest.data + len, rest.len - len));
	if (rest.len == 0 || (rest.data[0] != '=' && rest.data[0] != ':'))
		return false;
	*ret = trimmed(without_comment(bytes_of(rest.data + 1, rest.len - 1)));
	return true;
}

/* The next line of a text, without its end, moved past; false behind the last. */
static bool next_line(struct bytes *text, struct bytes *ret)
{
	const uint8_t *end;

	if (text->len == 0)
		return false;
	end = memchr(text->data, '\n', text->len);
	*ret = bytes_of(text->data, end == NULL ? text->len : (size_t)(end - text->data));
	text->len -= end == NULL ? ret->len : ret->len + 1;
	text->data += end == NULL ? ret->len : ret->len + 1;
	return true;
}

/* The file's text with the option's first line replaced, its others gone; or a new line at the end. */
static void print_changed(struct bytes before, const char *name, const char *text, FILE *to)
{
	struct bytes line, value;
	bool done = false;

	while (next_line(&before, &line)) {
		if (!line_value(line, name, &value)) {
			fwrite(line.data, 1, line.len, to);
			fputc('\n', to);
		} else if (!done) {
			fprintf(to, "%s = %s\n", name, text);
			done = true;
		}
	}
	if (!done)
		fprintf(to, "%s = %s\n", name, text);
}

/* The file's text without the lines that say this; how many there were. */
static size_t print_without(struct bytes before, const char *name, const char *text, FILE *to)
{
	struct bytes line, value;
	size_t dropped = 0;

	while (next_line(&before, &line)) {
		if (line_value(line, name, &value) && bytes_equal(value, bytes_of_text(text))) {
			dropped++;
			continue;
		}
		fwrite(line.data, 1, line.len, to);
		fputc('\n', to);
	}
	return dropped;
}

/* What is to be written must read back, and so must what stood there before. */
static enum err check_text(const struct options *options, const char *path, struct bytes text)
{
	struct option_values *layer = option_layer_new(options);
	char why[OPTION_WHY];
	enum err err = options_parse_file(options, layer, path, text, why, sizeof(why));

	option_layer_free(options, layer);
	return err == ERR_OK ? ERR_OK : ERR_FORMAT;
}

enum err options_change_file(const struct options *options, const char *name, const char *text)
{
	char *path = file_join(options->dir, CONFIG_NAME), *before = NULL, *after = NULL;
	size_t len = 0, after_len = 0;
	enum err err = file_read(path, CONFIG_BYTES_MAX, &before, &len);
	FILE *to;

	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	if (err != ERR_OK)
		goto out;
	err = ERR_FORMAT;
	if (!survives_file(text) || strlen(name) + 3 + strlen(text) > CONFIG_LINE_MAX)
		goto out;
	to = open_memstream(&after, &after_len);
	if (to == NULL)
		abort();
	print_changed(bytes_of(before, len), name, text, to);
	if (fclose(to) != 0)
		abort();
	err = check_text(options, path, bytes_of(after, after_len));
	if (err == ERR_OK)
		err = file_replace(path, bytes_of(after, after_len), 0600);
out:
	free(after);
	free(before);
	free(path);
	return err;
}

enum err options_drop_from_file(const struct options *options, const char *name, const char *text)
{
	char *path = file_join(options->dir, CONFIG_NAME), *before = NULL, *after = NULL;
	size_t len = 0, after_len = 0, dropped;
	enum err err = file_read(path, CONFIG_BYTES_MAX, &before, &len);
	FILE *to;

	if (err != ERR_OK)
		goto out;
	to = open_memstream(&after, &after_len);
	if (to == NULL)
		abort();
	dropped = print_without(bytes_of(before, len), name, text, to);
	if (fclose(to) != 0)
		abort();
	err = dropped == 0 ? ERR_NOT_FOUND : file_replace(path, bytes_of(after, after_len), 0600);
out:
	free(after);
	free(before);
	free(path);
	return err;
}
