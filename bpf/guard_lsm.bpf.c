// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Nobody but the gate and its children may continue or look into a task that is held or owned. Attached while a
 * session exists, where the kernel has BPF LSM.
 *
 * Hooks:  lsm/task_kill (SIGCONT), lsm/ptrace_access_check (ptrace, process_vm_readv, /proc/PID/mem). Signals that the
 *         kernel itself sends, as to an orphaned process group, do not come here.
 * Events: none; the caller gets EPERM.
 * Maps:   reads hp_config, hp_task; writes hp_stats.
 * Kernel: 6.1 with BPF LSM on.
 * Forged: nothing.
 */
#include "bpf/lib/guard.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* 0, or -EPERM where current may not touch the task. */
static __always_inline int hp_check_touch(struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct hp_label *label = hp_stored_label(task);
	struct hp_config *config;

	if (!label || (label->state != HP_TASK_HELD && label->state != HP_TASK_OWNED))
		return 0;
	config = hp_active_config();
	if (!config || (__u32)current->tgid == config->gate_tgid ||
	    (__u32)current->real_parent->tgid == config->gate_tgid)
		return 0;
	return -HP_EPERM;
}

SEC("lsm/task_kill")
int BPF_PROG(hp_lsm_kill, struct task_struct *task, struct kernel_siginfo *info, int sig, const struct cred *cred, int ret)
{
	int error;

	if (ret || sig != HP_SIGCONT)
		return ret;
	error = hp_check_touch(task);
	if (error)
		hp_count(HP_STAT_GUARD_CONT);
	return error;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(hp_lsm_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	return ret ? ret : hp_check_touch(child);
}
