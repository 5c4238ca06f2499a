/*
 * channel_test.c - two ends of a channel on one loop, over the real net.
 */
#include "ipc/channel.h"

#include "base/cursor.h"
#include "base/fail.h"
#include "base/memory.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

struct end {
    struct channel channel;
    size_t messages;
    size_t bytes;
    uint32_t next; /* numbers expected in order */
    bool disordered;
    enum message_kind last;
    int handle;
    char file_text[16];
    bool closed;
    bool closes_itself;
};

struct setup {
    struct net *net;
    struct loop *loop;
    int raw[2];
};

static void on_message(struct channel *c, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle)
{
    struct end *e = LIST_ENTRY(c, struct end, channel);
    struct cursor cursor = {body};
    uint32_t number;

    e->messages++;
    e->bytes += body.len;
    e->last = kind;
    if (get_u32(&cursor, &number))
        e->disordered |= number != e->next++;
    if (handle >= 0)
        e->handle = handle;
    if (file != NULL) {
        int64_t got = disk_read(file, e->file_text, sizeof(e->file_text) - 1, 0);
        e->file_text[got > 0 ? got : 0] = '\0';
        disk_close(file);
    }
    if (e->closes_itself)
        channel_close(c);
}

static void on_closed(struct channel *c)
{
    struct end *e = LIST_ENTRY(c, struct end, channel);

    e->closed = true;
    assert_false(channel_is_open(c));
}

static void ignore_failure(void *ctx, int code, const char *operation, struct slice name)
{
    (void)code;
    (void)operation;
    (void)name;
    ++*(unsigned *)ctx;
}

static void setup_init(struct setup *s)
{
    s->net = net_real_new();
    assert_non_null(s->net);
    s->loop = loop_new(s->net, clock_real());
    assert_int_equal(s->net->ops->pair(s->net, s->raw), 0);
}

static void setup_done(struct setup *s)
{
    loop_free(s->loop);
    s->net->ops->free(s->net);
}

static void end_open(struct end *e, struct setup *s, int handle, enum role_kind self,
                     enum role_kind peer)
{
    *e = (struct end){.handle = -1};
    assert_int_equal(channel_open(&e->channel, s->loop, handle, self, peer, on_message, on_closed),
                     0);
}

static void rounds(struct setup *s, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(loop_round(s->loop, false), 0);
}

static int send_number(struct channel *c, uint32_t number, size_t len)
{
    struct buf body;

    buf_init(&body, CHANNEL_BODY_MAX);
    assert_true(put_u32(&body, number));
    memset(buf_reserve(&body, len - 4), 'x', len - 4);
    buf_commit(&body, len - 4);
    int code = channel_send(c, MESSAGE_EVENTS, buf_slice(&body), NULL, -1);
    buf_done(&body);
    return code;
}

/* More than the kernel takes: what waits is bounded, nothing is lost or reordered. */
static void test_backlog(void **state)
{
    static const size_t lens[] = {4, 1000, CHANNEL_BODY_MAX};
    struct setup s;
    struct end courier, scribe;

    (void)state;
    CHECK_ROWS (i, lens) {
        uint32_t sent = 0;
        int code;
        setup_init(&s);
        end_open(&courier, &s, s.raw[0], ROLE_COURIER, ROLE_SCRIBE);
        end_open(&scribe, &s, s.raw[1], ROLE_SCRIBE, ROLE_COURIER);
        while ((code = send_number(&courier.channel, sent, lens[i])) == 0)
            sent++;
        check_int(code, -EAGAIN);
        check(courier.channel.queued_bytes <= CHANNEL_QUEUE_MAX);
        check(courier.channel.queued_bytes > CHANNEL_QUEUE_MAX / 2);
        for (int round = 0; round < 100000 && scribe.messages < sent; round++)
            rounds(&s, 1);
        check_int(scribe.messages, sent);
        check_int(scribe.bytes, sent * lens[i]);
        check(!scribe.disordered);
        check_int(courier.channel.queued_bytes, 0);
        check_int(send_number(&courier.channel, sent, lens[i]), 0);
        channel_close(&courier.channel);
        rounds(&s, 2);
        check_int(scribe.messages, sent + 1);
        check(scribe.closed);
        setup_done(&s);
    }
}

static void test_too_long(void **state)
{
    static const char bytes[CHANNEL_BODY_MAX + 1];
    struct setup s;
    struct end a, b;

    (void)state;
    setup_init(&s);
    end_open(&a, &s, s.raw[0], ROLE_COURIER, ROLE_SCRIBE);
    end_open(&b, &s, s.raw[1], ROLE_SCRIBE, ROLE_COURIER);
    assert_int_equal(
        channel_send(&a.channel, MESSAGE_EVENTS, (struct slice){bytes, sizeof(bytes)}, NULL, -1),
        -EMSGSIZE);
    channel_close(&b.channel);
    assert_int_equal(channel_send(&a.channel, MESSAGE_EVENTS, SLICE("x"), NULL, -1), -ENOTCONN);
    assert_false(a.closed);
    rounds(&s, 1);
    assert_true(a.closed);
    assert_int_equal(channel_send(&a.channel, MESSAGE_EVENTS, SLICE("x"), NULL, -1), -ENOTCONN);
    setup_done(&s);
}

/* A peer that has not come yet is one that is away. */
static void test_never_opened(void **state)
{
    struct channel c = {.watch = {.handle = -1}};

    (void)state;
    assert_int_equal(channel_send(&c, MESSAGE_DURABLE, SLICE("x"), NULL, -1), -ENOTCONN);
    channel_close(&c);
}

/* The last word of a peer that left our messages unread is heard. */
static void test_last_word(void **state)
{
    struct setup s;
    struct end courier;

    (void)state;
    setup_init(&s);
    end_open(&courier, &s, s.raw[0], ROLE_COURIER, ROLE_RECEIVER);
    assert_int_equal(s.net->ops->send(s.net, s.raw[0], SLICE("unread"), NULL, -1), 6);
    assert_int_equal(s.net->ops->send(s.net, s.raw[1], SLICE("\x07\0word"), NULL, -1), 6);
    assert_int_equal(s.net->ops->send(s.net, s.raw[1], SLICE("\x08\0last"), NULL, -1), 6);
    s.net->ops->close(s.net, s.raw[1]);
    rounds(&s, 2);
    assert_int_equal(courier.messages, 2);
    assert_int_equal(courier.last, MESSAGE_LAST_GOOD);
    assert_true(courier.closed);
    setup_done(&s);
}

static int memfd(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
    return fd;
}

/* A file and a handle arrive, at once and after waiting, and the sender may close its own. */
static void test_cargo(void **state)
{
    struct setup s;
    struct end warden, receiver;

    (void)state;
    for (int wait = 0; wait < 2; wait++) {
        uint32_t filler = 0;
        int pair[2];
        char byte;
        setup_init(&s);
        end_open(&warden, &s, s.raw[0], ROLE_WARDEN, ROLE_RECEIVER);
        end_open(&receiver, &s, s.raw[1], ROLE_RECEIVER, ROLE_WARDEN);
        while (wait && list_empty(&warden.channel.queue)) {
            static const char zeros[1000];
            struct slice body = {zeros, sizeof(zeros)};
            assert_int_equal(channel_send(&warden.channel, MESSAGE_START, body, NULL, -1), 0);
            filler++;
        }
        struct disk_file *file = disk_file_of_fd(memfd("settings"));
        assert_int_equal(channel_send(&warden.channel, MESSAGE_SETTINGS, SLICE("1234"), file, -1),
                         0);
        disk_close(file);
        int fd = memfd("other");
        assert_int_equal(channel_send(&warden.channel, MESSAGE_SETTINGS, SLICE("1"), NULL, fd), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(s.net->ops->pair(s.net, pair), 0);
        assert_int_equal(channel_send(&warden.channel, MESSAGE_PEER, SLICE("p"), NULL, pair[0]), 0);
        assert_int_equal(close(pair[0]), 0);
        for (int i = 0; i < 10000 && receiver.messages < filler + 3; i++)
            rounds(&s, 1);
        assert_int_equal(receiver.messages, filler + 3);
        assert_string_equal(receiver.file_text, "other");
        assert_true(receiver.handle >= 0);
        assert_true(fcntl(receiver.handle, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(send(receiver.handle, "!", 1, 0), 1);
        assert_int_equal(recv(pair[1], &byte, 1, 0), 1);
        assert_int_equal(close(receiver.handle), 0);
        assert_int_equal(close(pair[1]), 0);
        channel_close(&warden.channel);
        channel_close(&receiver.channel);
        setup_done(&s);
    }
}

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Whatever a captured peer sends: the channel closes, it is told once, no descriptor stays. */
static void test_violations(void **state)
{
    enum cargo { NOTHING, A_FILE, A_SOCKET, A_PIPE };

    static const struct {
        struct slice bytes;
        enum cargo cargo;
        enum role_kind self, peer;
    } rows[] = {
        {SLICE_INIT("x"),         NOTHING,  ROLE_COURIER, ROLE_RECEIVER},
        {SLICE_INIT("\0\0"),      NOTHING,  ROLE_COURIER, ROLE_RECEIVER},
        {SLICE_INIT("\xff\xff"),  NOTHING,  ROLE_COURIER, ROLE_RECEIVER},
        {SLICE_INIT("\x01\x01"),  NOTHING,  ROLE_POSTMAN, ROLE_COURIER },
        {SLICE_INIT("\x09\0abc"), A_FILE,   ROLE_POSTMAN, ROLE_RECEIVER}, /* not a receiver's */
        {SLICE_INIT("\x09\0abc"), NOTHING,  ROLE_POSTMAN, ROLE_COURIER }, /* DELIVER, no file */
        {SLICE_INIT("\x09\0abc"), A_SOCKET, ROLE_POSTMAN, ROLE_COURIER },
        {SLICE_INIT("\x09\0abc"), A_PIPE,   ROLE_POSTMAN, ROLE_COURIER },
        {SLICE_INIT("\x07\0abc"), A_FILE,   ROLE_COURIER, ROLE_RECEIVER}, /* DURABLE carries none */
        {SLICE_INIT("\x07\0abc"), A_SOCKET, ROLE_COURIER, ROLE_RECEIVER},
    };
    struct setup s;
    struct end e;

    (void)state;
    CHECK_ROWS (i, rows) {
        unsigned told = 0;
        int before = open_descriptors(), cargo = -1, other = -1, ends[2];
        fail_set_sink(ignore_failure, &told);
        setup_init(&s);
        end_open(&e, &s, s.raw[0], rows[i].self, rows[i].peer);
        switch (rows[i].cargo) {
        case NOTHING: break;
        case A_FILE: cargo = memfd("file"); break;
        case A_SOCKET:
            check_int(s.net->ops->pair(s.net, ends), 0);
            cargo = ends[0];
            other = ends[1];
            break;
        case A_PIPE:
            check_int(pipe(ends), 0);
            cargo = ends[0];
            other = ends[1];
            break;
        }
        check(s.net->ops->send(s.net, s.raw[1], rows[i].bytes, NULL, cargo) > 0);
        if (cargo >= 0)
            close(cargo);
        if (other >= 0)
            close(other);
        rounds(&s, 2);
        check_int(e.messages, 0);
        check(e.closed);
        check_int(told, 1);
        close(s.raw[1]);
        setup_done(&s);
        check_int(open_descriptors(), before);
        fail_set_sink(NULL, NULL);
    }
}

/* A datagram longer than allowed, and one with two descriptors. */
static void test_raw_violations(void **state)
{
    static char bytes[CHANNEL_MESSAGE_MAX + 1] = {7};
    struct setup s;
    struct end e;

    (void)state;
    for (int two = 0; two < 2; two++) {
        unsigned told = 0;
        int before = open_descriptors();

        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(2 * sizeof(int))];
        } control = {0};
        struct iovec part = {bytes, two ? 8 : sizeof(bytes)};
        struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
        fail_set_sink(ignore_failure, &told);
        setup_init(&s);
        end_open(&e, &s, s.raw[0], ROLE_COURIER, ROLE_RECEIVER);
        if (two) {
            int fds[2] = {1, 2};
            m.msg_control = control.room;
            m.msg_controllen = sizeof(control.room);
            control.header.cmsg_level = SOL_SOCKET;
            control.header.cmsg_type = SCM_RIGHTS;
            control.header.cmsg_len = CMSG_LEN(sizeof(fds));
            memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
        }
        assert_true(sendmsg(s.raw[1], &m, 0) > 0);
        rounds(&s, 2);
        assert_true(e.closed);
        assert_int_equal(e.messages, 0);
        assert_int_equal(told, 1);
        close(s.raw[1]);
        setup_done(&s);
        assert_int_equal(open_descriptors(), before);
        fail_set_sink(NULL, NULL);
    }
}

static void on_message_free(struct channel *c, enum message_kind kind, struct slice body,
                            struct disk_file *file, int handle)
{
    (void)kind;
    (void)body;
    (void)file;
    (void)handle;
    channel_close(c);
    memory_free(c);
}

static void test_free_inside(void **state)
{
    struct setup s;
    struct channel *c = MEMORY_NEW(struct channel);

    (void)state;
    setup_init(&s);
    assert_int_equal(
        channel_open(c, s.loop, s.raw[0], ROLE_COURIER, ROLE_RECEIVER, on_message_free, on_closed),
        0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.net->ops->send(s.net, s.raw[1], SLICE("\x07\0word"), NULL, -1), 6);
    rounds(&s, 2);
    assert_int_equal(s.net->ops->send(s.net, s.raw[1], SLICE("x"), NULL, -1),
                     -ECONNRESET); /* it was freed with messages unread */
    s.net->ops->close(s.net, s.raw[1]);
    setup_done(&s);
}

/* The real net, until its sends are to fail. */
struct shortage {
    int code;  /* of a send; 0: the real one */
    int after; /* so many sends succeed first */
};

struct short_net {
    struct net_ops ops; /* the net's own pointer leads here */
    const struct net_ops *real;
    struct shortage *shortage;
};

static int64_t short_send(struct net *n, int h, struct slice bytes, struct disk_file *file,
                          int pass)
{
    const struct short_net *s = (const void *)n->ops;

    if (s->shortage->code != 0 && s->shortage->after-- <= 0)
        return s->shortage->code;
    return s->real->send(n, h, bytes, file, pass);
}

/* Short of memory or of descriptors in flight: nothing is lost, nothing spins, and it goes on
 * without another send. */
static void test_short(void **state)
{
    static const int codes[] = {-ENOBUFS, -ENOMEM, -ETOOMANYREFS};
    struct setup s;
    struct end courier, scribe;

    (void)state;
    CHECK_ROWS (i, codes) {
        setup_init(&s);
        struct shortage shortage = {.code = codes[i]};
        struct short_net n = {.ops = *s.net->ops, .real = s.net->ops, .shortage = &shortage};
        n.ops.send = short_send;
        s.net->ops = &n.ops;
        end_open(&courier, &s, s.raw[0], ROLE_COURIER, ROLE_SCRIBE);
        end_open(&scribe, &s, s.raw[1], ROLE_SCRIBE, ROLE_COURIER);
        for (uint32_t number = 0; number < 3; number++)
            check_int(send_number(&courier.channel, number, 4), 0);
        check_int(courier.channel.watch.events, NET_READABLE);
        shortage.after = 1; /* the first retry gets one through */
        while (shortage.after >= 0)
            check_int(loop_round(s.loop, true), 0);
        check_int(courier.channel.watch.events, NET_READABLE);
        shortage.code = 0;
        while (scribe.messages < 3)
            check_int(loop_round(s.loop, true), 0);
        check(!scribe.disordered);
        check_int(courier.channel.queued_bytes, 0);
        shortage.code = codes[i];
        check_int(send_number(&courier.channel, 3, 4), 0);
        channel_close(&courier.channel); /* with a retry ahead */
        channel_close(&scribe.channel);
        s.net->ops = n.real;
        setup_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backlog),        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_never_opened),   cmocka_unit_test(test_last_word),
        cmocka_unit_test(test_cargo),          cmocka_unit_test(test_violations),
        cmocka_unit_test(test_raw_violations), cmocka_unit_test(test_free_inside),
        cmocka_unit_test(test_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
