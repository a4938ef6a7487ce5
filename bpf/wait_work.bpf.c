// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What wait.bpf.c does, for kernels that can run a program as a piece of work of a task: on its way to user mode. It
 * needs no hook on a system call, and no exec gets past it. A piece of work looks once and asks for the next one, so
 * that between two the kernel gives the CPU to who wants it and ends the task when it is killed.
 *
 * Hooks:  tp_btf/sched_process_exec, behind exec.bpf.c (programs of one tracepoint run in the order they came): gives
 *         the task its work. A task that could not be given any goes to user mode waiting, where guard_return ends it.
 * Events: HP_EVENT_SIGNAL with guard 4, urgent: nobody decided in time.
 * Maps:   reads hp_config, hp_beat, hp_sessions, hp_task; writes hp_task, hp_tmp_work, hp_stats, hp_seq.
 * Kernel: 6.18.
 * Forged: nothing.
 */
#include "bpf/lib/wait.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The kernel knows it by its name in a map's value. */
struct bpf_task_work {
	__u64 __opaque;
} __attribute__((aligned(8)));

/* Two for each task: while one runs, only the other can be asked for. */
struct hp_work_key {
	__u32 tgid;
	__u32 turn; /* 0 or 1 */
};

struct hp_work {
	struct bpf_task_work work;
	__u64 until_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct hp_work_key);
	__type(value, struct hp_work);
} hp_tmp_work SEC(".maps");

struct bpf_map {
	__u32 id; /* whatever: a declared type and a defined one are not the same to who compares the kernel's function */
};
typedef int (*hp_work_callback)(struct bpf_map *map, void *key, void *value);

extern int bpf_task_work_schedule_resume_impl(struct task_struct *task, struct bpf_task_work *work, void *map,
					      hp_work_callback callback, void *aux) __ksym;

static int hp_wait_as_work(struct bpf_map *map, void *key, void *value);

/* False: there is no memory, or the other one is not done. */
static __always_inline bool hp_wait_more(struct task_struct *task, __u32 turn, __u64 until_ns)
{
	struct hp_work_key key = {.tgid = task->tgid, .turn = turn & 1};
	struct hp_work *work = bpf_map_lookup_elem(&hp_tmp_work, &key);

	if (!work) {
		struct hp_work fresh = {};

		bpf_map_update_elem(&hp_tmp_work, &key, &fresh, BPF_NOEXIST);
		work = bpf_map_lookup_elem(&hp_tmp_work, &key);
	}
	if (!work)
		return false;
	work->until_ns = until_ns;
	return !bpf_task_work_schedule_resume_impl(task, &work->work, &hp_tmp_work, hp_wait_as_work, NULL);
}

static int hp_wait_as_work(struct bpf_map *map, void *key, void *value)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hp_work_key other = *(struct hp_work_key *)key, own = other;
	struct hp_config *config = hp_active_config();
	__u64 until_ns = ((struct hp_work *)value)->until_ns;

	other.turn ^= 1;
	if (config && hp_waits_on(task, config, until_ns) && hp_wait_more(task, other.turn, until_ns))
		return 0;
	hp_end_wait(task);
	bpf_map_delete_elem(&hp_tmp_work, &other);
	bpf_map_delete_elem(&hp_tmp_work, &own);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(hp_wait_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct hp_label *label = hp_stored_label(task);

	if (label && label->state == HP_TASK_WAITS && hp_active_config())
		hp_wait_more(bpf_get_current_task_btf(), 0, bpf_ktime_get_boot_ns() + HP_WAIT_MAX_NS);
	return 0;
}
