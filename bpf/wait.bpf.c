// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A task whose stop would be seen waits here for its verdict: the job of an interactive shell, whose parent would say
 * "Stopped", and a traced program, whose tracer would be shown the signal and could swallow it. It waits inside its own
 * execve, after the new image is in place and before the way to user mode; nobody but the gate is told of it. It
 * spends its CPU time on looking at its state, so this is for those two alone. Attached only while a session exists.
 * The rung above is wait_work.bpf.c.
 *
 * Hooks:  fexit of execve and execveat, sleepable. A failed exec leaves the state as it was. An exec that comes another
 *         way (32-bit) is not seen here and goes to user mode still waiting, where guard_return ends it.
 * Events: HP_EVENT_SIGNAL with guard 4, urgent: nobody decided in time.
 * Maps:   reads hp_config, hp_beat, hp_sessions, hp_task; writes hp_task, hp_stats, hp_seq.
 * Kernel: 6.1 with CONFIG_FUNCTION_ERROR_INJECTION, x86.
 * Forged: nothing.
 */
#include "bpf/lib/wait.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HP_WAIT_LOOKS (1 << 23) /* what bpf_loop allows; time ends it long before */

struct hp_wait {
	struct task_struct *task;
	struct hp_config *config;
	__u64 until_ns;
};

/* 1: it is over. */
static long hp_look(__u32 index, struct hp_wait *wait)
{
	__u64 nothing;

	if (!hp_waits_on(wait->task, wait->config, wait->until_ns))
		return 1;
	/* Nothing is there. But a fault is where a kernel that is not preemptible lets others have this CPU. */
	bpf_copy_from_user(&nothing, sizeof(nothing), NULL);
	return 0;
}

static __always_inline void hp_wait_here(void)
{
	struct hp_wait wait = {.task = bpf_get_current_task_btf(), .config = hp_active_config()};
	struct hp_label *label = hp_stored_label(wait.task);

	if (!label || label->state != HP_TASK_WAITS || !wait.config)
		return;
	wait.until_ns = bpf_ktime_get_boot_ns() + HP_WAIT_MAX_NS;
	bpf_loop(HP_WAIT_LOOKS, hp_look, &wait, 0);
	hp_end_wait(wait.task);
}

SEC("fexit.s/__x64_sys_execve")
int BPF_PROG(hp_wait_execve)
{
	hp_wait_here();
	return 0;
}

SEC("fexit.s/__x64_sys_execveat")
int BPF_PROG(hp_wait_execveat)
{
	hp_wait_here();
	return 0;
}
