/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The label of a task. It is kept twice: in task storage, and by tgid. The second serves the programs that may not
 * read task storage, threads that user space could not label one by one, and the moment in which the kernel refuses
 * a task-storage call because the same CPU was interrupted in another one (bpf_task_storage_busy): without it such an
 * exec would look as if it belonged to no session. Only task storage has the state: by tgid it is always RUN.
 */
#ifndef HP_LABEL_H
#define HP_LABEL_H

#include "bpf/lib/common.h"

/* The entry by tgid, if it is of this process and not of an earlier one with the same number. */
static __always_inline struct hp_label *hp_label_by_tgid(__u32 tgid, __u64 start_boot_ns)
{
	struct hp_label *label = bpf_map_lookup_elem(&hp_tgid, &tgid);

	if (!label || !label->session)
		return NULL;
	/* 0: user space labelled it and could not know. */
	if (label->start_boot_ns && label->start_boot_ns != start_boot_ns)
		return NULL;
	return label;
}

/* NULL where the session is unknown or dissolved: its labels mean nothing. */
static __always_inline struct hp_session *hp_session_of(const struct hp_label *label)
{
	__u64 number = label->session;
	struct hp_session *session = bpf_map_lookup_elem(&hp_sessions, &number);

	if (!session || session->flags & HP_SESSION_DISSOLVED)
		return NULL;
	return session;
}

/* Whether anything of it may be stopped, refused or killed. */
static __always_inline bool hp_enforces(const struct hp_session *session)
{
	return session->flags & HP_SESSION_ENFORCE && !hp_is_off();
}

/* The label of a task, or NULL. A thread may still have that of a dissolved session where user space has labelled its
 * process anew. */
static __always_inline struct hp_label *hp_label_of(struct task_struct *task)
{
	struct hp_label *label = bpf_task_storage_get(&hp_task, task, NULL, 0);
	struct hp_label *by_tgid;

	if (label && label->session && hp_session_of(label))
		return label;
	by_tgid = hp_label_by_tgid(task->tgid, task->group_leader->start_boottime);
	return by_tgid || !label || !label->session ? by_tgid : label;
}

/* Makes both copies of a task's label. False: a program that looks by tgid would not find it, or none would. `by_tgid` is
 * false for a thread of a process that has its entry already. */
static __always_inline bool hp_label_set(struct task_struct *task, struct hp_label *label, bool by_tgid)
{
	struct hp_label *stored;
	struct hp_label copy = *label;
	__u32 tgid = task->tgid;

	stored = bpf_task_storage_get(&hp_task, task, label, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (stored)
		*stored = *label; /* it may have been there */
	copy.state = HP_TASK_RUN;
	return !by_tgid || !bpf_map_update_elem(&hp_tgid, &tgid, &copy, BPF_ANY);
}

#endif /* HP_LABEL_H */
