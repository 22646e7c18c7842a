/* Finding the node and its receipts, and checking the transcript against them. */
#include "uplink/evidence_audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit/transcript.h"

static enum dossier_fault fault(char *why, enum dossier_fault found, const char *text)
{
	snprintf(why, DOSSIER_WHY, "%s", text);
	return found;
}

/* Whoever signed the same answers before there were verdicts; NULL when that Audit is not here. */
static const struct address *find_node(const struct dossier *dossier, const struct audit *audit)
{
	for (size_t i = 0; i < dossier_count(dossier); i++) {
		const struct evidence *other = dossier_item(dossier, i);

		if (other->type == &typed_audit && bytes32_is_zero(&other->object.audit.verdicts) &&
		    bytes32_equal(&other->object.audit.challenge, &audit->challenge) &&
		    bytes32_equal(&other->object.audit.answer, &audit->answer) &&
		    evidence_verify(other) == REFUSAL_NONE)
			return &other->signer;
	}
	return NULL;
}

static const struct receipt *find_receipt(const struct dossier *dossier, const struct address *node,
					  const struct bytes32 *piece)
{
	for (size_t i = 0; i < dossier_count(dossier) && node != NULL; i++) {
		const struct evidence *other = dossier_item(dossier, i);

		if (other->type == &typed_receipt && bytes32_equal(&other->object.receipt.piece, piece) &&
		    address_equal(&other->signer, node) && evidence_verify(other) == REFUSAL_NONE)
			return &other->object.receipt;
	}
	return NULL;
}

static enum dossier_fault check_roots(const struct dossier *dossier, const struct audit *audit,
				      const struct transcript *transcript, uint64_t *ret_bare, char *why)
{
	const struct address *node = find_node(dossier, audit);

	for (uint32_t i = 0; i < transcript->challenge.count; i++) {
		const struct transcript_piece *piece = &transcript->pieces[i];
		const struct receipt *receipt;

		if (piece->verdict != AUDITED_MISSING && piece->verdict != AUDITED_CORRUPT)
			continue;
		receipt = find_receipt(dossier, node, &transcript->challenge.pieces[i].piece);
		if (receipt == NULL) {
			++*ret_bare;
		} else if (!bytes32_equal(&receipt->root, &piece->root) || receipt->size != piece->size) {
			snprintf(why, DOSSIER_WHY, "piece %" PRIu32 ": the node's Receipt names another root or size",
				 i);
			return DOSSIER_SUM;
		}
	}
	return DOSSIER_SOUND;
}

static enum dossier_fault check(const struct dossier *dossier, const struct audit *audit,
				const struct transcript *transcript, uint64_t *ret_bare, char *why)
{
	const struct transcript_claim claim = {audit->challenge, audit->answer, audit->verdicts, audit->bytes};
	uint32_t piece = 0;
	enum transcript_fault found = transcript_check(transcript, &claim, &piece);

	switch (found) {
	case TRANSCRIPT_SOUND:
		break;
	case TRANSCRIPT_CHALLENGE:
	case TRANSCRIPT_ANSWER:
	case TRANSCRIPT_VERDICTS:
		return fault(why, DOSSIER_DATA, transcript_fault_text(found));
	case TRANSCRIPT_BYTES:
		return fault(why, DOSSIER_SUM, transcript_fault_text(found));
	case TRANSCRIPT_VERDICT:
		snprintf(why, DOSSIER_WHY, "piece %" PRIu32 " is said to be %s, which its answer does not show", piece,
			 audit_verdict_name((enum audit_verdict)transcript->pieces[piece].verdict));
		return DOSSIER_SUM;
	}
	/* Verdicts are the satellite's; a node's Audit has none. */
	return bytes32_is_zero(&audit->verdicts) ? DOSSIER_SOUND
						 : check_roots(dossier, audit, transcript, ret_bare, why);
}

enum dossier_fault evidence_audit_check(const struct dossier *dossier, size_t i, uint64_t *ret_bare,
					char why[DOSSIER_WHY])
{
	const struct audit *audit = &dossier_item(dossier, i)->object.audit;
	struct transcript transcript;
	enum dossier_fault found;
	bool there;
	struct bytes data = dossier_data(dossier, i, &there);

	*ret_bare = 0;
	if (!there)
		return DOSSIER_SOUND;
	if (transcript_decode(data, &transcript) != ERR_OK)
		return fault(why, DOSSIER_DATA, "no transcript of an audit");
	found = check(dossier, audit, &transcript, ret_bare, why);
	transcript_free(&transcript);
	return found;
}
