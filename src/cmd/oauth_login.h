/*
 * oauth_login.h - a person logs in at a relay's provider of tokens.
 */
#ifndef CMD_OAUTH_LOGIN_H
#define CMD_OAUTH_LOGIN_H

#include "config/settings.h"

/* Asks for a login in a browser, and keeps what comes of it where the vault finds it. Returns an
 * exit status; all is told. `config`: as -c gave it, or NULL. */
int oauth_login(const struct settings *settings, const struct relay *relay, const char *config);

#endif
