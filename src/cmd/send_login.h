/*
 * send_login.h - who `postroad send` is to the server: --user and --auth, or an account of msmtp.
 */
#ifndef CMD_SEND_LOGIN_H
#define CMD_SEND_LOGIN_H

#include "base/buf.h"

struct send_request;

struct send_login {
    struct slice user;      /* "": nobody logs in */
    unsigned mechanisms;    /* that may be taken; 0: any */
    bool is_token;          /* what is taken as the secret */
    bool in_clear;          /* the person said so */
    struct buf secret;      /* wiped at the end */
    struct buf account;     /* the file with the account, the same */
    struct buf authorities; /* who vouches for the server, in PEM; empty: this machine's */
};

/* --account: what it says stands where nothing was typed. An exit status, told; 0: go on. */
int send_login_take_account(struct send_request *r);

/* What was typed, or taken. Behind --tls and --server. */
int send_login_parse(struct send_request *r);

/* The secret: the account's, the first line of stdin, or what the person types. The last of all,
 * so that nobody types one in vain. */
int send_login_ask(struct send_request *r);

void send_login_done(struct send_login *l);

#endif
