/* Helpers of the commands about money. */
#include "satellite/payout_commands.h"

#include <stdio.h>
#include <string.h>

#include "satellite/registry.h"

static enum err read_period(struct opened *opened, const struct options *options, uint32_t *ret)
{
	const char *text = option_text(options, "period");

	*ret = 0;
	if (text != NULL && period_parse(text, ret) != ERR_OK) {
		snprintf(opened->why, sizeof(opened->why), "--period %s: not a month as YYYY-MM", text);
		return ERR_USAGE;
	}
	return ERR_OK;
}

enum err opened_begin(struct opened *opened, struct options *options, uint32_t *ret_period)
{
	enum err err = ERR_OK;

	memset(opened, 0, sizeof(*opened));
	if (ret_period != NULL)
		err = read_period(opened, options, ret_period);
	if (err == ERR_OK)
		err = commands_open(options, &opened->settings, &opened->key, &opened->desk, opened->why,
				    sizeof(opened->why));
	return err;
}

enum err opened_require_period(struct opened *opened, uint32_t period)
{
	if (period != 0)
		return ERR_OK;
	snprintf(opened->why, sizeof(opened->why), "--period YYYY-MM is needed");
	return ERR_USAGE;
}

void opened_explain(struct opened *opened, enum err err, const char *sentence)
{
	if (err == ERR_CANCELLED)
		snprintf(opened->why, sizeof(opened->why), "%s", sentence);
	else if (err != ERR_OK)
		snprintf(opened->why, sizeof(opened->why), "%s (%s)", err_text(err),
			 database_message(opened->desk->db));
}

int opened_end(struct opened *opened, enum err err)
{
	desk_close(opened->desk);
	key_free(opened->key);
	if (err == ERR_OK)
		return 0;
	commands_complain(opened->why);
	return err == ERR_USAGE ? 2 : 1;
}

enum err opened_node(struct opened *opened, const struct options *options, struct address *ret)
{
	const char *text;
	enum err err;

	if (option_count(options, "node") != 1) {
		snprintf(opened->why, sizeof(opened->why), "--node is needed, once");
		return ERR_USAGE;
	}
	text = option_text_at(options, "node", 0);
	err = registry_find(opened->desk->db, text, ret);
	if (err == ERR_FORMAT)
		snprintf(opened->why, sizeof(opened->why), "--node %.70s: neither an id nor an address", text);
	else if (err == ERR_NOT_FOUND)
		snprintf(opened->why, sizeof(opened->why), "--node %.70s: no such node", text);
	else
		opened_explain(opened, err, "");
	return err == ERR_FORMAT ? ERR_USAGE : err;
}
