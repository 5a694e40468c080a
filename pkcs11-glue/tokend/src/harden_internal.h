/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HARDEN_INTERNAL_H
#define TLM_HARDEN_INTERNAL_H

/* The steps of harden.c that fill files of their own. */

#include "harden.h"

/* Logs that a step was taken, or why it was not; `detail` is a text for the line, may be NULL. */
void tlm_harden_note(const char *step, const char *detail);
void tlm_harden_note_failed(const char *step, const char *reason);
void tlm_harden_note_errno(const char *step, const char *call);

/* harden_landlock.c, harden_seccomp.c */
void tlm_harden_landlock(const tlm_harden_config *config);
void tlm_harden_seccomp(const tlm_harden_config *config);

/* harden_caps.c: the bounding set (whether it could be), and then what is held. */
bool tlm_harden_drop_bounding(void);
TLM_CHECKED tlm_result tlm_harden_drop_held(const tlm_harden_config *config, bool bounding,
                                            tlm_error *error);

/* harden_user.c: under root, with capabilities. */
TLM_CHECKED tlm_result tlm_harden_user(const tlm_harden_config *config, tlm_error *error);

#endif
