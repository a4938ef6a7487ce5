/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel's types that the programs look at, with only the fields they use. Offsets are not these: every access
 * to a type below the pragma is relocated at load against the running kernel's BTF (CO-RE), so the build does not
 * depend on the kernel it is built on. Where a field has another name on some kernel see bpf/compat/compat.h.
 */
#ifndef HP_KERNEL_TYPES_H
#define HP_KERNEL_TYPES_H

#include <stdbool.h>

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#ifndef NULL
#define NULL ((void *)0)
#endif

/* UAPI numbers: they never change. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};
enum {
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_F_INNER_MAP = 1 << 12,
};
enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};
enum {
	HP_SIGHUP = 1,
	HP_SIGINT = 2,
	HP_SIGKILL = 9,
	HP_SIGTERM = 15,
	HP_SIGCHLD = 17,
	HP_SIGCONT = 18,
	HP_SIGSTOP = 19,
	HP_SIGNAL_GROUP_EXIT = 0x4, /* signal_struct::flags */
	HP_PIDTYPE_PGID = 2,        /* index of signal_struct::pids */
	HP_PIDTYPE_SID = 3,
	HP_AF_INET = 2,
	HP_AF_INET6 = 10,
	HP_AF_UNIX = 1,
	HP_TCP_LISTEN = 10, /* also of unix sockets */
	HP_EPERM = 1,
};
enum pid_type {
	PIDTYPE_PID = 0,
	PIDTYPE_TGID = 1,
};
#define HP_FUSE_SUPER_MAGIC 0x65735546
#define HP_TMPFS_MAGIC 0x01021994
#define HP_RAMFS_MAGIC 0x858458f6

/* The context of cgroup/connect and its kin: rewritten by the verifier by offset, so it must not be relocated. */
struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;    /* network byte order */
	__u32 user_ip6[4]; /* network byte order */
	__u32 user_port;   /* network byte order */
	__u32 family;
	__u32 type;
	__u32 protocol;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;
typedef struct {
	__u32 val;
} kuid_t;
typedef struct {
	__u32 val;
} kgid_t;

struct pid_namespace;
struct tty_struct;

struct upid {
	int nr;
};
struct pid {
	struct upid numbers[1]; /* [0] is the number in the initial namespace */
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct user_namespace {
	int level; /* 0: the host's own */
};
struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
	struct user_namespace *s_user_ns; /* of whoever mounted it */
	__u32 s_time_gran;                /* nanoseconds */
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	__s64 i_size;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct inode *f_inode;
	struct path f_path;
};
struct fs_struct {
	struct path pwd;
};
struct linux_binprm {
	struct file *file;
	const char *filename; /* as given to execve: a script stays the script */
	const char *interp;   /* differs from filename for a script */
};

struct cred {
	kuid_t euid;
	kgid_t egid;
};
struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
};
struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[4];
	struct tty_struct *tty;
};
struct task_struct {
	unsigned int ptrace;
	int exit_code;
	char comm[16];
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *parent; /* the tracer, where there is one */
	struct task_struct *group_leader;
	__u64 start_boottime;
	struct mm_struct *mm;
	const struct cred *cred;
	struct fs_struct *fs;
	struct signal_struct *signal;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
};
struct sock {
	struct sock_common __sk_common;
	struct pid *sk_peer_pid; /* of a listening unix socket: who called listen(2) */
};
struct socket {
	struct sock *sk;
};
struct sockaddr;
struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};
struct unix_address {
	int len; /* of the family and the name */
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};

struct kernfs_node {
	__u64 id;
};
struct cgroup_root {
	int hierarchy_id; /* 0: version 2 */
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup *ancestors[0];
};

struct pt_regs;
struct fpu;
struct kernel_siginfo;
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif /* HP_KERNEL_TYPES_H */
