/* What is left goes to a receiver and away by its answer; whatever goes wrong, it is not said twice
 * without need, and never forgotten. */
#include "roles/drops.h"

#include "check.h"
#include "fakes/disk.h"
#include "fakes/net.h"
#include "roles/pickup_order.h"

#include <errno.h>
#include <stdio.h>

static const char text[] = "hostname mx.a.example\n"
                           "listen mx 127.0.0.1:2525\n"
                           "listen local unix:/run/local { drop /drop }\n"
                           "queue /spool\n"
                           "accept to domain mx.a.example deliver maildir /mail/{user}\n";

struct keeper {
    struct drops drops;
    struct fake_clock clock;
    struct fake_disk *disk;
    struct disk_dir *folder;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct settings *settings;
    struct channel channel, receiver; /* its two ends */
    bool serves;
    char told[256];
    unsigned handed; /* so many files came to the receiver */
    char name[DROP_NAME_MAX];
    uint32_t reason; /* why it waits, as it was told */
};

static const struct settings *settings_now(struct drops *d)
{
    return LIST_ENTRY(d, struct keeper, drops)->settings;
}

static struct channel *receiver_now(struct drops *d)
{
    struct keeper *k = LIST_ENTRY(d, struct keeper, drops);

    return k->serves ? &k->channel : NULL;
}

static void tell(struct drops *d, struct slice line)
{
    struct keeper *k = LIST_ENTRY(d, struct keeper, drops);

    (void)snprintf(k->told, sizeof(k->told), "%.*s", SLICE_PRINTF(line));
}

static void on_order(struct channel *c, enum message_kind kind, struct slice body,
                     struct disk_file *file, int handle)
{
    struct keeper *k = LIST_ENTRY(c, struct keeper, receiver);
    struct pickup_order order;
    char bytes[16] = "";

    (void)handle;
    check_int(kind, MESSAGE_DROP);
    check(pickup_order_read(body, &order));
    check_int(order.listener, 1);
    check_int(disk_read(file, bytes, sizeof(bytes), 0), 9);
    check_slice(slice_of(bytes), SLICE("some mail"));
    disk_close(file);
    k->handed++;
    k->reason = order.told;
    (void)snprintf(k->name, sizeof(k->name), "%.*s", SLICE_PRINTF(order.name));
}

static void on_answer(struct channel *c, enum message_kind kind, struct slice body,
                      struct disk_file *file, int handle)
{
    struct keeper *k = LIST_ENTRY(c, struct keeper, channel);

    (void)kind, (void)file, (void)handle;
    drops_answered(&k->drops, c, body);
}

static void on_closed(struct channel *c)
{
    (void)c;
}

static void begin(struct keeper *k)
{
    static const struct drops_keeper keeper = {settings_now, receiver_now, tell};
    struct settings_errors errors;
    struct buf bundle;
    int ends[2];

    *k = (struct keeper){.serves = true};
    fake_clock_init(&k->clock);
    k->disk = fake_disk_new(&k->clock.clock);
    check_int(disk_dir_make_path(fake_disk(k->disk), SLICE("/drop"), DROP_MODE, &k->folder), 0);
    k->network = fake_network_new(
        &k->clock, &(struct fake_network_options){.seed = 1, .file_dup = fake_disk_dup});
    k->net = fake_net_new(k->network, &(struct net_address){.local = true});
    k->loop = loop_new(k->net, &k->clock.clock);
    buf_init(&bundle, 4096);
    check(bundle_add(&bundle, SLICE("test.conf"), 0, (struct slice){text, sizeof(text) - 1}));
    k->settings = settings_parse(buf_slice(&bundle), NULL, &errors);
    check(k->settings != NULL);
    settings_errors_done(&errors);
    buf_done(&bundle);
    check_int(k->net->ops->pair(k->net, ends), 0);
    check_int(channel_open(&k->channel, k->loop, ends[0], ROLE_WARDEN, ROLE_RECEIVER, on_answer,
                           on_closed),
              0);
    check_int(channel_open(&k->receiver, k->loop, ends[1], ROLE_RECEIVER, ROLE_WARDEN, on_order,
                           on_closed),
              0);
    drops_init(&k->drops, k->loop, &k->clock.clock, fake_disk(k->disk), &keeper);
}

static void done(struct keeper *k)
{
    drops_done(&k->drops);
    channel_close(&k->channel);
    channel_close(&k->receiver);
    loop_free(k->loop);
    k->net->ops->free(k->net);
    check_int(fake_network_open(k->network), 0);
    fake_network_free(k->network);
    disk_dir_close(k->folder);
    check_int(fake_disk_open(k->disk), 0);
    fake_disk_free(k->disk);
    settings_free(k->settings);
}

static void leave(struct keeper *k, unsigned char number)
{
    const unsigned char unique[16] = {number};

    check_int(drop_put(k->folder, SLICE("some mail"), unique), 0);
}

/* Whatever happens within so long. */
static void pass(struct keeper *k, unsigned seconds)
{
    uint64_t until_us = k->clock.now_us + seconds * UINT64_C(1000000), at_ms;

    for (;;) {
        while (fake_net_is_ready(k->net) ||
               (loop_next_ms(k->loop, &at_ms) && at_ms <= k->clock.now_us / 1000))
            check(loop_round(k->loop, false) >= 0);
        if (!loop_next_ms(k->loop, &at_ms) || at_ms * 1000 > until_us)
            break;
        fake_clock_advance(&k->clock, at_ms * 1000 - k->clock.now_us);
    }
    fake_clock_advance(&k->clock, until_us - k->clock.now_us);
}

static void look(struct keeper *k)
{
    fake_clock_advance(&k->clock, 1000 * 1000);
    drops_look(&k->drops);
    pass(k, 1);
}

static void answer_why(struct keeper *k, enum pickup_verdict verdict, uint32_t reason)
{
    struct pickup_answer a = {verdict, reason, slice_of(k->name)};
    struct buf body;

    buf_init(&body, 1 + 4 + DROP_NAME_MAX);
    check(pickup_answer_write(&body, &a));
    check_int(channel_send(&k->receiver, MESSAGE_DROPPED, buf_slice(&body), NULL, -1), 0);
    buf_done(&body);
    pass(k, 0);
}

static void answer(struct keeper *k, enum pickup_verdict verdict)
{
    answer_why(k, verdict, 0);
}

static bool count_name(void *ctx, struct slice name)
{
    (void)name;
    ++*(int *)ctx;
    return true;
}

static int names_in(struct keeper *k)
{
    int count = 0;

    check_int(disk_dir_list(k->folder, count_name, &count), 0);
    return count;
}

static int new_in(struct keeper *k)
{
    char names[8][DROP_NAME_MAX];
    uint64_t position = 0;

    return drop_list(k->folder, &position, names, 8);
}

static void test_answers(void **state)
{
    static const struct {
        enum pickup_verdict verdict;
        int listed, there;    /* after it */
        unsigned soon, later; /* handed out once more within 10 s, and within 70 */
    } rows[] = {
        {PICKUP_TAKEN, 0, 0, 0, 0},
        {PICKUP_BAD,   0, 1, 0, 0},
        {PICKUP_LATER, 1, 1, 0, 1},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct keeper k;

        begin(&k);
        leave(&k, 1);
        look(&k);
        check_int(k.handed, 1);
        pass(&k, 600); /* it takes its time: nobody else gets it */
        check_int(k.handed, 1);
        check_int(new_in(&k), 1);
        answer(&k, rows[i].verdict);
        check_int(new_in(&k), rows[i].listed);
        check_int(names_in(&k), rows[i].there);
        pass(&k, 10);
        check_int(k.handed, 1 + rows[i].soon);
        pass(&k, 60);
        check_int(k.handed, 1 + rows[i].later);
        done(&k);
    }
}

/* The receiver ends with it, or none serves. */
static void test_lost(void **state)
{
    struct keeper k;

    (void)state;
    begin(&k);
    leave(&k, 1);
    k.serves = false;
    look(&k);
    check_int(k.handed, 0);
    k.serves = true;
    look(&k);
    check_int(k.handed, 1);
    drops_lost(&k.drops, &k.channel);
    pass(&k, 10);
    check_int(k.handed, 2);
    answer(&k, PICKUP_TAKEN);
    check_int(names_in(&k), 0);
    done(&k);
}

/* More than go at a time all go, and what was taken away stays so when the power goes. */
static void test_many(void **state)
{
    struct keeper k;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        begin(&k);
        for (unsigned char i = 0; i < 2 * DROPS_AT_ONCE; i++)
            leave(&k, i);
        look(&k);
        check_int(k.handed, DROPS_AT_ONCE);
        for (unsigned i = 0; i < 3 * DROPS_AT_ONCE; i++) {
            const struct handed_drop *h = &k.drops.handed[i % DROPS_AT_ONCE];

            (void)snprintf(k.name, sizeof(k.name), "%s", h->name);
            if (h->to != NULL)
                answer(&k, PICKUP_TAKEN);
        }
        check_int(k.handed, 2 * DROPS_AT_ONCE);
        fake_disk_crash(k.disk, seed);
        disk_dir_close(k.folder);
        check_int(disk_dir_open(fake_disk(k.disk), "/drop", &k.folder), 0);
        check_int(names_in(&k), 0);
        done(&k);
    }
}

/* A name that cannot be taken away is not said in each round: its sender would hear each time. */
static void test_stuck(void **state)
{
    struct keeper k;

    (void)state;
    begin(&k);
    leave(&k, 1);
    look(&k);
    fake_disk_fail_at(k.disk, fake_disk_calls(k.disk) + 1, -EROFS);
    answer(&k, PICKUP_TAKEN);
    check_int(new_in(&k), 1);
    pass(&k, 30);
    check_int(k.handed, 1);
    pass(&k, 60);
    check_int(new_in(&k), 0);
    leave(&k, 2);
    pass(&k, 10);
    check_int(k.handed, 2);
    done(&k);
}

/* Somebody made something of the name that it is to get: others go all the same. */
static void test_cannot_be_set_aside(void **state)
{
    struct keeper k;

    (void)state;
    begin(&k);
    leave(&k, 1);
    look(&k);
    fake_disk_fail_at(k.disk, fake_disk_calls(k.disk) + 1, -EISDIR);
    answer(&k, PICKUP_BAD);
    check_int(new_in(&k), 1);
    pass(&k, 30);
    check_int(k.handed, 1);
    leave(&k, 2);
    pass(&k, 3);
    check_int(k.handed, 2);
    answer(&k, PICKUP_TAKEN);
    pass(&k, 60);
    check_int(k.handed, 3);
    done(&k);
}

/* Who leaves something while another file waits does not wait for it, whatever the clock does. */
static void test_others_go_meanwhile(void **state)
{
    static const struct {
        const char *label;
        int64_t clock_us; /* it is set by so much */
        unsigned soon;    /* handed out within 3 s */
    } rows[] = {
        {"a clock that goes on", 0,                 1},
        {"that is set forward",  3600 * 1000000LL,  1},
        {"that is set back",     -3600 * 1000000LL, 0},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct keeper k;

        begin(&k);
        leave(&k, 1);
        look(&k);
        answer(&k, PICKUP_LATER);
        pass(&k, 4);
        check_int(k.handed, 1);
        k.clock.wall_now_us += (uint64_t)rows[i].clock_us;
        leave(&k, 2);
        pass(&k, 3);
        check_int(k.handed, 1 + rows[i].soon);
        if (rows[i].soon > 0)
            answer(&k, PICKUP_TAKEN);
        pass(&k, 40);
        check_int(k.handed, 1 + rows[i].soon); /* the first waits its minute */
        pass(&k, 20);
        check_int(k.handed, 3);
        done(&k);
    }
}

/* Its owner brings it to mind, or mends it. */
static void test_what_changes_is_tried_at_once(void **state)
{
    struct disk_file *file;
    struct keeper k;

    (void)state;
    begin(&k);
    leave(&k, 1);
    look(&k);
    answer(&k, PICKUP_LATER);
    pass(&k, 10);
    check_int(k.handed, 1);
    check_int(disk_open(k.folder, k.name, DISK_WRITE, 0, &file), 0);
    check_int(disk_write(file, SLICE("some"), 0), 0);
    disk_close(file);
    pass(&k, 3);
    check_int(k.handed, 2);
    done(&k);
}

/* The receiver hears what was told, and tells what is new: for an hour. */
static void test_each_reason_is_told_once(void **state)
{
    static const uint32_t reasons[] = {5, 5, 7, 5, 0, 5};
    uint32_t told = 0;
    struct keeper k;

    (void)state;
    begin(&k);
    leave(&k, 1);
    look(&k);
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
        check_int(k.handed, 1 + i);
        check_int(k.reason, told);
        answer_why(&k, PICKUP_LATER, reasons[i]);
        told = reasons[i] != 0 ? reasons[i] : told;
        pass(&k, 62);
    }
    for (unsigned minutes = 7; minutes < 70; minutes++) {
        told = k.reason;
        if (told == 0)
            break;
        check_int(told, 5);
        answer_why(&k, PICKUP_LATER, 5);
        pass(&k, 62);
    }
    check_int(told, 0);
    check(k.handed > 58 && k.handed < 65);
    answer(&k, PICKUP_TAKEN);
    leave(&k, 2);
    pass(&k, 5);
    check_int(k.reason, 0);
    answer(&k, PICKUP_TAKEN);
    done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_cannot_be_set_aside),
        cmocka_unit_test(test_others_go_meanwhile),
        cmocka_unit_test(test_what_changes_is_tried_at_once),
        cmocka_unit_test(test_each_reason_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
