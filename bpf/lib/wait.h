/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How a task waits for its verdict without being stopped: it looks at its own state until that says something else. For
 * programs that run in the context of the task, behind its exec and before its way to user mode.
 */
#ifndef HP_WAIT_H
#define HP_WAIT_H

#include "bpf/lib/guard.h"

/* Whether a task that began to wait until `until_ns` at most goes on waiting. */
static __always_inline bool hp_waits_on(struct task_struct *task, const struct hp_config *config, __u64 until_ns)
{
	/* Each time anew: user space replaces the stored value. NULL: another program of this CPU is in there. */
	struct hp_label *label = hp_stored_label(task);

	if (label && label->state != HP_TASK_WAITS)
		return false;
	return bpf_ktime_get_boot_ns() < until_ns && hp_beat_is_fresh(config);
}

/* Nobody decided: the fail mode of the session. */
static __always_inline void hp_give_up(struct task_struct *task, struct hp_label *label)
{
	struct hp_session *session = hp_session_of(label);

	if (session && session->flags & HP_SESSION_FAIL_CLOSED && hp_enforces(session)) {
		bpf_send_signal(HP_SIGKILL);
		hp_count(HP_STAT_EXEC_KILLED);
		hp_tell(task, label, HP_SIGKILL, HP_GUARD_WAIT);
		return;
	}
	label->state = HP_TASK_PASSED;
	hp_count(HP_STAT_FAIL_OPEN);
	hp_tell(task, label, 0, HP_GUARD_WAIT);
}

/* The end of the wait. */
static __always_inline void hp_end_wait(struct task_struct *task)
{
	struct hp_label *label = hp_stored_label(task);

	if (!label || label->state == HP_TASK_REFUSED)
		bpf_send_signal(HP_SIGKILL);
	else if (label->state == HP_TASK_WAITS)
		hp_give_up(task, label);
}

#endif /* HP_WAIT_H */
