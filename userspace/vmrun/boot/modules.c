// SPDX-License-Identifier: GPL-2.0
/*
 * libkmod answers what needs what: it is what modprobe is made of, and reads the
 * kernel's own indexes (modules.dep.bin and the like). Reading and unpacking the files
 * is unpack.c's. Called by live.c in a child process.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules.h"
#include "unpack.h"

#define LIBRARY		"libkmod.so.2"
/* Of one machine; a kernel gives no more than a few dozen. */
#define MAX_MODULES	256

/* The functions that are used, each with the type that the header gives it. */
#define FUNCTIONS(x)							\
	x(kmod_new) x(kmod_unref) x(kmod_list_next)			\
	x(kmod_module_new_from_lookup) x(kmod_module_unref_list)	\
	x(kmod_module_get_module) x(kmod_module_unref)			\
	x(kmod_module_get_name) x(kmod_module_get_path)			\
	x(kmod_module_get_dependencies) x(kmod_module_get_softdeps)

struct library {
#define MEMBER(name) __typeof__(&name) name;
	FUNCTIONS(MEMBER)
#undef MEMBER
};

struct search {
	struct library lib;
	struct kmod_ctx *kmod;
	const char *release;
	const struct module_want *want;	/* whose modules are being taken */
	module_fn *fn;
	void *ctx;
	char *done[MAX_MODULES];
	unsigned int nr_done;
};

static int load_library(struct library *lib, struct vm_error *err)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "install libkmod2, or name an initramfs of your own with -i",
			       "cannot look for the kernel's modules: %.200s", dlerror());
#define RESOLVE(name)							\
	lib->name = (__typeof__(lib->name))dlsym(handle, #name);	\
	if (!lib->name)							\
		return vm_fail(err, VM_STATUS_FAILURE, NULL,		\
			       LIBRARY " is too old: it has no %s", #name);
	FUNCTIONS(RESOLVE)
#undef RESOLVE
	return 0;
}

/* True when @name was taken before; marks it. */
static bool seen(struct search *s, const char *name)
{
	unsigned int i;

	for (i = 0; i < s->nr_done; i++)
		if (!strcmp(s->done[i], name))
			return true;
	return false;
}

static int take_file(struct search *s, const char *name, const char *path, struct vm_error *err)
{
	struct unpacked file;
	int ret;

	if (s->nr_done == MAX_MODULES)
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "kernel %.64s wants more than %u modules", s->release, MAX_MODULES);
	s->done[s->nr_done] = strdup(name);
	if (!s->done[s->nr_done])
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	s->nr_done++;
	if (unpack_file(&file, path, err))
		return -1;
	ret = s->fn(s->ctx, s->want, name, file.data, file.size, err);
	unpack_free(&file);
	return ret;
}

static int take(struct search *s, struct kmod_module *module, unsigned int depth,
		struct vm_error *err);

static int take_list(struct search *s, struct kmod_list *list, unsigned int depth,
		     struct vm_error *err)
{
	struct kmod_list *at;
	int ret = 0;

	for (at = list; at && !ret; at = s->lib.kmod_list_next(list, at)) {
		struct kmod_module *module = s->lib.kmod_module_get_module(at);

		ret = take(s, module, depth, err);
		s->lib.kmod_module_unref(module);
	}
	s->lib.kmod_module_unref_list(list);
	return ret;
}

/* A module after all that it needs, and before what is to follow it. */
static int take(struct search *s, struct kmod_module *module, unsigned int depth,
		struct vm_error *err)
{
	struct kmod_list *before = NULL, *after = NULL;
	const char *name = s->lib.kmod_module_get_name(module);
	const char *path = s->lib.kmod_module_get_path(module);
	int ret;

	/* Built in: there is no file. The depth ends soft dependencies that go in a circle. */
	if (!path || seen(s, name) || depth > MAX_MODULES)
		return 0;
	s->lib.kmod_module_get_softdeps(module, &before, &after);
	ret = take_list(s, before, depth + 1, err);
	if (!ret)
		ret = take_list(s, s->lib.kmod_module_get_dependencies(module), depth + 1, err);
	if (!ret && !seen(s, name))
		ret = take_file(s, name, path, err);
	if (!ret)
		ret = take_list(s, after, depth + 1, err);
	return ret;
}

static int take_wanted(struct search *s, const struct module_want *want, struct vm_error *err)
{
	struct kmod_list *list = NULL;
	int ret = s->lib.kmod_module_new_from_lookup(s->kmod, want->name, &list);

	if (ret < 0)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "does 'depmod' need to run for that kernel?",
			       "cannot look for the modules of kernel %.64s: %s", s->release,
			       strerror(-ret));
	if (!list && !want->optional)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "take a kernel that has it with -k (Debian's linux-image-amd64 and linux-image-cloud-amd64 do)",
			       "kernel %.64s has no module %s, which the guest needs", s->release,
			       want->name);
	s->want = want;
	return take_list(s, list, 0, err);
}

int modules_find(const char *root, const char *release, const struct module_want *want,
		 unsigned int nr, module_fn *fn, void *ctx, struct vm_error *err)
{
	char dir[PATH_MAX], index[PATH_MAX + 32], softdep[PATH_MAX + 32];
	const char *config[] = { softdep, NULL };
	struct search s = { .release = release, .fn = fn, .ctx = ctx };
	unsigned int i;
	int ret = 0;

	snprintf(dir, sizeof(dir), "%s/%s", root, release);
	snprintf(index, sizeof(index), "%s/modules.dep.bin", dir);
	/* What the modules themselves say; what modprobe.d says is about the host. */
	snprintf(softdep, sizeof(softdep), "%s/modules.softdep", dir);
	if (access(index, R_OK))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "install that kernel's package (linux-image-VERSION), or 'make modules_install' your own; or name an initramfs with -i",
			       "cannot read the modules of kernel %.64s, %.200s: %s", release, index,
			       strerror(errno));
	if (load_library(&s.lib, err))
		return -1;
	s.kmod = s.lib.kmod_new(dir, config);
	if (!s.kmod)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	for (i = 0; i < nr && !ret; i++)
		ret = take_wanted(&s, &want[i], err);
	while (s.nr_done)
		free(s.done[--s.nr_done]);
	s.lib.kmod_unref(s.kmod);
	return ret;
}
