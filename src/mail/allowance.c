/*
 * allowance.c - which allowance somebody has.
 */
#include "mail/allowance.h"

enum { ERRORS_USUAL = 20 /* Postfix's smtpd_hard_error_limit */ };

/* Twelve times what a busy mail server needs, and a fraction of what one receiver can hold. */
const struct allowance allowance_usual_stranger = {
    .connections = 50,
    .rate = {600,  60},
    .network_connections = 200,
    .network_rate = {2400, 60},
    .errors = ERRORS_USUAL,
};

const struct allowance allowance_usual_account = {
    .connections = 100,
    .recipients = {500, 3600},
    .errors = ERRORS_USUAL,
};

const struct allowance allowance_usual_program = {.connections = 100};

/* Local programs are many, and a busy one is no attacker. A limit of what all of them hold keeps
 * room for the others (roles/session_room). */
static const struct allowance free_on_loopback = {.of = ALLOWANCE_OF_LOOPBACK,
                                                  .errors = ERRORS_USUAL};

const struct allowance *allowance_for(const struct allowance *list, size_t count, struct slice user)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].of == ALLOWANCE_OF_AUTHENTICATED ||
            (list[i].of == ALLOWANCE_OF_USER && slice_equal_nocase(list[i].user, user)))
            return &list[i];
    return &allowance_usual_account;
}

static bool is_loopback(const unsigned char ip[16])
{
    static const struct network one = {{[15] = 1}, 128};

    return network_has(&one, ip) || (ip_is_ipv4(ip) && ip[12] == 127);
}

const struct allowance *allowance_for_client(const struct allowance *list, size_t count,
                                             const unsigned char ip[16])
{
    bool loopback = is_loopback(ip);

    for (size_t i = 0; i < count; i++)
        if ((list[i].of == ALLOWANCE_OF_ANY && !loopback) ||
            (list[i].of == ALLOWANCE_OF_NETWORK && network_has(&list[i].network, ip)))
            return &list[i];
    return loopback ? &free_on_loopback : &allowance_usual_stranger;
}

struct network allowance_address(const unsigned char ip[16])
{
    return network_around(ip, ip_is_ipv4(ip) ? ALLOWANCE_IPV4_BITS : ALLOWANCE_IPV6_BITS);
}

struct network allowance_network(const unsigned char ip[16])
{
    return network_around(ip, ip_is_ipv4(ip) ? ALLOWANCE_IPV4_NETWORK_BITS
                                             : ALLOWANCE_IPV6_NETWORK_BITS);
}
