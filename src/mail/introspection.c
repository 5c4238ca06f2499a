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

/* RFC 7662 2.2: `aud` is for whom it was given, `client_id` to whom. Many providers say one of them
 * only. */
static bool is_for(const struct json_object *o, struct slice audience)
{
    return audience.len == 0 || json_object_names(o, SLICE("aud"), audience) ||
           slice_equal(json_object_text(o, SLICE("client_id")), audience);
}

static enum introspection_verdict judge(const struct json_object *o, bool active, struct slice user,
                                        struct slice audience)
{
    if (!active || user.len == 0 || user.len > INTROSPECTION_USER_MAX)
        return INTROSPECTION_INACTIVE;
    return is_for(o, audience) ? INTROSPECTION_ACTIVE : INTROSPECTION_ELSEWHERE;
}

void introspection_read(struct slice body, const struct introspection_terms *terms,
                        struct arena *arena, struct introspection_answer *out)
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
    out->user = json_object_text(&o, names[terms->claim]);
    (void)json_object_number(&o, SLICE("exp"), &out->expires_s);
    out->verdict = judge(&o, active, out->user, terms->audience);
}
