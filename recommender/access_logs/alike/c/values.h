/* A value -> what is needed of it, in the key of its line. */
#ifndef VALUES_H
#define VALUES_H

#include "found.h"

#define TIME_LENGTH 24
#define YEAR_LENGTH 4
#define DAYS_BEFORE_1970 719162
#define NO_DAY INT64_MIN

static inline int is_literal(Text at, const Literal *literal)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    size_t length = length_of(literal->text);
    return (word & literal->mask) == literal->word &&
           (length <= sizeof word || is_same(at, literal->text.at, length));
}

/* Match `0` with any digit and everything else with itself. */
static int has_shape(Text at, const char *shape, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (shape[i] == '0' ? !is_digit(at[i]) : at[i] != (uint8_t)shape[i])
            return 0;
    return 1;
}

static int two_digits(Text at) { return (at[0] - '0') * 10 + at[1] - '0'; }

/* Match eight bytes with `:00.000Z`, as `has_shape` would, with no branch. */
static int are_seconds(Text at)
{
    uint64_t found, shape, most;
    memcpy(&found, at, 8);
    memcpy(&shape, ":00.000Z", 8);
    memcpy(&most, "\x7f\x76\x76\x7f\x76\x76\x76\x7f", 8); /* 0x76 plus ten has the high bit */
    found ^= shape;
    return !((found | (found + most)) & 0x8080808080808080u);
}

/* Return the days from 1970 to a day of the Gregorian calendar; NO_DAY if there is none. */
static int64_t day_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12)
        return NO_DAY;
    int length = before[month] - before[month - 1] + (is_leap && month == 2);
    if (day < 1 || day > length || year < 1)
        return NO_DAY;
    int64_t past = year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400;
    return days + before[month - 1] + (is_leap && month > 2) + day - 1 - DAYS_BEFORE_1970;
}

/* Take the minute of a time: where it begins, in milliseconds from 1970. */
static int take_minute(Alike *self, Text at)
{
    static const char shape[] = "0000-00-00T00:00:";
    if (!has_shape(at, shape, MINUTE_LENGTH))
        return 0;
    int hour = two_digits(at + 11), minute = two_digits(at + 14);
    int64_t day = day_of(two_digits(at) * 100 + two_digits(at + 2), two_digits(at + 5),
                         two_digits(at + 8));
    if (hour > 23 || minute > 59 || day == NO_DAY)
        return 0;
    memcpy(self->minute, at, MINUTE_LENGTH);
    self->minute_begin = ((day * 24 + hour) * 60 + minute) * 60000;
    return 1;
}

/* Take a time; most lines are of the same minute as the line before. */
static int take_time(Alike *self, Span span)
{
    if (self->has_time || span.end - span.at != TIME_LENGTH)
        return 0;
    if (memcmp(span.at, self->minute, MINUTE_LENGTH) && !take_minute(self, span.at))
        return 0;
    Text second = span.at + MINUTE_LENGTH;
    if (!are_seconds(second - 1) || *second > '5')
        return 0;
    self->has_time = 1;
    self->time = self->minute_begin + two_digits(second) * 1000 + (second[3] - '0') * 100 +
                 two_digits(second + 4);
    return 1;
}

/* Put more of what is needed behind a key; returns its end. Whatever is needed of a line is shorter
 * than MOST_KEY: see `add_line` and `take_all`. */
static inline uint8_t *put_sign(uint8_t *key, uint8_t sign)
{
    *key = sign;
    return key + 1;
}

static inline uint8_t *put(uint8_t *key, Text at, Text end)
{
    uint32_t length = (uint32_t)(end - at);
    memcpy(key, &length, sizeof length);
    copy(key + sizeof length, at, length);
    return key + sizeof length + length;
}

/* Where the port of a peer tells nothing, it is left out. */
static Text without_port(Span peer)
{
    Text at = peer.end;
    long port = 0, digit = 1;
    while (at > peer.at && is_digit(at[-1]) && peer.end - at < 5) {
        port += digit * (*--at - '0');
        digit *= 10;
    }
    int is_port = at < peer.end && at > peer.at && at[-1] == ':' && *at != '0' && port < 65536;
    return is_port ? at : peer.end;
}

/* Tell a name from a number or nothing, and from the text that stands for null. */
static uint8_t kind_of(Span value)
{
    if (value.at == value.end || is_digit(*value.at) || *value.at == '-')
        return 0;
    return value.end - value.at == 4 && !memcmp(value.at, "null", 4) ? 2 : 1;
}

/* Put what is needed of a value behind a key; NULL if it is none. */
static inline uint8_t *take_value(Alike *self, uint8_t *key, int action, Span value)
{
    switch (action) {
    case TIME:
        return take_time(self, value) ? put(key, value.at, value.at + YEAR_LENGTH) : NULL;
    case CLUSTER:
        self->is_received = value.end - value.at > 7 && !memcmp(value.at + 1, "nbound", 6) &&
                            (value.at[0] | 32) == 'i';
        return put(key, value.at, value.end);
    case PEER:
        self->peer = value;
        return key;
    case PRESENCE:
        return put_sign(key, kind_of(value));
    case NEEDED:
        return put(key, value.at, value.end);
    default:
        return key;
    }
}

#endif
