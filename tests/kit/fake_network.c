/*
 * The fake network as a process, for tests of `granary` at sizes that would need a hundred daemons. Usage:
 *
 *	fake_network NODES REQUIRED SUCCESS TOTAL [discard]
 *
 * Prints an access to it as one line, and runs until its stdin ends. Status 1 when an uplink did wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/fake_net.h"
#include "uplink/access.h"

static uint16_t number(const char *text)
{
	return (uint16_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct fake_policy policy;
	struct fake_net *net;
	struct access *access;
	char text[ACCESS_TEXT];
	int status;

	if (argc < 5 || number(argv[1]) > FAKE_NODES)
		return 2;
	policy = (struct fake_policy){number(argv[2]), number(argv[2]), number(argv[3]), number(argv[4])};
	net = fake_net_new(number(argv[1]), &policy);
	net->discard = argc > 5 && strcmp(argv[5], "discard") == 0;
	access = access_generate(&net->endpoint);
	access->chain_id = net->domain.chain_id;
	access->contract = net->domain.contract;
	access_print(access, text);
	printf("%s\n", text);
	fflush(stdout);
	fake_net_start(net);
	while (getchar() != EOF)
		;
	fake_net_stop(net);
	if (net->flaw != NULL)
		fprintf(stderr, "fake network: %s\n", net->flaw);
	status = net->flaw == NULL ? 0 : 1;
	fake_net_free(net);
	access_free(access);
	return status;
}
