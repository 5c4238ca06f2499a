/*
 * tls_sessions_test.c - how much is remembered, how long, and for whom.
 */
#include "loop/tls_sessions.h"

#include "check.h"

static SSL_SESSION *session_new(int version, unsigned char id)
{
    SSL_SESSION *session = SSL_SESSION_new();

    check(SSL_SESSION_set_protocol_version(session, version) == 1);
    check(SSL_SESSION_set1_id(session, &id, 1) == 1);
    return session;
}

/* The id of what was taken, -1: nothing was. */
static int take(struct tls_sessions *s, struct slice place, uint64_t now_ms, uint64_t *seen_ms)
{
    SSL_SESSION *session = tls_sessions_take(s, place, now_ms, seen_ms);
    unsigned len;
    int id = session == NULL ? -1 : SSL_SESSION_get_id(session, &len)[0];

    SSL_SESSION_free(session);
    return id;
}

static void each_is_handed_out_once(void **state)
{
    struct tls_sessions s;
    uint64_t seen_ms = 0;

    (void)state;
    tls_sessions_init(&s);
    tls_sessions_put(&s, SLICE("a"), session_new(TLS1_2_VERSION, 1), 10, 20);
    tls_sessions_put(&s, SLICE("a"), session_new(TLS1_2_VERSION, 2), 11, 20);
    tls_sessions_put(&s, SLICE("b"), session_new(TLS1_2_VERSION, 3), 12, 20);
    check_int(take(&s, SLICE("c"), 30, &seen_ms), -1);
    check_int(take(&s, SLICE("a"), 30, &seen_ms), 2);
    check_int(seen_ms, 11);
    check_int(take(&s, SLICE("a"), 30, &seen_ms), 1);
    check_int(seen_ms, 10);
    check_int(take(&s, SLICE("a"), 30, &seen_ms), -1);
    tls_sessions_forget(&s, SLICE("b"));
    check_int(take(&s, SLICE("b"), 30, &seen_ms), -1);
    check_int(s.count, 0);
    tls_sessions_done(&s);
}

/* A lifetime of 0 is none in TLS 1.3, and not said in TLS 1.2. */
static void none_outlives_its_time(void **state)
{
    static const struct {
        int version;
        uint64_t seen_ms, now_ms;
        bool found;
    } rows[] = {
        {TLS1_2_VERSION, 1000, 1000,                             true },
        {TLS1_2_VERSION, 1000, 1000 + TLS_SESSIONS_TRUST_MS - 1, true },
        {TLS1_2_VERSION, 1000, 1000 + TLS_SESSIONS_TRUST_MS,     false},
        {TLS1_3_VERSION, 1000, 1000,                             false},
    };
    struct tls_sessions s;
    uint64_t seen_ms;

    (void)state;
    CHECK_ROWS (i, rows) {
        tls_sessions_init(&s);
        tls_sessions_put(&s, SLICE("a"), session_new(rows[i].version, 1), rows[i].seen_ms, 1000);
        check((take(&s, SLICE("a"), rows[i].now_ms, &seen_ms) == 1) == rows[i].found);
        check_int(s.count, 0);
        tls_sessions_done(&s);
    }
}

/* One place cannot push out the others; the oldest of all goes first. */
static void they_are_bounded(void **state)
{
    struct tls_sessions s;
    uint64_t seen_ms;

    (void)state;
    tls_sessions_init(&s);
    tls_sessions_put(&s, SLICE("first"), session_new(TLS1_2_VERSION, 1), 0, 0);
    tls_sessions_put(&s, SLICE("second"), session_new(TLS1_2_VERSION, 2), 0, 0);
    for (unsigned char i = 0; i < 100; i++)
        tls_sessions_put(&s, SLICE("busy"), session_new(TLS1_2_VERSION, i), 0, 0);
    check_int(s.count, 2 + TLS_SESSIONS_PLACE_MAX);
    for (int i = 0; i < TLS_SESSIONS_PLACE_MAX; i++)
        check_int(take(&s, SLICE("busy"), 1, &seen_ms), 99 - i);
    for (uint32_t i = 0; i < TLS_SESSIONS_MAX - 1; i++)
        tls_sessions_put(&s, (struct slice){(const char *)&i, sizeof(i)},
                         session_new(TLS1_2_VERSION, 3), 0, 0);
    check_int(s.count, TLS_SESSIONS_MAX);
    check_int(take(&s, SLICE("first"), 1, &seen_ms), -1);
    check_int(take(&s, SLICE("second"), 1, &seen_ms), 2);
    tls_sessions_done(&s);
    check_int(s.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_handed_out_once),
        cmocka_unit_test(none_outlives_its_time),
        cmocka_unit_test(they_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
