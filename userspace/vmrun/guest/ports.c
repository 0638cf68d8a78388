// SPDX-License-Identifier: GPL-2.0
/*
 * Channels by their names, where udev would have them. A port has its name when its driver
 * and vmrun have spoken, a moment after the driver was loaded. Called by init.c.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define CLASS		"/sys/class/virtio-ports"
#define LINKS		"/dev/virtio-ports"
#define WAIT_US		5000
#define MAX_WAITS	400

static bool has_name(const char *port, const char *wanted)
{
	char path[320], name[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), CLASS "/%s/name", port);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	name[strcspn(name, "\n")] = 0;
	return !strcmp(name, wanted);
}

static bool make_link(const char *name)
{
	char path[320], target[320];
	struct dirent *entry;
	DIR *dir = opendir(CLASS);
	bool made = false;

	while (dir && !made && (entry = readdir(dir))) {
		if (!has_name(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), LINKS "/%s", name);
		snprintf(target, sizeof(target), "../%s", entry->d_name);
		made = !symlink(target, path) || errno == EEXIST;
	}
	if (dir)
		closedir(dir);
	return made;
}

void ports_start(const struct plan *plan)
{
	unsigned int i, waits = 0;
	bool made;

	if (plan->nr_channels)
		mkdir(LINKS, 0755);
	for (i = 0; i < plan->nr_channels; i++) {
		/* All of them together have that long. */
		while (!(made = make_link(plan->channel[i])) && waits < MAX_WAITS) {
			usleep(WAIT_US);
			waits++;
		}
		if (!made)
			printf("vmrun-init: there is no channel %s\n", plan->channel[i]);
	}
}
