/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An exec outside every session: which program it is, by its file or by the script that an interpreter runs, and whether it
 * begins a session.
 */
#ifndef HP_EXEC_PROGRAM_H
#define HP_EXEC_PROGRAM_H

#include "bpf/lib/exec_name.h"

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

#endif /* HP_EXEC_PROGRAM_H */
