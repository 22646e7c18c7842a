/*
 * `setup`: from nothing to a node that its satellites reach, in a few questions.
 *
 * Everything that is asked has a flag and a default, so that `--yes` asks nothing; everything is kept by what stands in
 * DIR, so that a second run changes only what it is told to. The store may stand on a disk of its own: DIR/store is
 * then a link to it, and an unmounted disk is a link to nowhere. Whether satellites reach the node is seen by running
 * it: if none runs, one is started for the time of the check.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "common/service.h"
#include "node/commands.h"
#include "node/disk.h"
#include "node/doctor.h"
#include "node/settings.h"
#include "node/setup_trial.h"

#define ANSWER 512
#define SIZE_LEAST (8ull * 1024 * 1024)
#define GB UINT64_C(1000000000)
#define DEFAULT_SIZE 500 * GB

struct setup {
	struct options *options;
	const char *dir;
	bool ask;
	bool fresh;	      /* there was no key */
	char storage[ANSWER]; /* where DIR/store is to be; DIR itself: inside it */
	char size[32];
	char payout[KEY_ADDRESS_TEXT];
	char satellite[ENDPOINT_TEXT]; /* asked for, when none was given */
	char why[1024];
};

static int fail(struct setup *setup, int status)
{
	fprintf(stderr, "granary-node: setup: %s\n", setup->why);
	return status;
}

/* Ask until `check` likes the answer; Enter takes what is in `answer`. ERR_CLOSED when there are no more answers. */
static enum err ask(struct setup *setup, const char *question, char *answer, size_t room,
		    bool (*check)(struct setup *setup, const char *answer))
{
	char line[ANSWER];

	for (;;) {
		printf("%s [%s]: ", question, answer);
		fflush(stdout);
		if (fgets(line, sizeof(line), stdin) == NULL) {
			putchar('\n');
			snprintf(setup->why, sizeof(setup->why),
				 "the answers ended; nothing was changed. --yes takes the defaults");
			return ERR_CLOSED;
		}
		line[strcspn(line, "\n")] = '\0';
		if (check(setup, line[0] != '\0' ? line : answer)) {
			if (line[0] != '\0')
				snprintf(answer, room, "%s", line);
			return ERR_OK;
		}
		printf("  %s\n", setup->why);
	}
}

static bool has_store(const struct setup *setup)
{
	char *path = file_join(setup->dir, "store/SUPER");
	bool found = file_exists(path);

	free(path);
	return found;
}

/* What is good for an answer. Flags have been through the same, so that both are told the same. */

/* At the keyboard, he who insists has it. */
static bool insists(struct setup *setup, const char *text)
{
	char line[ANSWER];

	if (option_flag(setup->options, "system-disk"))
		return true;
	if (!setup->ask)
		return false;
	printf("  %s Take it all the same? [no]: ", text);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

static bool storage_ok(struct setup *setup, const char *answer)
{
	struct findings *findings;
	const struct finding *found;
	struct disk_facts facts;
	bool fine = true;

	if (answer[0] != '/' || disk_look(answer, &facts) != ERR_OK) {
		snprintf(setup->why, sizeof(setup->why), "\"%.200s\" is no absolute path of a directory here", answer);
		return false;
	}
	findings = findings_new();
	disk_judge(&facts, answer, 0, 0, findings);
	found = findings_find(findings, FINDING_DISK_SYSTEM);
	if (found != NULL && !has_store(setup) && !insists(setup, found->text)) {
		snprintf(setup->why, sizeof(setup->why), "%.200s: %s Mount a disk for it, or say --system-disk.",
			 answer, found->text);
		fine = false;
	}
	found = findings_find(findings, FINDING_DISK_ERROR);
	if (fine && found != NULL) {
		snprintf(setup->why, sizeof(setup->why), "%.200s: %s", answer, found->text);
		fine = false;
	}
	findings_free(findings);
	return fine;
}

/* Bytes that a store there takes already, and that the disk still has. */
static uint64_t room_at(const struct setup *setup)
{
	struct disk_facts facts;

	return disk_look(setup->storage, &facts) == ERR_OK ? facts.free : 0;
}

static bool size_ok(struct setup *setup, const char *answer)
{
	char room[16];
	uint64_t size, has;

	if (option_parse_size(answer, &size) != ERR_OK || size < SIZE_LEAST || size > INT64_MAX) {
		snprintf(setup->why, sizeof(setup->why), "\"%.60s\" is not a size of at least 8388608 bytes, as 500GB",
			 answer);
		return false;
	}
	has = room_at(setup);
	if (size <= has || has_store(setup))
		return true;
	snprintf(setup->why, sizeof(setup->why), "%.60s are more than the disk has: %s", answer,
		 option_print_size(has, room));
	return false;
}

static bool payout_ok(struct setup *setup, const char *answer)
{
	struct address address;

	if (strcmp(answer, "own") == 0)
		return true;
	if (address_from_text(answer, &address) != ERR_OK) {
		snprintf(setup->why, sizeof(setup->why),
			 "\"%.60s\" is not an address: 0x and 40 hex digits, whose capitals must fit (EIP-55)", answer);
		return false;
	}
	if (!address_is_zero(&address))
		return true;
	snprintf(setup->why, sizeof(setup->why), "what is paid to the zero address is lost");
	return false;
}

static bool satellite_ok(struct setup *setup, const char *answer)
{
	struct endpoint endpoint;

	if (endpoint_parse(answer, &endpoint) == ERR_OK)
		return true;
	snprintf(setup->why, sizeof(setup->why), "\"%.60s\" is not a satellite's endpoint, ID@HOST:PORT", answer);
	return false;
}

/* Defaults: what holds already, else what fits. */

static void default_storage(struct setup *setup)
{
	char *path = file_join(setup->dir, "store"), target[ANSWER];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	char *slash;

	snprintf(setup->storage, sizeof(setup->storage), "%s", setup->dir);
	if (len < 0 && !has_store(setup) && disk_suggest(target, sizeof(target) - sizeof("/granary")))
		snprintf(setup->storage, sizeof(setup->storage), "%.*s/granary", ANSWER - 9, target);
	if (len > 0) {
		target[len] = '\0';
		slash = strrchr(target, '/');
		if (slash != NULL && slash != target)
			*slash = '\0';
		snprintf(setup->storage, sizeof(setup->storage), "%s", target);
	}
	free(path);
}

/* Nine tenths of what the disk has, in round numbers. */
static void default_size(struct setup *setup)
{
	uint64_t size = room_at(setup) / 10 * 9, unit = size > 100 * GB ? 10 * GB : size > 10 * GB ? GB : GB / 100;

	if (option_given(setup->options, "allocate"))
		snprintf(setup->size, sizeof(setup->size), "%s", option_text(setup->options, "allocate"));
	else if (size < 2 * unit)
		snprintf(setup->size, sizeof(setup->size), "%" PRIu64, size);
	else if (unit >= GB)
		snprintf(setup->size, sizeof(setup->size), "%" PRIu64 "GB", size / unit * (unit / GB));
	else
		snprintf(setup->size, sizeof(setup->size), "%" PRIu64 "MB", size / unit * 10);
}

static void take_text(const struct options *options, const char *name, char *out, size_t room)
{
	if (option_given(options, name))
		snprintf(out, room, "%s", option_text(options, name));
}

/* One question, or one check of what a flag or a default says. */
static enum err settle(struct setup *setup, const char *question, char *answer, size_t room,
		       bool (*check)(struct setup *setup, const char *answer))
{
	if (setup->ask && question != NULL)
		return ask(setup, question, answer, room, check);
	return check(setup, answer) ? ERR_OK : ERR_USAGE;
}

static enum err gather(struct setup *setup)
{
	const struct options *options = setup->options;
	bool knows = option_count(options, "satellite") > 0;
	enum err err;

	default_storage(setup);
	take_text(options, "store-dir", setup->storage, sizeof(setup->storage));
	err = settle(setup, option_given(options, "store-dir") ? NULL : "Where are the pieces to be kept?",
		     setup->storage, sizeof(setup->storage), storage_ok);
	if (err != ERR_OK)
		return err;
	default_size(setup);
	take_text(options, "size", setup->size, sizeof(setup->size));
	err = settle(setup, option_given(options, "size") ? NULL : "How much of the disk is offered?", setup->size,
		     sizeof(setup->size), size_ok);
	if (err != ERR_OK)
		return err;
	snprintf(setup->payout, sizeof(setup->payout), "own");
	take_text(options, "payout", setup->payout, sizeof(setup->payout));
	err = settle(setup,
		     option_given(options, "payout")
			     ? NULL
			     : "Which address is to be paid? (0x…, or own: an account that is made for this node)",
		     setup->payout, sizeof(setup->payout), payout_ok);
	if (err != ERR_OK || knows)
		return err;
	if (setup->ask)
		return ask(setup, "Which satellite is it to work for? (ID@HOST:PORT)", setup->satellite,
			   sizeof(setup->satellite), satellite_ok);
	snprintf(setup->why, sizeof(setup->why), "needs at least one --satellite: nobody else can give this node work");
	return ERR_USAGE;
}

/* Doing it. */

/* DIR/store leads to STORAGE/store, which is made. Another link than before is not made by the way. */
static enum err link_store(struct setup *setup)
{
	char *inside = file_join(setup->dir, "store"), *outside = file_join(setup->storage, "store");
	char *there = NULL, *wanted = NULL;
	struct stat st;
	enum err err = ERR_OK;

	if (strcmp(setup->storage, setup->dir) == 0)
		goto out;
	err = file_make_dirs(outside, 0700);
	if (err != ERR_OK) {
		snprintf(setup->why, sizeof(setup->why), "cannot make %.200s: %s", outside, err_text(err));
		goto out;
	}
	there = realpath(inside, NULL); /* both: a path may lead through links, or end in a slash */
	wanted = realpath(outside, NULL);
	if (lstat(inside, &st) != 0) {
		if (symlink(outside, inside) != 0)
			err = err_from_errno(errno);
		if (err != ERR_OK)
			snprintf(setup->why, sizeof(setup->why), "cannot make %.200s: %s", inside, err_text(err));
	} else if (there == NULL || wanted == NULL || strcmp(there, wanted) != 0) {
		snprintf(setup->why, sizeof(setup->why),
			 "the store is at %.200s already; to move it: stop the node, copy that directory, and let "
			 "%.100s be a link to the copy",
			 there == NULL ? inside : there, inside);
		err = ERR_EXISTS;
	}
out:
	free(wanted);
	free(there);
	free(outside);
	free(inside);
	return err;
}

static enum err make_store(struct setup *setup)
{
	char text[STORE_MESSAGE] = "";
	uint64_t size = 0;
	enum err err;

	if (option_parse_size(setup->size, &size) != ERR_OK)
		return ERR_FORMAT;
	if (has_store(setup))
		return ERR_OK; /* whose it is, the node finds out */
	err = store_init(setup->dir, size, 0, &seam_system, text);
	if (err != ERR_OK)
		snprintf(setup->why, sizeof(setup->why), "%s", text);
	return err;
}

static enum err change(struct setup *setup, const char *name, const char *text)
{
	enum err err = options_change_file(setup->options, name, text);

	if (err != ERR_OK)
		snprintf(setup->why, sizeof(setup->why), "cannot write %s = %.100s into %.200s/config.ini: %s", name,
			 text, setup->dir, err_text(err));
	return err;
}

/* "own" in the place of another address is the key's. */
static enum err change_payout(struct setup *setup)
{
	char own[KEY_ADDRESS_TEXT];
	struct key *key = NULL;
	enum err err;

	if (strcmp(setup->payout, "own") != 0)
		return change(setup, "payout", setup->payout);
	err = service_key(setup->dir, &key, setup->why, sizeof(setup->why));
	if (err != ERR_OK)
		return err;
	address_to_text(key_address(key), own);
	key_free(key);
	return change(setup, "payout", own);
}

/* Everything that was given or answered, into config.ini. */
static enum err save(struct setup *setup)
{
	char *path = file_join(setup->dir, "config.ini"), *key_path = file_join(setup->dir, "key");
	struct key *key = NULL;
	enum err err = ERR_OK;

	setup->fresh = !file_exists(key_path);
	if (setup->fresh && file_exists(path)) {
		/* The other half of a first try that was cut off, or a key that is missing: not for us to say. */
		snprintf(setup->why, sizeof(setup->why),
			 "%.200s is there, but no key beside it: put the key back, or delete the file", path);
		err = ERR_EXISTS;
	}
	if (err == ERR_OK && setup->fresh)
		err = service_init(setup->options, SETTINGS_OPTIONS, &key, setup->why, sizeof(setup->why));
	key_free(key);
	if (err == ERR_OK)
		err = change(setup, "allocate", setup->size);
	if (err == ERR_OK && (strcmp(setup->payout, "own") != 0 || option_given(setup->options, "payout")))
		err = change_payout(setup);
	if (err == ERR_OK && setup->satellite[0] != '\0')
		err = change(setup, "satellite", setup->satellite);
	free(key_path);
	free(path);
	return err;
}

/* What a second run was told by flags, and a first one has saved already. */
static enum err save_flags(struct setup *setup)
{
	static const char *const names[] = {"satellite", "listen", "external", "http", "port-mapping", "router"};
	enum err err = ERR_OK;

	for (size_t i = 0; !setup->fresh && err == ERR_OK && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(option_source(setup->options, names[i]), "flag") != 0)
			continue;
		if (option_count(setup->options, names[i]) == 1)
			err = change(setup, names[i], option_text(setup->options, names[i]));
		else
			printf("More than one %s was named: config.ini keeps what it has; edit it to change that.\n",
			       names[i]);
	}
	return err;
}

static void print_end(const struct setup *setup)
{
	printf("\nThe node's key is %s/key. It is the node's identity, and its purse unless another address is\n"
	       "paid: who has it has the node. Copy it to another place now:\n"
	       "  granary-node backup --dir %s PLACE\n",
	       setup->dir, setup->dir);
}

/* What makes no sense together, or to the node, before anything is made. */
static enum err check_flags(struct setup *setup)
{
	struct live_settings live;
	enum err err;

	settings_read_live(setup->options, &live);
	err = settings_check_live(&live, setup->why, sizeof(setup->why));
	settings_free_live(&live);
	return err;
}

int node_setup(struct options *options)
{
	struct setup setup = {.options = options, .dir = options_dir(options), .ask = !option_flag(options, "yes")};
	enum err err = check_flags(&setup);
	int level;

	if (err == ERR_OK)
		err = gather(&setup);
	if (err != ERR_OK)
		return fail(&setup, err == ERR_CLOSED ? 1 : 2);
	err = save(&setup);
	if (err == ERR_OK)
		err = save_flags(&setup);
	if (err == ERR_OK)
		err = link_store(&setup);
	if (err == ERR_OK)
		err = make_store(&setup);
	if (err == ERR_OK)
		err = options_reload(options, setup.why, sizeof(setup.why));
	if (err != ERR_OK)
		return fail(&setup, 1);
	level = setup_trial(options);
	print_end(&setup);
	setup_print_next(options);
	return level;
}
