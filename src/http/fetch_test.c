/*
 * fetch_test.c - libcurl on our loop against a server in the same loop, and what it may not do.
 */
#include "check.h"

#include "http/fetch.h"

#include "base/arena.h"
#include "base/memory.h"
#include "fakes/certificate.h"
#include "loop/listener.h"
#include "loop/stream.h"
#include "loop/tls_internal.h"

enum { REQUEST_MAX = 16 * 1024, ANSWER_MAX = 256 * 1024, TOGETHER = 20 };

static const struct net_address here = {
    .ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}
};

/* ---- a server: what it is asked for says what it answers ---- */

struct server {
    struct net *net;
    struct loop *loop;
    struct listener listener;
    uint16_t port;
    struct tls_context *tls;
    struct list connections;
    struct buf chain, key, authority, stranger;
    unsigned requests;
    unsigned waiting; /* of those that want to be answered together */
    struct fetcher *fetcher;
    unsigned told;
};

struct connection {
    struct list link;
    struct server *server;
    struct stream stream;
    bool waits;
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

struct page {
    struct slice path;
    struct slice answer;
    bool closes;
    size_t times; /* how often this follows */
    struct slice filling;
};

#define PAGE(at, text)  .path = SLICE_INIT(at), .answer = SLICE_INIT(text)
#define FILLED(n, text) .times = (n), .filling = SLICE_INIT(text)

/* clang-format off */
static const struct page pages[] = {
    {PAGE("/ok", OK_HEAD "Content-Length: 2\r\n\r\nhi")},
    {PAGE("/empty", OK_HEAD "Content-Length: 0\r\n\r\n")},
    {PAGE("/chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n")},
    {PAGE("/moved", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n")},
    {PAGE("/no", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno")},
    {PAGE("/packed", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi")},
    {PAGE("/full", OK_HEAD "Content-Length: 65536\r\n\r\n"), FILLED(65536, "x")},
    {PAGE("/fuller", OK_HEAD "Content-Length: 65537\r\n\r\n"), FILLED(65537, "x")},
    {PAGE("/endless", OK_HEAD "\r\n"), FILLED(65537, "x")},
    {PAGE("/header", OK_HEAD), FILLED(6000, "X: y\r\n")},
    {PAGE("/cut", OK_HEAD "Content-Length: 10\r\n\r\nhalf"), .closes = true},
    {PAGE("/nothing", ""), .closes = true},
    {PAGE("/garbage", "SSH-2.0-OpenSSH_9.2\r\n"), .closes = true},
    {PAGE("/silence", "")},
};

/* clang-format on */

static void connection_close(struct connection *c)
{
    stream_close(&c->stream);
    list_remove(&c->link);
    memory_free(c);
}

static void say(struct connection *c, struct slice text)
{
    assert_true(buf_append(&c->stream.out, text));
}

/* The request's own bytes as the answer's body. */
static void echo(struct connection *c, struct slice request)
{
    assert_true(buf_printf(&c->stream.out, OK_HEAD "Content-Length: %zu\r\n\r\n", request.len));
    say(c, request);
}

static void answer_all_that_wait(struct server *s)
{
    LIST_EACH (node, &s->connections) {
        struct connection *c = LIST_ENTRY(node, struct connection, link);

        if (c->waits) {
            say(c, pages[0].answer);
            stream_flush(&c->stream);
        }
    }
}

static void answer_page(struct connection *c, const struct page *page)
{
    say(c, page->answer);
    for (size_t i = 0; i < page->times; i++)
        say(c, page->filling);
    stream_flush(&c->stream);
    if (page->closes)
        stream_finish(&c->stream);
}

static void answer(struct connection *c, struct slice request)
{
    struct slice method, rest, path = SLICE(""), version;

    c->server->requests++;
    assert_true(slice_cut(request, ' ', &method, &rest) && slice_cut(rest, ' ', &path, &version));
    if (slice_equal(path, SLICE("/together"))) {
        c->waits = true;
        if (++c->server->waiting == TOGETHER)
            answer_all_that_wait(c->server);
    }
    if (slice_equal(path, SLICE("/echo?a=1"))) {
        echo(c, request);
        stream_flush(&c->stream);
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
        if (slice_equal(path, pages[i].path))
            answer_page(c, &pages[i]);
}

/* A whole request: the header ends, and a body that is there ends with a dot. */
static bool is_whole(struct slice in)
{
    return slice_ends(in, slice_starts(in, SLICE("POST")) ? SLICE(".") : SLICE("\r\n\r\n"));
}

static void server_event(struct stream *stream, enum stream_event event)
{
    struct connection *c = LIST_ENTRY(stream, struct connection, stream);

    if (event == STREAM_EOF || event == STREAM_FAILED) {
        connection_close(c);
    } else if (event == STREAM_READABLE && is_whole(buf_slice(&stream->in))) {
        answer(c, buf_slice(&stream->in));
        buf_clear(&stream->in);
    }
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct server *s = LIST_ENTRY(l, struct server, listener);
    struct connection *c = MEMORY_NEW(struct connection);

    (void)peer, (void)own;
    c->server = s;
    list_init(&c->link);
    list_append(&s->connections, &c->link);
    check_int(stream_open(&c->stream, s->loop, handle, REQUEST_MAX, ANSWER_MAX, server_event), 0);
    stream_start_tls(&c->stream, s->tls, SLICE(""));
}

static void open_world(struct server *s)
{
    struct authority *a = authority_new("us"), *other = authority_new("somebody");
    struct net_address own;
    const char *why;

    *s = (struct server){.net = net_real_new()};
    s->loop = loop_new(s->net, clock_real());
    list_init(&s->connections);
    authority_pem(a, &s->authority);
    authority_pem(other, &s->stranger);
    certificate_issue(a, "idp", "DNS:idp.example", &s->chain, &s->key);
    authority_free(a);
    authority_free(other);
    s->tls = tls_context_server(buf_slice(&s->chain), buf_slice(&s->key), &why);
    check(s->tls != NULL);
    SSL_CTX_set_alpn_select_cb(s->tls->ssl, NULL, NULL); /* a mail server would refuse HTTP */
    int handle = s->net->ops->listen(s->net, &here, false, 64);
    check_int(s->net->ops->own_address(s->net, handle, &own), 0);
    s->port = own.port;
    check_int(listener_open(&s->listener, s->loop, handle, on_accept), 0);
    s->fetcher = fetcher_new(s->loop);
    check(s->fetcher != NULL);
}

static void close_world(struct server *s)
{
    fetcher_free(s->fetcher);
    LIST_EACH (node, &s->connections)
        connection_close(LIST_ENTRY(node, struct connection, link));
    listener_close(&s->listener);
    tls_context_free(s->tls);
    loop_free(s->loop);
    s->net->ops->free(s->net);
    buf_done(&s->chain);
    buf_done(&s->key);
    buf_done(&s->authority);
    buf_done(&s->stranger);
}

/* ---- asking ---- */

struct asking {
    struct fetch_request request;
    struct server *world;
    struct arena arena;
    enum fetch_outcome outcome;
    unsigned status;
    struct slice body, why;
    bool told;
};

static bool inside_start;

static void on_done(struct fetch_request *r)
{
    struct asking *a = LIST_ENTRY(r, struct asking, request);

    check(!inside_start && !a->told && r->answer != NULL && r->running == NULL);
    a->told = true;
    a->outcome = r->answer->outcome;
    a->status = r->answer->status;
    a->body = arena_copy(&a->arena, r->answer->body);
    a->why = arena_copy(&a->arena, r->answer->why);
    a->world->told++;
}

static void asking_init(struct server *s, struct asking *a, struct slice path)
{
    *a = (struct asking){
        .request = {.done = on_done,
                    .host = SLICE("idp.example"),
                    .port = s->port,
                    .path = path,
                    .addresses = &here,
                    .address_count = 1,
                    .private_allowed = true,
                    .authorities = buf_slice(&s->authority)},
        .world = s
    };
}

static void start(struct asking *a)
{
    inside_start = true;
    fetch_start(a->world->fetcher, &a->request);
    inside_start = false;
}

static void run_until_told(struct server *s, unsigned count)
{
    while (s->told < count)
        check_int(loop_round(s->loop, true), 0);
}

static void fetch(struct asking *a)
{
    unsigned before = a->world->told;

    start(a);
    run_until_told(a->world, before + 1);
}

static bool holds(struct slice text, struct slice part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (slice_starts(slice_skip(text, i), part))
            return true;
    return false;
}

/* ---- tests ---- */

struct page_row {
    struct slice path;
    unsigned status; /* 0: it fails */
    struct slice body;
    size_t len;
    struct slice why;
};

static void check_page(struct server *s, const struct page_row *row)
{
    struct asking a;

    asking_init(s, &a, row->path);
    fetch(&a);
    check_int(a.outcome, row->status != 0 ? FETCH_ANSWERED : FETCH_FAILED);
    check_int(a.status, row->status);
    check_int(a.body.len, row->len);
    check(slice_starts(a.body, row->body) && holds(a.why, row->why));
    check_int(s->requests, check_row + 1); /* one each, whatever it was led to */
    arena_done(&a.arena);
}

static void an_answer_is_bounded_and_goes_no_further(void **state)
{
    static const struct page_row rows[] = {
        {SLICE_INIT("/ok"),      200, SLICE_INIT("hi"), 2,     SLICE_INIT("")           },
        {SLICE_INIT("/empty"),   200, SLICE_INIT(""),   0,     SLICE_INIT("")           },
        {SLICE_INIT("/chunks"),  200, SLICE_INIT("hi"), 2,     SLICE_INIT("")           },
        {SLICE_INIT("/moved"),   302, SLICE_INIT(""),   0,     SLICE_INIT("")           },
        {SLICE_INIT("/no"),      401, SLICE_INIT("no"), 2,     SLICE_INIT("")           },
        {SLICE_INIT("/packed"),  200, SLICE_INIT("hi"), 2,     SLICE_INIT("")           },
        {SLICE_INIT("/full"),    200, SLICE_INIT("x"),  65536, SLICE_INIT("")           },
        {SLICE_INIT("/fuller"),  0,   SLICE_INIT(""),   0,     SLICE_INIT("too long")   },
        {SLICE_INIT("/endless"), 0,   SLICE_INIT(""),   0,     SLICE_INIT("too long")   },
        {SLICE_INIT("/header"),  0,   SLICE_INIT(""),   0,     SLICE_INIT("too long")   },
        {SLICE_INIT("/cut"),     0,   SLICE_INIT(""),   0,     SLICE_INIT("remaining")  },
        {SLICE_INIT("/nothing"), 0,   SLICE_INIT(""),   0,     SLICE_INIT("Empty reply")},
        {SLICE_INIT("/garbage"), 0,   SLICE_INIT(""),   0,     SLICE_INIT("HTTP/0.9")   },
    };
    struct server s;

    (void)state;
    open_world(&s);
    CHECK_ROWS (i, rows)
        check_page(&s, &rows[i]);
    close_world(&s);
}

static void time_is_bounded(void **state)
{
    struct server s;
    struct asking a;

    (void)state;
    open_world(&s);
    asking_init(&s, &a, SLICE("/silence"));
    a.request.limit_ms = 100;
    fetch(&a);
    check_int(a.outcome, FETCH_FAILED);
    check_slice(a.why, SLICE("no answer within 1 s"));
    arena_done(&a.arena);
    close_world(&s);
}

static void a_body_is_posted_with_its_headers(void **state)
{
    static const struct slice headers[] = {SLICE_INIT("Authorization: Basic YTpi"),
                                           SLICE_INIT("Accept: application/json")};
    struct slice body = SLICE("token=x&dot=.");
    struct server s;
    struct asking a;

    (void)state;
    open_world(&s);
    asking_init(&s, &a, SLICE("/echo?a=1"));
    a.request.headers = headers;
    a.request.header_count = 2;
    a.request.body = &body;
    fetch(&a);
    check_slice(slice_head(a.body, 24), SLICE("POST /echo?a=1 HTTP/1.1\r"));
    check(slice_ends(a.body, SLICE("\r\n\r\ntoken=x&dot=.")));
    check(holds(a.body, SLICE("\r\nAuthorization: Basic YTpi\r\n")));
    check(holds(a.body, SLICE("\r\nAccept: application/json\r\n")));
    check(holds(a.body, SLICE("\r\nContent-Type: application/x-www-form-urlencoded\r\n")));
    check(!holds(a.body, SLICE("Expect")) && !holds(a.body, SLICE("Accept-Encoding")));
    arena_done(&a.arena);
    close_world(&s);
}

static void the_certificate_must_be_right(void **state)
{
    struct server s;
    struct asking a;

    (void)state;
    open_world(&s);
    asking_init(&s, &a, SLICE("/ok"));
    a.request.host = SLICE("mx.example");
    fetch(&a);
    check(holds(a.why, SLICE("mx.example")));
    arena_done(&a.arena);

    asking_init(&s, &a, SLICE("/ok"));
    a.request.authorities = buf_slice(&s.stranger);
    fetch(&a);
    check(holds(a.why, SLICE("unable to get local issuer certificate")));
    arena_done(&a.arena);

    asking_init(&s, &a, SLICE("/ok"));
    a.request.authorities = SLICE(""); /* this machine's */
    fetch(&a);
    check(holds(a.why, SLICE("unable to get local issuer certificate")));
    arena_done(&a.arena);
    check_int(s.requests, 0);
    close_world(&s);
}

static void a_request_that_must_not_leave_stays(void **state)
{
    static const struct slice two_lines[] = {SLICE_INIT("A: b\r\nC: d")};
    static const struct slice dots[] = {SLICE_INIT(""),    SLICE_INIT(".idp"), SLICE_INIT("a b"),
                                        SLICE_INIT("a/b"), SLICE_INIT("a:b"),  SLICE_INIT("a@b")};
    struct server s;
    struct asking a;

    (void)state;
    open_world(&s);
    asking_init(&s, &a, SLICE("/ok"));
    a.request.private_allowed = false;
    fetch(&a);
    check_slice(a.why, SLICE("the host is in a private network"));
    arena_done(&a.arena);

    asking_init(&s, &a, SLICE("/ok"));
    a.request.address_count = 0;
    fetch(&a);
    check_slice(a.why, SLICE("the host has no address"));
    arena_done(&a.arena);

    asking_init(&s, &a, SLICE("/ok HTTP/1.1"));
    fetch(&a);
    check_slice(a.why, SLICE("malformed request"));
    arena_done(&a.arena);

    asking_init(&s, &a, SLICE("/ok"));
    a.request.headers = two_lines;
    a.request.header_count = 1;
    fetch(&a);
    check_slice(a.why, SLICE("malformed request"));
    arena_done(&a.arena);

    CHECK_ROWS (i, dots) {
        asking_init(&s, &a, SLICE("/ok"));
        a.request.host = dots[i];
        fetch(&a);
        check_slice(a.why, SLICE("malformed request"));
        arena_done(&a.arena);
    }
    check_int(s.requests, 0);
    close_world(&s);
}

static void the_next_address_is_tried(void **state)
{
    static const struct net_address some[] = {
        {.ip = {[15] = 1}},
        {.ip = {[10] = 0xff, 0xff, 127, 0, 0, 9}},
        {.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}},
    };
    struct server s;
    struct asking a;

    (void)state;
    open_world(&s);
    asking_init(&s, &a, SLICE("/ok"));
    a.request.addresses = some;
    a.request.address_count = 3;
    fetch(&a);
    check_slice(a.body, SLICE("hi"));
    arena_done(&a.arena);

    asking_init(&s, &a, SLICE("/ok"));
    a.request.addresses = some;
    a.request.address_count = 2;
    fetch(&a); /* only where nobody listens, although the name was known a moment ago */
    check(holds(a.why, SLICE("Failed to connect")));
    check_int(s.requests, 1);
    arena_done(&a.arena);
    close_world(&s);
}

static void many_run_at_a_time(void **state)
{
    static struct asking all[TOGETHER];
    struct server s;

    (void)state;
    open_world(&s);
    for (size_t i = 0; i < TOGETHER; i++) {
        asking_init(&s, &all[i], SLICE("/together"));
        start(&all[i]);
    }
    run_until_told(&s, TOGETHER);
    for (size_t i = check_row = 0; i < TOGETHER; check_row = ++i) {
        check_slice(all[i].body, SLICE("hi"));
        arena_done(&all[i].arena);
    }
    close_world(&s);
}

static void what_is_cancelled_is_not_told(void **state)
{
    struct server s;
    struct asking a, b, c;

    (void)state;
    open_world(&s);
    asking_init(&s, &a, SLICE("/silence"));
    asking_init(&s, &b, SLICE("/silence"));
    asking_init(&s, &c, SLICE("/ok"));
    start(&a);
    start(&b);
    start(&c);
    fetch_cancel(s.fetcher, &a.request);
    fetch_cancel(s.fetcher, &a.request);
    check(a.request.running == NULL);
    run_until_told(&s, 1);
    check(c.told && !a.told && !b.told);
    arena_done(&c.arena);
    close_world(&s); /* b runs */
    check(!b.told && b.request.running == NULL);
}

static void a_private_address_is_known(void **state)
{
    static const struct {
        struct net_address address;
        bool is_private;
    } rows[] = {
        {{.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}},                    true },
        {{.ip = {[10] = 0xff, 0xff, 10, 1, 2, 3}},                     true },
        {{.ip = {[10] = 0xff, 0xff, 9, 255, 255, 255}},                false},
        {{.ip = {[10] = 0xff, 0xff, 11, 0, 0, 0}},                     false},
        {{.ip = {[10] = 0xff, 0xff, 100, 63, 0, 1}},                   false},
        {{.ip = {[10] = 0xff, 0xff, 100, 127, 0, 1}},                  true },
        {{.ip = {[10] = 0xff, 0xff, 169, 254, 169, 254}},              true },
        {{.ip = {[10] = 0xff, 0xff, 172, 15, 0, 1}},                   false},
        {{.ip = {[10] = 0xff, 0xff, 172, 31, 0, 1}},                   true },
        {{.ip = {[10] = 0xff, 0xff, 172, 32, 0, 1}},                   false},
        {{.ip = {[10] = 0xff, 0xff, 192, 168, 0, 1}},                  true },
        {{.ip = {[10] = 0xff, 0xff, 198, 19, 0, 1}},                   true },
        {{.ip = {[10] = 0xff, 0xff, 0, 0, 0, 0}},                      true },
        {{.ip = {[10] = 0xff, 0xff, 224, 0, 0, 1}},                    true },
        {{.ip = {[10] = 0xff, 0xff, 255, 255, 255, 255}},              true },
        {{.ip = {[10] = 0xff, 0xff, 8, 8, 8, 8}},                      false},
        {{.ip = {[15] = 1}},                                           true },
        {{.ip = {0}},                                                  true },
        {{.ip = {[12] = 8, 8, 8, 8}},                                  true },
        {{.ip = {0xfd, [15] = 1}},                                     true },
        {{.ip = {0xfe, 0x80, [15] = 1}},                               true },
        {{.ip = {0xff, 0x02, [15] = 1}},                               true },
        {{.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},                   true },
        {{.ip = {0x20, 0x02, 127, 0, 0, 1}},                           true },
        {{.ip = {0x20, 0x01, 0x48, 0x60, [15] = 1}},                   false},
        {{.ip = {0x2a, 0x00, [15] = 1}},                               false},
        {{.ip = {0x00, 0x64, 0xff, 0x9b, [12] = 127, 0, 0, 1}},        true },
        {{.ip = {0x00, 0x64, 0xff, 0x9b, [12] = 8, 8, 8, 8}},          false},
        {{.ip = {0x00, 0x64, 0xff, 0x9b, 0, 1, [12] = 8, 8, 8, 8}},    true },
        {{.ip = {0x00, 0x64, 0xff, 0x9b, 0, 1, 0xff, 0xff, [15] = 1}}, true },
        {{.ip = {0x00, 0x64, 0xff, 0x9b, 0, 2, [12] = 8, 8, 8, 8}},    false},
    };

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(fetch_address_is_private(rows[i].address.ip), rows[i].is_private);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_bounded_and_goes_no_further),
        cmocka_unit_test(time_is_bounded),
        cmocka_unit_test(a_body_is_posted_with_its_headers),
        cmocka_unit_test(the_certificate_must_be_right),
        cmocka_unit_test(a_request_that_must_not_leave_stays),
        cmocka_unit_test(the_next_address_is_tried),
        cmocka_unit_test(many_run_at_a_time),
        cmocka_unit_test(what_is_cancelled_is_not_told),
        cmocka_unit_test(a_private_address_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
