/* Batches of damaged pieces, each under one signature. */
#include "node/loss_report.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "payments/rules.h"

#define BATCH 1000   /* what a LOSS holds */
#define SPAN 3600ull /* seconds: they all stop earning when the first of them was found */

static int compare_pieces(const void *left, const void *right)
{
	return bytes32_compare(left, right);
}

/* The ids of the first few losses, ascending; how many they are. */
static size_t take_batch(const struct store_loss *losses, size_t count, struct bytes32 ret[BATCH])
{
	size_t taken = 0;

	while (taken < count && taken < BATCH && losses[taken].found - losses[0].found <= SPAN) {
		ret[taken] = losses[taken].piece;
		taken++;
	}
	qsort(ret, taken, sizeof(*ret), compare_pieces);
	return taken;
}

static void on_done(const struct message *answer, void *arg)
{
	(void)answer;
	(void)arg;
}

static enum err send_batch(const struct parts *parts, const struct satellite *satellite, struct errand *errand,
			   const struct loss *loss, struct bytes pieces, char why[ERRAND_MESSAGE])
{
	struct message message = {.type = MSG_LOSS};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct signature signature;
	struct writer w;

	typed_sign(&typed_loss, loss, &satellite->domain, parts->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_loss, loss, &signature, &w);
	message.loss.loss = writer_bytes(&w);
	message.loss.pieces = (struct list){pieces, (uint32_t)(pieces.len / sizeof(struct bytes32))};
	return errand_ask(errand, &message, MSG_DONE, on_done, NULL, why);
}

enum err loss_report_send(const struct parts *parts, const struct satellite *satellite, struct errand *errand,
			  size_t *ret_told, char why[ERRAND_MESSAGE])
{
	struct bytes32 *pieces = memory_new(BATCH, sizeof(*pieces));
	struct store_loss *losses = NULL;
	size_t count = 0, at = 0, taken;
	uint16_t number;
	enum err err = store_satellite(parts->store, &satellite->address, &number);

	*ret_told = 0;
	if (err == ERR_OK)
		count = store_losses(parts->store, number, &losses);
	else
		snprintf(why, ERRAND_MESSAGE, "the store cannot be asked: %s", err_text(err));
	for (; err == ERR_OK && at < count; at += taken) {
		struct loss loss = {satellite->address, *key_address(parts->key), {{0}}, losses[at].found};

		taken = take_batch(losses + at, count - at, pieces);
		rules_commit_pieces(pieces, taken, &loss.pieces);
		err = send_batch(parts, satellite, errand, &loss, bytes_of(pieces, taken * sizeof(*pieces)), why);
		if (err != ERR_OK)
			break;
		*ret_told += taken;
		err = store_losses_told(parts->store, number, pieces, taken);
		if (err != ERR_OK)
			snprintf(why, ERRAND_MESSAGE, "that they were told cannot be kept: %s", err_text(err));
	}
	free(losses);
	free(pieces);
	return err;
}
