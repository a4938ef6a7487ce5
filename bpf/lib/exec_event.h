/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the gate is told of an exec: the file, the task and the texts of the new program, gathered in a buffer of the CPU's own.
 */
#ifndef HP_EXEC_EVENT_H
#define HP_EXEC_EVENT_H

#include "bpf/lib/label.h"
#include "bpf/lib/path.h"

#define HP_COARSE_TIME_NS 10000000 /* a clock tick; kFreshFile is longer */
#define HP_GIVEN_MAX 4096 /* PATH_MAX: the longest file name execve takes */

/* Only hp_exec uses it, which cannot nest: tracepoints run with preemption off. */
struct hp_given {
	char text[HP_GIVEN_MAX + HP_BASENAME_MAX];
};
struct hp_exec_scratch {
	struct hp_exec_event event;
	struct hp_path_buffer path;
	struct hp_given given;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_exec_scratch);
} hp_tmp_exec SEC(".maps");

/* Appends `len` bytes of kernel memory at *used of event->data and advances it. */
static __always_inline __u32 hp_append(struct hp_exec_event *event, __u32 *used, const void *from, __u32 len)
{
	__u32 at = *used;

	/* What the verifier lost over the additions: at most three texts lie before argv. */
	asm volatile("%0 &= 4095" : "+r"(at));
	if (len > HP_PATH_MAX)
		len = HP_PATH_MAX;
	asm volatile("%0 &= 2047" : "+r"(len));
	if (bpf_probe_read_kernel(event->data + at, len, from))
		return 0;
	*used = at + len;
	return len;
}

static __always_inline void hp_append_argv(struct hp_exec_event *event, __u32 *used, struct task_struct *task)
{
	unsigned long start = task->mm->arg_start;
	__u64 len = task->mm->arg_end - start;
	__u32 at = *used;

	if (len > HP_ARGV_MAX) {
		len = HP_ARGV_MAX;
		event->hdr.flags |= HP_FLAG_ARGV_CUT;
	}
	asm volatile("" : "+r"(len));
	asm volatile("" : "+r"(at));
	if (at > 3 * HP_PATH_MAX || len > HP_ARGV_MAX)
		return;
	if (bpf_probe_read_user(event->data + at, len, (void *)start)) {
		event->hdr.flags |= HP_FLAG_ARGV_FAILED;
		return;
	}
	event->argv_len = len;
	*used = at + len;
}

static __always_inline int hp_group_of(struct task_struct *task, int type)
{
	return BPF_CORE_READ(task, signal, pids[type], numbers[0].nr);
}

/* A shell with job control put the child into a group that is not its own, of the same session and terminal: it would
 * see the stop. Not only the first of a pipeline: the others are in the group of that one. */
static __always_inline bool hp_has_job_control(struct task_struct *task, const struct hp_exec_event *event)
{
	int session = hp_group_of(task, HP_PIDTYPE_SID);

	if (!task->signal->tty || event->pgid == event->parent_pgid)
		return false;
	return session == hp_group_of(task->real_parent, HP_PIDTYPE_SID);
}

/* A change of a file may leave its ctime as it was: also where the layer below an overlay is in the hands of whoever
 * mounted it, and where times are coarser than what the loader takes for fresh. */
static __always_inline bool hp_is_timeless(const struct super_block *sb)
{
	if (sb->s_user_ns->level > 0 || sb->s_time_gran > HP_COARSE_TIME_NS)
		return true;
	return sb->s_magic == HP_FUSE_SUPER_MAGIC || sb->s_magic == HP_TMPFS_MAGIC || sb->s_magic == HP_RAMFS_MAGIC;
}

static __always_inline void hp_describe_file(struct hp_exec_event *event, struct linux_binprm *bprm)
{
	struct inode *inode = bprm->file->f_inode;

	event->dev = inode->i_sb->s_dev;
	event->ino = inode->i_ino;
	event->ctime_ns = hp_inode_ctime_ns(inode);
	if (inode->i_nlink == 0)
		event->hdr.flags |= HP_FLAG_FILELESS;
	if (hp_is_timeless(inode->i_sb))
		event->hdr.flags |= HP_FLAG_TIMELESS;
	if (bprm->interp != bprm->filename)
		event->hdr.flags |= HP_FLAG_SCRIPT;
}

static __always_inline void hp_describe_task(struct hp_exec_event *event, struct task_struct *task)
{
	struct task_struct *parent = task->real_parent;

	event->parent_start_boot_ns = parent->group_leader->start_boottime;
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->ppid = parent->tgid;
	event->uid = task->cred->euid.val;
	event->gid = task->cred->egid.val;
	event->pgid = hp_group_of(task, HP_PIDTYPE_PGID);
	event->parent_pgid = hp_group_of(parent, HP_PIDTYPE_PGID);
	event->tracer = 0;
	if (task->ptrace) {
		event->hdr.flags |= HP_FLAG_TRACED;
		event->tracer = task->parent->tgid;
	}
	/* A terminal server continues the first program of a terminal when it sees it stopped. */
	if (task->signal->tty && hp_group_of(task, HP_PIDTYPE_SID) == task->tgid)
		event->hdr.flags |= HP_FLAG_TERMINAL;
	if (hp_has_job_control(task, event))
		event->hdr.flags |= HP_FLAG_JOB_CONTROL;
}

/* Appends what hp_walk_path left in the scratch. */
static __always_inline __u16 hp_append_path(struct hp_exec_scratch *scratch, __u32 *used, const struct path *path)
{
	struct hp_exec_event *event = &scratch->event;
	__u32 walked = hp_walk_path(&scratch->path, (__u64)BPF_CORE_READ(path, dentry), (__u64)BPF_CORE_READ(path, mnt));
	__u32 from;

	if (walked & HP_WALK_CUT)
		event->hdr.flags |= HP_FLAG_PATH_CUT;
	walked &= 0xffff;
	from = HP_PATH_MAX - walked;
	asm volatile("%0 &= 1023" : "+r"(from));
	return hp_append(event, used, scratch->path.text + from, walked);
}

/* The texts; fixes hdr.size. */
static __always_inline void hp_describe_texts(struct hp_exec_scratch *scratch, struct task_struct *task,
					      struct linux_binprm *bprm)
{
	struct hp_exec_event *event = &scratch->event;
	__u32 used = 0;
	long given;

	event->executable_len = hp_append_path(scratch, &used, &bprm->file->f_path);
	given = bpf_probe_read_kernel_str(scratch->given.text, HP_GIVEN_MAX, bprm->filename);
	if (given - 1 > HP_PATH_MAX)
		event->hdr.flags |= HP_FLAG_PATH_CUT;
	event->filename_len = given > 0 ? hp_append(event, &used, scratch->given.text, given - 1) : 0;
	event->cwd_len = hp_append_path(scratch, &used, &task->fs->pwd);
	event->argv_len = 0;
	hp_append_argv(event, &used, task);
	event->hdr.size = HP_EXEC_EVENT_HEAD + used;
}

/* Sends the event. False: the ring was full, and that is counted. */
static __always_inline bool hp_send(struct hp_exec_event *event, bool urgent)
{
	__u64 size = event->hdr.size;
	long error;

	event->hdr.cpu_seq = hp_next_seq(urgent ? HP_SEQ_URGENT : HP_SEQ_EVENTS);
	asm volatile("" : "+r"(size));
	if (size < HP_EXEC_EVENT_HEAD || size > sizeof(*event))
		return false;
	if (urgent)
		error = bpf_ringbuf_output(&hp_urgent, event, size, BPF_RB_FORCE_WAKEUP);
	else
		error = bpf_ringbuf_output(&hp_events, event, size, BPF_RB_NO_WAKEUP);
	if (!error)
		return true;
	hp_count(urgent ? HP_STAT_LOST_URGENT : HP_STAT_LOST_EVENTS);
	return false;
}

static __always_inline struct hp_exec_event *hp_begin_event(struct hp_exec_scratch *scratch, struct task_struct *task,
							    struct linux_binprm *bprm, const struct hp_label *label,
							    __u16 kind)
{
	struct hp_exec_event *event = &scratch->event;

	hp_fill_header(&event->hdr, task, label->session, kind, 0);
	event->exec_id = label->exec_id;
	event->reason = HP_REASON_NONE;
	event->class_value = HP_CLASS_UNKNOWN;
	event->file_kib = (bprm->file->f_inode->i_size + 1023) >> 10;
	hp_describe_file(event, bprm);
	hp_describe_task(event, task);
	return event;
}

#endif /* HP_EXEC_EVENT_H */
