// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's command line: any words are either one error that has something to say, or a machine whose shares, disks, ports and network
 * can be taken apart.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "disk/disk.h"
#include "fuzz.h"
#include "net/options.h"

#define MAX_WORDS	24

static void take_apart(const struct vm_config *config)
{
	struct config_volume volume;
	struct net_options net = { 0 };
	struct vm_error err = { 0 };
	enum disk_mode mode;
	unsigned int i;

	for (i = 0; i < config->volume.nr; i++) {
		MUST(!config_parse_volume(config->volume.item[i], &volume, &err));
		MUST(volume.host[0] && volume.guest[0] == '/');
	}
	for (i = 0; i < config->disk.nr; i++)
		MUST(disk_split(config->disk.item[i], &mode) <= strlen(config->disk.item[i]));
	if (config->net)
		MUST(!net_parse_kind(&net, config->net, &err));
	for (i = 0; i < config->publish.nr && i < NET_MAX_FORWARDS; i++)
		MUST(!net_parse_forward(&net, config->publish.item[i], &err));
	for (i = 0; i < net.nr_forwards; i++)
		MUST(net.forward[i].host_port && net.forward[i].guest_port);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct vm_config *config = calloc(1, sizeof(*config));
	char *text = malloc(size + 1), *word = text;
	char *argv[MAX_WORDS + 2] = { "vmrun" };
	struct vm_error err = { 0 };
	int argc = 1;

	memcpy(text, data, size);
	text[size] = 0;
	for (; word <= text + size && argc <= MAX_WORDS; word += strlen(word) + 1) {
		/* Files are vmrun_config's, and this machine's are nobody's business. */
		if (strncmp(word, "--co", 4) && strncmp(word, "--c=", 4) && strcmp(word, "--c"))
			argv[argc++] = word;
	}
	if (config_parse(config, argc, argv, &err)) {
		MUST(err.status == VM_STATUS_FAILURE && err.text[0] && err.hint[0]);
	} else {
		MUST(!err.status);
		if (!config->help && !config->version)
			take_apart(config);
	}
	config_destroy(config);
	free(config);
	free(text);
}
