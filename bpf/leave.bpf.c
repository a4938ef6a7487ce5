// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A labelled process that is moved out of the scope's cgroup: the label stays, its connects are seen no longer.
 * Attached where the scope is not the whole host, also without a session: a move is rare, and may be the first thing
 * that one does.
 *
 * Hooks:  tp_btf/cgroup_attach_task, after the move, in the context of who moved it.
 * Events: HP_EVENT_LEFT, urgent: who moved it may be gone soon.
 * Maps:   reads hp_config, hp_task, hp_tgid, hp_sessions; writes hp_stats, hp_seq.
 * Kernel: 6.1.
 * Forged: nothing. A child that is cloned straight into another cgroup passes no such hook.
 */
#include "bpf/lib/label.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HP_CGROUP_DEPTH 32

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64); /* id of the scope's cgroup */
} hp_tmp_scope SEC(".maps");

static __always_inline bool hp_is_below(struct cgroup *cgroup, __u64 id)
{
	int i, level = cgroup->level;
	struct cgroup *above;

	for (i = 0; i < HP_CGROUP_DEPTH; i++) {
		if (i > level)
			return false;
		if (bpf_probe_read_kernel(&above, sizeof(above),
					  (const void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors) + 8 * i))
			return false;
		if (BPF_CORE_READ(above, kn, id) == id)
			return true;
	}
	return false;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(hp_moved, struct cgroup *to, const char *path, struct task_struct *task, bool threadgroup)
{
	struct hp_left_event event = {};
	struct hp_label *label;
	__u32 zero = 0;
	__u64 *scope;

	if (to->root->hierarchy_id || !hp_active_config())
		return 0;
	label = hp_label_of(task);
	scope = bpf_map_lookup_elem(&hp_tmp_scope, &zero);
	if (!label || !scope || !hp_session_of(label) || hp_is_below(to, *scope))
		return 0;
	hp_fill_header(&event.hdr, task, label->session, HP_EVENT_LEFT, sizeof(event));
	event.hdr.cpu_seq = hp_next_seq(HP_SEQ_URGENT);
	event.exec_id = label->exec_id;
	event.cgroup_id = BPF_CORE_READ(to, kn, id);
	event.mover = bpf_get_current_pid_tgid() >> 32;
	if (bpf_ringbuf_output(&hp_urgent, &event, sizeof(event), BPF_RB_FORCE_WAKEUP))
		hp_count(HP_STAT_LOST_URGENT);
	return 0;
}
