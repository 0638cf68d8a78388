// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics files: their form as KVM's selftest asks for it, and that what is counted is so.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

static void guest(void)
{
	uint32_t a, b, c, d;

	for (int i = 0; i < 10; i++)
		cpuid(0, 0, &a, &b, &c, &d);
	guest_stage(1);
	for (;;)
		;
}

struct stats {
	int fd;
	struct kvirt_stats_header head;
	uint8_t *descs;
};

static const struct kvirt_stats_desc *desc_at(const struct stats *s, uint32_t i)
{
	return (void *)(s->descs + i * (sizeof(struct kvirt_stats_desc) + s->head.name_size));
}

static struct stats stats_open(int file)
{
	struct stats s = { .fd = ASSERT_OK(ioctl(file, KVIRT_GET_STATS_FD, NULL)) };
	size_t size;

	ASSERT_EQ(pread(s.fd, &s.head, sizeof(s.head), 0), sizeof(s.head));
	size = s.head.num_desc * (sizeof(struct kvirt_stats_desc) + s.head.name_size);
	s.descs = calloc(1, size);
	ASSERT_EQ(pread(s.fd, s.descs, size, s.head.desc_offset), size);
	return s;
}

static uint64_t value(const struct stats *s, const char *name)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < s->head.num_desc; i++) {
		if (strcmp(desc_at(s, i)->name, name))
			continue;
		ASSERT_EQ(pread(s->fd, &v, 8, s->head.data_offset + desc_at(s, i)->offset), 8);
		return v;
	}
	test_fail(__FILE__, __LINE__, "no %s", name);
	return 0;
}

static void expect_form(const struct stats *s)
{
	char id[64] = "";
	uint64_t end = 0;

	EXPECT(s->head.name_size > 0 && s->head.name_size <= 48);
	EXPECT(s->head.num_desc > 0);
	EXPECT(s->head.id_offset >= sizeof(s->head));
	EXPECT(s->head.desc_offset >= s->head.id_offset + s->head.name_size || s->head.desc_offset < s->head.id_offset);
	EXPECT(s->head.data_offset >= s->head.desc_offset +
	       s->head.num_desc * (sizeof(struct kvirt_stats_desc) + s->head.name_size));
	ASSERT_EQ(pread(s->fd, id, s->head.name_size, s->head.id_offset), s->head.name_size);
	EXPECT(strlen(id) > 0 && strlen(id) < s->head.name_size);
	test_note("%s: %u", id, s->head.num_desc);
	for (uint32_t i = 0; i < s->head.num_desc; i++) {
		const struct kvirt_stats_desc *d = desc_at(s, i);

		EXPECT((d->flags & 15) <= 4);
		EXPECT(((d->flags >> 4) & 15) <= 4);
		EXPECT(d->size >= 1);
		EXPECT(strlen(d->name) > 0 && strlen(d->name) < s->head.name_size && d->name[0] != '(');
		EXPECT_EQ(d->offset % 8, 0);
		for (uint32_t j = 0; j < i; j++)
			EXPECT(strcmp(d->name, desc_at(s, j)->name));
		if (d->offset + d->size * 8 > end)
			end = d->offset + d->size * 8;
	}
	/* All data are there, nothing behind them, and nothing can be written. */
	uint64_t *data = calloc(1, end + 8);

	EXPECT_EQ(pread(s->fd, data, end, s->head.data_offset), end);
	EXPECT_EQ(pread(s->fd, data, 8, s->head.data_offset + end), 0);
	EXPECT_ERRNO(pwrite(s->fd, data, 8, 0), ESPIPE);
	EXPECT_ERRNO(write(s->fd, data, 8), EBADF);
	free(data);
}

static void form(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest);
	struct stats v = stats_open(vm->fd), c = stats_open(vcpu->fd);

	EXPECT_EQ(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_BINARY_STATS_FD), 1);
	EXPECT_ERRNO(ioctl(vm->dev, KVIRT_GET_STATS_FD, NULL), EINVAL);
	expect_form(&v);
	expect_form(&c);
	EXPECT_ERRNO(pread(c.fd, mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8, 0), EFAULT);
	EXPECT_ERRNO(pread(c.fd, &v, 8, -1), EINVAL);
	EXPECT_EQ(pread(c.fd, &v, 8, 1ll << 40), 0);
	EXPECT_EQ(fcntl(c.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

static void counts(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest);
	struct stats c = stats_open(vcpu->fd);
	uint64_t exits;

	EXPECT_EQ(value(&c, "exits"), 0);
	vcpu_expect_stage(vcpu, 1);
	exits = value(&c, "exits");
	EXPECT(exits >= 11);
	/* Both count a port's. */
	EXPECT_EQ(value(&c, "io_exits"), 1);
	EXPECT_EQ(value(&c, "signal_exits"), 0);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(value(&c, "exits"), exits);
}

/* kvirt's own: every kind of exit is counted, and they add up. */
static void kinds(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest), *other = vcpu_new(vm, 1, guest);
	struct stats v = stats_open(vm->fd), c = stats_open(vcpu->fd), o = stats_open(other->fd);
	uint64_t sum = 0;

	if (!strstr(test_dev, "kvirt"))
		test_skip("names that are not KVM's");
	vcpu_expect_stage(vcpu, 1);
	vcpu_expect_stage(other, 1);
	EXPECT_EQ(value(&c, "cpuid_exits"), 10);
	EXPECT_EQ(value(&c, "user_exits"), 1);
	EXPECT(value(&c, "nested_fault_exits") > 0);
	for (uint32_t i = 0; i < c.head.num_desc; i++) {
		const char *name = desc_at(&c, i)->name;

		if (strcmp(name, "exits") && strcmp(name, "user_exits") && strcmp(name, "signal_exits") &&
		    strcmp(name, "injections") && strcmp(name, "halt_waits"))
			sum += value(&c, name);
	}
	EXPECT_EQ(sum, value(&c, "exits"));
	EXPECT_EQ(value(&v, "exits"), value(&c, "exits") + value(&o, "exits"));
	EXPECT_EQ(value(&v, "cpuid_exits"), 20);
}

/* The file holds the VM: reading goes on when all else is closed. */
static void outlives(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest);
	struct stats c = stats_open(vcpu->fd), v = stats_open(vm->fd);
	uint64_t exits;

	vcpu_expect_stage(vcpu, 1);
	exits = value(&c, "exits");
	vcpu_free(vcpu);
	vm_free(vm);
	EXPECT_EQ(value(&c, "exits"), exits);
	expect_form(&v);
	EXPECT_OK(close(v.fd));
	EXPECT_OK(close(c.fd));
}

static const struct test tests[] = {
	TEST(form),
	TEST(counts),
	TEST(kinds),
	TEST(outlives),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
