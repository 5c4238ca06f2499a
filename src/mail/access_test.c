/*
 * access_test.c - one row, one recipient: which line turns it away, and in what words?
 */
#include "mail/access.h"

#include "check.h"

struct world {
    struct arena arena;
    struct complaints complaints;
    struct network_list *clients, *friends;
    struct name_list *senders, *partners, *rcpts, *open;
    struct access list[6];
};

static struct name_list *names(struct world *w, const char *text)
{
    return name_list_parse(slice_of(text), &w->complaints);
}

static void world_init(struct world *w)
{
    *w = (struct world){0};
    w->complaints.arena = &w->arena;
    w->clients = network_list_parse(SLICE("192.0.2.0/24"), &w->complaints);
    w->friends = network_list_parse(SLICE("192.0.2.7"), &w->complaints);
    w->senders = names(w, "spam.example\n<>\n");
    w->partners = names(w, "ann@spam.example\n");
    w->rcpts = names(w, "old@example.org\n");
    w->open = names(w, "abuse@\n");
    const struct access list[] = {
        {.denies = true,          .about = ACCESS_CLIENT, .networks = w->clients, .line = 1},
        {.denies = true,                       .about = ACCESS_SENDER,                                .names = w->senders,          .line = 2},
        {.denies = true,              .about = ACCESS_RCPT,                                    .names = w->rcpts,                                    .line = 3},
        {.about = ACCESS_CLIENT,      .networks = w->friends,.line = 4},
        {.about = ACCESS_SENDER,.names = w->partners,                          .line = 5                                                                             },
        {.about = ACCESS_RCPT,        .names = w->open,.line = 6},
    };
    memcpy(w->list, list, sizeof(list));
    assert_int_equal(w->complaints.errors, 0);
}

static void world_done(struct world *w)
{
    network_list_free(w->clients);
    network_list_free(w->friends);
    name_list_free(w->senders);
    name_list_free(w->partners);
    name_list_free(w->rcpts);
    name_list_free(w->open);
    arena_done(&w->arena);
}

static struct address path_of(struct world *w, const char *text)
{
    struct cursor c = {slice_of(text)};
    struct address a;

    check(address_take_path(&c, &w->arena, &a));
    return a;
}

static void test_rows(void **state)
{
    static const struct {
        const char *client, *user, *sender, *rcpt;
        unsigned line; /* 0: not turned away */
        const char *text;
    } rows[] = {
        {"198.51.100.1", "",    "<a@b.example>",        "<bob@example.org>",        0, NULL},
        {"192.0.2.1",    "",    "<a@b.example>",        "<bob@example.org>",        1,
         "<unknown[192.0.2.1]>: Client host rejected: Access denied"                       },
        {"192.0.2.7",    "",    "<a@b.example>",        "<bob@example.org>",        0, NULL}, /* a friend */
        {"192.0.2.1",    "ann", "<a@b.example>",        "<bob@example.org>",        0, NULL}, /* logged in */
        {"192.0.2.1",    "",    "<a@b.example>",        "<abuse@example.org>",      0, NULL}, /* an open door */
        {"192.0.2.1",    "",    "<a@b.example>",        "<postmaster@example.org>", 0, NULL}, /* ours */
        {"192.0.2.1",    "",    "<a@b.example>",        "<postmaster>",             0, NULL},
        {"192.0.2.1",    "",    "<a@b.example>",        "<postmaster@far.example>", 1,
         "<unknown[192.0.2.1]>: Client host rejected: Access denied"                       },
        {"198.51.100.1", "",    "<a@spam.example>",     "<bob@example.org>",        2,
         "<a@spam.example>: Sender address rejected: Access denied"                        },
        {"198.51.100.1", "ann", "<a@spam.example>",     "<bob@example.org>",        2,
         "<a@spam.example>: Sender address rejected: Access denied"                        },
        {"198.51.100.1", "",    "<Ann+x@SPAM.example>", "<bob@example.org>",        0, NULL},
        {"192.0.2.1",    "",    "<ann@spam.example>",   "<bob@example.org>",        1,
         "<unknown[192.0.2.1]>: Client host rejected: Access denied"                       }, /* one is not the other */
        {"192.0.2.7",    "",    "<a@spam.example>",     "<bob@example.org>",        2,
         "<a@spam.example>: Sender address rejected: Access denied"                        },
        {"198.51.100.1", "",    "<>",                   "<bob@example.org>",        2,
         "<>: Sender address rejected: Access denied"                                      },
        {"198.51.100.1", "",    "<a@b.example>",        "<old@example.org>",        3,
         "<old@example.org>: Recipient address rejected: Access denied"                    },
        {"198.51.100.1", "",    "<a@b.example>",        "<old>",                    3,
         "<old>: Recipient address rejected: Access denied"                                }, /* completed */
        {"local",        "",    "<a@b.example>",        "<bob@example.org>",        0, NULL},
    };
    static const struct rule mine = {.to = {.match = MATCH_LOCAL}};
    const struct rules rules = {.rules = &mine,
                                .count = 1,
                                .hostname = SLICE("mx.example.org"),
                                .origin = SLICE("example.org")};
    struct world w;

    (void)state;
    world_init(&w);
    CHECK_ROWS (i, rows) {
        struct rules_query query = {.client = slice_of(rows[i].client),
                                    .user = slice_of(rows[i].user),
                                    .sender = path_of(&w, rows[i].sender),
                                    .rcpt = path_of(&w, rows[i].rcpt)};
        const struct access *by = access_denied(w.list, 6, &rules, &query, &w.arena);

        check_int(by == NULL ? 0 : by->line, rows[i].line);
        check(access_denied(NULL, 0, &rules, &query, &w.arena) == NULL);
        if (by == NULL)
            continue;
        struct reply r = access_refusal(by, &query, &w.arena);
        check_int(r.code, 554);
        check_slice(r.enhanced, SLICE("5.7.1"));
        check_slice(r.text, slice_of(rows[i].text));
    }
    world_done(&w);
}

/* Who is not judged by anything else, either. */
static void test_doors(void **state)
{
    static const struct {
        const char *client, *rcpt;
        bool allowed, open;
    } rows[] = {
        {"192.0.2.1", "<bob@example.org>",        false, false},
        {"192.0.2.7", "<bob@example.org>",        true,  false},
        {"192.0.2.1", "<abuse@example.org>",      false, true },
        {"192.0.2.1", "<Postmaster@example.org>", false, true },
        {"192.0.2.1", "<postmaster>",             false, true },
        {"192.0.2.1", "<postmaster@far.example>", false, false},
    };
    static const struct rule mine = {.to = {.match = MATCH_LOCAL}};
    const struct rules rules = {.rules = &mine,
                                .count = 1,
                                .hostname = SLICE("mx.example.org"),
                                .origin = SLICE("example.org")};
    struct world w;

    (void)state;
    world_init(&w);
    CHECK_ROWS (i, rows) {
        struct rules_query query = {.sender = path_of(&w, "<a@b.example>"),
                                    .rcpt = path_of(&w, rows[i].rcpt)};
        unsigned char ip[16];

        check(ip_parse(slice_of(rows[i].client), ip));
        check_int(access_allows_client(w.list, 6, ip), rows[i].allowed);
        check_int(access_is_open(w.list, 6, &rules, &query, &w.arena), rows[i].open);
    }
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_doors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
