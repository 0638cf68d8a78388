// SPDX-License-Identifier: GPL-2.0
/* The static calls behind the waist, patched once at load. Called by main.c. */
#include "backend.h"

struct backend_features features __ro_after_init;

#define BACKEND_DEFINE(name)						\
	DEFINE_STATIC_CALL_NULL(backend_##name, *(((struct kvirt_backend *)0)->name));
BACKEND_CALLS(BACKEND_DEFINE)

void __init backend_select(const struct kvirt_backend *chosen)
{
#define BACKEND_UPDATE(name) static_call_update(backend_##name, chosen->name);
	BACKEND_CALLS(BACKEND_UPDATE)
	features.unload = chosen->unload;
}
