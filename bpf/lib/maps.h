/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map that objects share. Each object declares them all by including this; the loader gives them one pin path
 * by name, so libbpf makes a map once and reuses it everywhere, also after a restart of the daemon. Layouts are
 * those of hp_abi.h. Maps whose name begins with hp_tmp_ are scratch: one per hook, never shared, never pinned.
 */
#ifndef HP_MAPS_H
#define HP_MAPS_H

#include "bpf/lib/kernel_types.h"
#include "bpf/shared/hp_abi.h"
#include "bpf/shared/hp_limits.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_label);
} hp_task SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HP_LABELLED_MAX);
	__type(key, __u32);
	__type(value, struct hp_label);
} hp_tgid SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HP_SESSIONS_MAX);
	__type(key, __u64);
	__type(value, struct hp_session);
} hp_sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_config);
} hp_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64); /* CLOCK_BOOTTIME of the gate's last beat */
} hp_beat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} hp_scope SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct hp_file_key);
	__type(value, struct hp_class_entry);
} hp_class SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct hp_basename);
	__type(value, __u32);
} hp_agents SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HP_NAMES_MAX);
	__type(key, struct hp_basename);
	__type(value, __u32);
} hp_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HP_NAMES_MAX);
	__type(key, __u64);
	__type(value, __u32);
} hp_sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct hp_program_key);
	__type(value, struct hp_program_entry);
} hp_programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct hp_dest4_key);
	__type(value, struct hp_dest);
} hp_dest4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct hp_dest6_key);
	__type(value, struct hp_dest);
} hp_dest6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HP_ENV_MAX * HP_ENV_MAX);
	__type(key, __u32);
	__type(value, __u32); /* hp_action */
} hp_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct hp_connect_key);
	__type(value, struct hp_connect_pass);
} hp_connect_pass SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_lifted);
} hp_off SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HP_ENV_MAX);
	__type(key, __u32); /* environment */
	__type(value, struct hp_lifted);
} hp_glass SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} hp_urgent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} hp_events SEC(".maps");

/* Events offered, by ring: HP_SEQ_*. */
#define HP_SEQ_URGENT 0
#define HP_SEQ_EVENTS 1
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} hp_seq SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HP_STAT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} hp_stats SEC(".maps");

/* Not for the programs: what the gate owes the record, kept where it outlives it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_account);
} hp_account SEC(".maps");

/* Holdpoint's own processes by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} hp_ours SEC(".maps");

/* Number of this load, alone in its section: the loader writes it before the object is loaded. See
 * hp_config.active_loader. */
const volatile __u32 hp_loader SEC(".rodata.hp") = 0;

#endif /* HP_MAPS_H */
