/* Ways to run a program that are not `execve(PATH, argv)`: identity WAY PROGRAM ARGUMENT... */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int execveat_(int fd, const char *path, char **argv, int flags)
{
	return syscall(SYS_execveat, fd, path, argv, environ, flags);
}

static void copy(const char *from, int to)
{
	char buffer[65536];
	int in = open(from, O_RDONLY);
	ssize_t n;

	if (in < 0)
		err(2, "%s", from);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, n) != n)
			err(2, "write");
	close(in);
}

static int memory_file(const char *program)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	copy(program, fd);
	return fd;
}

/* The same argument, while another thread writes one of two names of equal length over it. */
static char shared[4096], *names[2];
static volatile int flip;

static void *flipping(void *unused)
{
	size_t length = strlen(names[0]) + 1;

	for (flip = 1;; flip++)
		memcpy(shared, names[flip & 1], length);
	return unused;
}

static int flipped(char **argv)
{
	pthread_t thread;
	char *words[] = {"rm", "-f", shared, NULL};

	names[0] = argv[2];
	names[1] = argv[3]; /* flip PROGRAM NAME NAME */
	strcpy(shared, names[0]);
	pthread_create(&thread, NULL, flipping, NULL);
	while (!flip)
		sched_yield();
	execv(argv[1], words);
	return 1;
}

/* Fills a file that has run as something else with another program, through a shared mapping. Pages that were read
 * before they are written have no fault left in which tmpfs could note the time. */
static int overwritten(char **argv)
{
	int from = open(argv[1], O_RDONLY), to = open(argv[2], O_RDWR);
	off_t size = lseek(from, 0, SEEK_END);
	char *map;

	if (from < 0 || to < 0 || lseek(to, 0, SEEK_END) != size)
		errx(2, "%s and %s must be there and of one size", argv[1], argv[2]);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	if (map == MAP_FAILED)
		err(2, "map");
	for (off_t at = 0; at < size; at += 4096)
		*(volatile char *)(map + at);
	if (pread(from, map, size, 0) != size)
		err(2, "read");
	return 0;
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[1] : "";
	char **inner = argv + 2, path[64];
	int fd;

	if (!strcmp(way, "flip"))
		return flipped(argv + 1);
	if (!strcmp(way, "overwrite"))
		return overwritten(inner - 1);
	if (!strcmp(way, "empty-path")) {
		execveat_(open(inner[0], O_PATH), "", inner, AT_EMPTY_PATH);
	} else if (!strcmp(way, "relative-fd")) {
		char *folder = strdup(inner[0]), *name = strrchr(folder, '/');

		*name++ = 0;
		execveat_(open(folder, O_PATH | O_DIRECTORY), name, inner, 0);
	} else if (!strcmp(way, "memory")) {
		fexecve(memory_file(inner[0]), inner, environ);
	} else if (!strcmp(way, "proc-fd")) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", memory_file(inner[0]));
		execv(path, inner);
	} else if (!strcmp(way, "unlinked")) {
		fd = open("copied", O_CREAT | O_EXCL | O_WRONLY, 0700);
		copy(inner[0], fd);
		close(fd);
		fd = open("copied", O_PATH);
		unlink("copied");
		execveat_(fd, "", inner, AT_EMPTY_PATH);
	} else if (!strcmp(way, "argv0")) { /* argv0 PROGRAM NAME ARGUMENT... */
		execv(inner[0], inner + 1);
	}
	err(1, "%s", way);
}
