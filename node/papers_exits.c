/* Papers of exits. */
#include <stdio.h>
#include <string.h>

#include "node/papers_private.h"

static enum err fail(enum err err, char why[PAPERS_MESSAGE], const char *what)
{
	snprintf(why, PAPERS_MESSAGE, "%s", what);
	return err;
}

static enum err check_exit(const struct satellite *satellite, const struct address *node,
			   const struct papers_exit *exit, char why[PAPERS_MESSAGE])
{
	struct exit_receipt receipt;
	struct signature signature;
	bool complete = exit->ended != 0 && exit->why[0] == '\0';

	if (complete != (exit->receipt_len > 0))
		return fail(ERR_PROTOCOL, why, "an exit is complete when it is signed, and only then");
	if (!complete)
		return ERR_OK;
	if (typed_decode(&typed_exit, bytes_of(exit->receipt, exit->receipt_len), &receipt, &signature) != ERR_OK)
		return fail(ERR_FORMAT, why, "not a signed Exit");
	if (!address_equal(&receipt.satellite, &satellite->address) || !address_equal(&receipt.node, node))
		return fail(ERR_DENIED, why, "an Exit of other parties");
	if (typed_verify(&typed_exit, &receipt, &satellite->domain, &signature, &satellite->address) != REFUSAL_NONE)
		return fail(ERR_SIGNATURE, why, "the Exit's signature is not the satellite's");
	return ERR_OK;
}

struct leaving {
	const struct address *satellite;
	const struct papers_exit *exit;
};

static enum err write_exit(struct database *db, void *arg)
{
	const struct leaving *leaving = arg;
	const struct papers_exit *exit = leaving->exit;
	struct query *q = database_query(
		db, "INSERT INTO exits (satellite, told, asked, ended, pieces, remaining, moved, failed, why, signed) "
		    "VALUES ($satellite, $told, $asked, $ended, $pieces, $left, $moved, $failed, $why, $signed) ON "
		    "CONFLICT (satellite) DO UPDATE SET told = excluded.told, asked = excluded.asked, ended = "
		    "excluded.ended, pieces = excluded.pieces, remaining = excluded.remaining, moved = excluded.moved, "
		    "failed = excluded.failed, why = excluded.why, signed = excluded.signed WHERE "
		    "length(exits.signed) = 0");

	query_address(q, "satellite", leaving->satellite);
	query_int(q, "told", exit->told);
	query_int(q, "asked", exit->asked);
	query_int(q, "ended", exit->ended);
	query_int(q, "pieces", exit->pieces);
	query_int(q, "left", exit->left);
	query_int(q, "moved", exit->moved);
	query_int(q, "failed", exit->failed);
	query_text(q, "why", exit->why);
	query_bytes(q, "signed", bytes_of(exit->receipt, exit->receipt_len));
	return query_run(q);
}

enum err papers_keep_exit(struct papers *papers, const struct satellite *satellite, const struct address *node,
			  const struct papers_exit *exit, char why[PAPERS_MESSAGE])
{
	struct leaving leaving = {&satellite->address, exit};
	enum err err = check_exit(satellite, node, exit, why);

	return err == ERR_OK ? database_transaction(papers->db, write_exit, &leaving) : err;
}

enum err papers_exit(struct papers *papers, const struct address *satellite, struct papers_exit *ret)
{
	struct query *q =
		database_query(papers->db, "SELECT told, asked, ended, pieces, remaining, moved, failed, why, "
					   "signed FROM exits WHERE satellite = $satellite");
	struct bytes receipt;
	enum err err;

	query_address(q, "satellite", satellite);
	err = query_one(q);
	receipt = query_get_bytes(q, 8);
	if (err == ERR_OK && receipt.len > sizeof(ret->receipt))
		err = ERR_CORRUPT;
	if (err == ERR_OK) {
		*ret = (struct papers_exit){query_get_int(q, 0), query_get_int(q, 1),	    query_get_int(q, 2),
					    query_get_int(q, 3), query_get_int(q, 4),	    query_get_int(q, 5),
					    query_get_int(q, 6), .receipt_len = receipt.len};
		snprintf(ret->why, sizeof(ret->why), "%s", query_get_text(q, 7));
		if (receipt.len > 0)
			memcpy(ret->receipt, receipt.data, receipt.len);
	}
	query_reset(q);
	return err;
}
