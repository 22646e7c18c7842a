/*
 * Sums by hour against what they are sums of: what is summed is added, the sums are taken off, and nothing must be
 * left.
 *
 * Storage is compared as bytes and as bytes * time, which together say that the byte-seconds of any stretch are the
 * same.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/typed.h"
#include "satellite/books_private.h"

#define ACTIONS (ACTION_PUT_REPAIR + 1)
#define HOUR 3600

/* What is left over of a node. */
struct rest {
	__int128 bytes[ACTIONS];
	__int128 orders[ACTIONS];
	__int128 audits[3]; /* bytes, passed, failed */
	__int128 stored;
	__int128 moments; /* bytes * Unix seconds */
};

/* Columns behind the node's: action, bytes, orders. */
static bool add_traffic(struct query *q, struct rest *rest, int sign)
{
	uint64_t action = query_get_int(q, 1);

	if (action == 0 || action >= ACTIONS)
		return false;
	rest->bytes[action] += sign * (__int128)query_get_int(q, 2);
	rest->orders[action] += sign * (__int128)query_get_int(q, 3);
	return true;
}

/* bytes, passed, failed. */
static bool add_audits(struct query *q, struct rest *rest, int sign)
{
	for (int i = 0; i < 3; i++)
		rest->audits[i] += sign * (__int128)query_get_int(q, 1 + i);
	return true;
}

/* size, began, ended. */
static bool add_stay(struct query *q, struct rest *rest, int sign)
{
	__int128 size = sign * (__int128)query_get_int(q, 1);
	uint64_t ended = query_get_int(q, 3);

	rest->moments += size * query_get_int(q, 2);
	if (ended == 0)
		rest->stored += size;
	else
		rest->moments -= size * ended;
	return ended == 0 || ended >= query_get_int(q, 2);
}

/* hour, begun, begun_seconds, ended, ended_seconds. */
static bool add_hour(struct query *q, struct rest *rest, int sign)
{
	__int128 end = (__int128)(query_get_int(q, 1) + 1) * HOUR;
	uint64_t begun = query_get_int(q, 2), ended = query_get_int(q, 4);

	rest->stored += sign * ((__int128)begun - ended);
	rest->moments += sign * (end * begun - query_get_int(q, 3));
	rest->moments -= sign * (end * ended - query_get_int(q, 5));
	return true;
}

static const struct source {
	const char *sql;
	bool (*add)(struct query *q, struct rest *rest, int sign);
	int sign;
	const char *what;
	size_t counter; /* in struct books_checked, 0: none */
} sources[] = {
	{"SELECT node, action, bytes, 1 FROM settled", add_traffic, 1, "settled order",
	 offsetof(struct books_checked, settled)},
	{"SELECT node, action, bytes, orders FROM traffic", add_traffic, -1, "sum of traffic", 0},
	{"SELECT node, bytes, proven, missing + corrupt FROM audits", add_audits, 1, "audit", 0},
	{"SELECT node, bytes, passed, failed FROM audited", add_audits, -1, "sum of audits", 0},
	{"SELECT node, size, began, ended FROM stays", add_stay, 1, "piece", offsetof(struct books_checked, pieces)},
	{"SELECT node, hour, begun, begun_seconds, ended, ended_seconds FROM storage", add_hour, -1, "sum of storage",
	 0},
};

static int compare_nodes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

static enum err add_source(struct books *books, const struct source *source, struct rest *rests)
{
	struct query *q = database_query(books->db, source->sql);
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct address node;
		const struct address *found;

		err = query_get_exact(q, 0, node.b, sizeof(node.b));
		if (err != ERR_OK)
			break;
		found = bsearch(&node, books->nodes, books->node_count, sizeof(node), compare_nodes);
		if (found == NULL)
			books_say(books, &node, "a %s of a node that is not known", source->what);
		else if (!source->add(q, &rests[found - books->nodes], source->sign))
			books_say(books, &node, "a %s that makes no sense", source->what);
		if (source->counter != 0)
			(*(uint64_t *)(void *)((char *)&books->checked + source->counter))++;
	}
	query_reset(q);
	return err;
}

static void judge(struct books *books, const struct address *node, const struct rest *rest)
{
	for (unsigned action = 1; action < ACTIONS; action++) {
		if (rest->bytes[action] != 0)
			books_say(books, node, "bytes of settled orders of action %u differ from the sums by hour",
				  action);
		if (rest->orders[action] != 0)
			books_say(books, node, "settled orders of action %u differ from the sums by hour", action);
	}
	for (unsigned i = 0; i < 3; i++)
		if (rest->audits[i] != 0)
			books_say(books, node, "audits differ from the sums by hour");
	if (rest->stored != 0)
		books_say(books, node, "bytes of pieces differ from the sums by hour");
	if (rest->moments != 0)
		books_say(books, node, "byte-seconds of pieces differ from the sums by hour");
}

enum err books_check_sums(struct books *books)
{
	struct rest *rests = memory_new(books->node_count + 1, sizeof(*rests));
	enum err err = ERR_OK;

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && err == ERR_OK; i++)
		err = add_source(books, &sources[i], rests);
	for (size_t i = 0; i < books->node_count && err == ERR_OK; i++)
		judge(books, &books->nodes[i], &rests[i]);
	free(rests);
	return err;
}
