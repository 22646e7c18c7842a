/* Grants and enrolment, and their SQL. */
#include "satellite/clients.h"

#include <string.h>

#include "common/amount.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/random.h"

static void hash_code(struct bytes code, struct bytes32 *ret)
{
	hash_once("granary.grant", code.data, code.len, ret);
}

struct new_grant {
	struct bytes32 code;
	uint64_t created;
	uint64_t expires;
};

static enum err insert_grant(struct database *db, void *arg)
{
	const struct new_grant *grant = arg;
	struct query *q = database_query(db, "INSERT INTO grants (code, created, expires) VALUES ($code, $created, "
					     "$expires)");

	query_bytes32(q, "code", &grant->code);
	query_int(q, "created", grant->created);
	query_int(q, "expires", grant->expires);
	return query_run(q);
}

enum err clients_grant(struct database *db, uint64_t now, uint64_t lifetime, uint8_t ret_code[CLIENTS_CODE])
{
	struct new_grant grant = {.created = now};
	uint8_t code[CLIENTS_CODE];
	enum err err;

	err = u64_add(now, lifetime, &grant.expires);
	if (err != ERR_OK)
		return err;
	random_bytes(code, sizeof(code));
	hash_code(bytes_of(code, sizeof(code)), &grant.code);
	err = database_transaction(db, insert_grant, &grant);
	if (err == ERR_OK)
		memcpy(ret_code, code, sizeof(code));
	return err;
}

/* *ret_used: this caller has used it before. */
static enum err check_grant(struct work *work, struct database *db, const struct bytes32 *code, bool *ret_used)
{
	struct query *q = database_query(db, "SELECT expires, client FROM grants WHERE code = $code");
	struct address client;
	enum err err;

	query_bytes32(q, "code", code);
	err = query_one(q);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_GRANT, "code: no such enrolment code");
	if (err != ERR_OK)
		return err;
	*ret_used = false;
	if (!query_is_null(q, 1)) {
		err = query_get_exact(q, 1, client.b, sizeof(client.b));
		*ret_used = err == ERR_OK && address_equal(&client, &work->caller->address);
		if (err == ERR_OK && !*ret_used)
			err = work_refuse(work, REFUSAL_GRANT, "code: it was used by another client");
	} else if (query_get_int(q, 0) <= clock_wall()) {
		err = work_refuse(work, REFUSAL_GRANT, "code: it has expired");
	}
	query_reset(q);
	return err;
}

static enum err use_grant(struct work *work, struct database *db, const struct bytes32 *code)
{
	struct query *q = database_query(db, "UPDATE grants SET client = $client, used = $now WHERE code = $code");
	enum err err;

	query_bytes32(q, "code", code);
	query_address(q, "client", &work->caller->address);
	query_int(q, "now", clock_wall());
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "INSERT INTO clients (address, id, enrolled) VALUES ($address, $id, $now) "
			       "ON CONFLICT (address) DO NOTHING");
	query_address(q, "address", &work->caller->address);
	query_bytes(q, "id", bytes_of(work->caller->id.b, KEY_ID_BYTES));
	query_int(q, "now", clock_wall());
	return query_run(q);
}

static enum err enrol(struct database *db, void *arg)
{
	struct work *work = arg;
	struct bytes32 code;
	bool used;
	enum err err;

	hash_code(work->message->enrol.code, &code);
	err = check_grant(work, db, &code, &used);
	if (err == ERR_OK && !used)
		err = use_grant(work, db, &code);
	return err;
}

enum err clients_enrol(struct work *work)
{
	enum err err = database_transaction(work->desk->db, enrol, work);

	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}

enum err clients_known(struct database *db, const struct address *client, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM clients WHERE address = $address");
	enum err err;

	query_address(q, "address", client);
	err = query_one(q);
	query_reset(q);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	*ret = err == ERR_OK;
	return ERR_OK;
}
