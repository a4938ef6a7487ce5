/*
 * What a session may try on Holdpoint with a system call of its own. Prints what became of it:
 *   deed ptrace PID   seizes a process and lets it go       deed maps, progs  opens all of the kernel's, by number
 *   deed mem PID      reads a byte of its memory            deed get PATH     opens a pinned one
 *   deed own          makes a map of its own and opens it   deed unpin DIR    removes every pin below
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int say(long result)
{
	puts(result < 0 ? strerror(errno) : "done");
	return result < 0;
}

/* Of every object: how many could be opened whose name is one of Holdpoint's, how many not. */
static int all(int next, int by_id)
{
	int opened = 0, denied = 0;

	for (uint32_t id = 0;;) {
		union bpf_attr attr = {.start_id = id}, get = {}, ask = {};
		union {
			struct bpf_map_info map;
			struct bpf_prog_info prog;
		} info = {};
		int fd;

		if (bpf(next, &attr))
			break;
		id = attr.next_id;
		get.map_id = id;
		fd = bpf(by_id, &get);
		if (fd < 0) {
			denied += errno == EPERM;
			continue;
		}
		ask.info.bpf_fd = fd;
		ask.info.info = (uint64_t)(uintptr_t)&info;
		ask.info.info_len = by_id == BPF_MAP_GET_FD_BY_ID ? sizeof(info.map) : sizeof(info.prog);
		if (!bpf(BPF_OBJ_GET_INFO_BY_FD, &ask))
			opened += !strncmp(by_id == BPF_MAP_GET_FD_BY_ID ? info.map.name : info.prog.name, "hp_", 3);
		close(fd);
	}
	printf("opened %s, denied %s\n", opened ? "some" : "none", denied ? "some" : "none");
	return 0;
}

static int own_map(void)
{
	union bpf_attr make = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1, .map_name = "mine"};
	struct bpf_map_info info = {};
	union bpf_attr ask = {}, get = {};
	int fd = bpf(BPF_MAP_CREATE, &make);

	ask.info.bpf_fd = fd;
	ask.info.info = (uint64_t)(uintptr_t)&info;
	ask.info.info_len = sizeof(info);
	if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &ask))
		return say(-1);
	get.map_id = info.id;
	return say(bpf(BPF_MAP_GET_FD_BY_ID, &get));
}

static int get(const char *path)
{
	union bpf_attr attr = {.pathname = (uint64_t)(uintptr_t)path};

	return say(bpf(BPF_OBJ_GET, &attr));
}

static int seize(int pid)
{
	return say(ptrace(PTRACE_SEIZE, pid, 0, 0));
}

/* Where its program is mapped: the first line of maps, which ptrace's rights guard as well. */
static int mem(int pid)
{
	char path[64], byte;
	unsigned long start;
	struct iovec here = {&byte, 1}, there = {.iov_len = 1};
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	if (!maps)
		return say(-1);
	errno = EIO;
	if (fscanf(maps, "%lx-", &start) != 1)
		return say(-1);
	there.iov_base = (void *)start;
	return say(process_vm_readv(pid, &here, 1, &there, 1, 0));
}

static int unpin(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)at;
	return kind == FTW_F ? unlink(path) : 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *on = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "ptrace"))
		return seize(atoi(on));
	if (!strcmp(what, "mem"))
		return mem(atoi(on));
	if (!strcmp(what, "maps"))
		return all(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID);
	if (!strcmp(what, "progs"))
		return all(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID);
	if (!strcmp(what, "get"))
		return get(on);
	if (!strcmp(what, "own"))
		return own_map();
	if (!strcmp(what, "unpin"))
		return say(nftw(on, unpin, 8, FTW_PHYS));
	return 2;
}
