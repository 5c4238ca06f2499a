/*
 * introspection.c - what a provider is asked about a token, and what it answers.
 *
 * We show who we are by HTTP Basic, which every provider must take (RFC 6749 2.3.1). Name and
 * secret are encoded as in a form before that: they may hold a colon.
 */
#include "mail/introspection.h"

#include "base/codec.h"
#include "wire/form.h"
#include "wire/json_object.h"

enum { CREDENTIALS_MAX = 3 * (1024 + 512) + 1 };

bool introspection_write_form(struct buf *out, struct slice token)
{
    struct form f = {.out = out};

    form_add(&f, "token", token);
    form_add(&f, "token_type_hint", SLICE("access_token"));
    return !f.full;
}

bool introspection_write_header(struct buf *out, const struct introspection *i)
{
    struct buf pair;
    struct form f = {.out = &pair};
    bool fits;

    buf_init(&pair, CREDENTIALS_MAX);
    (void)buf_reserve(&pair, CREDENTIALS_MAX); /* so that it never moves */
    form_encode(&f, i->client);
    f.full = f.full || !buf_append_char(&pair, ':');
    form_encode(&f, buf_slice(&i->secret));
    fits = !f.full && buf_append(out, SLICE("Authorization: Basic ")) &&
           base64_encode(out, buf_slice(&pair));
    buf_wipe(&pair);
    return fits;
}

void introspection_read(struct slice body, enum introspection_claim claim, struct arena *arena,
                        struct introspection_answer *out)
{
    static const struct slice names[] = {
        [CLAIM_USERNAME] = SLICE_INIT("username"),
        [CLAIM_EMAIL] = SLICE_INIT("email"),
    };
    struct json_object o;
    bool active;

    *out = (struct introspection_answer){.verdict = INTROSPECTION_GARBAGE};
    if (!json_object_read(body, arena, &o) || !json_object_bool(&o, SLICE("active"), &active))
        return;
    out->user = json_object_text(&o, names[claim]);
    (void)json_object_number(&o, SLICE("exp"), &out->expires_s);
    out->verdict = active && out->user.len > 0 && out->user.len <= INTROSPECTION_USER_MAX
                       ? INTROSPECTION_ACTIVE
                       : INTROSPECTION_INACTIVE;
}
