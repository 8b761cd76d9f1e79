/* Text that is looked at, and text that grows. */
#ifndef TEXT_H
#define TEXT_H

#include <Python.h>
#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#define HAS_WIDE 1
#define WIDE __attribute__((target("avx2,bmi,popcnt")))
#endif

#define BLOCK 16
#define PADDING 64
#define MOST_KEPT (4 << 20)

typedef const uint8_t *Text;

typedef struct {
    Text at, end;
} Span;

/* Bytes that are looked at together, with whatever instructions the processor has for that; what
 * compares them gives bytes of which all bits are set, or none. */
typedef uint8_t Block __attribute__((vector_size(BLOCK)));

/* A byte as often as a block is long. */
typedef struct {
    uint8_t bytes[BLOCK];
} Sign;

typedef struct {
    uint8_t *data;
    size_t length, room;
} Buffer;

static inline size_t length_of(Span span) { return (size_t)(span.end - span.at); }

static Text after(Text at, Span literal) { return at + (literal.end - literal.at); }

static inline Sign sign_of(int byte)
{
    Sign sign;
    memset(sign.bytes, byte, sizeof sign.bytes);
    return sign;
}

static int is_digit(uint8_t sign) { return sign >= '0' && sign <= '9'; }

static inline Block block_at(const uint8_t *at)
{
    Block block;
    memcpy(&block, at, sizeof block);
    return block;
}

/* Make a bit of each byte, of which all bits are the same; that of the first is the lowest. */
static inline unsigned bits_of(Block truth)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)truth);
#else
    unsigned bits = 0;
    for (int i = 0; i < BLOCK; i += 8) {
        uint64_t bytes;
        memcpy(&bytes, (uint8_t *)&truth + i, sizeof bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        bytes = __builtin_bswap64(bytes);
#endif
        bits |= (unsigned)((bytes & 0x0101010101010101u) * 0x0102040810204080u >> 56) << i;
    }
    return bits;
#endif
}

/* Tell whether two texts are the same; both have PADDING behind them. */
static int is_same(Text one, Text other, size_t length)
{
    for (; length; one += BLOCK, other += BLOCK) {
        unsigned same = bits_of((Block)(block_at(one) == block_at(other)));
        if (length <= BLOCK)
            return !((~same << (32 - length)) & ~0u);
        if (same != 0xffff)
            return 0;
        length -= BLOCK;
    }
    return 1;
}

/* Copy text; up to PADDING more than wanted is written. */
static inline void copy(uint8_t *to, Text from, size_t length)
{
    for (size_t done = 0; done < length; done += PADDING)
        memcpy(to + done, from + done, PADDING);
}

static int reserve(Buffer *buffer, size_t more)
{
    if (buffer->room - buffer->length >= more)
        return 1;
    size_t room = buffer->room ? buffer->room : 4096;
    while (room - buffer->length < more)
        room *= 2;
    uint8_t *data = PyMem_RawRealloc(buffer->data, room);
    if (!data)
        return 0;
    buffer->data = data;
    buffer->room = room;
    return 1;
}

static int append(Buffer *buffer, const void *data, size_t length)
{
    if (!reserve(buffer, length))
        return 0;
    if (length)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    return 1;
}

static void release(Buffer *buffer)
{
    PyMem_RawFree(buffer->data);
    *buffer = (Buffer){0};
}

/* Forget what is in a buffer; its memory is kept for what comes, as new one takes long to get. */
static void empty(Buffer *buffer)
{
    if (buffer->room > MOST_KEPT)
        release(buffer);
    buffer->length = 0;
}

#endif
