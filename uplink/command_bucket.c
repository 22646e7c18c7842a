/* granary mb, rb, rm. */
#include "uplink/client.h"
#include "uplink/commands.h"
#include "uplink/names.h"
#include "uplink/requests.h"

typedef void bucket_request(struct uplink *uplink, const char *bucket, request_done *done, void *arg);

static int run_bucket(struct options *options, bucket_request *request, const char *verb)
{
	struct location location;
	struct client client;
	int status;

	status = client_location(options_argument(options, 0), CLIENT_BUCKET, &location);
	if (status == 0)
		status = client_open(options, &client);
	if (status != 0)
		return status;
	request(client.uplink, location.bucket, client_finish, &client);
	if (client_wait(&client) != ERR_OK)
		status = client_fail(&client, "cannot %s bucket %s", verb, location.bucket);
	return client_close(&client, status);
}

int command_make_bucket(struct options *options)
{
	return run_bucket(options, request_make_bucket, "make");
}

int command_remove_bucket(struct options *options)
{
	return run_bucket(options, request_remove_bucket, "remove");
}

static int remove_one(struct client *client, const char *bucket, const char *path)
{
	struct object_name name;
	const char *why = "";

	if (object_name_make(client->access, bucket, path, &name, &why) != ERR_OK)
		return client_usage("%s%s/%s: %s", LOCATION_SCHEME, bucket, path, why);
	request_remove_object(client->uplink, &name, client_finish, client);
	object_name_clear(&name);
	if (client_wait(client) != ERR_OK)
		return client_fail(client, "cannot remove %s%s/%s", LOCATION_SCHEME, bucket, path);
	return 0;
}

static int remove_below(struct client *client, const struct location *location)
{
	struct names names;
	int status;

	status = names_list(client, location, &names);
	if (status == 0 && names.count == 0)
		status = names_none(location);
	for (size_t i = 0; i < names.count && !client->interrupted; i++) {
		if (remove_one(client, location->bucket, names.path[i]) != 0)
			status = 1;
	}
	names_clear(&names);
	return status;
}

int command_remove(struct options *options)
{
	bool recursive = option_flag(options, "recursive");
	struct location location;
	struct client client;
	int status;

	status = client_location(options_argument(options, 0), recursive ? CLIENT_BUCKET_OR_PATH : CLIENT_OBJECT,
				 &location);
	if (status == 0)
		status = client_open(options, &client);
	if (status != 0)
		return status;
	if (recursive)
		status = remove_below(&client, &location);
	else
		status = remove_one(&client, location.bucket, location.path);
	return client_close(&client, status);
}
