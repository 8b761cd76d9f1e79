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
    size_t length = length_of(key->name);
    if (length_of(member) < length)
        return 0;
    Block odd = {0};
    for (int i = 0; i < 2; i++) {
        Block other = block_at(member.at + i * BLOCK) ^ block_at(key->starts[i].bytes);
        odd |= other & block_at(key->masks[i].bytes);
    }
    if (bits_of((Block)(odd != 0)))
        return 0;
    size_t seen = sizeof key->starts;
    return length <= seen || is_same(member.at + seen, key->name.at + seen, length - seen);
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

static int take_member(Alike *self, const Key *key, Span raw)
{
    int action = key->action, is_text = *raw.at == '"';
    if (action == SKIPPED)
        return 1;
    need_sign(self, key->number);
    if (action == NEEDED) {
        need(self, raw.at, raw.end);
        return 1;
    }
    need_sign(self, (uint8_t)is_text);
    Span inner = {raw.at + is_text, raw.end - is_text};
    if (action == PRESENCE && !is_text)
        inner.end = inner.at;
    if (action == TIME && !is_text)
        return 0;
    return take_value(self, action, inner);
}

/* Return the end of a value of JSON that is plain; NULL if there is none. */
static inline Text after_json_value(Span rest, Text line, const uint64_t *quotes)
{
    if (rest.at == rest.end || *rest.at != '"')
        return after_plain_value(rest.at, rest.end);
    Text close = line + next_mark(quotes, (size_t)(rest.at + 1 - line));
    return close < rest.end ? close + 1 : NULL;
}

static int fits_keys(Alike *self, Span line)
{
    if (self->known == self->known_end || line.end - line.at < 2 || *line.at != '{' ||
        line.end[-1] != '}' || !mark_quotes(self, line))
        return 0;
    Key *before = self->known_end;
    Text at = line.at, end = line.end - 1; /* the last bracket is not part of a member */
    self->object++;
    while (at < end) {
        Span member = {at + 1, end};
        if (*at != (at == line.at ? '{' : ','))
            return 0;
        Key *key = known_key(self, before, member);
        if (!key || key->seen_in == self->object)
            return 0;
        key->seen_in = self->object;
        if (before->follower != key)
            before->follower = key;
        before = key;
        Span raw = {after(member.at, key->name), end};
        raw.end = after_json_value(raw, line.at, self->marks.first);
        if (!raw.end)
            return 0;
        if (at == line.at) {
            need_sign(self, key->number); /* how a line begins tells text that looks like JSON */
            need_sign(self, *raw.at == '"');
        }
        if (!take_member(self, key, raw))
            return 0;
        at = raw.end;
    }
    return at == end && at > line.at;
}

#endif
