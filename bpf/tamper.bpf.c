// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What a session does to Holdpoint itself, as far as tracepoints see it: nothing is prevented here, it is told. What the
 * kernel was told last waits in the urgent ring for the next gate where this one did not survive it.
 *
 * Hooks:  tp_btf/signal_generate: any signal from a task of a session to a process of ours.
 * Events: HP_EVENT_TAMPER, urgent. Few: one signal is one event, and a full ring is counted.
 * Maps:   reads hp_config, hp_ours, hp_task, hp_tgid, hp_sessions; writes hp_stats, hp_seq.
 * Kernel: 6.1.
 * Forged: nothing. A session that signals through somebody else (systemd, cron) is not seen.
 */
#include "bpf/lib/tamper.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/signal_generate")
int BPF_PROG(hp_tamper_signal, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	/* What the kernel sends by itself comes from no task that meant it: a held task's SIGCHLD to its tracer, too. */
	if ((unsigned long)info == HP_SEND_SIG_PRIV || sig == HP_SIGCHLD || !hp_is_ours(task->tgid) || !hp_active_config())
		return 0;
	hp_tell_tamper(HP_TAMPER_SIGNAL, sig, task->tgid, false);
	return 0;
}
