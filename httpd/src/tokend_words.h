/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEND_WORDS_H
#define TLM_TOKEND_WORDS_H

/*
 * The words for a tlm-tokend of our own: the directories, the socket and the store that this
 * program uses, and what flags said about the TPM and the log. It reads environment and file
 * itself.
 *
 *     tlm_tokend_words words;
 *     tlm_tokend_words_fill(settings, token_store, &words);
 *     run(words.words);
 */

#include <tlm/settings.h>

#define TLM_TOKEND_WORDS_MAX 30

typedef struct tlm_tokend_words {
    const char *words[TLM_TOKEND_WORDS_MAX + 1]; /* ends with NULL */
    char port[12];
} tlm_tokend_words;

/* The texts are those of the settings and `words` itself. */
void tlm_tokend_words_fill(const tlm_settings *settings, const char *token_store,
                           tlm_tokend_words *words);

#endif
