// SPDX-License-Identifier: GPL-2.0
/*
 * An ELF vmlinux by PVH: its segments are loaded at their physical addresses
 * and it is entered in 32-bit protected mode, paging off, with EBX on the start
 * information. The entry is told by an ELF note. After Xen's documentation
 * "x86/HVM direct boot ABI" and the ELF specification. There is nothing to
 * unpack, so this is the quick way to boot.
 */
#include <elf.h>
#include <string.h>

#include "e820.h"
#include "kernel.h"

#define NOTE_PHYS32_ENTRY	18	/* owner "Xen" */
#define MAX_PROGRAM_HEADERS	64
#define MAX_NOTES_SIZE		0x10000
#define CMDLINE_MAX		2047	/* what Linux's COMMAND_LINE_SIZE leaves */
#define START_INFO_MAGIC	0x336ec578
#define START_INFO_VERSION	1	/* the first with a memory map */

struct start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modules;
	u64 cmdline;
	u64 rsdp;
	u64 memory_map;
	u32 memory_map_entries;
	u32 reserved;
};

struct module_entry {
	u64 addr;
	u64 size;
	u64 cmdline;
	u64 reserved;
};

struct memory_map_entry {
	u64 addr;
	u64 size;
	u32 type;
	u32 reserved;
};

/* The start information's page also holds the one module and the map. */
struct start_page {
	struct start_info info;
	struct module_entry module;
	struct memory_map_entry map[E820_MAX_RANGES];
};

static int bad(const struct image *image, const char *why, struct vm_error *err)
{
	return vm_fail(err, VM_STATUS_FAILURE,
		       "give an x86-64 vmlinux built with CONFIG_PVH, or a bzImage",
		       "cannot load the kernel %.200s: %s", image->path, why);
}

bool elf_probe(const struct image *image)
{
	struct vm_error ignored = { 0 };
	u8 ident[SELFMAG];

	return !image_read(image, 0, ident, sizeof(ident), &ignored) &&
	       !memcmp(ident, ELFMAG, SELFMAG);
}

static int load_segment(const struct memory *mem, const struct image *image,
			const Elf64_Phdr *ph, struct kernel *kernel,
			struct vm_error *err)
{
	u8 *to;

	if (!ph->p_memsz)
		return 0;
	if (ph->p_filesz > ph->p_memsz)
		return bad(image, "a segment is larger in the file than in memory", err);
	if (ph->p_paddr < BOOT_KERNEL_MIN)
		return bad(image, "a segment wants to lie below 1 MiB", err);
	to = guest_buf(mem, ph->p_paddr, ph->p_memsz);
	if (!to)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give the guest more memory with -m; if that does not help the file is damaged",
			       "cannot load the kernel %.200s: a segment of %llu KiB at %#llx does not fit in %llu MiB",
			       image->path, (unsigned long long)ph->p_memsz >> 10,
			       (unsigned long long)ph->p_paddr,
			       (unsigned long long)memory_low_end(mem) >> 20);
	/* What the file does not fill is zero already: the memory is new. */
	if (image_read(image, ph->p_offset, to, ph->p_filesz, err))
		return -1;
	if (!kernel->end || ph->p_paddr < kernel->start)
		kernel->start = ph->p_paddr;
	if (ph->p_paddr + ph->p_memsz > kernel->end)
		kernel->end = ph->p_paddr + ph->p_memsz;
	return 0;
}

/* Looks for the entry in one block of notes; leaves *@entry when it has none. */
static void scan_notes(const u8 *notes, u64 size, u64 *entry)
{
	u64 pos = 0;

	while (size - pos >= sizeof(Elf64_Nhdr)) {
		u64 name_len, desc_len;
		Elf64_Nhdr note;

		memcpy(&note, notes + pos, sizeof(note));
		pos += sizeof(note);
		name_len = align_up(note.n_namesz, 4);
		desc_len = align_up(note.n_descsz, 4);
		/* Both fit in 33 bits: the sum does not wrap. */
		if (name_len + desc_len > size - pos)
			return;
		if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == 4 &&
		    !memcmp(notes + pos, "Xen", 4) &&
		    (note.n_descsz == 4 || note.n_descsz == 8)) {
			*entry = 0;
			memcpy(entry, notes + pos + name_len, note.n_descsz);
			return;
		}
		pos += name_len + desc_len;
	}
}

static int read_notes(const struct image *image, const Elf64_Phdr *ph,
		      u64 *entry, struct vm_error *err)
{
	u8 notes[MAX_NOTES_SIZE];

	if (ph->p_filesz > sizeof(notes))
		return bad(image, "its notes are larger than 64 KiB", err);
	if (image_read(image, ph->p_offset, notes, ph->p_filesz, err))
		return -1;
	scan_notes(notes, ph->p_filesz, entry);
	return 0;
}

static int check_header(const struct image *image, const Elf64_Ehdr *eh,
			struct vm_error *err)
{
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64)
		return bad(image, "it is not an ELF file for x86-64", err);
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return bad(image, "it is not an executable ELF file", err);
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || !eh->e_phnum ||
	    eh->e_phnum > MAX_PROGRAM_HEADERS)
		return bad(image, "its program headers make no sense", err);
	return 0;
}

static int read_headers(const struct image *image, Elf64_Ehdr *eh,
			Elf64_Phdr ph[MAX_PROGRAM_HEADERS], struct vm_error *err)
{
	if (image_read(image, 0, eh, sizeof(*eh), err) || check_header(image, eh, err))
		return -1;
	return image_read(image, eh->e_phoff, ph, eh->e_phnum * sizeof(*ph), err);
}

int elf_check(const struct image *image, struct vm_error *err)
{
	Elf64_Phdr ph[MAX_PROGRAM_HEADERS];
	Elf64_Ehdr eh;
	unsigned int i;

	if (read_headers(image, &eh, ph, err))
		return -1;
	for (i = 0; i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && (ph[i].p_offset > image->size ||
						ph[i].p_filesz > image->size - ph[i].p_offset))
			return vm_fail(err, VM_STATUS_FAILURE, "copy or build it again",
				       "cannot load the kernel %.200s: it is cut short",
				       image->path);
	return 0;
}

int elf_load(const struct memory *mem, const struct image *image,
	     struct kernel *kernel, struct vm_error *err)
{
	Elf64_Phdr ph[MAX_PROGRAM_HEADERS];
	Elf64_Ehdr eh;
	unsigned int i;

	if (read_headers(image, &eh, ph, err))
		return -1;
	for (i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD &&
		    load_segment(mem, image, &ph[i], kernel, err))
			return -1;
		if (ph[i].p_type == PT_NOTE && !kernel->entry &&
		    read_notes(image, &ph[i], &kernel->entry, err))
			return -1;
	}
	if (!kernel->entry)
		return bad(image, "it has no PVH entry", err);
	if (kernel->entry < kernel->start || kernel->entry >= kernel->end ||
	    kernel->entry > UINT32_MAX)
		return bad(image, "its PVH entry lies outside of it", err);
	kernel->initramfs_max = UINT32_MAX;
	kernel->cmdline_max = CMDLINE_MAX;
	return 0;
}

int elf_finish(const struct memory *mem, const struct kernel *kernel,
	       const struct initramfs *initramfs, struct boot_entry *entry,
	       struct vm_error *err)
{
	struct start_page *page = guest_buf(mem, BOOT_PARAMS_ADDR, sizeof(*page));
	struct e820_range range[E820_MAX_RANGES];
	unsigned int i, n;

	if (!page)
		return vm_fail(err, VM_STATUS_FAILURE, "give the guest more memory with -m",
			       "the guest has no memory for its start information");
	memset(page, 0, sizeof(*page));
	n = e820_build(mem, range);
	for (i = 0; i < n; i++)
		page->map[i] = (struct memory_map_entry){
			.addr = range[i].addr, .size = range[i].size,
			.type = range[i].type,
		};
	page->module.addr = initramfs->addr;
	page->module.size = initramfs->size;
	page->info = (struct start_info){
		.magic = START_INFO_MAGIC,
		.version = START_INFO_VERSION,
		.nr_modules = initramfs->size ? 1 : 0,
		.modules = BOOT_PARAMS_ADDR + offsetof(struct start_page, module),
		.cmdline = BOOT_CMDLINE_ADDR,
		.rsdp = BOOT_ACPI_ADDR,
		.memory_map = BOOT_PARAMS_ADDR + offsetof(struct start_page, map),
		.memory_map_entries = n,
	};
	*entry = (struct boot_entry){
		.mode = BOOT_PROTECTED, .rip = kernel->entry,
		.rbx = BOOT_PARAMS_ADDR,
	};
	return 0;
}
