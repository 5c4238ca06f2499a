/*
 * server_params.c - the parameters of MAIL and RCPT.
 *
 * Each is a row: its name, the extension it belongs to, and who reads its value into what. What is
 * decoded here goes into the queue and later into headers of reports, so a value that holds a
 * control character after decoding is no value (SECURITY.md, threat 9).
 */
#include "smtp/server_params.h"

#include "base/codec.h"
#include "wire/chars.h"
#include "wire/date.h"
#include "wire/utf8.h"

#define BAD(name, text)                                                                            \
    static const struct reply name = {501, SLICE_INIT("5.5.4"), SLICE_INIT("Error: " text)}

BAD(bad_size, "SIZE wants a number of bytes");
BAD(bad_body, "BODY is 7BIT or 8BITMIME");
BAD(bad_body_of_three, "BODY is 7BIT, 8BITMIME or BINARYMIME");
BAD(bad_smtputf8, "SMTPUTF8 takes no value");
BAD(bad_ret, "RET is FULL or HDRS");
BAD(bad_envid, "ENVID wants up to 100 characters of xtext");
BAD(bad_priority, "MT-PRIORITY is a number from -9 to 9");
BAD(bad_by, "BY wants seconds;R or seconds;N, and R a time to come");
BAD(bad_solicit, "SOLICIT wants keywords as org.example:WORD");
BAD(bad_hold, "HOLDFOR wants seconds, HOLDUNTIL a date and time; one of them");
BAD(past_hold, "HOLDUNTIL names a time that is over");
BAD(by_before_release, "the time of BY is over before the message is released");
BAD(bad_requiretls, "REQUIRETLS takes no value");
BAD(bad_auth, "AUTH wants an address in xtext, or <>");
BAD(bad_notify, "NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY");
BAD(bad_orcpt, "ORCPT wants type;address in xtext");

struct reading {
    struct server *s;
    const struct smtp_param *param;
    struct mail_params *mail;
    struct rcpt_params *rcpt;
};

static bool is_digit(char c)
{
    return char_is(c, CHAR_DIGIT);
}

/* So many digits and nothing else. */
static bool read_digits(struct slice text, size_t len_max, uint64_t *out)
{
    struct cursor digits = {text}, c = {text};

    take_while(&digits, is_digit);
    return text.len > 0 && text.len <= len_max && cursor_at_end(&digits) && take_number(&c, out);
}

/* RFC 1870 4: up to 20 digits. What exceeds 64 bits exceeds every limit. */
static const struct reply *read_size(struct reading *r)
{
    struct slice text = r->param->value;
    struct cursor digits = {text};

    take_while(&digits, is_digit);
    if (text.len == 0 || text.len > 20 || !cursor_at_end(&digits))
        return &bad_size;
    if (!read_digits(text, 20, &r->mail->size))
        r->mail->size = UINT64_MAX;
    return NULL;
}

static const struct reply *read_body(struct reading *r)
{
    struct slice value = r->param->value;
    bool binary = (r->s->settings->offers & EHLO_BINARYMIME) != 0;

    if (slice_equal_nocase(value, SLICE("8BITMIME")))
        r->mail->body = BODY_8BITMIME;
    else if (binary && slice_equal_nocase(value, SLICE("BINARYMIME")))
        r->mail->body = BODY_BINARYMIME;
    else if (!slice_equal_nocase(value, SLICE("7BIT")))
        return binary ? &bad_body_of_three : &bad_body;
    return NULL;
}

static const struct reply *read_smtputf8(struct reading *r)
{
    if (r->param->has_value)
        return &bad_smtputf8;
    r->mail->smtputf8 = true;
    return NULL;
}

static const struct reply *read_ret(struct reading *r)
{
    if (slice_equal_nocase(r->param->value, SLICE("FULL")))
        r->mail->wishes.ret = RETURN_FULL;
    else if (slice_equal_nocase(r->param->value, SLICE("HDRS")))
        r->mail->wishes.ret = RETURN_HEADERS;
    else
        return &bad_ret;
    return NULL;
}

/* False when it is no xtext, or hides what has no place in a header. */
static bool read_xtext(struct reading *r, struct slice text, struct slice *out)
{
    struct buf decoded;
    bool good;

    buf_init(&decoded, text.len);
    good = xtext_decode(&decoded, text) && utf8_printable(buf_slice(&decoded));
    if (good)
        *out = arena_copy(&r->s->scratch, buf_slice(&decoded));
    buf_done(&decoded);
    return good;
}

static const struct reply *read_envid(struct reading *r)
{
    bool good = r->param->has_value && r->param->value.len <= ENVID_MAX &&
                read_xtext(r, r->param->value, &r->mail->wishes.envid);

    return good ? NULL : &bad_envid;
}

/* RFC 6710 3. */
static const struct reply *read_priority(struct reading *r)
{
    struct cursor c = {r->param->value};
    bool negative = take_char(&c, '-');
    uint64_t level;

    if (!read_digits(c.rest, 1, &level) || (negative && level == 0))
        return &bad_priority;
    r->mail->wishes.priority = negative ? -(int)level : (int)level;
    return NULL;
}

/* RFC 2852 4: by-time ";" by-mode ["T"]; a return wants a time that is still to come. */
static const struct reply *read_by(struct reading *r)
{
    struct envelope_wishes *w = &r->mail->wishes;
    struct slice number, mode;
    struct cursor c;
    uint64_t seconds;

    if (!slice_cut(r->param->value, ';', &number, &mode))
        return &bad_by;
    c = (struct cursor){number};
    bool negative = take_char(&c, '-');
    bool returns = slice_starts_nocase(mode, SLICE("R"));
    bool traces = mode.len == 2 && slice_ends_nocase(mode, SLICE("T"));

    if (!read_digits(c.rest, 9, &seconds) || (!returns && !slice_starts_nocase(mode, SLICE("N"))) ||
        mode.len > (traces ? 2u : 1u) || (returns && (negative || seconds == 0)))
        return &bad_by;
    w->by = returns ? BY_RETURN : BY_NOTIFY;
    w->by_trace = traces;
    w->by_s = negative ? -(int64_t)seconds : (int64_t)seconds;
    return NULL;
}

/* RFC 3865 4: words of letters, digits and ".-_:,". */
static const struct reply *read_solicit(struct reading *r)
{
    struct slice value = r->param->value;

    if (value.len == 0 || value.len > SOLICIT_MAX)
        return &bad_solicit;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (!char_is(c, CHAR_LETDIG) && c != '.' && c != '-' && c != '_' && c != ':' && c != ',')
            return &bad_solicit;
    }
    r->mail->wishes.solicit = arena_copy(&r->s->scratch, value);
    return NULL;
}

uint64_t server_hold_until_max_us(const struct server *s)
{
    return s->wall_us + HOLD_MAX_S * UINT64_C(1000000);
}

static const struct reply *too_late(struct server *s)
{
    struct reply *r = ARENA_NEW(&s->scratch, struct reply);
    struct buf text;

    buf_init(&text, 160);
    buf_printf(&text, "Error: a message is held for at most %d seconds, until ", HOLD_MAX_S);
    date_write_rfc3339(&text, server_hold_until_max_us(s));
    *r = REPLY(501, "5.5.4", "");
    r->text = arena_copy(&s->scratch, buf_slice(&text));
    buf_done(&text);
    return r;
}

/* RFC 4865 4: up to nine digits. */
static const struct reply *read_hold_for(struct reading *r)
{
    uint64_t seconds;

    if (release_is_later(&r->mail->wishes) || !read_digits(r->param->value, 9, &seconds) ||
        seconds == 0)
        return &bad_hold;
    if (seconds > HOLD_MAX_S)
        return too_late(r->s);
    r->mail->wishes.hold_for_s = (uint32_t)seconds;
    return NULL;
}

static const struct reply *read_hold_until(struct reading *r)
{
    uint64_t until_us;

    if (release_is_later(&r->mail->wishes) || !date_parse_iso(r->param->value, &until_us))
        return &bad_hold;
    if (until_us <= r->s->wall_us)
        return &past_hold;
    if (until_us > server_hold_until_max_us(r->s))
        return too_late(r->s);
    r->mail->wishes.hold_until_us = until_us;
    return NULL;
}

static const struct reply *read_requiretls(struct reading *r)
{
    if (r->param->has_value)
        return &bad_requiretls;
    r->mail->wishes.require_tls = true;
    return NULL;
}

/* RFC 4954 5: who is not trusted to say it is believed nothing; but the form must be right. */
static const struct reply *read_auth(struct reading *r)
{
    struct slice decoded;
    struct address ignored;

    if (slice_equal(r->param->value, SLICE("<>")))
        return NULL;
    if (r->param->value.len == 0 || !read_xtext(r, r->param->value, &decoded) ||
        !address_parse(decoded, &r->s->scratch, &ignored))
        return &bad_auth;
    return NULL;
}

static const struct {
    struct slice word;
    enum notify notify;
} notify_words[] = {
    {SLICE_INIT("NEVER"),   NOTIFY_NEVER  },
    {SLICE_INIT("SUCCESS"), NOTIFY_SUCCESS},
    {SLICE_INIT("FAILURE"), NOTIFY_FAILURE},
    {SLICE_INIT("DELAY"),   NOTIFY_DELAY  },
};

static unsigned notify_of(struct slice word)
{
    for (size_t i = 0; i < sizeof(notify_words) / sizeof(*notify_words); i++)
        if (slice_equal_nocase(word, notify_words[i].word))
            return notify_words[i].notify;
    return 0;
}

/* RFC 3461 4.1: each word once, NEVER alone. */
static const struct reply *read_notify(struct reading *r)
{
    struct slice word, rest = r->param->value;
    unsigned all = 0;
    bool more = true;

    while (more) {
        more = slice_cut(rest, ',', &word, &rest);
        unsigned one = notify_of(more ? word : rest);

        if (one == 0 || (all & one) != 0)
            return &bad_notify;
        all |= one;
    }
    if ((all & NOTIFY_NEVER) != 0 && all != NOTIFY_NEVER)
        return &bad_notify;
    r->rcpt->notify = all;
    return NULL;
}

static bool is_type(struct slice type)
{
    for (size_t i = 0; i < type.len; i++)
        if (!char_is(type.data[i], CHAR_LETDIG) && type.data[i] != '-')
            return false;
    return type.len > 0;
}

/* RFC 3461 4.2: addr-type ";" xtext; RFC 6533 3 adds the type utf-8, whose own encoding stays as
 * it is. An address of type rfc822 must be one. */
static const struct reply *read_orcpt(struct reading *r)
{
    struct slice type, text, decoded;
    struct address address;

    if (r->param->value.len > ORCPT_MAX || !slice_cut(r->param->value, ';', &type, &text) ||
        !is_type(type) || text.len == 0 || !read_xtext(r, text, &decoded))
        return &bad_orcpt;
    if (slice_equal_nocase(type, SLICE("rfc822"))) {
        struct slice bare = decoded;

        if (slice_starts(bare, SLICE("<")) && slice_ends(bare, SLICE(">")))
            bare = slice_head(slice_skip(bare, 1), bare.len - 2);
        if (!address_parse(bare, &r->s->scratch, &address))
            return &bad_orcpt;
        decoded = bare;
    }
    r->rcpt->orcpt =
        arena_printf(&r->s->scratch, "%.*s;%.*s", SLICE_PRINTF(type), SLICE_PRINTF(decoded));
    return NULL;
}

struct row {
    struct slice name;
    unsigned keyword; /* of enum ehlo_keyword; 0: always */
    const struct reply *(*read)(struct reading *r);
};

static const struct row mail_rows[] = {
    {SLICE_INIT("SIZE"),        0,                  read_size      },
    {SLICE_INIT("BODY"),        0,                  read_body      },
    {SLICE_INIT("SMTPUTF8"),    0,                  read_smtputf8  },
    {SLICE_INIT("RET"),         EHLO_DSN,           read_ret       },
    {SLICE_INIT("ENVID"),       EHLO_DSN,           read_envid     },
    {SLICE_INIT("MT-PRIORITY"), EHLO_MT_PRIORITY,   read_priority  },
    {SLICE_INIT("BY"),          EHLO_DELIVERBY,     read_by        },
    {SLICE_INIT("SOLICIT"),     EHLO_NO_SOLICITING, read_solicit   },
    {SLICE_INIT("HOLDFOR"),     EHLO_FUTURERELEASE, read_hold_for  },
    {SLICE_INIT("HOLDUNTIL"),   EHLO_FUTURERELEASE, read_hold_until},
    {SLICE_INIT("REQUIRETLS"),  EHLO_REQUIRETLS,    read_requiretls},
    {SLICE_INIT("AUTH"),        EHLO_AUTH,          read_auth      },
};

static const struct row rcpt_rows[] = {
    {SLICE_INIT("NOTIFY"), EHLO_DSN, read_notify},
    {SLICE_INIT("ORCPT"),  EHLO_DSN, read_orcpt },
};

static const struct reply *unsupported(struct server *s, struct slice name)
{
    struct reply *r = ARENA_NEW(&s->scratch, struct reply);

    *r = REPLY(555, "5.5.4", "");
    r->text = arena_printf(&s->scratch, "Unsupported option: %.*s", SLICE_PRINTF(name));
    return r;
}

static const struct reply *read_one(struct reading *r, const struct row *rows, size_t count)
{
    unsigned offered = server_offers(r->s);

    for (size_t i = 0; i < count && r->s->esmtp; i++)
        if (slice_equal_nocase(rows[i].name, r->param->name) && (rows[i].keyword & ~offered) == 0)
            return rows[i].read(r);
    return unsupported(r->s, r->param->name);
}

static const struct reply *read_all(struct reading *r, const struct smtp_command *cmd,
                                    const struct row *rows, size_t count)
{
    const struct reply *refusal = NULL;

    for (unsigned i = 0; i < cmd->param_count && refusal == NULL; i++) {
        r->param = &cmd->params[i];
        refusal = read_one(r, rows, count);
    }
    return refusal;
}

/* Both count from now on. RFC 2852 4, RFC 4865 4. */
static bool ends_before_release(const struct server *s, const struct envelope_wishes *w)
{
    struct envelope e = {.arrival_us = s->wall_us, .wishes = *w};

    return w->by != BY_UNSAID && release_is_later(w) && release_by_s(&e) <= 0;
}

const struct reply *server_mail_params(struct server *s, const struct smtp_command *cmd,
                                       struct mail_params *out)
{
    struct reading r = {.s = s, .mail = out};
    const struct reply *refusal =
        read_all(&r, cmd, mail_rows, sizeof(mail_rows) / sizeof(*mail_rows));

    return refusal == NULL && ends_before_release(s, &out->wishes) ? &by_before_release : refusal;
}

const struct reply *server_rcpt_params(struct server *s, const struct smtp_command *cmd,
                                       struct rcpt_params *out)
{
    struct reading r = {.s = s, .rcpt = out};

    return read_all(&r, cmd, rcpt_rows, sizeof(rcpt_rows) / sizeof(*rcpt_rows));
}
