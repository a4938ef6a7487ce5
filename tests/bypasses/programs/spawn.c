/* Ways to a child that runs a program: spawn WAY PROGRAM ARGUMENT... */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char stack[1 << 16] __attribute__((aligned(16)));

static int run(void *argv)
{
	execv(((char **)argv)[0], argv);
	_exit(127);
}

static void *run_in_thread(void *argv)
{
	run(argv);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[1] : "";
	char **inner = argv + 2;
	int status = 0;
	pid_t child = -1;

	if (!strcmp(way, "vfork")) {
		child = vfork();
		if (child == 0)
			run(inner);
	} else if (!strcmp(way, "posix-spawn")) {
		if (posix_spawn(&child, inner[0], NULL, NULL, inner, environ))
			errx(2, "posix_spawn");
	} else if (!strcmp(way, "clone-vm")) {
		child = clone(run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, inner);
	} else if (!strcmp(way, "clone-parent")) {
		/* The sibling's end is our parent's to see: ours is when its pidfd says so. */
		int pidfd, waited = 0;

		if (fork() == 0) {
			if (clone(run, stack + sizeof(stack), CLONE_PARENT | CLONE_VFORK | CLONE_PIDFD, inner, &pidfd) < 0)
				err(2, "clone");
			_exit(0);
		}
		while (wait(&status) > 0)
			waited++;
		return waited == 2 ? WEXITSTATUS(status) : 3;
	} else if (!strncmp(way, "clone-cgroup:", 13)) {
		struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};

		args.cgroup = open(way + 13, O_PATH | O_DIRECTORY);
		child = syscall(SYS_clone3, &args, sizeof(args));
		if (child == 0)
			run(inner);
	} else if (!strcmp(way, "thread")) {
		pthread_t thread;

		child = fork();
		if (child == 0) {
			pthread_create(&thread, NULL, run_in_thread, inner);
			for (;;)
				pause();
		}
	}
	if (child < 0)
		err(2, "%s", way);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
