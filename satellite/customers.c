/* SQL of what clients use, and their quotas. */
#include "satellite/customers.h"

#include <inttypes.h>

#include "common/clock.h"
#include "payments/tally.h"

#define HOUR 3600

static void bind_client(struct query *q, const struct address *client)
{
	query_address(q, "client", client);
}

enum err customers_add_segment(struct database *db, const struct bytes32 *version, uint64_t bytes)
{
	struct query *q = database_query(db, "UPDATE objects SET stored = stored + $bytes WHERE version = $version");
	enum err err;

	query_bytes32(q, "version", version);
	query_int(q, "bytes", bytes);
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "UPDATE clients SET stored = stored + $bytes WHERE address = "
			       "(SELECT owner FROM objects WHERE version = $version)");
	query_bytes32(q, "version", version);
	query_int(q, "bytes", bytes);
	return query_run(q);
}

/* The sums of one hour, from the object's row: it begins when it is committed, it ends when it is removed. */
static const char begin_sql[] =
	"INSERT INTO client_storage (client, hour, begun, begun_seconds, ended, ended_seconds) "
	"SELECT owner, committed / 3600, stored, stored * (3600 - committed % 3600), 0, 0 FROM objects "
	"WHERE version = $version ON CONFLICT (client, hour) DO UPDATE SET begun = client_storage.begun + "
	"excluded.begun, begun_seconds = client_storage.begun_seconds + excluded.begun_seconds";
static const char end_sql[] =
	"INSERT INTO client_storage (client, hour, begun, begun_seconds, ended, ended_seconds) "
	"SELECT owner, removed / 3600, 0, 0, stored, stored * (3600 - removed % 3600) FROM objects "
	"WHERE version = $version AND committed > 0 ON CONFLICT (client, hour) DO UPDATE SET ended = "
	"client_storage.ended + excluded.ended, ended_seconds = client_storage.ended_seconds + "
	"excluded.ended_seconds";
static const char count_sql[] =
	"UPDATE clients SET objects = objects + 1, segments = segments + (SELECT o.segments FROM objects o "
	"WHERE o.version = $version) WHERE address = (SELECT owner FROM objects WHERE version = $version)";
static const char uncount_sql[] =
	"UPDATE clients SET objects = objects - 1, segments = segments - (SELECT o.segments FROM objects o "
	"WHERE o.version = $version) WHERE address = (SELECT owner FROM objects WHERE version = $version AND "
	"committed > 0)";
static const char unstore_sql[] =
	"UPDATE clients SET stored = stored - (SELECT o.stored FROM objects o WHERE o.version = $version) "
	"WHERE address = (SELECT owner FROM objects WHERE version = $version)";

static enum err run_on(struct database *db, const char *sql, const struct bytes32 *version)
{
	struct query *q = database_query(db, sql);

	query_bytes32(q, "version", version);
	return query_run(q);
}

enum err customers_add_object(struct database *db, const struct bytes32 *version)
{
	enum err err = run_on(db, begin_sql, version);

	return err == ERR_OK ? run_on(db, count_sql, version) : err;
}

enum err customers_drop_object(struct database *db, const struct bytes32 *version)
{
	enum err err = run_on(db, end_sql, version);

	if (err == ERR_OK)
		err = run_on(db, uncount_sql, version);
	return err == ERR_OK ? run_on(db, unstore_sql, version) : err;
}

enum err customers_add_traffic(struct database *db, const struct address *client, uint64_t hour, enum action action,
			       uint64_t bytes, uint64_t orders)
{
	struct query *q = database_query(
		db, "INSERT INTO client_traffic (client, hour, action, bytes, orders) VALUES ($client, $hour, $action, "
		    "$bytes, $orders) ON CONFLICT (client, hour, action) DO UPDATE SET bytes = client_traffic.bytes + "
		    "excluded.bytes, orders = client_traffic.orders + excluded.orders");
	enum err err;

	bind_client(q, client);
	query_int(q, "hour", clock_wall() / HOUR);
	query_int(q, "action", action);
	query_int(q, "bytes", bytes);
	query_int(q, "orders", orders);
	err = query_run(q);
	if (err != ERR_OK || action != ACTION_GET)
		return err;
	q = database_query(db, "UPDATE client_issued SET settled = settled + $bytes WHERE client = $client AND "
			       "hour = $hour");
	bind_client(q, client);
	query_int(q, "hour", hour);
	query_int(q, "bytes", bytes);
	return query_run(q);
}

struct quotas {
	uint64_t storage;
	uint64_t egress;
	uint64_t stored; /* by all of the client's objects that are not forgotten */
	uint64_t objects;
	uint64_t segments;
};

static enum err find_quotas(struct database *db, const struct settings *settings, const struct address *client,
			    struct quotas *ret)
{
	struct query *q = database_query(db, "SELECT storage_quota, egress_quota, stored, objects, segments FROM "
					     "clients WHERE address = $client");
	enum err err;

	bind_client(q, client);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret = (struct quotas){
		.storage = query_is_null(q, 0) ? settings->client_storage : query_get_int(q, 0),
		.egress = query_is_null(q, 1) ? settings->client_egress : query_get_int(q, 1),
		.stored = query_get_int(q, 2),
		.objects = query_get_int(q, 3),
		.segments = query_get_int(q, 4),
	};
	query_reset(q);
	return ERR_OK;
}

/* One number of a client's. */
static enum err find_sum(struct database *db, const char *sql, const struct address *client, uint64_t from_hour,
			 uint64_t *ret)
{
	struct query *q = database_query(db, sql);
	enum err err;

	bind_client(q, client);
	query_int(q, "hour", from_hour);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret = query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

/* Allocations of segments that are not committed, as far as they have not lapsed. */
static const char reserved_sql[] =
	"SELECT COALESCE(SUM(s.piece_size * (SELECT COUNT(*) FROM offers f WHERE f.segment = s.segment)), 0) "
	"FROM objects o JOIN segments s ON s.version = o.version AND s.state = 1 WHERE o.state = 1 AND "
	"o.owner = $client AND s.expires >= $hour * 3600";
static const char egress_sql[] =
	"SELECT COALESCE(SUM(bytes), 0) FROM client_traffic WHERE client = $client AND hour >= $hour AND action = 2";
static const char downloads_sql[] =
	"SELECT COALESCE(SUM(orders), 0) FROM client_traffic WHERE client = $client AND hour >= $hour AND action = 2";
static const char allocated_sql[] =
	"SELECT COALESCE(SUM(bytes - settled), 0) FROM client_issued WHERE client = $client AND hour >= $hour AND "
	"bytes > settled";

enum err customers_check_storage(struct work *work, uint64_t bytes)
{
	struct database *db = work->desk->db;
	uint64_t reserved, wanted;
	struct quotas quotas;
	enum err err = find_quotas(db, work->desk->settings, &work->caller->address, &quotas);

	if (err != ERR_OK || quotas.storage == 0)
		return err;
	err = find_sum(db, reserved_sql, &work->caller->address, clock_wall() / HOUR, &reserved);
	if (err == ERR_OK)
		err = u64_add(quotas.stored, reserved, &wanted);
	if (err == ERR_OK)
		err = u64_add(wanted, bytes, &wanted);
	if (err != ERR_OK || wanted <= quotas.storage)
		return err;
	return work_refuse(work, REFUSAL_QUOTA,
			   "storage: %" PRIu64 " more bytes of pieces pass the quota of %" PRIu64 ", of which %" PRIu64
			   " are taken",
			   bytes, quotas.storage, quotas.stored + reserved);
}

struct taking {
	struct work *work;
	uint64_t bytes;
	uint64_t expires;
};

static enum err find_egress(struct database *db, const struct address *client, uint64_t now, uint64_t *ret_egress,
			    uint64_t *ret_allocated)
{
	enum err err = find_sum(db, egress_sql, client, month_start(now) / HOUR, ret_egress);

	return err == ERR_OK ? find_sum(db, allocated_sql, client, now / HOUR, ret_allocated) : err;
}

static enum err count_issued(struct database *db, const struct address *client, uint64_t hour, uint64_t bytes)
{
	struct query *q = database_query(
		db, "INSERT INTO client_issued (client, hour, bytes, settled) VALUES ($client, $hour, $bytes, 0) "
		    "ON CONFLICT (client, hour) DO UPDATE SET bytes = client_issued.bytes + excluded.bytes");

	bind_client(q, client);
	query_int(q, "hour", hour);
	query_int(q, "bytes", bytes);
	return query_run(q);
}

static enum err take_egress(struct database *db, void *arg)
{
	struct taking *taking = arg;
	struct work *work = taking->work;
	const struct address *client = &work->caller->address;
	uint64_t egress, allocated, wanted;
	struct quotas quotas;
	enum err err = find_quotas(db, work->desk->settings, client, &quotas);

	if (err == ERR_OK)
		err = find_egress(db, client, clock_wall(), &egress, &allocated);
	if (err == ERR_OK)
		err = u64_add(egress + allocated, taking->bytes, &wanted);
	if (err == ERR_OK && quotas.egress != 0 && wanted > quotas.egress)
		return work_refuse(work, REFUSAL_QUOTA,
				   "egress: %" PRIu64 " more bytes pass this month's quota of %" PRIu64
				   ", of which %" PRIu64 " are used and %" PRIu64 " allocated",
				   taking->bytes, quotas.egress, egress, allocated);
	return err == ERR_OK ? count_issued(db, client, taking->expires / HOUR, taking->bytes) : err;
}

enum err customers_take_egress(struct work *work, uint64_t bytes, uint64_t expires)
{
	struct taking taking = {work, bytes, expires};
	struct quotas quotas;
	enum err err = find_quotas(work->desk->db, work->desk->settings, &work->caller->address, &quotas);

	if (err != ERR_OK || quotas.egress == 0 || bytes == 0)
		return err;
	return database_transaction(work->desk->db, take_egress, &taking);
}

/* Byte-seconds from `from` to `until`: of what was there before, then hour by hour. The sums of an hour run to its end,
 * which may lie ahead of `until`. */
static enum err find_byte_seconds(struct database *db, struct customer_usage *usage)
{
	struct query *q = database_query(db, "SELECT hour, begun, begun_seconds, ended, ended_seconds FROM "
					     "client_storage WHERE client = $client ORDER BY hour");
	__int128 sum = 0, bytes = 0, until = usage->until, from = usage->from;
	bool row;
	enum err err;

	bind_client(q, &usage->client);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		__int128 end = ((__int128)query_get_int(q, 0) + 1) * HOUR;
		__int128 change = (__int128)query_get_int(q, 1) - query_get_int(q, 3);

		bytes += change;
		if (end <= from)
			sum += change * (until - from);
		else
			sum += change * (until - end) + query_get_int(q, 2) - query_get_int(q, 4);
	}
	if (err != ERR_OK)
		return err;
	usage->stored = bytes < 0 ? 0 : (uint64_t)bytes;
	usage->byte_seconds = byte_seconds_from(sum < 0 ? 0 : (uint128)sum);
	return ERR_OK;
}

enum err customers_usage(struct database *db, const struct settings *settings, const struct address *client,
			 uint64_t now, struct customer_usage *ret)
{
	struct customer_usage usage = {.client = *client, .from = month_start(now), .until = now};
	struct quotas quotas;
	enum err err = find_quotas(db, settings, client, &quotas);

	if (err == ERR_OK)
		err = find_byte_seconds(db, &usage);
	if (err == ERR_OK)
		err = find_egress(db, client, now, &usage.egress, &usage.allocated);
	if (err == ERR_OK)
		err = find_sum(db, downloads_sql, client, usage.from / HOUR, &usage.downloads);
	if (err == ERR_OK)
		err = find_sum(db, reserved_sql, client, now / HOUR, &usage.reserved);
	if (err != ERR_OK)
		return err;
	usage.objects = quotas.objects;
	usage.segments = quotas.segments;
	usage.uploading = quotas.stored > usage.stored ? quotas.stored - usage.stored : 0;
	usage.storage_quota = quotas.storage;
	usage.egress_quota = quotas.egress;
	usage.charged = charges_of(&settings->charges, usage.byte_seconds, usage.egress, usage.from);
	*ret = usage;
	return ERR_OK;
}

struct asking {
	struct work *work;
	struct customer_usage usage;
};

static enum err find_usage(struct database *db, void *arg)
{
	struct asking *asking = arg;
	const struct work *work = asking->work;

	return customers_usage(db, work->desk->settings, &work->caller->address, clock_wall(), &asking->usage);
}

enum err customers_answer(struct work *work)
{
	struct asking asking = {.work = work};
	const struct customer_usage *usage = &asking.usage;
	struct message answer = {.type = MSG_ACCOUNT};
	enum err err = database_view(work->desk->db, find_usage, &asking);

	if (err != ERR_OK)
		return err;
	answer.account = (struct msg_account){
		.from = usage->from,
		.until = usage->until,
		.objects = usage->objects,
		.segments = usage->segments,
		.stored = usage->stored,
		.uploading = usage->uploading,
		.reserved = usage->reserved,
		.egress = usage->egress,
		.allocated = usage->allocated,
		.downloads = usage->downloads,
		.byte_seconds = byte_seconds_value(usage->byte_seconds),
		.storage_quota = usage->storage_quota,
		.egress_quota = usage->egress_quota,
		.charge_storage = amount_units(work->desk->settings->charges.storage),
		.charge_egress = amount_units(work->desk->settings->charges.egress),
	};
	reply_add(work->reply, &answer);
	return ERR_OK;
}

static enum err set_quota(struct database *db, const char *sql, const struct address *client, const uint64_t *quota)
{
	struct query *q;
	enum err err;

	if (quota == NULL)
		return ERR_OK;
	q = database_query(db, sql);
	bind_client(q, client);
	if (*quota == CUSTOMERS_DEFAULT)
		query_null(q, "quota");
	else
		query_int(q, "quota", *quota);
	err = query_run(q);
	return err == ERR_OK && database_changes(db) == 0 ? ERR_NOT_FOUND : err;
}

enum err customers_set_quota(struct database *db, const struct address *client, const uint64_t *storage,
			     const uint64_t *egress)
{
	enum err err =
		set_quota(db, "UPDATE clients SET storage_quota = $quota WHERE address = $client", client, storage);

	if (err == ERR_OK)
		err = set_quota(db, "UPDATE clients SET egress_quota = $quota WHERE address = $client", client, egress);
	return err;
}

struct walk {
	const struct settings *settings;
	uint64_t now;
	enum err (*each)(const struct customer_usage *usage, void *arg);
	void *arg;
};

/* The next client behind `*client`. */
static enum err next_client(struct database *db, bool first, struct address *client)
{
	struct query *q = database_query(db, first ? "SELECT address FROM clients ORDER BY address LIMIT 1"
						   : "SELECT address FROM clients WHERE address > $client ORDER BY "
						     "address LIMIT 1");
	enum err err;

	if (!first)
		bind_client(q, client);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, client->b, sizeof(client->b));
	query_reset(q);
	return err;
}

static enum err walk_clients(struct database *db, void *arg)
{
	const struct walk *walk = arg;
	struct customer_usage usage;
	struct address client;
	enum err err = next_client(db, true, &client);

	while (err == ERR_OK) {
		err = customers_usage(db, walk->settings, &client, walk->now, &usage);
		if (err == ERR_OK)
			err = walk->each(&usage, walk->arg);
		if (err == ERR_OK)
			err = next_client(db, false, &client);
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err customers_each(struct database *db, const struct settings *settings, uint64_t now,
			enum err (*each)(const struct customer_usage *usage, void *arg), void *arg)
{
	struct walk walk = {settings, now, each, arg};

	return database_view(db, walk_clients, &walk);
}
