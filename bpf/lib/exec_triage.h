/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whether an exec need not be asked about: by what is known of its file, by its name, and by the automata over its argv.
 */
#ifndef HP_EXEC_TRIAGE_H
#define HP_EXEC_TRIAGE_H

#include "bpf/lib/exec_name.h"

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

#endif /* HP_EXEC_TRIAGE_H */
