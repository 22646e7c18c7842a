/* Windows of a minute, each begun by its first failure. */
#include "node/dashboard/throttle.h"

#include <stdio.h>
#include <string.h>

static bool is_over(uint64_t since, uint64_t now)
{
	return now - since >= THROTTLE_SECONDS;
}

static struct throttle_peer *find_peer(struct throttle *throttle, const char *peer)
{
	for (int i = 0; i < THROTTLE_PEERS; i++)
		if (strncmp(throttle->peers[i].peer, peer, THROTTLE_PEER_TEXT - 1) == 0)
			return &throttle->peers[i];
	return NULL;
}

bool throttle_allows(struct throttle *throttle, const char *peer, uint64_t now)
{
	const struct throttle_peer *known = find_peer(throttle, peer);

	if (!is_over(throttle->since, now) && throttle->failures >= THROTTLE_ALL)
		return false;
	return known == NULL || is_over(known->since, now) || known->failures < THROTTLE_ADDRESS;
}

/* A free place, or one whose minute is over. There is one: fewer than THROTTLE_PEERS can fail in a minute. */
static struct throttle_peer *take_place(struct throttle *throttle, uint64_t now)
{
	struct throttle_peer *oldest = &throttle->peers[0];

	for (int i = 0; i < THROTTLE_PEERS; i++) {
		struct throttle_peer *place = &throttle->peers[i];

		if (place->peer[0] == '\0' || is_over(place->since, now))
			return place;
		if (place->since < oldest->since)
			oldest = place;
	}
	return oldest;
}

void throttle_note(struct throttle *throttle, const char *peer, uint64_t now)
{
	struct throttle_peer *known = find_peer(throttle, peer);

	if (throttle->failures == 0 || is_over(throttle->since, now)) {
		throttle->since = now;
		throttle->failures = 0;
	}
	throttle->failures++;
	if (known == NULL || is_over(known->since, now)) {
		known = known != NULL ? known : take_place(throttle, now);
		*known = (struct throttle_peer){.since = now};
		snprintf(known->peer, sizeof(known->peer), "%s", peer);
	}
	known->failures++;
}
