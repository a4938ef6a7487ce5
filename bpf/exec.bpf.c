// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Every exec: does it begin a session, and if it is inside one, does it run, stop or die. Runs after the point of no
 * return of execve and before the first instruction of the new program.
 *
 * Hooks:  tp_btf/sched_process_exec.
 * Events: hp_exec_event. CANDIDATE, ASK, KILLED and a pass under job control to hp_urgent (the reader is woken);
 *         EXEC and PROGRAM to hp_events (it is not).
 * Maps:   reads hp_config, hp_beat, hp_off, hp_scope, hp_agents, hp_class, hp_triage, hp_names, hp_sizes, hp_programs; writes hp_task, hp_tgid, hp_sessions, hp_stats, hp_seq.
 * Kernel: 6.1 (bpf_loop, task storage in tracing programs).
 * Forged: argv is user memory (the new image's own, nothing has run in it yet; another process with the right to write
 *         to it could). Names and paths can be chosen by who may rename and mount; (device, inode, ctime) cannot,
 *         except on FUSE, whose server says what it likes, and on tmpfs and ramfs, where a mapping writes without a
 *         trace in ctime: no class makes a file harmless there.
 */
#include "bpf/compat/compat.h"
#include "bpf/lib/label.h"
#include "bpf/lib/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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

/* Two tables over argv, one for each parity of the generation: a new one is put in before its generation begins. Not in
 * maps.h: each load has its own, which stays empty, so that everything is asked, until the gate has filled it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, BPF_F_INNER_MAP); /* of any number of rows */
		__uint(max_entries, 1);
		__uint(key_size, sizeof(__u32));
		__uint(value_size, sizeof(struct hp_triage_row)); /* libbpf finds no such type inside another */
	});
} hp_tmp_triage SEC(".maps");

struct hp_tail {
	char text[HP_BASENAME_MAX];
	__u32 from; /* after the last slash */
	__u32 pad;
};

static long hp_find_slash(__u32 index, struct hp_tail *tail)
{
	asm volatile("%0 &= 31" : "+r"(index)); /* bpf_loop's own bound is not known here */
	if (tail->text[index] == '/')
		tail->from = index + 1;
	return 0;
}

static __always_inline bool hp_is_listed(const struct hp_basename *name)
{
	return bpf_map_lookup_elem(&hp_agents, name) != NULL;
}

#define HP_NAME_AGENT 0x1 /* a coding agent's */
#define HP_NAME_TOOL 0x2  /* that of a tool that a rule is about, or none that could be looked up */

/* What the text's base name is. `len` counts the terminating zero. Only the last HP_BASENAME_MAX bytes are looked at:
 * longer names are no coding agent's. Verified on its own: nothing is known of its arguments. */
__noinline int hp_look_up_name(const struct hp_given *given, __u32 len)
{
	struct hp_basename name = {};
	struct hp_tail tail = {};
	__u32 start, used;

	if (!given || len < 2 || len > HP_GIVEN_MAX)
		return HP_NAME_TOOL;
	used = len - 1;
	start = used > HP_BASENAME_MAX ? used - HP_BASENAME_MAX : 0;
	if (bpf_probe_read_kernel(tail.text, sizeof(tail.text), given->text + start))
		return HP_NAME_TOOL;
	if (used > HP_BASENAME_MAX)
		used = HP_BASENAME_MAX;
	bpf_loop(used, hp_find_slash, &tail, 0);
	/* A whole tail without a slash is a name longer than any in the list, unless it is the whole text. */
	if (tail.from == 0 && start != 0)
		return HP_NAME_TOOL;
	used -= tail.from;
	if (used == 0 || used >= HP_BASENAME_MAX)
		return HP_NAME_TOOL;
	start += tail.from;
	/* Both are in range by the loop above, which the verifier did not follow. */
	asm volatile("%0 &= 31" : "+r"(used));
	asm volatile("%0 &= 4095" : "+r"(start));
	if (bpf_probe_read_kernel(name.name, used, given->text + start))
		return HP_NAME_TOOL;
	return (hp_is_listed(&name) ? HP_NAME_AGENT : 0) | (bpf_map_lookup_elem(&hp_names, &name) ? HP_NAME_TOOL : 0);
}

#define HP_COMM_MAX 16

/* By the file as given, the name of the file that runs, and the first argument (the program of an interpreter).
 * At exec the kernel has made comm the base name of the file as given, cut at 15 characters: only where it may be cut
 * is the name itself looked for. */
static __always_inline bool hp_recognise(struct hp_given *given, struct task_struct *task, struct linux_binprm *bprm)
{
	unsigned long arg_start = task->mm->arg_start;
	struct hp_basename name = {};
	long len;

	len = bpf_probe_read_kernel_str(name.name, HP_COMM_MAX, task->comm);
	if (len == HP_COMM_MAX) {
		len = bpf_probe_read_kernel_str(given->text, HP_GIVEN_MAX, bprm->filename);
		if (len > 0 && hp_look_up_name(given, len) & HP_NAME_AGENT)
			return true;
	} else if (hp_is_listed(&name)) {
		return true;
	}
	__builtin_memset(&name, 0, sizeof(name));
	len = bpf_probe_read_kernel_str(name.name, sizeof(name.name),
					BPF_CORE_READ(bprm, file, f_path.dentry, d_name.name));
	/* A name of HP_BASENAME_MAX or more arrives cut, and is in no list: that of 31 characters is the longest. */
	if (len > 1 && hp_is_listed(&name) && BPF_CORE_READ(bprm, file, f_path.dentry, d_name.len) == len - 1)
		return true;
	len = bpf_probe_read_user_str(given->text, HP_GIVEN_MAX, (void *)arg_start);
	if (len <= 0 || arg_start + len >= task->mm->arg_end)
		return false;
	len = bpf_probe_read_user_str(given->text, HP_GIVEN_MAX, (void *)(arg_start + len));
	return len > 0 && hp_look_up_name(given, len) & HP_NAME_AGENT;
}

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

/* A change of a file may leave its ctime as it was. */
static __always_inline bool hp_is_timeless(const struct super_block *sb)
{
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

/* The entry's value where it holds for this file, this policy and this file system. */
static __always_inline __u32 hp_class_of(const struct hp_exec_event *event, __u32 generation)
{
	struct hp_file_key key = {.dev = event->dev, .ino = event->ino};
	struct hp_class_entry *entry;

	entry = bpf_map_lookup_elem(&hp_class, &key);
	if (!entry || entry->generation != generation || entry->ctime_ns != event->ctime_ns)
		return HP_CLASS_UNKNOWN;
	if (event->hdr.flags & HP_FLAG_TIMELESS && (entry->value & HP_CLASS_MASK) == HP_CLASS_HARMLESS)
		return HP_CLASS_UNKNOWN;
	return entry->value;
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

#define HP_SCRIPT_MAX 256 /* bytes of a script's name that are looked at */
#define HP_OPTIONS_MAX 6  /* words before an interpreter's script */

/* Which script an interpreter runs, as a number: its name as given, and the folder that the name begins at. Never 0.
 * A name longer than HP_SCRIPT_MAX counts by its first bytes and its length. */
static __always_inline __u64 hp_script_hash(struct hp_given *given, struct task_struct *task, struct linux_binprm *bprm)
{
	unsigned long at = task->mm->arg_start, end = task->mm->arg_end;
	const __u64 *words = (const void *)given->text;
	__u64 hash = 0xcbf29ce484222325ULL;
	long len = 0;
	int i;

	__builtin_memset(given->text, 0, HP_SCRIPT_MAX);
	if (bprm->interp != bprm->filename) {
		len = bpf_probe_read_kernel_str(given->text, HP_SCRIPT_MAX, bprm->filename);
	} else {
		/* The first word that is no option. What an option takes as its value is then taken for the script: it is
		 * asked about, and the judge sees the whole. */
		for (i = 0; i <= HP_OPTIONS_MAX; i++) {
			len = at < end ? bpf_probe_read_user_str(given->text, HP_SCRIPT_MAX, (void *)at) : 0;
			if (len <= 0 || (i > 0 && given->text[0] != '-'))
				break;
			at += len;
		}
		__builtin_memset(given->text, 0, HP_SCRIPT_MAX);
		if (len > 0)
			len = bpf_probe_read_user_str(given->text, HP_SCRIPT_MAX, (void *)at);
	}
#pragma unroll
	for (i = 0; i < HP_SCRIPT_MAX / 8; i++)
		hash = (hash ^ words[i]) * 0x100000001b3ULL;
	hash = (hash ^ (__u64)len) * 0x100000001b3ULL;
	if (given->text[0] != '/')
		hash = (hash ^ BPF_CORE_READ(task, fs, pwd.dentry, d_inode, i_ino)) * 0x100000001b3ULL;
	return hash ? hash : 1;
}

static __always_inline __u32 hp_program_of(const struct hp_config *config, const struct hp_program_key *key, __u64 ctime)
{
	struct hp_program_entry *entry = bpf_map_lookup_elem(&hp_programs, key);

	if (!entry || entry->generation != config->policy_generation || entry->ctime_ns != ctime)
		return HP_PROGRAM_UNSEEN;
	if (entry->expires_boot_ns && entry->expires_boot_ns < bpf_ktime_get_boot_ns())
		return HP_PROGRAM_UNSEEN;
	return entry->value;
}

/* What is known of the program, and in *key what it is known by. */
static __always_inline __u32 hp_look_up_program(const struct hp_config *config, struct hp_given *given,
						struct task_struct *task, struct linux_binprm *bprm,
						struct hp_program_key *key)
{
	struct inode *inode = bprm->file->f_inode;
	__u64 ctime = hp_inode_ctime_ns(inode);
	__u32 value;

	key->dev = inode->i_sb->s_dev;
	key->ino = inode->i_ino;
	key->script = 0;
	if (inode->i_sb->s_magic == HP_FUSE_SUPER_MAGIC)
		return HP_PROGRAM_UNSEEN;
	value = hp_program_of(config, key, ctime);
	if (value != HP_PROGRAM_INTERPRETER)
		return value;
	key->script = hp_script_hash(given, task, bprm);
	return hp_program_of(config, key, ctime);
}

/* Tells user space of a program that nobody has looked at; it runs on, outside every session. */
static __always_inline void hp_ask_program(struct hp_exec_scratch *scratch, struct task_struct *task,
					   struct linux_binprm *bprm, __u64 script)
{
	struct hp_label none = {.exec_id = script};

	hp_begin_event(scratch, task, bprm, &none, HP_EVENT_PROGRAM);
	hp_describe_texts(scratch, task, bprm);
	hp_send(&scratch->event, false);
}

/* A task outside every session: does this exec begin one? The task is not stopped. A program of a coding agent's name
 * is one until the judge says otherwise; of another name, where the judge has said so of its file or of its script. */
static __always_inline void hp_maybe_begin_session(struct hp_config *config, struct hp_exec_scratch *scratch,
						   struct task_struct *task, struct linux_binprm *bprm)
{
	struct hp_program_key program = {};
	struct hp_session session = {};
	struct hp_label label = {};
	struct hp_exec_event *event;
	__u64 number;
	__u32 known;

	if (!config->recognise || task->tgid == 1 || (__u32)task->tgid == config->gate_tgid)
		return;
	if (!config->scope_is_host && bpf_current_task_under_cgroup(&hp_scope, 0) != 1)
		return;
	known = hp_look_up_program(config, &scratch->given, task, bprm, &program);
	if (known == HP_PROGRAM_OTHER)
		return;
	if (known != HP_PROGRAM_AGENT && !hp_recognise(&scratch->given, task, bprm)) {
		hp_ask_program(scratch, task, bprm, program.script);
		return;
	}
	number = __sync_fetch_and_add(&config->next_session, 1) + 1;
	session.environment = config->default_env;
	session.flags = config->default_flags;
	label.session = number;
	label.exec_id = __sync_fetch_and_add(&config->next_exec, 1) + 1;
	label.start_boot_ns = task->group_leader->start_boottime;
	label.flags = HP_LABEL_CANDIDATE | HP_LABEL_ROOT;
	if (bpf_map_update_elem(&hp_sessions, &number, &session, BPF_NOEXIST) || !hp_label_set(task, &label, true)) {
		hp_count(HP_STAT_LABEL_FAILED);
		if (hp_enforces(&session))
			bpf_send_signal(HP_SIGKILL); /* nobody would see what it does */
		return;
	}
	event = hp_begin_event(scratch, task, bprm, &label, HP_EVENT_CANDIDATE);
	event->hdr.flags |= HP_FLAG_SESSION_ROOT;
	hp_describe_texts(scratch, task, bprm);
	hp_send(event, true);
}

/* 0: the loader found a kernel that does not take the automata, and they are no part of the program. */
const volatile __u32 hp_with_triage SEC(".rodata.triage") = 1;

#define HP_SCAN_STEP 16 /* bytes of argv in one call of hp_scan_step */

struct hp_scan {
	__u32 slot;
	__u32 state;
	__u32 at; /* in event.data */
	__u32 left;
};

static long hp_scan_step(__u32 index, struct hp_scan *scan)
{
	struct hp_exec_scratch *scratch;
	const struct hp_triage_row *row;
	const __u8 *columns;
	__u32 zero = 0, one = 1;
	void *table;
	int i;

	scratch = bpf_map_lookup_elem(&hp_tmp_exec, &zero);
	table = bpf_map_lookup_elem(&hp_tmp_triage, &scan->slot);
	if (!scratch || !table)
		goto ask;
	columns = bpf_map_lookup_elem(table, &one);
	if (!columns)
		goto ask;
#pragma unroll
	for (i = 0; i < HP_SCAN_STEP; i++) {
		__u32 at = scan->at, column;

		if (!scan->left)
			return 1;
		asm volatile("" : "+r"(at));
		if (at >= sizeof(scratch->event.data))
			goto ask;
		column = columns[(__u8)scratch->event.data[at]] & (HP_TRIAGE_COLUMNS - 1);
		row = bpf_map_lookup_elem(table, &scan->state);
		if (!row)
			goto ask;
		scan->state = row->next[column];
		if (scan->state < HP_TRIAGE_FIRST)
			goto ask;
		scan->at = at + 1;
		scan->left--;
	}
	return 0;
ask:
	scan->state = HP_TRIAGE_ASK;
	return 1;
}

/* Whether the automaton that begins at `start` finds nothing in argv; start HP_TRIAGE_ASK: the one for programs that no
 * rule is about, which are none where their file is `listed` by its name. False also where something can't be looked at. */
static __always_inline bool hp_is_clean(__u32 generation, const struct hp_exec_event *event, __u32 start, bool listed)
{
	struct hp_scan scan = {.slot = generation & 1};
	const struct hp_triage_row *row;
	__u32 zero = 0;
	void *table;

	if (event->hdr.flags & (HP_FLAG_ARGV_CUT | HP_FLAG_ARGV_FAILED) || event->argv_len == 0)
		return false;
	table = bpf_map_lookup_elem(&hp_tmp_triage, &scan.slot);
	if (!table)
		return false;
	row = bpf_map_lookup_elem(table, &zero);
	if (!row || row->next[0] != generation)
		return false;
	if (listed && (start == HP_TRIAGE_ASK || start == row->next[2]))
		return false;
	scan.state = start == HP_TRIAGE_ASK ? row->next[2] : start;
	if (scan.state < HP_TRIAGE_FIRST)
		return false;
	scan.at = event->executable_len + event->filename_len + event->cwd_len;
	scan.left = event->argv_len;
	bpf_loop(HP_ARGV_MAX / HP_SCAN_STEP, hp_scan_step, &scan, 0);
	if (scan.left || scan.state < HP_TRIAGE_FIRST)
		return false;
	row = bpf_map_lookup_elem(table, &scan.state);
	return row && row->next[HP_TRIAGE_END] >= HP_TRIAGE_FIRST;
}

/* A script whose name a rule may be about is that tool, whatever its interpreter is. hp_describe_texts has left the name
 * in the scratch. */
static __always_inline bool hp_is_named_script(struct hp_exec_scratch *scratch, __u16 len)
{
	if (!(scratch->event.hdr.flags & HP_FLAG_SCRIPT))
		return false;
	return scratch->event.hdr.flags & HP_FLAG_PATH_CUT || hp_look_up_name(&scratch->given, len + 1) & HP_NAME_TOOL;
}

/* The file has the name of a tool that a rule is about, or none that could be looked up: whatever is known of it under
 * another name (a hard link's), under this one it may be that tool. */
static __always_inline bool hp_is_listed_file(struct linux_binprm *bprm)
{
	struct dentry *dentry = BPF_CORE_READ(bprm, file, f_path.dentry);
	struct hp_basename name = {};
	__u32 len = BPF_CORE_READ(dentry, d_name.len);

	if (len >= HP_BASENAME_MAX)
		return true;
	if (bpf_probe_read_kernel_str(name.name, sizeof(name.name), BPF_CORE_READ(dentry, d_name.name)) != len + 1)
		return true;
	return bpf_map_lookup_elem(&hp_names, &name) != NULL;
}

/* By its size it may be a copy of such a tool. */
static __always_inline bool hp_may_be_copy(struct linux_binprm *bprm)
{
	__u64 size = BPF_CORE_READ(bprm, file, f_inode, i_size);

	return size == 0 || bpf_map_lookup_elem(&hp_sizes, &size);
}

/* Why this exec need not be asked about, HP_REASON_NONE where it must be. */
static __always_inline __u16 hp_triage(struct hp_config *config, __u32 generation, struct hp_exec_scratch *scratch,
				       struct linux_binprm *bprm, __u32 value)
{
	const struct hp_exec_event *event = &scratch->event;
	bool script = event->hdr.flags & HP_FLAG_SCRIPT, listed = hp_is_listed_file(bprm);
	__u32 start = HP_TRIAGE_ASK;
	__u16 reason;

	if (event->hdr.flags & HP_FLAG_NESTED || hp_is_named_script(scratch, event->filename_len))
		return HP_REASON_NONE;
	switch (value & HP_CLASS_MASK) {
	case HP_CLASS_HARMLESS:
		reason = HP_REASON_HARMLESS;
		if (!script) /* else its script may be a program that nobody describes */
			return listed ? HP_REASON_NONE : reason;
		break;
	case HP_CLASS_ARGUMENTS:
		reason = HP_REASON_ARGUMENTS;
		start = value >> HP_CLASS_START_SHIFT;
		if (start == HP_TRIAGE_ASK)
			return HP_REASON_NONE;
		break;
	case HP_CLASS_UNKNOWN:
		/* Never seen, or changed since: no copy, as the judge would find out too. */
		reason = HP_REASON_NO_COPY;
		if (listed || hp_may_be_copy(bprm))
			return HP_REASON_NONE;
		break;
	default:
		return HP_REASON_NONE;
	}
	if (!hp_with_triage)
		return HP_REASON_NONE;
	if (event->hdr.flags & (HP_FLAG_FILELESS | HP_FLAG_TIMELESS))
		return HP_REASON_NONE;
	if (!hp_is_clean(generation, event, start, listed))
		return HP_REASON_NONE;
	/* Were the tables changed meanwhile, they say nothing. */
	return *(volatile __u32 *)&config->policy_generation == generation ? reason : HP_REASON_NONE;
}

/* What the automata pass needs a session that the gate knows and, where it fails closed, a gate that lives. */
static __always_inline bool hp_may_pass(const struct hp_config *config, const struct hp_session *session, __u16 clean)
{
	if (clean == HP_REASON_NONE || clean == HP_REASON_HARMLESS)
		return clean == HP_REASON_HARMLESS;
	return session->flags & HP_SESSION_TRIAGE && (!(session->flags & HP_SESSION_FAIL_CLOSED) || hp_beat_is_fresh(config));
}

struct hp_answer {
	__u16 kind;
	__u16 reason;
	bool urgent;
	bool waits; /* asked without being stopped */
	__u32 stat;
};

/* What happens to an exec inside a session; `clean` is what hp_triage says of it. No side effect. */
static __always_inline struct hp_answer hp_decide(const struct hp_config *config, const struct hp_session *session,
						  const struct hp_exec_event *event, __u16 clean)
{
	bool known = event->class_value == HP_CLASS_ARGUMENTS || event->class_value == HP_CLASS_ASK;
	const struct hp_answer pass = {.kind = HP_EVENT_EXEC, .stat = HP_STAT_EXEC_PASSED};
	struct hp_answer answer = pass;

	if (session->flags & HP_SESSION_KILL) {
		answer.reason = HP_REASON_KILL_SESSION;
		answer.kind = HP_EVENT_KILLED;
	} else if (event->hdr.tgid == 1 || event->hdr.tgid == config->gate_tgid || event->ppid == config->gate_tgid) {
		answer.reason = HP_REASON_PROTECTED;
	} else if (hp_may_pass(config, session, clean)) {
		answer.reason = clean;
	} else if (!(session->flags & HP_SESSION_ENFORCE)) {
		answer.reason = HP_REASON_OBSERVE;
	} else if (hp_is_off()) {
		answer.reason = HP_REASON_OFF;
	} else if (!hp_beat_is_fresh(config)) {
		if (session->flags & HP_SESSION_FAIL_CLOSED) {
			answer.reason = HP_REASON_STALE;
			answer.kind = HP_EVENT_KILLED;
		} else {
			answer.reason = HP_REASON_STALE_OPEN;
			answer.stat = HP_STAT_FAIL_OPEN;
		}
	} else if (config->waits && event->hdr.flags & (HP_FLAG_TRACED | HP_FLAG_JOB_CONTROL | HP_FLAG_TERMINAL)) {
		answer.reason = known ? HP_REASON_CLASS : HP_REASON_UNSEEN;
		answer.kind = HP_EVENT_ASK;
		answer.stat = HP_STAT_EXEC_ASKED;
		answer.waits = true;
	} else if (event->hdr.flags & HP_FLAG_TRACED) {
		answer.reason = HP_REASON_TRACED;
		answer.kind = HP_EVENT_KILLED;
	} else if (event->hdr.flags & HP_FLAG_JOB_CONTROL && !known) {
		answer.reason = HP_REASON_JOB_CONTROL;
		answer.urgent = true;
	} else {
		answer.reason = known ? HP_REASON_CLASS : HP_REASON_UNSEEN;
		answer.kind = HP_EVENT_ASK;
		answer.stat = HP_STAT_EXEC_ASKED;
	}
	if (answer.kind == HP_EVENT_KILLED)
		answer.stat = HP_STAT_EXEC_KILLED;
	if (answer.kind != HP_EVENT_EXEC)
		answer.urgent = true;
	return answer;
}

static __always_inline void hp_judge(struct hp_config *config, struct hp_exec_scratch *scratch, struct task_struct *task,
				     struct linux_binprm *bprm, struct hp_label *stored,
				     const struct hp_session *session)
{
	struct hp_label label = *stored;
	struct hp_exec_event *event;
	/* Once: class and automaton have to be of the same policy. */
	__u32 generation = *(volatile __u32 *)&config->policy_generation;
	struct hp_answer answer;
	__u32 value;

	hp_count(HP_STAT_EXEC_SEEN);
	label.exec_id = __sync_fetch_and_add(&config->next_exec, 1) + 1;
	label.state = HP_TASK_RUN; /* approval is for one exec */
	label.start_boot_ns = task->group_leader->start_boottime; /* where user space could not know it */
	event = hp_begin_event(scratch, task, bprm, &label, HP_EVENT_EXEC);
	value = hp_class_of(event, generation);
	event->class_value = value & HP_CLASS_MASK;
	if (!(label.flags & HP_LABEL_ROOT) && hp_recognise(&scratch->given, task, bprm))
		event->hdr.flags |= HP_FLAG_NESTED;
	hp_describe_texts(scratch, task, bprm);
	answer = hp_decide(config, session, event, hp_triage(config, generation, scratch, bprm, value));
	if (answer.kind == HP_EVENT_ASK)
		label.state = answer.waits ? HP_TASK_WAITS : HP_TASK_HELD;
	if (answer.waits)
		event->hdr.flags |= HP_FLAG_WAITS;
	hp_label_set(task, &label, true);
	event->hdr.kind = answer.kind;
	event->reason = answer.reason;
	hp_count(answer.stat);
	/* The signal comes before the record: an answer that overtook the stop would leave the task stopped. */
	if (answer.kind == HP_EVENT_KILLED)
		bpf_send_signal(HP_SIGKILL);
	if (answer.kind == HP_EVENT_ASK && !answer.waits && bpf_send_signal(HP_SIGSTOP))
		bpf_send_signal(HP_SIGKILL);
	if (!hp_send(event, answer.urgent) && answer.kind == HP_EVENT_ASK) {
		bpf_send_signal(HP_SIGKILL); /* nobody could be asked */
		hp_count(HP_STAT_EXEC_KILLED);
	}
	if (event->hdr.flags & HP_FLAG_NESTED) {
		event->hdr.kind = HP_EVENT_CANDIDATE;
		hp_send(event, true);
	}
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(hp_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct hp_config *config = hp_active_config();
	struct hp_session *session = NULL;
	struct hp_exec_scratch *scratch;
	struct hp_label *label;
	__u32 zero = 0;

	if (!config)
		return 0;
	scratch = bpf_map_lookup_elem(&hp_tmp_exec, &zero);
	if (!scratch)
		return 0;
	label = hp_label_of(task);
	if (label)
		session = hp_session_of(label);
	if (session)
		hp_judge(config, scratch, task, bprm, label, session);
	else
		hp_maybe_begin_session(config, scratch, task, bprm);
	return 0;
}
