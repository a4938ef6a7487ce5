/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What crosses between the kernel programs and user space: the only declaration of it, included by both sides.
 * Layouts of pinned maps carry HP_LAYOUT_VERSION; a change of any of them is a new version, a new pin directory.
 * Numbers are in the host's byte order; times are CLOCK_BOOTTIME nanoseconds unless the name says otherwise.
 */
#ifndef HP_ABI_H
#define HP_ABI_H

#ifdef __cplusplus
#define HP_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), "layout of " #type)
#else
#define HP_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), "layout of " #type)
#endif

#if !defined(__bpf__)
#include <linux/types.h>
#endif

#define HP_LAYOUT_VERSION 1

#define HP_ENV_MAX 64         /* environments, number 0 is "unknown" */
#define HP_ARGV_MAX 4096      /* bytes of argv in an exec event; user space reads the whole of a stopped task */
#define HP_PATH_MAX 1024      /* bytes of one path in an event */
#define HP_BASENAME_MAX 32    /* of a coding agent's executable, zero-padded */
#define HP_DEST_RANGES 16     /* port ranges per address prefix */
#define HP_WAIT_MAX_NS 1000000000ull /* how long a task may be HP_TASK_WAITS; past it the fail mode */

/* ---- hp_task (task storage) and hp_tgid (hash by tgid, for programs that cannot read task storage) ---- */

enum hp_task_state {
	HP_TASK_RUN = 0,     /* nothing asked */
	HP_TASK_HELD = 1,    /* stopped by the kernel at exec, nobody decided: the guards end it if it moves */
	HP_TASK_OWNED = 2,   /* the gate traces it */
	HP_TASK_PASSED = 3,  /* decided: runs until its next exec */
	HP_TASK_REFUSED = 4, /* decided: ends without running its program */
	HP_TASK_WAITS = 5,   /* not stopped: it waits inside its execve, see wait.bpf.c; the guards end it if it gets out */
};

#define HP_LABEL_CANDIDATE 0x1 /* root of a session that the kernel proposed and the gate has not confirmed */
#define HP_LABEL_ROOT 0x2      /* root of its session */

struct hp_label {
	__u64 session;       /* 0: none */
	__u64 exec_id;       /* of the last exec; unique on this boot */
	__u64 start_boot_ns; /* of the thread group's leader; 0: labelled from user space, not known */
	__u32 state;         /* hp_task_state; always RUN in hp_tgid */
	__u32 flags;         /* HP_LABEL_* */
};
HP_ASSERT_SIZE(struct hp_label, 32);

/* ---- hp_sessions (hash by session number) ---- */

#define HP_SESSION_ENFORCE 0x1     /* without it nothing of the session is stopped, refused or killed */
#define HP_SESSION_FAIL_CLOSED 0x2 /* without a fresh heartbeat what would be asked is killed, else it passes */
#define HP_SESSION_CONFIRMED 0x4   /* the gate knows it */
#define HP_SESSION_DISSOLVED 0x8   /* was no coding agent: its labels mean nothing */
#define HP_SESSION_KILL 0x10       /* everything that forks or execs in it is killed */
#define HP_SESSION_TRIAGE 0x20     /* what hp_triage finds nothing in passes; until the gate knows enough of it, it is asked */

struct hp_session {
	__u32 environment; /* number, below HP_ENV_MAX */
	__u32 flags;       /* HP_SESSION_* */
};
HP_ASSERT_SIZE(struct hp_session, 8);

/* ---- hp_config and hp_beat (arrays of one, mapped by the gate: it stores single fields, the kernel adds to others) ---- */

struct hp_config {
	__u64 stale_after_ns;    /* age at which a heartbeat is stale */
	__u64 next_session;      /* last session number given; the kernel adds to it atomically */
	__u64 next_exec;         /* last exec id given */
	__u32 gate_tgid;         /* its exit makes the heartbeat stale at once */
	__u32 policy_generation; /* class entries of another generation are not believed */
	__u32 active_loader;     /* programs of another loader generation return at once: two loads never both act */
	__u32 scope_is_host;     /* 1: hp_scope is not looked at */
	__u32 recognise;         /* 1: candidates become sessions */
	__u32 default_flags;     /* HP_SESSION_* of a session before the gate has answered */
	__u32 default_env;
	__u32 waits; /* 1: wait.bpf.c is attached, and what a stop would show in waits there */
};
HP_ASSERT_SIZE(struct hp_config, 56);

/* ---- hp_class (LRU hash by file): what the judge said of an executable ---- */

enum hp_class_value {
	HP_CLASS_UNKNOWN = 0,
	HP_CLASS_HARMLESS = 1,
	HP_CLASS_ARGUMENTS = 2,
	HP_CLASS_ASK = 3,
};

struct hp_file_key {
	__u64 dev; /* super_block::s_dev */
	__u64 ino;
};
HP_ASSERT_SIZE(struct hp_file_key, 16);

#define HP_CLASS_MASK 0xff /* of hp_class_entry.value: the class; above it, of HP_CLASS_ARGUMENTS, where triage begins */
#define HP_CLASS_START_SHIFT 8

struct hp_class_entry {
	__u64 ctime_ns; /* must equal the inode's, else the entry is stale: ask */
	__u32 value;    /* hp_class_value, and the state of hp_triage that it begins at */
	__u32 generation;
};
HP_ASSERT_SIZE(struct hp_class_entry, 16);

/* ---- hp_triage (array of two maps, by generation & 1): automata over argv, compiled from the loaded rules ----
 * Each inner map is an array of rows. Row 0 names the generation (next[0]) and the number of rows (next[1]); row 1 holds
 * the column of each byte value, one byte each; every other row is a state: what follows it, by column. What falls into
 * HP_TRIAGE_ASK, leaves the table or meets one of another generation is asked. */

#define HP_TRIAGE_COLUMNS 64
#define HP_TRIAGE_END 63     /* column of the end of argv */
#define HP_TRIAGE_ASK 0      /* not a row: one of a rule's literals was there */
#define HP_TRIAGE_FIRST 2    /* the first row that is a state */
#define HP_TRIAGE_ROWS_MAX 65536

struct hp_triage_row {
	__u32 next[HP_TRIAGE_COLUMNS];
};
HP_ASSERT_SIZE(struct hp_triage_row, 256);

/* ---- hp_names (hash by base name): a script of this name may be a tool that a rule is about ---- */
/* ---- hp_sizes (hash by size in bytes): a file of this size may be a copy of such a tool ---- */

/* ---- hp_programs (LRU hash): what the judge said of a program that was started outside every session ---- */

enum hp_program_value {
	HP_PROGRAM_UNSEEN = 0,
	HP_PROGRAM_OTHER = 1,       /* no coding agent, whatever its arguments */
	HP_PROGRAM_INTERPRETER = 2, /* what it runs decides: the entry with the script's hash */
	HP_PROGRAM_AGENT = 3,
};

struct hp_program_key {
	__u64 dev;
	__u64 ino;
	__u64 script; /* of an interpreter: hash of the script as it was named and of where; 0: the file itself */
};
HP_ASSERT_SIZE(struct hp_program_key, 24);
struct hp_program_entry {
	__u64 ctime_ns;        /* of the running file; must equal the inode's */
	__u64 expires_boot_ns; /* 0: never. A script's own changes are not seen, so what is said of it is not for ever */
	__u32 value;           /* hp_program_value */
	__u32 generation;
};
HP_ASSERT_SIZE(struct hp_program_entry, 24);

/* ---- hp_agents (hash by base name) ---- */

struct hp_basename {
	char name[HP_BASENAME_MAX];
};
HP_ASSERT_SIZE(struct hp_basename, 32);

/* ---- hp_dest4, hp_dest6 (LPM tries), hp_actions (array), hp_connect_pass (hash) ---- */

struct hp_dest4_key {
	__u32 prefix_length; /* bits of the address */
	__u8 address[4];
};
struct hp_dest6_key {
	__u32 prefix_length;
	__u8 address[16];
};
HP_ASSERT_SIZE(struct hp_dest4_key, 8);
HP_ASSERT_SIZE(struct hp_dest6_key, 20);

#define HP_REFUSE_CROSSING 0 /* by hp_actions */
#define HP_REFUSE_ALWAYS 1
#define HP_REFUSE_NEVER 2

struct hp_dest_range {
	__u16 port_low; /* host byte order, inclusive */
	__u16 port_high;
	__u16 environment;
	__u16 refuse; /* HP_REFUSE_* */
};
struct hp_dest {
	__u32 count;
	__u32 pad;
	struct hp_dest_range range[HP_DEST_RANGES]; /* first match counts; user space orders them */
};
HP_ASSERT_SIZE(struct hp_dest, 8 + 8 * HP_DEST_RANGES);

/* hp_actions[session environment * HP_ENV_MAX + destination environment] */
enum hp_action {
	HP_ACTION_ALLOW = 0,
	HP_ACTION_AUDIT = 1,
	HP_ACTION_REFUSE = 2,
};

struct hp_connect_key {
	__u64 session;
	__u8 address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u16 port;
	__u16 pad[3];
};
HP_ASSERT_SIZE(struct hp_connect_key, 32);
struct hp_connect_pass {
	__u64 expires_boot_ns;
	__u64 uses; /* connects left */
};
HP_ASSERT_SIZE(struct hp_connect_pass, 16);

/* ---- hp_off (array of one), hp_glass (array by environment number): what an owner has lifted for a while ---- */

struct hp_lifted {
	__u64 until_boot_ns; /* the kernel compares it with its clock: it ends whoever is alive. 0: not lifted */
};
HP_ASSERT_SIZE(struct hp_lifted, 8);

/* ---- events: ring buffers hp_urgent (somebody waits: wakes the reader) and hp_events (drained by a timer) ---- */

enum hp_event_kind {
	HP_EVENT_CANDIDATE = 1, /* hp_exec_event, urgent: a session was proposed */
	HP_EVENT_ASK = 2,       /* hp_exec_event, urgent: stopped, waits for a verdict */
	HP_EVENT_EXEC = 3,      /* hp_exec_event: passed */
	HP_EVENT_KILLED = 4,    /* hp_exec_event, urgent: killed at exec by the kernel, see reason */
	HP_EVENT_CONNECT = 5,   /* hp_connect_event; urgent where refused */
	HP_EVENT_EXIT = 6,      /* hp_exit_event: a labelled process ended */
	HP_EVENT_SIGNAL = 7,    /* hp_signal_event, urgent: a held process was told to end, or a guard acted */
	HP_EVENT_PROGRAM = 8,   /* hp_exec_event: an unseen program outside every session; exec_id is hp_program_key.script */
	HP_EVENT_UNIX = 9,      /* hp_unix_event: connected to a unix socket whose server is not of this session */
	HP_EVENT_LEFT = 10,     /* hp_left_event, urgent: a labelled process was moved out of the scope's cgroup */
	HP_EVENT_TAMPER = 11,   /* hp_tamper_event, urgent: a session touched Holdpoint itself */
};

enum hp_reason {
	HP_REASON_NONE = 0,
	HP_REASON_CLASS = 1,      /* its class is ask or arguments */
	HP_REASON_UNSEEN = 2,     /* its file has no class, or an old one */
	HP_REASON_TRACED = 3,     /* a tracer could swallow the stop */
	HP_REASON_STALE = 4,      /* no fresh heartbeat, fail closed */
	HP_REASON_RING_FULL = 5,  /* nobody could be asked */
	HP_REASON_KILL_SESSION = 6,
	HP_REASON_HARMLESS = 7,
	HP_REASON_OBSERVE = 8,    /* would have been asked; the session is in observe */
	HP_REASON_STALE_OPEN = 9, /* no fresh heartbeat, fail open */
	HP_REASON_JOB_CONTROL = 10, /* a stop would show in an interactive shell */
	HP_REASON_PROTECTED = 11, /* PID 1, our own processes: never stopped */
	HP_REASON_OFF = 12,       /* would have been asked; hp_off is in force */
	HP_REASON_ARGUMENTS = 13, /* passed: no literal of a rule about it is in its argv */
	HP_REASON_NO_COPY = 14,   /* passed: never seen, of no size and name that a rule is about, and no literal of any */
};

#define HP_FLAG_ARGV_CUT 0x1
#define HP_FLAG_ARGV_FAILED 0x2    /* a part could not be read: unknown, not empty */
#define HP_FLAG_SCRIPT 0x4         /* filename is a script, executable its interpreter */
#define HP_FLAG_TRACED 0x8
#define HP_FLAG_JOB_CONTROL 0x10   /* parent in another process group of the same session, controlling terminal */
#define HP_FLAG_PATH_CUT 0x20
#define HP_FLAG_FILELESS 0x40      /* memfd or unlinked file */
#define HP_FLAG_SESSION_ROOT 0x80  /* this exec made the session */
#define HP_FLAG_NESTED 0x100       /* a candidate inside a session: `session` is the enclosing one */
#define HP_FLAG_OBSERVED 0x200     /* a connect that would have been refused; the session is in observe, or hp_off in force */
#define HP_FLAG_APPROVED 0x400     /* a connect let through by hp_connect_pass, or by hp_glass: then HP_FLAG_GLASS too */
#define HP_FLAG_GLASS 0x1000
#define HP_FLAG_TERMINAL 0x8000    /* the first program of its session, with a terminal */
#define HP_FLAG_WAITS 0x800        /* asked, and not stopped: its state is HP_TASK_WAITS */
#define HP_FLAG_TIMELESS 0x4000    /* its file system need not note a change of the file: no class makes it harmless */

struct hp_event_header {
	__u64 boot_ns;
	__u64 start_boot_ns; /* of the thread group's leader */
	__u64 session;
	__u64 cpu_seq; /* events offered on this cpu to this ring, lost ones included */
	__u32 tgid;
	__u32 size; /* of the whole record */
	__u32 flags;
	__u16 kind;
	__u16 cpu;
};
HP_ASSERT_SIZE(struct hp_event_header, 48);

struct hp_exec_event {
	struct hp_event_header hdr;
	__u64 exec_id;
	__u64 parent_start_boot_ns;
	__u64 cgroup_id;
	__u64 dev;
	__u64 ino;
	__u64 ctime_ns;
	__u32 ppid;
	__u32 uid; /* effective */
	__u32 gid;
	__u32 pgid;
	__u32 parent_pgid;
	__u32 tracer; /* tgid, 0: none */
	__u16 reason; /* hp_reason */
	__u16 class_value;
	__u16 executable_len; /* the four texts follow each other in data, none is terminated */
	__u16 filename_len;   /* as given to execve, or the script */
	__u16 cwd_len;
	__u16 argv_len;       /* NUL-separated; user memory: the process can rewrite it later */
	__u32 file_kib;       /* size of the running file, rounded up */
	char data[3 * HP_PATH_MAX + HP_ARGV_MAX];
};
#define HP_EXEC_EVENT_HEAD 136
HP_ASSERT_SIZE(struct hp_exec_event, HP_EXEC_EVENT_HEAD + 3 * HP_PATH_MAX + HP_ARGV_MAX);

struct hp_connect_event {
	struct hp_event_header hdr;
	__u64 exec_id; /* of the process's last exec, 0 where the label could not be read */
	__u8 address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u16 port; /* host byte order */
	__u16 family;
	__u16 protocol; /* IPPROTO_* */
	__u16 environment; /* of the destination, 0 unknown */
	__u32 action; /* hp_action */
	__u32 pad;
};
HP_ASSERT_SIZE(struct hp_connect_event, 48 + 8 + 16 + 16);

struct hp_exit_event {
	struct hp_event_header hdr;
	__u64 exec_id;
	__s32 exit_code; /* as wait(2) gives it */
	__u32 state;     /* hp_task_state at its end */
	__u32 label_flags;
	__u32 pad;
};
HP_ASSERT_SIZE(struct hp_exit_event, 48 + 24);

enum hp_guard {
	HP_GUARD_TOLD = 0, /* nothing was done: a held task was sent a signal */
	HP_GUARD_FAULT = 1,
	HP_GUARD_CONT = 2,
	HP_GUARD_RETURN = 3,
	HP_GUARD_WAIT = 4, /* it waited too long; signal 0: it passed, the session fails open */
};

struct hp_signal_event {
	struct hp_event_header hdr;
	__u64 exec_id;
	__u32 signal;
	__u32 sender; /* tgid */
	__u32 guard;  /* hp_guard */
	__u32 pad;
};
HP_ASSERT_SIZE(struct hp_signal_event, 48 + 24);

#define HP_UNIX_PATH_MAX 112 /* sun_path has 108 */

struct hp_unix_event {
	struct hp_event_header hdr;
	__u64 exec_id;
	__u64 peer_session; /* the session whose label the server carries, 0: none */
	__u32 peer;         /* tgid of who called listen(2) */
	__u16 path_len;     /* as the server bound it: a leading NUL is an abstract name, not what the caller wrote */
	__u16 pad;
	char path[HP_UNIX_PATH_MAX];
};
HP_ASSERT_SIZE(struct hp_unix_event, 48 + 24 + HP_UNIX_PATH_MAX);

struct hp_left_event {
	struct hp_event_header hdr;
	__u64 exec_id;
	__u64 cgroup_id; /* where it is now */
	__u32 mover;     /* tgid */
	__u32 pad;
};
HP_ASSERT_SIZE(struct hp_left_event, 48 + 24);

enum hp_tamper {
	HP_TAMPER_SIGNAL = 1, /* to a process of ours */
	HP_TAMPER_PTRACE = 2,
	HP_TAMPER_BPF = 3,    /* a map or program of ours */
};

struct hp_tamper_event {
	struct hp_event_header hdr; /* of the session's process */
	__u64 exec_id;
	__u32 what;   /* hp_tamper */
	__u32 signal;
	__u32 target; /* tgid */
	__u32 denied; /* 1: it got EPERM */
};
HP_ASSERT_SIZE(struct hp_tamper_event, 48 + 24);

/* ---- hp_account (array of one, mapped by the gate, which alone reads and writes it): what the gate owes the record ----
 * It outlives a gate that is killed: the next one declares what that one had taken and not written. Each step is one
 * store, so that it is right at whatever instruction the gate ends. */

enum hp_act {
	HP_ACT_EXEC = 0, /* HP_EVENT_EXEC, and a stopped one that passes */
	HP_ACT_CONNECT = 1,
	HP_ACT_COUNT,
};

#define HP_RINGS 2 /* hp_urgent, hp_events */
#define HP_DECLARED_MAX 4

struct hp_account {
	__u64 kept; /* 1: a gate has begun it */
	__u64 taken[HP_ACT_COUNT];   /* acts that ran, as far as a gate knows */
	__u64 settled[HP_ACT_COUNT]; /* of them, those that are in the record; only grows */
	__u64 before[HP_RINGS][HP_ACT_COUNT]; /* taken, before the last act of each ring */
	__u64 at[HP_RINGS]; /* where in its ring that act lies, plus 1; 0: none */
	__u64 since_boot_ns; /* what was taken before is settled */
	__u64 last_boot_ns;  /* when the last one was taken */
	__u64 declared[HP_DECLARED_MAX]; /* losses that the kernel counts and the record says, see kernel_losses.cc */
};
HP_ASSERT_SIZE(struct hp_account, 8 * 17);

/* ---- what the iterator over tasks writes, one row per process ---- */

struct hp_task_row {
	__u32 tgid;
	__u32 ppid;
	__u64 start_boot_ns;
	struct hp_label label; /* session 0: none */
};
HP_ASSERT_SIZE(struct hp_task_row, 48);

/* ---- hp_stats (per-CPU array) ---- */

enum hp_stat {
	HP_STAT_EXEC_SEEN = 0,    /* execs inside sessions */
	HP_STAT_EXEC_PASSED,
	HP_STAT_EXEC_ASKED,
	HP_STAT_EXEC_KILLED,
	HP_STAT_FAIL_OPEN,        /* passed because the heartbeat was stale */
	HP_STAT_FORK,
	HP_STAT_LABEL_FAILED,     /* no memory for a label: the child was killed where the session enforces */
	HP_STAT_CONNECT_SEEN,
	HP_STAT_CONNECT_REFUSED,
	HP_STAT_LOST_EVENTS,      /* hp_events was full */
	HP_STAT_LOST_URGENT,      /* hp_urgent was full: the act was killed */
	HP_STAT_GUARD_FAULT,
	HP_STAT_GUARD_CONT,
	HP_STAT_GUARD_RETURN,
	HP_STAT_COUNT,
};

#endif /* HP_ABI_H */
