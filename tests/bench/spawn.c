/*
 * What the benchmarks repeat: spawn.c exec N PROGRAM [ARG...] starts a program N times and waits for each,
 * spawn.c connect N PORT connects N times to 127.0.0.1. Prints nanoseconds per repetition of wall clock, and of the
 * whole machine's busy CPU time.
 */
#include <arpa/inet.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static double busy(void) /* user, nice, system, irq, softirq of /proc/stat: 10 ms steps, so N has to be large */
{
	double v[8] = {0};
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) != 8)
		exit(1);
	fclose(f);
	return (v[0] + v[1] + v[2] + v[5] + v[6]) * 1e7;
}

static int one_exec(char **argv)
{
	pid_t pid;
	int status;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		return 1;
	waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int one_connect(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), failed = connect(fd, (struct sockaddr *)&to, sizeof(to));

	close(fd);
	return failed;
}

int main(int argc, char **argv)
{
	int exec = argc > 3 && !strcmp(argv[1], "exec"), n = argc > 3 ? atoi(argv[2]) : 0, failed = 0;
	double w, b;

	if (n <= 0)
		return 2;
	w = wall();
	b = busy();
	for (int i = 0; i < n; i++)
		failed += exec ? one_exec(argv + 3) : one_connect(atoi(argv[3]));
	printf("%.0f %.0f\n", (wall() - w) / n, (busy() - b) / n);
	return failed != 0;
}
