/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The headers of a bzImage and of a vmlinux that vmrun loads, for test_boot.c and
 * selftests/fuzz/vmrun_kernel.c. What else is in the file, and what is wrong with it, is theirs.
 */
#ifndef VMRUN_TESTS_KERNEL_IMAGE_H
#define VMRUN_TESTS_KERNEL_IMAGE_H

#include <asm/bootparam.h>
#include <elf.h>
#include <string.h>

#include "../types.h"

/*
 * A bzImage of @size bytes, @setup of them its setup, with 64-bit code for @addr: its header, after
 * the Linux/x86 boot protocol 2.15, which is zeroes but for this.
 */
static inline struct setup_header *bzimage_header(u8 *image, size_t size, size_t setup, u64 addr)
{
	struct setup_header *hdr = (void *)(image + 0x1f1);

	*hdr = (struct setup_header){
		.setup_sects = setup / 512 - 1, .syssize = (size - setup) / 16,
		.boot_flag = 0xaa55, .jump = 0x66eb, .header = 0x53726448, .version = 0x20f,
		.loadflags = LOADED_HIGH, .xloadflags = XLF_KERNEL_64,
		.pref_address = addr, .init_size = 0x10000,
		.initrd_addr_max = 0x7fffffff, .cmdline_size = 100,
	};
	return hdr;
}

/*
 * A vmlinux' header and its two program headers: 0x1800 bytes at 0x1000, which are 0x4000 in memory
 * at @addr; and at @note_at, which is written too, the note with the entry, @addr + 0x40, that a
 * PVH loader looks for (Xen's elfnote 18).
 */
static inline void vmlinux_headers(u8 *image, u64 addr, size_t note_at)
{
	Elf64_Ehdr *eh = (void *)image;
	Elf64_Phdr *ph = (void *)(image + sizeof(*eh));
	u32 note[] = { 4, 8, 18, 0, addr + 0x40, 0 };

	*eh = (Elf64_Ehdr){
		.e_ident = { [EI_CLASS] = ELFCLASS64, [EI_DATA] = ELFDATA2LSB },
		.e_type = ET_EXEC, .e_machine = EM_X86_64,
		.e_phoff = sizeof(*eh), .e_phentsize = sizeof(*ph), .e_phnum = 2,
	};
	memcpy(eh->e_ident, ELFMAG, SELFMAG);
	ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = 0x1000, .p_filesz = 0x1800, .p_memsz = 0x4000,
		.p_paddr = addr,
	};
	ph[1] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = note_at, .p_filesz = sizeof(note),
	};
	memcpy(&note[3], "Xen", 4);
	memcpy(image + note_at, note, sizeof(note));
}

#endif
