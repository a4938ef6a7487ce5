// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * hp_signal: a held task that is told to end is reported, as the signal stays pending until it runs. Always attached
 * while a session exists.
 * hp_fault: a held task that runs is ended at its first page fault; used where guard_return does not load. A fresh
 * image faults on its first instruction, unless its entry page is mapped already (somebody read it, or `ld -N`).
 *
 * Hooks:  tp_btf/signal_generate (SIGTERM, SIGINT, SIGHUP), tp_btf/page_fault_user.
 * Events: HP_EVENT_SIGNAL, urgent.
 * Maps:   reads hp_config, hp_task; writes hp_stats, hp_seq.
 * Kernel: 6.1; page_fault_user is x86.
 * Forged: nothing.
 */
#include "bpf/lib/guard.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/page_fault_user")
int BPF_PROG(hp_fault, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hp_label *label = hp_stored_label(task);

	if (!label || label->state != HP_TASK_HELD || !hp_active_config())
		return 0;
	bpf_send_signal(HP_SIGKILL);
	hp_count(HP_STAT_GUARD_FAULT);
	hp_tell(task, label, HP_SIGKILL, HP_GUARD_FAULT);
	return 0;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(hp_signal, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	struct hp_label *label;

	if (sig != HP_SIGTERM && sig != HP_SIGINT && sig != HP_SIGHUP)
		return 0;
	label = hp_stored_label(task);
	if (!label || (label->state != HP_TASK_HELD && label->state != HP_TASK_OWNED) || !hp_active_config())
		return 0;
	hp_tell(task, label, sig, HP_GUARD_TOLD);
	return 0;
}
