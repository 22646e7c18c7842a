/*
 * A dossier: signed things that belong together, as one JSON file for whoever is to judge between a node and a
 * satellite. Pure; checking needs no network and trusts neither side.
 *
 *	{"format": "granary-dossier-1", "items": [EVIDENCE, …]}
 *
 * Each item is a piece of evidence (payments/evidence.h). One that commits to a list may carry that list beside it, as
 * "data", "0x" and hex: what a Usage, Statement, Settlement, Settled, Deletion or Loss was signed over. Items name
 * each other by struct hash: an Order its Allocation, a Settled its Settlement. The data of an Audit is a transcript
 * (audit/transcript.h), which is not looked into here.
 */
#ifndef GRANARY_PAYMENTS_DOSSIER_H
#define GRANARY_PAYMENTS_DOSSIER_H

#include "payments/evidence.h"

#define DOSSIER_FORMAT "granary-dossier-1"
#define DOSSIER_WHY (EVIDENCE_WHY + 40)

struct dossier;

/* Read the file, from anyone. ERR_FORMAT, with a sentence in `why` that names the item, unless all of it is evidence;
 * nothing is verified yet. Unknown members are passed over. */
enum err dossier_read(struct bytes json, struct dossier **ret, char why[DOSSIER_WHY]) WARN_UNUSED;
void dossier_free(struct dossier *dossier);

size_t dossier_count(const struct dossier *dossier);
const struct evidence *dossier_item(const struct dossier *dossier, size_t i);
/* The list beside an item; *ret_there is false when there is none. */
struct bytes dossier_data(const struct dossier *dossier, size_t i, bool *ret_there);
/* The item that item i names by struct hash, when it is here; -1 when it is not, or i names none. */
ptrdiff_t dossier_named(const struct dossier *dossier, size_t i);
/* Another item that item i excludes: of the same type, signer and domain, about the same thing, and different. A
 * Statement of a month, a Usage of a day and a Price from a day on are signed once only. -1: none, or i is of another
 * type. Only items of which counts[item] is true are looked at: those that were found authentic. */
ptrdiff_t dossier_rival(const struct dossier *dossier, size_t i, const bool *counts);

/* What can be wrong with an item; the first that applies. All but the last say that it proves nothing. */
enum dossier_fault {
	DOSSIER_SOUND = 0,
	DOSSIER_SIGNATURE, /* not signed by its signer, or not by the party that it names itself */
	DOSSIER_PARTY,	   /* the item that it names says that somebody else must sign, or is of another domain */
	DOSSIER_DATA,	   /* the list beside it is not the one that was signed */
	DOSSIER_SUM,	   /* authentic, but a number in it does not follow from its list: against its signer */
};
/* `why`: which rule, when there is a fault. */
enum dossier_fault dossier_check(const struct dossier *dossier, size_t i, char why[DOSSIER_WHY]) WARN_UNUSED;
/* "signature"; for JSON. Never NULL. */
const char *dossier_fault_name(enum dossier_fault fault);

/* An item for writing: evidence_to_json and, unless empty, `data` beside it. A new reference, never NULL. */
json_t *dossier_item_json(const struct evidence *evidence, struct bytes data);

#endif
