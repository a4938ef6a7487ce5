// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Where a session connects to. A refused connect, or a datagram to a refused address, fails with EPERM in the caller.
 *
 * Hooks:  cgroup/connect4, connect6, sendmsg4, sendmsg6 on the cgroup of the scope, each twice: hp_NAME reads the label
 *         from task storage, hp_NAME_tg from hp_tgid. The loader takes the first set that this kernel lets in.
 *         TCP Fast Open (MSG_FASTOPEN) comes through connect; sendmsg is for datagrams that name their address.
 * Events: hp_connect_event, to hp_urgent where refused, else to hp_events. Datagrams that pass: one event a second for
 *         each session and destination.
 * Maps:   reads hp_config, hp_beat, hp_off, hp_glass, hp_sessions, hp_task or hp_tgid, hp_dest4, hp_dest6, hp_actions;
 *         writes hp_connect_pass, hp_stats, hp_seq.
 * Kernel: 6.1; task storage in these programs needs a newer one (6.18 has it, 6.12 not).
 * Forged: nothing: the address is the one the kernel will use. A process that leaves the scope's cgroup is not seen.
 */
#include "bpf/lib/label.h"

#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HP_PASS 1
#define HP_REFUSE 0
#define HP_SENT_AGAIN_NS 1000000000ULL

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct hp_connect_key);
	__type(value, __u64); /* when the last event was sent */
} hp_tmp_sent SEC(".maps");

static __always_inline bool hp_is_mapped(const __u8 *address)
{
	const __u32 *word = (const __u32 *)address;

	return word[0] == 0 && word[1] == 0 && word[2] == bpf_htonl(0xffff);
}

static __always_inline const struct hp_dest *hp_find_dest(const struct hp_connect_key *to)
{
	struct hp_dest6_key key6 = {.prefix_length = 128};
	struct hp_dest4_key key4 = {.prefix_length = 32};

	if (hp_is_mapped(to->address)) {
		__builtin_memcpy(key4.address, to->address + 12, sizeof(key4.address));
		return bpf_map_lookup_elem(&hp_dest4, &key4);
	}
	__builtin_memcpy(key6.address, to->address, sizeof(key6.address));
	return bpf_map_lookup_elem(&hp_dest6, &key6);
}

struct hp_ruling {
	__u16 environment;
	__u32 action;
};

/* What the tables say of a connect from an environment to an address. */
static __always_inline struct hp_ruling hp_rule(__u32 from_environment, const struct hp_connect_key *to)
{
	struct hp_ruling ruling = {.action = HP_ACTION_ALLOW};
	const struct hp_dest *dest = hp_find_dest(to);
	__u32 i, key, *action;

	if (!dest)
		return ruling;
	for (i = 0; i < HP_DEST_RANGES; i++) {
		const struct hp_dest_range *range = &dest->range[i];

		if (i >= dest->count)
			break;
		if (to->port < range->port_low || to->port > range->port_high)
			continue;
		ruling.environment = range->environment;
		if (range->refuse == HP_REFUSE_ALWAYS) {
			ruling.action = HP_ACTION_REFUSE;
		} else if (range->refuse == HP_REFUSE_CROSSING) {
			key = from_environment * HP_ENV_MAX + range->environment;
			action = bpf_map_lookup_elem(&hp_actions, &key);
			if (action)
				ruling.action = *action;
		}
		break;
	}
	return ruling;
}

/* An approval for exactly this destination, used up by this connect. */
static __always_inline bool hp_use_pass(const struct hp_connect_key *to)
{
	struct hp_connect_pass *pass = bpf_map_lookup_elem(&hp_connect_pass, to);

	if (!pass || pass->expires_boot_ns <= bpf_ktime_get_boot_ns() || (__s64)pass->uses <= 0)
		return false;
	if ((__s64)__sync_fetch_and_sub(&pass->uses, 1) > 0)
		return true;
	__sync_fetch_and_add(&pass->uses, 1); /* another CPU took the last one */
	return false;
}

/* Break-glass: everything to this environment passes for a while, as long as the gate lives that writes it down. */
static __always_inline bool hp_glass_is_broken(__u32 environment)
{
	const struct hp_config *config = hp_active_config();

	return config && hp_is_lifted(bpf_map_lookup_elem(&hp_glass, &environment)) && hp_beat_is_fresh(config);
}

static __always_inline void hp_report(struct bpf_sock_addr *ctx, const struct hp_label *label,
				      const struct hp_connect_key *to, const struct hp_ruling *ruling, __u32 flags,
				      bool refused)
{
	__u64 seq = hp_next_seq(refused ? HP_SEQ_URGENT : HP_SEQ_EVENTS);
	struct hp_connect_event event = {};

	event.hdr.boot_ns = bpf_ktime_get_boot_ns();
	event.hdr.start_boot_ns = label->start_boot_ns;
	event.hdr.session = label->session;
	event.hdr.cpu_seq = seq;
	event.hdr.tgid = bpf_get_current_pid_tgid() >> 32;
	event.hdr.size = sizeof(event);
	event.hdr.flags = flags;
	event.hdr.kind = HP_EVENT_CONNECT;
	event.hdr.cpu = bpf_get_smp_processor_id();
	event.exec_id = label->exec_id;
	__builtin_memcpy(event.address, to->address, sizeof(event.address));
	event.port = to->port;
	event.family = ctx->family;
	event.protocol = ctx->protocol;
	event.environment = ruling->environment;
	event.action = ruling->action;
	if (refused && bpf_ringbuf_output(&hp_urgent, &event, sizeof(event), BPF_RB_FORCE_WAKEUP))
		hp_count(HP_STAT_LOST_URGENT);
	if (!refused && bpf_ringbuf_output(&hp_events, &event, sizeof(event), BPF_RB_NO_WAKEUP))
		hp_count(HP_STAT_LOST_EVENTS);
}

static __always_inline bool hp_reported_lately(const struct hp_connect_key *to)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 *last = bpf_map_lookup_elem(&hp_tmp_sent, to);

	if (last && now - *last < HP_SENT_AGAIN_NS)
		return true;
	bpf_map_update_elem(&hp_tmp_sent, to, &now, BPF_ANY);
	return false;
}

static __always_inline int hp_judge_connect(struct bpf_sock_addr *ctx, const struct hp_label *label,
					    struct hp_connect_key *to, bool datagram)
{
	struct hp_session *session;
	struct hp_ruling ruling;
	bool refused = false;
	__u32 flags = 0;

	session = hp_session_of(label);
	if (!session)
		return HP_PASS;
	hp_count(HP_STAT_CONNECT_SEEN);
	to->session = label->session;
	to->port = bpf_ntohs((__u16)ctx->user_port);
	ruling = hp_rule(session->environment, to);
	if (ruling.action == HP_ACTION_REFUSE) {
		if (!hp_enforces(session))
			flags |= HP_FLAG_OBSERVED;
		else if (hp_use_pass(to))
			flags |= HP_FLAG_APPROVED;
		else if (hp_glass_is_broken(ruling.environment))
			flags |= HP_FLAG_APPROVED | HP_FLAG_GLASS;
		else
			refused = true;
	}
	if (refused)
		hp_count(HP_STAT_CONNECT_REFUSED);
	if (refused || !datagram || !hp_reported_lately(to))
		hp_report(ctx, label, to, &ruling, flags, refused);
	return refused ? HP_REFUSE : HP_PASS;
}

static __always_inline int hp_to4(struct bpf_sock_addr *ctx, const struct hp_label *label, bool datagram)
{
	struct hp_connect_key to = {};
	__u32 address = ctx->user_ip4;

	*(__u32 *)&to.address[8] = bpf_htonl(0xffff);
	*(__u32 *)&to.address[12] = address;
	return hp_judge_connect(ctx, label, &to, datagram);
}

static __always_inline int hp_to6(struct bpf_sock_addr *ctx, const struct hp_label *label, bool datagram)
{
	struct hp_connect_key to = {};

	*(__u32 *)&to.address[0] = ctx->user_ip6[0];
	*(__u32 *)&to.address[4] = ctx->user_ip6[1];
	*(__u32 *)&to.address[8] = ctx->user_ip6[2];
	*(__u32 *)&to.address[12] = ctx->user_ip6[3];
	return hp_judge_connect(ctx, label, &to, datagram);
}

static __always_inline const struct hp_label *hp_current_by_storage(void)
{
	if (!hp_active_config())
		return NULL;
	return hp_label_of(bpf_get_current_task_btf());
}

static __always_inline const struct hp_label *hp_current_by_tgid(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct hp_label *label;

	if (!hp_active_config())
		return NULL;
	label = bpf_map_lookup_elem(&hp_tgid, &tgid); /* taken away when the process ends */
	return label && label->session ? label : NULL;
}

#define HP_PROGRAM(section, name, find, judge, datagram)         \
	SEC("cgroup/" section)                                   \
	int name(struct bpf_sock_addr *ctx)                      \
	{                                                        \
		const struct hp_label *label = find();           \
                                                                 \
		return label ? judge(ctx, label, datagram) : HP_PASS; \
	}

HP_PROGRAM("connect4", hp_connect4, hp_current_by_storage, hp_to4, false)
HP_PROGRAM("connect6", hp_connect6, hp_current_by_storage, hp_to6, false)
HP_PROGRAM("sendmsg4", hp_sendmsg4, hp_current_by_storage, hp_to4, true)
HP_PROGRAM("sendmsg6", hp_sendmsg6, hp_current_by_storage, hp_to6, true)
HP_PROGRAM("connect4", hp_connect4_tg, hp_current_by_tgid, hp_to4, false)
HP_PROGRAM("connect6", hp_connect6_tg, hp_current_by_tgid, hp_to6, false)
HP_PROGRAM("sendmsg4", hp_sendmsg4_tg, hp_current_by_tgid, hp_to4, true)
HP_PROGRAM("sendmsg6", hp_sendmsg6_tg, hp_current_by_tgid, hp_to6, true)
