/*
 * own_name.c - what this machine calls itself.
 */
#include "cmd/own_name.h"

#include "wire/address.h"

#include <limits.h>
#include <unistd.h>

struct slice own_name(struct arena *arena)
{
    char name[HOST_NAME_MAX + 1] = "";
    struct slice ehlo;

    gethostname(name, sizeof(name) - 1);
    return ehlo_name_parse(slice_of(name), arena, &ehlo) ? ehlo : SLICE("localhost");
}
