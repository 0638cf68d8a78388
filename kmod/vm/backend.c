// SPDX-License-Identifier: GPL-2.0
/* The static calls behind the waist, patched once at load. Called by main.c. */
#include "backend.h"

struct backend_features features __ro_after_init;

#define BACKEND_DEFINE(name)	DEFINE_STATIC_CALL_NULL(backend_##name, BACKEND_TYPE(name));
BACKEND_CALLS(BACKEND_DEFINE)
BACKEND_DEFINE(unload)

void __init backend_select(const struct kvirt_backend *chosen)
{
#define BACKEND_UPDATE(name) static_call_update(backend_##name, chosen->name);
	BACKEND_CALLS(BACKEND_UPDATE)
	BACKEND_UPDATE(unload)
}
