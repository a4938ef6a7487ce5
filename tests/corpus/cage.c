/* Runs command lines one after the other, each as a session in a world of its own that ends with it: root folder, mounts,
 * process numbers, network, a user without an account.
 *
 *   cage TEMPLATE PLACE SCOPE UID SECONDS -- HOLDPOINT ARGUMENT...      for example: holdpoint run --env staging
 *
 * TEMPLATE is the root folder as every row finds it, PLACE an empty folder to mount on, SCOPE the cgroup of a gate.
 * Standard input: rows as "LENGTH NUMBER\n" and LENGTH bytes of shell text. Standard output: a line for each row,
 * "NUMBER STATUS MICROSECONDS LENGTH\n" and LENGTH bytes of what it wrote. STATUS is as wait(2) gives it; -1: it took
 * too long and was ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>

#define SAID_MAX 4096
#define LINGER_SECONDS 2
#define WORDS_MAX 64
#define VARIABLES_MAX 64

static const char *template, *place, *scope;
static uid_t uid;
static int seconds;
static char **prefix;
static int prefix_count;

static void die(const char *what)
{
	fprintf(stderr, "cage: %s: %s\n", what, strerror(errno));
	_exit(70);
}

static void try(int result, const char *what)
{
	if (result != 0)
		die(what);
}

/* The folders that every row shares, read-only: programs, libraries, and Holdpoint's own. */
static void share(const char *from, const char *to)
{
	char target[512];

	snprintf(target, sizeof(target), "%s/root%s", place, to);
	try(mount(from, target, NULL, MS_BIND | MS_REC, NULL), target);
	try(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), target);
}

static void enter_world(void)
{
	char path[512], options[1536];
	const char *folders[] = {"root", "upper", "work"};

	try(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	try(mount("none", place, "tmpfs", 0, "size=64m,mode=755"), place);
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", place, folders[i]);
		try(mkdir(path, 0755), path);
	}
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", template, place, place);
	snprintf(path, sizeof(path), "%s/root", place);
	try(mount("overlay", path, "overlay", 0, options), "overlay");
	snprintf(path, sizeof(path), "%s/usr/bin", template);
	share(path, "/usr/bin");
	share("/usr/lib", "/usr/lib");
	share("/usr/lib64", "/usr/lib64");
	share(getenv("HP_CAGE_PROGRAMS"), "/hp/bin");
	share(getenv("HP_CAGE_RUN"), "/hp/run");
	snprintf(path, sizeof(path), "%s/root/proc", place);
	try(mount("proc", path, "proc", 0, NULL), "proc");
	snprintf(path, sizeof(path), "%s/root", place);
	try(chdir(path), path);
	try(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	try(umount2(".", MNT_DETACH), "the old root");
	try(chdir("/work/shop"), "/work/shop");
	try(setgroups(0, NULL), "setgroups");
	try(setresgid(uid, uid, uid), "setresgid");
	try(setresuid(uid, uid, uid), "setresuid");
	try(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new rights");
}

/* What a row left in the background ends with the first process: it is given a while to reach its execs before. */
static int row_status;

static void end_world(int signal_number)
{
	(void)signal_number;
	_exit(row_status);
}

static void run_row(const char *text, const char *number)
{
	char *environment[VARIABLES_MAX + 10] = {"HOME=/home/dev", "USER=dev", "LOGNAME=dev", "SHELL=/bin/bash", "LANG=C.UTF-8", "TERM=dumb",
						 "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "PWD=/work/shop", "TMPDIR=/tmp"};
	char *argv[WORDS_MAX], *variables = getenv("HP_CAGE_VARIABLES");
	int count = 0, status;
	pid_t child;

	for (int i = 9; variables != NULL && i < VARIABLES_MAX + 9; i++)
		if ((environment[i] = strsep(&variables, "\n")) == NULL)
			break;
	for (int i = 0; i < prefix_count && count < WORDS_MAX - 8; i++)
		argv[count++] = prefix[i];
	argv[count++] = "--owner";
	argv[count++] = (char *)number;
	argv[count++] = "--";
	argv[count++] = "/bin/bash";
	argv[count++] = "-c";
	argv[count++] = (char *)text;
	argv[count] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter_world();
	child = fork();
	if (child == 0) {
		execve(argv[0], argv, environment);
		die(argv[0]);
	}
	if (waitpid(child, &status, 0) != child)
		_exit(70);
	row_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	signal(SIGALRM, end_world);
	alarm(LINGER_SECONDS);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	end_world(SIGALRM);
}

static void in_namespaces(const char *text, const char *number)
{
	char path[512];
	int fd, status;
	pid_t first;

	snprintf(path, sizeof(path), "%s/cgroup.procs", scope);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(path);
	close(fd);
	try(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS), "unshare");
	first = fork(); /* PID 1 of its world: all of it ends with this one */
	if (first == 0)
		run_row(text, number);
	if (waitpid(first, &status, 0) != first)
		_exit(70);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static long long now_us(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

static void row(const char *text, const char *number)
{
	static char said[SAID_MAX];
	int memory = memfd_create("said", MFD_CLOEXEC), status = 0;
	long long began = now_us();
	struct pollfd wait = {.events = POLLIN};
	ssize_t length;
	pid_t child;

	if (memory < 0)
		die("memfd_create");
	child = fork();
	if (child == 0) {
		int nothing = open("/dev/null", O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(nothing, 0);
		dup2(memory, 1);
		dup2(memory, 2);
		in_namespaces(text, number);
	}
	wait.fd = syscall(SYS_pidfd_open, child, 0);
	if (poll(&wait, 1, seconds * 1000) == 0) {
		kill(child, SIGKILL);
		status = -1;
	}
	close(wait.fd);
	waitpid(child, status == -1 ? NULL : &status, 0);
	length = pread(memory, said, sizeof(said), 0);
	close(memory);
	if (length < 0)
		length = 0;
	printf("%s %d %lld %zd\n", number, status, now_us() - began, length);
	fwrite(said, 1, length, stdout);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char head[128], number[64], *text;
	size_t length;

	if (argc < 8 || strcmp(argv[6], "--") != 0) {
		fprintf(stderr, "cage: usage: cage TEMPLATE PLACE SCOPE UID SECONDS -- HOLDPOINT ARGUMENT...\n");
		return 2;
	}
	template = argv[1], place = argv[2], scope = argv[3], uid = atoi(argv[4]), seconds = atoi(argv[5]);
	prefix = argv + 7, prefix_count = argc - 7;
	try(unshare(CLONE_NEWNET), "a network of its own"); /* empty: not even loopback is up */
	while (fgets(head, sizeof(head), stdin)) {
		if (sscanf(head, "%zu %63s", &length, number) != 2 || length > (2 << 20))
			return 2;
		text = malloc(length + 1);
		if (!text || fread(text, 1, length, stdin) != length)
			return 2;
		text[length] = 0;
		row(text, number);
		free(text);
	}
	return 0;
}
