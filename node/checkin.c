/* One visit per satellite, again when it is due. */
#include "node/checkin.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/loss_report.h"
#include "node/standing.h"

#define TICK_MS 250
#define RETRY_FIRST_MS 1000 /* after a failure, doubling to … */
#define RETRY_MOST_MS 60000
#define LOSS_PAUSE_SECONDS 2 /* losses that come one by one are told together */
#define JUMP_SECONDS 5	     /* by which one clock passes the other at once: somebody set it */
#define THREADS 2

/* A satellite as the check-in sees it. Never removed: one that is trusted no more is just not visited. */
struct acquaintance {
	struct address address;
	struct checkin_state state;
	uint64_t due; /* monotonic milliseconds */
	uint64_t retry_ms;
	bool under_way;
	bool again;	  /* what is said has changed meanwhile */
	uint64_t losses;  /* how many the store had found when the satellite was last told */
	bool losses_left; /* not all of them were acknowledged */
	struct acquaintance *next;
};

struct checkin {
	struct loop *loop;
	const struct parts *parts;
	struct checkin_options options;
	struct pool *pool;
	struct event *timer;
	struct acquaintance *list;
	int64_t offset; /* of the wall clock against the monotonic one, seconds */
	atomic_bool stop;
};

/* One check-in on its way. */
struct visit {
	struct acquaintance *to;
	const struct parts *parts;
	const atomic_bool *stop;
	struct satellite satellite;
	struct checkin_options options;
	struct checkin_state state;
	uint64_t losses;
	enum err losses_err;
};

static uint64_t now_ms(void)
{
	return clock_monotonic() / 1000000;
}

/* The visit itself, in the pool. */

static bool is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* The address that we come from when we go there: connecting a datagram socket sends nothing. */
static enum err own_host(const struct hostport *to, char out[ENDPOINT_HOST_MAX + 1])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct sockaddr_storage own;
	struct addrinfo *found = NULL;
	socklen_t len = sizeof(own);
	char port[8];
	enum err err = ERR_UNREACHABLE;
	int fd = -1;

	snprintf(port, sizeof(port), "%u", to->port);
	if (getaddrinfo(to->host, port, &hints, &found) != 0)
		return ERR_UNREACHABLE;
	fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		goto out;
	if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
		goto out;
	if (getnameinfo((struct sockaddr *)&own, len, out, ENDPOINT_HOST_MAX + 1, NULL, 0, NI_NUMERICHOST) == 0)
		err = ERR_OK;
out:
	if (fd >= 0)
		close(fd);
	freeaddrinfo(found);
	return err;
}

/* A store that is away takes nothing. */
static void space_of(const struct parts *parts, struct store_space *ret)
{
	*ret = (struct store_space){0};
	if (parts->store != NULL)
		store_space(parts->store, ret);
}

static void damage_of(const struct parts *parts, struct store_damage *ret)
{
	*ret = (struct store_damage){0};
	if (parts->store != NULL)
		store_damage(parts->store, ret);
}

/* The signed Payee; `from` grows with each, so that the last one said counts. */
static void sign_payee(const struct visit *visit, struct writer *w)
{
	const struct key *key = visit->parts->key;
	const struct payee payee = {*key_address(key), visit->options.payee, clock_wall()};
	struct signature signature;

	typed_sign(&typed_payee, &payee, &visit->satellite.domain, key, &signature);
	typed_encode(&typed_payee, &payee, &signature, w);
}

static void take_answer(const struct message *message, void *arg)
{
	struct checkin_state *state = arg;
	const struct msg_checked_in *answer = &message->checked_in;

	state->at = clock_wall();
	state->skew = answer->time > INT64_MAX ? INT64_MAX / 2 : (int64_t)answer->time - (int64_t)state->at;
	state->reachable = answer->reachable;
	state->status = answer->status;
	snprintf(state->reason, sizeof(state->reason), "%.*s", (int)answer->reason.len,
		 (const char *)answer->reason.data);
}

static enum err say(struct visit *visit, struct errand *errand)
{
	struct message message = {.type = MSG_CHECK_IN};
	struct hostport at = visit->options.external;
	char endpoint[HOSTPORT_TEXT];
	uint8_t payee[MESSAGE_SIGNED_MAX];
	struct store_space space;
	struct writer w;

	if (is_wildcard(at.host) && own_host(&visit->satellite.endpoint.at, at.host) != ERR_OK) {
		snprintf(visit->state.reason, sizeof(visit->state.reason),
			 "no address of ours is known: set --external");
		return ERR_UNREACHABLE;
	}
	hostport_print(&at, endpoint);
	space_of(visit->parts, &space);
	writer_init(&w, payee, sizeof(payee));
	sign_payee(visit, &w);
	message.check_in = (struct msg_check_in){
		.version = bytes_of_text(GRANARY_VERSION),
		.endpoint = bytes_of_text(endpoint),
		.allocated = space.allocation,
		.used = space.live + space.trash + space.dead + space.overhead,
		.available = space.read_only || visit->options.paused ? 0 : space.available,
		.payee = writer_bytes(&w),
	};
	return errand_ask(errand, &message, MSG_CHECKED_IN, take_answer, &visit->state, visit->state.reason);
}

/* Learn or compare the satellite's domain, and have it in visit->satellite. */
static enum err pin(struct visit *visit, const struct msg_hello *hello)
{
	struct trust *trust = visit->parts->trust;
	enum err err = trust_pin(trust, &visit->satellite.address, hello->chain_id, &hello->contract);
	char address[KEY_ADDRESS_TEXT];

	if (err == ERR_OK)
		return trust_find(trust, &visit->satellite.address, &visit->satellite);
	address_to_text(&visit->satellite.address, address);
	if (err == ERR_CONFLICT)
		log_event(LOG_ERROR, "domain_changed", "satellite=%s chain_id=%llu", address,
			  (unsigned long long)hello->chain_id);
	snprintf(visit->state.reason, sizeof(visit->state.reason), "%s",
		 err == ERR_CONFLICT ? "the satellite names another chain or contract than before"
				     : "the satellite's domain could not be kept");
	return err;
}

/* What the disk damaged. A failure is none of the check-in, and is tried again. */
static enum err tell_losses(const struct visit *visit, struct errand *errand)
{
	char why[ERRAND_MESSAGE] = "", quoted[ERRAND_MESSAGE + 64], address[KEY_ADDRESS_TEXT];
	size_t told = 0;
	struct store_damage damage;
	enum err err;

	damage_of(visit->parts, &damage);
	if (damage.untold == 0)
		return ERR_OK;
	err = loss_report_send(visit->parts, &visit->satellite, errand, &told, why);
	address_to_text(&visit->satellite.address, address);
	if (told > 0)
		log_event(LOG_INFO, "losses_told", "satellite=%s pieces=%zu", address, told);
	if (err != ERR_OK && err != ERR_CANCELLED)
		log_event(LOG_WARN, "losses_not_told", "satellite=%s result=%s why=%s", address, err_name(err),
			  log_quote(why, quoted, sizeof(quoted)));
	return err;
}

/* What it thinks of this node. A failure is none of the check-in either. */
static void ask_standing(const struct visit *visit, struct errand *errand)
{
	char why[ERRAND_MESSAGE] = "", quoted[ERRAND_MESSAGE + 64], address[KEY_ADDRESS_TEXT];
	struct standing *standing = NULL;
	enum err err = standing_open(visit->options.dir, &standing, why);

	if (err == ERR_OK)
		err = standing_fetch(standing, &visit->satellite.address, errand, why);
	standing_close(standing);
	if (err == ERR_OK || err == ERR_CANCELLED)
		return;
	address_to_text(&visit->satellite.address, address);
	log_event(LOG_WARN, "standing_not_known", "satellite=%s result=%s why=%s", address, err_name(err),
		  log_quote(why, quoted, sizeof(quoted)));
}

static void work_visit(void *arg)
{
	struct visit *visit = arg;
	struct errand *errand = NULL;

	visit->state.reason[0] = '\0';
	visit->state.err =
		errand_open(visit->parts->key, &visit->satellite.endpoint, visit->stop, &errand, visit->state.reason);
	if (visit->state.err == ERR_OK)
		visit->state.err = pin(visit, errand_hello(errand));
	if (visit->state.err == ERR_OK)
		visit->state.err = say(visit, errand);
	visit->losses_err = visit->state.err == ERR_OK ? tell_losses(visit, errand) : ERR_CANCELLED;
	if (visit->state.err == ERR_OK)
		ask_standing(visit, errand);
	errand_close(errand);
}

/* What came of it, in the loop. */

static void log_visit(const struct visit *visit, const struct checkin_state *before)
{
	const struct checkin_state *now = &visit->state;
	bool well = now->err == ERR_OK && now->reachable && now->status == 1;
	bool was_well = before->at != 0 && before->err == ERR_OK && before->reachable && before->status == 1;
	char address[KEY_ADDRESS_TEXT], reason[ERRAND_MESSAGE + 64];

	address_to_text(&visit->satellite.address, address);
	if (well && !was_well)
		log_event(LOG_INFO, "checked_in", "satellite=%s", address);
	else if (!well && (was_well || strcmp(now->reason, before->reason) != 0))
		log_event(LOG_WARN, "check_in", "satellite=%s result=%s reachable=%d status=%d reason=%s", address,
			  err_name(now->err), now->reachable, now->status,
			  log_quote(now->reason, reason, sizeof(reason)));
}

static void set_due(struct acquaintance *to, const struct checkin_options *options)
{
	if (to->state.err == ERR_OK && to->state.reachable && !to->losses_left) {
		to->retry_ms = 0;
		to->due = now_ms() + options->interval * 1000;
		return;
	}
	to->retry_ms = to->retry_ms == 0 ? RETRY_FIRST_MS : to->retry_ms * 2;
	if (to->retry_ms > RETRY_MOST_MS)
		to->retry_ms = RETRY_MOST_MS;
	to->due = now_ms() + to->retry_ms;
}

static void visited(void *arg)
{
	struct visit *visit = arg;
	struct acquaintance *to = visit->to;

	if (visit->state.err != ERR_CANCELLED)
		log_visit(visit, &to->state);
	to->state = visit->state;
	to->under_way = false;
	to->losses = visit->losses;
	to->losses_left = visit->losses_err != ERR_OK && visit->state.err == ERR_OK;
	set_due(to, &visit->options);
	if (to->again)
		to->due = 0;
	/* On a test network, and on no other, tests may set the clock. */
	if (trust_is_test(visit->parts->trust))
		clock_allow_offset();
	free(visit);
}

static struct acquaintance *find(struct checkin *checkin, const struct address *address)
{
	struct acquaintance *to;

	for (to = checkin->list; to != NULL; to = to->next) {
		if (address_equal(&to->address, address))
			return to;
	}
	to = memory_new(1, sizeof(*to));
	to->address = *address;
	to->next = checkin->list;
	checkin->list = to;
	return to;
}

/* By either clock: tests set the wall clock ahead. */
static bool is_due(const struct acquaintance *to, const struct checkin_options *options)
{
	return now_ms() >= to->due || (to->state.at != 0 && clock_wall() >= to->state.at + options->interval);
}

static void visit_if_due(struct checkin *checkin, const struct satellite *satellite)
{
	struct acquaintance *to = find(checkin, &satellite->address);
	struct store_damage damage;
	struct visit *visit;

	damage_of(checkin->parts, &damage);
	if (to->under_way)
		return;
	/* A new loss is told soon, unless the satellite is not to be reached anyway. */
	if (!is_due(to, &checkin->options) &&
	    (to->state.err != ERR_OK || damage.found == to->losses || clock_wall() < to->state.at + LOSS_PAUSE_SECONDS))
		return;
	to->under_way = true;
	to->again = false;
	visit = memory_new(1, sizeof(*visit));
	*visit = (struct visit){
		.to = to,
		.parts = checkin->parts,
		.stop = &checkin->stop,
		.satellite = *satellite,
		.options = checkin->options,
		.state = to->state,
		.losses = damage.found,
	};
	pool_submit(checkin->pool, work_visit, checkin->loop, visited, visit);
}

static int64_t clock_offset(void)
{
	return (int64_t)clock_wall() - (int64_t)(clock_monotonic() / 1000000000);
}

/* A clock that was set is compared with the satellites' at once. */
static void notice_jump(struct checkin *checkin)
{
	int64_t offset = clock_offset(), jump = offset - checkin->offset;

	checkin->offset = offset;
	if (jump > -JUMP_SECONDS && jump < JUMP_SECONDS)
		return;
	for (struct acquaintance *to = checkin->list; to != NULL; to = to->next)
		to->due = 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct checkin *checkin = arg;
	struct satellite *satellites;
	size_t count = trust_list(checkin->parts->trust, &satellites);

	(void)fd;
	(void)what;
	notice_jump(checkin);
	for (size_t i = 0; i < count; i++)
		visit_if_due(checkin, &satellites[i]);
	free(satellites);
}

struct checkin *checkin_start(struct loop *loop, const struct parts *parts, const struct checkin_options *options)
{
	const struct timeval tick = {0, TICK_MS * 1000};
	struct checkin *checkin = memory_new(1, sizeof(*checkin));

	checkin->loop = loop;
	checkin->parts = parts;
	checkin->options = *options;
	checkin->offset = clock_offset();
	checkin->pool = pool_new(THREADS, "errands");
	checkin->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, checkin);
	event_add(checkin->timer, &tick);
	event_active(checkin->timer, EV_TIMEOUT, 0);
	return checkin;
}

void checkin_change(struct checkin *checkin, const struct checkin_options *options)
{
	checkin->options = *options;
	for (struct acquaintance *to = checkin->list; to != NULL; to = to->next) {
		to->due = 0;
		to->again = true;
	}
}

static void forget(void *arg)
{
	struct acquaintance *list = arg, *next;

	for (; list != NULL; list = next) {
		next = list->next;
		free(list);
	}
}

void checkin_stop(struct checkin *checkin)
{
	if (checkin == NULL)
		return;
	atomic_store(&checkin->stop, true);
	event_free(checkin->timer);
	pool_free(checkin->pool);
	loop_post(checkin->loop, forget, checkin->list); /* after what the visits posted */
	free(checkin);
}

void checkin_state(struct checkin *checkin, const struct address *satellite, struct checkin_state *ret)
{
	*ret = find(checkin, satellite)->state;
}
