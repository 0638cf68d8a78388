// SPDX-License-Identifier: GPL-2.0
/*
 * The tables for people. Called by jail.c for --sandbox report.
 */
#include "landlock.h"
#include "sandbox.h"

static void print_rule(const struct sandbox_rule *rule, FILE *to)
{
	char call[64];

	if (rule->when)
		snprintf(call, sizeof(call), "%s (%s)", rule->call, rule->when);
	else
		snprintf(call, sizeof(call), "%s", rule->call);
	fprintf(to, "  %-40s %s\n", call, rule->reason);
}

static void print_policy(const struct sandbox_policy *policy, FILE *to)
{
	unsigned int s, i;

	fprintf(to, "thread %s: %s\n", policy->name, policy->what);
	for (s = 0; s < SANDBOX_MAX_SETS; s++)
		for (i = 0; i < policy->set[s].nr; i++)
			print_rule(&policy->set[s].rule[i], to);
	fputc('\n', to);
}

static void print_grants(const struct sandbox *sandbox, FILE *to)
{
	static const char *const access[] = {
		[SANDBOX_READ] = "read", [SANDBOX_WRITE] = "write", [SANDBOX_REMOVE] = "remove",
	};
	int version = landlock_version();
	unsigned int i;

	if (version < LANDLOCK_OLDEST)
		fprintf(to, "files that may be opened: all that you may open, this kernel has no landlock\n");
	else
		fprintf(to, "files that may be opened (landlock %d)%s\n", version,
			sandbox->nr_grants ? ":" : ": none");
	for (i = 0; i < sandbox->nr_grants; i++)
		fprintf(to, "  %-6s %s: %s\n", access[sandbox->grant[i].access],
			sandbox->grant[i].path, sandbox->grant[i].reason);
}

void sandbox_print(const struct sandbox *sandbox, FILE *to)
{
	unsigned int i;

	fprintf(to, "What the sandbox leaves to vmrun's threads. Every other system call ends vmrun with %d;\n"
		"in this run it is let through, and the kernel's log has it (audit type 1326).\n\n",
		VM_STATUS_SANDBOX);
	for (i = 0; i < SANDBOX_THREADS; i++)
		print_policy(&sandbox_policies[i], to);
	print_grants(sandbox, to);
	if (sandbox->owners)
		fprintf(to, "capabilities, where vmrun has them and there is landlock: CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER for the threads fs_rw\n");
	fprintf(to, "%s new privileges, core dumps, debuggers, new processes: none\n",
		sandbox->owners ? "other capabilities," : "capabilities,");
	fflush(to);
}
