/* One question to the satellite. */
#include "node/leave.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

static void take_state(const struct message *answer, void *arg)
{
	struct leave_state *state = arg;
	const struct msg_exit_state *m = &answer->exit_state;

	*state = (struct leave_state){
		.state = (enum exit_state)m->state,
		.exit =
			{
				.told = clock_wall(),
				.asked = m->asked,
				.ended = m->ended,
				.pieces = m->pieces,
				.left = m->left,
				.moved = m->moved,
				.failed = m->failed,
				.receipt_len = m->receipt.len,
			},
		.allowed = m->allowed,
		.bytes = m->bytes,
		.failed_max = m->failed_max,
		.held = amount_of(m->held),
	};
	snprintf(state->exit.why, sizeof(state->exit.why), "%.*s", (int)m->why.len, (const char *)m->why.data);
	if (m->receipt.len > 0)
		memcpy(state->exit.receipt, m->receipt.data, m->receipt.len); /* bounded by the message's table */
}

enum err leave_ask(struct errand *errand, bool begin, struct leave_state *ret, char why[ERRAND_MESSAGE])
{
	struct message ask = {.type = MSG_EXIT, .exit = {begin}};

	return errand_ask(errand, &ask, MSG_EXIT_STATE, take_state, ret, why);
}
