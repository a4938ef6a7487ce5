/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What every program needs: the configuration of the active load, counters, event headers. */
#ifndef HP_COMMON_H
#define HP_COMMON_H

#include "bpf/lib/maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* NULL where another load of the programs is the active one: the caller returns at once. */
static __always_inline struct hp_config *hp_active_config(void)
{
	__u32 zero = 0;
	struct hp_config *config = bpf_map_lookup_elem(&hp_config, &zero);

	if (!config || config->active_loader != hp_loader)
		return NULL;
	return config;
}

static __always_inline void hp_count(__u32 stat)
{
	__u64 *counter = bpf_map_lookup_elem(&hp_stats, &stat);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

static __always_inline bool hp_beat_is_fresh(const struct hp_config *config)
{
	__u32 zero = 0;
	__u64 *beat = bpf_map_lookup_elem(&hp_beat, &zero);

	/* A beat in the future is this CPU's clock a few nanoseconds behind: fresh. */
	return beat && *beat && bpf_ktime_get_boot_ns() < *beat + config->stale_after_ns;
}

static __always_inline bool hp_is_lifted(const struct hp_lifted *lifted)
{
	return lifted && lifted->until_boot_ns > bpf_ktime_get_boot_ns();
}

/* Enforcement is switched off as a whole, for a while. That end needs nobody: it comes also where the gate is dead. */
static __always_inline bool hp_is_off(void)
{
	__u32 zero = 0;

	return hp_is_lifted(bpf_map_lookup_elem(&hp_off, &zero));
}

/* Number of the next event of this CPU to a ring (HP_SEQ_*); taken for lost events too. */
static __always_inline __u64 hp_next_seq(__u32 ring)
{
	__u64 *seq = bpf_map_lookup_elem(&hp_seq, &ring);

	return seq ? __sync_fetch_and_add(seq, 1) + 1 : 0;
}

static __always_inline void hp_fill_header(struct hp_event_header *hdr, struct task_struct *task, __u64 session,
					   __u16 kind, __u32 size)
{
	hdr->boot_ns = bpf_ktime_get_boot_ns();
	hdr->start_boot_ns = task->group_leader->start_boottime;
	hdr->session = session;
	hdr->cpu_seq = 0;
	hdr->tgid = task->tgid;
	hdr->size = size;
	hdr->flags = 0;
	hdr->kind = kind;
	hdr->cpu = bpf_get_smp_processor_id();
}

#endif /* HP_COMMON_H */
