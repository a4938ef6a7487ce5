/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Differences between kernels, each with its version and reason. Everything is found in BTF at load, never by version. */
#ifndef HP_COMPAT_H
#define HP_COMPAT_H

#include "bpf/lib/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

struct timespec64___hp {
	__s64 tv_sec;
	long tv_nsec;
} __attribute__((preserve_access_index));

/* Up to 6.5: inode::i_ctime. 6.6 to 6.10: renamed to __i_ctime behind accessors. From 6.11: two plain numbers. */
struct inode___ctime {
	struct timespec64___hp i_ctime;
} __attribute__((preserve_access_index));
struct inode___hidden_ctime {
	struct timespec64___hp __i_ctime;
} __attribute__((preserve_access_index));
struct inode___split_ctime {
	__s64 i_ctime_sec;
	__u32 i_ctime_nsec;
} __attribute__((preserve_access_index));

/* From 6.13 bit 31 of i_ctime_nsec says that somebody asked for the time (multigrain); nanoseconds never reach it. */
#define HP_CTIME_NSEC_MASK 0x7fffffffULL

static __always_inline __u64 hp_inode_ctime_ns(const struct inode *inode)
{
	__s64 sec;
	__u64 nsec;

	if (bpf_core_field_exists(((struct inode___split_ctime *)0)->i_ctime_sec)) {
		const struct inode___split_ctime *split = (const void *)inode;

		sec = BPF_CORE_READ(split, i_ctime_sec);
		nsec = BPF_CORE_READ(split, i_ctime_nsec);
	} else if (bpf_core_field_exists(((struct inode___hidden_ctime *)0)->__i_ctime)) {
		const struct inode___hidden_ctime *hidden = (const void *)inode;

		sec = BPF_CORE_READ(hidden, __i_ctime.tv_sec);
		nsec = BPF_CORE_READ(hidden, __i_ctime.tv_nsec);
	} else {
		const struct inode___ctime *plain = (const void *)inode;

		sec = BPF_CORE_READ(plain, i_ctime.tv_sec);
		nsec = BPF_CORE_READ(plain, i_ctime.tv_nsec);
	}
	return (__u64)sec * 1000000000ULL + (nsec & HP_CTIME_NSEC_MASK);
}

#endif /* HP_COMPAT_H */
