/*
 * replay.c - runs a target over files, without libFuzzer: replay PATH...
 *
 * Each file, or each file of a folder, is one test and is placed so that it ends at an unmapped
 * page. A target that finds something aborts the program; the last TAP line then names the file
 * before the culprit, and a line on stderr the culprit.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
    unsigned done;
    unsigned failed;
};

static void report(struct replay *r, bool good, const char *path)
{
    r->done++;
    r->failed += !good;
    printf("%sok %u - %s\n", good ? "" : "not ", r->done, path);
    (void)fflush(stdout);
}

/* The file's bytes up against a page that must not be touched. */
static void run_file(struct replay *r, const char *path, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size / page + 1) * page;
    FILE *f = fopen(path, "rb");
    uint8_t *p =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (f == NULL || p == MAP_FAILED || mprotect(p + room, page, PROT_NONE) != 0 ||
        fread(p + room - size, 1, size, f) != size) {
        report(r, false, path);
        exit(1);
    }
    (void)fclose(f);
    (void)fprintf(stderr, "# %s\n", path);
    (void)LLVMFuzzerTestOneInput(p + room - size, size);
    (void)munmap(p, room + page);
    report(r, true, path);
}

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_path(struct replay *r, const char *path);

static void run_folder(struct replay *r, const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, no_dots, alphasort);

    for (int i = 0; i < count; i++) {
        char file[4096];

        (void)snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        run_path(r, file);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

/* A folder that is not there holds no files: most targets never had a regression. */
static void run_path(struct replay *r, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode))
        run_folder(r, path);
    else
        run_file(r, path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    struct replay r = {0};

    for (int i = 1; i < argc; i++)
        run_path(&r, argv[i]);
    printf("1..%u\n", r.done);
    return r.done == 0 || r.failed > 0;
}
