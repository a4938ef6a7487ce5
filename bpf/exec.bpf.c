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
 *         except on FUSE, whose server says what it likes, on tmpfs and ramfs, where a mapping writes without a
 *         trace in ctime, on what was mounted with a user namespace's rights (an overlay: its lower file changes
 *         without it), and where ctime is coarse: no class makes a file harmless there.
 */
#include "bpf/compat/compat.h"
#include "bpf/lib/exec_event.h"
#include "bpf/lib/exec_name.h"
#include "bpf/lib/exec_program.h"
#include "bpf/lib/exec_triage.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
