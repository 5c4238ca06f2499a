/*
 * login.c - what receiver and vault say to each other, as bytes.
 */
#include "roles/login.h"

enum { LISTENER_MAX = 256, MECHANISM_MAX = 32, CLIENT_MAX = 64, BINDING_MAX = 64 };

static bool put_beginning(struct buf *out, const struct login *l)
{
    return put_bytes(out, l->listener) && put_bytes(out, l->mechanism) &&
           put_bytes(out, l->client) && put_bytes(out, l->channel_binding) &&
           put_bytes(out, l->certificate);
}

bool login_write(struct buf *out, const struct login *l)
{
    size_t before = buf_len(out);

    if (put_u64(out, l->number) && put_u8(out, (uint8_t)l->word) && put_bytes(out, l->response) &&
        (l->word != LOGIN_BEGINS || put_beginning(out, l)))
        return true;
    buf_truncate(out, before);
    return false;
}

static bool get_beginning(struct cursor *c, struct login *l)
{
    return get_bytes(c, LISTENER_MAX, &l->listener) && get_bytes(c, MECHANISM_MAX, &l->mechanism) &&
           get_bytes(c, CLIENT_MAX, &l->client) && get_bytes(c, BINDING_MAX, &l->channel_binding) &&
           get_bytes(c, LOGIN_NAME_MAX, &l->certificate);
}

bool login_read(struct cursor *c, struct login *out)
{
    struct cursor at = *c;
    struct login l = {0};
    uint8_t word;

    if (!get_u64(&at, &l.number) || !get_u8(&at, &word) || word > LOGIN_ENDS ||
        !get_bytes(&at, LOGIN_RESPONSE_MAX, &l.response))
        return false;
    l.word = (enum login_word)word;
    if (l.word == LOGIN_BEGINS && !get_beginning(&at, &l))
        return false;
    *c = at;
    *out = l;
    return true;
}

bool login_answer_write(struct buf *out, const struct login_answer *a)
{
    size_t before = buf_len(out);

    if (put_u64(out, a->number) && put_u8(out, (uint8_t)a->result) &&
        put_bytes(out, slice_head(a->text, LOGIN_CHALLENGE_MAX)) &&
        put_bytes(out, slice_head(a->user, LOGIN_NAME_MAX)))
        return true;
    buf_truncate(out, before);
    return false;
}

bool login_answer_read(struct cursor *c, struct login_answer *out)
{
    struct cursor at = *c;
    struct login_answer a = {0};
    uint8_t result;

    if (!get_u64(&at, &a.number) || !get_u8(&at, &result) || result > LOGIN_LATER ||
        !get_bytes(&at, LOGIN_CHALLENGE_MAX, &a.text) || !get_bytes(&at, LOGIN_NAME_MAX, &a.user))
        return false;
    a.result = (enum login_result)result;
    *c = at;
    *out = a;
    return true;
}
