/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_VIEW_PRIVATE_H
#define TLM_LICENSING_VIEW_PRIVATE_H

/*
 * What licensing keeps of a view of the identity, longer than the identity shows it: state, error,
 * holder, fingerprints and storage id.
 *
 *     tlm_identity_view *kept = tlm_view_keep(view);
 *     …
 *     tlm_view_forget(&kept);
 */

#include <tlm/identity.h>

/* NULL without memory. */
tlm_identity_view *tlm_view_keep(const tlm_identity_view *view);

/* Accepts NULL. */
void tlm_view_forget(tlm_identity_view **view);

#endif
