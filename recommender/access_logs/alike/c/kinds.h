/* Lines with keys -> kinds, and rows that count them. */
#ifndef KINDS_H
#define KINDS_H

#include "found.h"

#define MOST_PROBES 64

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

static int more_places(Alike *self)
{
    size_t count = self->place_count ? self->place_count * 2 : 1 << 12;
    uint32_t *places = PyMem_RawMalloc(count * sizeof *places);
    if (!places)
        return 0;
    memset(places, 0xff, count * sizeof *places); /* NOTHING */
    for (size_t kind = 0; kind < kind_count(self); kind++) {
        size_t place = kind_at(self, kind)->hash & (count - 1);
        int probe = 0;
        while (places[place] != NOTHING && ++probe < MOST_PROBES)
            place = (place + 1) & (count - 1);
        if (places[place] == NOTHING)
            places[place] = (uint32_t)kind;
    }
    PyMem_RawFree(self->places);
    self->places = places;
    self->place_count = count;
    return 1;
}

static int has_places(Alike *self)
{
    return kind_count(self) * 2 < self->place_count || more_places(self);
}

/* Find the place of the kind with a key, or a free one; NULL if too many others are in the way. */
static uint32_t *place_of(Alike *self, uint64_t hash, const uint8_t *key, size_t length)
{
    size_t place = hash & (self->place_count - 1);
    for (int probe = 0; probe < MOST_PROBES; probe++) {
        uint32_t *found = &self->places[place];
        if (*found == NOTHING)
            return found;
        Kind *kind = kind_at(self, *found);
        if (kind->hash == hash && kind->key_length == length &&
            !memcmp(self->keys.data + kind->key, key, length))
            return found;
        place = (place + 1) & (self->place_count - 1);
    }
    return NULL;
}

/* Add a line to look at. */
static int add_text(Alike *self, Span text, int64_t number, int64_t kind)
{
    if (!append(&self->texts, text.at, length_of(text)))
        return 0;
    Line line = {self->file, number, kind, self->texts.length};
    return append(&self->lines, &line, sizeof line);
}

/* Add a kind at a free place. */
static int add_kind(Alike *self, uint32_t *place, uint64_t hash, const uint8_t *key, size_t length)
{
    Kind kind = {hash, self->keys.length, (uint32_t)length, NOTHING};
    *place = (uint32_t)kind_count(self);
    return append(&self->keys, key, length) && append(&self->kinds, &kind, sizeof kind);
}

/* Return the last row of a kind in the file at hand; NULL if it has none. */
static inline Row *row_of(const Alike *self, const Kind *kind)
{
    int has_row = kind->row >= self->first_row && kind->row < row_count(self);
    return has_row ? row_at(self, kind->row) : NULL;
}

static inline int is_of_day(const Row *row, int64_t time)
{
    return (uint64_t)(time - row->day) < DAY;
}

/* Find the row of a day among the rows of a kind; NULL if there is none. */
static Row *row_of_day(const Alike *self, Row *last, int64_t time)
{
    Row *row = last;
    for (int days = 0; row && days < MOST_DAYS; days++) {
        if (is_of_day(row, time))
            return row;
        row = row->before == NOTHING ? NULL : row_at(self, row->before);
    }
    return NULL;
}

/* Add a row of a kind in the file at hand, of a day that has none. */
static int add_row(Alike *self, uint32_t number, const Row *lines)
{
    Kind *kind = kind_at(self, number);
    Row row = *lines;
    int64_t time_of_day = row.first % DAY;
    row.file = self->file;
    row.kind = number;
    row.day = row.first - (time_of_day < 0 ? time_of_day + DAY : time_of_day);
    row.before = row_of(self, kind) ? kind->row : NOTHING;
    kind->row = (uint32_t)row_count(self);
    return append(&self->rows, &row, sizeof row);
}

/* Count lines of a kind in the file at hand. */
static inline int count_lines(Alike *self, uint32_t number, const Row *more)
{
    Row *row = row_of(self, kind_at(self, number));
    if (!row || !is_of_day(row, more->first))
        row = row_of_day(self, row, more->first);
    if (!row)
        return add_row(self, number, more);
    row->count += more->count;
    row->first = more->first < row->first ? more->first : row->first;
    row->last = more->last > row->last ? more->last : row->last;
    return 1;
}

/* Count a line with those of its kind. */
static int sum_up(Alike *self, const Waiting *one)
{
    const uint8_t *key = self->key.data + one->key;
    if (!has_places(self))
        return 0;
    uint32_t *place = place_of(self, one->hash, key, one->key_length);
    if (!place)
        return add_text(self, one->line, one->number, NO_KIND);
    if (*place == NOTHING && !(add_kind(self, place, one->hash, key, one->key_length) &&
                               add_text(self, one->line, one->number, *place)))
        return 0;
    Row row = {.number = one->number, .count = 1, .first = one->time, .last = one->time};
    return count_lines(self, *place, &row);
}

/* Fetch what `sum_up` will use: most of it is in no cache that is near. */
static void fetch_kinds(const Alike *self, const Waiting *end)
{
    size_t last_place = self->place_count - 1;
    for (const Waiting *one = self->waiting; one < end; one++) {
        uint32_t kind = self->places[one->hash & last_place];
        if (kind != NOTHING)
            __builtin_prefetch(kind_at(self, kind));
    }
    for (const Waiting *one = self->waiting; one < end; one++) {
        uint32_t place = self->places[one->hash & last_place];
        if (place == NOTHING)
            continue;
        const Kind *kind = kind_at(self, place);
        __builtin_prefetch(self->keys.data + kind->key);
        if (row_of(self, kind))
            __builtin_prefetch(row_at(self, kind->row));
    }
}

/* Sum up the lines that wait. */
static int sum_up_waiting(Alike *self)
{
    Waiting *end = self->waiting + self->waiting_count;
    self->waiting_count = 0;
    self->key.length = 0;
    for (Waiting *one = self->waiting; one < end; one++) {
        one->hash = hash_of(self->key.data + one->key, one->key_length);
        if (self->place_count)
            __builtin_prefetch(self->places + (one->hash & (self->place_count - 1)));
    }
    if (self->place_count)
        fetch_kinds(self, end);
    for (const Waiting *one = self->waiting; one < end; one++)
        if (!sum_up(self, one))
            return 0;
    return 1;
}

/* Let a line wait whose key is at hand. */
static int wait_for_kind(Alike *self, Span line, int64_t number)
{
    self->waiting[self->waiting_count++] = (Waiting){
        line, number, self->time, 0, self->key_begin, self->key.length - self->key_begin};
    return (self->waiting_count < MOST_WAITING && self->key.length < MOST_WAITING_KEY) ||
           sum_up_waiting(self);
}

/* Add a line that is of no kind, behind those that wait. */
static int add_line_alone(Alike *self, Span line, int64_t number)
{
    return sum_up_waiting(self) && add_text(self, line, number, NO_KIND);
}

/* Count the lines of all rows of a kind, which follow so many others in the file at hand. */
static int merge_rows(Alike *self, uint32_t number, const Alike *other, uint32_t last, int64_t before)
{
    while (last != NOTHING) {
        Row row = *row_at(other, last);
        last = row.before;
        row.number += before;
        if (!count_lines(self, number, &row))
            return 0;
    }
    return 1;
}

/* Add a line of what follows so many others in the file at hand, with those of its kind. */
static int merge_line(Alike *self, const Alike *other, const Line *theirs, Span text, int64_t before)
{
    uint32_t nowhere = NOTHING;
    int64_t number = theirs->number + before;
    if (theirs->kind == NO_KIND)
        return add_text(self, text, number, NO_KIND);
    const Kind *kind = kind_at(other, (size_t)theirs->kind);
    const uint8_t *key = other->keys.data + kind->key;
    if (!has_places(self))
        return 0;
    uint32_t *place = place_of(self, kind->hash, key, kind->key_length);
    if (!place)
        place = &nowhere; /* it becomes a kind that nobody finds again */
    if (*place == NOTHING && !(add_kind(self, place, kind->hash, key, kind->key_length) &&
                               add_text(self, text, number, *place)))
        return 0;
    return merge_rows(self, *place, other, kind->row, before);
}

/* Add what follows so many lines of the file at hand; nothing of it was taken before. */
static int merge_lines(Alike *self, const Alike *other, int64_t before)
{
    Span text = {other->texts.data, other->texts.data};
    for (size_t i = 0; i < line_count(other); i++) {
        const Line *line = line_at(other, i);
        text.end = other->texts.data + line->end;
        if (!merge_line(self, other, line, text, before))
            return 0;
        text.at = text.end;
    }
    return 1;
}

/* Forget rows and lines; the file at hand goes on as the first. */
static void forget_lines(Alike *self)
{
    for (size_t i = 0; i < kind_count(self); i++)
        kind_at(self, i)->row = NOTHING;
    empty(&self->rows);
    empty(&self->lines);
    empty(&self->texts);
    self->file = 0;
    self->first_row = 0;
    self->is_taken = 1;
}

static void forget_kinds(Alike *self)
{
    empty(&self->keys);
    empty(&self->kinds);
    if (self->places && self->place_count * sizeof *self->places <= MOST_KEPT) {
        memset(self->places, 0xff, self->place_count * sizeof *self->places);
        return;
    }
    PyMem_RawFree(self->places);
    self->places = NULL;
    self->place_count = 0;
}

#endif
