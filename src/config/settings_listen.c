/*
 * settings_listen.c - what the words of `listen` mean, but for TLS.
 */
#include "config/settings_internal.h"

#include <string.h>

enum { SMTP_PORT = 25 };

static const uint64_t smallest_max_size = 64 * 1024ull; /* RFC 5321 4.5.3.1.7 */

void parser_check_max_size(struct parser *p, const struct value *value)
{
    if (value->number < smallest_max_size)
        desk_warning(&p->desk, value->place,
                     SLICE("less than 64K, which every mail server must take"),
                     SLICE("RFC 5321 section 4.5.3.1.7"));
}

bool parser_set_listener_max_size(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    parser_check_max_size(p, &values[0]);
    p->listener->max_size = values[0].number;
    return true;
}

bool parser_set_line_ends(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->listener->line_ends = (enum line_ends)values[0].number;
    return true;
}

bool parser_set_faults(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->listener->faults = values[0].number != 0;
    return true;
}

bool parser_add_etrn(struct parser *p, struct place word, const struct value *values)
{
    struct settings_listener *l = p->listener;
    struct etrn_list *one;

    if (l->kind == LISTENER_LMTP)
        return desk_error(&p->desk, word, SLICE("there is no ETRN in LMTP"),
                          SLICE("it stands in the block of: listen mx ADDRESS:PORT"));
    one = ARENA_NEW(&p->settings->arena, struct etrn_list);
    *one = (struct etrn_list){l->etrn, values[0].text};
    l->etrn = one;
    return true;
}

/* One more of those who are believed who the client is; false: it was told. */
static bool add_network(struct parser *p, struct place word, const struct value *value,
                        const struct rule_network **list)
{
    struct rule_network *one;

    if (p->listener->path.len > 0)
        return desk_error(&p->desk, word, SLICE("who comes by this socket has no address"),
                          SLICE("remove it, or listen on an address and a port"));
    if (network_is_world(&value->network))
        return desk_error(&p->desk, value->place,
                          SLICE("so wide a network lets everybody say who he is"),
                          SLICE("write the addresses of your proxies"));
    one = ARENA_NEW(&p->settings->arena, struct rule_network);
    *one = (struct rule_network){*list, value->network};
    *list = one;
    return true;
}

bool parser_add_proxy(struct parser *p, struct place word, const struct value *values)
{
    return add_network(p, word, &values[0], &p->listener->proxies);
}

bool parser_add_speaker(struct parser *p, struct place word, const struct value *values)
{
    return add_network(p, word, &values[0], &p->listener->speakers);
}

/* False: it was told. */
static bool is_for_strangers(struct parser *p, struct place word)
{
    return p->listener->kind == LISTENER_MX ||
           desk_error(&p->desk, word, SLICE("strangers do not come here"),
                      SLICE("it stands in the block of: listen mx ADDRESS:PORT"));
}

bool parser_add_zone(struct parser *p, struct place word, const struct value *values)
{
    struct dnsbl_zone **end = &p->listener->zones;
    unsigned count = 0;

    if (!is_for_strangers(p, word))
        return false;
    for (; *end != NULL; end = &(*end)->next)
        count++;
    if (count == DNSBL_ZONES_MAX)
        return desk_error(&p->desk, values[0].place, SLICE("no more than 16 lists are asked"),
                          SLICE("keep those that you need"));
    *end = ARENA_NEW(&p->settings->arena, struct dnsbl_zone);
    (*end)->name = values[0].text;
    return true;
}

bool parser_set_greet_delay(struct parser *p, struct place word, const struct value *values)
{
    static const uint64_t longest_s = 60;

    if (!is_for_strangers(p, word))
        return false;
    if (values[0].number > longest_s)
        return desk_error(&p->desk, values[0].place, SLICE("good clients would give up"),
                          SLICE("write a time up to 60s; 5s is enough"));
    p->listener->greet_delay_s = (unsigned)values[0].number;
    return true;
}

bool parser_set_drop(struct parser *p, struct place word, const struct value *values)
{
    if (p->listener->kind != LISTENER_LOCAL)
        return desk_error(&p->desk, word, SLICE("only programs of this machine can reach a folder"),
                          SLICE("it stands in the block of: listen local unix:/PATH"));
    p->listener->drop = values[0].text;
    return true;
}

static bool sockets_clash(const struct settings_listener *a, const struct settings_listener *b)
{
    struct slice ip_a = {(const char *)a->ip, sizeof(a->ip)};
    struct slice ip_b = {(const char *)b->ip, sizeof(b->ip)};

    if (a->path.len > 0 || b->path.len > 0)
        return slice_equal(a->path, b->path);
    return a->port == b->port && (a->any || b->any || slice_equal(ip_a, ip_b));
}

bool parser_add_listener(struct parser *p, struct place word, const struct value *values)
{
    struct settings *s = p->settings;
    const struct value *socket = &values[1];
    enum listener_kind kind = (enum listener_kind)values[0].number;

    if (kind == LISTENER_LMTP && socket->socket.port == SMTP_PORT)
        return desk_error(&p->desk, socket->place, SLICE("LMTP must not be spoken on port 25"),
                          SLICE("take another port, or unix:/PATH (RFC 2033 5)"));
    if (kind == LISTENER_SUBMISSION && socket->socket.port == SMTP_PORT)
        return desk_error(&p->desk, socket->place,
                          SLICE("port 25 is for other servers, which cannot log in"),
                          SLICE("take 465 with tls implicit, or 587 with tls required (RFC 8314)"));
    if (kind == LISTENER_LOCAL && socket->socket.path.len == 0)
        return desk_error(&p->desk, socket->place,
                          SLICE("who comes over a network is not known by his user"),
                          SLICE("write a path: listen local unix:/run/postroad/sendmail"));
    if (kind == LISTENER_MX && socket->socket.path.len > 0)
        return desk_error(&p->desk, socket->place, SLICE("other servers cannot reach this socket"),
                          SLICE("write an address and a port, or: listen local unix:/PATH"));
    for (size_t i = 0; i < s->listener_count; i++) {
        if (sockets_clash(&p->listeners[i], &socket->socket))
            return desk_error(&p->desk, socket->place,
                              arena_printf(p->desk.scratch, "%.*s already listens there, on %.*s",
                                           SLICE_PRINTF(desk_where(&p->desk, p->listener_words[i],
                                                                   socket->place)),
                                           SLICE_PRINTF(p->listeners[i].address)),
                              SLICE("remove one, or take another port"));
    }
    p->listener_words[s->listener_count] = word;
    p->listener = &p->listeners[s->listener_count++];
    *p->listener = socket->socket;
    p->listener->kind = kind;
    p->listener->line_ends =
        listener_is_beginning(p->listener) ? LINE_ENDS_REPAIR : LINE_ENDS_STRICT;
    p->listener->file = parser_file(p, word);
    p->listener->line = word.line;
    return true;
}

/* ---- who may log in ---- */

bool parser_set_auth(struct parser *p, struct place word, const struct value *values)
{
    if (p->listener->kind == LISTENER_LMTP || p->listener->kind == LISTENER_LOCAL)
        return desk_error(&p->desk, word,
                          p->listener->kind == LISTENER_LMTP
                              ? SLICE("nobody logs in by LMTP")
                              : SLICE("the kernel says who connects here"),
                          SLICE("it stands in the block of: listen submission ADDRESS:PORT"));
    static const struct settings_table broken; /* it is not missing, too */
    const struct settings_table *table = tables_take(&p->tables, &values[0], TABLE_ACCOUNTS);

    p->listener->auth = table != NULL ? table : &broken;
    return table != NULL;
}

bool parser_set_auth_cleartext(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->listener->auth_cleartext = values[0].number != 0;
    return true;
}

bool parser_set_hide_client(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->listener->hide_client = values[0].number != 0;
    return true;
}

static bool is_loopback(const struct settings_listener *l)
{
    static const unsigned char one[16] = {[15] = 1};

    if (l->path.len > 0)
        return true;
    return !l->any && (l->ipv4 ? l->ip[12] == 127 : memcmp(l->ip, one, sizeof(one)) == 0);
}

static void check_auth(struct parser *p, const struct settings_listener *l, struct place where)
{
    if (l->kind == LISTENER_SUBMISSION && l->auth == NULL)
        desk_error(&p->desk, where, SLICE("who may send from here?"),
                   SLICE("write in its block: auth TABLE, a table of accounts"));
    if (l->auth_cleartext && !is_loopback(l))
        desk_error(&p->desk, where, SLICE("passwords would cross the network in the clear"),
                   SLICE("'auth-cleartext' is for loopback addresses only"));
    if (l->auth_cleartext && l->proxies != NULL)
        desk_error(&p->desk, where,
                   SLICE("behind a proxy nobody is local: passwords would cross the "
                         "network in the clear"),
                   SLICE("remove 'auth-cleartext', or 'proxy-from'"));
    if (l->hide_client && l->auth == NULL && l->kind != LISTENER_SUBMISSION)
        desk_error(&p->desk, where, SLICE("only who has logged in is hidden, and nobody can here"),
                   SLICE("'hide-client' stands in the block of: listen submission ADDRESS:PORT"));
    if (l->kind == LISTENER_SUBMISSION && l->tls == LISTENER_TLS_OFF && !l->auth_cleartext)
        desk_error(&p->desk, where, SLICE("nobody can log in here: there is no TLS"),
                   SLICE("write in its block: tls required, or on port 465: tls implicit"));
}

void parser_finish_listeners(struct parser *p)
{
    bool whole = sources_errors(&p->sources) == 0; /* what is not there is missing */

    for (size_t i = 0; i < p->settings->listener_count; i++) {
        check_auth(p, &p->listeners[i], p->listener_words[i]);
        if (whole)
            parser_check_introspect(p, &p->listeners[i], p->listener_introspect[i]);
    }
}
