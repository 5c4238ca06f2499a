/*
 * token.c - what courier and vault say to each other about tokens, as bytes.
 */
#include "roles/token.h"

enum { TOKEN_NAME_MAX = 1024 };

bool token_wish_write(struct buf *out, const struct token_wish *w)
{
    size_t before = buf_len(out);

    if (put_u64(out, w->number) && put_bytes(out, w->relay) && put_bytes(out, w->provider) &&
        put_bytes(out, w->client) && put_bytes(out, w->user) && put_u64(out, w->refused))
        return true;
    buf_truncate(out, before);
    return false;
}

bool token_wish_read(struct cursor *c, struct token_wish *out)
{
    struct cursor at = *c;
    struct token_wish w = {0};

    if (!get_u64(&at, &w.number) || !get_bytes(&at, TOKEN_NAME_MAX, &w.relay) ||
        !get_bytes(&at, OAUTH_URL_MAX, &w.provider) || !get_bytes(&at, TOKEN_NAME_MAX, &w.client) ||
        !get_bytes(&at, TOKEN_NAME_MAX, &w.user) || !get_u64(&at, &w.refused))
        return false;
    *c = at;
    *out = w;
    return true;
}

static size_t text_max(enum token_result result)
{
    return result == TOKEN_GIVEN ? OAUTH_TOKEN_MAX : TOKEN_TEXT_MAX;
}

bool token_answer_write(struct buf *out, const struct token_answer *a)
{
    size_t before = buf_len(out);

    if (put_u64(out, a->number) && put_u8(out, (uint8_t)a->result) && put_u64(out, a->serial) &&
        put_bytes(out, slice_head(a->text, text_max(a->result))))
        return true;
    buf_truncate(out, before);
    return false;
}

bool token_answer_read(struct cursor *c, struct token_answer *out)
{
    struct cursor at = *c;
    struct token_answer a = {0};
    uint8_t result;

    if (!get_u64(&at, &a.number) || !get_u8(&at, &result) || result > TOKEN_LATER)
        return false;
    a.result = (enum token_result)result;
    if (!get_u64(&at, &a.serial) || !get_bytes(&at, text_max(a.result), &a.text))
        return false;
    *c = at;
    *out = a;
    return true;
}
