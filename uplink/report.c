/* A sample of fixed size from a stream: each newcomer replaces one of those kept with the chance that is fair. */
#include "uplink/report.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "uplink/metadata.h"

struct seen {
	enum transfer_outcome outcome;
	uint64_t bytes;
	uint32_t ms;
	uint8_t *allocation;
	size_t len;
};

struct report {
	struct uplink *uplink;
	uint32_t offered; /* since the last report */
	uint32_t count;
	struct seen seen[MESSAGE_REPORT_MAX];
};

struct report *report_new(struct uplink *uplink)
{
	struct report *report = memory_new(1, sizeof(*report));

	report->uplink = uplink;
	return report;
}

static void clear(struct report *report)
{
	for (uint32_t i = 0; i < report->count; i++)
		free(report->seen[i].allocation);
	report->count = report->offered = 0;
}

void report_free(struct report *report)
{
	if (report == NULL)
		return;
	clear(report);
	free(report);
}

/* Where the next one goes; NULL when it is not drawn. */
static struct seen *draw_place(struct report *report)
{
	uint64_t place;

	report->offered++;
	if (report->count < MESSAGE_REPORT_MAX)
		return &report->seen[report->count++];
	place = random_below(report->offered);
	if (place >= MESSAGE_REPORT_MAX)
		return NULL;
	free(report->seen[place].allocation);
	return &report->seen[place];
}

void report_add(struct report *report, const struct permit *permit, enum transfer_outcome outcome, uint64_t bytes,
		uint64_t begun)
{
	uint64_t ms = (clock_monotonic() - begun) / 1000000;
	struct seen *seen = draw_place(report);

	if (seen == NULL)
		return;
	*seen = (struct seen){
		.outcome = outcome,
		.bytes = bytes,
		.ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms,
		.allocation = memory_copy(permit->wire, permit->wire_len),
		.len = permit->wire_len,
	};
}

void report_send(struct report *report)
{
	size_t room = MESSAGE_REPORT_MAX * (MESSAGE_SIGNED_MAX + 16);
	struct message message = {.type = MSG_REPORT};
	uint8_t *list;
	struct writer w;

	if (report->count == 0 || report->uplink->metadata == NULL) {
		clear(report);
		return;
	}
	list = memory_new(1, room);
	writer_init(&w, list, room);
	for (uint32_t i = 0; i < report->count; i++) {
		const struct seen *seen = &report->seen[i];
		struct item_transfer item = {bytes_of(seen->allocation, seen->len), (uint8_t)seen->outcome,
					     seen->bytes, seen->ms};

		fields_encode(&item_transfer_fields, &item, &w);
	}
	message.report.transfers = list_of(&w, report->count);
	metadata_tell(report->uplink->metadata, &message);
	free(list);
	clear(report);
}
