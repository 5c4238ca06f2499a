/*
 * oauth.h - tokens instead of passwords: who gives them for a relay, and how they are asked for.
 * RFC 6749 (4.1 the first one, 6 those that follow, 5.2 errors), RFC 7636 (PKCE), RFC 8252 (a
 * program without a web server of its own).
 *
 * A person logs in once, in a browser (`postroad oauth login`); what comes of it is a refresh
 * token, for which the vault gets an access token whenever one is needed.
 *
 * Pure: texts to be sent, and what answers mean. config fills struct oauth and owns it as long as
 * the settings live.
 */
#ifndef MAIL_OAUTH_H
#define MAIL_OAUTH_H

#include "base/arena.h"
#include "base/buf.h"

enum oauth_provider { OAUTH_GOOGLE, OAUTH_MICROSOFT, OAUTH_CUSTOM };

/* The secret is wiped with the settings, and changes while they live when its file was read again.
 */
struct oauth {
    struct oauth *next;     /* of another relay */
    struct slice authorize; /* URL of the page where a person says yes */
    struct slice token;     /* URL where tokens are given */
    struct slice scope;     /* what the token is to be good for */
    struct slice extra;     /* what else the page wants to be told, as a form */
    /* Where browsers are sent back to, this machine: what stands before its port, and behind it. */
    struct slice way_back, way_back_path;
    struct slice client;      /* by which name the provider knows us */
    struct slice secret_path; /* of the file; "": there is no secret */
    struct buf secret;        /* "" also where it is withheld: only the vault has it */
    struct slice ca;          /* who vouches for the provider's server, in PEM; "": the system's */
};

enum {
    OAUTH_URL_MAX = 4096,
    OAUTH_TOKEN_MAX = 8192, /* of either kind; Microsoft's have about 2000 bytes */
    OAUTH_FORM_MAX = 32 * 1024,
    OAUTH_VERIFIER_BYTES = 32, /* of chance: RFC 7636 4.1 */
};

/* All that is known of a provider; empty for OAUTH_CUSTOM. */
struct oauth oauth_preset(enum oauth_provider provider);

/* What one login is about. */
struct oauth_login {
    struct slice redirect;  /* where the browser is sent afterwards */
    struct slice state;     /* comes back with it, or it is not ours */
    struct slice challenge; /* S256 of the verifier */
    struct slice user;      /* who should log in */
};

/* The page that a person opens, and the forms that are posted to the token URL. False when out is
 * full: then it is worthless. */
bool oauth_write_page(struct buf *out, const struct oauth *o, const struct oauth_login *login);
bool oauth_write_first(struct buf *out, const struct oauth *o, struct slice code,
                       struct slice redirect, struct slice verifier);
bool oauth_write_refresh(struct buf *out, const struct oauth *o, struct slice refresh_token);

/* What a browser asks the loopback port for: the head of an HTTP request -> "/?code=...". False: it
 * is no GET. */
bool oauth_read_request(struct slice head, struct slice *target);

/* What a browser brings back, or a person copies out of it. */
struct oauth_return {
    struct slice code;
    struct slice state;              /* "": the code came alone */
    struct slice error, description; /* instead of a code */
};

/* The address that the browser was sent to, with or without its host, or the code alone. False: it
 * is none of these. Slices lie in the arena. */
bool oauth_read_return(struct slice text, struct arena *arena, struct oauth_return *out);

/* What the token URL answered. */
enum oauth_verdict {
    OAUTH_GRANTED,
    OAUTH_LOGIN_NEEDED, /* a person must log in anew: the grant has ended */
    OAUTH_WRONG,        /* the provider does not take us as we are configured */
    OAUTH_LATER,        /* it is out of order, or slow */
};

struct oauth_answer {
    unsigned status; /* of HTTP; 0: there was no answer */
    struct slice access_token, token_type;
    struct slice refresh_token; /* "": the one before stays good */
    uint64_t expires_in_s;      /* 0: not told */
    struct slice error, description;
};

/* The body that came with a status: what cannot be read says nothing. Slices lie in the arena. */
void oauth_answer_read(unsigned status, struct slice body, struct arena *arena,
                       struct oauth_answer *out);

enum oauth_verdict oauth_judge(const struct oauth_answer *answer);

#endif
