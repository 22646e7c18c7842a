/* The table, and the list that is kept sorted. */
#include "node/findings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/options.h"
#include "node/overdue.h"

#define FILES_ABOUT 500 /* that an allocation is divided into, or more */

struct row {
	const char *name;
	enum finding_severity severity;
	const char *remedy;
};

static const struct row rows[FINDING_CODES] = {
	[FINDING_STORAGE_MISSING] = {"storage-missing", FINDING_CRITICAL,
				     "Mount the disk, or correct the mount point; the node goes on by itself as soon "
				     "as its store is back. Until then it answers nobody, so nothing counts as lost."},
	[FINDING_STORE_READ_ONLY] = {"store-read-only", FINDING_CRITICAL,
				     "Look at the kernel's log (dmesg) and at the disk (smartctl -a), mend or replace "
				     "it, then restart the node: it reads what is really there."},
	[FINDING_STORE_DAMAGED] = {"store-damaged", FINDING_WARNING,
				   "Look at the disk (smartctl -a). The satellites are told and have the pieces made "
				   "anew elsewhere; granary-node store check reads everything once."},
	[FINDING_STORE_GONE] = {"store-gone", FINDING_CRITICAL,
				"Put the files back if you moved them, and restart the node. What stays away is lost."},
	[FINDING_DISK_FULL] = {"disk-full", FINDING_CRITICAL,
			       "Make room on the disk, or offer less: granary-node resize SIZE."},
	[FINDING_DISK_ALMOST_FULL] = {"disk-almost-full", FINDING_WARNING,
				      "Make room on the disk, or offer less: granary-node resize SIZE."},
	[FINDING_DISK_INODES] = {"disk-inodes", FINDING_WARNING,
				 "Delete small files of others on this filesystem; the node itself keeps few, large "
				 "ones."},
	[FINDING_DISK_SLOW] = {"disk-slow", FINDING_WARNING,
			       "See what else uses the disk; a drive that gets slow is often about to fail "
			       "(smartctl -a), and shingled drives are slow by nature."},
	[FINDING_DISK_ERROR] = {"disk-error", FINDING_CRITICAL,
				"Look at the kernel's log (dmesg), at the cable and at the disk (smartctl -a)."},
	[FINDING_DISK_KIND] = {"disk-kind", FINDING_WARNING,
			       "Use ext4 or XFS on a disk of this machine: memory disks forget, FAT keeps no large "
			       "files, and network filesystems do not keep what they have promised to sync."},
	[FINDING_DISK_SYSTEM] = {"disk-system", FINDING_NOTE,
				 "Give the store a disk or partition of its own; a full system disk stops the whole "
				 "machine."},
	[FINDING_ROOM_SHORT] = {"room-short", FINDING_WARNING, "Offer what the disk has: granary-node resize SIZE."},
	[FINDING_KEY_MISSING] = {"key-missing", FINDING_CRITICAL,
				 "Put the key back from your backup. Without it this node's pieces and pay are lost; "
				 "a new node begins with granary-node setup."},
	[FINDING_KEY_MODE] = {"key-mode", FINDING_CRITICAL,
			      "Nobody but its owner may read the key: chmod 600 it. If strangers could have read it, "
			      "start a new node."},
	[FINDING_KEY_DAMAGED] = {"key-damaged", FINDING_CRITICAL, "Put the key back from your backup."},
	[FINDING_DATABASE_DAMAGED] =
		{"database-damaged", FINDING_CRITICAL,
		 "It is put aside at the node's next start and made anew: orders from the store, "
		 "papers from the satellites. A copy of yours from before is better: stop the node, "
		 "put it there. Delete the damaged file to end this."},
	[FINDING_CLOCK_SKEW] = {"clock-skew", FINDING_CRITICAL,
				"Set the clock and keep it set: timedatectl set-ntp true. With a wrong clock uploads, "
				"orders and settlements are refused."},
	[FINDING_PORT_CLOSED] = {"port-closed", FINDING_CRITICAL,
				 "Forward the node's TCP port on the router to this machine, let it through the "
				 "firewall, and set --external to the address that the world sees."},
	[FINDING_PORT_SHARED] = {"port-shared", FINDING_CRITICAL,
				 "Your provider puts many customers behind one address (CGNAT), so nobody can dial in: "
				 "ask it for a public address, use IPv6, or a tunnel with a public address."},
	[FINDING_PORT_MAPPING] = {"port-mapping", FINDING_NOTE,
				  "Switch UPnP or NAT-PMP on in the router, or forward the port by hand and set "
				  "port-mapping = off."},
	[FINDING_SATELLITE_UNREACHABLE] = {"satellite-unreachable", FINDING_WARNING,
					   "See whether this machine is online. If only this satellite is away, it "
					   "is the satellite's trouble: nothing is lost, orders wait."},
	[FINDING_SATELLITE_CHANGED] = {"satellite-changed", FINDING_CRITICAL,
				       "Ask the satellite's operator before you go on: orders are signed for one chain "
				       "and contract."},
	[FINDING_SATELLITE_UNKNOWN] = {"satellite-unknown", FINDING_NOTE, "Wait for the first check-in."},
	[FINDING_ORDERS_WAITING] = {"orders-waiting", FINDING_WARNING,
				    "Try granary-node settle, which says what is in the way."},
	[FINDING_ORDERS_LAPSING] = {"orders-lapsing", FINDING_CRITICAL,
				    "Try granary-node settle now: what is not settled in time is not paid."},
	[FINDING_ORDERS_BEHIND] = {"orders-behind", FINDING_CRITICAL,
				   "See that the node's own directory has room and can be written, then restart it: "
				   "the orders are still in the store."},
	[FINDING_HOLDINGS_DIFFER] = {"holdings-differ", FINDING_WARNING,
				     "Nothing is wrong on this side. granary-node earnings --period shows the "
				     "difference; granary-node dispute export writes down the proof."},
	[FINDING_COLLECTION_HELD] =
		{"collection-held", FINDING_WARNING,
		 "Ask the satellite's operator whether that is meant; granary-node store agree lets "
		 "it happen."},
	[FINDING_SUSPENDED] = {"suspended", FINDING_CRITICAL,
			       "Mend the cause; the node gets new pieces again when it has answered well for a "
			       "while."},
	[FINDING_DISQUALIFIED] = {"disqualified", FINDING_CRITICAL,
				  "This satellite gives the node no more work and keeps what it held back; "
				  "granary-node forget gives the room of its pieces back."},
	[FINDING_PAUSED] = {"paused", FINDING_NOTE, "End it earlier with granary-node pause 0."},
	[FINDING_NOT_RUNNING] = {"not-running", FINDING_CRITICAL,
				 "Start it: systemctl start granary-node, or granary-node run."},
	[FINDING_VERSION] = {"version", FINDING_NOTE, "Restart the node, so that it runs what is installed."},
};

static const char *const severity_names[] = {"note", "warning", "critical"};

const char *finding_name(enum finding_code code)
{
	assert((unsigned)code < FINDING_CODES);
	return rows[code].name;
}

enum finding_severity finding_severity(enum finding_code code)
{
	assert((unsigned)code < FINDING_CODES);
	return rows[code].severity;
}

const char *finding_severity_name(enum finding_severity severity)
{
	assert(severity <= FINDING_CRITICAL);
	return severity_names[severity];
}

const char *finding_remedy(enum finding_code code)
{
	assert((unsigned)code < FINDING_CODES);
	return rows[code].remedy;
}

struct findings {
	struct finding *list;
	size_t count, room;
};

struct findings *findings_new(void)
{
	return memory_new(1, sizeof(struct findings));
}

void findings_free(struct findings *findings)
{
	if (findings == NULL)
		return;
	free(findings->list);
	free(findings);
}

/* Where it stands already, or is to stand: behind all that are as bad. */
static struct finding *place_for(struct findings *findings, enum finding_code code, const char *subject)
{
	size_t at = 0;

	for (size_t i = 0; i < findings->count; i++) {
		struct finding *f = &findings->list[i];

		if (f->code == code && strcmp(f->subject, subject) == 0)
			return f;
	}
	findings->list = memory_grow(findings->list, &findings->room, findings->count + 1, sizeof(*findings->list));
	while (at < findings->count && rows[findings->list[at].code].severity >= rows[code].severity)
		at++;
	memmove(&findings->list[at + 1], &findings->list[at], (findings->count - at) * sizeof(*findings->list));
	findings->count++;
	return &findings->list[at];
}

void findings_add(struct findings *findings, enum finding_code code, const char *subject, const char *format, ...)
{
	struct finding new = {.code = code};
	va_list list;

	snprintf(new.subject, sizeof(new.subject), "%s", subject);
	va_start(list, format);
	vsnprintf(new.text, sizeof(new.text), format, list);
	va_end(list);
	*place_for(findings, code, new.subject) = new;
}

size_t findings_count(const struct findings *findings)
{
	return findings->count;
}

const struct finding *findings_at(const struct findings *findings, size_t index)
{
	assert(index < findings->count);
	return &findings->list[index];
}

const struct finding *findings_find(const struct findings *findings, enum finding_code code)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->list[i].code == code)
			return &findings->list[i];
	}
	return NULL;
}

int findings_level(const struct findings *findings)
{
	return findings->count == 0 ? 0 : (int)rows[findings->list[0].code].severity;
}

void finding_print(const struct finding *finding, FILE *to)
{
	static const char *const heads[] = {"note", "WARNING", "CRITICAL"};

	fprintf(to, "%-9s  %s%s%s%s\n           %s\n", heads[finding_severity(finding->code)], finding->text,
		finding->subject[0] == '\0' ? "" : " (", finding->subject, finding->subject[0] == '\0' ? "" : ")",
		finding_remedy(finding->code));
}

json_t *findings_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];
		const struct row *row = &rows[f->code];
		json_t *json = json_object();

		json_object_set_new(json, "code", json_string(row->name));
		json_object_set_new(json, "severity", json_string(severity_names[row->severity]));
		json_object_set_new(json, "subject", json_string(f->subject));
		json_object_set_new(json, "text", json_string(f->text));
		json_object_set_new(json, "remedy", json_string(row->remedy));
		json_array_append_new(list, json);
	}
	return list;
}

void findings_add_json(struct findings *findings, const json_t *list)
{
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json) {
		const char *name = json_string_value(json_object_get(json, "code"));
		const char *subject = json_string_value(json_object_get(json, "subject"));
		const char *text = json_string_value(json_object_get(json, "text"));

		for (int code = 0; name != NULL && code < FINDING_CODES; code++) {
			if (strcmp(rows[code].name, name) == 0)
				findings_add(findings, (enum finding_code)code, subject == NULL ? "" : subject, "%s",
					     text == NULL ? "" : text);
		}
	}
}

/* Judging. */

static void judge_store(struct findings *to, const struct finding_figures *f)
{
	char free_text[16], size[16];

	if (f->missing != NULL && f->missing[0] != '\0') {
		findings_add(to, FINDING_STORAGE_MISSING, "", "%s", f->missing);
		return; /* what was known of it before says nothing */
	}
	if (f->read_only)
		findings_add(to, FINDING_STORE_READ_ONLY, "", "The store takes no more writes: %s.",
			     f->read_only_reason);
	if (f->gone_files > 0)
		findings_add(to, FINDING_STORE_GONE, "",
			     "%" PRIu64 " files of the store with %" PRIu64 " pieces were gone at the start.",
			     f->gone_files, f->gone_pieces);
	if (f->damaged > 0)
		findings_add(to, FINDING_STORE_DAMAGED, "", "The disk damaged %" PRIu64 " pieces.", f->damaged);
	if (f->held > 0)
		findings_add(to, FINDING_COLLECTION_HELD, "",
			     "%" PRIu64 " satellites want more than a fifth of their pieces thrown away.", f->held);
	if (f->disk_total == 0)
		return;
	option_print_size(f->disk_free, free_text);
	option_print_size(f->allocation, size);
	/* Full is what stops the node before its owner meant it to: no room for even one more file of the store. */
	if (f->used < f->allocation && f->disk_free < f->allocation / FILES_ABOUT)
		findings_add(to, FINDING_DISK_FULL, "",
			     "The disk has %s left, so the node takes no more pieces before its %s are used up.",
			     free_text, size);
	else if (f->disk_free < f->disk_total / 50)
		findings_add(to, FINDING_DISK_ALMOST_FULL, "", "The disk has %s left, less than 2 %% of it.",
			     free_text);
}

static void judge_inodes(struct findings *to, const struct finding_figures *f)
{
	if (f->inodes_total > 0 && f->inodes_free < f->inodes_total / 50)
		findings_add(to, FINDING_DISK_INODES, "", "The filesystem can hold only %" PRIu64 " more files.",
			     f->inodes_free);
}

static void judge_orders(struct findings *to, const struct finding_figures *f)
{
	char since[24], until[24];

	if (f->ledger_behind)
		findings_add(to, FINDING_ORDERS_BEHIND, "", "Orders cannot be written into the ledger.");
	if (f->orders == OVERDUE_NONE)
		return;
	clock_format(f->orders_since, since, sizeof(since));
	clock_format(f->orders_until, until, sizeof(until));
	if (f->orders == OVERDUE_LAPSING_SOON)
		findings_add(to, FINDING_ORDERS_LAPSING, "", "Orders are worth nothing unless settled by %s.", until);
	else
		findings_add(to, FINDING_ORDERS_WAITING, "",
			     "Orders wait to be settled since %s; they can be until %s.", since, until);
}

/* What it thinks of this node, in its own words. */
static void judge_status(struct findings *to, const struct finding_satellite *s)
{
	const char *reason = s->reason == NULL ? "" : s->reason;
	const char *mark = reason[0] == '\0' ? "" : ": ";

	if (s->status == FINDING_STATUS_SUSPENDED || s->status == FINDING_STATUS_OFFLINE)
		findings_add(to, FINDING_SUSPENDED, s->address, "The satellite suspended this node%s%s.", mark, reason);
	else if (s->status == FINDING_STATUS_DISQUALIFIED)
		findings_add(to, FINDING_DISQUALIFIED, s->address, "The satellite disqualified this node%s%s.", mark,
			     reason);
}

static void judge_satellite(struct findings *to, const struct finding_figures *f, const struct finding_satellite *s)
{
	bool young = f->now < f->started + FINDINGS_PATIENCE;
	int64_t skew = s->skew < 0 ? -s->skew : s->skew;
	const char *reason = s->reason == NULL ? "" : s->reason;
	char size[16];

	if (s->other_domain)
		findings_add(to, FINDING_SATELLITE_CHANGED, s->address,
			     "The satellite names another chain or contract than before.");
	else if (!s->answered && young)
		findings_add(to, FINDING_SATELLITE_UNKNOWN, s->address, "Not checked in yet.");
	else if (!s->answered)
		findings_add(to, FINDING_SATELLITE_UNREACHABLE, s->address, "No check-in: %s.",
			     reason[0] != '\0' ? reason : "no answer");
	else if (!s->reachable && s->status != FINDING_STATUS_DISQUALIFIED && f->paused_until == 0 &&
		 (f->missing == NULL || f->missing[0] == '\0'))
		findings_add(to, FINDING_PORT_CLOSED, s->address, "The satellite cannot dial this node: %s.",
			     reason[0] != '\0' ? reason : "no answer");
	if (s->answered)
		judge_status(to, s);
	if (s->since > 0 && skew > FINDINGS_SKEW)
		findings_add(to, FINDING_CLOCK_SKEW, s->address,
			     "This machine's clock is %" PRId64 " seconds %s the satellite's.", skew,
			     s->skew > 0 ? "behind" : "ahead of");
	if (s->unlisted_pieces + s->otherwise > 0)
		findings_add(to, FINDING_HOLDINGS_DIFFER, s->address,
			     "Of what is stored here the satellite does not count %" PRIu64 " pieces (%s), and %" PRIu64
			     " otherwise.",
			     s->unlisted_pieces, option_print_size(s->unlisted_bytes, size), s->otherwise);
}

/* Only where it matters: somebody cannot dial in. */
static void judge_port(struct findings *to, const struct finding_figures *f)
{
	if (findings_find(to, FINDING_PORT_CLOSED) == NULL)
		return;
	if (f->mapping_shared)
		findings_add(
			to, FINDING_PORT_SHARED, "",
			"The router's own address is a private one: the provider shares one among many (CGNAT), or "
			"there is a second router.");
	else if (f->mapping_failed != NULL)
		findings_add(to, FINDING_PORT_MAPPING, "", "The port was not opened: %s.", f->mapping_failed);
}

static void judge_files(struct findings *to, const struct finding_figures *f)
{
	if (f->key_wrong != NULL)
		findings_add(to, FINDING_KEY_MODE, "", "%s.", f->key_wrong);
	if (f->damaged_database != NULL)
		findings_add(to, FINDING_DATABASE_DAMAGED, f->damaged_database,
			     "A database was damaged and has been made anew; the damaged one is kept.");
}

void findings_judge(struct findings *findings, const struct finding_figures *figures)
{
	char until[24];

	judge_store(findings, figures);
	judge_inodes(findings, figures);
	judge_orders(findings, figures);
	for (size_t i = 0; i < figures->satellite_count; i++)
		judge_satellite(findings, figures, &figures->satellites[i]);
	judge_port(findings, figures);
	judge_files(findings, figures);
	if (figures->paused_until > figures->now) {
		clock_format(figures->paused_until, until, sizeof(until));
		findings_add(findings, FINDING_PAUSED, "", "The node takes no new transfers until %s.", until);
	}
}
