/*
 * labels MAP < SESSION-LEADERS: looks at every process of the host, and at its label in MAP (hp_task, pinned). A process is in
 * the session of its session leader, where that is one of those given, and in none otherwise. Prints, as JSON, how many
 * processes are labelled, in how many sessions, and how many labels are wrong, missing, or on somebody outside.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIDS (1 << 22)

static uint64_t session_of[PIDS]; /* by leader; 1: not seen yet */

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* 0: none. */
static uint64_t label_of(int map, int pid)
{
	uint64_t label[4] = {0};
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	union bpf_attr attr = {.map_fd = map, .key = (uintptr_t)&pidfd, .value = (uintptr_t)label};

	if (pidfd < 0)
		return 0;
	bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	close(pidfd);
	return label[0];
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sessions that two leaders share. */
static int repeated(uint64_t *numbers, int count)
{
	int found = 0;

	qsort(numbers, count, sizeof(*numbers), by_number);
	for (int i = 1; i < count; i++)
		found += numbers[i] == numbers[i - 1];
	return found;
}

/* Ended, and nobody has waited for it. */
static int is_zombie(int pid)
{
	char path[64], state = 'Z';
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "r");
	if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	if (stat)
		fclose(stat);
	return state == 'Z';
}

int main(int argc, char **argv)
{
	union bpf_attr attr = {.pathname = (uintptr_t)(argc > 1 ? argv[1] : "")};
	int map = bpf(BPF_OBJ_GET, &attr), leader, labelled = 0, sessions = 0, wrong = 0, missing = 0, outside = 0;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (map < 0 || !proc) {
		fprintf(stderr, "%s: %s\n", argc > 1 ? argv[1] : "no map", strerror(errno));
		return 2;
	}
	while (scanf("%d", &leader) == 1)
		session_of[leader % PIDS] = 1;
	while ((entry = readdir(proc))) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		uint64_t label, *session;

		leader = pid ? getsid(pid) : -1;
		if (leader < 0 || leader >= PIDS || is_zombie(pid))
			continue;
		label = label_of(map, pid);
		session = &session_of[leader];
		labelled += label != 0;
		if (!*session) {
			outside += label != 0;
		} else if (!label) {
			missing++;
		} else if (*session == 1) {
			*session = label;
			sessions++;
		} else {
			wrong += *session != label;
		}
	}
	leader = 0; /* the leaders are not needed any more: their sessions, one after the other */
	for (int i = 0; i < PIDS; i++) {
		if (session_of[i] > 1)
			session_of[leader++] = session_of[i];
	}
	wrong += repeated(session_of, leader);
	printf("{\"labelled\": %d, \"sessions\": %d, \"wrong\": %d, \"missing\": %d, \"outside\": %d}\n", labelled, sessions, wrong,
	       missing, outside);
	return 0;
}
