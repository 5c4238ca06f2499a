/*
 * user_list.c - the names of schemes, never what stands behind them.
 */
#include "cmd/user_list.h"

#include "base/buf.h"
#include "mail/account_line.h"
#include "mail/table.h"
#include "wire/json.h"

#include <stdio.h>

enum { LINE_MAX_BYTES = 1024 * 1024 };

static struct slice scheme_of(struct slice password)
{
    if (password.len == 0)
        return SLICE("none");
    if (slice_starts(password, SLICE("{")))
        return slice_head(slice_skip(password, 1), slice_find(slice_skip(password, 1), '}'));
    return slice_starts(password, SLICE("$")) ? SLICE("CRYPT") : SLICE("unknown");
}

static struct slice value_of(const struct account_line *l, struct slice name)
{
    struct slice field;

    return account_field_find(l->extra, name, &field) ? account_field_value(field) : SLICE("");
}

static bool has_keys(const struct account_line *l)
{
    return slice_starts_nocase(l->password, SLICE("{SCRAM-SHA-256}")) ||
           value_of(l, account_field_scram).len > 0;
}

static bool is_disabled(const struct account_line *l)
{
    struct slice field;

    return account_field_find(l->extra, account_field_nologin, &field);
}

static void put_row(struct buf *out, const struct account_line *l)
{
    struct slice send = value_of(l, SLICE("postroad_send"));
    struct slice console = value_of(l, SLICE("postroad_console"));

    (void)buf_printf(out, "%-32.*s %-16.*s %-5s %-8s", SLICE_PRINTF(l->name),
                     SLICE_PRINTF(scheme_of(l->password)), has_keys(l) ? "yes" : "no",
                     is_disabled(l) ? "disabled" : "yes");
    if (send.len > 0)
        (void)buf_printf(out, " writes as %.*s", SLICE_PRINTF(send));
    if (console.len > 0)
        (void)buf_printf(out, " console: %.*s", SLICE_PRINTF(console));
    (void)buf_append_char(out, '\n');
}

static void put_object(struct json *j, const struct account_line *l)
{
    struct slice rest = value_of(l, SLICE("postroad_send")), pattern;
    struct slice console = value_of(l, SLICE("postroad_console"));

    json_open(j, NULL, '{');
    json_text(j, "name", l->name);
    json_text(j, "scheme", scheme_of(l->password));
    json_bool(j, "scram", has_keys(l));
    json_bool(j, "disabled", is_disabled(l));
    json_open(j, "send", '[');
    while (rest.len > 0) {
        size_t len = slice_find(rest, ',');

        pattern = slice_head(rest, len);
        rest = slice_skip(rest, len + 1);
        json_text(j, NULL, pattern);
    }
    json_close(j, ']');
    if (console.len > 0)
        json_text(j, "console", console);
    json_close(j, '}');
    (void)buf_append_char(j->out, '\n');
    j->follows = false;
}

void user_list(struct slice text, bool json)
{
    struct arena arena = {0};
    struct complaints ignored = {.arena = &arena};
    struct table_reader r = table_reader_of(text, &ignored);
    struct table_line line;
    struct buf out;
    struct json j = {.out = &out};

    buf_init(&out, LINE_MAX_BYTES);
    if (!json)
        printf("%-32s %-16s %-5s %-8s\n", "Name", "Password", "SCRAM", "Logs in");
    while (table_next_line(&r, &line)) {
        struct account_line l = account_line_of(line.text);

        if (json)
            put_object(&j, &l);
        else
            put_row(&out, &l);
        fwrite(buf_slice(&out).data, 1, buf_len(&out), stdout);
        buf_clear(&out);
    }
    buf_done(&out);
    arena_done(&arena);
}
