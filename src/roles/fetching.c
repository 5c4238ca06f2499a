/*
 * fetching.c - what vault and courier say to each other about the web, as bytes.
 *
 * A text for people may be cut; a token or a name that is too long is none.
 */
#include "roles/fetching.h"

/* ---- what is asked ---- */

bool fetching_write(struct buf *out, const struct fetching *f)
{
    size_t before = buf_len(out);

    if (put_u64(out, f->number) && put_u8(out, (uint8_t)f->kind) && put_bytes(out, f->listener) &&
        put_bytes(out, f->relay) && put_bytes(out, f->url) &&
        put_u8(out, (uint8_t)f->terms.claim) && put_bytes(out, f->terms.audience) &&
        put_bytes(out, f->header) && put_bytes(out, f->form))
        return true;
    buf_truncate(out, before);
    return false;
}

static bool get_terms(struct cursor *c, struct introspection_terms *out)
{
    uint8_t claim;

    if (!get_u8(c, &claim) || claim > CLAIM_EMAIL ||
        !get_bytes(c, FETCHING_NAME_MAX, &out->audience))
        return false;
    out->claim = (enum introspection_claim)claim;
    return true;
}

static bool get_kind(struct cursor *c, enum fetching_kind *out)
{
    uint8_t kind;

    if (!get_u8(c, &kind) || kind > FETCHING_REFRESH)
        return false;
    *out = (enum fetching_kind)kind;
    return true;
}

bool fetching_read(struct cursor *c, struct fetching *out)
{
    struct cursor at = *c;
    struct fetching f = {0};

    if (!get_u64(&at, &f.number) || !get_kind(&at, &f.kind) ||
        !get_bytes(&at, FETCHING_NAME_MAX, &f.listener) ||
        !get_bytes(&at, FETCHING_NAME_MAX, &f.relay) || !get_bytes(&at, OAUTH_URL_MAX, &f.url) ||
        !get_terms(&at, &f.terms) || !get_bytes(&at, FETCHING_HEADER_MAX, &f.header) ||
        !get_bytes(&at, OAUTH_FORM_MAX, &f.form))
        return false;
    *c = at;
    *out = f;
    return true;
}

/* ---- what came ---- */

static bool put_whole(struct buf *out, struct slice text, size_t max)
{
    return put_bytes(out, text.len <= max ? text : SLICE(""));
}

static bool put_text(struct buf *out, struct slice text)
{
    return put_bytes(out, slice_head(text, FETCHED_TEXT_MAX));
}

static bool put_whose(struct buf *out, const struct introspection_answer *a)
{
    return put_u8(out, (uint8_t)a->verdict) && put_whole(out, a->user, INTROSPECTION_USER_MAX) &&
           put_u64(out, a->expires_s);
}

static bool put_token(struct buf *out, const struct oauth_answer *a)
{
    return put_whole(out, a->access_token, OAUTH_TOKEN_MAX) && put_text(out, a->token_type) &&
           put_whole(out, a->refresh_token, OAUTH_TOKEN_MAX) && put_u64(out, a->expires_in_s) &&
           put_text(out, a->error) && put_text(out, a->description);
}

bool fetched_write(struct buf *out, const struct fetched *f)
{
    size_t before = buf_len(out);
    bool fits = put_u64(out, f->number) && put_u8(out, (uint8_t)f->kind) &&
                put_u16(out, (uint16_t)f->status) && put_text(out, f->why);

    switch (f->kind) {
    case FETCHING_INTROSPECTION: fits = fits && put_whose(out, &f->whose); break;
    case FETCHING_REFRESH: fits = fits && put_token(out, &f->token); break;
    }
    if (!fits)
        buf_truncate(out, before);
    return fits;
}

static bool get_whose(struct cursor *c, struct introspection_answer *out)
{
    uint8_t verdict;

    if (!get_u8(c, &verdict) || verdict > INTROSPECTION_GARBAGE ||
        !get_bytes(c, INTROSPECTION_USER_MAX, &out->user) || !get_u64(c, &out->expires_s))
        return false;
    out->verdict = (enum introspection_verdict)verdict;
    return true;
}

static bool get_token(struct cursor *c, struct oauth_answer *out)
{
    return get_bytes(c, OAUTH_TOKEN_MAX, &out->access_token) &&
           get_bytes(c, FETCHED_TEXT_MAX, &out->token_type) &&
           get_bytes(c, OAUTH_TOKEN_MAX, &out->refresh_token) && get_u64(c, &out->expires_in_s) &&
           get_bytes(c, FETCHED_TEXT_MAX, &out->error) &&
           get_bytes(c, FETCHED_TEXT_MAX, &out->description);
}

bool fetched_read(struct cursor *c, struct fetched *out)
{
    struct cursor at = *c;
    struct fetched f = {0};
    uint16_t status;

    if (!get_u64(&at, &f.number) || !get_kind(&at, &f.kind) || !get_u16(&at, &status) ||
        !get_bytes(&at, FETCHED_TEXT_MAX, &f.why))
        return false;
    f.status = status;
    f.token.status = status;
    if (!(f.kind == FETCHING_REFRESH ? get_token(&at, &f.token) : get_whose(&at, &f.whose)))
        return false;
    *c = at;
    *out = f;
    return true;
}
