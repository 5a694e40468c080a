/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FILE_H
#define TLM_FILE_H

/*
 * Files that must survive a power cut, and files from outside.
 *
 *     tlm_error error = {0};
 *     if (tlm_file_replace("/etc/…/vault.bin", text, strlen(text), 0600, &error) != TLM_OK) {
 *         tlm_log_error(&error, "vault_write_failed", NULL);
 *     }
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <tlm/result.h>
#include <tlm/secret.h>

/*
 * Reads a whole regular file of at most `max` bytes into a new buffer with a zero byte behind it;
 * the caller frees it. A larger file is TLM_ERR_TOO_LARGE before anything is allocated; one that
 * does not tell its size (/proc, /sys) once more than `max` bytes came. Links are followed; what is
 * not a regular file is TLM_ERR_FORMAT.
 */
TLM_CHECKED tlm_result tlm_file_read(const char *path, size_t max, char **data, size_t *size,
                                     tlm_error *error);

/*
 * The same for a file that decides who may do what: TLM_ERR_PERMISSION, with the chmod or chown
 * that mends it, where others than its owner may write to it, or where it belongs neither to root
 * nor to the effective user.
 */
TLM_CHECKED tlm_result tlm_file_read_trusted(const char *path, size_t max, char **data,
                                             size_t *size, tlm_error *error);

/*
 * Reads into a secret; `max` is at most TLM_SECRET_MAX. Refuses (TLM_ERR_PERMISSION, with the
 * chmod or chown that mends it) a file that others than its owner can use, and one that belongs
 * neither to root nor to the effective user. An empty file is TLM_ERR_FORMAT.
 */
TLM_CHECKED tlm_result tlm_file_read_secret(const char *path, size_t max, tlm_secret **secret,
                                            tlm_error *error);

/*
 * Replaces `path` in one step: writes PATH.tmp with exactly `mode`, fsyncs it, keeps the present
 * file as PATH.bak, renames, fsyncs the directory. After a crash at any point PATH is the old or
 * the new content, whole, and never absent. On failure PATH is untouched and PATH.tmp is removed;
 * only where syncing the directory is what failed, PATH has the new content already and a power cut
 * can bring the old one back. A link at PATH is replaced, not followed. One writer at a time.
 */
TLM_CHECKED tlm_result tlm_file_replace(const char *path, const void *data, size_t size,
                                        mode_t mode, tlm_error *error);

/*
 * The same for a file that must not exist yet: TLM_ERR_EXISTS otherwise, and of several writers
 * exactly one wins. On failure there is no PATH. A run that is killed can leave PATH.<16 hex>.tmp.
 */
TLM_CHECKED tlm_result tlm_file_create(const char *path, const void *data, size_t size, mode_t mode,
                                       tlm_error *error);

/*
 * Overwrites a file with zeros, fsyncs, removes it, fsyncs the directory. One that is not there is
 * success. A link is TLM_ERR_IO, and what is not a regular file TLM_ERR_FORMAT. A file system that
 * writes elsewhere than in place (a journal of data, copy on write, flash) may keep the old bytes.
 */
TLM_CHECKED tlm_result tlm_file_wipe(const char *path, tlm_error *error);

/*
 * Makes a directory with `mode` and the missing ones above it with 0755, both under the umask. One
 * that exists is success whatever its mode; TLM_ERR_EXISTS where something else has the name.
 */
TLM_CHECKED tlm_result tlm_directory_make(const char *path, mode_t mode, tlm_error *error);

/* Whether something stands at `path` (a dangling link counts). */
bool tlm_file_exists(const char *path);

/*
 * Joins directory and name with exactly one slash between into a new string; the caller frees it.
 * An empty directory gives the name alone. NULL where memory is out.
 */
char *tlm_path_join(const char *directory, const char *name);

#endif
