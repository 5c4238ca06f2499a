/*
 * tokens_test.c - the vault's tokens as a story: wishes and what providers say go in; questions to
 * them, answers and alarms come out.
 *
 * What is told: "fetch 1 REFRESH-TOKEN", "given 7 TOKEN", "login 7", "wrong 7", "later 7", "alarm",
 * a line each.
 */
#include "roles/tokens.h"

#include "base/fail.h"
#include "check.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "roles/grants.h"
#include "wire/form.h"

#include <errno.h>

enum { STORY_MAX = 8192 };

static const struct oauth oauth = {.token = SLICE_INIT("https://id.example/token"),
                                   .client = SLICE_INIT("app")};
static const struct relay smart = {
    .name = SLICE_INIT("smart"), .user = SLICE_INIT("me@example.org"), .oauth = &oauth};

struct world {
    struct fake_clock clock;
    struct fake_random chance;
    struct fake_disk *disk;
    struct disk_dir *dir;
    struct tokens *tokens;
    struct buf story;
    char alarm[TOKEN_TEXT_MAX];
    uint64_t serial;           /* of the token last given */
    const struct relay *relay; /* of the name `smart`; NULL: none */
    bool fetch_fails;
};

static const struct relay *find_relay(void *ctx, struct slice name)
{
    return slice_equal(name, smart.name) ? ((struct world *)ctx)->relay : NULL;
}

static void on_answer(void *ctx, const struct token_answer *a)
{
    static const char *const words[] = {"given", "login", "wrong", "later"};
    struct world *w = ctx;

    if (a->result == TOKEN_GIVEN)
        w->serial = a->serial;
    assert_true(buf_printf(&w->story, "%s %u%s%.*s\n", words[a->result], (unsigned)a->number,
                           a->result == TOKEN_GIVEN ? " " : "",
                           a->result == TOKEN_GIVEN ? (int)a->text.len : 0, a->text.data));
}

static bool on_fetch(void *ctx, uint64_t number, const struct relay *relay, struct slice form)
{
    struct world *w = ctx;
    struct arena arena = {0};
    struct slice token = SLICE("");

    assert_true(relay == w->relay && form_find(form, SLICE("refresh_token"), &arena, &token));
    assert_true(buf_printf(&w->story, "fetch %u %.*s\n", (unsigned)number, SLICE_PRINTF(token)));
    arena_done(&arena);
    return !w->fetch_fails;
}

static void on_alarm(void *ctx, struct slice text)
{
    struct world *w = ctx;

    assert_true(buf_append(&w->story, SLICE("alarm\n")));
    (void)snprintf(w->alarm, sizeof(w->alarm), "%.*s", SLICE_PRINTF(text));
}

static const struct tokens_calls calls = {find_relay, on_answer, on_fetch, on_alarm};

static void begin_vault(struct world *w)
{
    struct tokens_options options = {.calls = &calls,
                                     .ctx = w,
                                     .clock = &w->clock.clock,
                                     .random = &w->chance.random,
                                     .disk = fake_disk(w->disk),
                                     .queue_path = SLICE("/spool"),
                                     .config = SLICE("/etc/p.conf")};

    w->tokens = tokens_new(&options);
}

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static void begin(struct world *w)
{
    *w = (struct world){.relay = &smart};
    fail_set_sink(ignore, NULL);
    fake_clock_init(&w->clock);
    fake_random_init(&w->chance, 1);
    w->disk = fake_disk_new(NULL);
    check_int(grants_open(fake_disk(w->disk), SLICE("/spool"), &w->dir), 0);
    buf_init(&w->story, STORY_MAX);
    begin_vault(w);
}

static void end(struct world *w)
{
    tokens_free(w->tokens);
    disk_dir_close(w->dir);
    fake_disk_free(w->disk);
    buf_done(&w->story);
    fail_set_sink(NULL, NULL);
}

static void log_in(struct world *w, const char *login, const char *token, const char *user)
{
    struct grant g = {.login = slice_of(login),
                      .token = oauth.token,
                      .client = oauth.client,
                      .user = slice_of(user),
                      .refresh_token = slice_of(token),
                      .made = SLICE("2026-11-28T07:00:00Z")};

    check_int(grants_login(w->dir, smart.name, &g), 0);
}

static void wish(struct world *w, uint64_t number, uint64_t refused)
{
    const struct relay *r = w->relay != NULL ? w->relay : &smart;
    struct token_wish wish = {number,           smart.name, r->oauth->token,
                              r->oauth->client, r->user,    refused};

    tokens_wish(w->tokens, &wish);
}

static void provider_gives(struct world *w, uint64_t fetch, const char *access, const char *refresh)
{
    struct oauth_answer a = {.status = 200,
                             .access_token = slice_of(access),
                             .token_type = SLICE("Bearer"),
                             .refresh_token = slice_of(refresh),
                             .expires_in_s = 3600};

    tokens_fetched(w->tokens, fetch, &a);
}

static void provider_says(struct world *w, uint64_t fetch, unsigned status, const char *error)
{
    struct oauth_answer a = {.status = status,
                             .error = slice_of(error),
                             .description = SLICE("Revoked\nby \x1b[31mhim")};

    tokens_fetched(w->tokens, fetch, &a);
}

static void check_story(struct world *w, const char *wanted)
{
    check_slice(buf_slice(&w->story), slice_of(wanted));
    buf_clear(&w->story);
}

static void check_on_disk(struct world *w, const char *token)
{
    struct arena arena = {0};
    struct grant g;

    check_int(grants_read(w->dir, smart.name, &arena, &g), 0);
    check_slice(g.refresh_token, slice_of(token));
    arena_done(&arena);
}

static void pass_s(struct world *w, uint64_t seconds)
{
    fake_clock_advance(&w->clock, seconds * 1000000);
}

static void one_refresh_for_all(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r1\n");
    provider_gives(&w, 1, "a1", "");
    check_story(&w, "given 7 a1\ngiven 8 a1\n");
    wish(&w, 9, 0);
    check_story(&w, "given 9 a1\n");
    pass_s(&w, 3539);
    wish(&w, 10, 0);
    check_story(&w, "given 10 a1\n");
    pass_s(&w, 2); /* a minute before it ends */
    wish(&w, 11, 0);
    check_story(&w, "fetch 2 r1\n");
    provider_gives(&w, 2, "a2", "");
    check_story(&w, "given 11 a2\n");
    end(&w);
}

static void a_rotated_token_is_durable_first(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    provider_gives(&w, 1, "a1", "r2");
    check_story(&w, "fetch 1 r1\ngiven 7 a1\n");
    /* The power goes. A vault that is born anew begins with it. */
    tokens_free(w.tokens);
    disk_dir_close(w.dir);
    fake_disk_crash(w.disk, 1);
    check_int(grants_open(fake_disk(w.disk), SLICE("/spool"), &w.dir), 0);
    check_on_disk(&w, "r2");
    begin_vault(&w);
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r2\n");
    provider_gives(&w, 1, "a2", "r3");
    check_on_disk(&w, "r3");
    end(&w);
}

static void one_that_cannot_be_written_is_not_used(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    fake_disk_fail_sync(fake_disk(w.disk), -ENOSPC);
    provider_gives(&w, 1, "a1", "r2");
    check_story(&w, "fetch 1 r1\nlater 7\n");
    check_on_disk(&w, "r1");
    wish(&w, 8, 0); /* the disk is well again */
    check_story(&w, "given 8 a1\n");
    check_on_disk(&w, "r2");
    end(&w);
}

/* What could not be written is still the one that counts, until somebody logs in. */
static void one_that_was_never_written(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    fake_disk_fail_sync(fake_disk(w.disk), -ENOSPC);
    provider_gives(&w, 1, "a1", "r2");
    pass_s(&w, 3600);
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r1\nlater 7\nfetch 2 r2\n");
    fake_disk_fail_sync(fake_disk(w.disk), -ENOSPC);
    provider_gives(&w, 2, "a2", "r3");
    log_in(&w, "2", "s1", "me@example.org");
    pass_s(&w, 3600);
    wish(&w, 9, 0);
    check_story(&w, "later 8\nfetch 3 s1\n");
    end(&w);
}

static void who_did_not_log_in_is_told_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    wish(&w, 7, 0);
    check_story(&w, "alarm\nlogin 7\n");
    assert_string_equal(w.alarm, "relay 'smart' has no login; its mail waits until you type: "
                                 "postroad oauth login smart -c /etc/p.conf");
    wish(&w, 8, 0);
    check_story(&w, "login 8\n");
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 9, 0);
    check_story(&w, "fetch 1 r1\n");
    provider_gives(&w, 1, "a1", "");
    check_story(&w, "given 9 a1\n");
    end(&w);
}

static void a_grant_that_ended_is_not_asked_for_again(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    provider_says(&w, 1, 400, "invalid_grant");
    check_story(&w, "fetch 1 r1\nalarm\nlogin 7\n");
    assert_string_equal(w.alarm,
                        "relay 'smart' must log in again, its provider said invalid_grant: "
                        "Revoked?by ?[31mhim; its mail waits until you type: "
                        "postroad oauth login smart -c /etc/p.conf");
    pass_s(&w, 86400);
    wish(&w, 8, 0);
    check_story(&w, "login 8\n");
    log_in(&w, "2", "s1", "me@example.org");
    wish(&w, 9, 0);
    provider_gives(&w, 2, "a1", "");
    check_story(&w, "fetch 2 s1\ngiven 9 a1\n");
    /* The next time it ends is told again. */
    pass_s(&w, 3600);
    wish(&w, 10, 0);
    provider_says(&w, 3, 400, "invalid_grant");
    check_story(&w, "fetch 3 s1\nalarm\nlogin 10\n");
    end(&w);
}

static void the_login_must_be_for_this(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "you@example.org");
    wish(&w, 7, 0);
    check_story(&w, "alarm\nlogin 7\n");
    end(&w);
}

static void a_provider_that_is_away(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    provider_says(&w, 1, 503, "");
    check_story(&w, "fetch 1 r1\nlater 7\n");
    wish(&w, 8, 0);
    check_story(&w, "later 8\n");
    pass_s(&w, 11);
    wish(&w, 9, 0);
    check_story(&w, "fetch 2 r1\n");
    provider_says(&w, 2, 0, "");
    check_story(&w, "later 9\n");
    w.fetch_fails = true;
    pass_s(&w, 11);
    wish(&w, 10, 0);
    check_story(&w, "fetch 3 r1\nlater 10\n");
    end(&w);
}

static void wrong_settings_are_told_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    provider_says(&w, 1, 401, "invalid_client");
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r1\nalarm\nwrong 7\nwrong 8\n");
    pass_s(&w, 301);
    wish(&w, 9, 0);
    provider_says(&w, 2, 401, "invalid_client");
    check_story(&w, "fetch 2 r1\nwrong 9\n");
    end(&w);
}

static void a_token_that_the_server_refuses(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    provider_gives(&w, 1, "a1", "");
    check_story(&w, "fetch 1 r1\ngiven 7 a1\n");
    /* A new one is not replaced by one that is as new. */
    pass_s(&w, 9);
    wish(&w, 8, w.serial);
    check_story(&w, "later 8\n");
    pass_s(&w, 2);
    uint64_t refused = w.serial;
    wish(&w, 9, refused);
    check_story(&w, "fetch 2 r1\n");
    provider_gives(&w, 2, "a2", "");
    check_story(&w, "given 9 a2\n");
    /* Who complains of the one before gets this one. */
    wish(&w, 10, refused);
    check_story(&w, "given 10 a2\n");
    end(&w);
}

static void an_answer_that_is_lost(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    pass_s(&w, 119);
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r1\n");
    pass_s(&w, 1);
    wish(&w, 9, 0);
    check_story(&w, "fetch 2 r1\n");
    provider_gives(&w, 1, "late", "");
    provider_gives(&w, 2, "a1", "");
    check_story(&w, "given 7 a1\ngiven 8 a1\ngiven 9 a1\n");
    end(&w);
}

/* Another server and another provider, under the same name. */
static const struct oauth other_oauth = {.token = SLICE_INIT("https://other.example/token"),
                                         .client = SLICE_INIT("app2")};
static const struct relay other = {
    .name = SLICE_INIT("smart"), .user = SLICE_INIT("me@other.example"), .oauth = &other_oauth};

static void set_relay(struct world *w, const struct relay *relay)
{
    w->relay = relay;
    tokens_reload(w->tokens);
}

static void log_in_at_other(struct world *w)
{
    struct grant g = {.login = SLICE("2"),
                      .token = other_oauth.token,
                      .client = other_oauth.client,
                      .user = other.user,
                      .refresh_token = SLICE("s1"),
                      .made = SLICE("2026-11-28T07:00:00Z")};

    check_int(grants_login(w->dir, smart.name, &g), 0);
}

static void who_waited_before_a_reload_gets_what_was_asked(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    log_in_at_other(&w);
    set_relay(&w, &other);
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r1\n");
    provider_gives(&w, 1, "a1", "r2");
    check_story(&w, "given 7 a1\nfetch 2 s1\n");
    wish(&w, 9, 0);
    provider_gives(&w, 2, "b1", "");
    check_story(&w, "given 8 b1\ngiven 9 b1\n");
    end(&w);
}

/* The courier has read the settings before us, or after us. */
static void a_wish_by_other_settings(void **state)
{
    static const struct token_wish rows[] = {
        {1, SLICE_INIT("smart"), SLICE_INIT("https://other.example/token"), SLICE_INIT("app"),
         SLICE_INIT("me@example.org"),   0},
        {1, SLICE_INIT("smart"), SLICE_INIT("https://id.example/token"),    SLICE_INIT("app2"),
         SLICE_INIT("me@example.org"),   0},
        {1, SLICE_INIT("smart"), SLICE_INIT("https://id.example/token"),    SLICE_INIT("app"),
         SLICE_INIT("me@other.example"), 0},
    };
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    CHECK_ROWS (i, rows) {
        tokens_wish(w.tokens, &rows[i]);
        check_story(&w, "later 1\n");
    }
    wish(&w, 2, 0);
    check_story(&w, "fetch 1 r1\n");
    tokens_wish(w.tokens, &rows[0]);
    check_story(&w, "later 1\n");
    end(&w);
}

/* The provider is the same: what it gave is used and kept, never the one before once more. */
static void a_reload_shows_no_refresh_token_twice(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    tokens_reload(w.tokens);
    wish(&w, 8, 0);
    provider_gives(&w, 1, "a1", "r2");
    check_story(&w, "fetch 1 r1\ngiven 7 a1\nfetch 2 r2\n");
    check_on_disk(&w, "r2");
    end(&w);
}

static void what_was_refused_before_a_reload(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    tokens_reload(w.tokens);
    wish(&w, 8, 0);
    provider_says(&w, 1, 401, "invalid_client");
    check_story(&w, "fetch 1 r1\nwrong 7\nfetch 2 r1\n");
    provider_says(&w, 2, 401, "invalid_client");
    check_story(&w, "alarm\nwrong 8\n");
    end(&w);
}

static void reloads_while_one_answer_is_awaited(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    tokens_reload(w.tokens);
    wish(&w, 8, 0);
    tokens_reload(w.tokens);
    check_story(&w, "fetch 1 r1\nlater 8\n");
    wish(&w, 9, 0);
    set_relay(&w, NULL);
    check_story(&w, "later 9\n");
    provider_gives(&w, 1, "a1", "");
    check_story(&w, "given 7 a1\n");
    wish(&w, 10, 0);
    check_story(&w, "wrong 10\n");
    end(&w);
}

static void an_answer_that_is_lost_over_a_reload(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    tokens_reload(w.tokens);
    wish(&w, 8, 0);
    pass_s(&w, 120);
    wish(&w, 9, 0);
    check_story(&w, "fetch 1 r1\nlater 7\nfetch 2 r1\n");
    provider_gives(&w, 1, "late", "");
    provider_gives(&w, 2, "a1", "");
    check_story(&w, "given 8 a1\ngiven 9 a1\n");
    wish(&w, 10, 0);
    check_story(&w, "given 10 a1\n");
    end(&w);
}

/* Nothing else is asked meanwhile: it is still nobody's. */
static void an_answer_that_comes_late_over_a_reload(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    set_relay(&w, &other);
    pass_s(&w, 120);
    wish(&w, 8, 0);
    check_story(&w, "fetch 1 r1\nlater 7\nalarm\nlogin 8\n");
    provider_gives(&w, 1, "late", "");
    log_in_at_other(&w);
    wish(&w, 9, 0);
    check_story(&w, "fetch 2 s1\n");
    end(&w);
}

/* Each call to the disk fails in turn: no refresh token is shown but the one that counts. */
static void a_disk_that_fails_while_it_is_read(void **state)
{
    unsigned asked = 0, later = 0;

    (void)state;
    for (unsigned call = 1; call <= 8; call++) {
        struct world w;

        begin(&w);
        log_in(&w, "1", "r1", "me@example.org");
        wish(&w, 7, 0);
        provider_gives(&w, 1, "a1", "r2");
        check_story(&w, "fetch 1 r1\ngiven 7 a1\n");
        pass_s(&w, 3600);
        fake_disk_fail_at(w.disk, fake_disk_calls(w.disk) + call, -EIO);
        wish(&w, 8, 0);
        if (slice_equal(buf_slice(&w.story), SLICE("fetch 2 r2\n")))
            asked++;
        else if (slice_equal(buf_slice(&w.story), SLICE("later 8\n")))
            later++;
        else
            check_story(&w, "fetch 2 r2, or later 8");
        end(&w);
    }
    check(asked > 0 && later > 0);
}

static void a_reload_begins_anew(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "you@example.org");
    wish(&w, 7, 0);
    check_story(&w, "alarm\nlogin 7\n");
    tokens_reload(w.tokens);
    wish(&w, 8, 0); /* the settings are as wrong as before */
    check_story(&w, "alarm\nlogin 8\n");
    log_in(&w, "2", "r2", "me@example.org");
    wish(&w, 9, 0);
    tokens_reload(w.tokens);
    provider_gives(&w, 1, "a1", "");
    check_story(&w, "fetch 1 r2\ngiven 9 a1\n");
    tokens_reload(w.tokens);
    wish(&w, 10, 0);
    check_story(&w, "fetch 2 r2\n");
    end(&w);
}

static void a_courier_that_comes_back(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    log_in(&w, "1", "r1", "me@example.org");
    wish(&w, 7, 0);
    tokens_courier_gone(w.tokens);
    provider_gives(&w, 1, "a1", "r2"); /* nobody can have said it */
    check_story(&w, "fetch 1 r1\n");
    check_on_disk(&w, "r1");
    wish(&w, 7, 0);
    provider_gives(&w, 2, "a2", "");
    check_story(&w, "fetch 2 r1\ngiven 7 a2\n");
    tokens_wish(w.tokens, &(struct token_wish){.number = 8, .relay = SLICE("nobody")});
    check_story(&w, "wrong 8\n");
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_refresh_for_all),
        cmocka_unit_test(a_rotated_token_is_durable_first),
        cmocka_unit_test(one_that_cannot_be_written_is_not_used),
        cmocka_unit_test(one_that_was_never_written),
        cmocka_unit_test(who_did_not_log_in_is_told_once),
        cmocka_unit_test(a_grant_that_ended_is_not_asked_for_again),
        cmocka_unit_test(the_login_must_be_for_this),
        cmocka_unit_test(a_provider_that_is_away),
        cmocka_unit_test(wrong_settings_are_told_once),
        cmocka_unit_test(a_token_that_the_server_refuses),
        cmocka_unit_test(an_answer_that_is_lost),
        cmocka_unit_test(a_reload_begins_anew),
        cmocka_unit_test(who_waited_before_a_reload_gets_what_was_asked),
        cmocka_unit_test(a_wish_by_other_settings),
        cmocka_unit_test(a_reload_shows_no_refresh_token_twice),
        cmocka_unit_test(what_was_refused_before_a_reload),
        cmocka_unit_test(reloads_while_one_answer_is_awaited),
        cmocka_unit_test(an_answer_that_is_lost_over_a_reload),
        cmocka_unit_test(an_answer_that_comes_late_over_a_reload),
        cmocka_unit_test(a_disk_that_fails_while_it_is_read),
        cmocka_unit_test(a_courier_that_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
