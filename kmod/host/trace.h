/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: what one wants to see when a guest does something odd. host/trace.c alone
 * defines them. They cost a patched jump when off, and may be hit inside a strict window.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvirt

#if !defined(KVIRT_HOST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVIRT_HOST_TRACE_H

#include <linux/tracepoint.h>
#include <uapi/linux/kvirt.h>

#undef KEEP
#define KEEP(field)	(__entry->field = (field))

/* A nested fault: what was asked for, what was found, what came of it. */
TRACE_EVENT(kvirt_populate,
	TP_PROTO(u32 vcpu_id, u64 gpa, u8 access, unsigned long hva, u8 level, bool writable,
		 bool in_window, int result),
	TP_ARGS(vcpu_id, gpa, access, hva, level, writable, in_window, result),
	TP_STRUCT__entry(
		__field(u64, gpa) __field(unsigned long, hva) __field(u32, vcpu_id)
		__field(int, result) __field(u8, access) __field(u8, level)
		__field(bool, writable) __field(bool, in_window)
	),
	TP_fast_assign(
		KEEP(gpa); KEEP(hva); KEEP(vcpu_id); KEEP(result); KEEP(access); KEEP(level);
		KEEP(writable); KEEP(in_window);
	),
	TP_printk("vcpu %u gpa 0x%llx access %x hva 0x%lx level %u%s%s result %d",
		  __entry->vcpu_id, __entry->gpa, __entry->access, __entry->hva,
		  __entry->level, __entry->writable ? " writable" : "",
		  __entry->in_window ? " in window" : "", __entry->result)
);

/* The host takes memory away; flushed by others: somebody had zapped it before. */
TRACE_EVENT(kvirt_invalidate,
	TP_PROTO(u64 vm_id, unsigned long start, unsigned long end, u64 zapped, u64 flushed),
	TP_ARGS(vm_id, start, end, zapped, flushed),
	TP_STRUCT__entry(
		__field(u64, vm_id) __field(unsigned long, start) __field(unsigned long, end)
		__field(u64, zapped) __field(u64, flushed)
	),
	TP_fast_assign(KEEP(vm_id); KEEP(start); KEEP(end); KEEP(zapped); KEEP(flushed);),
	TP_printk("vm %llu hva 0x%lx-0x%lx zapped %llu flushed %llu", __entry->vm_id,
		  __entry->start, __entry->end, __entry->zapped, __entry->flushed)
);

/* One exit as the ring has it; detail is the kind's own: address, code, port, MSR. */
TRACE_EVENT(kvirt_exit,
	TP_PROTO(u32 vcpu_id, const struct kvirt_exit_record *exit),
	TP_ARGS(vcpu_id, exit),
	TP_STRUCT__entry(__field(u32, vcpu_id) __field_struct(struct kvirt_exit_record, exit)),
	TP_fast_assign(KEEP(vcpu_id); __entry->exit = *exit;),
	TP_printk("vcpu %u kind %u rip 0x%llx len %u detail 0x%llx", __entry->vcpu_id,
		  __entry->exit.kind, __entry->exit.rip, __entry->exit.insn_len,
		  __entry->exit.code)
);

/* An event goes in: what event_plan() chose. */
TRACE_EVENT(kvirt_inject,
	TP_PROTO(u32 vcpu_id, u8 type, u8 vector, u32 error),
	TP_ARGS(vcpu_id, type, vector, error),
	TP_STRUCT__entry(__field(u32, vcpu_id) __field(u32, error) __field(u8, type)
			 __field(u8, vector)),
	TP_fast_assign(KEEP(vcpu_id); KEEP(error); KEEP(type); KEEP(vector);),
	TP_printk("vcpu %u type %u vector %u error 0x%x", __entry->vcpu_id, __entry->type,
		  __entry->vector, __entry->error)
);

/* An instruction could not be read or decoded: where, and why not (-errno or the decoder's). */
TRACE_EVENT(kvirt_decode,
	TP_PROTO(u32 vcpu_id, u64 linear, int mode, int result, const u8 *bytes),
	TP_ARGS(vcpu_id, linear, mode, result, bytes),
	TP_STRUCT__entry(
		__field(u64, linear) __field(u32, vcpu_id) __field(int, mode) __field(int, result)
		__array(u8, bytes, 15)
	),
	TP_fast_assign(
		KEEP(linear); KEEP(vcpu_id); KEEP(mode); KEEP(result);
		memcpy(__entry->bytes, bytes, 15);
	),
	TP_printk("vcpu %u linear 0x%llx mode %d result %d bytes %s", __entry->vcpu_id,
		  __entry->linear, __entry->mode, __entry->result, __print_hex(__entry->bytes, 15))
);

#endif

/* Found through the include path that Kbuild gives host/trace.o. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH host
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
