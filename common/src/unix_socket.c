/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/unix_socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static tlm_result check_path(const char *path, const tlm_unix_socket_config *config,
                             tlm_error *error)
{
    size_t size = path != NULL ? strlen(path) : 0;
    if (size > 0 && path[0] == '/' && path[size - 1] != '/' && size <= TLM_UNIX_SOCKET_PATH_MAX) {
        return TLM_OK;
    }
    tlm_result result =
        tlm_error_set(error, TLM_ERR_SETTING, NULL, "'%.128s' cannot be the path of a unix socket",
                      path != NULL ? path : "(none)");
    tlm_error_set_hint(error, "name an absolute path of at most %u bytes, for example %s",
                       TLM_UNIX_SOCKET_PATH_MAX, config->example);
    return result;
}

/* A directory that is there keeps its mode: it may be meant to let only some users through. */
static tlm_result make_directory(const char *path, const char *option, tlm_error *error)
{
    char directory[TLM_UNIX_SOCKET_PATH_MAX + 1];
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
                           "socket: %s",
                           directory, (unsigned)geteuid(), option);
    }
    return result;
}

static tlm_result refuse_second(const char *path, const char *option, tlm_error *error)
{
    tlm_result result = tlm_error_set(error, TLM_ERR_BUSY, NULL,
                                      "another process serves the socket %s already", path);
    tlm_error_set_hint(error, "see which: ss -xlp src %s; or serve another one: %s", path, option);
    return result;
}

static tlm_result take_lock(tlm_unix_socket *opened, const char *option, tlm_error *error)
{
    char path[sizeof opened->path + sizeof ".lock"];
    (void)snprintf(path, sizeof path, "%s.lock", opened->path);
    opened->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (opened->lock < 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "opening the lock file %s", path);
        tlm_error_set_hint(error,
                           "make its directory writable for uid %u, or name another socket: %s",
                           (unsigned)geteuid(), option);
        return result;
    }
    if (flock(opened->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? refuse_second(opened->path, option, error)
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

static tlm_result clear_path(const char *path, const char *option, tlm_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? TLM_OK : tlm_error_set_errno(error, NULL, "looking at %s", path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        tlm_result result =
            tlm_error_set(error, TLM_ERR_EXISTS, NULL, "%s is there and is not a socket", path);
        tlm_error_set_hint(error, "move it away, or name another socket: %s", option);
        return result;
    }
    if (is_served(path)) {
        return refuse_second(path, option, error);
    }
    tlm_log(TLM_LOG_INFO, "stale_socket", "path=%s", path);
    if (unlink(path) != 0) {
        return tlm_error_set_errno(error, "remove it as its owner", "removing the socket %s", path);
    }
    return TLM_OK;
}

static tlm_result bind_socket(tlm_unix_socket *opened, const tlm_unix_socket_config *config,
                              tlm_error *error)
{
    struct sockaddr_un address = address_of(opened->path);
    struct stat status;
    opened->file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (opened->file < 0) {
        return tlm_error_set_errno(error, "look at ulimit -n", "making a unix socket");
    }
    /* A chmod afterwards would leave a moment with another mode. */
    mode_t before = umask(0777 & ~config->mode);
    int bound = bind(opened->file, (struct sockaddr *)&address, sizeof address);
    (void)umask(before);
    if (bound != 0 || listen(opened->file, config->backlog) != 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "listening at %s", opened->path);
        tlm_error_set_hint(error,
                           "make its directory writable for this user, or name another socket: %s",
                           config->option);
        return result;
    }
    if (lstat(opened->path, &status) != 0) {
        return tlm_error_set_errno(error, NULL, "looking at the new socket %s", opened->path);
    }
    opened->device = status.st_dev;
    opened->inode = status.st_ino;
    return TLM_OK;
}

tlm_result tlm_unix_socket_open(const char *path, const tlm_unix_socket_config *config,
                                tlm_unix_socket *opened, tlm_error *error)
{
    *opened = TLM_UNIX_SOCKET_CLOSED;
    tlm_result result = check_path(path, config, error);
    if (result != TLM_OK) {
        return result;
    }
    memcpy(opened->path, path, strlen(path) + 1);
    result = make_directory(path, config->option, error);
    if (result == TLM_OK) {
        result = take_lock(opened, config->option, error);
    }
    if (result == TLM_OK) {
        result = clear_path(path, config->option, error);
    }
    if (result == TLM_OK) {
        result = bind_socket(opened, config, error);
    }
    return result;
}

void tlm_unix_socket_close(tlm_unix_socket *closed)
{
    struct stat status;
    if (closed->inode != 0 && lstat(closed->path, &status) == 0 &&
        status.st_dev == closed->device && status.st_ino == closed->inode) {
        (void)unlink(closed->path);
    }
    if (closed->file >= 0) {
        (void)close(closed->file);
    }
    if (closed->lock >= 0) {
        (void)close(closed->lock);
    }
    *closed = TLM_UNIX_SOCKET_CLOSED;
}
