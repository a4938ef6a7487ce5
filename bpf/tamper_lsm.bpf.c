// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What no task of a session may do to Holdpoint, of whatever uid, where the kernel has BPF LSM.
 *
 * Hooks:  lsm/task_kill (any signal to a process of ours), lsm/ptrace_access_check (attach, /proc/PID/mem),
 *         lsm/bpf_map and lsm/bpf_prog (a descriptor of a map or program of ours).
 * Events: HP_EVENT_TAMPER, urgent, with denied set; the caller gets EPERM.
 * Maps:   reads hp_config, hp_ours, hp_task, hp_tgid, hp_sessions; writes hp_stats, hp_seq.
 * Kernel: 6.1 with BPF LSM on.
 * Forged: nothing. By name: what a session itself calls "hp_..." is denied to it, too.
 */
#include "bpf/lib/tamper.h"

struct bpf_map {
	char name[16];
} __attribute__((preserve_access_index));
struct bpf_prog_aux {
	char name[16];
} __attribute__((preserve_access_index));
struct bpf_prog {
	struct bpf_prog_aux *aux;
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("lsm/task_kill")
int BPF_PROG(hp_deny_kill, struct task_struct *task, struct kernel_siginfo *info, int sig, const struct cred *cred, int ret)
{
	if (ret || !sig || !hp_is_ours(task->tgid) || !hp_active_config())
		return ret;
	return hp_tell_tamper(HP_TAMPER_SIGNAL, sig, task->tgid, true) ? -HP_EPERM : 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(hp_deny_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	/* Reading /proc/PID/stat and the like is no attach. */
	if (ret || !(mode & HP_PTRACE_MODE_ATTACH) || !hp_is_ours(child->tgid) || !hp_active_config())
		return ret;
	return hp_tell_tamper(HP_TAMPER_PTRACE, 0, child->tgid, true) ? -HP_EPERM : 0;
}

static __always_inline int hp_check_name(const char *name)
{
	char start[4] = {};

	bpf_probe_read_kernel(start, 3, name);
	if (start[0] != 'h' || start[1] != 'p' || start[2] != '_' || !hp_active_config())
		return 0;
	return hp_tell_tamper(HP_TAMPER_BPF, 0, 0, true) ? -HP_EPERM : 0;
}

SEC("lsm/bpf_map")
int BPF_PROG(hp_deny_map, struct bpf_map *map, unsigned int mode, int ret)
{
	return ret ? ret : hp_check_name(map->name);
}

SEC("lsm/bpf_prog")
int BPF_PROG(hp_deny_prog, struct bpf_prog *prog, int ret)
{
	return ret ? ret : hp_check_name(prog->aux->name);
}
