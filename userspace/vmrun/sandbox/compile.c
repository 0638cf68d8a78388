// SPDX-License-Identifier: GPL-2.0
/*
 * Compiles the tables of policy.c into filters, by libseccomp, while vmrun is built: its
 * start then costs nothing, and its memory has no compiler in it. Run by the Makefile, it
 * prints the C file that trap.c includes.
 */
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy.h"

#define MAX_PRIORITY	255

static int add_rule(scmp_filter_ctx filter, const struct sandbox_rule *rule)
{
	struct scmp_arg_cmp arg[SANDBOX_MAX_CHECKS];
	unsigned int n = 0, i;

	for (i = 0; i < SANDBOX_MAX_CHECKS; i++)
		if (rule->check[i].mask)
			arg[n++] = (struct scmp_arg_cmp){
				rule->check[i].arg, SCMP_CMP_MASKED_EQ, rule->check[i].mask,
				rule->check[i].value,
			};
	return seccomp_rule_add_exact_array(filter, SCMP_ACT_ALLOW, rule->nr, n, arg);
}

static scmp_filter_ctx compile(const struct sandbox_policy *policy)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	unsigned int s, i, priority = MAX_PRIORITY;

	/* int 0x80 and x32 are not this program's: nothing of theirs is allowed. */
	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP))
		return NULL;
	for (s = 0; s < SANDBOX_MAX_SETS; s++) {
		for (i = 0; i < policy->set[s].nr; i++) {
			const struct sandbox_rule *rule = &policy->set[s].rule[i];

			if (add_rule(filter, rule)) {
				fprintf(stderr, "%s: libseccomp does not take %s\n", policy->name,
					rule->call);
				return NULL;
			}
			seccomp_syscall_priority(filter, rule->nr, priority);
			priority -= priority > 0;
		}
	}
	return filter;
}

static int print(const struct sandbox_policy *policy)
{
	scmp_filter_ctx filter = compile(policy);
	int fd = memfd_create("filter", 0);
	struct sock_filter insn;

	if (!filter || fd < 0 || seccomp_export_bpf(filter, fd) || lseek(fd, 0, SEEK_SET))
		return -1;
	printf("static const struct sock_filter filter_%s[] = {\n", policy->name);
	while (read(fd, &insn, sizeof(insn)) == sizeof(insn))
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", insn.code, insn.jt, insn.jf, insn.k);
	printf("};\n\n");
	close(fd);
	seccomp_release(filter);
	return 0;
}

int main(void)
{
	unsigned int i;

	printf("/* Made by sandbox/compile.c of the tables in sandbox/policy.c. */\n\n");
	for (i = 0; i < SANDBOX_THREADS; i++)
		if (print(&sandbox_policies[i]))
			return 1;
	printf("static const struct sock_fprog filters[SANDBOX_THREADS] = {\n");
	for (i = 0; i < SANDBOX_THREADS; i++)
		printf("\t[%u] = { ARRAY_SIZE(filter_%s), (struct sock_filter *)filter_%s },\n", i,
		       sandbox_policies[i].name, sandbox_policies[i].name);
	printf("};\n");
	return fflush(stdout) ? 1 : 0;
}
