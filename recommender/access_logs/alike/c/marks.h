/* Where signs stand in a line. */
#ifndef MARKS_H
#define MARKS_H

#include "found.h"

#define EACH_BYTE(byte) ((byte) * 0x0101010101010101u)

/* Eight bytes, the first of them lowest. */
static inline uint64_t eight_at(Text at)
{
    uint64_t bytes = 0;
    for (int i = 0; i < 8; i++)
        bytes |= (uint64_t)at[i] << i * 8;
    return bytes;
}

/* Set the high bit of each byte that is zero. */
static inline uint64_t are_zero(uint64_t bytes)
{
    uint64_t most = EACH_BYTE(0x7fu);
    return ~(((bytes & most) + most) | bytes | most);
}

/* Put the high bits of eight bytes into one. */
static inline uint64_t high_bits(uint64_t bytes)
{
    return (bytes >> 7) * 0x0102040810204080u >> 56;
}

/* Mark the signs of a line; what is behind its end may be marked, too. */
static void mark_signs_portably(Marks *marks, Span line, const Signs *signs)
{
    for (size_t at = 0, length = length_of(line); at < length; at += 8) {
        uint64_t bytes = eight_at(line.at + at);
        uint64_t first = are_zero(bytes ^ EACH_BYTE((uint64_t)signs->signs[0].bytes[0]));
        uint64_t any = first;
        for (int i = 1; i < signs->count; i++)
            any |= are_zero(bytes ^ EACH_BYTE((uint64_t)signs->signs[i].bytes[0]));
        if (at % WORD == 0)
            marks->first[at / WORD] = marks->any[at / WORD] = 0;
        marks->first[at / WORD] |= high_bits(first) << at % WORD;
        marks->any[at / WORD] |= high_bits(any) << at % WORD;
    }
}

/* Mark quotes; 0 if there is an escape, which is left to those who can undo it, or a control sign,
 * which is not JSON. */
static int mark_quotes_portably(uint64_t *quotes, Span line)
{
    uint64_t odd = 0;
    for (size_t at = 0, length = length_of(line); at < length; at += 8) {
        uint64_t bytes = eight_at(line.at + at), inside = ~(uint64_t)0;
        if (length - at < 8)
            inside >>= (8 - (length - at)) * 8;
        odd |= (are_zero(bytes & EACH_BYTE(0xe0u)) | are_zero(bytes ^ EACH_BYTE((uint64_t)'\\'))) &
               inside;
        if (at % WORD == 0)
            quotes[at / WORD] = 0;
        quotes[at / WORD] |= high_bits(are_zero(bytes ^ EACH_BYTE((uint64_t)'"'))) << at % WORD;
    }
    return !odd;
}

#ifdef HAS_WIDE
typedef __m256i WideBlock;

WIDE static inline WideBlock wide_block(const Sign *sign)
{
    return _mm256_broadcastsi128_si256(block_at(sign->bytes));
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

/* The same for a number of signs that is known. */
WIDE static inline void mark_so_many(Marks *marks, Span line, const Signs *signs, int count)
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
        marks->first[at / WORD] = wide_bits(in_near, in_far);
        for (int i = 1; i < count; i++) {
            in_near = _mm256_or_si256(in_near, _mm256_cmpeq_epi8(near, wanted[i]));
            in_far = _mm256_or_si256(in_far, _mm256_cmpeq_epi8(far, wanted[i]));
        }
        marks->any[at / WORD] = wide_bits(in_near, in_far);
    }
}

WIDE static void mark_signs_widely(Marks *marks, Span line, const Signs *signs)
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
        mark_signs_widely(&self->marks, line, signs);
    else
#endif
        mark_signs_portably(&self->marks, line, signs);
    mark_end(self->marks.first, length_of(line));
    mark_end(self->marks.any, length_of(line));
}

static int mark_quotes(Alike *self, Span line)
{
    int is_plain;
#ifdef HAS_WIDE
    if (!self->is_portable)
        is_plain = mark_quotes_widely(self->marks.first, line);
    else
#endif
        is_plain = mark_quotes_portably(self->marks.first, line);
    mark_end(self->marks.first, length_of(line));
    return is_plain;
}

static inline size_t bit_of(uint64_t bits)
{
#ifdef __GNUC__
    return (size_t)__builtin_ctzll(bits);
#else
    size_t bit = 0;
    for (; !(bits & 1); bits >>= 1)
        bit++;
    return bit;
#endif
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
