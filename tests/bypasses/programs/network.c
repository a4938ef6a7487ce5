/* Ways to reach an address: network WAY ADDRESS PORT. Prints 0, or the number of the error. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/ip_icmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sockaddr_in to;

/* One IORING_OP_CONNECT; `poll`: a kernel thread takes it from the queue. */
static int by_ring(int poll)
{
	struct io_uring_params p = {.flags = poll ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 1000};
	int ring = syscall(SYS_io_uring_setup, 4, &p), socket_ = socket(AF_INET, SOCK_STREAM, 0);
	struct io_uring_cqe *done;
	struct io_uring_sqe *entry;
	unsigned *tail, mask;
	char *sq, *cq;

	if (ring < 0)
		err(2, "io_uring_setup");
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		  IORING_OFF_CQ_RING);
	entry = mmap(NULL, p.sq_entries * sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || entry == MAP_FAILED)
		err(2, "mmap");
	*entry = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = socket_, .addr = (uintptr_t)&to, .off = sizeof(to)};
	tail = (unsigned *)(sq + p.sq_off.tail);
	mask = *(unsigned *)(sq + p.sq_off.ring_mask);
	((unsigned *)(sq + p.sq_off.array))[*tail & mask] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, poll ? 0 : 1, 1, IORING_ENTER_GETEVENTS | (poll ? IORING_ENTER_SQ_WAKEUP : 0),
		    NULL, 0) < 0)
		err(2, "io_uring_enter");
	done = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return -done->res;
}

static int datagram(const char *way)
{
	struct iovec text = {.iov_base = "x", .iov_len = 1};
	struct mmsghdr message = {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &text, .msg_iovlen = 1}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (!strcmp(way, "sendto"))
		return sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)) < 0 ? errno : 0;
	if (!strcmp(way, "sendmsg"))
		return sendmsg(fd, &message.msg_hdr, 0) < 0 ? errno : 0;
	return sendmmsg(fd, &message, 1, 0) < 0 ? errno : 0;
}

static int raw(void)
{
	struct icmphdr echo = {.type = ICMP_ECHO, .checksum = htons(0xf7ff)};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	return sendto(fd, &echo, sizeof(echo), 0, (void *)&to, sizeof(to)) < 0 ? errno : 0;
}

int main(int argc, char **argv)
{
	const char *way = argc == 4 ? argv[1] : "";
	int failed = -1;

	to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(argv[2]), .sin_port = htons(atoi(argv[3]))};
	if (!strcmp(way, "ring"))
		failed = by_ring(0);
	else if (!strcmp(way, "polled-ring"))
		failed = by_ring(1);
	else if (!strncmp(way, "send", 4))
		failed = datagram(way);
	else if (!strcmp(way, "fast-open"))
		failed = sendto(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, (void *)&to, sizeof(to)) < 0 ? errno : 0;
	else if (!strcmp(way, "raw"))
		failed = raw();
	printf("%d\n", failed);
	return failed < 0;
}
