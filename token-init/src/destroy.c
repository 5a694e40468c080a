/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/provision.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/counter.h>
#include <tlm/file.h>
#include <tlm/log.h>

#include "job.h"

/* tokens/<uuid>/<file> is the deepest. */
#define DEPTH_MAX 4

static void overwrite(int directory, const char *name, off_t size)
{
    static const unsigned char zeros[4096];
    int file = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    while (size > 0) {
        size_t part = size < (off_t)sizeof zeros ? (size_t)size : sizeof zeros;
        ssize_t written = write(file, zeros, part);
        if (written <= 0) {
            break;
        }
        size -= written;
    }
    (void)fsync(file);
    (void)close(file);
}

static tlm_result remove_entries(int directory, const char *path, int depth, tlm_error *error);

static tlm_result remove_entry(int directory, const char *path, const char *name, int depth,
                               tlm_error *error)
{
    struct stat info;
    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? TLM_OK
                               : tlm_error_set_errno(error, NULL, "reading %s/%s", path, name);
    }
    int flags = 0;
    if (S_ISDIR(info.st_mode)) {
        int inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0) {
            return tlm_error_set_errno(error, NULL, "opening %s/%s", path, name);
        }
        tlm_result result = remove_entries(inner, path, depth + 1, error);
        if (result != TLM_OK) {
            return result;
        }
        flags = AT_REMOVEDIR;
    } else if (S_ISREG(info.st_mode)) {
        overwrite(directory, name, info.st_size);
    }
    if (unlinkat(directory, name, flags) != 0 && errno != ENOENT) {
        return tlm_error_set_errno(error, NULL, "removing %s/%s", path, name);
    }
    return TLM_OK;
}

/* Removes what the directory holds; takes over the descriptor. */
static tlm_result remove_entries(int directory, const char *path, int depth, tlm_error *error)
{
    DIR *listing = fdopendir(directory);
    if (listing == NULL) {
        (void)close(directory);
        return tlm_error_set_errno(error, NULL, "listing %s", path);
    }
    tlm_result result = depth <= DEPTH_MAX
                            ? TLM_OK
                            : tlm_error_set(error, TLM_ERR_FORMAT, "remove it by hand",
                                            "%s is deeper than any token store", path);
    const struct dirent *entry = NULL;
    while (result == TLM_OK && (entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            result = remove_entry(dirfd(listing), path, entry->d_name, depth, error);
        }
    }
    (void)closedir(listing);
    return result;
}

/*
 * The directory may hold an operator's files too, so only what tlm-token-init and the two back ends
 * put there goes. The secrets go first: without them the rest is worth nothing.
 */
static tlm_result remove_store(const tlm_job *job, tlm_error *error)
{
    static const char *const ours[] = {"sealed.json",
                                       "sealed.json.bak",
                                       "sealed.json.tmp",
                                       "tpm2_pkcs11.sqlite3",
                                       "tpm2_pkcs11.sqlite3-journal",
                                       "tpm2_pkcs11.sqlite3.lock",
                                       "tokens",
                                       "softhsm2.conf",
                                       "softhsm2.conf.bak",
                                       "softhsm2.conf.tmp",
                                       "counter",
                                       "counter.bak",
                                       "counter.bak.tmp",
                                       "counter.tmp",
                                       "counter.lock",
                                       "srk.pem",
                                       "srk.pem.bak",
                                       "srk.pem.tmp",
                                       "token.json.bak",
                                       "token.json.tmp",
                                       "token.json"};
    int directory = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return tlm_error_set_errno(error, NULL, "opening %s", job->directory);
    }
    tlm_result result = tlm_secrets_wipe_clear(&job->store, error);
    for (size_t i = 0; result == TLM_OK && i < sizeof ours / sizeof ours[0]; i++) {
        result = remove_entry(directory, job->directory, ours[i], 0, error);
    }
    (void)fsync(directory);
    (void)close(directory);
    if (result == TLM_OK && rmdir(job->directory) != 0) {
        tlm_log(TLM_LOG_WARNING, "store_kept", "path=%s reason=\"%s\"", job->directory,
                strerrordesc_np(errno));
    }
    return result;
}

/* The root key's name: from the database, or made anew from the seed where it is not there yet. */
static tlm_result own_name(tlm_job *job, tlm_tpm_name *name, tlm_error *error)
{
    tlm_result result = tlm_job_stored_name(job, name, error);
    if (result == TLM_OK) {
        return result;
    }
    result = tlm_job_need_secrets(job, error);
    if (result == TLM_ERR_TPM_UNAVAILABLE) {
        return result;
    }
    if (result != TLM_OK || job->secrets.tpm_seed == NULL || job->secrets.tpm_auth == NULL) {
        tlm_log(TLM_LOG_WARNING, "root_key_unknown", "handle=0x%08X", TLM_HANDLE_SRK);
        name->size = 0;
        return TLM_OK;
    }
    result = tlm_job_need_tpm(job, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_primary primary = {0};
    result =
        tlm_primary_create(job->tpm, job->secrets.tpm_seed, job->secrets.tpm_auth, &primary, error);
    *name = primary.name;
    tlm_primary_close(job->tpm, &primary);
    return result;
}

/* An index of others stays; ours goes, and one made later begins above it. */
static tlm_result undefine_counter(tlm_job *job, tlm_error *error)
{
    tlm_result result = tlm_counter_undefine(job->tpm, error);
    if (result == TLM_ERR_FOREIGN) {
        tlm_log(TLM_LOG_WARNING, "foreign_index_kept", "index=0x%08X", TLM_COUNTER_INDEX);
    }
    return result == TLM_ERR_FOREIGN || result == TLM_ERR_NOT_FOUND ? TLM_OK : result;
}

/* Evicts the root key where its name is the one of this store; any other object stays. */
static tlm_result evict_ours(tlm_job *job, tlm_error *error)
{
    tlm_tpm_name expected = {0};
    tlm_tpm_object there = {0};
    tlm_result result = own_name(job, &expected, error);
    if (result == TLM_OK && expected.size == 0) {
        return TLM_OK;
    }
    if (result == TLM_OK) {
        result = tlm_job_need_tpm(job, error);
    }
    if (result == TLM_OK) {
        result = tlm_tpm_read_object(job->tpm, TLM_HANDLE_SRK, &there, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (there.present && !tlm_tpm_name_equal(&there.name, &expected)) {
        tlm_log(TLM_LOG_WARNING, "foreign_object_kept", "handle=0x%08X type=\"%s\"", TLM_HANDLE_SRK,
                there.type);
        return TLM_OK;
    }
    /* Before the root key, which tells a run after an interrupted one that the TPM is ours. */
    result = undefine_counter(job, error);
    if (result != TLM_OK || !there.present) {
        return result;
    }
    return tlm_tpm_evict(job->tpm, TLM_HANDLE_SRK, error);
}

/*
 * The parent of the sealed secrets is made again by any store that needs it, so taking it away
 * loses nothing. It stays all the same where another root key took our place: its store uses it.
 */
static tlm_result evict_parent(tlm_job *job, tlm_error *error)
{
    tlm_sealed sealed;
    tlm_tpm_name parent = {0};
    tlm_tpm_object root = {0};
    bool known = tlm_secrets_read_sealed(&job->store, &sealed, NULL) == TLM_OK;
    if (!known && job->store.complete) {
        return TLM_OK; /* its secrets are in clear: it never had one */
    }
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result == TLM_OK) {
        result = tlm_tpm_read_object(job->tpm, TLM_HANDLE_SRK, &root, error);
    }
    if (result != TLM_OK || root.present) {
        return result;
    }
    result = tlm_seal_parent_name(job->tpm, &parent, error);
    if (result == TLM_ERR_NOT_FOUND || result == TLM_ERR_EXISTS) {
        return TLM_OK;
    }
    if (result != TLM_OK || (known && !tlm_tpm_name_equal(&parent, &sealed.parent))) {
        return result;
    }
    return tlm_tpm_evict(job->tpm, TLM_HANDLE_SEAL, error);
}

tlm_result tlm_destroy(const tlm_provision_request *request, tlm_provision_report *report,
                       tlm_error *error)
{
    memset(report, 0, sizeof *report);
    tlm_job job;
    tlm_result result = tlm_job_begin(&job, request, error);
    if (result == TLM_OK) {
        result = tlm_store_load(job.directory, &job.store, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_lock(&job, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_report(&job, report, error);
    }
    if (result == TLM_OK && job.store.backend == TLM_BACKEND_TPM) {
        result = evict_ours(&job, error);
        if (result == TLM_OK) {
            result = evict_parent(&job, error);
        }
    }
    if (result == TLM_OK) {
        result = remove_store(&job, error);
    }
    tlm_job_end(&job);
    return result;
}
