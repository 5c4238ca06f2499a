/*
 * curl.c - libcurl behind the door.
 *
 * libcurl says which of its sockets it waits for and until when: these are watches and timers of
 * our loop (curl_multi_socket_action). It would also look names up, on threads of its own or
 * blocking, by other name servers than ours: that is forbidden (no_lookup), each request brings its
 * addresses. Its environment variables, .netrc and proxies are switched off; a connection serves
 * one request, so that nothing is remembered between two.
 *
 * What comes is told from a timer of our own, as in dns/unbound.c: done() never runs inside of
 * libcurl, and may do what it likes.
 */
#include "http/fetch.h"
#include "http/libcurl.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>

struct curl_fetcher {
    struct fetcher fetcher;
    struct libcurl curl;
    struct loop *loop;
    CURLM *multi;
    struct timer due; /* libcurl's */
    struct list running;
    struct list finished;
    struct timer tell;
};

struct transfer {
    struct list link; /* running or finished */
    struct curl_fetcher *fetcher;
    struct fetch_request *request;
    CURL *easy;
    struct curl_slist *headers, *addresses;
    struct timer limit;
    uint64_t limit_ms;
    struct arena arena;
    struct buf body;
    size_t head_len;
    bool too_long;
    char error[CURL_ERROR_SIZE];
    struct fetch_answer answer;
};

/* One of libcurl's sockets, which it closes itself. */
struct socket_watch {
    struct watch watch;
    struct curl_fetcher *fetcher;
};

static struct curl_fetcher *curl_of(struct fetcher *f)
{
    return LIST_ENTRY(f, struct curl_fetcher, fetcher);
}

/* ---- transfers ---- */

static void transfer_free(struct transfer *t)
{
    const struct libcurl *curl = &t->fetcher->curl;

    list_remove(&t->link);
    timer_cancel(t->fetcher->loop, &t->limit);
    if (t->easy != NULL) {
        (void)curl->multi_remove_handle(t->fetcher->multi, t->easy);
        curl->easy_cleanup(t->easy);
    }
    curl->slist_free_all(t->headers);
    curl->slist_free_all(t->addresses);
    buf_wipe(&t->body);
    arena_done(&t->arena);
    memory_free(t);
}

static void transfer_finish(struct transfer *t)
{
    timer_cancel(t->fetcher->loop, &t->limit);
    list_remove(&t->link);
    list_append(&t->fetcher->finished, &t->link);
    if (!timer_is_set(&t->fetcher->tell))
        timer_set(t->fetcher->loop, &t->fetcher->tell, 0);
}

static void transfer_fail(struct transfer *t, struct slice why)
{
    t->answer = (struct fetch_answer){.outcome = FETCH_FAILED, .why = why};
    transfer_finish(t);
}

static void tell_finished(struct timer *timer)
{
    struct curl_fetcher *f = LIST_ENTRY(timer, struct curl_fetcher, tell);
    struct list now;

    list_init(&now);
    list_splice(&now, &f->finished);
    while (!list_empty(&now)) {
        struct transfer *t = LIST_ENTRY(now.next, struct transfer, link);
        struct fetch_request *r = t->request;

        list_remove(&t->link);
        r->running = NULL;
        r->answer = &t->answer;
        r->done(r); /* r may be gone now */
        transfer_free(t);
    }
}

/* libcurl's words hold what the other side said. */
static struct slice problem_text(struct transfer *t, CURLcode code)
{
    const char *said = t->error[0] != '\0' ? t->error : t->fetcher->curl.easy_strerror(code);
    struct slice from = slice_of(said);
    char *text = arena_alloc(&t->arena, from.len + 1);

    for (size_t i = 0; i < from.len; i++)
        text[i] = from.data[i] >= ' ' && from.data[i] <= '~' ? from.data[i] : '?';
    return (struct slice){text, from.len};
}

static void transfer_ended(struct transfer *t, CURLcode code)
{
    long status = 0;

    if (t->too_long) {
        transfer_fail(t, SLICE("the answer is too long"));
        return;
    }
    if (code != CURLE_OK) {
        transfer_fail(t, problem_text(t, code));
        return;
    }
    (void)t->fetcher->curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->answer = (struct fetch_answer){.outcome = FETCH_ANSWERED,
                                      .status = status > 0 ? (unsigned)status : 0,
                                      .body = buf_slice(&t->body)};
    transfer_finish(t);
}

static void on_limit(struct timer *timer)
{
    struct transfer *t = LIST_ENTRY(timer, struct transfer, limit);

    (void)t->fetcher->curl.multi_remove_handle(t->fetcher->multi, t->easy);
    transfer_fail(t, arena_printf(&t->arena, "no answer within %u s",
                                  (unsigned)((t->limit_ms + 999) / 1000)));
}

/* ---- what libcurl calls ---- */

static size_t on_head(const char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;

    (void)bytes;
    t->head_len += size * count;
    t->too_long = t->too_long || t->head_len > FETCH_HEAD_MAX;
    return t->too_long ? 0 : size * count;
}

static size_t on_body(const char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;

    t->too_long = t->too_long || !buf_append(&t->body, (struct slice){bytes, size * count});
    return t->too_long ? 0 : size * count;
}

/* Every name is in its table: who comes here would ask somebody else. */
static int no_lookup(void *state, void *reserved, void *ctx)
{
    (void)state, (void)reserved, (void)ctx;
    return 1;
}

static void act(struct curl_fetcher *f, curl_socket_t socket, int what)
{
    const struct libcurl *curl = &f->curl;
    int left, running;
    CURLMsg *m;

    (void)curl->multi_socket_action(f->multi, socket, what, &running);
    while ((m = curl->multi_info_read(f->multi, &left)) != NULL) {
        CURLcode code = m->data.result;
        CURL *easy = m->easy_handle;
        struct transfer *t = NULL;

        if (m->msg != CURLMSG_DONE || curl->easy_getinfo(easy, CURLINFO_PRIVATE, &t) != CURLE_OK ||
            t == NULL)
            continue;
        (void)curl->multi_remove_handle(f->multi, easy); /* m is gone */
        transfer_ended(t, code);
    }
}

static void on_due(struct timer *timer)
{
    act(LIST_ENTRY(timer, struct curl_fetcher, due), CURL_SOCKET_TIMEOUT, 0);
}

/* May free the watch: it is not touched behind the call. */
static void on_ready(struct watch *w, unsigned events)
{
    struct curl_fetcher *f = LIST_ENTRY(w, struct socket_watch, watch)->fetcher;
    int what = ((events & NET_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & NET_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events & NET_HANGUP) != 0 ? CURL_CSELECT_ERR : 0);

    act(f, w->handle, what);
}

static int on_timer(CURLM *multi, long in_ms, void *ctx)
{
    struct curl_fetcher *f = ctx;

    (void)multi;
    if (in_ms < 0)
        timer_cancel(f->loop, &f->due);
    else
        timer_set(f->loop, &f->due, (uint64_t)in_ms);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *ctx, void *socket_ctx)
{
    struct curl_fetcher *f = ctx;
    struct socket_watch *w = socket_ctx;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            (void)watch_set(f->loop, &w->watch, 0);
        memory_free(w);
        return 0;
    }
    if (w == NULL) {
        w = MEMORY_NEW(struct socket_watch);
        w->watch = (struct watch){.ready = on_ready, .handle = socket};
        w->fetcher = f;
        (void)f->curl.multi_assign(f->multi, socket, w);
    }
    unsigned events = (what != CURL_POLL_OUT ? (unsigned)NET_READABLE : 0) |
                      (what != CURL_POLL_IN ? (unsigned)NET_WRITABLE : 0);
    return watch_set(f->loop, &w->watch, events) < 0 ? -1 : 0;
}

/* ---- the door's calls ---- */

#define SET(t, option, value)                                                                      \
    ((t)->fetcher->curl.easy_setopt((t)->easy, (option), (value)) == CURLE_OK)

static bool append(const struct transfer *t, struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = t->fetcher->curl.slist_append(*list, text);

    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

/* "+host:port:address,[address]": in libcurl's table of names, to be replaced by the next one. */
static bool set_addresses(struct transfer *t)
{
    const struct fetch_request *r = t->request;
    struct slice all = arena_printf(&t->arena, "+%.*s:%u", SLICE_PRINTF(r->host), r->port);

    for (size_t i = 0; i < r->address_count && i < FETCH_ADDRESSES_MAX; i++) {
        char text[64];
        size_t len = net_address_text(&r->addresses[i], text);
        bool v6 = slice_find((struct slice){text, len}, ':') < len;

        all = arena_printf(&t->arena, "%.*s%c%s%s%s", SLICE_PRINTF(all), i == 0 ? ':' : ',',
                           v6 ? "[" : "", text, v6 ? "]" : "");
    }
    return append(t, &t->addresses, arena_string(&t->arena, all)) &&
           SET(t, CURLOPT_RESOLVE, t->addresses) &&
           SET(t, CURLOPT_RESOLVER_START_FUNCTION, no_lookup);
}

/* Authorities that were given are the only ones: the machine's folder is forgotten, too. */
static bool set_trust(struct transfer *t)
{
    struct slice pem = t->request->authorities;
    struct curl_blob blob = {.len = pem.len, .flags = CURL_BLOB_COPY};

    if (!SET(t, CURLOPT_SSL_VERIFYPEER, 1L) || !SET(t, CURLOPT_SSL_VERIFYHOST, 2L) ||
        !SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
        !SET(t, CURLOPT_SSL_SESSIONID_CACHE, 0L))
        return false;
    if (pem.len == 0)
        return true;
    blob.data = arena_alloc(&t->arena, pem.len);
    memcpy(blob.data, pem.data, pem.len);
    return SET(t, CURLOPT_CAINFO_BLOB, &blob) && SET(t, CURLOPT_CAPATH, NULL);
}

/* "Expect:" with nothing behind it: a body of a few hundred bytes does not wait to be invited. */
static bool set_content(struct transfer *t)
{
    const struct fetch_request *r = t->request;

    for (size_t i = 0; i < r->header_count; i++)
        if (!append(t, &t->headers, arena_string(&t->arena, r->headers[i])))
            return false;
    if (!append(t, &t->headers, "Expect:") || !SET(t, CURLOPT_HTTPHEADER, t->headers))
        return false;
    return r->body == NULL || (SET(t, CURLOPT_POST, 1L) &&
                               SET(t, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body->len) &&
                               SET(t, CURLOPT_POSTFIELDS, r->body->len > 0 ? r->body->data : ""));
}

static bool set_manners(struct transfer *t)
{
    const struct fetch_request *r = t->request;
    const char *url = arena_string(&t->arena, arena_printf(&t->arena, "https://%.*s:%u%.*s",
                                                           SLICE_PRINTF(r->host), r->port,
                                                           SLICE_PRINTF(r->path)));

    return SET(t, CURLOPT_URL, url) && SET(t, CURLOPT_PROTOCOLS_STR, "https") &&
           SET(t, CURLOPT_PATH_AS_IS, 1L) && SET(t, CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(t, CURLOPT_PROXY, "") && SET(t, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
           SET(t, CURLOPT_NOSIGNAL, 1L) && SET(t, CURLOPT_FORBID_REUSE, 1L) &&
           SET(t, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(t, CURLOPT_USERAGENT, "postroad/" POSTROAD_VERSION);
}

static bool set_ways_back(struct transfer *t)
{

    return SET(t, CURLOPT_PRIVATE, t) && SET(t, CURLOPT_ERRORBUFFER, t->error) &&
           SET(t, CURLOPT_HEADERFUNCTION, on_head) && SET(t, CURLOPT_HEADERDATA, t) &&
           SET(t, CURLOPT_WRITEFUNCTION, on_body) && SET(t, CURLOPT_WRITEDATA, t);
}

static void curl_start(struct fetcher *fetcher, struct fetch_request *r)
{
    struct curl_fetcher *f = curl_of(fetcher);
    struct transfer *t = MEMORY_NEW(struct transfer);
    struct slice fault = fetch_fault(r);

    t->fetcher = f;
    t->request = r;
    t->limit_ms = r->limit_ms != 0 ? r->limit_ms : (uint64_t)FETCH_LIMIT_MS;
    buf_init(&t->body, FETCH_BODY_MAX);
    timer_init(&t->limit, on_limit);
    list_init(&t->link);
    list_append(&f->running, &t->link);
    r->running = t;
    if (fault.len > 0) {
        transfer_fail(t, fault);
        return;
    }
    t->easy = f->curl.easy_init();
    if (t->easy == NULL || !set_ways_back(t) || !set_manners(t) || !set_content(t) ||
        !set_trust(t) || !set_addresses(t) ||
        f->curl.multi_add_handle(f->multi, t->easy) != CURLM_OK)
        transfer_fail(t, SLICE("libcurl does not work as it should"));
    else
        timer_set(f->loop, &t->limit, t->limit_ms);
}

static void curl_cancel(struct fetcher *fetcher, struct fetch_request *r)
{
    struct transfer *t = r->running;

    (void)fetcher;
    r->running = NULL;
    transfer_free(t);
}

static void forget_all(struct list *transfers)
{
    LIST_EACH (node, transfers) {
        struct transfer *t = LIST_ENTRY(node, struct transfer, link);

        t->request->running = NULL;
        transfer_free(t);
    }
}

static void curl_free_all(struct fetcher *fetcher)
{
    struct curl_fetcher *f = curl_of(fetcher);

    forget_all(&f->running);
    forget_all(&f->finished);
    (void)f->curl.multi_cleanup(f->multi);
    timer_cancel(f->loop, &f->due);
    timer_cancel(f->loop, &f->tell);
    f->curl.global_cleanup();
    memory_free(f);
}

/* ---- opening ---- */

static bool open_multi(struct curl_fetcher *f)
{
    const struct libcurl *curl = &f->curl;

    f->multi = curl->multi_init();
    return f->multi != NULL &&
           curl->multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl->multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f) == CURLM_OK &&
           curl->multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl->multi_setopt(f->multi, CURLMOPT_TIMERDATA, f) == CURLM_OK;
}

struct fetcher *fetcher_new(struct loop *loop)
{
    struct curl_fetcher *f = MEMORY_NEW(struct curl_fetcher);

    f->fetcher = (struct fetcher){curl_start, curl_cancel, curl_free_all};
    f->loop = loop;
    list_init(&f->running);
    list_init(&f->finished);
    timer_init(&f->due, on_due);
    timer_init(&f->tell, tell_finished);
    if (!libcurl_load(&f->curl)) {
        memory_free(f);
        return NULL;
    }
    if (f->curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !open_multi(f)) {
        fail_code(-ENOMEM, "open", SLICE("libcurl"));
        memory_free(f);
        return NULL;
    }
    return &f->fetcher;
}
