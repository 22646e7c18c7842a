/* granary-node dispute export: reads the books beside a running node, or without one, and writes a file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "node/book_access.h"
#include "node/commands.h"
#include "node/dispute.h"
#include "payments/tally.h"

/* A new file for its owner only: what is there already may be evidence, too. */
static enum err make_file(struct book_access *books, const char *path, FILE **ret)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		*ret = fdopen(fd, "w");
	if (fd >= 0 && *ret != NULL)
		return ERR_OK;
	snprintf(books->why, sizeof(books->why), "cannot make %.300s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ERR_IO;
}

static enum err write_items(struct book_access *books, const struct dispute_query *query, struct dispute *dispute)
{
	struct satellite *satellites;
	size_t count = trust_list(books->trust, &satellites), pinned = 0;
	enum err err = ERR_OK;

	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		if (!satellites[i].pinned)
			continue;
		pinned++;
		err = dispute_add(dispute, books->ledger, books->papers, &satellites[i], query);
	}
	free(satellites);
	if (err == ERR_OK && pinned == 0) {
		snprintf(books->why, sizeof(books->why), "this node has never met such a satellite");
		return ERR_NOT_FOUND;
	}
	if (err != ERR_OK)
		snprintf(books->why, sizeof(books->why), "cannot export: %s (%s; %s)", err_text(err),
			 ledger_message(books->ledger), papers_message(books->papers));
	return err;
}

/* The whole file, or none. */
static enum err write_file(struct book_access *books, const struct dispute_query *query, const char *path,
			   struct dispute *dispute)
{
	FILE *to = NULL;
	enum err err = make_file(books, path, &to);

	if (err != ERR_OK)
		return err;
	dispute_begin(dispute, to);
	err = write_items(books, query, dispute);
	dispute_end(dispute);
	if (err == ERR_OK && (fflush(to) != 0 || fsync(fileno(to)) != 0)) {
		snprintf(books->why, sizeof(books->why), "cannot write %.300s: %s", path, strerror(errno));
		err = ERR_IO;
	}
	fclose(to);
	if (err != ERR_OK)
		unlink(path);
	return err;
}

static void print_counts(const struct dispute *d, const char *path)
{
	printf("%s: %" PRIu64 " items: %" PRIu64 " orders with their allocations, %" PRIu64 " receipts, %" PRIu64
	       " settlements with their verdicts, %" PRIu64 " usages, %" PRIu64 " prices, %" PRIu64 " statements\n",
	       path, d->items, d->orders, d->receipts, d->settlements, d->usages, d->prices, d->statements);
}

int node_dispute_export(struct options *options)
{
	const char *path = options_argument(options, 0);
	const struct address *payee = option_address(options, "payout");
	struct book_access books;
	struct dispute_query query = {.from = 0};
	struct dispute dispute;
	enum err err = book_access_open(&books, options);

	query.now = clock_wall();
	if (err == ERR_OK)
		err = book_access_period(&books, options, month_period(query.now), &query.to);
	if (err == ERR_OK) {
		query.node = books.key;
		query.payee = payee != NULL ? payee : key_address(books.key);
		query.from = option_given(options, "period") ? query.to : 0;
		err = write_file(&books, &query, path, &dispute);
	}
	if (err != ERR_OK)
		fprintf(stderr, "granary-node: %s\n", books.why);
	else
		print_counts(&dispute, path);
	if (err == ERR_OK && dispute.unreadable > 0) {
		fprintf(stderr,
			"granary-node: %" PRIu64 " things in the books are not signed as they should be: left out\n",
			dispute.unreadable);
		err = ERR_CORRUPT;
	}
	book_access_close(&books);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
