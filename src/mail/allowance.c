/*
 * allowance.c - which allowance an account has.
 */
#include "mail/allowance.h"

const struct allowance allowance_usual = {
    .recipients = {500, 3600}
};

const struct allowance *allowance_for(const struct allowance *list, size_t count, struct slice user)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].user.len == 0 || slice_equal_nocase(list[i].user, user))
            return &list[i];
    return &allowance_usual;
}
