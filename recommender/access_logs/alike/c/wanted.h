/* What is to be found in lines. */
#ifndef WANTED_H
#define WANTED_H

#include "text.h"

/* What becomes of a value; `Action` in actions.py says what each is for. */
enum { SKIPPED, NEEDED, TIME, CLUSTER, PEER, PRESENCE, PRESENT, ACTIONS };

/* Whether a value holds a byte; some cannot be in it, as it would have ended there. */
enum { MAY_NOT_BE, MAY_BE, CANNOT_BE };

#define MOST_KEYS 250
#define NIBBLES 16
#define CLASSES 8
#define MOST_SIGNS 8
#define MOST_CUTS 64

/* Some bytes: those of whose halves, the low and the high one, both have a bit of the same class.
 * Classes are few, so that not all sets of bytes can be said in this way. */
typedef struct {
    int is_said;
    uint8_t low[NIBBLES], high[NIBBLES];
} ByteSet;

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
    uint8_t first; /* where in what is behind that sign stands; of a path: how far before the cut's
                      sign its piece ends */
    int more; /* how many values follow that are as it is, each behind its sign */
    Literal behind;
    int marks_behind; /* how many signs of the cut stand there, from the one that ends it on */
    uint8_t *signs; /* which bytes it may hold; NULL for all */
    ByteSet wrong;  /* those that it may not hold */
} Value;

/* Where a line is looked at: at any of some signs. */
typedef struct {
    int count;
    Sign signs[MOST_SIGNS];
} Signs;

typedef struct {
    Signs signs;
    Literal begin;
    int marks_before; /* how many of its signs stand in that */
    Value *values, *end;
} Cut;

typedef struct Key {
    Span name; /* with its quotes and the colon */
    uint8_t start[2 * BLOCK]; /* how that begins */
    uint32_t beyond; /* a bit for each byte of the start that is behind it */
    int action;
    uint8_t number;
    struct Key *follower; /* the key that came after it last */
    int64_t seen_in; /* the last object that had it */
} Key;

#endif
