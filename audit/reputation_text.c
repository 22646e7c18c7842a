/* Reputations as text for people and as bytes for a column. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/reputation.h"

#define ENCODING_VERSION 1

const char *reputation_state_name(enum reputation_state state)
{
	switch (state) {
	case REPUTATION_GOOD:
		return "good";
	case REPUTATION_VETTING:
		return "vetting";
	case REPUTATION_SUSPENDED:
		return "suspended";
	case REPUTATION_OFFLINE:
		return "offline";
	case REPUTATION_DISQUALIFIED:
		break;
	}
	return "disqualified";
}

/* "0.9598": four decimals, rounded down, as a score that reaches its limit must not look better than that. */
static const char *decimal(uint32_t millionths, char out[16])
{
	snprintf(out, 16, "%" PRIu32 ".%04" PRIu32, millionths / REPUTATION_ONE, millionths % REPUTATION_ONE / 100);
	return out;
}

static uint64_t hours(uint64_t seconds)
{
	return seconds / 3600;
}

char *reputation_describe(const struct reputation_rules *rules, const struct reputation *reputation,
			  enum reputation_reason reason, uint64_t now, char out[REPUTATION_TEXT])
{
	uint32_t audit = reputation_audit_score(reputation), unknown = reputation_unknown_score(reputation);
	uint32_t online = reputation_online_score(rules, reputation, now);
	char score[16], limit[16];

	out[0] = '\0';
	switch (reason) {
	case REPUTATION_NO_REASON:
		break;
	case REPUTATION_BY_VETTING:
		snprintf(out, REPUTATION_TEXT, "vetted: %" PRIu64 " pieces proven in %" PRIu64 " days",
			 reputation->proven, hours(now - reputation->since) / 24);
		break;
	case REPUTATION_BY_AUDITS:
		snprintf(out, REPUTATION_TEXT,
			 "audit score %s is not above %s: too many pieces were missing or corrupt (%" PRIu64
			 " in all, %" PRIu64 " were proven)",
			 decimal(audit, score), decimal(rules->audit.threshold, limit), reputation->failed,
			 reputation->proven);
		break;
	case REPUTATION_BY_LOSSES:
		snprintf(out, REPUTATION_TEXT, "audit score %s is not above %s after the losses that the node reported",
			 decimal(audit, score), decimal(rules->audit.threshold, limit));
		break;
	case REPUTATION_BY_UNKNOWN:
		snprintf(out, REPUTATION_TEXT,
			 "score %s of answered challenges is not above %s: too many were late, failed or never "
			 "answered; %" PRIu64 " hours are left to mend that",
			 decimal(unknown, score), decimal(rules->unknown.threshold, limit),
			 hours(rules->unknown_grace));
		break;
	case REPUTATION_BY_GRACE:
		snprintf(out, REPUTATION_TEXT,
			 "suspended for %" PRIu64 " hours without mending: score %s of answered challenges is not "
			 "above %s",
			 hours(now - reputation->suspended), decimal(unknown, score),
			 decimal(rules->unknown.threshold, limit));
		break;
	case REPUTATION_BY_ABSENCE:
		snprintf(out, REPUTATION_TEXT, "online score %s of the last %" PRIu64 " days is below %s",
			 decimal(online, score), hours(rules->tracking) / 24, decimal(rules->online, limit));
		break;
	case REPUTATION_BY_REVIEW:
		snprintf(out, REPUTATION_TEXT,
			 "online score %s is still below %s at the end of a review of %" PRIu64 " days",
			 decimal(online, score), decimal(rules->online, limit), hours(now - reputation->review) / 24);
		break;
	case REPUTATION_BY_RECOVERY:
		snprintf(out, REPUTATION_TEXT, "score %s of answered challenges is above %s again",
			 decimal(unknown, score), decimal(rules->unknown.threshold, limit));
		break;
	case REPUTATION_BY_RETURN:
		snprintf(out, REPUTATION_TEXT, "online score %s is not below %s any more", decimal(online, score),
			 decimal(rules->online, limit));
		break;
	}
	return out;
}

static void encode_windows(const struct reputation_rules *rules, const struct reputation *reputation, struct writer *w)
{
	uint64_t count = rules->tracking / rules->window;

	write_u32(w, (uint32_t)rules->window);
	write_u64(w, reputation->last_window);
	write_u16(w, (uint16_t)count);
	for (uint64_t i = 0; i < count; i++) { /* the newest first */
		static const struct reputation_window none;
		const struct reputation_window *window =
			i > reputation->last_window ? &none
						    : &reputation->windows[(reputation->last_window - i) % count];

		write_u16(w, window->asked);
		write_u16(w, window->offline);
	}
}

void reputation_encode(const struct reputation_rules *rules, const struct reputation *reputation, struct writer *w)
{
	write_u8(w, ENCODING_VERSION);
	write_u64(w, reputation->audit.alpha);
	write_u64(w, reputation->audit.beta);
	write_u64(w, reputation->unknown.alpha);
	write_u64(w, reputation->unknown.beta);
	write_u64(w, reputation->since);
	write_u64(w, reputation->proven);
	write_u64(w, reputation->failed);
	write_u64(w, reputation->vetted);
	write_u64(w, reputation->suspended);
	write_u64(w, reputation->offline);
	write_u64(w, reputation->review);
	write_u64(w, reputation->disqualified);
	encode_windows(rules, reputation, w);
}

static void decode_windows(const struct reputation_rules *rules, struct reader *r, struct reputation *ret)
{
	bool same = read_u32(r) == rules->window;
	uint64_t kept = rules->tracking / rules->window;
	uint16_t count;

	ret->last_window = read_u64(r);
	count = read_u16(r);
	if (count > REPUTATION_WINDOWS)
		reader_fail(r, ERR_FORMAT);
	for (uint64_t i = 0; i < count && r->err == ERR_OK; i++) {
		struct reputation_window window = {.asked = read_u16(r)};

		window.offline = read_u16(r);
		if (window.offline > window.asked)
			reader_fail(r, ERR_FORMAT);
		if (same && i < kept && i <= ret->last_window)
			ret->windows[(ret->last_window - i) % kept] = window;
	}
	if (!same)
		ret->last_window = 0;
}

enum err reputation_decode(const struct reputation_rules *rules, struct bytes from, struct reputation *ret)
{
	struct reputation result;
	struct reader r;
	enum err err;

	memset(&result, 0, sizeof(result));
	reader_init(&r, from);
	if (read_u8(&r) != ENCODING_VERSION)
		reader_fail(&r, from.len == 0 ? ERR_FORMAT : ERR_UNSUPPORTED);
	result.audit.alpha = read_u64(&r);
	result.audit.beta = read_u64(&r);
	result.unknown.alpha = read_u64(&r);
	result.unknown.beta = read_u64(&r);
	result.since = read_u64(&r);
	result.proven = read_u64(&r);
	result.failed = read_u64(&r);
	result.vetted = read_u64(&r);
	result.suspended = read_u64(&r);
	result.offline = read_u64(&r);
	result.review = read_u64(&r);
	result.disqualified = read_u64(&r);
	decode_windows(rules, &r, &result);
	err = reader_end(&r);
	if (err == ERR_OK)
		*ret = result;
	return err;
}
