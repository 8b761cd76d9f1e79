/* Stored lines -> kinds, or lines that are alone. */
#ifndef LINES_H
#define LINES_H

#include "json_lines.h"
#include "kinds.h"
#include "text_lines.h"

/* Signs that are the number of no cut and no key. */
#define IS_JSON 255
#define IS_PEER 254

#define USUAL_PREFIX 40
#define AHEAD 1024 /* bytes that are fetched before they are looked at */

/* Match by blocks what a container runtime most often writes before a line: `0` with any digit and
 * everything else with itself. */
static int has_usual_prefix(Span line)
{
    static const uint8_t shape[3 * BLOCK] = "0000-00-00T00:00:00.000000000Z stdout F ";
    uint64_t fitting = 0;
    for (int at = 0; at < (int)sizeof shape; at += BLOCK) {
        Block found = block_at(line.at + at), wanted = block_at(shape + at);
        Block is_digit = (Block)(found - '0' < 10) & (Block)(wanted == '0');
        fitting |= (uint64_t)bits_of(is_digit | (Block)(found == wanted)) << at;
    }
    return length_of(line) >= USUAL_PREFIX && !(~fitting << (WORD - USUAL_PREFIX));
}

/* Return the end of `<time> <stream> <tag> `, which a container runtime writes; else NULL. */
static Text after_runtime_prefix(Span line, int *is_stdout, int *is_part)
{
    static const char shape[] = "0000-00-00T00:00:00";
    const size_t length = sizeof shape - 1;
    if (has_usual_prefix(line)) {
        *is_stdout = 1;
        *is_part = 0;
        return line.at + USUAL_PREFIX;
    }
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

/* Write the key of a line where it begins; returns its end, or NULL if nothing fits. */
static uint8_t *fit(Alike *self, Span body, uint8_t wrapper)
{
    uint8_t *key = put_sign(self->key.data + self->key_begin, wrapper);
    if (body.at < body.end && *body.at == '{')
        return fit_keys(self, put_sign(key, IS_JSON), body);
    for (Py_ssize_t i = 0; i < self->cut_count; i++) {
        Py_ssize_t place = (self->last_cut + i) % self->cut_count;
        self->peer.at = NULL;
        self->has_time = self->is_received = 0;
        uint8_t *end = fit_cut(self, put_sign(key, (uint8_t)place), &self->cuts[place], body);
        if (end) {
            self->last_cut = place;
            return end;
        }
    }
    return NULL;
}

static int add_line(Alike *self, Span line, int64_t number)
{
    int is_stdout = 1, is_part = 0, goes_on = self->goes_on;
    Span body = line;
    uint8_t wrapper = 0;
    self->peer.at = NULL;
    self->has_time = self->is_received = 0;
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
        (line.end > line.at && line.end[-1] == '\r'))
        return add_line_alone(self, line, number);
    uint8_t *end = fit(self, body, wrapper);
    if (!end || !self->has_time)
        return add_line_alone(self, line, number);
    if (self->is_received && self->peer.at)
        end = put(put_sign(end, IS_PEER), self->peer.at, without_port(self->peer));
    self->key.length = (size_t)(end - self->key.data);
    return wait_for_kind(self, line, number);
}

/* Fetch what comes a while later. A processor looks ahead by itself, but not beyond a page. */
static inline void fetch_ahead(Span line, Text end)
{
    ptrdiff_t rest = end - line.at - AHEAD, length = line.end - line.at;
    ptrdiff_t wanted = length < rest ? length : rest;
    for (ptrdiff_t at = 0; at < wanted; at += WORD)
        __builtin_prefetch(line.at + AHEAD + at);
}

/* Add lines that have PADDING behind them, up to where no line ends; returns the next number or -1.
 * What is left begins at `left`. */
static int64_t add_whole_lines(Alike *self, Span data, int64_t number, Text *left)
{
    Text feed;
    while ((feed = memchr(data.at, '\n', data.end - data.at))) {
        Span line = {data.at, feed};
        fetch_ahead(line, data.end);
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

#endif
