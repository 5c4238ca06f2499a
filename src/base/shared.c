/*
 * shared.c - a file in memory whose size is sealed: nobody can take the ground away under another.
 */
#include "base/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

int shared_new(size_t size, struct disk_file **out)
{
    int fd = memfd_create("postroad-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    struct disk_file *file = disk_file_of_fd(fd);
    int code = disk_truncate(file, size);
    if (code == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        code = -errno;
    if (code < 0)
        disk_close(file);
    else
        *out = file;
    return code;
}

int shared_map(struct disk_file *file, size_t size, void **out)
{
    int fd = disk_file_fd(file);
    uint64_t length;
    void *memory;

    if (fd < 0)
        return -EOPNOTSUPP;
    int code = disk_size(file, &length);
    if (code < 0 || length != size)
        return code < 0 ? code : -EMSGSIZE;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *out = memory;
    return 0;
}

void shared_unmap(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}
