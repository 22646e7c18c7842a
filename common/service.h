/*
 * What every daemon does besides its job: lock its directory, load its key, heed signals, tell systemd.
 */
#ifndef GRANARY_COMMON_SERVICE_H
#define GRANARY_COMMON_SERVICE_H

#include "common/key.h"
#include "common/loop.h"
#include "common/options.h"

/* Make DIR (mode 0700) with a new key in DIR/key and config.ini from those of the options named in `saved_options`
 * that were given; prints nothing. ERR_EXISTS when there is either already. A sentence goes to `why`. */
enum err service_init(const struct options *options, const char *saved_options, struct key **ret_key, char *why,
		      size_t room) WARN_UNUSED;
/* Load DIR/key. A sentence goes to `why`, with the command that would make one. */
enum err service_key(const char *dir, struct key **ret, char *why, size_t room) WARN_UNUSED;
/* Take DIR/LOCK for the life of the process. ERR_BUSY when a daemon runs there. */
enum err service_lock(const char *dir, char *why, size_t room) WARN_UNUSED;

/* Raise the limit of open files to what the system allows: connections and segments take one each. */
void service_raise_limits(void);

struct service_signals;
/* SIGTERM and SIGINT call stop(arg) (a second one ends the process at once), SIGHUP calls reload(arg); SIGPIPE is
 * ignored. Called on the loop. */
struct service_signals *service_signals_new(struct loop *loop, void (*stop)(void *arg), void (*reload)(void *arg),
					    void *arg);
void service_signals_free(struct service_signals *signals);
/* sd_notify without libsystemd: "READY=1", "STOPPING=1", "STATUS=…"; nothing without NOTIFY_SOCKET. */
void service_notify(const char *state);

/* Print `{"id","address"}` with --json, else two lines of text: the `id` command of the daemons. Returns the exit
 * status. */
int service_print_id(struct options *options);

#endif
