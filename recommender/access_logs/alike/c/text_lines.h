/* Lines of text -> their keys, by cuts. */
#ifndef TEXT_LINES_H
#define TEXT_LINES_H

#include "marks.h"
#include "values.h"

static int holds_only_portably(Span span, const uint8_t *signs)
{
    for (Text at = span.at; at < span.end; at++)
        if (!signs[*at])
            return 0;
    return 1;
}

#ifdef HAS_WIDE
WIDE static int holds_none_of(Span span, const ByteSet *wrong)
{
    __m128i low = (__m128i)block_at(wrong->low), high = (__m128i)block_at(wrong->high);
    __m128i half = _mm_set1_epi8(NIBBLES - 1);
    for (Text at = span.at; at < span.end; at += BLOCK) {
        __m128i block = (__m128i)block_at(at);
        __m128i lows = _mm_shuffle_epi8(low, _mm_and_si128(block, half));
        __m128i highs = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(block, 4), half));
        __m128i is_right = _mm_cmpeq_epi8(_mm_and_si128(lows, highs), _mm_setzero_si128());
        unsigned wrong_bits = ~(unsigned)_mm_movemask_epi8(is_right) & 0xffff;
        if (wrong_bits && at + __builtin_ctz(wrong_bits) < span.end)
            return 0;
    }
    return 1;
}
#endif

static int holds_only(const Alike *self, Span span, const Value *value)
{
#ifdef HAS_WIDE
    if (!self->is_portable && value->wrong.is_said)
        return holds_none_of(span, &value->wrong);
#else
    (void)self;
#endif
    return holds_only_portably(span, value->signs);
}

/* Put what is needed of a value behind a key; NULL if it does not fit. */
static inline uint8_t *fit_value(Alike *self, uint8_t *key, const Value *value, Span span)
{
    if (value->signs && !holds_only(self, span, value))
        return NULL;
    return value->action == SKIPPED ? key : take_value(self, key, value->action, span);
}

/* Return the mark of the sign that ends a path, the last before that of the cut; NULL if there is
 * none. */
static const uint32_t *end_of_path(const Value *path, Span line, const uint32_t *mark)
{
    const uint32_t *last = mark;
    while (line.at[*last] != path->other_sign && line.at + *last < line.end)
        last++;
    size_t most = *last;
    while (last > mark) {
        last--;
        if (line.at[*last] == path->sign && *last + path->first < most)
            return last;
    }
    return NULL;
}

/* Return the mark of the sign that ends a value, with those that are as it is; NULL if there is
 * none. */
static inline const uint32_t *end_of_value(const Value *value, Span line, const uint32_t *mark)
{
    if (value->is_path)
        return end_of_path(value, line, mark);
    int more = value->more;
    for (;; mark++) {
        Text end = line.at + *mark;
        if (more && *end == value->sign)
            more--;
        else if (*end == value->sign || *end == value->other_sign || end == line.end)
            return more ? NULL : mark;
    }
}

/* Put what is needed of all values of a line behind a key; NULL if they do not fit. Where one ends
 * the next sign stands that may end it. No literal has a line feed, so that none goes on behind the
 * line. */
static uint8_t *fit_cut(Alike *self, uint8_t *key, const Cut *cut, Span line)
{
    if (!is_literal(line.at, &cut->begin))
        return NULL;
    mark_signs(self, line, &cut->signs);
    const uint32_t *mark = self->marks + cut->marks_before;
    Span span = {after(line.at, cut->begin.text), NULL};
    for (const Value *value = cut->values; value < cut->end; value++) {
        mark = end_of_value(value, line, mark);
        if (!mark)
            return NULL;
        span.end = line.at + *mark - (value->is_path ? 0 : value->first);
        if (span.end < span.at || !is_literal(span.end, &value->behind))
            return NULL;
        if (!value->is_any && !(key = fit_value(self, key, value, span)))
            return NULL;
        span.at = after(span.end, value->behind.text);
        mark += value->marks_behind;
    }
    return span.at == line.end ? key : NULL;
}

#endif
