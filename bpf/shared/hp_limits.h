/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How much the tables of both sides hold, and what becomes of what they have no room for. */
#ifndef HP_LIMITS_H
#define HP_LIMITS_H

#define HP_SESSIONS_MAX 4096   /* at once; a coding agent past it does not start where sessions enforce */
#define HP_LABELLED_MAX 262144 /* processes with a label; a child past it does not run where its session enforces */
#define HP_NAMES_MAX 8192      /* names of tools that rules are about, and sizes of their files */

#endif /* HP_LIMITS_H */
