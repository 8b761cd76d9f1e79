/* Flat JSON -> keys, by the values of its members. */
#ifndef JSON_LINES_H
#define JSON_LINES_H

#include "marks.h"
#include "values.h"

static Text after_digits(Text at, Text end)
{
    for (; at < end; at += BLOCK) {
        unsigned others = 0xffff & ~bits_of((Block)(block_at(at) - '0' <= 9));
        if (others) {
            at += __builtin_ctz(others);
            return at < end ? at : end;
        }
    }
    return end;
}

/* Return the end of a word of JSON; NULL if there is none. */
static Text after_word(Text at, Text end)
{
    static const char *words[] = {"null", "true", "false"};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && !memcmp(at, words[i], length))
            return at + length;
    }
    return NULL;
}

/* Return the end of a number or a word of JSON; NULL if there is none. */
static Text after_plain_value(Text at, Text end)
{
    if (at < end && *at >= 'a')
        return after_word(at, end);
    if (at < end && *at == '-')
        at++;
    Text whole = after_digits(at, end);
    if (whole == at || (*at == '0' && whole > at + 1) || whole - at > 18)
        return NULL;
    if (whole == end || *whole != '.')
        return whole;
    Text fraction = after_digits(whole + 1, end);
    return fraction > whole + 1 ? fraction : NULL;
}

static inline int has_key(Span member, const Key *key)
{
    size_t length = length_of(key->name), seen = 2 * BLOCK;
    if (length_of(member) < length)
        return 0;
    uint32_t same = 0;
    for (int i = 0; i < 2; i++) {
        Block start = block_at(key->start + i * BLOCK);
        same |= (uint32_t)bits_of((Block)(block_at(member.at + i * BLOCK) == start)) << i * BLOCK;
    }
    return (same | key->beyond) == ~(uint32_t)0 &&
           (length <= seen || is_same(member.at + seen, key->name.at + seen, length - seen));
}

/* Find the key that a member begins with; NULL if it is not known. */
static Key *known_key(const Alike *self, const Key *before, Span member)
{
    Key *key = before->follower;
    for (const Key *last = key; !has_key(member, key);) {
        key = key + 1 < self->known_end ? key + 1 : self->known;
        if (key == last)
            return NULL;
    }
    return key;
}

/* Put what is needed of a member behind the key of its line; NULL if its value does not fit. */
static uint8_t *take_member(Alike *self, uint8_t *needed, const Key *key, Span raw, int is_text)
{
    int action = key->action;
    if (action == SKIPPED)
        return needed;
    needed = put_sign(needed, key->number);
    if (action == NEEDED)
        return put(needed, raw.at, raw.end);
    needed = put_sign(needed, (uint8_t)is_text);
    Span inner = {raw.at + is_text, raw.end - is_text};
    if (action == PRESENCE && !is_text)
        inner.end = inner.at;
    if (action == TIME && !is_text)
        return NULL;
    return take_value(self, needed, action, inner);
}

/* Return the end of a value of JSON that is plain; NULL if there is none. */
static inline Text after_json_value(Span rest, int is_text, Text line, const uint64_t *quotes)
{
    if (!is_text)
        return after_plain_value(rest.at, rest.end);
    Text close = line + next_mark(quotes, (size_t)(rest.at + 1 - line));
    return close < rest.end ? close + 1 : NULL;
}

/* Find the key that a member begins with; NULL if it is not known, or came before in the object. */
static inline Key *new_key(const Alike *self, Key *before, Span member)
{
    Key *key = known_key(self, before, member);
    if (!key || key->seen_in == self->object)
        return NULL;
    key->seen_in = self->object;
    if (before->follower != key)
        before->follower = key;
    return key;
}

/* Put what is needed of a flat object behind the key of its line; NULL if it is none. */
static uint8_t *fit_keys(Alike *self, uint8_t *needed, Span line)
{
    if (self->known == self->known_end || line.end - line.at < 2 || *line.at != '{' ||
        line.end[-1] != '}' || !mark_quotes(self, line))
        return NULL;
    Key *key = self->known_end;
    Span rest = {line.at, line.end - 1}; /* the last bracket is not part of a member */
    uint8_t sign = '{';
    self->object++;
    for (; rest.at < rest.end; sign = ',') {
        if (*rest.at++ != sign)
            return NULL;
        key = new_key(self, key, rest);
        if (!key)
            return NULL;
        Span raw = {after(rest.at, key->name), NULL};
        int is_text = *raw.at == '"';
        rest.at = raw.at;
        raw.end = after_json_value(rest, is_text, line.at, self->quotes);
        if (!raw.end)
            return NULL;
        if (sign == '{') { /* how a line begins tells text that looks like JSON */
            needed = put_sign(needed, key->number);
            needed = put_sign(needed, (uint8_t)is_text);
        }
        needed = take_member(self, needed, key, raw, is_text);
        if (!needed)
            return NULL;
        rest.at = raw.end;
    }
    return sign == ',' ? needed : NULL;
}

#endif
