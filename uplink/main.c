/* granary: the client's program. Options and commands are tables; the work is in command_*.c. */
#include "uplink/commands.h"

#define COMMON "dir access verbose"

static const struct option_spec options[] = {
	{.name = "dir", .type = OPTION_PATH, .value = "DIR", .help = "Where accesses are kept."},
	{.name = "access",
	 .letter = 'a',
	 .type = OPTION_TEXT,
	 .min = 1,
	 .max = 64,
	 .value = "NAME",
	 .fallback = "default",
	 .help = "The access to use, by the name given when it was imported."},
	{.name = "passphrase",
	 .type = OPTION_FLAG,
	 .command_only = true,
	 .help = "Make the encryption root from a passphrase, asked for on the terminal or read as the first line of "
		 "stdin, instead of at random. The same words give the same root on another machine."},
	{.name = "json", .type = OPTION_FLAG, .command_only = true, .help = "Print facts as JSON."},
	{.name = "verbose", .letter = 'v', .type = OPTION_FLAG, .help = "Print to stderr what happens with each node."},
	{.name = "quiet", .letter = 'q', .type = OPTION_FLAG, .help = "No progress line, even on a terminal."},
	{.name = "recursive",
	 .letter = 'r',
	 .type = OPTION_FLAG,
	 .command_only = true,
	 .help = "Everything below, not only what is directly there."},
	{.name = "range",
	 .type = OPTION_TEXT,
	 .min = 1,
	 .max = 42,
	 .value = "FIRST-LAST",
	 .command_only = true,
	 .help = "Only the bytes FIRST to LAST, both included, counted from 0; without LAST to the end."},
	{.name = "expires",
	 .type = OPTION_TEXT,
	 .min = 1,
	 .max = 32,
	 .value = "AGE|DATE",
	 .command_only = true,
	 .help = "Have the object deleted at this age (90m, 12h, 30d) or then, in UTC (2027-01-31, 2027-01-31T18:30)."},
	{.name = "type",
	 .type = OPTION_TEXT,
	 .min = 1,
	 .max = 255,
	 .value = "TYPE",
	 .command_only = true,
	 .help = "The object's MIME type, kept encrypted with its size and time."},
	{.name = "stats-json",
	 .type = OPTION_PATH,
	 .value = "FILE",
	 .command_only = true,
	 .help = "Write to FILE how many nodes were contacted, and what went on with each."},
};

static const struct command commands[] = {
	{.name = "access",
	 .arguments = "import GRANT | export | list",
	 .help = "Make, show or list accesses to satellites.",
	 .details =
		 "import takes the line that a satellite's operator gives out (granary-satellite grant), makes a key "
		 "and an encryption root on this machine and enrols the key. It also takes an exported access. "
		 "export prints the whole access as one line: who has it can read, change and delete everything.",
	 .options = "dir access passphrase json verbose",
	 .min_arguments = 1,
	 .max_arguments = 2,
	 .run = command_access},
	{.name = "mb",
	 .arguments = "granary://BUCKET",
	 .help = "Make a bucket.",
	 .options = COMMON,
	 .min_arguments = 1,
	 .max_arguments = 1,
	 .run = command_make_bucket},
	{.name = "rb",
	 .arguments = "granary://BUCKET",
	 .help = "Remove an empty bucket.",
	 .options = COMMON,
	 .min_arguments = 1,
	 .max_arguments = 1,
	 .run = command_remove_bucket},
	{.name = "ls",
	 .arguments = "[granary://BUCKET[/FOLDER]]",
	 .help = "List buckets, or what is in one, by name.",
	 .options = COMMON " recursive json",
	 .min_arguments = 0,
	 .max_arguments = 1,
	 .run = command_list},
	{.name = "cp",
	 .arguments = "FROM TO",
	 .help = "Copy a file into the network or out of it.",
	 .details =
		 "One of FROM and TO is granary://BUCKET/PATH, the other a file, or - for stdin or stdout. A TO that "
		 "ends in / or is a directory gets the name of FROM. With --recursive, FROM is a directory or a "
		 "folder. An object becomes visible, and a file gets its name, only when it is complete.",
	 .options = COMMON " quiet recursive range expires type stats-json",
	 .min_arguments = 2,
	 .max_arguments = 2,
	 .run = command_copy},
	{.name = "cat",
	 .arguments = "granary://BUCKET/PATH",
	 .help = "Write an object to stdout.",
	 .options = COMMON " range stats-json",
	 .min_arguments = 1,
	 .max_arguments = 1,
	 .run = command_cat},
	{.name = "rm",
	 .arguments = "granary://BUCKET/PATH",
	 .help = "Remove an object, or with --recursive a folder.",
	 .options = COMMON " recursive",
	 .min_arguments = 1,
	 .max_arguments = 1,
	 .run = command_remove},
	{.name = "stat",
	 .arguments = "granary://BUCKET/PATH",
	 .help = "Print what is known of an object.",
	 .options = COMMON " json",
	 .min_arguments = 1,
	 .max_arguments = 1,
	 .run = command_stat},
	{.name = "usage",
	 .help = "Print what is kept and was downloaded this month, what that costs, and the quotas.",
	 .arguments = "",
	 .details = "Everything is counted in bytes of pieces, which are more than those of files by the redundancy. "
		    "What is stored counts from an object's commit to its removal; downloads count when the nodes "
		    "have settled them, within hours. What is charged is reckoned here, from these and from what "
		    "the satellite says it charges; nothing is taken from anyone by this.",
	 .options = COMMON " json",
	 .min_arguments = 0,
	 .max_arguments = 0,
	 .run = command_usage},
	{.name = "verify-evidence",
	 .arguments = "FILE",
	 .help = "Check a file of signed things that somebody shows in a dispute about pay.",
	 .details =
		 "FILE is what granary-node dispute export writes (a dossier, doc/formats.md). Needs no network and no "
		 "access, and believes nobody: each item is held against its signature, against the thing that it "
		 "names, as an order its allocation, and against the list that it was signed over, as a statement its "
		 "lines; and no party may have signed two things that exclude each other. Exit status 1 when something "
		 "does not hold, 2 when FILE is no dossier.",
	 .options = "json",
	 .min_arguments = 1,
	 .max_arguments = 1,
	 .run = command_verify_evidence},
};

static const struct program program = {
	.name = "granary",
	.help = "Store files in a Granary network and get them back.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
	.default_dir = "client",
};

int main(int argc, char **argv)
{
	return program_main(&program, argc, argv);
}
