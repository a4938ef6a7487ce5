/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the guards share: the label of a held task, and the word to the gate that something was done or said to it. */
#ifndef HP_GUARD_H
#define HP_GUARD_H

#include "bpf/lib/label.h"

/* Only task storage has the state. NULL for the many tasks without a label: one look and out. */
static __always_inline struct hp_label *hp_stored_label(struct task_struct *task)
{
	return bpf_task_storage_get(&hp_task, task, NULL, 0);
}

static __always_inline void hp_tell(struct task_struct *task, const struct hp_label *label, __u32 signal, __u32 guard)
{
	__u64 seq = hp_next_seq(HP_SEQ_URGENT);
	struct hp_signal_event event = {};

	hp_fill_header(&event.hdr, task, label->session, HP_EVENT_SIGNAL, sizeof(event));
	event.hdr.cpu_seq = seq;
	event.exec_id = label->exec_id;
	event.signal = signal;
	event.sender = bpf_get_current_pid_tgid() >> 32;
	event.guard = guard;
	if (bpf_ringbuf_output(&hp_urgent, &event, sizeof(event), BPF_RB_FORCE_WAKEUP))
		hp_count(HP_STAT_LOST_URGENT);
}

#endif /* HP_GUARD_H */
