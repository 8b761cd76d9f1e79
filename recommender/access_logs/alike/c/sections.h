/* Sections of files -> lines. */
#ifndef SECTIONS_H
#define SECTIONS_H

#include "lines.h"

#include <errno.h>
#ifndef _WIN32
#include <unistd.h>
#endif

#define MOST_READ (1 << 18) /* what fits the cache of a processor is looked at faster */

/* Lines of a file, and where the first of them begins. */
typedef struct {
    int file;
    int64_t at, end; /* lines that begin behind the end are not added */
    int64_t number;
    size_t most; /* when the lines to look at take so many bytes, no more are read */
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

/* Add the lines of a section up to one that is too long, has no end or cannot be read, or as long as
 * the lines to look at are few; 0 without memory. */
static int add_section(Alike *self, Section *section)
{
    self->text.length = 0;
    if (!reserve(&self->text, MOST_READ + PADDING))
        return 0;
    int goes_on = 1;
    while (goes_on > 0 && self->texts.length < section->most && self->text.length < MOST_READ &&
           read_on(section, &self->text) > 0)
        goes_on = add_held(self, section);
    return goes_on >= 0;
}

#endif
