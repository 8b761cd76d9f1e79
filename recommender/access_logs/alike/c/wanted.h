/* What is to be found in lines. */
#ifndef WANTED_H
#define WANTED_H

#include "text.h"

/* What becomes of a value; `Action` in actions.py says what each is for. */
enum { SKIPPED, NEEDED, TIME, CLUSTER, PEER, PRESENCE, PRESENT, ACTIONS };

/* Whether a value holds a byte; some cannot be in it, as it would have ended there. */
enum { MAY_NOT_BE, MAY_BE, CANNOT_BE };

#define MOST_KEYS 250
#define MOST_RANGES 6
#define MOST_SIGNS 8
#define MOST_CUTS 64

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
    int more; /* how many values follow that are as it is, each behind its sign */
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

#endif
