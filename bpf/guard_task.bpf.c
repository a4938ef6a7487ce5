// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What needs a signal to another task than the current one. Attached only while a session exists.
 *
 * Hooks:  tp_btf/signal_generate: SIGCONT to a held task from anybody but the gate ends it. The task may be on its way
 *         on another CPU, so this alone loses now and then; it is used where guard_return does not load.
 *         tp_btf/task_newtask: a child made in a session that is being killed.
 * Events: HP_EVENT_SIGNAL, urgent.
 * Maps:   reads hp_config, hp_sessions; writes hp_stats, hp_seq.
 * Kernel: 6.13 (bpf_send_signal_task).
 * Forged: nothing.
 */
#include "bpf/lib/guard.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern int bpf_send_signal_task(struct task_struct *task, int sig, enum pid_type type, __u64 value) __ksym;

SEC("tp_btf/signal_generate")
int BPF_PROG(hp_signal_kill, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	struct hp_config *config;
	struct hp_label *label;

	if (sig != HP_SIGCONT)
		return 0;
	label = hp_stored_label(task);
	if (!label || label->state != HP_TASK_HELD)
		return 0;
	config = hp_active_config();
	if (!config || bpf_get_current_pid_tgid() >> 32 == config->gate_tgid || task->signal->flags & HP_SIGNAL_GROUP_EXIT)
		return 0;
	bpf_send_signal_task(task, HP_SIGKILL, PIDTYPE_TGID, 0);
	hp_count(HP_STAT_GUARD_CONT);
	hp_tell(task, label, HP_SIGKILL, HP_GUARD_CONT);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(hp_newtask_kill, struct task_struct *task)
{
	struct hp_session *session;
	struct hp_label *parent;

	if (!hp_active_config())
		return 0;
	parent = hp_label_of(bpf_get_current_task_btf());
	if (!parent)
		return 0;
	session = hp_session_of(parent);
	if (session && session->flags & HP_SESSION_KILL)
		bpf_send_signal_task(task, HP_SIGKILL, PIDTYPE_TGID, 0);
	return 0;
}
