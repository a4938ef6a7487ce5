/* Makes another process do it: outside PID ADDRESS TEXT. Writes TEXT into its memory. */
#define _GNU_SOURCE
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

int main(int argc, char **argv)
{
	struct iovec from = {.iov_base = argv[3], .iov_len = strlen(argv[3]) + 1};
	struct iovec to = {.iov_base = (void *)strtoul(argv[2], NULL, 16), .iov_len = from.iov_len};

	if (process_vm_writev(atoi(argv[1]), &from, 1, &to, 1, 0) < 0)
		err(1, "process_vm_writev");
	return 0;
}
