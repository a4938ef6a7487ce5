// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Which servers of this host a session talks to: a server that was there before can start programs that carry no label.
 * Nothing is refused here. Attached only while a session exists.
 *
 * Hooks:  one of, the first that loads: lsm/unix_stream_connect; fexit/unix_stream_connect; tp_btf/sk_data_ready, which
 *         the kernel passes for the listening socket in the context of who connects (and for every other socket that
 *         gets data: two loads and out).
 * Events: HP_EVENT_UNIX to hp_events; one a second for each session and listening socket.
 * Maps:   reads hp_config, hp_task, hp_tgid, hp_sessions; writes hp_stats, hp_seq.
 * Kernel: lsm: 6.1 with BPF LSM on. fexit: 6.1 where lockdown lets it in. sk_data_ready: 6.3.
 * Forged: nothing: the name is the one that the server bound, the process the one that called listen(2). A name says
 *         where a socket was bound, in the server's mount namespace, not what is there now. A server that inherited its
 *         socket (socket activation) is shown as who made it. Datagram sockets are not seen.
 */
#include "bpf/lib/label.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HP_TOLD_AGAIN_NS 1000000000ULL

struct hp_told_key {
	__u64 session;
	__u64 listener; /* address of the socket: compared, never followed */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct hp_told_key);
	__type(value, __u64); /* when the last event was sent */
} hp_tmp_told SEC(".maps");

static __always_inline bool hp_told_lately(__u64 session, const struct sock *listener)
{
	struct hp_told_key key = {.session = session, .listener = (__u64)listener};
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 *last = bpf_map_lookup_elem(&hp_tmp_told, &key);

	if (last && now - *last < HP_TOLD_AGAIN_NS)
		return true;
	bpf_map_update_elem(&hp_tmp_told, &key, &now, BPF_ANY);
	return false;
}

/* The session of a live process by its number alone: the entry goes when the process ends. */
static __always_inline __u64 hp_session_of_tgid(__u32 tgid)
{
	struct hp_label *label = bpf_map_lookup_elem(&hp_tgid, &tgid);

	return label ? label->session : 0;
}

/* `named` has the name that the server bound: the listening socket, or the server's end of the connection. */
static __always_inline void hp_report_unix(const struct hp_label *label, const struct sock *listener,
					   const struct sock *named)
{
	const struct unix_sock *unix_sock = (const void *)named;
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 peer = BPF_CORE_READ(listener, sk_peer_pid, numbers[0].nr);
	__u64 peer_session = hp_session_of_tgid(peer);
	struct hp_unix_event event = {};
	struct unix_address *address;
	__u32 len;

	if (peer_session == label->session || peer == (__u32)task->tgid)
		return;
	if (hp_told_lately(label->session, listener))
		return;
	hp_fill_header(&event.hdr, task, label->session, HP_EVENT_UNIX, sizeof(event));
	event.hdr.cpu_seq = hp_next_seq(HP_SEQ_EVENTS);
	event.exec_id = label->exec_id;
	event.peer_session = peer_session;
	event.peer = peer;
	address = BPF_CORE_READ(unix_sock, addr);
	if (address) {
		len = BPF_CORE_READ(address, len) - 2;
		if (len > 108)
			len = 0;
		asm volatile("%0 &= 127" : "+r"(len));
		if (len <= 108 && !bpf_probe_read_kernel(event.path, len, (const void *)address->name + 2))
			event.path_len = len;
	}
	if (bpf_ringbuf_output(&hp_events, &event, sizeof(event), BPF_RB_NO_WAKEUP))
		hp_count(HP_STAT_LOST_EVENTS);
}

/* NULL where the task that runs is in no session. */
static __always_inline const struct hp_label *hp_current_label(void)
{
	struct hp_label *label;

	if (!hp_active_config())
		return NULL;
	label = hp_label_of(bpf_get_current_task_btf());
	return label && hp_session_of(label) ? label : NULL;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(hp_unix_lsm, struct sock *sock, struct sock *other, struct sock *newsk, int ret)
{
	const struct hp_label *label = ret ? NULL : hp_current_label();

	if (label)
		hp_report_unix(label, other, other);
	return ret;
}

SEC("fexit/unix_stream_connect")
int BPF_PROG(hp_unix_exit, struct socket *sock, struct sockaddr *address, int len, int flags, int ret)
{
	const struct hp_label *label = ret ? NULL : hp_current_label();
	const struct unix_sock *unix_sock = (const void *)sock->sk;
	struct sock *peer;

	if (!label)
		return 0;
	peer = BPF_CORE_READ(unix_sock, peer); /* takes over name and credentials of the listening socket */
	if (peer)
		hp_report_unix(label, peer, peer);
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(hp_unix_ready, const struct sock *sk)
{
	const struct hp_label *label;

	if (sk->__sk_common.skc_family != HP_AF_UNIX || sk->__sk_common.skc_state != HP_TCP_LISTEN)
		return 0;
	label = hp_current_label();
	if (label)
		hp_report_unix(label, sk, sk);
	return 0;
}
