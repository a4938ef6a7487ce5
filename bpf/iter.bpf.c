// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A list of all processes with their labels, for user space: after a restart, and to label a tree that already runs.
 *
 * Hooks:  iter/task, run when its descriptor is read; one hp_task_row for each thread group leader.
 * Maps:   reads hp_task, hp_tgid.
 * Kernel: 6.1.
 * Forged: nothing.
 */
#include "bpf/lib/label.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("iter/task")
int hp_list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_task_row row = {};
	struct hp_label *label;

	if (!task || task->pid != task->tgid)
		return 0;
	row.tgid = task->tgid;
	row.ppid = task->real_parent->tgid;
	row.start_boot_ns = task->start_boottime;
	label = hp_label_of(task);
	if (label)
		row.label = *label;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}
