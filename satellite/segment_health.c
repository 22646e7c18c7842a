/* SQL and rules of a segment's health. */
#include "satellite/segment_health.h"

#include <stdio.h>
#include <string.h>

#include "satellite/audits.h"
#include "satellite/registry.h"

enum piece_state segment_health_of_node(const struct settings *settings, enum node_state state, bool online,
					uint64_t reached, uint64_t now)
{
	bool gone = !online && reached + settings->repair_offline <= now;

	switch (state) {
	case STATE_DISQUALIFIED:
	case STATE_EXITED:
		return PIECE_DISQUALIFIED;
	case STATE_SUSPENDED:
	case STATE_OFFLINE:
		return online ? PIECE_SUSPENDED : PIECE_GONE;
	case STATE_EXITING:
		return gone ? PIECE_GONE : PIECE_EXITING;
	case STATE_GOOD:
	case STATE_VETTING:
		break;
	}
	return online ? PIECE_GOOD : gone ? PIECE_GONE : PIECE_AWAY;
}

static enum err read_segment(struct database *db, const struct bytes32 *segment, struct segment_health *ret)
{
	struct query *q = database_query(db, "SELECT s.plain_size, s.piece_size, o.expires, o.required, o.repair, "
					     "o.success, o.total FROM segments s JOIN objects o ON o.version = "
					     "s.version WHERE s.segment = $segment AND s.state = 2 AND s.data IS NULL "
					     "AND o.state = 2");
	enum err err;

	query_bytes32(q, "segment", segment);
	err = query_one(q);
	ret->segment = *segment;
	ret->plain_size = query_get_int(q, 0);
	ret->piece_size = query_get_int(q, 1);
	ret->expires = query_get_int(q, 2);
	ret->redundancy = (struct redundancy){(uint16_t)query_get_int(q, 3), (uint16_t)query_get_int(q, 4),
					      (uint16_t)query_get_int(q, 5), (uint16_t)query_get_int(q, 6)};
	query_reset(q);
	return err;
}

static enum err read_endpoint(struct query *q, struct judged_piece *ret)
{
	const char *text = query_get_text(q, 5);
	enum err err = query_get_exact(q, 4, ret->endpoint.id.b, sizeof(ret->endpoint.id.b));

	if (err == ERR_OK && ret->online && hostport_parse(text, &ret->endpoint.at) != ERR_OK)
		err = ERR_CORRUPT;
	return err;
}

/* Columns: number, node, piece, root, id, endpoint, network, checked_in, reachable, reached, state, lost, verdict. */
static enum err read_piece(struct query *q, const struct desk *desk, uint64_t now, struct judged_piece *ret)
{
	uint64_t verdict = query_get_int(q, 12);
	enum err err = query_get_exact(q, 1, ret->node.b, sizeof(ret->node.b));

	ret->number = (uint16_t)query_get_int(q, 0);
	ret->online = query_get_int(q, 8) == 1 && query_get_int(q, 7) >= registry_online_since(desk->settings, now);
	if (err == ERR_OK)
		err = query_get_exact(q, 2, ret->piece.b, sizeof(ret->piece.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 3, ret->root.b, sizeof(ret->root.b));
	if (err == ERR_OK)
		err = read_endpoint(q, ret);
	snprintf(ret->network, sizeof(ret->network), "%s", query_get_text(q, 6));
	ret->state = segment_health_of_node(desk->settings, (enum node_state)query_get_int(q, 10), ret->online,
					    query_get_int(q, 9), now);
	ret->confessed = false;
	if (query_get_int(q, 11) > 0) {
		ret->state = PIECE_LOST;
		ret->confessed = verdict != AUDITED_MISSING && verdict != AUDITED_CORRUPT;
	}
	return err;
}

static enum err read_pieces(const struct desk *desk, uint64_t now, struct segment_health *ret)
{
	struct query *q = database_query(
		desk->db, "SELECT p.number, p.node, p.piece, p.root, n.id, n.endpoint, n.network, n.checked_in, "
			  "n.reachable, n.reached, r.state, p.lost, p.verdict FROM pieces p JOIN nodes n ON n.address "
			  "= p.node JOIN reputations r ON r.node = p.node WHERE p.segment = $segment ORDER BY "
			  "p.number");
	bool row;
	enum err err;

	ret->count = 0;
	query_bytes32(q, "segment", &ret->segment);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = ret->count < REDUNDANCY_TOTAL ? read_piece(q, desk, now, &ret->pieces[ret->count++])
						    : ERR_CORRUPT;
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

/* Equal numbers for equal networks; 0 where networks do not count. */
static uint32_t network_of(const struct segment_health *h, uint32_t i, bool compared)
{
	uint32_t first = 0;

	if (!compared || h->pieces[i].network[0] == '\0')
		return 0;
	while (strcmp(h->pieces[first].network, h->pieces[i].network) != 0)
		first++;
	return first + 1;
}

static void judge(struct segment_health *h, bool networks)
{
	struct health_piece pieces[REDUNDANCY_TOTAL];

	memset(h->counts, 0, sizeof(h->counts));
	for (uint32_t i = 0; i < h->count; i++)
		pieces[i] = (struct health_piece){h->pieces[i].state, network_of(h, i, networks)};
	health_mark_crowded(pieces, h->count);
	for (uint32_t i = 0; i < h->count; i++) {
		h->pieces[i].state = pieces[i].state;
		h->counts[pieces[i].state]++;
	}
	health_judge(&h->redundancy, pieces, h->count, &h->health);
	h->place = health_order(health_chance_of_loss(&h->redundancy, h->counts, &health_odds_default));
}

enum err segment_health_read(const struct desk *desk, const struct bytes32 *segment, uint64_t now,
			     struct segment_health *ret)
{
	enum err err = read_segment(desk->db, segment, ret);

	if (err == ERR_OK)
		err = read_pieces(desk, now, ret);
	if (err == ERR_OK)
		judge(ret, !desk->settings->test_network);
	return err;
}
