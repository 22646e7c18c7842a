/*
 * How many orders a machine can check per second, against what its bare secp256k1 allows.
 *
 * One thread per core goes through distinct, honest orders. The bound is libsecp256k1's plain verification of parsed
 * signatures with parsed keys, measured on the same cores in turns with the orders, so that what else the machine does
 * falls on both alike.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <secp256k1.h>

#include "common/memory.h"
#include "common/random.h"
#include "payments/rules.h"
#include "payments/serial.h"
#include "tests/bench/bench.h"

#define CLAIMS 64
#define ROUNDS 6
#define SLICE 0.25 /* seconds of each kind of work in a round */
#define NOW (500000ull * 3600)

/* An order as a node and a satellite see it, and its signature as the library alone sees it. */
struct sample {
	struct settled_order claim;
	struct bytes32 allocation_hash;
	struct bytes32 digest; /* of the order */
	secp256k1_ecdsa_signature parsed;
};

struct bench {
	secp256k1_context *context;
	secp256k1_pubkey client_point;
	struct domain domain;
	struct key *satellite;
	struct key *client;
	struct key *node;
	struct sample samples[CLAIMS];
};

/* One thread's place in the samples. */
struct walk {
	const struct bench *bench;
	void (*once)(void *arg);
	double rate;
	size_t next;
};

static const struct sample *next_sample(struct walk *walk)
{
	return &walk->bench->samples[walk->next++ % CLAIMS];
}

static void verify_bare(void *arg)
{
	struct walk *walk = arg;
	const struct sample *s = next_sample(walk);

	if (secp256k1_ecdsa_verify(walk->bench->context, &s->parsed, s->digest.b, &walk->bench->client_point) != 1)
		abort();
}

static void check_order(void *arg)
{
	struct walk *walk = arg;
	const struct sample *s = next_sample(walk);
	const struct order_facts facts = {&walk->bench->domain, &s->claim.allocation, &s->allocation_hash, 0};

	if (rules_check_order(&s->claim.order, &s->claim.order_signature, &facts) != REFUSAL_NONE)
		abort();
}

static void check_settled(void *arg)
{
	struct walk *walk = arg;
	const struct sample *s = next_sample(walk);
	const struct settlement_facts facts = {
		.domain = &walk->bench->domain,
		.satellite = key_address(walk->bench->satellite),
		.node = key_address(walk->bench->node),
		.hour = serial_hour(&s->claim.allocation.serial),
		.now = NOW,
	};

	if (rules_check_settled(&s->claim, &facts) != REFUSAL_NONE)
		abort();
}

static void make_sample(struct bench *b, struct sample *s)
{
	struct settled_order *claim = &s->claim;
	uint8_t random[28];

	random_bytes(random, sizeof(random));
	claim->allocation = (struct allocation){
		.satellite = *key_address(b->satellite),
		.client = *key_address(b->client),
		.node = *key_address(b->node),
		.action = ACTION_GET,
		.limit = 1 << 21,
		.issued = NOW,
		.expires = NOW + 3600,
	};
	random_bytes(claim->allocation.piece.b, sizeof(claim->allocation.piece.b));
	serial_make(claim->allocation.expires, random, &claim->allocation.serial);
	typed_hash(&typed_allocation, &claim->allocation, &s->allocation_hash);
	typed_sign(&typed_allocation, &claim->allocation, &b->domain, b->satellite, &claim->allocation_signature);
	claim->order = (struct order){s->allocation_hash, 1 << 16};
	typed_sign(&typed_order, &claim->order, &b->domain, b->client, &claim->order_signature);
	typed_digest(&typed_order, &claim->order, &b->domain, &s->digest);
	if (secp256k1_ecdsa_signature_parse_compact(b->context, &s->parsed, claim->order_signature.b) != 1)
		abort();
}

static void make_bench(struct bench *b)
{
	static const struct address contract;

	b->context = secp256k1_context_create(SECP256K1_CONTEXT_VERIFY);
	b->satellite = key_generate();
	b->client = key_generate();
	b->node = key_generate();
	domain_init(&b->domain, 31337, &contract);
	if (secp256k1_ec_pubkey_parse(b->context, &b->client_point, key_id(b->client)->b, KEY_ID_BYTES) != 1)
		abort();
	for (size_t i = 0; i < CLAIMS; i++)
		make_sample(b, &b->samples[i]);
}

static void free_bench(struct bench *b)
{
	key_free(b->satellite);
	key_free(b->client);
	key_free(b->node);
	secp256k1_context_destroy(b->context);
	free(b);
}

static void *run_walk(void *arg)
{
	struct walk *walk = arg;

	walk->rate = bench_rate(SLICE, walk->once, walk);
	return NULL;
}

/* Calls of `once` per second over all cores together. */
static double rate_of(const struct bench *b, void (*once)(void *arg), size_t cores)
{
	struct walk *walks = memory_new(cores, sizeof(*walks));
	pthread_t *threads = memory_new(cores, sizeof(*threads));
	double sum = 0;

	for (size_t i = 0; i < cores; i++) {
		walks[i] = (struct walk){.bench = b, .once = once};
		if (pthread_create(&threads[i], NULL, run_walk, &walks[i]) != 0)
			abort();
	}
	for (size_t i = 0; i < cores; i++) {
		pthread_join(threads[i], NULL);
		sum += walks[i].rate;
	}
	free(threads);
	free(walks);
	return sum;
}

int main(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	size_t cores = online > 0 ? (size_t)online : 1;
	struct bench *b = memory_new(1, sizeof(*b));
	double bare = 0, orders = 0, settled = 0;

	make_bench(b);
	for (int round = 0; round < ROUNDS; round++) {
		bare += rate_of(b, verify_bare, cores) / ROUNDS;
		orders += rate_of(b, check_order, cores) / ROUNDS;
		settled += rate_of(b, check_settled, cores) / ROUNDS;
	}
	bench_say("bound of orders = cores * verifications per second of one core / signatures checked per order");
	bench_say("node, per order of a transfer: %zu * %.0f / 1; satellite, per settled order: %zu * %.0f / 2", cores,
		  bare / (double)cores, cores, bare / (double)cores);
	bench_result("secp256k1_verify", bare, "1/s", 0, BENCH_NO_SHARE);
	bench_result("orders", orders, "1/s", bare, BENCH_MORE_IS_BETTER);
	bench_result("orders_settled", settled, "1/s", bare / 2, BENCH_MORE_IS_BETTER);
	free_bench(b);
	return 0;
}
