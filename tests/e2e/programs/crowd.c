/*
 * A session of its own with very many processes: crowd PROCESSES FORKS FILE. Tries to remove FILE once, starts FORKS
 * children that end at once, then PROCESSES - 1 that wait, as cheap as they come, and prints "up". Ends with its input.
 * Every process of it has the process as its session leader: who belongs to it is known without Holdpoint.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK 8192

extern char **environ;

static int wait_for_ever(void *unused)
{
	while (!unused)
		pause();
	return 0;
}

static int removes(char *file)
{
	char *argv[] = {"rm", file, NULL};
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/rm", NULL, NULL, argv, environ))
		return -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* On a machine that is very busy the judge has no time and the fail mode lets it pass: then once more. */
static int is_refused(char *file)
{
	int status = 0;

	for (int left = 200; left; left--) {
		int again;

		status = removes(file);
		if (status == 126)
			return 1;
		again = open(file, O_CREAT | O_WRONLY, 0644);
		if (again >= 0)
			close(again);
	}
	fprintf(stderr, "rm ended with %d\n", status);
	return 0;
}

int main(int argc, char **argv)
{
	int processes = argc == 4 ? atoi(argv[1]) : 0, forks = argc == 4 ? atoi(argv[2]) : 0;
	char *stacks, byte;

	if (processes < 1)
		return 2;
	setsid();
	if (!is_refused(argv[3]))
		return 3;
	for (int i = 0; i < forks; i++) {
		pid_t pid = i % 2 ? fork() : vfork();

		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 4;
	}
	stacks = mmap(NULL, (size_t)processes * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (int i = 1; i < processes; i++) {
		if (clone(wait_for_ever, stacks + (size_t)i * STACK, CLONE_VM | CLONE_FILES | SIGCHLD, NULL) < 0)
			return 5;
	}
	puts("up");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return kill(0, SIGKILL);
}
