/* The databases may be open elsewhere: both engines lock by themselves. */
#include "node/book_access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/service.h"
#include "payments/tally.h"

enum err book_access_open(struct book_access *access, struct options *options)
{
	const char *dir = options_dir(options);
	char *path = file_join(dir, "ledger.db"), *papers = file_join(dir, PAPERS_FILE);
	enum err err;

	memset(access, 0, sizeof(*access));
	err = service_key(dir, &access->key, access->why, sizeof(access->why));
	if (err == ERR_OK)
		err = settings_open_trust(options, &access->trust, access->why);
	if (err == ERR_OK && (!file_exists(path) || !file_exists(papers))) {
		snprintf(access->why, sizeof(access->why), "%s holds no books: this node has never run", dir);
		err = ERR_NOT_FOUND;
	}
	if (err == ERR_OK)
		err = ledger_open(path, &access->ledger, access->why);
	if (err == ERR_OK)
		err = papers_open(dir, &access->papers, access->why);
	if (err == ERR_OK && trust_is_test(access->trust))
		clock_allow_offset();
	free(path);
	free(papers);
	return err;
}

void book_access_close(struct book_access *access)
{
	papers_close(access->papers);
	ledger_close(access->ledger);
	trust_free(access->trust);
	key_free(access->key);
}

enum err book_access_period(struct book_access *access, struct options *options, uint32_t otherwise, uint32_t *ret)
{
	const char *text = option_text(options, "period");

	*ret = otherwise;
	if (text == NULL || period_parse(text, ret) == ERR_OK)
		return ERR_OK;
	snprintf(access->why, sizeof(access->why), "--period %s: not a month as YYYY-MM", text);
	return ERR_USAGE;
}
