/*
 * settings_show_test.c - what is shown is a configuration, and means the same as what was written.
 */
#include "config/settings_show.h"

#include "check.h"
#include "config/schema.h"

#include <string.h>

enum { SHOWN_MAX = 64 * 1024 };

static const struct {
    struct slice path, text;
} files[] = {
    {SLICE_INIT("/people"), SLICE_INIT("ann@h.example:{SSHA}\n")                                    },
    {SLICE_INIT("/pencil"), SLICE_INIT("hush\n")                                                    },
    {SLICE_INIT("/ink"),    SLICE_INIT("hush\n")                                                    },
    {SLICE_INIT("/mx.pem"), SLICE_INIT("chain\n")                                                   },
    {SLICE_INIT("/mx.key"), SLICE_INIT("hush\n")                                                    },
    {SLICE_INIT("/more"),   SLICE_INIT("log json\nreject to domain \"x.example\" "
                                     "\"5.7.1 say \\\"please\\\" \\\\\"\n")},
};

static const struct slice written =
    SLICE_INIT("hostname   h.example   # of this machine\n"
               "queue /q; postmaster ann@h.example; tls /mx.pem /mx.key\n"
               "table people accounts /people\n"
               "include /more\n"
               "listen mx *:25\n"
               "listen submission *:465 { auth people; max-size 98304 }\n"
               "listen lmtp unix:/run/lmtp { line-ends repair }\n"
               "source out 192.0.2.1\n"
               "relay direct { source out; retry 5m 1h }\n"
               "relay smart { host a.example b.example; user me file:/pencil\n}\n"
               "relay cloud { host c.example; user me; oauth2 google { client id file:/ink } }\n"
               "limit to any { connections 10 }\n"
               "limit from user ann@h.example { recipients 7/d }\n"
               "accept to domain h.example users people deliver maildir /m/{domain}/{user}\n"
               "accept from local,authenticated to any relay direct\n");

/* Words that nobody wrote, beside those that somebody did. */
static const char *const parts[] = {
    "queue /q {\n    min-free 320M  # default\n",
    "\npostmaster ann@h.example\n",
    "\n# include /more\nlog json\n",
    "\nreject to domain \"x.example\" \"5.7.1 say \\\"please\\\" \\\\\"\n",
    "listen mx *:25 {\n    max-size 50M  # default\n",
    "    line-ends strict  # default\n",
    "    line-ends repair  # default\n",
    "    tls optional  # default\n",
    "    tls implicit  # default\n",
    "    tls off  # default\n",
    "\nsource out 192.0.2.1\n",
    "    retry 5m 1h\n    helo h.example  # default\n",
    "    host a.example b.example\n    user me file:/pencil\n",
    "    tls verified  # default\n",
    "        token https://oauth2.googleapis.com/token  # default\n",
    "limit to any {\n    connections 10\n}\n",
    "limit from user ann@h.example {\n    recipients 7/d\n    connections 100  # default\n",
    "limit from any {\n    connections 50  # default\n    rate 600/m  # default\n",
    "    recipients 500/h  # default\n",
    "\norigin h.example  # default\n",
};

static struct settings *parse(struct slice text, struct buf *bundle)
{
    struct settings_errors errors;

    buf_init(bundle, BUNDLE_MAX);
    check(bundle_add(bundle, SLICE("f"), 0, text));
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        check(bundle_add(bundle, files[i].path, 0, files[i].text));
    struct settings *s = settings_parse(buf_slice(bundle), NULL, &errors);
    check_slice(buf_slice(&errors.text), SLICE(""));
    settings_errors_done(&errors);
    assert_non_null(s);
    return s;
}

/* "# default" and what is a comment altogether are not what a line says. */
static struct slice without_comments(struct arena *arena, struct slice text)
{
    struct slice line, said, comment, out = SLICE("");

    while (slice_cut(text, '\n', &line, &text)) {
        if (!slice_cut(line, '#', &said, &comment))
            said = line;
        if (slice_trim(said).len > 0)
            out = arena_printf(arena, "%.*s%.*s\n", SLICE_PRINTF(out),
                               SLICE_PRINTF(slice_trim(said)));
    }
    return out;
}

static void check_same_listener(const struct settings_listener *a,
                                const struct settings_listener *b)
{
    check_slice(a->address, b->address);
    check_int(a->tls, b->tls);
    check_int(a->line_ends, b->line_ends);
    check_int(a->max_size, b->max_size);
    check_int(a->faults, b->faults);
    check_int(a->auth_cleartext, b->auth_cleartext);
    check_int(a->hide_client, b->hide_client);
}

static void check_same_relay(const struct relay *a, const struct relay *b)
{
    check_slice(a->name, b->name);
    check_int(a->host_count, b->host_count);
    check_int(a->family, b->family);
    check_int(a->tls, b->tls);
    check_int(a->report, b->report);
    check(memcmp(&a->retry, &b->retry, sizeof(a->retry)) == 0);
    check_int(a->oauth == NULL, b->oauth == NULL);
    if (a->oauth != NULL) {
        check_slice(a->oauth->authorize, b->oauth->authorize);
        check_slice(a->oauth->token, b->oauth->token);
        check_slice(a->oauth->scope, b->oauth->scope);
    }
}

static void check_same_allowance(const struct allowance *a, const struct allowance *b)
{
    check_int(a->connections, b->connections);
    check(memcmp(&a->rate, &b->rate, sizeof(a->rate)) == 0);
    check_int(a->network_connections, b->network_connections);
    check(memcmp(&a->network_rate, &b->network_rate, sizeof(a->network_rate)) == 0);
    check(memcmp(&a->recipients, &b->recipients, sizeof(a->recipients)) == 0);
    check(memcmp(&a->messages, &b->messages, sizeof(a->messages)) == 0);
    check_int(a->errors, b->errors);
}

static void check_same(struct arena *arena, const struct settings *a, const struct settings *b)
{
    static const unsigned char address[16] = {0x20, 1};

    check_slice(a->rules.origin, b->rules.origin);
    check_slice(address_text(arena, &a->rules.postmaster),
                address_text(arena, &b->rules.postmaster));
    check_int(a->max_size, b->max_size);
    check_int(a->queue_min_free, b->queue_min_free);
    check_int(a->dns_source, b->dns_source);
    check_int(a->log_form, b->log_form);
    check_int(a->rules.count, b->rules.count);
    check_int(a->limit_count, b->limit_count);
    check_same_allowance(allowance_for_client(a->allowances, a->allowance_count, address),
                         allowance_for_client(b->allowances, b->allowance_count, address));
    check_same_allowance(allowance_for(a->allowances, a->allowance_count, SLICE("x")),
                         allowance_for(b->allowances, b->allowance_count, SLICE("x")));
    check_int(a->listener_count, b->listener_count);
    for (size_t i = 0; i < a->listener_count; i++)
        check_same_listener(&a->listeners[i], &b->listeners[i]);
    const struct relay *other = b->relays;
    for (const struct relay *one = a->relays; one != NULL; one = one->next, other = other->next)
        check_same_relay(one, other);
}

static void test_means_the_same(void **state)
{
    struct buf bundle, shown, again, other_bundle;
    struct arena arena = {0};

    (void)state;
    buf_init(&shown, SHOWN_MAX);
    buf_init(&again, SHOWN_MAX);
    struct settings *s = parse(written, &bundle);
    check(settings_show(s, buf_slice(&bundle), &shown));
    CHECK_ROWS (i, parts)
        if (memmem(buf_slice(&shown).data, buf_len(&shown), parts[i], strlen(parts[i])) == NULL)
            fail_msg("not shown: %s, in:\n%.*s", parts[i], SLICE_PRINTF(buf_slice(&shown)));
    struct settings *other = parse(buf_slice(&shown), &other_bundle);
    check_same(&arena, s, other);
    check(settings_show(other, buf_slice(&other_bundle), &again));
    check_slice(without_comments(&arena, buf_slice(&again)),
                without_comments(&arena, buf_slice(&shown)));
    check(memmem(buf_slice(&shown).data, buf_len(&shown), "hush", 4) == NULL);
    settings_free(s);
    settings_free(other);
    buf_done(&bundle);
    buf_done(&other_bundle);
    buf_done(&shown);
    buf_done(&again);
    arena_done(&arena);
}

/* Each row is told to people; its form begins with its word. */
static void test_schema_speaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < schema_count; i++) {
        const struct schema_row *row = &schema[i];

        if (row->apply == NULL)
            continue;
        if (row->form == NULL || row->help == NULL)
            fail_msg("%.*s: no form, or no help", SLICE_PRINTF(row->word));
        if (!slice_equal(row->word, SLICE("\"text\"")))
            check(slice_starts(slice_of(row->form), row->word));
        check(!slice_ends(slice_of(row->help), SLICE(".")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means_the_same),
        cmocka_unit_test(test_schema_speaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
