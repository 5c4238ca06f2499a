/*
 * oauth.c - what providers of tokens are asked, and what they answer.
 *
 * A secret goes in the form and not in a header: both of the big providers want it there (RFC 6749
 * 2.3.1 leaves it to them).
 */
#include "mail/oauth.h"

#include "base/cursor.h"
#include "wire/form.h"
#include "wire/json_object.h"

/* Google gives a refresh token only to who asks for `offline`, and a second one only after a new
 * consent. Microsoft takes any port on `localhost` where that is registered without a path, but
 * 127.0.0.1 only from who edits a manifest. */
static const struct oauth google = {
    .authorize = SLICE_INIT("https://accounts.google.com/o/oauth2/v2/auth"),
    .token = SLICE_INIT("https://oauth2.googleapis.com/token"),
    .scope = SLICE_INIT("https://mail.google.com/"),
    .extra = SLICE_INIT("access_type=offline&prompt=consent"),
    .way_back = SLICE_INIT("http://127.0.0.1:"),
    .way_back_path = SLICE_INIT("/"),
};

static const struct oauth microsoft = {
    .authorize = SLICE_INIT("https://login.microsoftonline.com/common/oauth2/v2.0/authorize"),
    .token = SLICE_INIT("https://login.microsoftonline.com/common/oauth2/v2.0/token"),
    .scope = SLICE_INIT("https://outlook.office.com/SMTP.Send offline_access"),
    .way_back = SLICE_INIT("http://localhost:"),
};

static const struct oauth custom = {.way_back = SLICE_INIT("http://127.0.0.1:"),
                                    .way_back_path = SLICE_INIT("/")};

static const struct oauth *const presets[] = {
    [OAUTH_GOOGLE] = &google, [OAUTH_MICROSOFT] = &microsoft, [OAUTH_CUSTOM] = &custom};

struct oauth oauth_preset(enum oauth_provider provider)
{
    return *presets[provider];
}

/* ---- asking ---- */

static void add_some(struct form *f, const char *name, struct slice value)
{
    if (value.len > 0)
        form_add(f, name, value);
}

bool oauth_write_page(struct buf *out, const struct oauth *o, const struct oauth_login *login)
{
    bool has_query = slice_find(o->authorize, '?') < o->authorize.len;
    struct form f = {.out = out};

    f.full = !buf_append(out, o->authorize) || !buf_append_char(out, has_query ? '&' : '?');
    form_add(&f, "response_type", SLICE("code"));
    form_add(&f, "client_id", o->client);
    form_add(&f, "redirect_uri", login->redirect);
    add_some(&f, "scope", o->scope);
    form_add(&f, "state", login->state);
    form_add(&f, "code_challenge", login->challenge);
    form_add(&f, "code_challenge_method", SLICE("S256"));
    add_some(&f, "login_hint", login->user);
    return !f.full &&
           (o->extra.len == 0 || (buf_append_char(out, '&') && buf_append(out, o->extra)));
}

static void add_client(struct form *f, const struct oauth *o)
{
    form_add(f, "client_id", o->client);
    add_some(f, "client_secret", buf_slice(&o->secret));
}

bool oauth_write_first(struct buf *out, const struct oauth *o, struct slice code,
                       struct slice redirect, struct slice verifier)
{
    struct form f = {.out = out};

    form_add(&f, "grant_type", SLICE("authorization_code"));
    form_add(&f, "code", code);
    form_add(&f, "redirect_uri", redirect);
    form_add(&f, "code_verifier", verifier);
    add_client(&f, o);
    return !f.full;
}

/* Without a scope: the same as before (RFC 6749 6). */
bool oauth_write_refresh(struct buf *out, const struct oauth *o, struct slice refresh_token)
{
    struct form f = {.out = out};

    form_add(&f, "grant_type", SLICE("refresh_token"));
    form_add(&f, "refresh_token", refresh_token);
    add_client(&f, o);
    return !f.full;
}

/* ---- what comes back by the browser ---- */

static bool is_target(char c)
{
    return c > ' ' && c < 0x7f;
}

bool oauth_read_request(struct slice head, struct slice *target)
{
    struct cursor c = {head};

    if (!slice_starts(head, SLICE("GET /")) || !take_word(&c, SLICE("GET ")))
        return false;
    struct slice got = take_while(&c, is_target);
    if (!take_word(&c, SLICE(" HTTP/1.")))
        return false;
    *target = got;
    return true;
}

/* VSCHAR, RFC 6749 A.11, without the blank, which nobody could copy safely. */
static bool is_code(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.len > 0;
}

static struct slice query_of(struct slice text)
{
    struct slice query = slice_skip(text, slice_find(text, '?') + 1);

    return query.len == 0 ? text : slice_head(query, slice_find(query, '#'));
}

/* Copied out of an address it may still be encoded. */
static bool read_code_alone(struct slice text, struct arena *arena, struct slice *out)
{
    struct cursor c = {text};
    struct form_pair pair;

    if (slice_find(text, ':') < text.len || slice_find(text, '?') < text.len)
        return false;
    if (slice_find(text, '%') == text.len)
        *out = arena_copy(arena, text);
    else if (form_take(&c, arena, &pair))
        *out = pair.name;
    return is_code(*out);
}

bool oauth_read_return(struct slice text, struct arena *arena, struct oauth_return *out)
{
    struct slice line = slice_trim(text), query = query_of(line);
    struct oauth_return got = {0};
    bool failed = form_find(query, SLICE("error"), arena, &got.error) && got.error.len > 0;

    if (!failed && !(form_find(query, SLICE("code"), arena, &got.code) && is_code(got.code))) {
        if (!read_code_alone(line, arena, &got.code))
            return false;
        *out = got;
        return true;
    }
    (void)form_find(query, SLICE("state"), arena, &got.state);
    (void)form_find(query, SLICE("error_description"), arena, &got.description);
    *out = got;
    return true;
}

/* ---- what the token URL answers ---- */

void oauth_answer_read(unsigned status, struct slice body, struct arena *arena,
                       struct oauth_answer *out)
{
    struct json_object o = {0};

    (void)json_object_read(body, arena, &o);
    *out = (struct oauth_answer){
        .status = status,
        .access_token = json_object_text(&o, SLICE("access_token")),
        .token_type = json_object_text(&o, SLICE("token_type")),
        .refresh_token = json_object_text(&o, SLICE("refresh_token")),
        .error = json_object_text(&o, SLICE("error")),
        .description = json_object_text(&o, SLICE("error_description")),
    };
    (void)json_object_number(&o, SLICE("expires_in"), &out->expires_in_s);
}

struct meaning {
    struct slice error;
    enum oauth_verdict verdict;
};

/* RFC 6749 5.2; the three behind invalid_grant are what Microsoft says when a person must show
 * himself again (OpenID Connect Core 3.1.2.6). */
static const struct meaning meanings[] = {
    {SLICE_INIT("invalid_grant"),          OAUTH_LOGIN_NEEDED},
    {SLICE_INIT("interaction_required"),   OAUTH_LOGIN_NEEDED},
    {SLICE_INIT("login_required"),         OAUTH_LOGIN_NEEDED},
    {SLICE_INIT("consent_required"),       OAUTH_LOGIN_NEEDED},
    {SLICE_INIT("invalid_request"),        OAUTH_WRONG       },
    {SLICE_INIT("invalid_client"),         OAUTH_WRONG       },
    {SLICE_INIT("unauthorized_client"),    OAUTH_WRONG       },
    {SLICE_INIT("unsupported_grant_type"), OAUTH_WRONG       },
    {SLICE_INIT("invalid_scope"),          OAUTH_WRONG       },
};

static bool is_token(struct slice text)
{
    return is_code(text) && text.len <= OAUTH_TOKEN_MAX;
}

enum oauth_verdict oauth_judge(const struct oauth_answer *a)
{
    if (a->status == 200)
        return is_token(a->access_token) && slice_equal_nocase(a->token_type, SLICE("bearer")) &&
                       (a->refresh_token.len == 0 || is_token(a->refresh_token))
                   ? OAUTH_GRANTED
                   : OAUTH_LATER;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (slice_equal(meanings[i].error, a->error))
            return meanings[i].verdict;
    return OAUTH_LATER;
}
