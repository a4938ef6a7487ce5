/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Base names: whether an exec is of a program that is called like a coding agent, or like a tool that a rule is about.
 */
#ifndef HP_EXEC_NAME_H
#define HP_EXEC_NAME_H

#include "bpf/lib/exec_event.h"

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

#endif /* HP_EXEC_NAME_H */
