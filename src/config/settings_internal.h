/*
 * settings_internal.h - what the files of settings share: the parser, and the functions that its
 * table names.
 */
#ifndef CONFIG_SETTINGS_INTERNAL_H
#define CONFIG_SETTINGS_INTERNAL_H

#include "config/schema.h"
#include "config/tables.h"
#include "config/whole.h"

enum { PARSER_ROWS_MAX = 96 };

/* A relay whose block is read. */
struct relay_draft {
    struct relay *relay;
    struct route_target *hosts;   /* relay->hosts, to be added to */
    struct relay_source *sources; /* relay->sources */
    struct oauth *oauth;          /* whose block is read; NULL: none was begun */
    unsigned retries;
    struct place word;
    unsigned errors;                                           /* in its file before its block */
    struct place family, tls, delay_warning, user, oauth_word; /* line 0: not given */
};

struct certificate_word {
    struct certificate_word *next;
    const struct settings_certificate *certificate;
    struct place word;
};

/* A file that was read by `include`. */
struct included {
    struct included *next;
    const struct source *source;
    struct place where;
};

struct parser {
    struct settings *settings;
    struct slice file; /* of the statement at hand, in the settings' arena */
    const struct source *file_source;
    struct sources sources;
    struct included *included;
    struct tables tables;
    struct desk desk;
    const struct settings_judge *judge;
    struct settings_certificate **last_certificate;
    struct certificate_word *certificate_words;
    bool named_read; /* tables, sources and relays that stand outside of blocks */
    struct place seen[PARSER_ROWS_MAX]; /* of each word outside of blocks; line 0: not yet */
    bool meant[PARSER_ROWS_MAX];        /* probably misspelt: not to be called missing as well */
    struct settings_listener *listeners;
    struct settings_listener *listener;  /* whose block is read */
    struct place *listener_words;        /* where each begins */
    struct introspection *introspection; /* the same; NULL: none was begun */
    struct introspection no_introspection;
    struct place *listener_introspect; /* of each listener's `introspect` */
    struct place *listener_tls;        /* of each listener's `tls`; line 0: it has none */
    struct settings_listener nowhere;  /* takes the block of a broken line, read for its errors */
    struct named_list relay_sources, relays;
    struct relay_source *source; /* whose block is read */
    struct relay_draft draft;
    struct relay_source no_source; /* these, too, take blocks of broken lines */
    struct relay no_relay;
    struct oauth no_oauth;
    struct limit *limits;
    struct limit *limit; /* whose block is read */
    struct limit no_limit;
    struct allowance *allowances;
    struct allowance *allowance; /* whose block is read; NULL: it is no `limit from` */
    struct access *access;
    struct rewrite *rewrites;
    struct rewrite *rewrite; /* whose line is read */
    struct rule *rules;
    struct rule_places *rule_places;
    struct rule *rule; /* whose clauses are read */
    struct place postmaster_place;
    struct account_mention *mentions;
};

/* The path of the file that a word stands in; lives as long as the settings. */
struct slice parser_file(struct parser *p, struct place word);

/* settings.c */
apply_fn parser_set_hostname, parser_set_origin, parser_set_postmaster, parser_set_max_size;
apply_fn parser_set_resolver, parser_set_queue, parser_set_min_free, parser_set_log;
apply_fn parser_add_table, parser_was_included;

/* settings_include.c: what each `include` names follows its statement in the list, as if it stood
 * there. Returns how many statements were added, or a little more. */
size_t parser_include(struct parser *p, struct syntax_statement *first);

/* settings_listen.c */
apply_fn parser_add_listener, parser_set_listener_max_size, parser_set_line_ends;
apply_fn parser_set_faults, parser_add_etrn, parser_set_auth, parser_set_auth_cleartext;
apply_fn parser_set_hide_client, parser_add_proxy, parser_add_zone;
apply_fn parser_set_greet_delay, parser_add_speaker;
void parser_check_max_size(struct parser *p, const struct value *value);

/* The whole file was read, and parser_finish_tls() has run. */
void parser_finish_listeners(struct parser *p);

/* settings_rules.c */
apply_fn parser_set_drop;
apply_fn parser_begin_accept, parser_begin_hold, parser_begin_reject, parser_begin_discard;
apply_fn parser_set_from, parser_set_sender, parser_set_to;

/* The name of the account that the value is, which is checked at the end. */
struct slice parser_take_account(struct parser *p, const struct value *value);

apply_fn parser_set_users, parser_set_aliases, parser_set_catch_all, parser_set_copy;
apply_fn parser_set_action, parser_set_relay, parser_set_refusal;

/* settings_srs.c */
apply_fn parser_set_srs;

/* settings_rewrite.c */
apply_fn parser_begin_rewrite, parser_set_rewrite_to;
void parser_finish_rewrite(struct parser *p, struct place word);

/* Of what such words name: a domain, an address, <TABLE>. False: there is no such table, which was
 * told. */
bool parser_take_target(struct parser *p, const struct value *values, struct rule_target *out);

/* settings_relays.c */
apply_fn parser_begin_source, parser_set_source_helo;
apply_fn parser_begin_relay, parser_add_host, parser_add_source, parser_set_relay_helo;
apply_fn parser_set_family, parser_set_relay_tls;
apply_fn parser_add_retry, parser_set_give_up, parser_set_delay_warning, parser_set_report,
    parser_set_relay_srs;

/* Its block, if it has one, was read. */
void parser_finish_relay(struct parser *p);

/* settings_login.c */
apply_fn parser_set_user;
void parser_finish_login(struct parser *p); /* for parser_finish_relay() */

/* Nothing was wrong in its block so far: what is not there is missing. */
bool parser_relay_is_whole(const struct parser *p);

/* The first line of the file, which nobody else may read; nothing when it is not at hand yet, or
 * not for this role. `what`: "password". False: it was told what is wrong. */
bool parser_read_secret(struct parser *p, const struct value *path, const char *what,
                        struct buf *out);

/* settings_oauth.c */
apply_fn parser_begin_oauth, parser_set_oauth_client, parser_set_oauth_authorize;
apply_fn parser_set_oauth_token, parser_set_oauth_scope, parser_set_oauth_ca;
void parser_finish_oauth(struct parser *p); /* for parser_finish_login() */

/* settings_introspect.c */
apply_fn parser_begin_introspect, parser_set_introspect_client, parser_set_introspect_ca;
apply_fn parser_set_introspect_user, parser_set_introspect_audience;
void parser_check_introspect(struct parser *p, const struct settings_listener *l,
                             struct place where); /* for parser_finish_listeners() */

/* settings_limits.c */
apply_fn parser_begin_limit, parser_set_limit_source, parser_set_connections, parser_set_rate;
apply_fn parser_set_network_connections, parser_set_network_rate;
apply_fn parser_set_recipients, parser_set_messages, parser_set_errors;

/* It has no block, or nothing in it. */
void parser_warn_of_limit(struct parser *p, struct place word);

/* settings_access.c */
apply_fn parser_add_allow, parser_add_deny;

/* settings_tls.c */
apply_fn parser_add_certificate, parser_set_listener_tls, parser_set_client_ca;

/* Certificates of authorities; nothing when they are not at hand yet. `who`: what they are for. */
bool parser_read_authorities(struct parser *p, const struct value *path, struct slice who,
                             struct slice *out);

/* All listeners were read. */
void parser_finish_tls(struct parser *p, bool has_certificate);

/* The rule counts only from here on. */
void parser_finish_rule(struct parser *p);

#endif
