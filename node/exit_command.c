/*
 * granary-node exit: show what leaving a satellite means and costs, ask, begin; later, show how far it has come.
 *
 * It talks to the satellite itself, with the node's key, beside the running node; that goes on asking, and keeps the
 * satellite's Exit when it comes, whatever becomes of this command.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/hex.h"
#include "node/book_access.h"
#include "node/commands.h"
#include "node/leave.h"

struct exit_job {
	struct options *options;
	struct book_access books;
	struct satellite satellite;
	struct leave_state state;
	char why[SETTINGS_MESSAGE];
};

/* One of the node's satellites, by id or address, or the start of either. */
static enum err find_satellite(struct exit_job *job, const char *text)
{
	struct satellite *list;
	size_t count = trust_list(job->books.trust, &list), len = strlen(text), found = 0;

	for (size_t i = 0; i < count; i++) {
		char id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT];

		id_to_hex(&list[i].endpoint.id, id);
		address_to_text(&list[i].address, address);
		if (len < 4 || (strncasecmp(id, text, len) != 0 && strncasecmp(address, text, len) != 0))
			continue;
		job->satellite = list[i];
		found++;
	}
	free(list);
	if (found == 1 && job->satellite.pinned)
		return ERR_OK;
	if (found == 1)
		snprintf(job->why, sizeof(job->why), "%s: this node has not checked in with it yet", text);
	else
		snprintf(job->why, sizeof(job->why), "%s: %s", text,
			 found == 0 ? "not one of this node's satellites" : "more than one of this node's satellites");
	return ERR_USAGE;
}

/* Ask, and keep what is worth keeping. */
static enum err ask(struct exit_job *job, bool begin)
{
	const atomic_bool stop = false;
	struct errand *errand = NULL;
	char why[ERRAND_MESSAGE] = "";
	enum err err = errand_open(job->books.key, &job->satellite.endpoint, &stop, &errand, why);

	if (err == ERR_OK)
		err = leave_ask(errand, begin, &job->state, why);
	errand_close(errand);
	if (err == ERR_OK && job->state.state != EXIT_NONE)
		err = papers_keep_exit(job->books.papers, &job->satellite, key_address(job->books.key),
				       &job->state.exit, why);
	if (err != ERR_OK)
		snprintf(job->why, sizeof(job->why), "%s", why[0] == '\0' ? err_text(err) : why);
	return err;
}

static const char *name_of(enum exit_state state)
{
	static const char *const names[] = {[EXIT_NONE] = "none",
					    [EXIT_UNDER_WAY] = "leaving",
					    [EXIT_COMPLETE] = "complete",
					    [EXIT_FAILED] = "failed"};

	return state >= EXIT_NONE && state <= EXIT_FAILED ? names[state] : "unknown";
}

static void print_json(const struct exit_job *job)
{
	const struct leave_state *s = &job->state;
	char address[KEY_ADDRESS_TEXT], held[AMOUNT_TEXT], receipt[2 * MESSAGE_SIGNED_MAX + 1];
	json_t *json;

	address_to_text(&job->satellite.address, address);
	hex_encode(bytes_of(s->exit.receipt, s->exit.receipt_len), receipt);
	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "satellite", address,
			 "state", name_of(s->state), "allowed", (json_int_t)s->allowed, "asked",
			 (json_int_t)s->exit.asked, "ended", (json_int_t)s->exit.ended, "pieces",
			 (json_int_t)s->exit.pieces, "bytes", (json_int_t)s->bytes, "left", (json_int_t)s->exit.left,
			 "moved", (json_int_t)s->exit.moved, "failed", (json_int_t)s->exit.failed, "failed_max",
			 (json_int_t)s->failed_max, "held", amount_print(s->held, held), "why", s->exit.why, "receipt",
			 receipt);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static void print_preview(const struct exit_job *job)
{
	const struct leave_state *s = &job->state;
	char address[KEY_ADDRESS_TEXT], held[AMOUNT_TEXT], size[16], when[32];

	address_to_text(&job->satellite.address, address);
	printf("satellite    %s\nto move      %" PRIu64 " pieces, %s\n", address, s->exit.pieces,
	       option_print_size(s->bytes, size));
	printf("held back    %s tokens in closed months; paid out when the exit is complete, lost if it fails\n",
	       amount_print(s->held, held));
	printf("may fail     %" PRIu64 " pieces; with more, the exit fails as if the node was disqualified\n",
	       s->failed_max);
	if (s->allowed > clock_wall())
		printf("possible     from %s on\n", clock_format(s->allowed, when, sizeof(when)));
	printf("No new pieces come from then on. Stay online until it is complete: pieces are read from this node.\n");
	fflush(stdout);
}

static void print_progress(const struct exit_job *job)
{
	const struct leave_state *s = &job->state;
	char address[KEY_ADDRESS_TEXT], when[32];

	address_to_text(&job->satellite.address, address);
	printf("satellite    %s\nstate        %s\nasked        %s\n", address, name_of(s->state),
	       clock_format(s->exit.asked, when, sizeof(when)));
	if (s->exit.ended != 0)
		printf("ended        %s\n", clock_format(s->exit.ended, when, sizeof(when)));
	printf("moved        %" PRIu64 " of %" PRIu64 " pieces, %" PRIu64 " left\nfailed       %" PRIu64
	       ", at most %" PRIu64 " may\n",
	       s->exit.moved, s->exit.pieces, s->exit.left, s->exit.failed, s->failed_max);
	if (s->exit.why[0] != '\0')
		printf("why          %s\n", s->exit.why);
	if (s->state == EXIT_COMPLETE)
		printf("The satellite's signed Exit is kept; what was held back is part of its next statement.\n");
}

/* Whether to go on. Without a terminal to ask at, silence is no. */
static bool confirm(struct exit_job *job)
{
	char line[16] = "";

	if (option_flag(job->options, "yes"))
		return true;
	if (!isatty(STDIN_FILENO)) {
		snprintf(job->why, sizeof(job->why), "nothing has begun: there is no terminal to ask at; --yes begins");
		return false;
	}
	fprintf(stderr, "Leave this satellite for good? [y/N] ");
	if (fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
		return true;
	snprintf(job->why, sizeof(job->why), "nothing has begun");
	return false;
}

static enum err run(struct exit_job *job)
{
	bool json = option_flag(job->options, "json");
	enum err err = book_access_open(&job->books, job->options);

	if (err != ERR_OK)
		snprintf(job->why, sizeof(job->why), "%s", job->books.why);
	if (err == ERR_OK)
		err = find_satellite(job, options_argument(job->options, 0));
	if (err == ERR_OK)
		err = ask(job, false);
	if (err == ERR_OK && job->state.state == EXIT_NONE && !(json && !option_flag(job->options, "yes"))) {
		if (!json)
			print_preview(job);
		err = confirm(job) ? ask(job, true) : ERR_CANCELLED;
	}
	if (err == ERR_OK && json)
		print_json(job);
	else if (err == ERR_OK)
		print_progress(job);
	return err;
}

int node_exit(struct options *options)
{
	struct exit_job job = {.options = options};
	enum err err = run(&job);

	if (err != ERR_OK)
		fprintf(stderr, "granary-node: exit: %s\n", job.why);
	book_access_close(&job.books);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
