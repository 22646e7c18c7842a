/*
 * How far a satellite trusts a node: scores from what was observed, and what follows from them. Pure.
 *
 * Two scores are means of beta distributions with forgetting (Jøsang and Ismail, The Beta Reputation System, 2002). A
 * verdict v, +1 or -1, of weight w ≤ 1 makes
 *
 *	alpha = f·alpha + w(1+v)/2	beta = f·beta + w(1−v)/2	f = 1 − (1−λ)w	  score = alpha / (alpha + beta)
 *
 * so that the last 1/(1−λ) verdicts count, the newest most. With w = 1 that is the usual form.
 *
 *	audit	 pieces proven, against pieces missing or corrupt; λ 0.999 from (1000, 0). At 0.96 or less the node is
 *		 disqualified for good: 41 failures in a row, or some 4 % of its data. Anybody can check these verdicts.
 *	unknown	 challenges answered, against answers that prove nothing either way: late, errors, silence to the
 *		 end; λ 0.95 from (20, 0). At 0.6 or less (10 in a row) the node is suspended. A challenge counts once
 *		 however many pieces it asks for: against the node when a tenth of them or more came to nothing, in
 *		 part when fewer did. So a node that always says nothing about 4 % of its pieces is suspended, as one
 *		 that says they are missing is disqualified: silence is no way out.
 *	online	 of the last 30 days, in windows of 12 hours: 1 − the mean of the windows' offline shares, where a
 *		 window's share is observations that found the node offline ÷ all in that window. Every window weighs
 *		 the same; one without observations, or before the node came, counts as online. Below 0.6 (24 windows,
 *		 12 days, offline are allowed) the node is suspended, and under review.
 *
 *	vetting ──100 pieces proven, 21 days old──> good ──audit──> disqualified, held back pay forfeited
 *	   └────────────────── either ──unknown, online──> suspended ──not well in time──> disqualified, nothing
 *forfeited
 *
 * Suspended for unknown answers, a node has 7 days to get above the score again. Suspended for being offline, it is
 * reinstated as soon as its score allows, but the review goes on for 7 days and the 30 of the tracking period; when
 * the score is too low at its end, the node is disqualified. That is one party's word, so nothing is forfeited for it.
 *
 * Pieces that a node reports lost before it is asked for them count as failed audits by the share of all its pieces
 * that they are (as audits of a random sample would find them), at a tenth of the weight as long as all reports of a
 * month stay within 1 % of its pieces; beyond that fully.
 *
 * Integer arithmetic only: the same on every machine. Scores and λ are in millionths (REPUTATION_ONE), alpha and beta
 * in millionths of a verdict, times in Unix seconds.
 */
#ifndef GRANARY_AUDIT_REPUTATION_H
#define GRANARY_AUDIT_REPUTATION_H

#include "common/bytes.h"
#include "common/error.h"

#define REPUTATION_ONE 1000000
#define REPUTATION_WINDOWS 240	/* most in a tracking period */
#define REPUTATION_ENCODED 1200 /* room for any encoded reputation */
#define REPUTATION_TEXT 240

/* A beta score's rules. */
struct beta_rules {
	uint32_t lambda;
	uint64_t alpha, beta; /* of a new node */
	uint32_t threshold;   /* at or below which it has failed */
};

struct reputation_rules {
	struct beta_rules audit;
	struct beta_rules unknown;
	uint32_t unknown_share;	 /* of its pieces from which on a challenge came to nothing altogether */
	uint64_t unknown_grace;	 /* seconds */
	uint64_t window;	 /* seconds */
	uint64_t tracking;	 /* seconds, a whole number of windows */
	uint32_t online;	 /* below it a node is suspended */
	uint64_t offline_grace;	 /* seconds */
	uint64_t vetting_audits; /* pieces proven */
	uint64_t vetting_age;	 /* seconds */
	uint32_t loss_weight;	 /* of a loss that was reported in time */
	uint32_t loss_share;	 /* of its pieces a month up to which that holds */
};
extern const struct reputation_rules reputation_defaults;

/* Change rules by text: "name=value" separated by commas, as in "audit-threshold=0.95,unknown-grace=3d". Names:
 * audit-lambda audit-alpha audit-beta audit-threshold unknown-lambda unknown-alpha unknown-beta unknown-threshold
 * unknown-share unknown-grace online-window online-period online-threshold offline-grace vetting-audits vetting-age
 * loss-weight loss-share. Scores, λ, weight and share are decimals of at most six places, times are as of options
 * ("12h", "30d"). "" changes nothing. ERR_FORMAT, ERR_RANGE with a sentence in `why` that names the rule and its limit;
 * *rules is then as it was. */
enum err reputation_rules_parse(const char *text, struct reputation_rules *rules, char *why, size_t room) WARN_UNUSED;

/* The numbers are those of a satellite's database. A node that is exiting or has exited is so besides. */
enum reputation_state {
	REPUTATION_GOOD = 1,
	REPUTATION_VETTING = 2,
	REPUTATION_SUSPENDED = 3, /* for unknown answers */
	REPUTATION_OFFLINE = 4,	  /* suspended for being offline */
	REPUTATION_DISQUALIFIED = 5,
};

/* Why a state changed. */
enum reputation_reason {
	REPUTATION_NO_REASON = 0,
	REPUTATION_BY_VETTING = 1,  /* vetting → good */
	REPUTATION_BY_AUDITS = 2,   /* → disqualified: its audit score */
	REPUTATION_BY_LOSSES = 3,   /* → disqualified: its audit score, by losses that it reported */
	REPUTATION_BY_UNKNOWN = 4,  /* → suspended */
	REPUTATION_BY_GRACE = 5,    /* suspended → disqualified */
	REPUTATION_BY_ABSENCE = 6,  /* → offline */
	REPUTATION_BY_REVIEW = 7,   /* offline → disqualified */
	REPUTATION_BY_RECOVERY = 8, /* suspended → what it was */
	REPUTATION_BY_RETURN = 9,   /* offline → what it was */
};

struct beta {
	uint64_t alpha, beta;
};

/* Observations in one window. */
struct reputation_window {
	uint16_t asked, offline;
};

/* All that is remembered of a node. Plain data: reputation_encode makes it a column. */
struct reputation {
	struct beta audit;
	struct beta unknown;
	uint64_t since;	 /* it came */
	uint64_t proven; /* pieces, in all its life */
	uint64_t failed;
	uint64_t vetted; /* from here on times, 0: not */
	uint64_t suspended;
	uint64_t offline;
	uint64_t review; /* began, with a suspension for being offline */
	uint64_t disqualified;
	uint64_t last_window;				      /* number since 1970 of the newest below */
	struct reputation_window windows[REPUTATION_WINDOWS]; /* window n at n % how many there are */
};

/* What an observation changed. `from` equals `to` when it changed nothing that matters to others. */
struct reputation_change {
	enum reputation_state from, to;
	enum reputation_reason reason;
	bool forfeits; /* what is held back of its pay: for what can be proven only */
};

/* Verdicts on the pieces of one challenge. */
struct reputation_verdicts {
	uint32_t proven;
	uint32_t failed;   /* missing or corrupt */
	uint32_t doubtful; /* late, an unknown error, or silence in mid-challenge through all its repetitions */
};

/* A new node. */
void reputation_init(const struct reputation_rules *rules, uint64_t now, struct reputation *ret);
enum reputation_state reputation_state(const struct reputation *reputation);

/* Observations; each lets the time until `now` pass first. A disqualified node stays so. */

/* A challenge was judged. */
struct reputation_change reputation_note_audit(const struct reputation_rules *rules, struct reputation *reputation,
					       const struct reputation_verdicts *verdicts, uint64_t now);
/* The node reported `lost` pieces before it was asked for them, and `earlier` in the same month; it held `held` pieces
 * before. */
struct reputation_change reputation_note_losses(const struct reputation_rules *rules, struct reputation *reputation,
						uint64_t lost, uint64_t earlier, uint64_t held, uint64_t now);
/* The node was heard from, or could not be reached when somebody tried. */
struct reputation_change reputation_note_online(const struct reputation_rules *rules, struct reputation *reputation,
						bool online, uint64_t now);
/* Nothing happened but that time passed. */
struct reputation_change reputation_note_time(const struct reputation_rules *rules, struct reputation *reputation,
					      uint64_t now);
/* When reputation_note_time may change its state next, 0: never without another observation. */
uint64_t reputation_due(const struct reputation_rules *rules, const struct reputation *reputation);

/* The scores, in millionths. */
uint32_t reputation_audit_score(const struct reputation *reputation);
uint32_t reputation_unknown_score(const struct reputation *reputation);
uint32_t reputation_online_score(const struct reputation_rules *rules, const struct reputation *reputation,
				 uint64_t now);

/* How much is left, for people. Of the next `of` audits, how many it may fail, in whatever order, without being
 * disqualified; of challenges, how many may come to nothing before it is suspended. */
uint32_t reputation_audits_left(const struct reputation_rules *rules, const struct reputation *reputation, uint32_t of);
uint32_t reputation_unknown_left(const struct reputation_rules *rules, const struct reputation *reputation,
				 uint32_t of);
/* Seconds that it may be offline from now on without being suspended, in whole windows. */
uint64_t reputation_offline_left(const struct reputation_rules *rules, const struct reputation *reputation,
				 uint64_t now);

/* "good"; for JSON, logs and people. Never NULL. */
const char *reputation_state_name(enum reputation_state state);
/* One sentence that says why, with the scores and limits as they are now. Returns out. */
char *reputation_describe(const struct reputation_rules *rules, const struct reputation *reputation,
			  enum reputation_reason reason, uint64_t now, char out[REPUTATION_TEXT]);

/* Encoding for a column. Windows of another length than that of the rules are forgotten by decoding: they cannot be
 * compared. ERR_FORMAT, ERR_UNSUPPORTED (a version that we do not know). */
void reputation_encode(const struct reputation_rules *rules, const struct reputation *reputation, struct writer *w);
enum err reputation_decode(const struct reputation_rules *rules, struct bytes from, struct reputation *ret) WARN_UNUSED;

#endif
