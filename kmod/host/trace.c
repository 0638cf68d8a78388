// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of host/trace.h, made once for the whole module. */
#define CREATE_TRACE_POINTS
#include "trace.h"
