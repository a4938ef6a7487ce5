/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which processes are Holdpoint's own, and the word to the gate that a session touched one. */
#ifndef HP_TAMPER_H
#define HP_TAMPER_H

#include "bpf/lib/label.h"

/* The kernel's SEND_SIG_PRIV: sent from inside the kernel. */
#define HP_SEND_SIG_PRIV 1UL
#define HP_PTRACE_MODE_ATTACH 0x2

static __always_inline bool hp_is_ours(__u32 tgid)
{
	return tgid && bpf_map_lookup_elem(&hp_ours, &tgid);
}

/* False where the current task is in no session: then it may. */
static __always_inline bool hp_tell_tamper(__u32 what, __u32 signal, __u32 target, bool denied)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct hp_label *label = hp_label_of(current);
	struct hp_tamper_event event = {};

	if (!label || !hp_session_of(label))
		return false;
	hp_fill_header(&event.hdr, current, label->session, HP_EVENT_TAMPER, sizeof(event));
	event.hdr.cpu_seq = hp_next_seq(HP_SEQ_URGENT);
	event.exec_id = label->exec_id;
	event.what = what;
	event.signal = signal;
	event.target = target;
	event.denied = denied;
	if (bpf_ringbuf_output(&hp_urgent, &event, sizeof(event), BPF_RB_FORCE_WAKEUP))
		hp_count(HP_STAT_LOST_URGENT);
	return true;
}

#endif /* HP_TAMPER_H */
