/*
 * settings_test.c - each file tests/config/NAME.conf is answered with exactly NAME.expect, and
 * every example in docs/configuration.md is what it says: a configuration.
 *
 * To see what an answer would be: POSTROAD_GOLDEN=1 writes the .expect files anew; read them
 * before committing them.
 */
#include "config/settings.h"

#include "check.h"

#include <dirent.h>
#include <glob.h>
#include <stdlib.h>

static struct slice read_whole(struct arena *arena, const char *path)
{
    enum { MAX = 64 * 1024 };

    char *bytes = arena_alloc(arena, MAX);
    FILE *f = fopen(path, "rb");
    size_t len;

    if (f == NULL)
        fail_msg("cannot open %s", path);
    len = fread(bytes, 1, MAX, f);
    fclose(f);
    return (struct slice){bytes, len};
}

static void write_golden(const char *path, struct slice text)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    if (text.len > 0)
        assert_int_equal(fwrite(text.data, 1, text.len, f), text.len);
    fclose(f);
}

/* A chain is a text that begins with "chain NAME", a key one with "key NAME". */
static const char *chain_fault(struct slice chain)
{
    return slice_starts(chain, SLICE("chain ")) ? NULL : "holds no certificate in PEM form";
}

static const char *key_fault(struct slice chain, struct slice key)
{
    if (!slice_starts(key, SLICE("key ")))
        return "holds no private key in PEM form without a password";
    return slice_equal(slice_skip(chain, 6), slice_skip(key, 4))
               ? NULL
               : "does not belong to the certificate";
}

static bool is_rsa(struct slice chain)
{
    return slice_ends(chain, SLICE("rsa\n"));
}

static bool is_same_kind(struct slice chain, struct slice other)
{
    return is_rsa(chain) == is_rsa(other);
}

static const struct settings_judge judge = {chain_fault, key_fault, chain_fault, is_same_kind};

/* Parsed from in front of a guard page. */
static struct settings *parse_bundle(const struct buf *bundle, struct settings_errors *errors)
{
    struct slice copy = guarded(buf_slice(bundle));
    struct settings *s = settings_parse(copy, &judge, errors);

    guarded_free(copy);
    assert_int_equal(s == NULL, errors->count > 0 || buf_len(&errors->wanted) > 0);
    return s;
}

/* A configuration that names no other files. */
static struct settings *parse(struct slice file, struct slice text, struct settings_errors *errors)
{
    struct buf bundle;

    buf_init(&bundle, BUNDLE_MAX);
    assert_true(bundle_add(&bundle, file, 0, text));
    struct settings *s = parse_bundle(&bundle, errors);

    buf_done(&bundle);
    return s;
}

/* What stands between "```NAME" and "```"; the rest of the text begins behind it. */
static bool take_block(struct slice *text, struct slice fence, struct slice *out)
{
    const char *start = NULL;
    struct slice line;

    while (slice_cut(*text, '\n', &line, text)) {
        if (start == NULL && slice_equal(line, fence)) {
            start = text->data;
        } else if (start != NULL && slice_equal(line, SLICE("```"))) {
            *out = (struct slice){start, (size_t)(line.data - start)};
            return true;
        }
    }
    return false;
}

/* The manual shows tables; it is what they hold. */
static bool add_from_manual(struct arena *arena, struct buf *bundle, struct slice path,
                            struct slice name, struct slice manual)
{
    struct slice block;

    return take_block(&manual, arena_printf(arena, "```%.*s", SLICE_PRINTF(name)), &block) &&
           bundle_add(bundle, path, 0, block);
}

/* For /etc/PATTERN: the files tests/config/PATTERN, as /etc/NAME. */
static void add_matches(struct arena *arena, struct buf *bundle, struct slice path,
                        const char *pattern)
{
    struct slice names = SLICE("");
    glob_t found = {0};

    (void)glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct slice real = slice_of(found.gl_pathv[i]);
        struct slice name = slice_skip(real, slice_rfind(real, '/') + 1);

        names = arena_printf(arena, "%.*s/etc/%.*s\n", SLICE_PRINTF(names), SLICE_PRINTF(name));
    }
    globfree(&found);
    bundle_add(bundle, path, 0, names);
}

/* By what its name ends with. */
static unsigned flags_of(struct slice name)
{
    struct slice stem = slice_head(name, slice_find(name, '.'));

    if (slice_ends(stem, SLICE("-changeable")))
        return SOURCE_CHANGEABLE;
    return slice_ends(stem, SLICE("-for-all")) ? SOURCE_FOR_ALL : 0;
}

/* What a test supplies for /etc/NAME: an example of the manual, the file tests/config/NAME, or a
 * reason why not. */
static void add_wanted(struct arena *arena, struct buf *bundle, struct slice path,
                       struct slice manual)
{
    struct slice name = slice_skip(path, slice_rfind(path, '/') + 1);
    const char *here =
        arena_printf(arena, SOURCE_ROOT "/tests/config/%.*s%c", SLICE_PRINTF(name), 0).data;

    if (add_from_manual(arena, bundle, path, name, manual))
        return;
    if (sources_is_pattern(path))
        add_matches(arena, bundle, path, here);
    else if (access(here, R_OK) != 0)
        bundle_add(bundle, path, SOURCE_UNREADABLE, SLICE("No such file or directory"));
    else
        bundle_add(bundle, path, flags_of(name), read_whole(arena, here));
}

/* Ask and rerun. */
static struct settings *parse_with_files(struct arena *arena, struct slice file, struct slice text,
                                         struct slice manual, struct settings_errors *errors)
{
    struct settings *s = NULL;
    struct slice path;
    struct buf bundle;

    buf_init(&bundle, BUNDLE_MAX);
    bundle_add(&bundle, file, 0, text);
    for (unsigned runs = 1;; runs++) {
        s = parse_bundle(&bundle, errors);
        struct cursor wanted = {buf_slice(&errors->wanted)};
        if (cursor_at_end(&wanted))
            break;
        assert_true(runs < 10);
        while (get_bytes(&wanted, 4096, &path))
            add_wanted(arena, &bundle, path, manual);
        settings_errors_done(errors);
    }
    buf_done(&bundle);
    return s;
}

static void check_golden(const char *name)
{
    struct arena arena = {0};
    const char *conf = arena_printf(&arena, SOURCE_ROOT "/tests/config/%s%c", name, 0).data;
    struct slice stem = slice_head(slice_of(conf), strlen(conf) - strlen(".conf"));
    const char *expect = arena_printf(&arena, "%.*s.expect%c", SLICE_PRINTF(stem), 0).data;
    struct settings_errors errors;
    struct settings *s =
        parse_with_files(&arena, slice_of(name), read_whole(&arena, conf), SLICE(""), &errors);

    print_message("# %s\n", name);
    if (getenv("POSTROAD_GOLDEN") != NULL)
        write_golden(expect, buf_slice(&errors.text));
    check_slice(buf_slice(&errors.text), read_whole(&arena, expect));
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static void test_golden_files(void **state)
{
    DIR *dir = opendir(SOURCE_ROOT "/tests/config");
    unsigned count = 0;

    (void)state;
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!slice_ends(slice_of(entry->d_name), SLICE(".conf")))
            continue;
        check_golden(entry->d_name);
        count++;
    }
    closedir(dir);
    assert_true(count >= 10);
}

static struct settings *parse_good(struct arena *arena)
{
    struct settings_errors errors;
    struct settings *s = parse(SLICE("good.conf"),
                               read_whole(arena, SOURCE_ROOT "/tests/config/good.conf"), &errors);

    settings_errors_done(&errors);
    assert_non_null(s);
    return s;
}

static void test_values(void **state)
{
    static const unsigned char mapped[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1}, one[16] = {[15] = 1};
    struct arena arena = {0};
    struct settings *s = parse_good(&arena);

    (void)state;
    check_slice(s->hostname, SLICE("mx1.example.org"));
    check_slice(s->rules.hostname, SLICE("mx1.example.org"));
    check_slice(s->rules.origin, SLICE("example.org"));
    check_slice(address_text(&arena, &s->rules.postmaster), SLICE("admin@example.org"));
    check_int(s->max_size, 20 * 1024 * 1024);
    check_slice(s->queue_path, SLICE("/var/spool/postroad"));
    check_int(s->queue_min_free, 320 * 1024 * 1024);

    check_int(s->dns_source, DNS_FROM_FORWARDER);
    check_slice(s->dns_forwarder, SLICE("2001:db8::53@5300"));
    check_int(s->listener_count, 3);
    check_slice(s->listeners[0].address, SLICE("*:25"));
    check(s->listeners[0].any && s->listeners[0].port == 25);
    check_int(s->listeners[0].max_size, s->max_size);
    check_int(s->listeners[0].line_ends, LINE_ENDS_STRICT);
    check_int(s->listeners[0].line, 7);
    check(!s->listeners[1].any && !s->listeners[1].ipv4 && s->listeners[1].port == 2525);
    assert_memory_equal(s->listeners[1].ip, one, 16);
    check_int(s->listeners[1].max_size, 1024 * 1024 * 1024);
    check_int(s->listeners[1].line_ends, LINE_ENDS_REPAIR);
    check(s->listeners[2].ipv4);
    assert_memory_equal(s->listeners[2].ip, mapped, 16);
    settings_free(s);
    arena_done(&arena);
}

static void test_rules(void **state)
{
    struct arena arena = {0};
    struct settings *s = parse_good(&arena);
    const struct rule *r = s->rules.rules;

    (void)state;
    check_int(s->rules.count, 9);
    check_int(r[0].verdict, RULE_REJECT);
    check_int(r[0].sender.match, MATCH_DOMAIN);
    check_slice(r[0].sender.domain, SLICE("*.spam.example"));
    check_int(r[0].to.match, MATCH_ANY);
    check_int(r[0].refusal.code, 554);
    check_slice(r[0].refusal.enhanced, SLICE("5.7.1"));
    check_slice(r[0].refusal.text, SLICE("We had enough of you"));
    check_int(r[0].line, 16);
    check_slice(r[0].file, SLICE("good.conf"));
    check_int(r[1].refusal.code, 450);
    check_slice(r[1].refusal.text, SLICE("\"Old\" is on holiday \\o/"));
    check_int(r[2].sender.match, MATCH_ADDRESS);
    check_int(r[2].refusal.code, 0);
    check_int(r[3].verdict, RULE_DISCARD);
    check_slice(address_text(&arena, &r[3].to.address), SLICE("devnull@example.org"));
    check_int(r[4].verdict, RULE_ACCEPT);
    check_int(r[4].action, ACTION_MAILDIR);
    check_slice(r[4].path, SLICE("/var/vmail/{domain}/{user}"));
    check_slice(r[5].to.domain, SLICE("*.xn--bcher-kva.example"));
    check_slice(r[5].path, SLICE("/var/vmail/books/{local}"));
    check_int(r[6].to.match, MATCH_LOCAL);
    check_int(r[6].action, ACTION_NONE);
    check_int(r[7].from, FROM_LOCAL);
    check_int(r[7].to.match, MATCH_ANY);
    check(!r[7].holds);
    check_int(r[8].verdict, RULE_ACCEPT);
    check(r[8].holds);
    check_int(r[8].action, ACTION_MAILDIR);
    settings_free(s);
    arena_done(&arena);
}

static void test_tls(void **state)
{
    static const enum listener_tls wanted[] = {
        LISTENER_TLS_OPTIONAL, LISTENER_TLS_OFF, LISTENER_TLS_OPTIONAL, LISTENER_TLS_REQUIRED,
        LISTENER_TLS_IMPLICIT, LISTENER_TLS_OFF, LISTENER_TLS_IMPLICIT};

    static const char *const names[] = {"", "", "mx2.example.org", "*.xn--bcher-kva.example",
                                        "mx2.example.org"};
    struct arena arena = {0};
    struct settings_errors errors;
    struct settings *s = parse_with_files(
        &arena, SLICE("tls-good.conf"),
        read_whole(&arena, SOURCE_ROOT "/tests/config/tls-good.conf"), SLICE(""), &errors);
    const struct settings_certificate *c = s->certificates;

    (void)state;
    check_slice(buf_slice(&errors.text), SLICE(""));
    check_int(s->listener_count, sizeof(wanted) / sizeof(*wanted));
    CHECK_ROWS (i, wanted)
        check_int(s->listeners[i].tls, wanted[i]);
    CHECK_ROWS (i, names) {
        check_slice(c->name, slice_of(names[i]));
        check(slice_starts(c->chain, SLICE("chain ")) && slice_starts(c->key, SLICE("key ")));
        c = c->next;
    }
    check(c == NULL);
    check(slice_starts(s->listeners[4].client_ca, SLICE("chain ")));
    check_int(s->listeners[3].client_ca.len, 0);
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static void test_submission(void **state)
{
    struct arena arena = {0};
    struct settings_errors errors;
    struct settings *s = parse_with_files(
        &arena, SLICE("submission-good.conf"),
        read_whole(&arena, SOURCE_ROOT "/tests/config/submission-good.conf"), SLICE(""), &errors);
    const struct settings_listener *l = s->listeners;
    const struct rule *r = s->rules.rules;

    (void)state;
    check_slice(buf_slice(&errors.text), SLICE(""));
    check(l[0].auth == NULL && l[1].auth == s->tables && l[4].auth == s->tables);
    check(l[1].kind == LISTENER_SUBMISSION && l[1].tls == LISTENER_TLS_IMPLICIT);
    check(l[2].tls == LISTENER_TLS_REQUIRED && l[2].line_ends == LINE_ENDS_REPAIR);
    check(l[3].auth_cleartext && !l[2].auth_cleartext && l[3].line_ends == LINE_ENDS_STRICT);
    check(l[1].hide_client && !l[2].hide_client);
    check_int(r[0].from, 0);
    check_int(r[2].from, FROM_AUTHENTICATED | FROM_LOCAL);
    check_int(r[1].from, FROM_USER);
    check_slice(r[1].user_from, SLICE("bob"));
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static void test_large_certificate(void **state)
{
    struct arena arena = {0};
    size_t size = 256 * 1024 + 1;
    char *text = memset(arena_alloc(&arena, size), 'x', size);
    struct settings_errors errors;
    struct buf bundle;

    (void)state;
    buf_init(&bundle, BUNDLE_MAX);
    bundle_add(&bundle, SLICE("f"), 0,
               SLICE("hostname h.example\nlisten mx *:25\nqueue /q\ntls /chain /key\n"
                     "accept to local deliver maildir /m/{user}\n"));
    bundle_add(&bundle, SLICE("/chain"), 0, (struct slice){text, size});
    bundle_add(&bundle, SLICE("/key"), 0, SLICE("key one"));
    assert_null(parse_bundle(&bundle, &errors));
    assert_true(slice_starts(buf_slice(&errors.text),
                             SLICE("f:4:5: error: /chain is larger than 256 KiB\n")));
    settings_errors_done(&errors);
    buf_done(&bundle);
    arena_done(&arena);
}

/* What a block does not say is as usual. */
static void check_allowances(const struct settings *s)
{
    const struct allowance *a = s->allowances, *stranger = &allowance_usual_stranger,
                           *account = &allowance_usual_account;
    unsigned char ip[16];

    check_int(s->allowance_count, 7);
    check(a[0].of == ALLOWANCE_OF_USER && a[0].recipients.count == 0);
    check_slice(a[0].user, SLICE("bob@example.org"));
    check(a[0].connections == account->connections && a[0].errors == account->errors);
    check(a[2].of == ALLOWANCE_OF_AUTHENTICATED && a[2].recipients.count == 100);
    check(a[3].of == ALLOWANCE_OF_NETWORK && ip_parse(SLICE("127.3.4.5"), ip));
    check(network_has(&a[3].network, ip) && a[3].connections == 5);
    check(a[3].network_connections == 0 && a[3].rate.count == 0 && a[3].errors == 0);
    check(a[3].network_rate.count == 7 && a[3].network_rate.per_s == 1);
    check(a[4].of == ALLOWANCE_OF_ANY && a[4].connections == 1000000 && a[4].errors == 5);
    check(a[4].recipients.count == 100 && a[4].messages.count == 50);
    check(a[4].network_connections == stranger->network_connections);
    check(a[5].of == ALLOWANCE_OF_NETWORK && a[5].connections == stranger->connections);
    check(a[6].connections == 3 && a[6].rate.count == 9 && a[6].messages.count == 0);
    check(a[6].recipients.count == account->recipients.count);
}

static void test_limits(void **state)
{
    struct arena arena = {0};
    struct settings_errors errors;
    struct settings *s =
        parse(SLICE("limits-good.conf"),
              read_whole(&arena, SOURCE_ROOT "/tests/config/limits-good.conf"), &errors);
    const struct limit *l = s->limits;

    (void)state;
    check_int(s->limit_count, 4);
    check(l[0].match == LIMIT_MX && l[0].connections == 10);
    check(l[0].rate.count == 600 && l[0].rate.per_s == 60 && l[0].line == 6);
    check_slice(l[0].pattern, SLICE("*.google.com"));
    check(l[1].match == LIMIT_DOMAIN && l[1].connections == 0);
    check(l[1].rate.count == 1 && l[1].rate.per_s == 3600);
    check_slice(l[1].pattern, SLICE("xn--bcher-kva.example"));
    check(l[1].source.len == 0);
    check(l[2].match == LIMIT_ANY && l[2].connections == 3);
    check_slice(l[2].source, SLICE("out1"));
    check(l[3].match == LIMIT_ANY && l[3].connections == 500 && l[3].rate.count == 0);
    check_allowances(s);
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static void test_rewrites(void **state)
{
    struct arena arena = {0};
    struct settings_errors errors;
    struct settings *s =
        parse(SLICE("rewrites-good.conf"),
              read_whole(&arena, SOURCE_ROOT "/tests/config/rewrites-good.conf"), &errors);
    const struct rewrite *r = s->rules.rewrites;

    (void)state;
    check_int(s->rules.rewrite_count, 4);
    check(r[0].whose == REWRITE_SENDER && r[0].match.match == MATCH_LOCAL && r[0].line == 4);
    check(r[0].local == REWRITE_TO_LOCAL);
    check_slice(address_text(&arena, &r[0].to), SLICE("robot@example.org"));
    check(r[1].match.match == MATCH_DOMAIN && r[1].local == REWRITE_KEEPS_LOCAL);
    check_slice(r[1].match.domain, SLICE("*.a.example"));
    check_slice(r[1].to.domain, SLICE("xn--bcher-kva.example"));
    check(r[2].match.match == MATCH_ADDRESS && r[2].local == REWRITE_KEEPS_USER);
    check_slice(r[2].match.address.local, SLICE("bob"));
    check_slice(r[2].file, SLICE("rewrites-good.conf"));
    check(r[3].whose == REWRITE_RCPT && r[3].match.match == MATCH_ANY);
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static struct settings *parse_relays(struct arena *arena)
{
    struct settings_errors errors;
    struct slice text = read_whole(arena, SOURCE_ROOT "/tests/config/relays-good.conf");
    struct settings *s =
        parse_with_files(arena, SLICE("relays-good.conf"), text, SLICE(""), &errors);

    settings_errors_done(&errors);
    assert_non_null(s);
    return s;
}

static void check_target(const struct route_target *t, enum route_target_kind kind,
                         struct slice name, unsigned port)
{
    check_int(t->kind, kind);
    check_slice(t->name, name);
    check_int(t->port, port);
}

static void test_ways_out(void **state)
{
    struct arena arena = {0};
    struct settings *s = parse_relays(&arena);
    const struct rule *r = s->rules.rules;

    (void)state;
    check_int(s->rules.count, 6);
    check_int(r[0].action, ACTION_LMTP);
    check_target(r[0].lmtp, TARGET_PATH, SLICE("/run/dovecot/lmtp"), 0);
    check_int(r[1].action, ACTION_RELAY);
    check_slice(r[1].relay->name, SLICE("inside"));
    check(r[1].users != NULL && r[2].relay == r[1].relay);
    check_target(r[3].lmtp, TARGET_NAME, SLICE("lmtp.example.com"), 2424);
    check_slice(r[4].relay->name, SLICE("direct"));
    check_int(r[4].from, FROM_LOCAL);
    settings_free(s);
    arena_done(&arena);
}

static void test_relay_defaults(void **state)
{
    struct arena arena = {0};
    struct settings *s = parse_relays(&arena);
    const struct relay *direct = s->rules.rules[4].relay;

    (void)state;
    check_int(direct->host_count + direct->source_count, 0);
    check_int(direct->family, FAMILY_BOTH);
    check_int(direct->tls, RELAY_TLS_OPTIONAL);
    check(memcmp(&direct->retry, &retry_plan_default, sizeof(retry_plan_default)) == 0);
    check(direct->report && !direct->loopback);
    check_slice(direct->helo, SLICE(""));
    check_int(direct->line, 14);
    settings_free(s);
    arena_done(&arena);
}

static void test_relay(void **state)
{
    static const unsigned char six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7},
                               four[16] = {[10] = 0xff, 0xff, 198, 51, 100, 7};
    struct arena arena = {0};
    struct settings *s = parse_relays(&arena);
    const struct relay *inside = s->rules.rules[1].relay, *smart = s->rules.rules[5].relay;

    (void)state;
    check_int(inside->host_count, 3);
    check_target(&inside->hosts[0], TARGET_IP, SLICE("2001:db8::25"), 2525);
    check_target(&inside->hosts[1], TARGET_NAME, SLICE("xn--bcher-kva.example"), 25);
    check_target(&inside->hosts[2], TARGET_IP, SLICE("192.0.2.1"), 26);
    check_int(inside->tls, RELAY_TLS_OFF);
    check_int(inside->family, FAMILY_IPV6_FIRST);
    check(!inside->report);
    check_int(inside->retry.step_count, 2);
    check_int(inside->retry.steps_s[0], 90);
    check_int(inside->retry.steps_s[1], 60 * 60);
    check_int(inside->retry.give_up_s, 2 * 24 * 60 * 60);
    check_int(inside->retry.delay_warning_s, 0);
    check_slice(inside->helo, SLICE("relay.example.org"));
    check_int(inside->source_count, 2);
    check_slice(inside->sources[0].name, SLICE("six"));
    check_slice(inside->sources[0].helo, SLICE(""));
    check(memcmp(inside->sources[0].ip, six, 16) == 0);
    check_slice(inside->sources[1].helo, SLICE("four.example.org"));
    check(memcmp(inside->sources[1].ip, four, 16) == 0);
    check_target(&smart->hosts[0], TARGET_NAME, SLICE("smtp.example.net"), 465);
    check_int(smart->retry.delay_warning_s, 0);
    check_slice(smart->sources[0].name, SLICE("later"));
    settings_free(s);
    arena_done(&arena);
}

/* A user's words change what the others mean when they are not written. */
static void test_logins(void **state)
{
    struct arena arena = {0};
    struct settings_errors errors;
    struct slice text = read_whole(&arena, SOURCE_ROOT "/tests/config/login-good.conf");
    struct settings *s = parse_with_files(&arena, SLICE("f"), text, SLICE(""), &errors);
    const struct relay_login *own, *smart;

    (void)state;
    check_slice(buf_slice(&errors.text), SLICE(""));
    own = s->logins->next;
    smart = own->next;
    check_slice(buf_slice(&own->secret), SLICE("a b \"c\""));
    check_slice(smart->path, SLICE("/etc/login-good.secret"));
    check_slice(buf_slice(&smart->secret), SLICE("pencil"));
    check(smart->next == NULL);
    check(settings_is_secret_file(s, SLICE("/etc/login-second.secret")));
    check(!settings_is_secret_file(s, SLICE("f")));
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

/* What is known of a provider, and what is said besides. */
static void test_providers(void **state)
{
    struct arena arena = {0};
    struct settings_errors errors;
    struct slice text = read_whole(&arena, SOURCE_ROOT "/tests/config/oauth-good.conf");
    struct settings *s = parse_with_files(&arena, SLICE("f"), text, SLICE(""), &errors);
    const struct oauth *big, *other, *own;

    (void)state;
    check_slice(buf_slice(&errors.text), SLICE(""));
    big = settings_relay(s, SLICE("big"))->oauth;
    check_slice(big->token, oauth_preset(OAUTH_GOOGLE).token);
    check_slice(big->client, SLICE("1234.apps.example"));
    check_slice(buf_slice(&big->secret), SLICE("pencil"));
    other = settings_relay(s, SLICE("other"))->oauth;
    check_slice(other->scope, oauth_preset(OAUTH_MICROSOFT).scope);
    check_slice(buf_slice(&other->secret), SLICE(""));
    check_int(settings_relay(s, SLICE("other"))->tls, RELAY_TLS_VERIFIED);
    check_int(settings_relay(s, SLICE("other"))->hosts[0].port, 587);
    own = settings_relay(s, SLICE("own"))->oauth;
    check_slice(own->authorize, SLICE("https://id.example:8443/authorize?tenant=1"));
    check_slice(own->token, SLICE("https://id.example:8443/token"));
    check_slice(own->scope, SLICE("smtp offline_access"));
    check(own->ca.len > 0);
    check(settings_relay(s, SLICE("no")) == NULL && s->logins == NULL);
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static void test_introspections(void **state)
{
    struct arena arena = {0};
    struct settings_errors errors;
    struct slice text = read_whole(&arena, SOURCE_ROOT "/tests/config/introspect-good.conf");
    struct settings *s = parse_with_files(&arena, SLICE("f"), text, SLICE(""), &errors);
    const struct introspection *one = s->listeners[1].introspection,
                               *other = s->listeners[2].introspection;

    (void)state;
    check(s->listeners[0].introspection == NULL);
    check_slice(one->url, SLICE("https://id.example:8443/introspect?realm=mail"));
    check_slice(one->client, SLICE("postroad"));
    check_slice(buf_slice(&one->secret), SLICE("pencil"));
    check(one->terms.claim == CLAIM_EMAIL && one->ca.len > 0);
    check_slice(one->terms.audience, SLICE("https://mail.example/"));
    check_slice(other->url, SLICE("https://id.example"));
    check(other->terms.claim == CLAIM_USERNAME && other->ca.len == 0);
    check_slice(other->terms.audience, SLICE(""));
    check(!slice_equal(buf_slice(&other->secret), buf_slice(&one->secret)));
    settings_free(s);
    settings_errors_done(&errors);
    arena_done(&arena);
}

static const struct relay *relay_of_rule(const struct settings *s, size_t rule)
{
    return s->rules.rules[rule].relay;
}

/* The words of TLS and the port that a relay has without them. */
static void test_login_defaults(void **state)
{
    static const struct {
        const char *words;
        enum relay_tls tls;
        uint16_t port;
    } rows[] = {
        {"host a.example",                                     RELAY_TLS_OPTIONAL, 25  },
        {"host a.example; user me file:/s",                    RELAY_TLS_VERIFIED, 587 },
        {"user me file:/s; host a.example:25",                 RELAY_TLS_VERIFIED, 25  },
        {"host a.example; user me file:/s; tls implicit",      RELAY_TLS_IMPLICIT, 465 },
        {"tls required; host a.example; user me file:/s",      RELAY_TLS_REQUIRED, 587 },
        {"tls off; user me file:/s; host localhost",           RELAY_TLS_OFF,      587 },
        {"tls optional; user me file:/s; host 127.9.0.1:2525", RELAY_TLS_OPTIONAL, 2525},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct settings_errors errors;
        struct buf bundle;

        buf_init(&bundle, BUNDLE_MAX);
        bundle_add(&bundle, SLICE("f"), 0,
                   arena_printf(&arena,
                                "hostname h.example\nlisten mx *:25\nqueue /q\npostmaster "
                                "ann@h.example\nrelay r { %s }\naccept from local to any relay "
                                "r\naccept to domain h.example deliver maildir /m/{user}\n",
                                rows[i].words));
        bundle_add(&bundle, SLICE("/s"), 0, SLICE("pencil"));
        struct settings *s = parse_bundle(&bundle, &errors);
        assert_non_null(s);
        check_slice(relay_of_rule(s, 0)->user, i == 0 ? SLICE("") : SLICE("me"));
        check_int(relay_of_rule(s, 0)->tls, rows[i].tls);
        check_int(relay_of_rule(s, 0)->hosts[0].port, rows[i].port);
        settings_free(s);
        settings_errors_done(&errors);
        buf_done(&bundle);
        arena_done(&arena);
    }
}

static bool holds(const struct buf *b, const char *word)
{
    return memmem(b->data, b->end, word, strlen(word)) != NULL;
}

/* No byte of a password leaves, a key only for who does TLS; and what leaves gives the same
 * settings. */
static void test_bundle_for_role(void **state)
{
    struct settings_errors errors;
    struct buf bundle, handed, with_keys, with_logins;

    (void)state;
    buf_init(&bundle, BUNDLE_MAX);
    buf_init(&handed, BUNDLE_MAX);
    buf_init(&with_keys, BUNDLE_MAX);
    buf_init(&with_logins, BUNDLE_MAX);
    bundle_add(&bundle, SLICE("f"), 0,
               SLICE("hostname h.example\nlisten mx *:25\nqueue /q\npostmaster ann@h.example\n"
                     "table people accounts /people\ntable names aliases /names\n"
                     "tls /chain /key\ntls *.example.org /other-chain /other-key\n"
                     "relay r { host a.example; user me file:/pencil }\n"
                     "accept to any users people aliases names deliver maildir /m/{user}\n"));
    bundle_add(&bundle, SLICE("/pencil"), 0, SLICE("of a relay\n"));
    bundle_add(&bundle, SLICE("/chain"), 0, SLICE("chain one"));
    bundle_add(&bundle, SLICE("/key"), 0, SLICE("key one"));
    bundle_add(&bundle, SLICE("/other-chain"), 0, SLICE("chain two"));
    bundle_add(&bundle, SLICE("/other-key"), 0, SLICE("key two"));
    bundle_add(&bundle, SLICE("/people"), 0, SLICE("ann:{PLAIN}secret:1:1\nbob:{PLAIN}secret\n"));
    bundle_add(&bundle, SLICE("/names"), 0, SLICE("root: ann\n"));
    struct settings *s = parse_bundle(&bundle, &errors);

    check_slice(buf_slice(&errors.text), SLICE(""));
    check(settings_bundle_for_role(s, buf_slice(&bundle), SETTINGS_WITHOUT_SECRETS, &handed));
    check(settings_bundle_for_role(s, buf_slice(&bundle), SETTINGS_WITH_KEYS, &with_keys));
    check(settings_bundle_for_role(s, buf_slice(&bundle), SETTINGS_WITH_LOGINS, &with_logins));
    check(!holds(&handed, "secret") && !holds(&with_keys, "secret"));
    check(!holds(&handed, "key one") && !holds(&handed, "key two"));
    check(!holds(&handed, "of a relay") && !holds(&with_keys, "of a relay"));
    check(!holds(&with_logins, "secret") && !holds(&with_logins, "key one"));
    settings_free(s);
    settings_errors_done(&errors);

    s = settings_parse(buf_slice(&with_logins), NULL, &errors);
    check_slice(buf_slice(&errors.text), SLICE(""));
    check_slice(buf_slice(&s->logins->secret), SLICE("of a relay"));
    settings_free(s);
    settings_errors_done(&errors);

    s = settings_parse(buf_slice(&with_keys), NULL, &errors);
    check_slice(buf_slice(&errors.text), SLICE(""));
    check_slice(s->certificates->name, SLICE(""));
    check_slice(s->certificates->chain, SLICE("chain one"));
    check_slice(s->certificates->key, SLICE("key one"));
    check_slice(s->certificates->next->key, SLICE("key two"));
    settings_free(s);
    settings_errors_done(&errors);

    s = settings_parse(buf_slice(&handed), NULL, &errors);
    check_slice(buf_slice(&errors.text), SLICE(""));
    check_slice(s->certificates->chain, SLICE("chain one"));
    check_slice(s->certificates->key, SLICE(""));
    check_int(s->listeners[0].tls, LISTENER_TLS_OPTIONAL);
    check_int(accounts_count(s->tables->accounts), 2);
    check_int(s->tables->next->type, TABLE_ALIASES);
    settings_free(s);
    settings_errors_done(&errors);
    buf_done(&bundle);
    buf_done(&handed);
    buf_done(&with_keys);
    buf_done(&with_logins);
}

/* Only a receiver and the courier have what return paths are signed with. */
static void test_srs(void **state)
{
    static const struct {
        const char *secrets;
        unsigned flags, count; /* 0: an error */
    } files[] = {
        {"hush, hush",                      0,              1},
        {"hush, hush\r\nolder than that\n", 0,              2},
        {"",                                0,              0},
        {"too few\n",                       0,              0},
        {"hush, hush\n\n",                  0,              0},
        {"hush, hush\n",                    SOURCE_FOR_ALL, 0},
    };

    (void)state;
    CHECK_ROWS (i, files) {
        struct settings_errors errors;
        struct buf bundle, handed;

        buf_init(&bundle, BUNDLE_MAX);
        bundle_add(&bundle, SLICE("f"), 0,
                   SLICE("hostname h.example\nlisten mx *:25\nqueue /q\nsrs file:/srs\n"
                         "accept to local deliver maildir /m\nrelay out { srs off }\n"));
        bundle_add(&bundle, SLICE("/srs"), files[i].flags, slice_of(files[i].secrets));
        struct settings *s = settings_parse(buf_slice(&bundle), NULL, &errors);
        check_int(s != NULL, files[i].count > 0);
        for (unsigned with = SETTINGS_WITHOUT_SECRETS; s != NULL && with <= SETTINGS_WITH_LOGINS;
             with++) {
            buf_init(&handed, BUNDLE_MAX);
            check(settings_bundle_for_role(s, buf_slice(&bundle), (enum settings_secrets)with,
                                           &handed));
            check_int(holds(&handed, "hush"),
                      with == SETTINGS_WITH_KEYS || with == SETTINGS_WITH_LOGINS);
            buf_done(&handed);
        }
        if (s != NULL) {
            check_int(s->srs.count, files[i].count);
            check(!s->relays->srs);
            check_slice(s->srs.list[0], SLICE("hush, hush"));
        }
        settings_free(s);
        settings_errors_done(&errors);
        buf_done(&bundle);
    }
}

static void test_defaults(void **state)
{
    struct settings_errors errors;
    struct settings *s = parse(SLICE("f"),
                               SLICE("hostname h.example\r\nlisten mx *:25\r\nqueue /q\r\n"
                                     "accept to domain h.example deliver maildir /m/{user}\r\n"),
                               &errors);

    (void)state;
    check_slice(buf_slice(&errors.text), SLICE(""));
    check_slice(s->rules.origin, SLICE("h.example"));
    check_int(s->rules.postmaster.kind, ADDRESS_MAILBOX);
    check_slice(s->rules.postmaster.local, SLICE("postmaster"));
    check_slice(s->rules.postmaster.domain, SLICE("h.example"));
    check_int(s->max_size, 50 * 1024 * 1024);
    check_int(s->queue_min_free, 5 * 64 * 1024 * 1024);
    check_int(s->dns_source, DNS_FROM_SYSTEM);
    settings_free(s);
    settings_errors_done(&errors);
}

/* A rule stands where its file is included, and knows where it comes from. */
static void test_include(void **state)
{
    static const struct {
        const char *file;
        unsigned line;
        const char *domain;
    } rows[] = {
        {"/f",  4, "h.example"    },
        {"/g2", 1, "two.example"  },
        {"/h",  2, "three.example"},
        {"/g1", 1, "four.example" },
        {"/f",  6, "five.example" },
    };
    struct settings_errors errors;
    struct buf bundle;

    (void)state;
    buf_init(&bundle, BUNDLE_MAX);
    bundle_add(&bundle, SLICE("/f"), 0,
               SLICE("hostname h.example\nlisten mx *:25\nqueue /q\n"
                     "accept to domain h.example deliver maildir /m/{user}\n"
                     "include /g*\n"
                     "reject to domain five.example\n"));
    bundle_add(&bundle, SLICE("/g*"), 0, SLICE("/g2\n/g1\n"));
    bundle_add(&bundle, SLICE("/g1"), 0, SLICE("reject to domain four.example"));
    bundle_add(&bundle, SLICE("/g2"), 0, SLICE("reject to domain two.example\ninclude /h\n"));
    bundle_add(&bundle, SLICE("/h"), 0, SLICE("log json\nreject to domain three.example\n"));
    struct settings *s = parse_bundle(&bundle, &errors);

    assert_non_null(s);
    check_int(s->log_form, LOG_JSON);
    check_int(s->rules.count, sizeof(rows) / sizeof(*rows));
    CHECK_ROWS (i, rows) {
        check_slice(s->rules.rules[i].file, slice_of(rows[i].file));
        check_int(s->rules.rules[i].line, rows[i].line);
        check_slice(s->rules.rules[i].to.domain, slice_of(rows[i].domain));
    }
    settings_errors_done(&errors);
    settings_free(s);

    buf_clear(&bundle);
    bundle_add(&bundle, SLICE("/f"), 0, SLICE("include /f\n"));
    check(parse_bundle(&bundle, &errors) == NULL);
    check(holds(&errors.text, "/f:1:9: error: a file cannot include itself"));
    settings_errors_done(&errors);
    buf_done(&bundle);
}

static void test_resolvers(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        enum dns_source source;
    } rows[] = {
        {"system",           true,  DNS_FROM_SYSTEM   },
        {"recursive",        true,  DNS_FROM_ROOT     },
        {"192.0.2.53",       true,  DNS_FROM_FORWARDER},
        {"192.0.2.53@5300",  true,  DNS_FROM_FORWARDER},
        {"2001:db8::53",     true,  DNS_FROM_FORWARDER},
        {"192.0.2.53:53",    false, DNS_FROM_SYSTEM   },
        {"192.0.2.53@",      false, DNS_FROM_SYSTEM   },
        {"192.0.2.53@0",     false, DNS_FROM_SYSTEM   },
        {"192.0.2.53@65536", false, DNS_FROM_SYSTEM   },
        {"dns.example",      false, DNS_FROM_SYSTEM   },
    };
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct settings_errors errors;
        struct slice text = arena_printf(&arena,
                                         "hostname h.example\nlisten mx *:25\nqueue /q\n"
                                         "resolver %s\n"
                                         "accept to domain h.example deliver maildir /m/{user}\n",
                                         rows[i].text);
        struct settings *s = parse(SLICE("f"), text, &errors);

        check_int(s != NULL, rows[i].valid);
        if (s != NULL)
            check_int(s->dns_source, rows[i].source);
        settings_free(s);
        settings_errors_done(&errors);
    }
    arena_done(&arena);
}

static void test_too_large(void **state)
{
    struct arena arena = {0};
    char *text = arena_alloc(&arena, SETTINGS_TEXT_MAX + 1);
    struct settings_errors errors;

    (void)state;
    memset(text, '\n', SETTINGS_TEXT_MAX + 1);
    assert_null(parse(SLICE("f"), (struct slice){text, SETTINGS_TEXT_MAX + 1}, &errors));
    check_slice(buf_slice(&errors.text), SLICE("f: error: the file is larger than 1 MiB\n"));
    settings_errors_done(&errors);
    memset(text, 'x', SETTINGS_TEXT_MAX);
    assert_null(parse(SLICE("f"), (struct slice){text, SETTINGS_TEXT_MAX}, &errors));
    settings_errors_done(&errors);
    for (size_t i = 1; i < SETTINGS_TEXT_MAX; i += 2)
        text[i] = i % 4 == 1 ? '\n' : '{';
    assert_null(parse(SLICE("f"), (struct slice){text, SETTINGS_TEXT_MAX}, &errors));
    settings_errors_done(&errors);
    arena_done(&arena);
}

/* The same numbers in each run; not meant to be good ones. */
static unsigned next_number(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void mutate(char *text, size_t *len, unsigned *seed)
{
    static const char likely[] = "{}\"\\;,#\n\t \0\xff\xc3*.:@/019";
    size_t at = next_number(seed) % *len;

    switch (next_number(seed) % 4) {
    case 0: text[at] = likely[next_number(seed) % (sizeof(likely) - 1)]; break;
    case 1: text[at] = (char)next_number(seed); break;
    case 2: /* cut a piece out */
    {
        size_t gone = next_number(seed) % 20;
        if (gone > *len - at - 1)
            gone = *len - at - 1;
        memmove(text + at, text + at + gone, *len - at - gone);
        *len -= gone;
        break;
    }
    default: /* copy one place over another */
    {
        size_t from = next_number(seed) % *len, n = next_number(seed) % 20;
        for (size_t i = 0; i < n && at + i < *len && from + i < *len; i++)
            text[at + i] = text[from + i];
    }
    }
}

/* What is printed is clean text, whatever the file holds. */
static void check_clean(struct slice printed)
{
    for (size_t i = 0; i < printed.len; i++)
        check((unsigned char)printed.data[i] >= 0x20 || printed.data[i] == '\n');
}

static void test_mutations_never_crash(void **state)
{
    struct arena arena = {0};
    struct slice good = read_whole(&arena, SOURCE_ROOT "/tests/config/good.conf");
    char *text = arena_alloc(&arena, good.len);
    unsigned seed = 1, still_good = 0;

    (void)state;
    for (check_row = 0; check_row < 3000; check_row++) {
        struct settings_errors errors;
        size_t len = good.len;

        memcpy(text, good.data, len);
        for (unsigned n = 1 + next_number(&seed) % 4; n > 0 && len > 1; n--)
            mutate(text, &len, &seed);
        struct settings *s = parse(SLICE("f"), (struct slice){text, len}, &errors);
        still_good += s != NULL;
        check_clean(buf_slice(&errors.text));
        settings_free(s);
        settings_errors_done(&errors);
    }
    assert_true(still_good > 10 && still_good < 2990);
    arena_done(&arena);
}

/* Each ```conf block of the manual is a whole configuration without errors or warnings. */
static void test_manual(void **state)
{
    struct arena arena = {0};
    struct slice manual = read_whole(&arena, SOURCE_ROOT "/docs/configuration.md"), rest = manual;
    struct slice text;
    unsigned examples = 0, tables = 0;

    (void)state;
    for (; take_block(&rest, SLICE("```conf"), &text); examples++) {
        struct settings_errors errors;
        struct settings *s =
            parse_with_files(&arena, SLICE("docs/configuration.md"), text, manual, &errors);

        check_slice(buf_slice(&errors.text), SLICE(""));
        for (const struct settings_table *one = s->tables; one != NULL; one = one->next)
            tables++;
        settings_free(s);
        settings_errors_done(&errors);
    }
    assert_true(examples >= 3 && tables >= 2);
    arena_done(&arena);
}

/* Who is handed which of a relay's two secrets, and that of a listener, which goes the way of the
 * second. */
struct share {
    enum settings_secrets kind;
    bool password, secret;
};

static void check_share(const struct settings *s, const struct buf *bundle,
                        const struct share *share)
{
    struct settings_errors errors;
    struct buf handed;

    buf_init(&handed, BUNDLE_MAX);
    check(settings_bundle_for_role(s, buf_slice(bundle), share->kind, &handed));
    check_int(holds(&handed, "of a user"), share->password);
    check_int(holds(&handed, "of a client"), share->secret);
    check_int(holds(&handed, "of an asker"), share->secret);
    struct settings *theirs = settings_parse(buf_slice(&handed), NULL, &errors);
    check_slice(buf_slice(&errors.text), SLICE(""));
    check_int(buf_len(&theirs->oauths->secret) > 0, share->secret);
    check_int(buf_len(&theirs->logins->secret) > 0, share->password);
    check_int(buf_len(&theirs->introspections->secret) > 0, share->secret);
    settings_free(theirs);
    settings_errors_done(&errors);
    buf_done(&handed);
}

static void test_secrets_of_providers(void **state)
{
    static const struct share rows[] = {
        {SETTINGS_WITHOUT_SECRETS, false, false},
        {SETTINGS_WITH_KEYS,       false, false},
        {SETTINGS_WITH_LOGINS,     true,  false},
        {SETTINGS_WITH_PASSWORDS,  false, true },
    };
    struct settings_errors errors;
    struct buf bundle;

    (void)state;
    buf_init(&bundle, BUNDLE_MAX);
    bundle_add(&bundle, SLICE("f"), 0,
               SLICE("hostname h.example\nlisten mx *:25\nqueue /q\npostmaster ann@h.example\n"
                     "table people accounts /people\n"
                     "listen submission 127.0.0.1:587 { auth people; auth-cleartext yes\n"
                     "introspect https://i.example { client id file:/chalk } }\n"
                     "relay r { host a.example; user me file:/pencil }\n"
                     "relay t { host a.example; user me; oauth2 google { client id file:/ink } }\n"
                     "accept from local to any relay r\n"
                     "accept to domain h.example deliver maildir /m/{user}\n"));
    bundle_add(&bundle, SLICE("/pencil"), 0, SLICE("of a user\n"));
    bundle_add(&bundle, SLICE("/ink"), 0, SLICE("of a client\n"));
    bundle_add(&bundle, SLICE("/chalk"), 0, SLICE("of an asker\n"));
    bundle_add(&bundle, SLICE("/people"), 0, SLICE("ann@h.example:{SSHA}\n"));
    struct settings *s = parse_bundle(&bundle, &errors);
    check_slice(buf_slice(&errors.text), SLICE(""));
    check(settings_is_secret_file(s, SLICE("/ink")));
    CHECK_ROWS (i, rows)
        check_share(s, &bundle, &rows[i]);
    settings_free(s);
    settings_errors_done(&errors);
    buf_done(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_files),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rewrites),
        cmocka_unit_test(test_srs),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_submission),
        cmocka_unit_test(test_large_certificate),
        cmocka_unit_test(test_ways_out),
        cmocka_unit_test(test_relay_defaults),
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_providers),
        cmocka_unit_test(test_introspections),
        cmocka_unit_test(test_secrets_of_providers),
        cmocka_unit_test(test_login_defaults),
        cmocka_unit_test(test_bundle_for_role),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_resolvers),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_mutations_never_crash),
        cmocka_unit_test(test_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
