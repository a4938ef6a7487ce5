/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The path of a (mount, dentry) up to the root of its mount namespace, by a bounded walk: bpf_d_path is not allowed in
 * these programs. Names are written from the right, so the text ends at HP_PATH_MAX and begins at hp_walk.pos. A chroot
 * does not shorten it; a mount made by the session can change it: (device, inode) is the identity, this is for people
 * and for rules that name places.
 */
#ifndef HP_PATH_H
#define HP_PATH_H

#include "bpf/lib/common.h"

#define HP_PATH_DEPTH 64
#define HP_NAME_MAX 255

/* One name is read past HP_PATH_MAX in the worst case as far as the verifier knows: hence the room. */
struct hp_path_buffer {
	char text[HP_PATH_MAX + HP_NAME_MAX + 1];
};

struct hp_walk {
	struct hp_path_buffer *buffer;
	struct dentry *dentry;
	struct vfsmount *vfsmount;
	struct dentry *mount_root; /* of vfsmount */
	__u32 pos; /* first byte of the text; HP_PATH_MAX: empty */
	__u32 cut;
	__u32 done;
};

static long hp_walk_step(__u32 index, struct hp_walk *walk)
{
	struct vfsmount *vfsmount = walk->vfsmount;
	struct dentry *dentry = walk->dentry;
	struct dentry *parent;
	const unsigned char *name;
	__u32 len, pos;

	if (dentry == walk->mount_root) {
		struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
		struct mount *above = BPF_CORE_READ(mount, mnt_parent);

		if (above == mount) {
			walk->done = 1;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		vfsmount = (void *)above + bpf_core_field_offset(struct mount, mnt);
		walk->vfsmount = vfsmount;
		walk->mount_root = BPF_CORE_READ(vfsmount, mnt_root);
		return 0;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	len = BPF_CORE_READ(dentry, d_name.len);
	name = BPF_CORE_READ(dentry, d_name.name);
	pos = walk->pos;
	if (len > HP_NAME_MAX || pos < len + 1) {
		walk->cut = 1;
		return 1;
	}
	pos -= len;
	/* Both bounds are lost in the subtractions; the mask and the type of len restore them. */
	asm volatile("%0 &= 1023" : "+r"(pos));
	asm volatile("%0 &= 255" : "+r"(len));
	if (bpf_probe_read_kernel(walk->buffer->text + pos, len, name)) {
		walk->cut = 1;
		return 1;
	}
	pos -= 1;
	asm volatile("%0 &= 1023" : "+r"(pos));
	walk->buffer->text[pos] = '/';
	walk->pos = pos;
	walk->dentry = parent;
	walk->done = dentry == parent; /* in no directory: a memfd */
	return walk->done;
}
_Static_assert(HP_PATH_MAX == 1024 && HP_NAME_MAX == 255, "the masks of hp_walk_step");

#define HP_WALK_CUT 0x10000

/* Fills `buffer`: the text is its last bytes before HP_PATH_MAX. Returns the length, with HP_WALK_CUT set if names at
 * the front are missing. Verified on its own, once: the addresses come as numbers, and the caller knows nothing of
 * the result, so it masks it. */
__noinline int hp_walk_path(struct hp_path_buffer *buffer, __u64 dentry, __u64 vfsmount)
{
	struct hp_walk walk = {
		.buffer = buffer,
		.dentry = (struct dentry *)dentry,
		.vfsmount = (struct vfsmount *)vfsmount,
		.pos = HP_PATH_MAX,
	};
	struct vfsmount *mount = walk.vfsmount;
	int cut;

	if (!buffer)
		return HP_WALK_CUT;
	walk.mount_root = BPF_CORE_READ(mount, mnt_root);
	bpf_loop(HP_PATH_DEPTH, hp_walk_step, &walk, 0);
	cut = !walk.done || walk.cut ? HP_WALK_CUT : 0;
	if (walk.pos == HP_PATH_MAX) {
		buffer->text[HP_PATH_MAX - 1] = '/';
		return cut | 1;
	}
	return cut | (HP_PATH_MAX - walk.pos);
}

#endif /* HP_PATH_H */
