/*
 * postman.c - the only one who writes mailboxes.
 *
 * Deliveries are done in groups on a worker thread, one group at a time; what arrives meanwhile
 * forms the next group, so a burst shares its syncs and a lone mail waits for nobody. The
 * courier hears of a delivery only after the whole group is durable.
 */
#include "roles/role.h"

#include "base/fail.h"
#include "base/memory.h"
#include "box/maildir.h"
#include "mail/mailbox_path.h"
#include "roles/delivery.h"

#include <errno.h>
#include <string.h>

enum { GROUP_MAX = 256, WORKER_THREADS = 1 };

/* A root directory of the settings, opened once: also those of older ones stay. */
struct root {
    struct slice path;
    struct disk_dir *dir;
};

/* One MESSAGE_DELIVER, kept until the last of its deliveries is done. */
struct bundle {
    char *bytes;
    struct disk_file *file;
    unsigned left;
    unsigned courier; /* which of the couriers asked */
};

struct errand {
    struct list link;
    struct bundle *bundle;
    struct delivery delivery; /* slices point into the bundle */
    struct disk_dir *root;
};

struct postman {
    struct role role;
    struct channel courier;
    unsigned courier_number; /* counts them: a tag means nothing to the next one */
    struct root *roots;
    size_t root_count;
    struct arena arena;  /* their paths */
    struct list errands; /* waiting */
    struct worker_job job;
    bool working;
    /* the group: the worker's while `working` */
    struct disk_dir *group_root;
    struct errand *group[GROUP_MAX];
    struct maildir_delivery items[GROUP_MAX];
    size_t group_count;
};

static struct postman *postman_of(struct role *r)
{
    return LIST_ENTRY(r, struct postman, role);
}

/* ---- answers ---- */

static void answer(struct postman *p, const struct delivery_result *results, size_t count)
{
    struct buf body;

    if (count == 0 || !channel_is_open(&p->courier))
        return;
    buf_init(&body, CHANNEL_MESSAGE_MAX);
    put_u32(&body, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        delivery_result_write(&body, &results[i]);
    int code = channel_send(&p->courier, MESSAGE_DELIVERED, buf_slice(&body), NULL, -1);
    buf_done(&body);
    /* A courier that never hears would wait for ever; the next postman is asked again. */
    if (code < 0 && channel_is_open(&p->courier))
        role_end(&p->role, fail_code(code, "answer", SLICE("the courier")));
}

static void errand_free(struct errand *e)
{
    if (--e->bundle->left == 0) {
        disk_close(e->bundle->file);
        memory_free(e->bundle->bytes);
        memory_free(e->bundle);
    }
    memory_free(e);
}

/* ---- the group ---- */

static enum worker_next run_group(struct worker_job *job)
{
    struct postman *p = LIST_ENTRY(job, struct postman, job);

    maildir_deliver(p->group_root, p->items, p->group_count);
    return WORKER_IDLE;
}

static void group_finished(struct worker_job *job)
{
    struct postman *p = LIST_ENTRY(job, struct postman, job);
    struct delivery_result results[GROUP_MAX];
    size_t count = 0;

    for (size_t i = 0; i < p->group_count; i++) {
        struct errand *e = p->group[i];

        if (e->bundle->courier == p->courier_number)
            results[count++] = (struct delivery_result){e->delivery.tag, p->items[i].result};
        errand_free(e);
    }
    answer(p, results, count);
    p->group_count = 0;
    p->working = false;
}

static void add_to_group(struct postman *p, struct errand *e)
{
    const struct delivery *d = &e->delivery;

    list_remove(&e->link);
    p->group[p->group_count] = e;
    p->items[p->group_count++] = (struct maildir_delivery){.path = d->path,
                                                           .name = d->name,
                                                           .prefix = d->prefix,
                                                           .file = e->bundle->file,
                                                           .offset = d->offset,
                                                           .length = d->length,
                                                           .repeat = d->repeat};
}

/* A group has one root, so that one sync covers it; the others keep their order. */
static void start_group(struct postman *p)
{
    if (p->working || list_empty(&p->errands))
        return;
    p->group_root = LIST_ENTRY(p->errands.next, struct errand, link)->root;
    LIST_EACH (node, &p->errands) {
        struct errand *e = LIST_ENTRY(node, struct errand, link);

        if (p->group_count == GROUP_MAX)
            break;
        if (e->root == p->group_root)
            add_to_group(p, e);
    }
    p->working = true;
    worker_submit(p->role.worker, &p->job);
}

/* ---- the courier ---- */

static struct disk_dir *find_root(struct postman *p, struct slice path)
{
    for (size_t i = 0; i < p->root_count; i++)
        if (slice_equal(p->roots[i].path, path))
            return p->roots[i].dir;
    return NULL;
}

static void take_errand(struct postman *p, struct bundle *bundle, const struct delivery *d)
{
    struct disk_dir *root = find_root(p, d->root);

    if (root == NULL) { /* not a mailbox root of our settings */
        answer(p, &(struct delivery_result){d->tag, -ENOENT}, 1);
        return;
    }
    struct errand *e = MEMORY_NEW(struct errand);
    e->bundle = bundle;
    e->delivery = *d;
    e->root = root;
    bundle->left++;
    list_append(&p->errands, &e->link);
}

static void courier_message(struct channel *channel, enum message_kind kind, struct slice body,
                            struct disk_file *file, int handle)
{
    struct postman *p = LIST_ENTRY(channel, struct postman, courier);
    struct bundle *bundle = MEMORY_NEW(struct bundle);
    struct delivery d;
    uint32_t count;

    (void)kind, (void)handle; /* the matrix allows DELIVER only */
    bundle->file = file;
    bundle->bytes = memory_new(body.len);
    memcpy(bundle->bytes, body.data, body.len);
    bundle->left = 1;
    bundle->courier = p->courier_number;
    struct cursor in = {
        {bundle->bytes, body.len}
    };
    if (file != NULL && get_u32(&in, &count))
        while (delivery_read(&in, &d))
            take_errand(p, bundle, &d);
    if (!cursor_at_end(&in))
        role_warn(&p->role, SLICE("local"), SLICE("the courier sent a delivery that is none"));
    if (--bundle->left == 0) {
        disk_close(bundle->file);
        memory_free(bundle->bytes);
        memory_free(bundle);
    }
}

/* The next courier asks again for whatever has no outcome, and looks for what is there. */
static void courier_closed(struct channel *channel)
{
    struct postman *p = LIST_ENTRY(channel, struct postman, courier);

    role_parted(&p->role, channel);
    LIST_EACH (node, &p->errands) {
        list_remove(node);
        errand_free(LIST_ENTRY(node, struct errand, link));
    }
}

static void postman_peer(struct role *role, enum role_kind kind, unsigned index, int handle)
{
    struct postman *p = postman_of(role);

    (void)index;
    if (kind != ROLE_COURIER) {
        role->doors->net->ops->close(role->doors->net, handle);
        return;
    }
    channel_close(&p->courier);
    courier_closed(&p->courier);
    p->courier_number++;
    role_meet(role, &p->courier, handle, ROLE_COURIER, courier_message, courier_closed);
}

/* ---- the role ---- */

static void add_root(struct postman *p, const struct root *root)
{
    struct root *roots = memory_new((p->root_count + 1) * sizeof(*roots));

    if (p->root_count > 0)
        memcpy(roots, p->roots, p->root_count * sizeof(*roots));
    roots[p->root_count++] = *root;
    memory_free(p->roots);
    p->roots = roots;
}

static int open_root(struct postman *p, struct slice template)
{
    struct root root = {0};
    struct slice rest;

    if (!mailbox_template_split(template, &root.path, &rest) || find_root(p, root.path) != NULL)
        return 0;
    int code = role_folder(&p->role, root.path, &root.dir);
    if (code < 0)
        return fail_code(code, "open the mailbox root", root.path);
    root.path = arena_copy(&p->arena, root.path);
    add_root(p, &root);
    return 0;
}

static int postman_start(struct role *role)
{
    struct postman *p = postman_of(role);
    const struct rules *rules = &role->settings->rules;

    for (size_t i = 0; i < rules->count; i++) {
        int code = 0;

        if (rules->rules[i].action == ACTION_MAILDIR)
            code = open_root(p, rules->rules[i].path);
        if (code < 0)
            return code;
    }
    return 0;
}

static int postman_reload(struct role *role, const struct settings *old)
{
    (void)old;
    return postman_start(role);
}

static void postman_before_sleep(struct role *role)
{
    struct postman *p = postman_of(role);

    start_group(p);
    if (role->draining && !p->working)
        role_end(role, 0);
}

static void postman_drain(struct role *role)
{
    (void)role; /* the courier ended first: what it asked for is done or will be asked again */
}

static void postman_done(struct role *role)
{
    struct postman *p = postman_of(role);

    if (role->worker != NULL)
        worker_forget(role->worker, &p->job);
    for (size_t i = 0; i < p->group_count; i++)
        errand_free(p->group[i]);
    channel_close(&p->courier);
    courier_closed(&p->courier);
    for (size_t i = 0; i < p->root_count; i++)
        disk_dir_close(p->roots[i].dir);
    memory_free(p->roots);
    arena_done(&p->arena);
}

struct role *postman_new(const struct role_doors *doors, int warden_handle)
{
    static const struct role_calls calls = {.start = postman_start,
                                            .reload = postman_reload,
                                            .peer = postman_peer,
                                            .drain = postman_drain,
                                            .before_sleep = postman_before_sleep,
                                            .done = postman_done};
    struct postman *p = MEMORY_NEW(struct postman);

    list_init(&p->errands);
    p->courier.watch.handle = -1;
    worker_job_init(&p->job, run_group, group_finished);
    role_init(&p->role, ROLE_POSTMAN, 0, doors, &calls, WORKER_THREADS, warden_handle);
    return &p->role;
}
