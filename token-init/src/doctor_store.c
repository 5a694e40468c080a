/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's checks of the store: directory, record, modes, module, rows, lock. */
#include "doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/tpm2_store.h>

static void not_writable(tlm_exam *exam, const struct stat *info, int cause)
{
    const char *path = exam->job.directory;
    if (cause == EROFS) {
        tlm_finding *finding = tlm_exam_add(exam, "store-read-only", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "the store is on a read-only file system; the token needs to write "
                                "a lock file there");
        tlm_say(finding->evidence, "%s: %s", path, strerrordesc_np(cause));
        if (exam->container) {
            tlm_say(finding->command, "docker run -v PERSISTENCE:%s:rw ... (without :ro)",
                    exam->settings->persistence_dir);
        } else {
            tlm_say(finding->command, "mount -o remount,rw $(df --output=target %s | tail -1)",
                    path);
        }
        return;
    }
    tlm_finding *finding = tlm_exam_add(exam, "store-owner", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the store belongs to somebody else and cannot be written");
    tlm_say(finding->evidence,
            "%s: owner uid %u, gid %u, mode %04o; this process has uid %u, gid "
            "%u",
            path, info->st_uid, info->st_gid, info->st_mode & 07777U, geteuid(), getegid());
    if (exam->container) {
        tlm_say(finding->command,
                "on the host: chown -R %u:%u PERSISTENCE; or: docker run --user %u:%u ...",
                geteuid(), getegid(), info->st_uid, info->st_gid);
    } else {
        tlm_say(finding->command, "chown -R %u:%u %s", geteuid(), getegid(), path);
    }
}

void tlm_check_directory(tlm_exam *exam)
{
    const char *path = exam->job.directory;
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return; /* told by the record's check */
        }
        tlm_finding *finding = tlm_exam_add(exam, "store-unreachable", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "the store's directory cannot be reached");
        tlm_say(finding->evidence, "%s: %s; this process has uid %u", path, strerrordesc_np(errno),
                geteuid());
        tlm_say(finding->command,
                "chmod o+x on the directories above it, or run as their owner: "
                "namei -l %s shows them",
                path);
        return;
    }
    if (geteuid() != 0 && info.st_uid != geteuid()) {
        not_writable(exam, &info, EACCES);
        return;
    }
    /* access(2) would ask for the real uid, and answers root wrongly on a read-only mount. */
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) != 0) {
        not_writable(exam, &info, errno);
    }
}

void tlm_check_record(tlm_exam *exam)
{
    if (exam->provisioned) {
        if (!exam->job.store.complete) {
            tlm_finding *finding = tlm_exam_add(exam, "store-incomplete", TLM_FINDING_PROBLEM);
            tlm_say(finding->cause, "provisioning was interrupted");
            tlm_say(finding->evidence, "%s/token.json says that it is not complete",
                    exam->job.directory);
            tlm_say(finding->command, "%stlm-token-init provision --token-store %s", exam->prefix,
                    exam->job.directory);
        }
        return;
    }
    const tlm_error *error = &exam->store_error;
    bool fresh = error->result == TLM_ERR_NOT_PROVISIONED;
    tlm_finding *finding =
        tlm_exam_add(exam, fresh ? "not-provisioned" : "store-unreadable", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "%s",
            fresh ? "there is no token yet" : "the record of the token cannot be read");
    tlm_say(finding->evidence, "%s", error->message);
    if (fresh) {
        tlm_say(finding->command, "%stlm-token-init provision --token-store %s", exam->prefix,
                exam->job.directory);
    } else {
        tlm_say(finding->command, "%s", error->hint);
    }
}

/* `name` NULL is the store's directory. */
static void check_mode(tlm_exam *exam, const char *name, mode_t wanted)
{
    char *path =
        name != NULL ? tlm_path_join(exam->job.directory, name) : strdup(exam->job.directory);
    struct stat info;
    if (path != NULL && stat(path, &info) == 0 && (info.st_mode & 077U) != 0) {
        tlm_finding *finding = tlm_exam_add(exam, "store-mode", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "others than the owner may read what unlocks the token");
        tlm_say(finding->evidence, "%s has mode %04o", path, info.st_mode & 07777U);
        tlm_say(finding->command, "%schmod %04o %s", exam->prefix, wanted, path);
    }
    free(path);
}

void tlm_check_modes(tlm_exam *exam)
{
    check_mode(exam, NULL, 0700);
    check_mode(exam, "secrets.json", 0600);
    check_mode(exam, "sealed.json", 0600);
    check_mode(exam, TLM_TPM2_STORE_FILE, 0600);
}

void tlm_check_module(tlm_exam *exam)
{
    tlm_backend backend = exam->tpm_wanted ? TLM_BACKEND_TPM : TLM_BACKEND_SOFTHSM;
    const char *module = exam->provisioned ? exam->job.store.module : tlm_backend_module(backend);
    if (module != NULL && tlm_file_exists(module)) {
        return;
    }
    const char *package = backend == TLM_BACKEND_TPM ? "libtpm2-pkcs11-1" : "softhsm2";
    tlm_finding *finding = tlm_exam_add(exam, "module-missing", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the PKCS#11 module of the %s back end is not installed",
            tlm_backend_name(backend));
    tlm_say(finding->evidence, "%s%s", module != NULL ? module : "none of its usual places",
            module != NULL ? " does not exist" : " has it");
    tlm_say(finding->command,
            exam->container ? "add to the image: apt-get install -y %s" : "apt install %s",
            package);
}

static void check_token_row(tlm_exam *exam, tlm_tpm2_store *rows)
{
    tlm_error error = {0};
    tlm_tpm2_token token = {0};
    const char *label = exam->job.store.label;
    if (tlm_tpm2_store_read_token(rows, label, &token, &error) != TLM_OK) {
        return; /* told by the check of all rows */
    }
    if (!token.present || !token.user_pin) {
        tlm_finding *finding = tlm_exam_add(exam, "token-missing", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "the store's database has no usable token '%s'", label);
        tlm_say(finding->evidence, "%s/" TLM_TPM2_STORE_FILE ": token %s, user PIN %s",
                exam->job.directory, token.present ? "there" : "missing",
                token.user_pin ? "set" : "not set");
        tlm_say(finding->command, "restore %s from a backup", exam->job.directory);
        return;
    }
    if (!token.pss) {
        tlm_finding *finding = tlm_exam_add(exam, "pss-missing", TLM_FINDING_WARNING);
        tlm_say(finding->cause, "RSA-PSS is switched off for the token: TLS 1.3 with its RSA key "
                                "fails");
        tlm_say(finding->evidence, "pss-sigs-good is not set in the settings of '%s'", label);
        tlm_say(finding->command,
                "%stpm2_ptool config --path %s --label %s --key pss-sigs-good --value true",
                exam->prefix, exam->job.directory, label);
    }
}

void tlm_check_rows(tlm_exam *exam)
{
    if (!exam->provisioned || !exam->job.store.complete ||
        exam->job.store.backend != TLM_BACKEND_TPM) {
        return;
    }
    tlm_error error = {0};
    tlm_tpm2_store *rows = NULL;
    tlm_result result = tlm_tpm2_store_open(exam->job.directory, &rows, &error);
    if (result == TLM_OK) {
        result = tlm_tpm2_store_verify(rows, &error);
    }
    if (result == TLM_OK) {
        check_token_row(exam, rows);
    } else {
        tlm_finding *finding = tlm_exam_add(exam, "store-damaged", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "the database of tpm2-pkcs11 cannot be used; one bad row disables "
                                "every token in it");
        tlm_say(finding->evidence, "%s", error.message);
        tlm_say(finding->command, "%s", error.hint);
    }
    tlm_tpm2_store_close(&rows);
}

/* tpm2-pkcs11 holds the lock while it makes or upgrades the database, and removes the file. */
void tlm_check_lock(tlm_exam *exam)
{
    char *path = tlm_path_join(exam->job.directory, TLM_TPM2_STORE_FILE ".lock");
    if (path == NULL || !tlm_file_exists(path)) {
        free(path);
        return;
    }
    int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool held = file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0;
    tlm_finding *finding = tlm_exam_add(exam, held ? "store-lock-held" : "store-lock-stale",
                                        file < 0 ? TLM_FINDING_PROBLEM : TLM_FINDING_WARNING);
    tlm_say(finding->cause, "%s",
            held ? "another program is making or upgrading the database"
                 : "a lock file was left behind by a program that was killed");
    tlm_say(finding->evidence, "%s %s", path,
            held ? "is locked" : (file < 0 ? "cannot be opened" : "is not locked by anybody"));
    if (held) {
        tlm_say(finding->command, "%sfuser -v %s shows who; wait until it has ended", exam->prefix,
                path);
    } else {
        tlm_say(finding->command, "%srm %s", exam->prefix, path);
    }
    if (file >= 0) {
        (void)close(file);
    }
    free(path);
}
