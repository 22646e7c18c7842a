/* Hostile text as an access and as a grant. What is read prints to a text that is read as the same; a text that is
 * refused comes with a reason. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "uplink/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_access(const char *text)
{
	struct access *access = NULL, *again = NULL;
	const char *why = NULL;
	char printed[ACCESS_TEXT], printed_again[ACCESS_TEXT];

	if (access_parse(text, &access, &why) != ERR_OK) {
		if (why == NULL || access != NULL)
			abort();
		return;
	}
	access_print(access, printed);
	if (access_parse(printed, &again, &why) != ERR_OK)
		abort();
	access_print(again, printed_again);
	if (strcmp(printed, printed_again) != 0 || strstr(text, printed) == NULL)
		abort();
	access_free(access);
	access_free(again);
}

static void check_grant(const char *text)
{
	struct grant grant, again;
	const char *why = NULL;
	char printed[GRANT_TEXT], printed_again[GRANT_TEXT];

	if (grant_parse(text, &grant, &why) != ERR_OK) {
		if (why == NULL)
			abort();
		return;
	}
	grant_print(&grant, printed);
	if (grant_parse(printed, &again, &why) != ERR_OK)
		abort();
	grant_print(&again, printed_again);
	if (strcmp(printed, printed_again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = memory_copy(data, size);

	check_access(text);
	check_grant(text);
	free(text);
	return 0;
}
