/* Lines of text -> their keys, by cuts. */
#ifndef TEXT_LINES_H
#define TEXT_LINES_H

#include "marks.h"
#include "values.h"

static unsigned in_ranges(Block block, const Value *value)
{
    Block inside = {0};
    for (int i = 0; i < value->range_count; i++) {
        Block above = block - block_at(value->ranges[i].first.bytes);
        inside |= (Block)(above <= block_at(value->ranges[i].more.bytes));
    }
    return bits_of(inside);
}

static int holds_only(Span span, const Value *value)
{
    if (value->range_count) {
        for (Text at = span.at; at < span.end; at += BLOCK) {
            unsigned found = in_ranges(block_at(at), value);
            unsigned wrong = value->is_outside ? found : ~found & 0xffff;
            if (wrong && at + __builtin_ctz(wrong) < span.end)
                return 0;
        }
        return 1;
    }
    for (Text at = span.at; at < span.end; at++)
        if (!value->signs[*at])
            return 0;
    return 1;
}

static inline int fits_value(Alike *self, const Value *value, Span span)
{
    if (value->signs && !holds_only(span, value))
        return 0;
    return value->action == SKIPPED || take_value(self, value->action, span);
}

/* Return the last of its signs before that of the cut; NULL if there is none. */
static Text end_of_path(const Alike *self, const Value *path, Span line, Text at)
{
    Text most = line.at + next_mark(self->marks.first, (size_t)(at - line.at)) - path->first;
    while (most > at)
        if (*--most == path->sign)
            return most;
    return NULL;
}

/* Return where a value ends, with those that are as it is; NULL if it does not. */
static inline Text end_of_value(const Alike *self, const Value *value, Span line, Text at)
{
    if (value->is_path)
        return end_of_path(self, value, line, at);
    size_t place = (size_t)(at - line.at);
    if (value->sign == value->other_sign && !value->more)
        return line.at + next_mark(self->marks.first, place) - value->first;
    int more = value->more;
    for (;; place++) {
        place = next_mark(self->marks.any, place);
        Text end = line.at + place;
        if (more && *end == value->sign)
            more--;
        else if (*end == value->sign || *end == value->other_sign || end == line.end)
            return more ? NULL : end - value->first;
    }
}

/* Take all values of a line; where one ends the next sign stands that may end it. No literal has a
 * line feed, so that none goes on behind the line. */
static int fits_cut(Alike *self, const Cut *cut, Span line)
{
    if (!is_literal(line.at, &cut->begin))
        return 0;
    mark_signs(self, line, &cut->signs);
    Span span = {after(line.at, cut->begin.text), NULL};
    for (const Value *value = cut->values; value < cut->end; value++) {
        span.end = end_of_value(self, value, line, span.at);
        if (!span.end || span.end < span.at || !is_literal(span.end, &value->behind) ||
            (!value->is_any && !fits_value(self, value, span)))
            return 0;
        span.at = after(span.end, value->behind.text);
    }
    return span.at == line.end;
}

#endif
