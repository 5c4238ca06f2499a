/*
 * shapes.c - one word into one checked value.
 *
 * A reader says only whether the word has its shape; what to tell the person stands beside it in
 * the table. Values are kept in canonical form, so that later comparisons are those of bytes:
 * domains as A-labels in lower case, addresses parsed.
 */
#include "config/shapes.h"

#include "mail/mailbox_path.h"
#include "wire/chars.h"
#include "wire/url.h"
#include "wire/utf8.h"

#include <string.h>

#define MIB (1024ull * 1024)

enum { USER_MAX = 512 /* bytes; what sasl/mechanism.h takes */ };

static bool read_host(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    unsigned char ip[4];
    struct slice name, ascii;

    if (ipv4_parse(word->text, ip) || !domain_parse(word->text, desk->scratch, &name) ||
        !domain_to_ascii(name, desk->scratch, &ascii))
        return false;
    out->text = arena_copy(desk->keep, ascii);
    return true;
}

static bool read_domains(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    bool below = slice_starts(word->text, SLICE("*."));
    struct slice name, ascii;

    if (!domain_parse(slice_skip(word->text, below ? 2 : 0), desk->scratch, &name) ||
        !domain_to_ascii(name, desk->scratch, &ascii))
        return false;
    out->text = arena_printf(desk->keep, "%s%.*s", below ? "*." : "", SLICE_PRINTF(ascii));
    return true;
}

static bool read_mailbox(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    return address_parse(word->text, desk->keep, &out->address) &&
           out->address.kind != ADDRESS_NULL;
}

/* In ASCII: whoever gets the mail may not take SMTPUTF8, and what was written did not need it. */
static bool read_rewritten(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct slice user = SLICE("{user}"), text = word->text;
    struct address a = {.kind = ADDRESS_MAILBOX};
    struct slice domain;

    out->number = REWRITE_TO_LOCAL;
    if (slice_starts(text, user)) {
        out->number = REWRITE_KEEPS_USER;
        text = slice_skip(text, user.len);
    } else if (slice_starts(text, SLICE("@"))) {
        out->number = REWRITE_KEEPS_LOCAL;
    }
    if (out->number == REWRITE_TO_LOCAL) {
        if (!address_parse(text, desk->scratch, &a) || a.kind != ADDRESS_MAILBOX ||
            !utf8_is_ascii(a.local))
            return false;
    } else if (!slice_starts(text, SLICE("@")) ||
               !domain_parse(slice_skip(text, 1), desk->scratch, &a.domain)) {
        return false;
    }
    if (!domain_to_ascii(a.domain, desk->scratch, &domain))
        return false;
    a.domain = domain;
    a.utf8 = false;
    out->address = address_copy(desk->keep, &a);
    return true;
}

static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!char_is(c, CHAR_LETDIG) && c != '-' && c != '_')
            return false;
    }
    return text.len > 0;
}

/* <NAME> stands for what is in a table. */
static bool is_table(const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};
    struct slice name;

    if (word->quoted || !take_char(&c, '<') || !take_until(&c, '>', &name) || !take_char(&c, '>') ||
        !cursor_at_end(&c) || !is_name(name))
        return false;
    out->is_table = true;
    out->text = name;
    return true;
}

static bool read_domain_set(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    return is_table(word, out) || read_domains(desk, word, out);
}

static bool read_mailbox_set(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    return is_table(word, out) || read_mailbox(desk, word, out);
}

static bool read_table(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    (void)desk;
    if (!is_table(word, out))
        out->text = word->text;
    return out->text.len > 0;
}

static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool take_ip(struct cursor *c, struct settings_listener *out)
{
    struct slice text;

    if (take_char(c, '*')) {
        out->any = true;
        return true;
    }
    if (take_char(c, '['))
        return take_until(c, ']', &text) && take_char(c, ']') && ipv6_parse(text, out->ip);
    if (!take_until(c, ':', &text) || !ipv4_parse(text, out->ip + 12))
        return false;
    memcpy(out->ip, v4_mapped, sizeof(v4_mapped));
    out->ipv4 = true;
    return true;
}

static bool read_ip(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    static const unsigned char zero[16], none[16] = {[10] = 0xff, [11] = 0xff};
    unsigned char *ip = out->server.ip;

    (void)desk;
    if (ipv4_parse(word->text, ip + 12))
        memcpy(ip, v4_mapped, sizeof(v4_mapped));
    else if (!ipv6_parse(word->text, ip))
        return false;
    return memcmp(ip, zero, sizeof(zero)) != 0 && memcmp(ip, none, sizeof(none)) != 0;
}

static bool read_network(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    (void)desk;
    return network_parse(word->text, &out->network);
}

/* sun_path, less its NUL. */
enum { UNIX_PATH_MAX = 107 };

static bool read_socket(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};
    uint64_t port;

    if (take_word(&c, SLICE("unix:"))) {
        out->socket.address = arena_copy(desk->keep, word->text);
        out->socket.path = slice_skip(out->socket.address, word->text.len - c.rest.len);
        return c.rest.len > 1 && c.rest.len <= UNIX_PATH_MAX && c.rest.data[0] == '/';
    }
    if (!take_ip(&c, &out->socket) || !take_char(&c, ':') || !take_number(&c, &port) ||
        !cursor_at_end(&c) || port == 0 || port > UINT16_MAX)
        return false;
    out->socket.port = (uint16_t)port;
    out->socket.address = arena_copy(desk->keep, word->text);
    return true;
}

static bool take_port_only(struct slice text)
{
    struct cursor c = {text};
    uint64_t port;

    return take_number(&c, &port) && cursor_at_end(&c) && port > 0 && port <= UINT16_MAX;
}

static bool read_resolver(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct slice ip = word->text, port;
    unsigned char bytes[16];

    if (slice_equal(word->text, SLICE("system")) || slice_equal(word->text, SLICE("recursive"))) {
        out->number = slice_equal(word->text, SLICE("system")) ? DNS_FROM_SYSTEM : DNS_FROM_ROOT;
        return true;
    }
    if (slice_cut(word->text, '@', &ip, &port) && !take_port_only(port))
        return false;
    out->number = DNS_FROM_FORWARDER;
    out->text = arena_copy(desk->keep, word->text);
    return ipv4_parse(ip, bytes) || ipv6_parse(ip, bytes);
}

static bool read_path(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    out->text = arena_copy(desk->keep, word->text);
    return slice_starts(word->text, SLICE("/")) && word->text.len > 1;
}

/* A login as its server knows it, which need not be an address. */
static bool read_user(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    out->text = arena_copy(desk->keep, word->text);
    return word->text.len > 0 && word->text.len <= USER_MAX && utf8_printable(word->text);
}

static bool read_secret(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};

    if (!take_word(&c, SLICE("file:")) || !slice_starts(c.rest, SLICE("/")) || c.rest.len < 2)
        return false;
    out->text = arena_copy(desk->keep, c.rest);
    return true;
}

static bool read_url(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct url url;

    out->text = arena_copy(desk->keep, word->text);
    return url_parse_https(word->text, &url);
}

/* RFC 6749 3.3: words of VSCHAR without quotes and backslashes, one blank between them. */
static bool read_scope(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct slice text = word->text;

    for (size_t i = 0; i < text.len; i++) {
        bool blank = text.data[i] == ' ' && i > 0 && i + 1 < text.len && text.data[i - 1] != ' ';

        if (!blank && (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '"' ||
                       text.data[i] == '\\'))
            return false;
    }
    out->text = arena_copy(desk->keep, text);
    return text.len > 0;
}

/* RFC 6749 A.1: VSCHAR. */
static bool read_client(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    for (size_t i = 0; i < word->text.len; i++)
        if (!char_is(word->text.data[i], CHAR_PRINT))
            return false;
    out->text = arena_copy(desk->keep, word->text);
    return word->text.len > 0 && word->text.len <= USER_MAX;
}

static bool read_certificate(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    if (slice_starts(word->text, SLICE("/")))
        return read_path(desk, word, out);
    out->then = SHAPE_PATH;
    return read_domains(desk, word, out);
}

/* Tried with the longest names there are: a template must suit every recipient of its rule. */
static bool read_template(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    char *slashes = memset(arena_alloc(desk->scratch, DOMAIN_MAX), '/', DOMAIN_MAX);
    const struct address sample = {
        ADDRESS_MAILBOX, {slashes, LOCAL_PART_MAX},
         {slashes, DOMAIN_MAX    },
         false
    };
    struct slice root, rest, path;

    out->text = arena_copy(desk->keep, word->text);
    return mailbox_template_split(word->text, &root, &rest) &&
           mailbox_path_expand(rest, &sample, desk->scratch, &path);
}

static const struct {
    char letter;
    uint64_t factor;
} size_units[] = {
    {'K', 1024      },
    {'M', MIB       },
    {'G', 1024 * MIB}
};

static bool read_size(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};

    (void)desk;
    if (!take_number(&c, &out->number))
        return false;
    for (size_t i = 0; i < sizeof(size_units) / sizeof(*size_units); i++) {
        if (!take_char(&c, size_units[i].letter))
            continue;
        if (__builtin_mul_overflow(out->number, size_units[i].factor, &out->number))
            return false;
        break;
    }
    return cursor_at_end(&c) && out->number > 0;
}

static const struct {
    char letter;
    unsigned seconds;
} time_units[] = {
    {'s', 1           },
    {'m', 60          },
    {'h', 60 * 60     },
    {'d', 24 * 60 * 60}
};

static bool read_duration(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    static const uint64_t longest = 365ull * 24 * 60 * 60;
    struct cursor c = {word->text};

    (void)desk;
    if (!take_number(&c, &out->number))
        return false;
    for (size_t i = 0; i < sizeof(time_units) / sizeof(*time_units); i++) {
        if (!take_char(&c, time_units[i].letter))
            continue;
        return cursor_at_end(&c) && out->number > 0 &&
               !__builtin_mul_overflow(out->number, time_units[i].seconds, &out->number) &&
               out->number <= longest;
    }
    return false;
}

static bool read_delay(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    if (!slice_equal(word->text, SLICE("never")) && !slice_equal(word->text, SLICE("0")))
        return read_duration(desk, word, out);
    out->number = 0;
    return true;
}

static bool is_unlimited(const struct syntax_word *word)
{
    return slice_equal(word->text, SLICE("unlimited"));
}

static bool read_at_most(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};

    (void)desk;
    return is_unlimited(word) || (take_number(&c, &out->number) && cursor_at_end(&c) &&
                                  out->number > 0 && out->number <= RATE_COUNT_MAX);
}

static bool read_rate(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};
    uint64_t count;

    (void)desk;
    if (is_unlimited(word))
        return true;
    if (!take_number(&c, &count) || count == 0 || count > RATE_COUNT_MAX || !take_char(&c, '/'))
        return false;
    out->rate.count = (uint32_t)count;
    for (size_t i = 0; i < sizeof(time_units) / sizeof(*time_units); i++)
        if (take_char(&c, time_units[i].letter))
            out->rate.per_s = time_units[i].seconds;
    return out->rate.per_s > 0 && cursor_at_end(&c);
}

static bool read_server(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    if (route_target_parse(word->text, 0, desk->keep, &out->server))
        return true;
    if (!route_target_parse(word->text, UINT16_MAX, desk->keep, &out->server))
        return false;
    out->server.port = 0;
    return true;
}

/* RFC 2033 5 gives LMTP no port of its own. */
static bool read_lmtp_server(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    return route_target_parse(word->text, 0, desk->keep, &out->server);
}

/* "5.7.1 text", or text alone. A 4.x.x asks the client to come again: 450. */
static bool read_refusal(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    struct cursor c = {word->text};
    struct slice enhanced = SLICE("5.7.1");
    uint64_t number;

    /* A number that is no such code was meant to be one: "550 5.1.1 text", "9.9.9 text". */
    if (!enhanced_code_take(&c, &enhanced) && take_number(&c, &number))
        return false;
    if ((enhanced.data[0] != '4' && enhanced.data[0] != '5') || !utf8_is_ascii(c.rest))
        return false;
    out->refusal = (struct reply){
        .code = enhanced.data[0] == '4' ? 450 : 554,
        .enhanced = arena_copy(desk->keep, enhanced),
        .text = arena_copy(desk->keep, slice_trim(c.rest)),
    };
    return true;
}

static bool read_name(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    out->text = arena_copy(desk->keep, word->text);
    return is_name(word->text);
}

/* Whether there is one of that name is settings.c's business. */
static bool read_reference(struct desk *desk, const struct syntax_word *word, struct value *out)
{
    (void)desk;
    out->text = word->text;
    return word->text.len > 0;
}

/* clang-format off */
const struct shape_info shapes[SHAPE_COUNT] = {
    [SHAPE_HOST] = {SLICE_INIT("a host name"),
        SLICE_INIT("write a full name: mx1.example.org"), read_host},
    [SHAPE_DOMAINS] = {SLICE_INIT("a domain"),
        SLICE_INIT("write example.org, or *.example.org for all names below it"), read_domains},
    [SHAPE_DOMAIN_SET] = {SLICE_INIT("a domain"),
        SLICE_INIT("write example.org, *.example.org for all names below it, or <TABLE>"),
        read_domain_set},
    [SHAPE_MAILBOX_SET] = {SLICE_INIT("an address"),
        SLICE_INIT("write it without brackets: bob@example.org; or <TABLE>"), read_mailbox_set},
    [SHAPE_MAILBOX] = {SLICE_INIT("an address"),
        SLICE_INIT("write it without brackets: bob@example.org"), read_mailbox},
    [SHAPE_REWRITTEN] = {SLICE_INIT("a new address"),
        SLICE_INIT("write bob@example.org; or @example.org, which keeps what stands before the @; in ASCII"),
        read_rewritten},
    [SHAPE_SOCKET] = {SLICE_INIT("an address to listen on"),
        SLICE_INIT("write 192.0.2.1:25, [2001:db8::1]:25, *:25 or unix:/PATH"), read_socket},
    [SHAPE_PATH] = {SLICE_INIT("an absolute path"),
        SLICE_INIT("begin it with '/'"), read_path},
    [SHAPE_USER] = {SLICE_INIT("the name of a user"),
        SLICE_INIT("write it as the server knows it: me@example.org"), read_user},
    [SHAPE_SECRET] = {SLICE_INIT("a secret's file"),
        SLICE_INIT("put it in the first line of a file that others cannot read, and write: file:/PATH"),
        read_secret},
    [SHAPE_SECRET_IF] = {SLICE_INIT("a secret's file"),
        SLICE_INIT("put it in the first line of a file that others cannot read, and write: file:/PATH"),
        read_secret},
    [SHAPE_URL] = {SLICE_INIT("a URL"),
        SLICE_INIT("write https://HOST/PATH, in ASCII, without a user or a fragment"), read_url},
    [SHAPE_SCOPE] = {SLICE_INIT("a scope"),
        SLICE_INIT("write the provider's words with one blank between them: \"smtp offline_access\""),
        read_scope},
    [SHAPE_CLIENT] = {SLICE_INIT("a client's name"),
        SLICE_INIT("write the client ID that the provider gave this program"), read_client},
    [SHAPE_AUDIENCE] = {SLICE_INIT("an audience"),
        SLICE_INIT("write for whom the provider gives its tokens, as it says in `aud` or `client_id`"),
        read_client},
    [SHAPE_CERTIFICATE] = {SLICE_INIT("a certificate's path"),
        SLICE_INIT("begin it with '/'; before it may stand the name that it is for"),
        read_certificate},
    [SHAPE_TEMPLATE] = {SLICE_INIT("a path for mailboxes"),
        SLICE_INIT("begin it with '/', without '//', '.', '..' or a '/' at the end; "
                   "in braces: {domain}, {user}, {local}"), read_template},
    [SHAPE_SIZE] = {SLICE_INIT("a size"),
        SLICE_INIT("write bytes, or a number with K, M or G: 50M"), read_size},
    [SHAPE_RESOLVER] = {SLICE_INIT("a resolver"),
        SLICE_INIT("write system, recursive, or a name server: 192.0.2.53, 2001:db8::53@5300"),
        read_resolver},
    [SHAPE_REFUSAL] = {SLICE_INIT("a refusal"),
        SLICE_INIT("write \"5.1.1 text\" in ASCII, or \"4.2.1 text\" for \"try again later\""), read_refusal},
    [SHAPE_NAME] = {SLICE_INIT("a name"),
        SLICE_INIT("write letters, digits, '-' and '_'"), read_name},
    [SHAPE_TABLE] = {SLICE_INIT("a table"),
        SLICE_INIT("write the name of one: table NAME ..."), read_table},
    [SHAPE_RELAY] = {SLICE_INIT("a relay"),
        SLICE_INIT("write the name of one: relay NAME ..."), read_reference},
    [SHAPE_SOURCE] = {SLICE_INIT("a source"),
        SLICE_INIT("write the name of one: source NAME ..."), read_reference},
    [SHAPE_SERVER] = {SLICE_INIT("a mail server"),
        SLICE_INIT("write smtp.example.net, smtp.example.net:587, 192.0.2.1:25 or [2001:db8::1]:25"),
        read_server},
    [SHAPE_LMTP_SERVER] = {SLICE_INIT("an LMTP server"),
        SLICE_INIT("write unix:/PATH, 127.0.0.1:24, [::1]:24 or NAME:PORT"), read_lmtp_server},
    [SHAPE_IP] = {SLICE_INIT("an address to send from"),
        SLICE_INIT("write 192.0.2.1 or 2001:db8::1, without a port"), read_ip},
    [SHAPE_NETWORK] = {SLICE_INIT("a network"),
        SLICE_INIT("write 192.0.2.0/24 or 2001:db8::/32, without bits behind the prefix, or one address"),
        read_network},
    [SHAPE_DURATION] = {SLICE_INIT("a time"),
        SLICE_INIT("write a number with s, m, h or d, up to 365d: 15m"), read_duration},
    [SHAPE_DELAY] = {SLICE_INIT("a time"),
        SLICE_INIT("write a number with s, m, h or d, up to 365d: 15m; or: never"), read_delay},
    [SHAPE_AT_MOST] = {SLICE_INIT("a number"),
        SLICE_INIT("write one from 1 to 1000000, or: unlimited"), read_at_most},
    [SHAPE_RATE] = {SLICE_INIT("a rate"),
        SLICE_INIT("write how many a second, minute, hour or day, up to 1000000: 10/s, 600/m, 500/h, 5000/d; or: unlimited"),
        read_rate},
    [SHAPE_LISTENER] = {.what = SLICE_INIT("a kind of listener")},
    [SHAPE_LINE_ENDS] = {.what = SLICE_INIT("a way to treat line ends")},
    [SHAPE_LOG] = {.what = SLICE_INIT("a form of log lines")},
    [SHAPE_LISTENER_TLS] = {.what = SLICE_INIT("a way to use TLS")},
    [SHAPE_FROM] = {.what = SLICE_INIT("a kind of client")},
    [SHAPE_SENDER] = {.what = SLICE_INIT("a kind of sender")},
    [SHAPE_TO] = {.what = SLICE_INIT("a kind of recipient")},
    [SHAPE_DELIVER] = {.what = SLICE_INIT("a way to deliver")},
    [SHAPE_TABLE_TYPE] = {.what = SLICE_INIT("a type of table")},
    [SHAPE_ACCESS] = {.what = SLICE_INIT("something that can be denied")},
    [SHAPE_FAMILY] = {.what = SLICE_INIT("a family of addresses")},
    [SHAPE_RELAY_TLS] = {.what = SLICE_INIT("a way to use TLS")},
    [SHAPE_YES_NO] = {.what = SLICE_INIT("yes or no")},
    [SHAPE_LIMIT] = {.what = SLICE_INIT("a kind of limit")},
    [SHAPE_LIMITED] = {.what = SLICE_INIT("something that can be limited")},
    [SHAPE_OAUTH] = {.what = SLICE_INIT("a provider of tokens")},
    [SHAPE_ON_OFF] = {.what = SLICE_INIT("on or off")},
    [SHAPE_WHOSE] = {.what = SLICE_INIT("an address of the envelope")},
    [SHAPE_CLAIM] = {.what = SLICE_INIT("what names the account")},
};

/* clang-format on */

bool shape_is_not(struct desk *desk, const struct syntax_word *word, enum shape shape,
                  struct slice hint)
{
    return desk_error(desk, word->place,
                      arena_printf(desk->scratch, "'%.*s' is not %.*s", SLICE_PRINTF(word->text),
                                   SLICE_PRINTF(shapes[shape].what)),
                      hint);
}
