/* What is found: kinds of lines, how often each comes in a file, and lines that are of none.
 *
 * Lines are of one kind if they agree in all that is needed, which is their key. Kinds are known
 * until they are forgotten; rows and lines until they are taken.
 */
#ifndef FOUND_H
#define FOUND_H

#include "wanted.h"

#define WORD 64
#define MOST_LINE (1 << 16)
#define MOST_WAITING 16
#define MOST_WAITING_KEY (1 << 14)
/* Of each byte of a line no more than one is needed, and for each value up to 8 more. */
#define MOST_KEY (MOST_LINE * 9 + 64 + PADDING + MOST_WAITING_KEY)
#define MINUTE_LENGTH 17
#define NOTHING UINT32_MAX
#define DAY (24 * 60 * 60 * 1000)
/* Lines of more days than that, in no order, are counted in several rows. */
#define MOST_DAYS 16
#define NO_KIND (-1)
/* In the middle of a file it is not known whether a line goes on. */
#define UNKNOWN 2

typedef struct {
    uint64_t hash;
    size_t key; /* in `keys` */
    uint32_t key_length;
    uint32_t row; /* the last of the file at hand, if it is one of its rows */
} Kind;

/* The lines of a kind in a file of one day, and in milliseconds when the first and the last of them
 * started. */
typedef struct {
    int64_t file, number, kind, count, first, last;
    int64_t day; /* when it begins */
    uint32_t before; /* the row of another day of the same lines; NOTHING if there is none */
} Row;

/* A line to look at: the first of a kind, or of none. */
typedef struct {
    int64_t file, number, kind;
    size_t end; /* in `texts` */
} Line;

/* A line whose key is known and whose kind is not. */
typedef struct {
    Span line;
    int64_t number, time;
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
    Buffer keys, kinds, rows, lines, texts;
    int64_t file; /* the number of the one at hand */
    size_t first_row; /* of that file */
    int is_taken; /* whether some of its lines were */
    Buffer key; /* those of waiting lines and of the line at hand; there is room for all of them */
    size_t key_begin; /* of the line at hand */
    Waiting waiting[MOST_WAITING];
    int waiting_count;
    /* Where signs stand in the line at hand, and its end; some more are written than there are. */
    uint32_t marks[MOST_LINE + 2 * WORD];
    uint64_t quotes[MOST_LINE / WORD + 2]; /* a bit for each of its quotes, and one for its end */
    int is_portable;
    int64_t time; /* of the line at hand, if it has one */
    int has_time, is_received;
    Span peer;
    uint8_t minute[MINUTE_LENGTH]; /* of the last time that is one */
    int64_t minute_begin;
    uint32_t *places;
    size_t place_count;
    int goes_on; /* whether a part of a line was seen whose end was not */
} Alike;

static inline Kind *kind_at(const Alike *self, size_t place)
{
    return (Kind *)self->kinds.data + place;
}

static inline size_t kind_count(const Alike *self) { return self->kinds.length / sizeof(Kind); }

static inline Row *row_at(const Alike *self, size_t place)
{
    return (Row *)self->rows.data + place;
}

static inline size_t row_count(const Alike *self) { return self->rows.length / sizeof(Row); }

static inline Line *line_at(const Alike *self, size_t place)
{
    return (Line *)self->lines.data + place;
}

static inline size_t line_count(const Alike *self) { return self->lines.length / sizeof(Line); }

#endif
