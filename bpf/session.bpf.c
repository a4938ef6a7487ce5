// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Who belongs to which session, from birth to end.
 *
 * Hooks:  tp_btf/task_newtask (runs in the parent before the child does; processes, threads, io_uring workers),
 *         tp_btf/sched_process_exit.
 * Events: HP_EVENT_EXIT to hp_events when the last thread of a labelled process ends.
 * Maps:   reads hp_config, hp_sessions; writes hp_task, hp_tgid, hp_beat (gate's exit), hp_stats, hp_seq.
 * Kernel: 6.1.
 * Forged: nothing. Everything read is the kernel's own; setsid, renaming, a cleared environment change none of it.
 */
#include "bpf/lib/label.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HP_CLONE_THREAD 0x00010000

SEC("tp_btf/task_newtask")
int BPF_PROG(hp_newtask, struct task_struct *task, unsigned long clone_flags)
{
	struct hp_config *config = hp_active_config();
	struct hp_label *parent, child = {};
	struct hp_session *session;
	bool thread = clone_flags & HP_CLONE_THREAD;

	if (!config)
		return 0;
	parent = hp_label_of(bpf_get_current_task_btf());
	if (!parent)
		return 0;
	session = hp_session_of(parent);
	if (!session)
		return 0;
	hp_count(HP_STAT_FORK);
	if (session->flags & HP_SESSION_KILL)
		bpf_send_signal(HP_SIGKILL); /* the parent; the child by guard_task where it loads, else by the gate */
	child.session = parent->session;
	child.exec_id = parent->exec_id;
	child.start_boot_ns = task->group_leader->start_boottime;
	child.state = HP_TASK_RUN;
	if (!hp_label_set(task, &child, !thread)) {
		hp_count(HP_STAT_LABEL_FAILED);
		if (hp_enforces(session)) {
			/* The child cannot be reached from here on every kernel: as one that is held the guards end it when
			 * it moves. Its parent goes too, for where not even that can be kept. */
			struct hp_label *stored = bpf_task_storage_get(&hp_task, task, NULL, 0);

			if (stored)
				stored->state = HP_TASK_HELD;
			bpf_send_signal(HP_SIGKILL);
		}
	}
	return 0;
}

static __always_inline int hp_exit_code(struct task_struct *task)
{
	if (task->signal->flags & HP_SIGNAL_GROUP_EXIT)
		return task->signal->group_exit_code;
	return task->group_leader->exit_code;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(hp_exit, struct task_struct *task)
{
	struct hp_config *config = hp_active_config();
	struct hp_exit_event *event;
	struct hp_label *label;
	__u32 tgid, zero = 0;
	__u64 seq;

	if (!config)
		return 0;
	tgid = task->tgid;
	if (tgid == config->gate_tgid &&
	    (task->signal->live.counter == 0 || task->signal->flags & HP_SIGNAL_GROUP_EXIT)) {
		__u64 *beat = bpf_map_lookup_elem(&hp_beat, &zero);

		if (beat)
			*beat = 0;
	}
	if (task->signal->live.counter != 0)
		return 0;
	label = hp_label_of(task);
	if (!label)
		return 0;
	seq = hp_next_seq(HP_SEQ_EVENTS);
	event = bpf_ringbuf_reserve(&hp_events, sizeof(*event), 0);
	if (event) {
		hp_fill_header(&event->hdr, task, label->session, HP_EVENT_EXIT, sizeof(*event));
		event->hdr.cpu_seq = seq;
		event->exec_id = label->exec_id;
		event->exit_code = hp_exit_code(task);
		event->state = label->state;
		event->label_flags = label->flags;
		event->pad = 0;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	} else {
		hp_count(HP_STAT_LOST_EVENTS);
	}
	bpf_map_delete_elem(&hp_tgid, &tgid);
	return 0;
}
