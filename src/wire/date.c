/*
 * date.c - RFC 5322 3.3 dates and ISO 8601 times.
 *
 * The calendar is counted in days from 1 March of the year 0, so that a leap day is the last
 * day of its year and needs no exception; 400 years are always 146097 days. The C library's
 * time functions are not used: they ask for the zone database and the environment.
 *
 * Reading forgives what RFC 5322 4.3 forgives: comments and blanks anywhere, names of zones,
 * years of two digits. An unknown zone is taken as UTC, as 4.3 says.
 */
#include "wire/date.h"

#include "base/cursor.h"
#include "wire/chars.h"

#define SECOND_US 1000000U

enum {
    DAY_S = 86400,
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
    ERA_YEARS = 400,
    ERA_DAYS = 146097,
};

struct civil {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0 is Sunday */
};

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int64_t div_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of a date after the year 0. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t march_year = year - (month <= 2);
    int64_t era = div_floor(march_year, ERA_YEARS);
    int64_t year_of_era = march_year - era * ERA_YEARS;
    int64_t march_month = (month + 9) % 12;
    int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;

    return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_1970;
}

static void civil_from_days(int64_t days, struct civil *out)
{
    int64_t since_march = days + DAYS_TO_1970;
    int64_t era = div_floor(since_march, ERA_DAYS);
    int64_t day_of_era = since_march - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;

    out->day = (unsigned)(day_of_year - (153 * march_month + 2) / 5 + 1);
    out->month = (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9);
    out->year = year_of_era + era * ERA_YEARS + (out->month <= 2);
    out->weekday = (unsigned)(((days + 4) % 7 + 7) % 7); /* 1970 began on a Thursday */
}

static struct civil civil_from_wall(uint64_t wall_us, int offset_min)
{
    struct civil got;
    int64_t seconds = (int64_t)(wall_us / SECOND_US) + (int64_t)offset_min * 60;
    int64_t days = div_floor(seconds, DAY_S);
    unsigned rest = (unsigned)(seconds - days * DAY_S);

    civil_from_days(days, &got);
    got.hour = rest / 3600;
    got.minute = rest / 60 % 60;
    got.second = rest % 60;
    return got;
}

static unsigned offset_size(int offset_min)
{
    return (unsigned)(offset_min < 0 ? -offset_min : offset_min);
}

bool date_write_rfc5322(struct buf *out, uint64_t wall_us, int offset_min)
{
    struct civil t = civil_from_wall(wall_us, offset_min);
    unsigned size = offset_size(offset_min);

    return buf_printf(out, "%s, %u %s %04lld %02u:%02u:%02u %c%02u%02u", day_names[t.weekday],
                      t.day, month_names[t.month - 1], (long long)t.year, t.hour, t.minute,
                      t.second, offset_min < 0 ? '-' : '+', size / 60, size % 60);
}

bool date_write_iso(struct buf *out, uint64_t wall_us, int offset_min)
{
    struct civil t = civil_from_wall(wall_us, offset_min);
    unsigned size = offset_size(offset_min);

    return buf_printf(out, "%04lld-%02u-%02uT%02u:%02u:%02u.%06u%c%02u:%02u", (long long)t.year,
                      t.month, t.day, t.hour, t.minute, t.second, (unsigned)(wall_us % SECOND_US),
                      offset_min < 0 ? '-' : '+', size / 60, size % 60);
}

bool date_write_rfc3339(struct buf *out, uint64_t wall_us)
{
    struct civil t = civil_from_wall(wall_us, 0);

    return buf_printf(out, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)t.year, t.month, t.day,
                      t.hour, t.minute, t.second);
}

bool date_write_syslog(struct buf *out, uint64_t wall_us, int offset_min)
{
    struct civil t = civil_from_wall(wall_us, offset_min);

    return buf_printf(out, "%s %2u %02u:%02u:%02u", month_names[t.month - 1], t.day, t.hour,
                      t.minute, t.second);
}

/* --- reading --- */

static bool is_fold(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_alpha(char c)
{
    return char_is(c, CHAR_ALPHA);
}

/* Skips blanks, folds and nested comments; an unclosed comment reaches to the end. */
static void skip_cfws(struct cursor *c)
{
    unsigned depth = 0;
    char byte;

    for (;;) {
        if (depth == 0) {
            take_while(c, is_fold);
            if (cursor_peek(c) != '(')
                return;
        }
        if (!take_any(c, &byte))
            return;
        if (byte == '(')
            depth++;
        else if (byte == ')')
            depth--;
        else if (byte == '\\')
            take_any(c, &byte);
    }
}

/* A number of at most 4 digits and what separates it from the next token; *digits may be NULL. */
static bool take_field(struct cursor *c, unsigned *out, size_t *digits)
{
    size_t before = c->rest.len;
    uint64_t number;

    if (!take_number(c, &number) || before - c->rest.len > 4)
        return false;
    if (digits != NULL)
        *digits = before - c->rest.len;
    *out = (unsigned)number;
    skip_cfws(c);
    return true;
}

/* "Nov" or "November", as 1..12. */
static bool take_month(struct cursor *c, unsigned *out)
{
    struct slice word = take_while(c, is_alpha);

    for (unsigned i = 0; i < 12; i++) {
        if (slice_starts_nocase(word, (struct slice){month_names[i], 3})) {
            *out = i + 1;
            skip_cfws(c);
            return true;
        }
    }
    return false;
}

static bool take_year(struct cursor *c, int64_t *out)
{
    unsigned year;
    size_t digits;

    if (!take_field(c, &year, &digits) || digits < 2)
        return false;
    if (digits == 2 && year < 50)
        year += 2000;
    else if (digits < 4)
        year += 1900;
    *out = year;
    return true;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const unsigned days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static bool take_day(struct cursor *c, struct civil *t)
{
    /* the day's name is not compared with the date: nobody reads it, many get it wrong */
    take_while(c, is_alpha);
    skip_cfws(c);
    if (take_char(c, ','))
        skip_cfws(c);
    if (!take_field(c, &t->day, NULL) || !take_month(c, &t->month) || !take_year(c, &t->year))
        return false;
    return t->day >= 1 && t->day <= days_in_month(t->year, t->month);
}

static bool take_time(struct cursor *c, struct civil *t)
{
    if (!take_field(c, &t->hour, NULL) || !take_char(c, ':'))
        return false;
    skip_cfws(c);
    if (!take_field(c, &t->minute, NULL))
        return false;
    t->second = 0;
    if (take_char(c, ':')) {
        skip_cfws(c);
        if (!take_field(c, &t->second, NULL))
            return false;
    }
    return t->hour < 24 && t->minute < 60 && t->second <= 60; /* 60: a leap second */
}

static int zone_by_name(struct slice name)
{
    static const struct {
        struct slice name;
        int offset_min;
    } zones[] = {
        {SLICE_INIT("EDT"), -4 * 60},
        {SLICE_INIT("EST"), -5 * 60},
        {SLICE_INIT("CDT"), -5 * 60},
        {SLICE_INIT("CST"), -6 * 60},
        {SLICE_INIT("MDT"), -6 * 60},
        {SLICE_INIT("MST"), -7 * 60},
        {SLICE_INIT("PDT"), -7 * 60},
        {SLICE_INIT("PST"), -8 * 60},
    };

    for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
        if (slice_equal_nocase(name, zones[i].name))
            return zones[i].offset_min;
    return 0;
}

static bool take_zone(struct cursor *c, int *offset_min)
{
    bool west = take_char(c, '-');
    unsigned hours, minutes;

    if (!west && !take_char(c, '+')) {
        *offset_min = zone_by_name(take_while(c, is_alpha));
        skip_cfws(c);
        return true;
    }
    if (!take_digits(c, 2, &hours) || !take_digits(c, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_min = (int)(hours * 60 + minutes) * (west ? -1 : 1);
    skip_cfws(c);
    return true;
}

static bool wall_of(const struct civil *t, int zone_min, uint64_t *wall_us)
{
    int64_t seconds = days_from_civil(t->year, t->month, t->day) * DAY_S + (int64_t)t->hour * 3600 +
                      (int64_t)t->minute * 60 + t->second - (int64_t)zone_min * 60;

    if (seconds < 0)
        return false;
    *wall_us = (uint64_t)seconds * SECOND_US;
    return true;
}

bool date_parse_rfc5322(struct slice text, uint64_t *wall_us, int *offset_min)
{
    struct cursor c = {text};
    struct civil t;
    int zone_min;

    skip_cfws(&c);
    if (!take_day(&c, &t) || !take_time(&c, &t) || !take_zone(&c, &zone_min) || !cursor_at_end(&c))
        return false;

    if (!wall_of(&t, zone_min, wall_us))
        return false;
    *offset_min = zone_min;
    return true;
}

static bool take_iso_zone(struct cursor *c, int *offset_min)
{
    bool west = take_char(c, '-');
    unsigned hours, minutes;

    *offset_min = 0;
    if (!west && (take_char(c, 'Z') || take_char(c, 'z')))
        return true;
    if (!west && !take_char(c, '+'))
        return false;
    if (!take_digits(c, 2, &hours) || !take_char(c, ':') || !take_digits(c, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset_min = (int)(hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

static bool take_iso_time(struct cursor *c, struct civil *t)
{
    unsigned year;

    if (!take_digits(c, 4, &year) || !take_char(c, '-') || !take_digits(c, 2, &t->month) ||
        !take_char(c, '-') || !take_digits(c, 2, &t->day) ||
        (!take_char(c, 'T') && !take_char(c, 't')) || !take_digits(c, 2, &t->hour) ||
        !take_char(c, ':') || !take_digits(c, 2, &t->minute) || !take_char(c, ':') ||
        !take_digits(c, 2, &t->second))
        return false;
    t->year = year;
    return t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= days_in_month(t->year, t->month) && t->hour < 24 && t->minute < 60 &&
           t->second <= 60;
}

static bool is_digit(char c)
{
    return char_is(c, CHAR_DIGIT);
}

bool date_parse_iso(struct slice text, uint64_t *wall_us)
{
    struct cursor c = {text};
    struct civil t;
    int zone_min;

    if (!take_iso_time(&c, &t))
        return false;
    if (take_char(&c, '.') && take_while(&c, is_digit).len == 0)
        return false;
    if (!take_iso_zone(&c, &zone_min) || !cursor_at_end(&c))
        return false;
    return wall_of(&t, zone_min, wall_us);
}
