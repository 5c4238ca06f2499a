/*
 * own_name.c - what this machine calls itself, and what nothing else is called.
 */
#include "cmd/own_name.h"

#include "base/codec.h"
#include "base/random.h"
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

struct slice random_name(struct arena *arena)
{
    unsigned char bytes[12];
    struct slice name;
    struct buf hex;

    random_bytes(random_real(), bytes, sizeof(bytes));
    buf_init(&hex, 2 * sizeof(bytes));
    hex_encode(&hex, (struct slice){(const char *)bytes, sizeof(bytes)});
    name = arena_copy(arena, buf_slice(&hex));
    buf_done(&hex);
    return name;
}
