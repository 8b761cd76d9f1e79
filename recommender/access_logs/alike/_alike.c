/* Lines of a log -> the first of those that agree in all that is needed, and how many they are.
 *
 * What is needed is said from outside, as a cut of lines of text or as keys of flat JSON objects;
 * see text_cuts.py and json_keys.py. A line that no cut fits is a row of its own. Nothing here
 * knows what a line means: the first line of each row is read as any other line is.
 *
 * All text is hostile. Every pointer stays between the begin and the end of its line, but that a
 * whole block may be read or written where less is wanted: PADDING bytes lie behind every text.
 * Rows that collide too often become rows of their own.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#ifndef _WIN32
#include <unistd.h>
#endif
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#if defined __x86_64__ && defined __GNUC__
#include <immintrin.h>
#define HAS_WIDE 1
#define WIDE __attribute__((target("avx2")))
#endif

/* What becomes of a value; `Action` in actions.py says what each is for. */
enum { SKIPPED, NEEDED, TIME, CLUSTER, PEER, PRESENCE, PRESENT, ACTIONS };

/* Whether a value holds a byte; some cannot be in it, as it would have ended there. */
enum { MAY_NOT_BE, MAY_BE, CANNOT_BE };

#define MOST_LINE (1 << 16)
/* Of each byte of a line no more than one is needed, and for each value up to 8 more. */
#define MOST_KEY (MOST_LINE * 9 + 64 + PADDING + MOST_WAITING_KEY)
#define MOST_KEYS 250
#define MOST_WAITING 16
#define MOST_WAITING_KEY (1 << 14)
#define MOST_PROBES 64
#define MOST_RANGES 6
#define MOST_SIGNS 8
#define MOST_READ (1 << 18) /* what fits the cache of a processor is looked at faster */
#define BLOCK 16
#define PADDING 64
#define WORD 64
#define TIME_LENGTH 24
#define MINUTE_LENGTH 17
#define DAY_LENGTH 10
#define NO_ROW UINT32_MAX
/* In the middle of a file it is not known whether a line goes on. */
#define UNKNOWN 2
/* Signs that are the number of no cut and no key. */
#define IS_JSON 255
#define IS_PEER 254
#define MOST_CUTS 64

#ifdef __GNUC__
#define FETCH(at) __builtin_prefetch(at)
#else
#define FETCH(at) ((void)(at))
#endif

typedef const uint8_t *Text;

typedef struct {
    Text at, end;
} Span;

/* ---- what is to be found ---- */

/* A byte as often as a block is long. */
typedef struct {
    uint8_t bytes[BLOCK];
} Sign;

/* The bytes from the first on, and so many more. */
typedef struct {
    Sign first, more;
} Range;

/* Text that is always the same; of what is short, a word and which bits of it count. */
typedef struct {
    Span text;
    uint64_t word, mask;
} Literal;

typedef struct {
    int action;
    int is_any; /* whatever it is, it fits */
    int is_path; /* it ends at the last of its signs before that of the cut */
    uint8_t sign, other_sign; /* the first of these ends it */
    uint8_t first; /* where in what is behind that sign stands */
    Literal behind;
    uint8_t *signs; /* which bytes it may hold; NULL for all */
    /* The same as ranges, or which it may not hold; none if they would be too many. */
    int range_count, is_outside;
    Range ranges[MOST_RANGES];
} Value;

/* Where a line is looked at: at any of some signs. */
typedef struct {
    int count;
    Sign signs[MOST_SIGNS];
} Signs;

typedef struct {
    Signs signs;
    Literal begin;
    Value *values, *end;
} Cut;

typedef struct Key {
    Span name; /* with its quotes and the colon */
    Sign starts[2], masks[2]; /* how that begins, and how much of it that is */
    int action;
    uint8_t number;
    struct Key *follower; /* the key that came after it last */
    int64_t seen_in; /* the last object that had it */
} Key;

/* ---- what was found ---- */

typedef struct {
    uint8_t *data;
    size_t length, room;
} Buffer;

typedef struct {
    uint64_t hash;
    size_t key, key_length; /* in `keys`; no length for a line that nothing fits */
    size_t line, line_length; /* in `lines` */
    int64_t number, count;
    uint8_t first[TIME_LENGTH], last[TIME_LENGTH];
} Row;

/* A bit for each byte of a line: whether it is the first of some signs, and whether it is any. Its
 * end is marked, too. */
typedef struct {
    uint64_t first[MOST_LINE / WORD + 2], any[MOST_LINE / WORD + 2];
} Marks;

/* A line whose key is known and whose row is not. */
typedef struct {
    Span line;
    Text time;
    int64_t number;
    uint64_t hash;
    size_t key, key_length; /* in that of the lines at hand */
} Waiting;

typedef struct {
    PyObject_HEAD
    Cut *cuts;
    Py_ssize_t cut_count, last_cut;
    Key *known, *known_end; /* behind the last: a place for what comes first */
    int64_t object; /* the number of the one at hand */
    Buffer text; /* lines to be added, with PADDING */
    Buffer keys, lines, rows;
    Buffer key; /* those of waiting lines and of the line at hand; there is room for all of them */
    size_t key_begin; /* of the line at hand */
    Waiting waiting[MOST_WAITING];
    int waiting_count;
    Marks marks; /* of the line at hand */
    int is_portable;
    Span time, peer;
    uint8_t minute[MINUTE_LENGTH]; /* of the last time that is one */
    int is_received;
    uint32_t *places;
    size_t place_count, held;
    int goes_on; /* whether a part of a line was seen whose end was not */
} Alike;

static inline Sign sign_of(int byte)
{
    Sign sign;
    memset(sign.bytes, byte, sizeof sign.bytes);
    return sign;
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

static void forget(Buffer *buffer)
{
    PyMem_RawFree(buffer->data);
    *buffer = (Buffer){0};
}

/* ---- one line ---- */

#ifdef __SSE2__
typedef __m128i Block;

static Block block_at(const uint8_t *at) { return _mm_loadu_si128((const Block *)at); }

static unsigned bits_of(Block block) { return (unsigned)_mm_movemask_epi8(block); }
#endif

static int is_digit(uint8_t sign) { return sign >= '0' && sign <= '9'; }

/* Tell whether two texts are the same; both have PADDING behind them. */
static int is_same(Text one, Text other, size_t length)
{
#ifdef __SSE2__
    for (; length; one += BLOCK, other += BLOCK) {
        __m128i block = _mm_loadu_si128((const __m128i *)one);
        unsigned same = (unsigned)_mm_movemask_epi8(
            _mm_cmpeq_epi8(block, _mm_loadu_si128((const __m128i *)other)));
        if (length <= BLOCK)
            return !((~same << (32 - length)) & ~0u);
        if (same != 0xffff)
            return 0;
        length -= BLOCK;
    }
    return 1;
#else
    return !memcmp(one, other, length);
#endif
}

/* Copy text; up to PADDING more than wanted is written. */
static inline void copy(uint8_t *to, Text from, size_t length)
{
    for (size_t done = 0; done < length; done += PADDING)
#ifdef __SSE2__
        for (size_t i = done; i < done + PADDING; i += BLOCK)
            _mm_storeu_si128((Block *)(to + i), block_at(from + i));
#else
        memcpy(to + done, from + done, PADDING);
#endif
}

static inline size_t length_of(Span span) { return (size_t)(span.end - span.at); }

static Text after(Text at, Span literal) { return at + (literal.end - literal.at); }

/* ---- where signs stand ---- */

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

/* ---- one value ---- */

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

/* Tell a time; most lines are of the same minute as the line before. */
static int is_time(Alike *self, Span span)
{
    static const char shape[] = "0000-00-00T00:00:00.000Z";
    if (span.end - span.at != TIME_LENGTH)
        return 0;
    if (memcmp(span.at, self->minute, MINUTE_LENGTH)) {
        if (!has_shape(span.at, shape, MINUTE_LENGTH) || two_digits(span.at + 11) > 23 ||
            two_digits(span.at + 14) > 59)
            return 0;
        memcpy(self->minute, span.at, MINUTE_LENGTH);
    }
    return are_seconds(span.at + MINUTE_LENGTH - 1) && span.at[MINUTE_LENGTH] < '6';
}

/* Whatever is needed of a line is shorter than MOST_KEY: see `add_line` and `take_all`. */
static void need_sign(Alike *self, uint8_t sign) { self->key.data[self->key.length++] = sign; }

static void need(Alike *self, Text at, Text end)
{
    uint32_t length = (uint32_t)(end - at);
    memcpy(self->key.data + self->key.length, &length, sizeof length);
    copy(self->key.data + self->key.length + sizeof length, at, length);
    self->key.length += sizeof length + length;
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

/* Take what is needed of a value; it may not be one. */
static inline int take_value(Alike *self, int action, Span value)
{
    switch (action) {
    case TIME:
        if (self->time.at || !is_time(self, value))
            return 0;
        self->time = value;
        need(self, value.at, value.at + DAY_LENGTH);
        break;
    case CLUSTER:
        self->is_received = value.end - value.at > 7 && !memcmp(value.at + 1, "nbound", 6) &&
                            (value.at[0] | 32) == 'i';
        need(self, value.at, value.end);
        break;
    case PEER:
        self->peer = value;
        break;
    case PRESENCE:
        need_sign(self, kind_of(value));
        break;
    case NEEDED:
        need(self, value.at, value.end);
    }
    return 1;
}

/* ---- text ---- */

#ifdef __SSE2__
static unsigned in_ranges(Block block, const Value *value)
{
    Block inside = _mm_setzero_si128();
    for (int i = 0; i < value->range_count; i++) {
        Block above = _mm_sub_epi8(block, block_at(value->ranges[i].first.bytes));
        Block least = _mm_min_epu8(above, block_at(value->ranges[i].more.bytes));
        inside = _mm_or_si128(inside, _mm_cmpeq_epi8(above, least));
    }
    return bits_of(inside);
}
#endif

static int holds_only(Span span, const Value *value)
{
#ifdef __SSE2__
    if (value->range_count) {
        for (Text at = span.at; at < span.end; at += BLOCK) {
            unsigned found = in_ranges(block_at(at), value);
            unsigned wrong = value->is_outside ? found : ~found & 0xffff;
            if (wrong && at + __builtin_ctz(wrong) < span.end)
                return 0;
        }
        return 1;
    }
#endif
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

/* Return where a value ends; NULL if it does not. */
static inline Text end_of_value(const Alike *self, const Value *value, Span line, Text at)
{
    if (value->is_path)
        return end_of_path(self, value, line, at);
    size_t place = (size_t)(at - line.at);
    if (value->sign == value->other_sign)
        return line.at + next_mark(self->marks.first, place) - value->first;
    for (;; place++) {
        place = next_mark(self->marks.any, place);
        Text end = line.at + place;
        if (*end == value->sign || *end == value->other_sign || end == line.end)
            return end - value->first;
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

/* ---- flat JSON ---- */

static Text after_digits(Text at, Text end)
{
#ifdef __SSE2__
    Block zero = _mm_set1_epi8('0'), most = _mm_set1_epi8(9);
    for (; at < end; at += BLOCK) {
        Block above = _mm_sub_epi8(block_at(at), zero);
        unsigned others = 0xffff & ~bits_of(_mm_cmpeq_epi8(_mm_min_epu8(above, most), above));
        if (others) {
            at += __builtin_ctz(others);
            return at < end ? at : end;
        }
    }
    return end;
#else
    while (at < end && is_digit(*at))
        at++;
    return at;
#endif
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
#ifdef __SSE2__
    Block odd = _mm_setzero_si128();
    for (int i = 0; i < 2; i++) {
        Block block = _mm_xor_si128(block_at(member.at + i * BLOCK), block_at(key->starts[i].bytes));
        odd = _mm_or_si128(odd, _mm_and_si128(block, block_at(key->masks[i].bytes)));
    }
    if (bits_of(_mm_cmpeq_epi8(odd, _mm_setzero_si128())) != 0xffff)
        return 0;
    size_t seen = sizeof key->starts;
    return length <= seen || is_same(member.at + seen, key->name.at + seen, length - seen);
#else
    return is_same(member.at, key->name.at, length);
#endif
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

/* ---- rows ---- */

static uint64_t folded(uint64_t one, uint64_t other)
{
    __uint128_t product = (__uint128_t)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold; of eight bytes each, one in two goes another way, so that none waits long. */
static uint64_t hash_of(const uint8_t *data, size_t length)
{
    const uint64_t prime = 0x9E3779B97F4A7C15u, other_prime = 0xC2B2AE3D27D4EB4Fu;
    uint64_t one = length * prime, other = ~one, words[2];
    for (; length > sizeof words; data += sizeof words, length -= sizeof words) {
        memcpy(words, data, sizeof words);
        one = folded(one ^ words[0], prime);
        other = folded(other ^ words[1], other_prime);
    }
    memset(words, 0, sizeof words);
    memcpy(words, data, length);
    return folded(one ^ words[0] ^ prime, other ^ words[1] ^ other_prime);
}

static Row *row_at(const Alike *self, size_t place) { return (Row *)self->rows.data + place; }

static size_t row_count(const Alike *self) { return self->rows.length / sizeof(Row); }

static int more_places(Alike *self)
{
    size_t count = self->place_count ? self->place_count * 2 : 1 << 12;
    uint32_t *places = PyMem_RawMalloc(count * sizeof *places);
    if (!places)
        return 0;
    for (size_t i = 0; i < count; i++)
        places[i] = NO_ROW;
    for (size_t row = 0; row < row_count(self); row++) {
        if (!row_at(self, row)->key_length)
            continue;
        size_t place = row_at(self, row)->hash & (count - 1);
        while (places[place] != NO_ROW)
            place = (place + 1) & (count - 1);
        places[place] = (uint32_t)row;
    }
    PyMem_RawFree(self->places);
    self->places = places;
    self->place_count = count;
    return 1;
}

static uint64_t word_at(Text at)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 8 | at[i];
    return word;
}

static inline int is_before(Text time, Text other)
{
    for (int i = 0; i < TIME_LENGTH; i += 8) {
        uint64_t one = word_at(time + i), two = word_at(other + i);
        if (one != two)
            return one < two;
    }
    return 0;
}

/* Add a row of a line, with a key or alone. */
static int add_row(Alike *self, const Waiting *one)
{
    Row row = {.hash = one->hash, .key = self->keys.length, .key_length = one->key_length,
               .line = self->lines.length, .line_length = length_of(one->line),
               .number = one->number, .count = 1};
    if (one->key_length) {
        memcpy(row.first, one->time, TIME_LENGTH);
        memcpy(row.last, one->time, TIME_LENGTH);
    }
    return append(&self->keys, self->key.data + one->key, one->key_length) &&
           append(&self->lines, one->line.at, row.line_length) &&
           append(&self->rows, &row, sizeof row);
}

static void count_line(Row *row, Text time)
{
    row->count++;
    if (is_before(time, row->first))
        memcpy(row->first, time, TIME_LENGTH);
    if (is_before(row->last, time))
        memcpy(row->last, time, TIME_LENGTH);
}

/* Find the place of a row with a key, or a free one; NULL if too many others are in the way. */
static uint32_t *place_of(Alike *self, uint64_t hash, const uint8_t *key, size_t length)
{
    size_t place = hash & (self->place_count - 1);
    for (int probe = 0; probe < MOST_PROBES; probe++) {
        uint32_t *found = &self->places[place];
        if (*found == NO_ROW)
            return found;
        Row *row = row_at(self, *found);
        if (row->hash == hash && row->key_length == length &&
            !memcmp(self->keys.data + row->key, key, length))
            return found;
        place = (place + 1) & (self->place_count - 1);
    }
    return NULL;
}

static int has_places(Alike *self)
{
    return self->held * 2 < self->place_count || more_places(self);
}

static void hold_next_row(Alike *self, uint32_t *place)
{
    *place = (uint32_t)row_count(self);
    self->held++;
}

/* Count a line with those like it. */
static int sum_up(Alike *self, Waiting *one)
{
    if (!has_places(self))
        return 0;
    uint32_t *place = place_of(self, one->hash, self->key.data + one->key, one->key_length);
    if (!place) {
        one->hash = one->key_length = 0;
        return add_row(self, one);
    }
    if (*place == NO_ROW) {
        hold_next_row(self, place);
        return add_row(self, one);
    }
    count_line(row_at(self, *place), one->time);
    return 1;
}

/* Sum up the lines that wait. What all of them need is fetched before it is used: most of it is in
 * no cache that is near. */
static int sum_up_waiting(Alike *self)
{
    Waiting *end = self->waiting + self->waiting_count, *one;
    size_t last_place = self->place_count - 1;
    self->waiting_count = 0;
    self->key.length = 0;
    for (one = self->waiting; one < end; one++) {
        one->hash = hash_of(self->key.data + one->key, one->key_length);
        if (self->place_count)
            FETCH(self->places + (one->hash & last_place));
    }
    for (one = self->waiting; self->place_count && one < end; one++) {
        uint32_t place = self->places[one->hash & last_place];
        if (place != NO_ROW) {
            FETCH(row_at(self, place));
            FETCH(row_at(self, place)->first);
        }
    }
    for (one = self->waiting; one < end; one++)
        if (!sum_up(self, one))
            return 0;
    return 1;
}

/* Let a line wait whose key is at hand. */
static int wait_for_row(Alike *self, Span line, int64_t number)
{
    self->waiting[self->waiting_count++] =
        (Waiting){line, self->time.at, number, 0, self->key_begin,
                  self->key.length - self->key_begin};
    return (self->waiting_count < MOST_WAITING && self->key.length < MOST_WAITING_KEY) ||
           sum_up_waiting(self);
}

static int add_line_alone(Alike *self, Span line, int64_t number)
{
    Waiting one = {.line = line, .number = number};
    return sum_up_waiting(self) && add_row(self, &one);
}

static void count_row(Row *row, const Row *other)
{
    row->count += other->count;
    if (is_before(other->first, row->first))
        memcpy(row->first, other->first, TIME_LENGTH);
    if (is_before(row->last, other->last))
        memcpy(row->last, other->last, TIME_LENGTH);
}

/* Add a row of what follows, whose first line has a number there. */
static int merge_row(Alike *self, const Alike *other, const Row *theirs, int64_t before)
{
    Row row = *theirs;
    const uint8_t *key = other->keys.data + theirs->key;
    if (!has_places(self))
        return 0;
    uint32_t *place = row.key_length ? place_of(self, row.hash, key, row.key_length) : NULL;
    if (place && *place != NO_ROW) {
        count_row(row_at(self, *place), theirs);
        return 1;
    }
    if (place)
        hold_next_row(self, place);
    row.key = self->keys.length;
    row.line = self->lines.length;
    row.number += before;
    return append(&self->keys, key, row.key_length) &&
           append(&self->lines, other->lines.data + theirs->line, row.line_length) &&
           append(&self->rows, &row, sizeof row);
}

/* ---- lines ---- */

/* Return the end of `<time> <stream> <tag> `, which a container runtime writes; else NULL. */
static Text after_runtime_prefix(Span line, int *is_stdout, int *is_part)
{
    static const char shape[] = "0000-00-00T00:00:00";
    const size_t length = sizeof shape - 1;
    if ((size_t)(line.end - line.at) < length + 12 || !has_shape(line.at, shape, length))
        return NULL;
    Text at = line.at + length;
    while (at < line.end && (is_digit(*at) || *at == '.'))
        at++;
    if (at < line.end && *at == 'Z')
        at++;
    else if (line.end - at > 6 && (*at == '+' || *at == '-') && has_shape(at + 1, "00:00", 5))
        at += 6;
    else
        return NULL;
    if (line.end - at < 10 || (memcmp(at, " stdout ", 8) && memcmp(at, " stderr ", 8)))
        return NULL;
    *is_stdout = at[4] == 'o';
    *is_part = at[8] == 'P';
    return at[9] == ' ' && (at[8] == 'F' || at[8] == 'P') ? at + 10 : NULL;
}

static int fits(Alike *self, Span body, uint8_t wrapper)
{
    if (body.at < body.end && *body.at == '{') {
        self->key.length = self->key_begin;
        need_sign(self, wrapper);
        need_sign(self, IS_JSON);
        return fits_keys(self, body);
    }
    for (Py_ssize_t i = 0; i < self->cut_count; i++) {
        Py_ssize_t place = (self->last_cut + i) % self->cut_count;
        self->key.length = self->key_begin;
        self->time.at = self->peer.at = NULL;
        self->is_received = 0;
        need_sign(self, wrapper);
        need_sign(self, (uint8_t)place);
        if (fits_cut(self, &self->cuts[place], body)) {
            self->last_cut = place;
            return 1;
        }
    }
    return 0;
}

static int add_line(Alike *self, Span line, int64_t number)
{
    int is_stdout = 1, is_part = 0, goes_on = self->goes_on;
    Span body = line;
    uint8_t wrapper = 0;
    self->time.at = self->peer.at = NULL;
    self->is_received = 0;
    self->key_begin = self->key.length;
    if (line.at < line.end && is_digit(*line.at)) {
        Text begin = after_runtime_prefix(line, &is_stdout, &is_part);
        if (begin) {
            body.at = begin;
            wrapper = 1;
        }
    }
    if (wrapper && is_stdout)
        self->goes_on = is_part;
    else if (!wrapper && is_part)
        self->goes_on = 1;
    if ((goes_on && wrapper) || is_part || !is_stdout || line.end - line.at > MOST_LINE ||
        (line.end > line.at && line.end[-1] == '\r') || !fits(self, body, wrapper) ||
        !self->time.at)
        return add_line_alone(self, line, number);
    if (self->is_received && self->peer.at) {
        need_sign(self, IS_PEER);
        need(self, self->peer.at, without_port(self->peer));
    }
    return wait_for_row(self, line, number);
}

/* Add lines that have PADDING behind them, up to where no line ends; returns the next number or -1.
 * What is left begins at `left`. */
static int64_t add_whole_lines(Alike *self, Span data, int64_t number, Text *left)
{
    Text feed;
    while ((feed = memchr(data.at, '\n', data.end - data.at))) {
        Span line = {data.at, feed};
        if (!add_line(self, line, number++))
            return -1;
        data.at = feed + 1;
    }
    *left = data.at;
    return sum_up_waiting(self) ? number : -1;
}

/* Add lines, of which the first has a number; the number of the next, or -1. */
static int64_t add_lines(Alike *self, Span data, int64_t number)
{
    Text left = data.at;
    if (data.end - data.at > PADDING) {
        Span inner = {data.at, data.end - PADDING};
        number = add_whole_lines(self, inner, number, &left);
    }
    /* The last lines have no PADDING, and get some. */
    size_t length = data.end - left;
    self->text.length = 0;
    if (number < 0 || !reserve(&self->text, length + 1 + PADDING))
        return -1;
    append(&self->text, left, length);
    if (length && data.end[-1] != '\n')
        self->text.data[self->text.length++] = '\n';
    memset(self->text.data + self->text.length, 0, PADDING);
    Span last = {self->text.data, self->text.data + self->text.length};
    return add_whole_lines(self, last, number, &left);
}

/* ---- sections of files ---- */

/* Lines of a file, and where the first of them begins. */
typedef struct {
    int file;
    int64_t at, end; /* lines that begin behind the end are not added */
    int64_t number;
    int is_inside; /* what comes first is the rest of a line that is not added */
} Section;

/* Read on behind what is held; returns how much, nothing at the end of the file, -1 if that fails. */
static int64_t read_on(const Section *section, Buffer *text)
{
#ifdef _WIN32
    return -1;
#else
    ssize_t count;
    do
        count = pread(section->file, text->data + text->length, MOST_READ - text->length,
                      section->at + (int64_t)text->length);
    while (count < 0 && errno == EINTR);
    if (count > 0)
        text->length += (size_t)count;
    return count;
#endif
}

/* Add the lines that are held whole, and forget them; -1 without memory, 0 at the section's end. */
static int add_held(Alike *self, Section *section)
{
    Buffer *text = &self->text;
    Span data = {text->data, text->data + text->length};
    memset(text->data + text->length, 0, PADDING);
    Text begin = data.at;
    while (data.at < data.end && section->at + (data.at - begin) < section->end) {
        Text feed = memchr(data.at, '\n', data.end - data.at);
        if (!feed)
            break;
        Span line = {data.at, feed};
        if (section->is_inside)
            section->is_inside = 0;
        else if (!add_line(self, line, section->number++))
            return -1;
        data.at = feed + 1;
    }
    if (!sum_up_waiting(self))
        return -1;
    section->at += data.at - begin;
    text->length = data.end - data.at;
    memmove(text->data, data.at, text->length);
    return section->at < section->end;
}

/* Add the lines of a section up to one that is too long, has no end or cannot be read; 0 without
 * memory. */
static int add_section(Alike *self, Section *section)
{
    self->text.length = 0;
    if (!reserve(&self->text, MOST_READ + PADDING))
        return 0;
    int goes_on = 1;
    while (goes_on > 0 && self->text.length < MOST_READ && read_on(section, &self->text) > 0)
        goes_on = add_held(self, section);
    return goes_on >= 0;
}

/* ---- what Python sees ---- */

static int take_text(Span *text, PyObject *bytes)
{
    char *from;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(bytes, &from, &length) < 0)
        return 0;
    uint8_t *at = PyMem_Calloc(1, (size_t)length + PADDING);
    if (!at)
        return PyErr_NoMemory() != NULL;
    memcpy(at, from, (size_t)length);
    *text = (Span){at, at + length};
    return 1;
}

static int take_literal(Literal *literal, PyObject *bytes)
{
    if (!take_text(&literal->text, bytes))
        return 0;
    Span text = literal->text;
    size_t length = length_of(text);
    if (memchr(text.at, '\n', length)) {
        PyErr_SetString(PyExc_ValueError, "this is nothing between values");
        return 0;
    }
    memset(&literal->mask, 0xff, sizeof literal->mask);
    if (length < sizeof literal->mask)
        memset((uint8_t *)&literal->mask + length, 0, sizeof literal->mask - length);
    memcpy(&literal->word, text.at, sizeof literal->word);
    literal->word &= literal->mask;
    return 1;
}

static int is_in_range(Py_ssize_t value, Py_ssize_t most, const char *what)
{
    if (value >= 0 && value <= most)
        return 1;
    PyErr_Format(PyExc_ValueError, "%s is not between 0 and %zd", what, most);
    return 0;
}

/* Allocate room for the items of a tuple, filled with zeros. */
static void *room_for(PyObject *items, size_t size)
{
    if (!PyTuple_Check(items)) {
        PyErr_SetString(PyExc_TypeError, "a tuple is wanted");
        return NULL;
    }
    void *room = PyMem_Calloc((size_t)PyTuple_GET_SIZE(items) + 1, size);
    return room ? room : PyErr_NoMemory();
}

/* Say as ranges which bytes a value may hold, or which it may not if those are fewer. What it cannot
 * hold anyway makes no range longer. */
static void take_ranges(Value *value)
{
    const uint8_t *signs = value->signs;
    value->is_outside = signs[0] == MAY_BE;
    uint8_t other = value->is_outside ? MAY_BE : MAY_NOT_BE;
    for (int sign = 0; sign < 256; sign++) {
        if (signs[sign] == other || signs[sign] == CANNOT_BE)
            continue;
        if (value->range_count == MOST_RANGES) {
            value->range_count = 0;
            return;
        }
        int first = sign;
        while (sign < 255 && signs[sign + 1] != other)
            sign++;
        value->ranges[value->range_count++] = (Range){sign_of(first), sign_of(sign - first)};
    }
}

static int take_signs(Value *value, const char *signs, Py_ssize_t length)
{
    if (!signs)
        return 1;
    if (!is_in_range(length - 256, 0, "the length of signs less 256"))
        return 0;
    value->signs = PyMem_Malloc(256);
    if (!value->signs)
        return PyErr_NoMemory() != NULL;
    memcpy(value->signs, signs, 256);
    take_ranges(value);
    return 1;
}

static int take_value_of(Value *value, PyObject *source)
{
    const char *signs;
    Py_ssize_t length;
    PyObject *behind;
    int sign, other_sign, first;
    if (!PyArg_ParseTuple(source, "iz#iipiS", &value->action, &signs, &length, &sign, &other_sign,
                          &value->is_path, &first, &behind) ||
        !is_in_range(value->action, ACTIONS - 1, "an action") ||
        !is_in_range(sign, 255, "a sign") || !is_in_range(other_sign, 255, "a sign") ||
        !is_in_range(first, UINT8_MAX, "a place") || !take_signs(value, signs, length))
        return 0;
    value->sign = (uint8_t)sign;
    value->other_sign = (uint8_t)other_sign;
    value->first = (uint8_t)first;
    value->is_any = value->action == SKIPPED && !signs;
    return take_literal(&value->behind, behind);
}

static int take_cut(Cut *cut, PyObject *source)
{
    PyObject *begin, *values;
    const char *signs;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(source, "y#SO", &signs, &length, &begin, &values) ||
        !is_in_range(length - 1, MOST_SIGNS - 1, "the number of signs less 1"))
        return 0;
    for (; cut->signs.count < length; cut->signs.count++)
        cut->signs.signs[cut->signs.count] = sign_of((uint8_t)signs[cut->signs.count]);
    cut->values = cut->end = room_for(values, sizeof *cut->values);
    if (!cut->values || !take_literal(&cut->begin, begin))
        return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++)
        if (!take_value_of(cut->end++, PyTuple_GET_ITEM(values, i)))
            return 0;
    return 1;
}

static int take_key(Key *key, PyObject *source)
{
    PyObject *name;
    if (!PyArg_ParseTuple(source, "Si", &name, &key->action) ||
        !is_in_range(key->action, ACTIONS - 1, "an action") || !take_text(&key->name, name))
        return 0;
    size_t length = length_of(key->name);
    memcpy(key->starts, key->name.at, sizeof key->starts);
    memset(key->masks, 0xff, length < sizeof key->masks ? length : sizeof key->masks);
    return 1;
}

static int take_all(Alike *self, PyObject *cuts, PyObject *keys)
{
    self->cuts = room_for(cuts, sizeof *self->cuts);
    self->known = self->cuts ? room_for(keys, sizeof *self->known) : NULL;
    if (!self->known || !is_in_range(PyTuple_GET_SIZE(cuts), MOST_CUTS, "the number of cuts") ||
        !is_in_range(PyTuple_GET_SIZE(keys), MOST_KEYS, "the number of keys"))
        return 0;
    if (!reserve(&self->key, MOST_KEY))
        return PyErr_NoMemory() != NULL;
    self->cut_count = PyTuple_GET_SIZE(cuts);
    self->known_end = self->known + PyTuple_GET_SIZE(keys);
    for (Key *key = self->known; key <= self->known_end; key++) {
        key->number = (uint8_t)(key - self->known);
        key->follower = self->known;
    }
    for (Py_ssize_t i = 0; i < self->cut_count; i++)
        if (!take_cut(&self->cuts[i], PyTuple_GET_ITEM(cuts, i)))
            return 0;
    for (Key *key = self->known; key < self->known_end; key++)
        if (!take_key(key, PyTuple_GET_ITEM(keys, key->number)))
            return 0;
    return 1;
}

static int has_wide_blocks(void)
{
#ifdef HAS_WIDE
    return __builtin_cpu_supports("avx2");
#else
    return 0;
#endif
}

static PyObject *alike_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *cuts, *keys;
    static char *names[] = {"cuts", "keys", "is_portable", NULL};
    int is_portable = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|p", names, &cuts, &keys, &is_portable))
        return NULL;
    Alike *self = (Alike *)type->tp_alloc(type, 0);
    if (self)
        self->is_portable = is_portable || !has_wide_blocks();
    if (self && !take_all(self, cuts, keys))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void free_cut(Cut *cut)
{
    for (Value *value = cut->values; value < cut->end; value++) {
        PyMem_Free(value->signs);
        PyMem_Free((void *)value->behind.text.at);
    }
    PyMem_Free(cut->values);
    PyMem_Free((void *)cut->begin.text.at);
}

static void alike_free(PyObject *object)
{
    Alike *self = (Alike *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (Py_ssize_t i = 0; i < self->cut_count; i++)
        free_cut(&self->cuts[i]);
    for (Key *key = self->known; key < self->known_end; key++)
        PyMem_Free((void *)key->name.at);
    PyMem_Free(self->cuts);
    PyMem_Free(self->known);
    PyMem_RawFree(self->text.data);
    PyMem_RawFree(self->keys.data);
    PyMem_RawFree(self->lines.data);
    PyMem_RawFree(self->rows.data);
    PyMem_RawFree(self->key.data);
    PyMem_RawFree(self->places);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *alike_add(PyObject *object, PyObject *args)
{
    Alike *self = (Alike *)object;
    Py_buffer data;
    long long number;
    int64_t next;
    if (!PyArg_ParseTuple(args, "y*L", &data, &number))
        return NULL;
    Span span = {data.buf, (Text)data.buf + data.len};
    Py_BEGIN_ALLOW_THREADS
    next = add_lines(self, span, number);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&data);
    return next < 0 ? PyErr_NoMemory() : PyLong_FromLongLong(next - number);
}

static PyObject *alike_add_section(PyObject *object, PyObject *args)
{
    Alike *self = (Alike *)object;
    Section section = {.number = 1};
    long long begin, end;
    int has_memory;
    if (!PyArg_ParseTuple(args, "iLL", &section.file, &begin, &end))
        return NULL;
    section.is_inside = begin > 0;
    section.at = begin - section.is_inside; /* a line begins there if a line feed is before it */
    section.end = end;
    Py_BEGIN_ALLOW_THREADS
    has_memory = add_section(self, &section);
    Py_END_ALLOW_THREADS
    if (!has_memory)
        return PyErr_NoMemory();
    if (section.is_inside)
        section.at = begin;
    return Py_BuildValue("LL", (long long)(section.number - 1), (long long)section.at);
}

static PyObject *alike_merge(PyObject *object, PyObject *args)
{
    Alike *self = (Alike *)object, *other;
    long long before;
    if (!PyArg_ParseTuple(args, "O!L", Py_TYPE(object), &other, &before))
        return NULL;
    if (other == self) {
        PyErr_SetString(PyExc_ValueError, "rows do not follow themselves");
        return NULL;
    }
    for (size_t i = 0; i < row_count(other); i++)
        if (!merge_row(self, other, row_at(other, i), before))
            return PyErr_NoMemory();
    if (other->goes_on != UNKNOWN)
        self->goes_on = other->goes_on;
    Py_RETURN_NONE;
}

static PyObject *alike_begin_inside(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    ((Alike *)object)->goes_on = UNKNOWN;
    Py_RETURN_NONE;
}

static PyObject *alike_end_file(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    ((Alike *)object)->goes_on = 0;
    Py_RETURN_NONE;
}

static PyObject *time_of(const Row *row, const uint8_t *time)
{
    if (!row->key_length)
        Py_RETURN_NONE;
    return PyUnicode_DecodeASCII((const char *)time, TIME_LENGTH, NULL);
}

static int put(PyObject *columns, int column, size_t place, PyObject *value)
{
    if (!value)
        return 0;
    PyList_SET_ITEM(PyTuple_GET_ITEM(columns, column), (Py_ssize_t)place, value);
    return 1;
}

static int put_row(const Alike *self, PyObject *columns, size_t place)
{
    const Row *row = row_at(self, place);
    const char *line = (const char *)self->lines.data + row->line;
    return put(columns, 0, place, PyLong_FromLongLong(row->number)) &&
           put(columns, 1, place, PyBytes_FromStringAndSize(line, (Py_ssize_t)row->line_length)) &&
           put(columns, 2, place, PyLong_FromLongLong(row->count)) &&
           put(columns, 3, place, time_of(row, row->first)) &&
           put(columns, 4, place, time_of(row, row->last));
}

static PyObject *alike_take(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    Py_ssize_t count = (Py_ssize_t)row_count(self);
    PyObject *columns = PyTuple_New(5);
    for (Py_ssize_t i = 0; columns && i < 5; i++) {
        PyObject *column = PyList_New(count);
        if (!column)
            Py_CLEAR(columns);
        else
            PyTuple_SET_ITEM(columns, i, column);
    }
    for (Py_ssize_t i = 0; columns && i < count; i++)
        if (!put_row(self, columns, (size_t)i))
            Py_CLEAR(columns);
    forget(&self->keys);
    forget(&self->lines);
    forget(&self->rows);
    PyMem_RawFree(self->places);
    self->places = NULL;
    self->place_count = self->held = 0;
    return columns;
}

static PyObject *alike_size(PyObject *object, void *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    return PyLong_FromSize_t(self->lines.length + self->keys.length + self->rows.length);
}

static PyMethodDef alike_methods[] = {
    {"add", alike_add, METH_VARARGS, "Add the lines of a piece of a file; the first has a number."},
    {"add_section", alike_add_section, METH_VARARGS,
     "Add lines of an open file between two of its bytes: how many, and where it goes on."},
    {"take", alike_take, METH_NOARGS,
     "Give the rows and forget them: numbers, lines, counts, first and last times."},
    {"merge", alike_merge, METH_VARARGS, "Add the rows of lines that follow so many others."},
    {"begin_inside", alike_begin_inside, METH_NOARGS, "Say that the lines are not a file's first."},
    {"end_file", alike_end_file, METH_NOARGS, "Say that what comes is of another file."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef alike_members[] = {
    {"size", alike_size, NULL, "How many bytes the rows take.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot alike_slots[] = {
    {Py_tp_doc, "Sum up lines that agree in all that is needed."},
    {Py_tp_new, alike_new},
    {Py_tp_dealloc, alike_free},
    {Py_tp_methods, alike_methods},
    {Py_tp_getset, alike_members},
    {0, NULL},
};

static PyType_Spec alike_spec = {
    .name = "recommender.access_logs.alike._alike.Alike",
    .basicsize = sizeof(Alike),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = alike_slots,
};

static int fill_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &alike_spec, NULL);
    int filled = type ? PyModule_AddObjectRef(module, "Alike", type) : -1;
    Py_XDECREF(type);
    return filled;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_alike",
    .m_doc = "Lines that agree in all that is needed, summed up.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__alike(void) { return PyModuleDef_Init(&module); }
