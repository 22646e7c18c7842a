/* Check-in and the SQL of nodes. */
#include "satellite/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "payments/price.h"
#include "satellite/payees.h"

uint64_t registry_online_since(const struct settings *settings, uint64_t now)
{
	return now > settings->online ? now - settings->online : 0;
}

/* An empty payee is the node's own address. */
static enum err check_payee(struct work *work)
{
	struct bytes wire = work->message->check_in.payee;
	struct signature signature;
	struct payee payee;
	enum refusal refusal;

	if (wire.len == 0)
		return ERR_OK;
	if (typed_decode(&typed_payee, wire, &payee, &signature) != ERR_OK)
		return work_refuse(work, REFUSAL_MALFORMED, "payee: not a signed Payee");
	refusal = payee_check(&payee, &signature, &work->desk->settings->domain, &work->caller->address);
	if (refusal == REFUSAL_NODE)
		return work_refuse(work, refusal, "payee: made for another node");
	if (refusal != REFUSAL_NONE)
		return work_refuse(work, refusal, "payee: the signature is not this node's");
	return ERR_OK;
}

static enum err check_numbers(struct work *work)
{
	const struct msg_check_in *m = &work->message->check_in;
	static const char *const names[] = {"allocated", "used", "available"};
	const uint64_t values[] = {m->allocated, m->used, m->available};

	for (size_t i = 0; i < 3; i++)
		if (values[i] > INT64_MAX)
			return work_refuse(work, REFUSAL_MALFORMED, "%s: %" PRIu64 " bytes is more than 2^63 - 1",
					   names[i], values[i]);
	return ERR_OK;
}

static enum err check_endpoint(struct work *work, struct hostport *ret)
{
	struct bytes text = work->message->check_in.endpoint;
	char copy[HOSTPORT_TEXT];

	snprintf(copy, sizeof(copy), "%.*s", (int)text.len, text.data);
	if (hostport_parse(copy, ret) != ERR_OK || ret->port == 0)
		return work_refuse(work, REFUSAL_MALFORMED, "endpoint: not host:port");
	if (!work->desk->settings->test_network && endpoint_is_loopback(ret->host))
		return work_refuse(work, REFUSAL_DENIED, "endpoint: loopback is for test networks");
	return ERR_OK;
}

static enum err store_check_in(struct database *db, void *arg)
{
	struct work *work = arg;
	const struct msg_check_in *m = &work->message->check_in;
	struct query *q = database_query(
		db, "INSERT INTO nodes (address, id, endpoint, claimed, network, version, allocated, used, available, "
		    "payee, "
		    "registered, checked_in, dialled, reachable) VALUES ($address, $id, '', $claimed, '', $version, "
		    "$allocated, $used, $available, $payee, $now, $now, 0, 0) ON CONFLICT (address) DO UPDATE SET "
		    "claimed = excluded.claimed, version = excluded.version, allocated = excluded.allocated, "
		    "used = excluded.used, available = excluded.available, payee = excluded.payee, "
		    "checked_in = excluded.checked_in");
	char claimed[HOSTPORT_TEXT], version[65];

	snprintf(claimed, sizeof(claimed), "%.*s", (int)m->endpoint.len, m->endpoint.data);
	snprintf(version, sizeof(version), "%.*s", (int)m->version.len, m->version.data);
	query_address(q, "address", &work->caller->address);
	query_bytes(q, "id", bytes_of(work->caller->id.b, KEY_ID_BYTES));
	query_text(q, "claimed", claimed);
	query_text(q, "version", version);
	query_int(q, "allocated", m->allocated);
	query_int(q, "used", m->used);
	query_int(q, "available", m->available);
	query_bytes(q, "payee", m->payee);
	query_int(q, "now", clock_wall());
	return query_run(q);
}

static enum err store_both(struct database *db, void *arg)
{
	const struct work *work = arg;
	struct bytes payee = work->message->check_in.payee;
	enum err err = store_check_in(db, arg);

	if (err == ERR_OK)
		err = reputations_add(db, &work->caller->address, clock_wall());
	return err == ERR_OK && payee.len > 0 ? payees_keep(db, &work->caller->address, payee) : err;
}

enum err registry_check_in(struct work *work, struct hostport *ret_dial)
{
	enum err err = check_endpoint(work, ret_dial);

	if (err == ERR_OK)
		err = check_numbers(work);
	if (err == ERR_OK)
		err = check_payee(work);
	if (err == ERR_OK)
		err = database_transaction(work->desk->db, store_both, work);
	return err;
}

enum err registry_take_room(struct database *db, const struct address *node, uint64_t bytes)
{
	struct query *q = database_query(db, "UPDATE nodes SET available = CASE WHEN available > $bytes THEN "
					     "available - $bytes ELSE 0 END WHERE address = $address");

	query_int(q, "bytes", bytes);
	query_address(q, "address", node);
	return query_run(q);
}

struct dialled {
	struct work *work;
	const char *network; /* NULL: not reached */
};

static enum err store_dialled(struct database *db, void *arg)
{
	const struct dialled *dialled = arg;
	struct bytes endpoint = dialled->work->message->check_in.endpoint;
	char text[HOSTPORT_TEXT];
	struct query *q;

	if (dialled->network != NULL) {
		snprintf(text, sizeof(text), "%.*s", (int)endpoint.len, endpoint.data);
		q = database_query(db, "UPDATE nodes SET endpoint = $endpoint, network = $network, reachable = 1, "
				       "dialled = $now, reached = $now WHERE address = $address");
		query_text(q, "endpoint", text);
		query_text(q, "network", dialled->network);
	} else {
		q = database_query(db, "UPDATE nodes SET reachable = 0, dialled = $now WHERE address = $address");
	}
	query_int(q, "now", clock_wall());
	query_address(q, "address", &dialled->work->caller->address);
	return query_run(q);
}

/* What bars a node from pieces matters more than whether it is there. `unreached`: why it was not, or NULL. */
static enum err answer_check_in(struct work *work, const char *unreached)
{
	struct message answer = {.type = MSG_CHECKED_IN};
	struct msg_checked_in *m = &answer.checked_in;
	const char *reason = unreached == NULL ? "" : unreached;
	struct reputed reputed;
	enum err err = reputations_read(work->desk->db, &work->desk->settings->reputation, &work->caller->address,
					&reputed);

	if (err != ERR_OK)
		return err;
	m->time = clock_wall();
	m->reachable = unreached == NULL;
	m->status = unreached == NULL ? NODE_GOOD : NODE_UNREACHABLE;
	if (reputed.state != STATE_GOOD && reputed.state != STATE_VETTING &&
	    (unreached == NULL || reputed.state == STATE_DISQUALIFIED)) {
		m->status = (uint8_t)reputed.state;
		reason = reputed.reason;
	}
	if (text_is_printable(bytes_of_text(reason)))
		m->reason = bytes_of_text(reason);
	reply_add(work->reply, &answer);
	return ERR_OK;
}

enum err registry_dialled(struct work *work, const char *host, const char *why)
{
	struct dialled dialled = {.work = work};
	char network[64];
	enum err err;

	if (host != NULL && !work->desk->settings->test_network && endpoint_is_loopback(host)) {
		host = NULL;
		why = "the endpoint is this machine's loopback";
	}
	if (host != NULL && endpoint_network(host, network) == ERR_OK)
		dialled.network = network;
	err = database_transaction(work->desk->db, store_dialled, &dialled);
	if (err != ERR_OK)
		return err;
	return answer_check_in(work, dialled.network != NULL ? NULL : why);
}

enum err registry_find(struct database *db, const char *text, struct address *ret)
{
	struct query *q = database_query(db, "SELECT address FROM nodes WHERE address = $address OR id = $id");
	struct address address = {{0}};
	struct id id = {{0}};
	enum err err;

	if (id_from_hex(text, &id) != ERR_OK && address_from_text(text, &address) != ERR_OK)
		return ERR_FORMAT;
	query_address(q, "address", &address);
	query_bytes(q, "id", bytes_of(id.b, sizeof(id.b)));
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->b, sizeof(ret->b));
	query_reset(q);
	return err;
}

enum err registry_known(struct database *db, const struct address *node, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM nodes WHERE address = $address");
	enum err err;

	query_address(q, "address", node);
	err = query_one(q);
	query_reset(q);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	*ret = err == ERR_OK;
	return ERR_OK;
}

enum err registry_endpoint(struct database *db, const struct address *node, struct endpoint *ret)
{
	struct query *q = database_query(db, "SELECT id, endpoint FROM nodes WHERE address = $address AND "
					     "endpoint <> ''");
	enum err err;

	query_address(q, "address", node);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->id.b, sizeof(ret->id.b));
	if (err == ERR_OK && hostport_parse(query_get_text(q, 1), &ret->at) != ERR_OK)
		err = ERR_CORRUPT;
	query_reset(q);
	return err;
}

/* Every node with its state. */
#define EACH_NODE                                                                                                \
	"SELECT address, id, endpoint, claimed, network, version, allocated, used, available, registered, "      \
	"checked_in, dialled, reachable, COALESCE(state, 2) FROM nodes LEFT JOIN reputations ON node = address "

static enum err read_node(struct query *q, struct registered_node *ret)
{
	enum err err;

	memset(ret, 0, sizeof(*ret));
	err = query_get_exact(q, 0, ret->address.b, sizeof(ret->address.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 1, ret->id.b, sizeof(ret->id.b));
	ret->endpoint = query_get_text(q, 2);
	ret->claimed = query_get_text(q, 3);
	ret->network = query_get_text(q, 4);
	ret->version = query_get_text(q, 5);
	ret->allocated = query_get_int(q, 6);
	ret->used = query_get_int(q, 7);
	ret->available = query_get_int(q, 8);
	ret->registered = query_get_int(q, 9);
	ret->checked_in = query_get_int(q, 10);
	ret->dialled = query_get_int(q, 11);
	ret->reachable = query_get_int(q, 12) == 1;
	ret->state = (enum node_state)query_get_int(q, 13);
	return err;
}

static enum err walk(struct query *q, registry_visit *visit, void *arg)
{
	struct registered_node node;
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = read_node(q, &node);
		if (err == ERR_OK)
			err = visit(&node, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err registry_each(struct database *db, registry_visit *visit, void *arg)
{
	return walk(database_query(db, EACH_NODE "ORDER BY address"), visit, arg);
}

enum err registry_each_candidate(struct database *db, uint64_t since, registry_visit *visit, void *arg)
{
	struct query *q = database_query(db, EACH_NODE "WHERE reachable = 1 AND checked_in >= $since AND "
					     "COALESCE(state, 2) <= 2 ORDER BY address");

	query_int(q, "since", since);
	return walk(q, visit, arg);
}
