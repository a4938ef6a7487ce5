// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * hp_list_tasks: all processes with their labels, for user space: after a restart, and to label a tree that already runs.
 * hp_unlabel: takes the label off every thread of one process; user space cannot name a thread on every kernel.
 *
 * Hooks:  iter/task, run when its descriptor is read. hp_list_tasks writes one hp_task_row for each process,
 *         hp_unlabel the tgid for each label it took off.
 * Maps:   reads hp_tgid, hp_tmp_unlabel; hp_list_tasks reads hp_task, hp_unlabel deletes from it.
 * Kernel: 6.1.
 * Forged: nothing.
 */
#include "bpf/lib/label.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32); /* the tgid */
} hp_tmp_unlabel SEC(".maps");

SEC("iter/task")
int hp_list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_task_row row = {};
	struct hp_label *label;

	if (!task || task->pid != task->tgid || !task->signal->live.counter)
		return 0; /* no thread runs any more: what nobody has waited for is no process of a session */
	row.tgid = task->tgid;
	row.ppid = task->real_parent->tgid;
	row.start_boot_ns = task->start_boottime;
	label = hp_label_of(task);
	if (label)
		row.label = *label;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

SEC("iter/task")
int hp_unlabel(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 zero = 0, *tgid;

	tgid = bpf_map_lookup_elem(&hp_tmp_unlabel, &zero);
	if (!task || !tgid || (__u32)task->tgid != *tgid)
		return 0;
	if (!bpf_task_storage_delete(&hp_task, task))
		bpf_seq_write(ctx->meta->seq, tgid, sizeof(*tgid));
	return 0;
}
