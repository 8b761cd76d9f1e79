/* Where signs stand in a line. */
#ifndef MARKS_H
#define MARKS_H

#include "found.h"

#define PUT_TOGETHER 8

/* Signs are written down by their places, so that where a value ends need not be known to find
 * where the next one does: a processor looks at several at the same time. Quotes of JSON are bits,
 * as most of them are passed over. */

static inline uint64_t bits_inside(size_t length)
{
    return length < WORD ? ((uint64_t)1 << length) - 1 : ~(uint64_t)0;
}

/* Write down the places of bits; returns where the next ones go. */
static uint32_t *put_bits(uint32_t *marks, size_t place, uint64_t bits)
{
    for (; bits; bits &= bits - 1)
        *marks++ = (uint32_t)(place + (size_t)__builtin_ctzll(bits));
    return marks;
}

/* Mark the signs of a line, and its end. */
static void mark_signs_portably(uint32_t *marks, Span line, const Signs *signs)
{
    size_t length = length_of(line);
    for (size_t at = 0; at < length; at += BLOCK) {
        Block block = block_at(line.at + at), any = {0};
        for (int i = 0; i < signs->count; i++)
            any |= (Block)(block == block_at(signs->signs[i].bytes));
        marks = put_bits(marks, at, bits_of(any) & bits_inside(length - at));
    }
    *marks = (uint32_t)length;
}

/* Put bits of a block where it stands in its word. */
static inline void mark_block(uint64_t *marks, size_t at, Block truth)
{
    uint64_t bits = (uint64_t)bits_of(truth) << at % WORD;
    marks[at / WORD] = at % WORD ? marks[at / WORD] | bits : bits;
}

/* Mark quotes; 0 if there is an escape, which is left to those who can undo it, or a control sign,
 * which is not JSON. */
static int mark_quotes_portably(uint64_t *quotes, Span line)
{
    Block odd = {0};
    size_t length = length_of(line);
    for (size_t at = 0; at < length; at += BLOCK) {
        Block block = block_at(line.at + at);
        Block is_odd = (Block)(block < 32) | (Block)(block == '\\');
        mark_block(quotes, at, (Block)(block == '"'));
        if (length - at >= BLOCK)
            odd |= is_odd;
        else if (bits_of(is_odd) & ((1u << (length - at)) - 1))
            return 0;
    }
    return !bits_of(odd);
}

#ifdef HAS_WIDE
typedef __m256i WideBlock;

WIDE static inline WideBlock wide_block(const Sign *sign)
{
    return _mm256_broadcastsi128_si256((__m128i)block_at(sign->bytes));
}

WIDE static inline uint64_t wide_bits(WideBlock near, WideBlock far)
{
    return (uint32_t)_mm256_movemask_epi8(near) | (uint64_t)_mm256_movemask_epi8(far) << 32;
}

WIDE static inline WideBlock are_odd(WideBlock block)
{
    WideBlock last_control = _mm256_set1_epi8(31), escape = _mm256_set1_epi8('\\');
    WideBlock is_control = _mm256_cmpeq_epi8(_mm256_min_epu8(block, last_control), block);
    return _mm256_or_si256(is_control, _mm256_cmpeq_epi8(block, escape));
}

/* The same as `put_bits`; so many are written that it most often is known how many. */
WIDE static inline uint32_t *put_bits_widely(uint32_t *marks, size_t place, uint64_t bits)
{
    uint32_t *end = marks + _mm_popcnt_u64(bits);
    do {
        for (int i = 0; i < PUT_TOGETHER; i++) {
            marks[i] = (uint32_t)(place + _tzcnt_u64(bits));
            bits = _blsr_u64(bits);
        }
        marks += PUT_TOGETHER;
    } while (marks < end);
    return end;
}

/* Mark the signs of a line, and its end, where it is known how many signs there are. */
WIDE static inline void mark_so_many(uint32_t *marks, Span line, const Signs *signs, int count)
{
    WideBlock wanted[MOST_SIGNS];
    size_t length = length_of(line);
    for (int i = 0; i < count; i++)
        wanted[i] = wide_block(&signs->signs[i]);
    for (size_t at = 0; at < length; at += WORD) {
        WideBlock near = _mm256_loadu_si256((const WideBlock *)(line.at + at));
        WideBlock far = _mm256_loadu_si256((const WideBlock *)(line.at + at + sizeof near));
        WideBlock in_near = _mm256_cmpeq_epi8(near, wanted[0]);
        WideBlock in_far = _mm256_cmpeq_epi8(far, wanted[0]);
        for (int i = 1; i < count; i++) {
            in_near = _mm256_or_si256(in_near, _mm256_cmpeq_epi8(near, wanted[i]));
            in_far = _mm256_or_si256(in_far, _mm256_cmpeq_epi8(far, wanted[i]));
        }
        marks = put_bits_widely(marks, at, wide_bits(in_near, in_far) & bits_inside(length - at));
    }
    *marks = (uint32_t)length;
}

WIDE static void mark_signs_widely(uint32_t *marks, Span line, const Signs *signs)
{
    if (signs->count == 2)
        mark_so_many(marks, line, signs, 2);
    else
        mark_so_many(marks, line, signs, signs->count);
}

WIDE static int mark_quotes_widely(uint64_t *quotes, Span line)
{
    WideBlock quote = _mm256_set1_epi8('"'), odd = _mm256_setzero_si256();
    size_t length = length_of(line);
    for (size_t at = 0; at < length; at += WORD) {
        WideBlock near = _mm256_loadu_si256((const WideBlock *)(line.at + at));
        WideBlock far = _mm256_loadu_si256((const WideBlock *)(line.at + at + sizeof near));
        quotes[at / WORD] =
            wide_bits(_mm256_cmpeq_epi8(near, quote), _mm256_cmpeq_epi8(far, quote));
        if (length - at >= WORD) {
            odd = _mm256_or_si256(odd, _mm256_or_si256(are_odd(near), are_odd(far)));
            continue;
        }
        uint64_t inside = ((uint64_t)1 << length % WORD) - 1;
        if (wide_bits(are_odd(near), are_odd(far)) & inside)
            return 0;
    }
    return !_mm256_movemask_epi8(odd);
}
#endif

/* Mark the end of a line and nothing behind it, so that every search finds something. */
static void mark_end(uint64_t *marks, size_t length)
{
    size_t last = length / WORD;
    uint64_t end = (uint64_t)1 << length % WORD;
    marks[last] = length % WORD ? (marks[last] & (end - 1)) | end : end;
    marks[last + 1] = 0;
}

static void mark_signs(Alike *self, Span line, const Signs *signs)
{
#ifdef HAS_WIDE
    if (!self->is_portable)
        mark_signs_widely(self->marks, line, signs);
    else
#endif
        mark_signs_portably(self->marks, line, signs);
}

static int mark_quotes(Alike *self, Span line)
{
    int is_plain;
#ifdef HAS_WIDE
    if (!self->is_portable)
        is_plain = mark_quotes_widely(self->quotes, line);
    else
#endif
        is_plain = mark_quotes_portably(self->quotes, line);
    mark_end(self->quotes, length_of(line));
    return is_plain;
}

static inline size_t bit_of(uint64_t bits)
{
    return (size_t)__builtin_ctzll(bits);
}

/* Return the first mark from a place on, which most often is near. */
static inline size_t next_mark(const uint64_t *marks, size_t at)
{
    size_t word = at / WORD, shift = at % WORD;
    uint64_t near = marks[word] >> shift | marks[word + 1] << 1 << (WORD - 1 - shift);
    if (near)
        return at + bit_of(near);
    do
        word++;
    while (!marks[word]);
    return word * WORD + bit_of(marks[word]);
}

#endif
