/*
 * warden_reload.c - the configuration, or its accounts, read again while everything runs.
 *
 * What is new is opened before what is old is let go, so that a configuration that cannot be served
 * changes nothing. Then each child is handed what it was handed at its start.
 */
#include "roles/warden_internal.h"

int warden_seal(struct warden *w, const struct bundles *b, struct slice what)
{
    int code = bundles_seal(&w->bundles, b);

    return code == 0 ? 0 : fail_code(code, "hand over", what);
}

void warden_reread_accounts(struct warden *w)
{
    struct bundles fresh;

    if (w->draining || w->children == NULL)
        return;
    if (!w->options->reread(w->options->ctx, &fresh) ||
        warden_seal(w, &fresh, SLICE("accounts")) < 0) {
        warden_tell(w, EVENT_WARNING, SLICE("accounts cannot be read again: the old ones stay"));
        return;
    }
    for (size_t i = 0; i < w->child_count; i++)
        warden_give(&w->children[i], MESSAGE_ACCOUNTS, (struct slice){NULL, 0},
                    bundles_for(&w->bundles, w->children[i].kind), -1);
    warden_tell(w, EVENT_ROLE, SLICE("accounts were read again"));
}

void warden_tell_courier(struct warden *w, bool serves)
{
    char body = serves;

    if (!w->asked)
        return;
    w->asked = false;
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_COURIER)
            warden_give(&w->children[i], MESSAGE_RELOADED, (struct slice){&body, 1}, NULL, -1);
}

static void hand_over_again(struct warden *w, struct child *c)
{
    if (c->pid == 0)
        return; /* it gets them when it starts */
    c->awaited++;
    warden_send_settings(w, c);
    if (c->kind == ROLE_POSTMAN)
        warden_send_folders(w, c);
    if (c->kind == ROLE_RECEIVER)
        warden_send_listeners(w, c);
    warden_give(c, MESSAGE_START, (struct slice){NULL, 0}, NULL, -1);
}

/* Somebody may log in from now on. */
static void add_missing_vault(struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_VAULT)
            return;
    warden_add_child(w, ROLE_VAULT, 0);
    warden_start_child(&w->children[w->child_count - 1]);
}

int warden_open_sockets(struct warden *w, const struct settings *settings,
                        const struct sockets *old, struct sockets *out)
{
    guard_borrow_admins(&w->guard);
    int code = sockets_open(out, w->net, settings, old, &w->inherited);
    guard_return();
    return code;
}

/* What takes no other settings without a restart was refused before. */
static bool take_settings(struct warden *w, const struct settings *fresh, const struct bundles *b)
{
    struct sockets sockets = {0};

    if (warden_make_mailbox_roots(w, fresh) < 0 ||
        warden_open_sockets(w, fresh, &w->sockets, &sockets) < 0)
        return false;
    if (warden_seal(w, b, SLICE("the configuration")) < 0) {
        sockets_pass_on(&sockets, w->net, &w->sockets);
        return false;
    }
    sockets_pass_on(&w->sockets, w->net, &sockets);
    w->sockets = sockets;
    return true;
}

void warden_reload(struct warden *w)
{
    const struct settings *fresh;
    struct bundles bundles;

    if (w->draining || w->children == NULL)
        return;
    service_reloads(&w->service);
    if (!w->options->reload(w->options->ctx, &bundles, &fresh) ||
        !take_settings(w, fresh, &bundles)) {
        warden_tell(w, EVENT_WARNING, SLICE("settings cannot be read again: the old ones stay"));
        service_is_ready(&w->service, SLICE("serving; the last reload was refused, see the log"));
        warden_tell_courier(w, false);
        return;
    }
    w->options->adopt(w->options->ctx);
    w->serving = false;
    for (size_t i = 0; i < w->child_count; i++)
        hand_over_again(w, &w->children[i]);
    if (bundles.vault.len > 0)
        add_missing_vault(w);
}
