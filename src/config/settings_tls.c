/*
 * settings_tls.c - what the word `tls` means: certificates of the file, and how a listener uses
 * them.
 *
 * Whether the files hold a certificate and the key that belongs to it takes OpenSSL, which this
 * room does not know: somebody with more knowledge judges them (struct settings_judge).
 */
#include "config/settings_internal.h"

enum {
    SMTP_PORT = 25,
    SUBMISSIONS_PORT = 465, /* RFC 8314 3.3 */
    PEM_MAX = 256 * 1024,
};

/* ---- certificates ---- */

/* The same name may have a certificate of each kind of key. Before all files are at hand, and where
 * nobody can tell the kinds, it is as it should be. */
static const struct settings_certificate *find_rival(const struct parser *p, struct slice name,
                                                     struct slice chain)
{
    const struct settings_certificate *one = p->settings->certificates;

    if (p->judge == NULL || p->sources.wanted_count > 0)
        return NULL;
    while (one != NULL &&
           (!slice_equal(one->name, name) || !p->judge->is_same_kind(one->chain, chain)))
        one = one->next;
    return one;
}

static struct slice where_is(struct parser *p, const struct settings_certificate *c,
                             struct place from)
{
    const struct certificate_word *one = p->certificate_words;

    while (one->certificate != c)
        one = one->next;
    return desk_where(&p->desk, one->word, from);
}

static void remember_word(struct parser *p, const struct settings_certificate *c, struct place word)
{
    struct certificate_word *one = ARENA_NEW(p->desk.scratch, struct certificate_word);

    *one = (struct certificate_word){p->certificate_words, c, word};
    p->certificate_words = one;
}

static bool is_free(struct parser *p, struct slice name, struct slice chain, struct place where)
{
    const struct settings_certificate *earlier = find_rival(p, name, chain);

    if (earlier == NULL)
        return true;
    if (name.len == 0)
        return desk_error(&p->desk, where,
                          arena_printf(p->desk.scratch,
                                       "a second certificate for everybody, the first is in %.*s",
                                       SLICE_PRINTF(where_is(p, earlier, where))),
                          SLICE("say for which name it is: tls mx2.example.org /PATH /PATH"));
    return desk_error(&p->desk, where,
                      arena_printf(p->desk.scratch, "'%.*s' has a certificate already, in %.*s",
                                   SLICE_PRINTF(name), SLICE_PRINTF(where_is(p, earlier, where))),
                      SLICE("keep one of them, or take an RSA and an ECDSA certificate"));
}

/* Empty when it is not at hand yet; false: it was told what is wrong. */
static bool read_pem(struct parser *p, const struct value *path, bool secret, struct slice hint,
                     struct slice *out)
{
    const struct source *source = sources_get(&p->sources, path->text);

    if (source == NULL)
        return true;
    if (!desk_was_read(&p->desk, path->place, source, hint))
        return false;
    if (source->text.len > PEM_MAX)
        return desk_error(
            &p->desk, path->place,
            arena_printf(p->desk.scratch, "%.*s is larger than 256 KiB", SLICE_PRINTF(path->text)),
            SLICE("certificates and keys are smaller"));
    if (secret && (source->flags & SOURCE_FOR_ALL) != 0)
        desk_error(&p->desk, path->place, SLICE("everybody on this machine may read this key"),
                   arena_printf(p->desk.scratch, "type: chmod o-r %.*s", SLICE_PRINTF(path->text)));
    *out = arena_copy(&p->settings->arena, source->text);
    return true;
}

static void tell_fault(struct parser *p, const struct value *path, const char *fault,
                       struct slice hint)
{
    if (fault != NULL)
        desk_error(&p->desk, path->place,
                   arena_printf(p->desk.scratch, "%.*s %s", SLICE_PRINTF(path->text), fault), hint);
}

static void judge(struct parser *p, const struct settings_certificate *c, const struct value *chain,
                  const struct value *key)
{
    const char *fault;

    if (p->judge == NULL || p->sources.wanted_count > 0)
        return;
    fault = p->judge->chain_fault(c->chain);
    if (fault != NULL)
        tell_fault(p, chain, fault, SLICE("write: tls [NAME] CERTIFICATE KEY"));
    else
        tell_fault(p, key, p->judge->key_fault(c->chain, c->key), SLICE(""));
}

static const struct slice where_from =
    SLICE_INIT("how to get one is told in /usr/share/doc/postroad/install.md");

bool parser_add_certificate(struct parser *p, struct place word, const struct value *values)
{
    bool named = values[0].then != SHAPE_NONE;
    const struct value *chain = &values[named], *key = chain + 1;
    struct slice name = named ? values[0].text : SLICE("");
    struct settings_certificate *c;

    c = ARENA_NEW(&p->settings->arena, struct settings_certificate);
    *c = (struct settings_certificate){
        .name = name, .chain_path = chain->text, .key_path = key->text};
    remember_word(p, c, word);
    bool readable = read_pem(p, chain, false, where_from, &c->chain);

    if (read_pem(p, key, true, SLICE(""), &c->key) && readable)
        judge(p, c, chain, key);
    if (!is_free(p, name, c->chain, named ? values[0].place : word))
        return false;
    /* The one for everybody comes first. */
    if (named) {
        *p->last_certificate = c;
        p->last_certificate = &c->next;
    } else {
        c->next = p->settings->certificates;
        p->settings->certificates = c;
        if (c->next == NULL)
            p->last_certificate = &c->next;
    }
    return true;
}

/* ---- listeners ---- */

bool parser_set_listener_tls(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->listener->tls = (enum listener_tls)values[0].number;
    if (p->listener != &p->nowhere)
        p->listener_tls[p->listener - p->listeners] = values[0].place;
    return true;
}

bool parser_read_authorities(struct parser *p, const struct value *path, struct slice who,
                             struct slice *out)
{
    if (!read_pem(p, path, false, SLICE(""), out))
        return false;
    if (p->judge != NULL && p->sources.wanted_count == 0)
        tell_fault(p, path, p->judge->authorities_fault(*out), who);
    return true;
}

bool parser_set_client_ca(struct parser *p, struct place word, const struct value *values)
{
    struct settings_listener *l = p->listener;

    (void)word;
    l->client_ca_path = values[0].text;
    (void)parser_read_authorities(p, &values[0], SLICE("it names who vouches for clients"),
                                  &l->client_ca);
    return true;
}

/* Mail from everywhere comes to port 25, and begins in the clear. */
static void check_port(struct parser *p, const struct settings_listener *l, struct place where)
{
    if (l->kind != LISTENER_MX || l->port != SMTP_PORT)
        return;
    if (l->tls == LISTENER_TLS_IMPLICIT)
        desk_error(&p->desk, where,
                   SLICE("other servers begin without TLS on port 25: nothing would come in"),
                   SLICE("write: tls optional"));
    if (l->tls == LISTENER_TLS_REQUIRED)
        desk_warning(&p->desk, where, SLICE("servers without TLS cannot deliver here"),
                     SLICE("RFC 3207 section 4 wants 'optional' on port 25"));
}

/* With a certificate, and no word about it. */
static enum listener_tls usual_tls(const struct settings_listener *l)
{
    switch (l->kind) {
    case LISTENER_MX: return LISTENER_TLS_OPTIONAL;
    case LISTENER_SUBMISSION:
        return l->port == SUBMISSIONS_PORT ? LISTENER_TLS_IMPLICIT : LISTENER_TLS_REQUIRED;
    case LISTENER_LMTP:
    case LISTENER_LOCAL: break;
    }
    return LISTENER_TLS_OFF;
}

void parser_finish_tls(struct parser *p, bool has_certificate)
{
    for (size_t i = 0; i < p->settings->listener_count; i++) {
        struct settings_listener *l = &p->listeners[i];

        if (p->listener_tls[i].line == 0)
            l->tls = has_certificate ? usual_tls(l) : LISTENER_TLS_OFF;
        if (l->tls != LISTENER_TLS_OFF && !has_certificate)
            desk_error(&p->desk, p->listener_tls[i], SLICE("TLS needs a certificate"),
                       SLICE("write in a line of its own: tls /PATH/CERTIFICATE /PATH/KEY"));
        if (l->tls == LISTENER_TLS_OFF && l->client_ca_path.len > 0)
            desk_error(&p->desk, p->listener_words[i],
                       SLICE("client-ca needs TLS, and this listener does none"),
                       SLICE("write in its block: tls required"));
        check_port(p, l, p->listener_tls[i]);
    }
}
