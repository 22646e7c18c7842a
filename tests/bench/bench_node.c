/*
 * What else one real node does: proofs for its satellite, and a thousand connections that only wait.
 */
#include <stdlib.h>

#include "audit/challenge.h"
#include "common/memory.h"
#include "common/random.h"
#include "tests/bench/bench.h"
#include "tests/bench/moves.h"

#define MB 1e6
#define PROOF_PIECES 400
#define PROOF_SAMPLES_EACH 4
#define PROOF_ROUNDS 30
#define IDLE_CHANNELS 1000
#define IDLE_AT_ONCE 50
#define MOVED_PIECES 150
#define MOVED_AT_ONCE 4
#define ROUNDS 3

/* --- proofs --- */

struct proving {
	struct moves *moves;
	struct challenge challenge;
	struct link_user link;
	uint32_t request;
	unsigned rounds;
};

static void ask(void *arg);

static void check_proof(const struct proving *proving, const struct msg_proof *proof)
{
	const struct moves *moves = proving->moves;
	struct samples samples;
	uint64_t leaf_bytes;

	challenge_samples(&proving->challenge, proof->index, moves->size, NULL, &samples);
	if (proof->answer != AUDIT_HELD ||
	    proof_check(&moves->root, moves->size, &samples, proof->proof, &leaf_bytes) != ERR_OK)
		bench_die("a proof that proves nothing");
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct proving *proving = arg;

	if (message == NULL)
		bench_die(err_text(err));
	if (message->type == MSG_PROOF) {
		check_proof(proving, &message->proof);
		return;
	}
	if (message->type != MSG_PROVE_END)
		bench_die("PROVE was refused");
	peer_forget(peer, proving->request);
	if (++proving->rounds < PROOF_ROUNDS)
		ask(proving);
	else
		loop_stop(proving->moves->net->satellite_uplink->loop);
}

static void ask(void *arg)
{
	struct proving *proving = arg;
	struct message message = {.type = MSG_PROVE};
	static uint8_t wire[60000];
	struct writer w;

	random_bytes(&proving->challenge.nonce, sizeof(proving->challenge.nonce));
	writer_init(&w, wire, sizeof(wire));
	challenge_encode(&proving->challenge, &w);
	message.prove.challenge = writer_bytes(&w);
	proving->request = peer_ask(link_peer(&proving->link), &message, 30000, on_answer, proving);
}

static void ignore(void *arg)
{
	(void)arg;
}

static void measure_proofs(struct piece_net *net)
{
	struct moves moves;
	struct proving proving = {.moves = &moves, .link = {.drained = ignore}};
	double start;

	moves_init(&moves, net, PROOF_PIECES, MOVED_AT_ONCE, 8 * TREE_BLOCK);
	moves_put(&moves);
	proving.challenge.form = CHALLENGE_LISTED;
	proving.challenge.piece_ms = 10000;
	proving.challenge.count = PROOF_PIECES;
	proving.challenge.pieces = memory_new(PROOF_PIECES, sizeof(struct challenge_piece));
	for (size_t i = 0; i < PROOF_PIECES; i++)
		proving.challenge.pieces[i] = (struct challenge_piece){moves.ids[i], PROOF_SAMPLES_EACH};
	dialer_acquire(net->satellite_uplink->dialer, &net->node, &proving.link);
	start = bench_now();
	ask(&proving);
	loop_run(net->satellite_uplink->loop);
	bench_result("prove", PROOF_PIECES * PROOF_ROUNDS / (bench_now() - start), "pieces/s", 0, BENCH_NO_SHARE);
	link_release(&proving.link);
	free(proving.challenge.pieces);
	moves_clear(&moves);
}

/* --- idle channels --- */

struct crowd {
	struct piece_net *net;
	struct peer *peers[IDLE_CHANNELS];
	size_t begun, ready, ended;
};

static void open_next(struct crowd *crowd);

static void on_pong(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct crowd *crowd = arg;

	(void)err;
	if (message == NULL || message->type != MSG_PONG)
		bench_die("an idle channel was refused");
	peer_forget(peer, message->request);
	if (++crowd->ready == IDLE_CHANNELS)
		loop_stop(crowd->net->uplink->loop);
	else
		open_next(crowd);
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct crowd *crowd = arg;

	(void)peer;
	(void)err;
	(void)why;
	if (++crowd->ended == IDLE_CHANNELS)
		loop_stop(crowd->net->uplink->loop);
}

static const struct peer_events crowd_events = {.closed = on_closed};

/* A channel that asked once, as the node demands of each, and waits from then on. */
static void open_next(struct crowd *crowd)
{
	struct uplink *uplink = crowd->net->uplink;
	struct message ping = {.type = MSG_PING};
	struct peer **peer = &crowd->peers[crowd->begun];

	if (crowd->begun == IDLE_CHANNELS)
		return;
	crowd->begun++;
	*peer = peer_connect(loop_base(uplink->loop), uplink->key, &crowd->net->node, NULL, &uplink->hello,
			     &crowd_events, crowd);
	peer_ask(*peer, &ping, 20000, on_pong, crowd);
}

static double best_rate(struct piece_net *net)
{
	double best = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct moves moves;
		double rate;

		moves_init(&moves, net, MOVED_PIECES, MOVED_AT_ONCE, TREE_PIECE);
		rate = (double)MOVED_PIECES * TREE_PIECE / moves_put(&moves);
		moves_clear(&moves);
		if (rate > best)
			best = rate;
	}
	return best;
}

static void measure_idle(struct piece_net *net)
{
	static struct crowd crowd;
	double before, with, rate = best_rate(net), beside;

	crowd.net = net;
	before = piece_net_node_rss(net);
	for (int i = 0; i < IDLE_AT_ONCE; i++)
		open_next(&crowd);
	loop_run(net->uplink->loop);
	with = piece_net_node_rss(net);
	bench_result("idle_channel_bytes", with > before ? (with - before) / IDLE_CHANNELS : 0, "B", 0, BENCH_NO_SHARE);
	beside = best_rate(net);
	bench_result("put_2mib_beside_idle", beside / MB, "MB/s", rate / MB, BENCH_MORE_IS_BETTER);
	for (size_t i = 0; i < IDLE_CHANNELS; i++)
		channel_abort(peer_channel(crowd.peers[i]));
	loop_run(net->uplink->loop);
}

int main(void)
{
	struct piece_net *net = piece_net_new();

	measure_proofs(net);
	measure_idle(net);
	piece_net_free(net);
	return 0;
}
