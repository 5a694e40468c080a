/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>

#define BACKLOG 64

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static tlm_result check_path(const char *path, tlm_error *error)
{
    size_t size = strlen(path);
    if (path[0] != '/' || path[size - 1] == '/' || size > TLM_ADMIN_SOCKET_PATH_MAX) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "name an absolute path of at most 107 bytes, for example "
                             "--admin-socket /run/tlm/admin.sock",
                             "'%.128s' cannot be the path of a unix socket", path);
    }
    return TLM_OK;
}

/* A directory that is there keeps its mode: it may be meant to let only some users through. */
static tlm_result make_directory(const char *path, tlm_error *error)
{
    char directory[TLM_ADMIN_SOCKET_PATH_MAX + 1];
    (void)snprintf(directory, sizeof directory, "%s", path);
    *strrchr(directory, '/') = '\0';
    if (directory[0] == '\0' || tlm_file_exists(directory)) {
        return TLM_OK;
    }
    tlm_result result = tlm_directory_make(directory, 0755, error);
    if (result == TLM_OK && chmod(directory, 0755) != 0) {
        result = tlm_error_set_errno(error, NULL, "opening the directory %s to others", directory);
    }
    if (result != TLM_OK) {
        tlm_error_set_hint(error,
                           "make %s for uid %u (RuntimeDirectory= of the unit), or name another "
                           "socket: --admin-socket PATH",
                           directory, (unsigned)geteuid());
    }
    return result;
}

static tlm_result refuse_second(const char *path, tlm_error *error)
{
    tlm_result result = tlm_error_set(error, TLM_ERR_BUSY, NULL,
                                      "another process serves the socket %s already", path);
    tlm_error_set_hint(
        error, "see which: ss -xlp src %s; or serve another one: --admin-socket PATH", path);
    return result;
}

static tlm_result take_lock(tlm_admin_socket *admin, tlm_error *error)
{
    char path[sizeof admin->path + sizeof ".lock"];
    (void)snprintf(path, sizeof path, "%s.lock", admin->path);
    admin->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (admin->lock < 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "opening the lock file %s", path);
        tlm_error_set_hint(error,
                           "make its directory writable for uid %u, or name another socket: "
                           "--admin-socket PATH",
                           (unsigned)geteuid());
        return result;
    }
    if (flock(admin->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? refuse_second(admin->path, error)
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
                             "move it away, or name another socket: --admin-socket PATH",
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

static tlm_result bind_socket(tlm_admin_socket *admin, tlm_error *error)
{
    struct sockaddr_un address = address_of(admin->path);
    tlm_listener *listener = &admin->listener;
    struct stat status;
    listener->file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->file < 0) {
        return tlm_error_set_errno(error, "look at ulimit -n", "making a unix socket");
    }
    mode_t before = umask(0117);
    int bound = bind(listener->file, (struct sockaddr *)&address, sizeof address);
    (void)umask(before);
    if (bound != 0 || listen(listener->file, BACKLOG) != 0) {
        return tlm_error_set_errno(error,
                                   "make its directory writable for this user, or name another "
                                   "socket: --admin-socket PATH",
                                   "listening at %s", admin->path);
    }
    if (lstat(admin->path, &status) != 0) {
        return tlm_error_set_errno(error, NULL, "looking at the new socket %s", admin->path);
    }
    admin->device = status.st_dev;
    admin->inode = status.st_ino;
    return TLM_OK;
}

tlm_result tlm_admin_socket_open(const char *path, tlm_admin_socket *admin, tlm_error *error)
{
    *admin = (tlm_admin_socket){.listener = {.file = -1, .bound = "the administrators' socket"},
                                .lock = -1};
    tlm_result result = check_path(path, error);
    if (result != TLM_OK) {
        return result;
    }
    memcpy(admin->path, path, strlen(path) + 1);
    result = make_directory(path, error);
    if (result == TLM_OK) {
        result = take_lock(admin, error);
    }
    if (result == TLM_OK) {
        result = clear_path(path, error);
    }
    if (result == TLM_OK) {
        result = bind_socket(admin, error);
    }
    return result;
}

void tlm_admin_socket_close(tlm_admin_socket *admin)
{
    struct stat status;
    if (admin->inode != 0 && lstat(admin->path, &status) == 0 && status.st_dev == admin->device &&
        status.st_ino == admin->inode) {
        (void)unlink(admin->path);
    }
    tlm_listener_close(&admin->listener);
    if (admin->lock >= 0) {
        (void)close(admin->lock);
    }
    *admin = (tlm_admin_socket){.listener = {.file = -1}, .lock = -1};
}
