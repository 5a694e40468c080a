/* SPDX-License-Identifier: BSD-2-Clause */
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>

#define BACKLOG 256
#define LISTEN_FIRST 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

/* Whether the service manager's variables are for this process; they are of no use afterwards. */
static bool take_variables(unsigned long *count)
{
    const char *pid = getenv("LISTEN_PID");
    const char *files = getenv("LISTEN_FDS");
    bool ours = pid != NULL && files != NULL && strtoul(pid, NULL, 10) == (unsigned long)getpid();
    *count = ours ? strtoul(files, NULL, 10) : 0;
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return ours && *count > 0;
}

static tlm_result take_inherited(unsigned long count, tlm_endpoint *endpoint, tlm_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    int listening = 0;
    socklen_t listening_size = sizeof listening;
    if (count != 1 || getsockname(LISTEN_FIRST, (struct sockaddr *)&address, &size) != 0 ||
        address.sun_family != AF_UNIX ||
        getsockopt(LISTEN_FIRST, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size) != 0 ||
        listening == 0) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "Give the unit one ListenStream= with the path of a unix socket.",
                             "the service manager handed over %lu descriptors, which are not one "
                             "listening unix stream socket",
                             count);
    }
    if (fcntl(LISTEN_FIRST, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(LISTEN_FIRST, F_SETFL, O_NONBLOCK) != 0) {
        return tlm_error_set_errno(error, NULL, "preparing the service manager's socket");
    }
    endpoint->file = LISTEN_FIRST;
    endpoint->inherited = true;
    size_t length = strnlen(address.sun_path, TLM_ENDPOINT_PATH_MAX);
    memcpy(endpoint->path, address.sun_path, length);
    endpoint->path[length] = '\0';
    return TLM_OK;
}

static tlm_result check_path(const char *path, tlm_error *error)
{
    if (path == NULL || path[0] != '/' || path[strlen(path) - 1] == '/' ||
        strlen(path) > TLM_ENDPOINT_PATH_MAX) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "Name an absolute path of at most 107 bytes, for example "
                             "/run/tlm/pkcs11.sock",
                             "'%s' cannot be the path of a unix socket",
                             path != NULL ? path : "(none)");
    }
    return TLM_OK;
}

/* A directory that is there keeps its mode: it may be meant to let only some users through. */
static tlm_result make_directory(const char *path, tlm_error *error)
{
    char directory[TLM_ENDPOINT_PATH_MAX + 1];
    (void)snprintf(directory, sizeof directory, "%s", path);
    *strrchr(directory, '/') = '\0';
    if (directory[0] == '\0' || tlm_file_exists(directory)) {
        return TLM_OK;
    }
    tlm_result result = tlm_directory_make(directory, 0755, error);
    if (result == TLM_OK && chmod(directory, 0755) != 0) {
        result = tlm_error_set_errno(error, NULL, "opening the directory %s to clients", directory);
    }
    if (result != TLM_OK) {
        tlm_error_set_hint(error,
                           "make %s for uid %u (RuntimeDirectory= of the unit), or name another "
                           "socket: --pkcs11-socket PATH",
                           directory, (unsigned)geteuid());
    }
    return result;
}

static tlm_result refuse_second(const char *path, tlm_error *error)
{
    tlm_result result = tlm_error_set(error, TLM_ERR_BUSY, NULL,
                                      "another process serves the socket %s already", path);
    tlm_error_set_hint(error, "see which: ss -xlp src %s; or serve another one: --pkcs11-socket",
                       path);
    return result;
}

static tlm_result take_lock(tlm_endpoint *endpoint, tlm_error *error)
{
    char path[sizeof endpoint->path + sizeof ".lock"];
    (void)snprintf(path, sizeof path, "%s.lock", endpoint->path);
    endpoint->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (endpoint->lock < 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "opening the lock file %s", path);
        tlm_error_set_hint(error,
                           "make its directory writable for uid %u, or name another socket: "
                           "--pkcs11-socket PATH",
                           (unsigned)geteuid());
        return result;
    }
    if (flock(endpoint->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? refuse_second(endpoint->path, error)
                                    : tlm_error_set_errno(error, NULL, "locking %s", path);
    }
    return TLM_OK;
}

/* Whether somebody listens there; a full backlog is somebody, too. */
static bool is_served(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0) {
        return true; /* not known, so nothing is removed */
    }
    bool served = connect(file, (struct sockaddr *)&address, sizeof address) == 0 ||
                  (errno != ECONNREFUSED && errno != ENOENT);
    (void)close(file);
    return served;
}

static tlm_result clear_path(const char *path, tlm_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? TLM_OK : tlm_error_set_errno(error, NULL, "looking at %s", path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return tlm_error_set(error, TLM_ERR_EXISTS,
                             "Move it away, or name another socket: --pkcs11-socket PATH",
                             "%s is there and is not a socket", path);
    }
    if (is_served(path)) {
        return refuse_second(path, error);
    }
    tlm_log(TLM_LOG_INFO, "stale_socket", "path=%s", path);
    if (unlink(path) != 0) {
        return tlm_error_set_errno(error, "remove it as its owner", "removing the socket %s", path);
    }
    return TLM_OK;
}

static tlm_result bind_socket(tlm_endpoint *endpoint, tlm_error *error)
{
    struct sockaddr_un address = address_of(endpoint->path);
    struct stat status;
    endpoint->file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->file < 0) {
        return tlm_error_set_errno(error, "look at ulimit -n", "making a unix socket");
    }
    mode_t before = umask(0111);
    int bound = bind(endpoint->file, (struct sockaddr *)&address, sizeof address);
    (void)umask(before);
    if (bound != 0 || listen(endpoint->file, BACKLOG) != 0) {
        return tlm_error_set_errno(error,
                                   "make its directory writable for this user, or name another "
                                   "socket: --pkcs11-socket PATH",
                                   "listening at %s", endpoint->path);
    }
    if (lstat(endpoint->path, &status) != 0) {
        return tlm_error_set_errno(error, NULL, "looking at the new socket %s", endpoint->path);
    }
    endpoint->device = status.st_dev;
    endpoint->inode = status.st_ino;
    return TLM_OK;
}

tlm_result tlm_endpoint_open(const char *path, tlm_endpoint *endpoint, tlm_error *error)
{
    *endpoint = (tlm_endpoint){.file = -1, .lock = -1};
    unsigned long count = 0;
    if (take_variables(&count)) {
        return take_inherited(count, endpoint, error);
    }
    tlm_result result = check_path(path, error);
    if (result != TLM_OK) {
        return result;
    }
    memcpy(endpoint->path, path, strlen(path) + 1);
    result = make_directory(path, error);
    if (result == TLM_OK) {
        result = take_lock(endpoint, error);
    }
    if (result == TLM_OK) {
        result = clear_path(path, error);
    }
    if (result == TLM_OK) {
        result = bind_socket(endpoint, error);
    }
    return result;
}

void tlm_endpoint_close(tlm_endpoint *endpoint)
{
    struct stat status;
    if (endpoint->inode != 0 && lstat(endpoint->path, &status) == 0 &&
        status.st_dev == endpoint->device && status.st_ino == endpoint->inode) {
        (void)unlink(endpoint->path);
    }
    if (endpoint->file >= 0) {
        (void)close(endpoint->file);
    }
    if (endpoint->lock >= 0) {
        (void)close(endpoint->lock);
    }
    *endpoint = (tlm_endpoint){.file = -1, .lock = -1};
}
