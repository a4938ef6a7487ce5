// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A held task that is about to enter user mode is ended, whatever set it going: SIGCONT before or after the stop
 * happened, an orphaned process group, a tracer, a page that was mapped already. Attached only while a session exists.
 *
 * Hooks:  tp_btf/x86_fpu_regs_activated. An exec throws the FPU registers away, so the first way of the new image to
 *         user mode must load them again: the last thing the kernel does before it leaves, in the context of the task
 *         and with interrupts off. The signal is queued as an interrupt for this CPU; that is taken when interrupts
 *         come on, which is at the border of the first user instruction and before it. It holds for a stop at exec,
 *         not for one later in a program's life.
 * Events: HP_EVENT_SIGNAL, urgent.
 * Maps:   reads hp_config, hp_task; writes hp_stats, hp_seq.
 * Kernel: 6.1, x86. Elsewhere the rung below is guard.bpf.c with what guard_task and guard_lsm add.
 * Forged: nothing.
 */
#include "bpf/lib/guard.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/x86_fpu_regs_activated")
int BPF_PROG(hp_return, struct fpu *fpu)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hp_label *label = hp_stored_label(task);

	if (!label || (label->state != HP_TASK_HELD && label->state != HP_TASK_WAITS) || !hp_active_config())
		return 0;
	bpf_send_signal(HP_SIGKILL);
	hp_count(HP_STAT_GUARD_RETURN);
	hp_tell(task, label, HP_SIGKILL, HP_GUARD_RETURN);
	return 0;
}
