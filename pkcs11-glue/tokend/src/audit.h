/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_AUDIT_H
#define TLM_AUDIT_H

/*
 * One line of the log for each use of a key and each refusal:
 *
 *     INFO audit key_used uid=33 pid=812 program=nginx key=tlm-attest mechanism=CKM_ECDSA
 *         operation=sign result=CKR_OK
 *     WARNING audit refused uid=1000 … operation=manage result=CKR_ACTION_PROHIBITED
 *
 * A use is never left out. Refusals that one peer repeats are counted, and the count stands in the
 * next line about them (repeated=N), so that no peer can fill the disk.
 */

#include <p11-kit/pkcs11.h>

#include "peer.h"

#define TLM_AUDIT_NO_MECHANISM ((CK_MECHANISM_TYPE)-1)

/* `key` is the object's label; `operation` one of the words of access.h. */
void tlm_audit_used(const tlm_peer *peer, const char *key, CK_MECHANISM_TYPE mechanism,
                    const char *operation, CK_RV result);
void tlm_audit_refused(const tlm_peer *peer, const char *key, CK_MECHANISM_TYPE mechanism,
                       const char *operation, CK_RV result);

#endif
