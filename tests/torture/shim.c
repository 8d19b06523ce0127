/* Stands between a process and libc (LD_PRELOAD): counts what changes files below one folder, and at a given
 * call kills the process, tears the write or fails; writes down every change in order, for power cuts.
 *
 * Nothing happens before torture_arm. The real work is done by system calls, so that nothing is looked up.
 * What C's own streams write (fopen) is not seen; neither SQLite nor Python write by them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, SIZE = 4, NAME = 8, READ = 16, GONE = 32 };
enum { NOTHING, KILL_BEFORE, KILL_TORN, KILL_AFTER, FAIL_ONCE, FAIL_ON };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static int log_file = -1, action, error;
static unsigned mask;
static long at, count;
static ino_t opened[4096]; /* by descriptor; one that was closed and given anew has another inode */

struct record { long kind, inode, offset, length, first, second; };

void torture_arm(const char *below, int log, unsigned kinds, long call, int what, int code)
{
    snprintf(folder, sizeof folder, "%s/", below);
    folder_length = strlen(folder);
    log_file = log, mask = kinds, at = call, action = what, error = code, count = 0;
}

long torture_count(void) { return count; }
static void note(char kind, ino_t inode, long offset, const void *data, long length, const char *one, const char *two)
{
    if (log_file < 0)
        return;
    int kept = errno;
    struct record head = { kind, (long)inode, offset, length, one ? strlen(one) : 0, two ? strlen(two) : 0 };
    struct iovec parts[] = { { &head, sizeof head }, { (void *)one, head.first }, { (void *)two, head.second },
                             { (void *)data, data ? length : 0 } };
    syscall(SYS_writev, log_file, parts, 4);
    errno = kept;
}
void torture_note(const char *line, long length)
{
    pthread_mutex_lock(&lock);
    note('n', 0, 0, line, length, NULL, NULL);
    pthread_mutex_unlock(&lock);
}
static void die(void) { kill(getpid(), SIGKILL); pause(); }

/* What to do about the next call of a kind: 0, KILL_TORN, KILL_AFTER or FAIL_*. */
static int fate(unsigned kind)
{
    if (!(mask & kind))
        return 0;
    count++;
    if (count == at && action == KILL_BEFORE)
        die();
    return count == at || (count > at && at && action == FAIL_ON) ? action : 0;
}

static const char *full(int at_folder, const char *path, char *room)
{
    char link[64] = "/proc/self/cwd";
    ssize_t length = 0;
    if (path[0] == '/')
        return path;
    if (at_folder != AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/fd/%d", at_folder);
    if ((length = syscall(SYS_readlinkat, AT_FDCWD, link, room, PATH_MAX - 1)) < 0)
        return path;
    snprintf(room + length, PATH_MAX - length, "/%s", path);
    return room;
}

#define WHOLE(NAME, AT, PATH) char NAME##_room[PATH_MAX]; const char *NAME = full(AT, PATH, NAME##_room)

static int is_below(const char *path)
{
    size_t length = strlen(path);
    if (!folder_length || strncmp(path, folder, folder_length) != 0)
        return 0;
    return length < 4 || strcmp(path + length - 4, "-shm") != 0; /* memory that is shared, no file that lasts */
}

static ino_t inode_of(int file)
{ struct stat facts; return fstat(file, &facts) == 0 ? facts.st_ino : 0; }

static int is_watched(int file)
{ return folder_length && file >= 0 && file < 4096 && opened[file] && opened[file] == inode_of(file); }

#define END(RESULT) if (hit == KILL_TORN || hit == KILL_AFTER) die(); pthread_mutex_unlock(&lock); return RESULT
/* Does CALL, or what fate has for it; DONE notes it where it worked. */
#define GUARD(KIND, WATCHED, CALL, DONE) \
    int hit = 0; long result = -1; \
    if (!(WATCHED)) \
        return CALL; \
    pthread_mutex_lock(&lock); \
    hit = fate(KIND); \
    if (hit >= FAIL_ONCE) \
        errno = error; \
    else if ((result = CALL) >= 0) \
        DONE; \
    END(result)

static int open_file(int where, const char *path, int flags, mode_t mode)
{
    char room[PATH_MAX];
    struct stat facts;
    const char *whole = folder_length ? full(where, path, room) : path;
    if (!folder_length || !is_below(whole))
        return syscall(SYS_openat, where, path, flags, mode);
    int is_new = (flags & O_CREAT) && stat(whole, &facts) != 0;
    pthread_mutex_lock(&lock);
    int hit = is_new || (flags & O_TRUNC) ? fate(NAME) : 0, file = -1;
    if (hit >= FAIL_ONCE)
        errno = error;
    else if ((file = syscall(SYS_openat, where, path, flags, mode)) >= 0 && file < 4096) {
        opened[file] = inode_of(file);
        if (is_new)
            note('c', opened[file], 0, NULL, 0, whole, NULL);
        else if (flags & O_TRUNC)
            note('t', opened[file], 0, NULL, 0, NULL, NULL);
    }
    END(file);
}

#define SAME(NAME, DECLARATION) DECLARATION __attribute__((alias(#NAME)))
#define MODE(LAST) mode_t mode = 0; if (flags & O_CREAT) { \
    va_list rest; va_start(rest, LAST); mode = va_arg(rest, int); va_end(rest); }
int open(const char *path, int flags, ...) { MODE(flags) return open_file(AT_FDCWD, path, flags, mode); }
SAME(open, int open64(const char *path, int flags, ...));
int openat(int where, const char *path, int flags, ...) { MODE(flags) return open_file(where, path, flags, mode); }
SAME(openat, int openat64(int where, const char *path, int flags, ...));

ssize_t pwrite64(int file, const void *data, size_t length, off_t offset)
{
    GUARD(WRITE, is_watched(file), syscall(SYS_pwrite64, file, data, hit == KILL_TORN ? length / 2 : length, offset),
          note('w', opened[file], offset, data, result, NULL, NULL));
}
ssize_t write(int file, const void *data, size_t length)
{
    int is_append = folder_length && (fcntl(file, F_GETFL) & O_APPEND);
    long offset = folder_length ? lseek(file, 0, is_append ? SEEK_END : SEEK_CUR) : 0;
    GUARD(WRITE, is_watched(file), syscall(SYS_write, file, data, hit == KILL_TORN ? length / 2 : length),
          note('w', opened[file], offset, data, result, NULL, NULL));
}
ssize_t pread64(int file, void *data, size_t length, off_t offset)
{ GUARD(READ, is_watched(file), syscall(SYS_pread64, file, data, length, offset), (void)0); }
ssize_t read(int file, void *data, size_t length)
{ GUARD(READ, is_watched(file), syscall(SYS_read, file, data, length), (void)0); }
int ftruncate64(int file, off_t length)
{ GUARD(SIZE, is_watched(file), syscall(SYS_ftruncate, file, length), note('t', opened[file], length, NULL, 0, NULL, NULL)); }
SAME(pwrite64, ssize_t pwrite(int file, const void *data, size_t length, off_t offset));
SAME(pread64, ssize_t pread(int file, void *data, size_t length, off_t offset));
SAME(ftruncate64, int ftruncate(int file, off_t length));

#define SYNCED(CALL) GUARD(SYNC, is_folder(file, path) || is_watched(file), syscall(CALL, file), \
                           note('s', inode_of(file), 0, NULL, 0, path, NULL))
static int is_folder(int file, char *path) /* the path where a folder is synced; empty for a file */
{
    char link[64];
    struct stat facts;
    if (!folder_length || fstat(file, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 2);
    path[length > 0 ? length : 0] = 0;
    return is_below(path) || (strlen(path) == folder_length - 1 && strncmp(path, folder, folder_length - 1) == 0);
}
int fsync(int file) { char path[PATH_MAX] = ""; SYNCED(SYS_fsync); }
int fdatasync(int file) { char path[PATH_MAX] = ""; SYNCED(SYS_fdatasync); }
int renameat(int a, const char *from, int b, const char *to)
{ WHOLE(old, a, from); WHOLE(new, b, to);
  GUARD(NAME, is_below(old) || is_below(new), syscall(SYS_renameat2, a, from, b, to, 0), note('r', 0, 0, NULL, 0, old, new)); }
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }
int linkat(int a, const char *from, int b, const char *to, int flags)
{ WHOLE(old, a, from); WHOLE(new, b, to);
  GUARD(NAME, is_below(new), syscall(SYS_linkat, a, from, b, to, flags), note('l', 0, 0, NULL, 0, old, new)); }
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int unlinkat(int where, const char *path, int flags)
{ WHOLE(whole, where, path);
  GUARD(GONE, is_below(whole), syscall(SYS_unlinkat, where, path, flags), note('u', 0, 0, NULL, 0, whole, NULL)); }
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int where, const char *path, mode_t mode)
{ WHOLE(whole, where, path);
  GUARD(NAME, is_below(whole), syscall(SYS_mkdirat, where, path, mode), note('m', 0, 0, NULL, 0, whole, NULL)); }
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
